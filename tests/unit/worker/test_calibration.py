import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.contract import Network, Precision
from backend.db import calibrations, lifecycle, migrate
from backend.db.engine import Database
from tests.builders import add_run, add_worker
from tests.service import until
from worker import calibration
from worker.calibration import KINDS, Calibrator

# What a measuring process does, without the seconds that TensorFlow takes: it notes that it has begun, and goes on.
FAKE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).open('a').write(sys.argv[2] + '\\n'); {}"
QUICK = FAKE.format("print('16 1e9'); print('64 2e9')")
ENDLESS = FAKE.format("time.sleep(600)")
SILENT = FAKE.format("sys.exit(1)")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'lab.sqlite3'}"
    migrate.upgrade(url)
    database = Database(url)
    add_worker(database)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "IDLE_S", 0.05)
    monkeypatch.setattr(calibration, "POLL_S", 0.02)


def calibrator(database: Database, tmp_path: Path, code: str) -> Calibrator:
    """One whose processes run this code."""
    return Calibrator(database, "host", 1, command=(sys.executable, "-c", code, str(tmp_path / "begun")))


def begun(tmp_path: Path) -> int:
    """How many processes have begun."""
    path = tmp_path / "begun"
    return len(path.read_text().splitlines()) if path.exists() else 0


def known(database: Database) -> set[tuple[Network, Precision]]:
    with database.read() as session:
        return calibrations.known_kinds(session, "host", 1)


class TestTheCalibrator:
    def test_measures_each_kind_once(self, database: Database, tmp_path: Path) -> None:
        """Every network in every precision is measured by one process each; the next worker finds all known."""
        first = calibrator(database, tmp_path, QUICK)
        first.start()
        until(lambda: known(database) == set(KINDS))
        first._thread.join(10)
        assert begun(tmp_path) == len(KINDS) == 4
        second = calibrator(database, tmp_path, QUICK)
        second.start()
        second._thread.join(10)
        assert not second._thread.is_alive()
        assert begun(tmp_path) == 4
        with database.read() as session:
            speeds = calibrations.of_workers(session, Network.MLP, Precision.BFLOAT16)
        assert [(speed.width, speed.multiply_adds_per_second) for speed in speeds] == [(16, 1e9), (64, 2e9)]

    def test_gives_way_to_a_run(self, database: Database, tmp_path: Path) -> None:
        """A run that is queued ends the measuring at once; when it has ended, measuring begins again."""
        measuring = calibrator(database, tmp_path, ENDLESS)
        measuring.start()
        until(lambda: begun(tmp_path) == 1)
        run_id = add_run(database)
        until(lambda: measuring.child is None)
        assert known(database) == set()
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
        until(lambda: begun(tmp_path) == 2)
        measuring.stop()
        assert measuring.child is None

    def test_begins_not_while_a_run_waits(self, database: Database, tmp_path: Path) -> None:
        """A queued run keeps it from beginning at all."""
        add_run(database)
        measuring = calibrator(database, tmp_path, QUICK)
        assert not measuring._is_quiet_for(0.0)

    def test_gives_up_what_can_not_be_measured(self, database: Database, tmp_path: Path) -> None:
        """A process that prints nothing is not begun again and again."""
        measuring = calibrator(database, tmp_path, SILENT)
        measuring.start()
        measuring._thread.join(30)
        assert not measuring._thread.is_alive()
        assert (begun(tmp_path), known(database)) == (len(KINDS), set())


class TestTheProcess:
    def test_measures_real_steps(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """The real process trains and gives a plausible speed for each of its widths, the leash in its hand."""
        monkeypatch.setattr(calibration, "KINDS", ((Network.MLP, Precision.FLOAT32),))
        measuring = Calibrator(database, "host", 1)
        measuring.start()
        measuring._thread.join(120)
        add_worker(database, "alive")
        with database.read() as session:
            speeds = calibrations.of_workers(session, Network.MLP, Precision.FLOAT32)
        assert [speed.width for speed in speeds] == list(calibration.WIDTHS[Network.MLP])
        assert all(1e6 < speed.multiply_adds_per_second < 1e13 for speed in speeds)
