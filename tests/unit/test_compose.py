import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from backend import valkey
from backend.launcher import real_parts
from backend.settings import Settings
from tests.service import until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DATABASES = {"postgres", "redis"}
DOCKERFILES = ("backend/Dockerfile", "worker/Dockerfile", "worker/Dockerfile.gpu")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: word and arguments, continued lines joined."""
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


class TestCompose:
    """What docker-compose.yml promises, read from the file: no Docker engine is needed."""

    def test_it_follows_the_compose_specification(self) -> None:
        """The file is valid by the specification's own schema."""
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
        done = subprocess.run([*command, "docker-compose.yml"], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_starts_the_whole_service(self) -> None:
        """Page, worker, database and broker, a step that migrates once, and where asked for, a worker with GPUs."""
        asked_for = {name for name, service in SERVICES.items() if "profiles" in service}
        assert asked_for == {"worker-gpu"}
        assert set(SERVICES) - asked_for == {"postgres", "redis", "migrate", "backend", "worker"}
        assert SERVICES["migrate"]["restart"] == "no"

    def test_every_lasting_service_tells_its_health(self) -> None:
        """Whatever goes on running has a health check."""
        assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["migrate"]

    def test_the_order_of_the_start(self) -> None:
        """The migration waits for healthy databases, page and worker wait for the migration."""
        assert SERVICES["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in DATABASES}
        for name in ("backend", "worker", "worker-gpu"):
            assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}

    @pytest.mark.parametrize("secret", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "LAB_TOKEN"])
    def test_secrets_have_no_default(self, secret: str) -> None:
        """Compose refuses to start without each secret, wherever it is used."""
        uses = re.findall(r"\$\{?" + secret + r"[^}]*\}?", TEXT)
        assert uses
        assert all(use.startswith("${" + secret + ":?") for use in uses)

    def test_only_the_page_is_published_and_only_here(self) -> None:
        """One port, on the loopback interface."""
        published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
        assert published == {"backend": ["127.0.0.1:${LAB_PORT:-8000}:8000"]}
        assert not any("expose" in service or "network_mode" in service for service in SERVICES.values())

    def test_the_databases_are_on_an_internal_network_only(self) -> None:
        """Nothing outside reaches Postgres or Redis, and they reach nothing outside."""
        internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
        assert all(set(SERVICES[name]["networks"]) <= internal for name in (*DATABASES, "migrate"))

    def test_nobody_is_root(self) -> None:
        """Each service runs as a user of its own, without capabilities, and can't gain any."""
        for name, service in SERVICES.items():
            users = [service["user"]] if "user" in service else []
            if "build" in service:
                users += [rest for word, rest in instructions(service["build"]["dockerfile"]) if word == "USER"]
            assert users, name
            assert not {"root", "0"} & set(users)
            assert service["read_only"] is True
            assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]

    def test_data_is_kept_in_named_volumes(self) -> None:
        """What must survive a container lies in a named volume; nothing of the host's files is mounted."""
        mounts = {name: service.get("volumes", []) for name, service in SERVICES.items()}
        assert set(mounts["backend"]) == set(mounts["worker"]) == {"data:/data"}
        named = {mount.split(":")[0] for service in mounts.values() for mount in service}
        assert named == set(COMPOSE["volumes"])

    def test_a_gpu_worker_reserves_the_gpus(self) -> None:
        """The worker with GPUs asks the engine for all of them, and is in all else the worker."""
        worker, gpu = SERVICES["worker"], SERVICES["worker-gpu"]
        (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
        own = {"profiles", "image", "build", "deploy", "environment"}
        assert {key: value for key, value in gpu.items() if key not in own} == {
            key: value for key, value in worker.items() if key not in own
        }
        assert worker["environment"].items() <= gpu["environment"].items()

    def test_every_setting_is_one(self) -> None:
        """Each LAB_ variable that the file names is a field of the settings."""
        known = {f"LAB_{name.upper()}" for name in Settings.model_fields}
        assert set(re.findall(r"\bLAB_[A-Z_]+", TEXT)) <= known

    def test_the_settings_are_accepted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The page's and the worker's environment are settings that the service starts with."""
        for name in ("backend", "worker", "migrate"):
            for key, value in SERVICES[name]["environment"].items():
                filled = re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", str(value))
                monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef", filled))
            settings = Settings()
            assert settings.resolved_database_url == "postgresql+psycopg://lab:0123456789abcdef@postgres:5432/lab"

    def test_no_password_on_a_command_line(self) -> None:
        """Passwords reach the services by their environment: a command line is seen by everyone on the machine."""
        for service in SERVICES.values():
            command = json.dumps([service.get("command"), service.get("healthcheck")])
            assert "PASSWORD" not in command
            # The shell reads this one itself: $$ is compose's way to write $.
            assert command.replace("$$REDISCLI_AUTH", "").count("REDISCLI_AUTH") == 0

    def test_the_broker_wants_its_password(self, tmp_path: Path) -> None:
        """The broker's command, as its container's shell reads it, starts a Valkey that asks for the password."""
        endpoint = valkey.Endpoint(password="hush")
        (tmp_path / "valkey-server").symlink_to(valkey.program())
        shell, option, script = SERVICES["redis"]["command"]
        own = f"dir {tmp_path}\nbind {valkey.HOST}\nport {endpoint.port}"
        script = script.replace("$$", "$").replace("dir /data", own)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDISCLI_AUTH": "hush"}
        with subprocess.Popen([shell, option, script], env=environment, stdout=subprocess.DEVNULL) as server:
            try:
                until(endpoint.answers, 10)
                assert not replace(endpoint, password="wrong").answers()
                assert (tmp_path / "appendonlydir").exists()
                assert Path(f"/proc/{server.pid}/exe").resolve() == valkey.program().resolve()
            finally:
                server.terminate()


class TestDockerfiles:
    """What the images are made of."""

    @pytest.mark.parametrize("dockerfile", DOCKERFILES)
    def test_what_is_copied_exists_and_is_not_ignored(self, dockerfile: str) -> None:
        """Each source of a COPY is in the project and let in by .dockerignore."""
        let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        for word, rest in instructions(dockerfile):
            if word == "COPY":
                source = rest.split()[0]
                assert (ROOT / source).exists()
                assert any(Path(source).match(pattern) for pattern in let_in)

    @pytest.mark.parametrize("dockerfile", DOCKERFILES)
    def test_packages_are_checked_by_hash(self, dockerfile: str) -> None:
        """Packages come from a lock file that was copied, each checked by its hash, none built."""
        (install,) = [shlex.split(rest) for word, rest in instructions(dockerfile) if "pip install" in rest]
        assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install)
        lock = install[install.index("--requirement") + 1]
        assert ("COPY", f"{lock} ./") in instructions(dockerfile)

    def test_the_page_has_no_tensorflow(self) -> None:
        """The page's image is small: its lock names no TensorFlow."""
        lock = (ROOT / "requirements-backend.lock").read_text()
        assert ("COPY", "requirements-backend.lock ./") in instructions("backend/Dockerfile")
        assert re.search(r"^(tensorflow|keras|scikit-learn)==", lock, re.MULTILINE) is None

    def test_the_gpu_workers_image_differs_in_its_packages_only(self) -> None:
        """Both workers' images are made alike; the one for GPUs has NVIDIA's libraries."""
        cpu, gpu = ((ROOT / name).read_text() for name in DOCKERFILES[1:])
        assert cpu.split("FROM")[1].replace("requirements.lock", "requirements-gpu.lock") == gpu.split("FROM")[1]
        versions = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
        cpu_lock, gpu_lock = (
            dict(versions.findall((ROOT / f"requirements{kind}.lock").read_text())) for kind in ("", "-gpu")
        )
        shared = cpu_lock.keys() & gpu_lock.keys()
        assert {name: cpu_lock[name] for name in shared} == {name: gpu_lock[name] for name in shared}
        assert gpu_lock.keys() >= {"tensorflow", "nvidia-cudnn-cu12"}
        assert not any(name.startswith("nvidia") for name in cpu_lock)

    def test_all_images_share_one_user(self) -> None:
        """Page and worker write into one volume, so their user has one number."""
        made = [rest for name in DOCKERFILES for word, rest in instructions(name) if "useradd" in rest]
        assert len(made) == len(DOCKERFILES)
        assert len(set(made)) == 1

    def test_the_page_is_served_as_by_make_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The container's command is that of the launcher, at the container's address."""
        monkeypatch.setenv("LAB_HOST", "0.0.0.0")
        monkeypatch.setenv("LAB_TOKEN", "0123456789abcdef")
        (command,) = [json.loads(rest) for word, rest in instructions("backend/Dockerfile") if word == "CMD"]
        assert command[1:] == list(real_parts(Settings()).web)[1:]
        (worker,) = [json.loads(rest) for word, rest in instructions("worker/Dockerfile") if word == "CMD"]
        assert worker[1:] == list(real_parts(Settings()).worker)[1:]
