import logging
import math
import time
from collections.abc import Callable

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.contract import EpochReport, Progress, Report
from backend.db import epochs, lifecycle, runs
from backend.db.engine import Database
from backend.notifier import Notifier

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.2


class Recorder:
    """Stores what an attempt's trainer reports: the database first, then the news of it."""

    def __init__(
        self, database: Database, notifier: Notifier, run_id: int, attempt: int, epochs_wanted: int, patience_s: float
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._run_id = run_id
        self._attempt = attempt
        self._epochs_wanted = epochs_wanted
        self._patience_s = patience_s

    def add(self, report: Report) -> None:
        """Store one report.

        Raises:
            AttemptSuperseded: the attempt no longer holds the run and must end.
        """
        if isinstance(report, Progress):
            self._write(lambda session: runs.set_progress(session, self._run_id, self._attempt, report))
        elif isinstance(report, EpochReport):
            self._write(lambda session: self._add_epoch(session, report))
        else:
            self._write(lambda session: lifecycle.end_stopped(session, self._run_id, self._attempt))

    def ready(self, environment: dict[str, str]) -> None:
        """The trainer is ready to begin."""
        self._write(lambda session: lifecycle.mark_running(session, self._run_id, self._attempt, environment))

    def failed(self, error: str) -> None:
        """The run can't go on."""
        self._write(lambda session: lifecycle.fail(session, self._run_id, self._attempt, error))

    def _add_epoch(self, session: Session, report: EpochReport) -> None:
        epochs.append(session, self._run_id, self._attempt, report)
        # The last epoch and the end are one transaction: no run is ever seen complete and still running.
        complete = report.epoch + 1 == self._epochs_wanted
        if complete and math.isfinite(report.train_cost) and math.isfinite(report.test_cost):
            lifecycle.finish(session, self._run_id, self._attempt)

    def _write(self, action: Callable[[Session], object]) -> None:
        """Commit, trying again while the database is away, for as long as the lease may last."""
        give_up_at, pause_s = time.monotonic() + self._patience_s, FIRST_RETRY_S
        while True:
            try:
                with self._database.write() as session:
                    action(session)
                break
            except OperationalError as error:
                if time.monotonic() + pause_s > give_up_at:
                    raise
                log.warning("The database does not answer, trying again: %s", error)
                time.sleep(pause_s)
                pause_s *= 2
        self._notifier.changed()
