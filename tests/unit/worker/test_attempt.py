from pathlib import Path
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from backend.contract import Phase, Progress, RunStatus
from backend.db import events, migrate, runs
from backend.db.engine import Database
from backend.errors import DatasetMissing
from backend.settings import Settings
from tests.builders import add_run, start_run
from worker import attempt
from worker.process import EXIT_DATABASE_AWAY, ending_of
from worker.recorder import Recorder

AWAY = OperationalError("COMMIT", {}, ConnectionRefusedError("away"))


class TestAnAttempt:
    @pytest.mark.parametrize(
        ("error", "trained", "code", "status"),
        [
            (AWAY, False, EXIT_DATABASE_AWAY, RunStatus.RUNNING),
            (ZeroDivisionError("by zero"), True, 0, RunStatus.FAILED),
            (ImportError("no driver"), False, 0, RunStatus.QUEUED),
            (DatasetMissing("not there"), False, 0, RunStatus.FAILED),
        ],
    )
    def test_fails_its_run_for_errors_that_are_the_runs(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        trained: bool,
        code: int,
        status: RunStatus,
    ) -> None:
        """An error ends the run with a sentence; an absent database, or an early error, ends the attempt only."""

        def train(_claim: object, _database: object, _settings: object, recorder: Recorder, _stop: object) -> None:
            if trained:
                recorder.add(Progress(Phase.TRAINING, 0, 1, 9))
            raise error

        monkeypatch.setattr(attempt, "_train", train)
        settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1/0")
        migrate.upgrade(settings.resolved_database_url)
        database = Database(settings.resolved_database_url)
        run_id = add_run(database)
        claim = start_run(database, run_id)
        assert attempt.train(run_id, claim.attempt, settings, Event()) == code
        with database.read() as session:
            assert runs.load(session, run_id).status is status
            notes = [event.note or "" for event in events.of_run(session, run_id)]
        assert code or any(str(error) in note for note in notes)
        database.close()

    def test_that_found_no_database_says_so(self) -> None:
        """The exit code has a sentence of its own in the run's history."""
        assert ending_of(EXIT_DATABASE_AWAY) == "The database did not answer its process."
