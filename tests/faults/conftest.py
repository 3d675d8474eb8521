"""Faults on purpose. `make test` runs short forms, `make faults` (`--long`) the long ones; `--seed` repeats one."""

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from backend.db import migrate
from backend.db.engine import Database
from tests.conftest import properties
from tests.faults.lab import QUICK, EpochFact, Lab
from tests.service import Service

SHORT_SEED = 1  # `make test` does the same every time
TWIN_SEEDS = (0, 1)


class Line(NamedTuple):
    """One line of the table at the end."""

    what: str
    bar: str
    figure: str


LINE = "fault"
Note = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long forms be asked for."""
    parser.addoption("--long", action="store_true", help="faults: the long forms, as `make faults` does")
    parser.addoption("--seed", type=int, default=None, help="faults: repeat what this seed did")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is done in the long form only."""
    if not config.getoption("--long", default=False):
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether the long forms were asked for."""
    return bool(pytestconfig.getoption("--long", default=False))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config, long: bool) -> int:
    """What decides everything random: the given one, or any, but always the same in the short forms."""
    given: int | None = pytestconfig.getoption("--seed", default=None)
    return given if given is not None else random.randrange(1_000_000) if long else SHORT_SEED


@pytest.fixture(autouse=True)
def again(request: pytest.FixtureRequest, long: bool, seed: int) -> str:
    """The command that does the same again; it stands in the output of a test that fails."""
    file = request.path.relative_to(request.config.rootpath)
    command = f'again: make test ARGS="{file} {"--long " if long else ""}--seed {seed}"'
    sys.stdout.write(f"{command}\n")
    return command


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Call it with what was measured, its bar and the figure: a line of the table at the end of the output."""
    return lambda what, bar, figure: request.node.user_properties.append((LINE, (what, bar, figure)))


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[EpochFact]]:
    """The epochs of unbroken runs of `QUICK`, by the configuration's seed: what all others are held against."""
    with Lab(Service(tmp_path_factory.mktemp("twins") / "data", {"LAB_THREADS": "1"})).running() as lab:
        ids = {seed: lab.launch(f"twin-{seed}", QUICK | {"seed": seed}) for seed in TWIN_SEEDS}
        lab.wait_until_all_ended()
        facts = lab.facts()
    assert all((run.status, run.attempt) == ("finished", 1) for run in facts.runs.values())
    assert all(any(fact.batches) for rows in facts.epochs.values() for fact in rows.values())
    return {seed: [fact for _, fact in sorted(facts.epochs[run_id].items())] for seed, run_id in ids.items()}


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder in memory, where the machine has one: thousands of commits need not wait for a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="lab-faults-", dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, quick_folder: Path) -> Iterator[Database]:
    """An empty database with the newest tables, of either kind."""
    sqlite = f"sqlite:///{quick_folder / 'lab.sqlite3'}"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    migrate.upgrade(url)
    database = Database(url)
    yield database
    database.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table: what was broken, what had to hold, what was seen."""
    lines = [Line(*line) for line in properties(terminalreporter, LINE)]
    if not lines:
        return
    lines = [Line("fault", "bar", "measured"), *lines]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
