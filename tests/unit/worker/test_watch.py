import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.contract import Phase, Progress, RunStatus
from backend.db import events, lifecycle, migrate, runs
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.settings import Settings
from tests.builders import add_run, claim_run, start_run
from tests.service import lives
from worker.process import SPARE, TrainerProcess, last_words
from worker.spares import AT_ONCE
from worker.watch import Watch


class Deaf:
    """A notifier that nobody listens to."""

    def changed(self) -> None:
        """Do nothing."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, lease_s=10, stall_s=1, stop_grace_s=1)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    migrate.upgrade(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield database
    database.close()


@pytest.fixture
def child() -> Iterator[TrainerProcess]:
    """A process that is alive and, without a run, advances nothing."""
    process = TrainerProcess([SPARE, AT_ONCE], ())
    yield process
    process.kill()


def watch(database: Database, settings: Settings, claim: Claim, child: TrainerProcess) -> None:
    Watch(database, Deaf(), settings, claim, child, threading.Event()).until_the_end()


def history(database: Database, run_id: int) -> list[str]:
    with database.read() as session:
        return [event.note or "" for event in events.of_run(session, run_id)]


def status(database: Database, run_id: int) -> RunStatus:
    with database.read() as session:
        return runs.load(session, run_id).status


class TestAWatch:
    def test_ends_what_hangs_and_gives_the_run_to_the_next_attempt(
        self, database: Database, settings: Settings, child: TrainerProcess
    ) -> None:
        """A process that is stopped, and can't even be asked where it is, is killed; its run waits for attempt 2."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        os.kill(child.pid, signal.SIGSTOP)
        watch(database, settings, claim, child)
        assert not lives(child.pid)
        assert any("Nothing advanced for 1 s" in note for note in history(database, run_id))
        assert claim_run(database, run_id).attempt == 2

    def test_is_patient_while_anything_advances(
        self, database: Database, settings: Settings, child: TrainerProcess
    ) -> None:
        """Each report, a phase's note too, begins the patience anew; only silence ends the process."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        watching = threading.Thread(target=watch, args=(database, settings, claim, child))
        watching.start()
        for place in range(6):
            watching.join(0.4)
            with database.write() as session:
                progress = Progress(Phase.LOADING, 0, 0, 0, note=f"{place} of 6 files")
                runs.set_progress(session, run_id, claim.attempt, progress)
        assert watching.is_alive()
        assert lives(child.pid)
        watching.join(30)
        assert status(database, run_id) is RunStatus.QUEUED

    def test_tells_which_signal_ended_the_process(
        self, database: Database, settings: Settings, child: TrainerProcess
    ) -> None:
        """A process that is killed from outside gives its run back with the signal's name in the history."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        os.kill(child.pid, signal.SIGKILL)
        watch(database, settings, claim, child)
        assert any("was ended by SIGKILL" in note for note in history(database, run_id))

    def test_ends_a_process_that_holds_its_run_no_more(
        self, database: Database, settings: Settings, child: TrainerProcess
    ) -> None:
        """A run that is stopped by force leaves no process, and stays stopped."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            lifecycle.force_stop(session, run_id)
        watch(database, settings, claim, child)
        assert not lives(child.pid)
        assert status(database, run_id) is RunStatus.STOPPED


class TestLastWords:
    def test_are_the_last_lines_of_a_log(self, tmp_path: Path) -> None:
        """Of a long log the last five lines are told, of one that is not there nothing."""
        path = tmp_path / "attempt-1.log"
        assert last_words(path) == ""
        path.write_text("".join(f"line {number}\n" for number in range(1000)))
        assert last_words(path).splitlines() == [f"line {number}" for number in range(995, 1000)]
        path.write_text("x" * 10_000)
        assert last_words(path) == "x" * 800
