# Backprop Lab: every command there is. `make` alone lists them.
# Each target does its own set-up first; that costs nothing when nothing changed.

VENV = .venv
BIN = $(VENV)/bin

# An environment made before is used again, unless PYTHON says which Python to take.
PYTHONS = $(or $(PYTHON),$(BIN)/python python3 python3.13 python3.12 python3.11)
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# $(call python,arguments): run the first Python that will do.
define python
@for python in $(PYTHONS); do \
	if "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1; then exec "$$python" $(1); fi; \
done; \
for python in $(PYTHONS); do \
	version=$$("$$python" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null) && found="$$found $$python is $$version;"; \
done; \
echo "Backprop Lab needs Python 3.11, 3.12 or 3.13:$${found:- none was found at \"$(PYTHONS)\".}" >&2; \
echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3.12" >&2; \
exit 1
endef

# $(call install,lock file): fill the environment.
install = $(call python,-m backend.install $(1))

.PHONY: help
help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run:  ## Start Backprop Lab and say where the page is; settings: make run LAB_PORT=9000
	$(call install,requirements.lock)
	@exec $(BIN)/python -m backend.local

.PHONY: test
test:  ## Run all tests; some of them: make test ARGS="-k words"
	$(call install,requirements-dev.lock)
	@exec $(BIN)/python -m pytest $(ARGS)

.PHONY: check
check:  ## Check format, style, types and the direction of imports
	$(call install,requirements-dev.lock)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: faults
faults:  ## Break everything on purpose, which takes long; the same once more: make faults ARGS="--seed 7"
	$(call install,requirements-dev.lock)
	@exec $(BIN)/python -m pytest tests/faults --long $(ARGS)

.PHONY: backup
backup:  ## Copy database, checkpoints and logs, also while the service runs: make backup TO=folder
	$(if $(TO),,$(error Say where the copy goes: make backup TO=folder))
	$(call install,requirements.lock)
	@exec $(BIN)/python -m backend.backup "$(TO)"

.PHONY: results
results:  ## Train the published experiments on the data in a folder: make results DATA=folder
	$(if $(DATA),,$(error Say where the data sets are: make results DATA=folder))
	$(call install,requirements-dev.lock)
	@exec $(BIN)/python -m benchmarks.results --data "$(DATA)" $(ARGS)

PEERS = $(VENV)/benchmark

.PHONY: bench
bench:  ## Measure the training step beside TensorFlow's tape, Keras and PyTorch; a look: make bench ARGS=--quick
	$(call install,requirements.lock)
	$(call python,-m venv $(PEERS))
	-@$(PEERS)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps \
		--only-binary :all: -r requirements-benchmark.lock
	@exec $(BIN)/python -m benchmarks.speed $(ARGS)

MLFLOW = $(VENV)/mlflow

.PHONY: mlflow
mlflow:  ## Measure the service beside MLflow's server, on the same data; a look: make mlflow ARGS="--runs 1000 --rounds 3"
	$(call install,requirements-dev.lock)
	$(call python,-m venv $(MLFLOW))
	@$(MLFLOW)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps \
		--only-binary :all: -r requirements-mlflow.lock
	@exec $(BIN)/python -m benchmarks.beside_mlflow $(ARGS)

UV = $(VENV)/uv/bin/uv
COMPILE_GROUP = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url
COMPILE = $(COMPILE_GROUP) pyproject.toml
# Where pip finds CPU builds of PyTorch, as PIP_FIND_LINKS says, is where they are looked for here.
COMPILE_BENCHMARK = UV_FIND_LINKS="$${UV_FIND_LINKS-$$PIP_FIND_LINKS}" $(COMPILE_GROUP) --group benchmark

.PHONY: lock
lock:  ## Write the six lock files anew from pyproject.toml; newer versions: make lock ARGS=--upgrade
	$(call python,-m venv $(VENV)/uv)
	@$(VENV)/uv/bin/python -m pip --quiet --disable-pip-version-check install uv
	$(COMPILE) $(ARGS) --extra worker --extra embedded --output-file requirements.lock
	$(COMPILE) $(ARGS) --extra worker --extra embedded --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) $(ARGS) --constraint requirements.lock --output-file requirements-backend.lock
	$(COMPILE) $(ARGS) --extra worker --extra gpu --constraint requirements.lock --output-file requirements-gpu.lock
	$(COMPILE_BENCHMARK) $(ARGS) --output-file requirements-benchmark.lock
	$(COMPILE_GROUP) $(ARGS) --group mlflow --output-file requirements-mlflow.lock

.PHONY: clean
clean:  ## Delete the environment and all caches; runs and data sets stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find backend benchmarks frontend tests worker -name __pycache__ -type d -prune -exec rm -rf {} +
