from pathlib import Path
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from backend.contract import RunStatus
from backend.db import migrate, runs
from backend.db.engine import Database
from backend.settings import Settings
from tests.builders import add_run, start_run
from worker import attempt
from worker.process import EXIT_DATABASE_AWAY, ending_of


class TestAnAttempt:
    @pytest.mark.parametrize(
        ("error", "code", "status"),
        [
            (OperationalError("COMMIT", {}, ConnectionRefusedError("away")), EXIT_DATABASE_AWAY, RunStatus.RUNNING),
            (ZeroDivisionError("by zero"), 0, RunStatus.FAILED),
        ],
    )
    def test_fails_its_run_for_errors_that_are_the_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, status: RunStatus
    ) -> None:
        """An error ends the run with a sentence; a database that is away ends the attempt only."""

        def train(*_: object) -> None:
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
        database.close()

    def test_that_found_no_database_says_so(self) -> None:
        """The exit code has a sentence of its own in the run's history."""
        assert ending_of(EXIT_DATABASE_AWAY) == "The database did not answer its process."
