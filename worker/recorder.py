import logging
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from backend.contract import CheckpointFile, EpochReport, Measurements, Progress, Report, Stopped
from backend.db import batches, checkpoints, epochs, events, lifecycle, measurements, runs
from backend.db.engine import Database
from backend.db.rests import TRAINS
from backend.notifier import Notifier

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.2
# Postgres speaks of an internal error where it has ended the session of a process that was frozen in a transaction.
DATABASE_AWAY = (OperationalError, InternalError)


class Retention(NamedTuple):
    """Which checkpoints a run keeps, besides its best one and those that branches began with."""

    last: int
    every: int  # epochs; 0: none


class Recorder:
    """Stores what an attempt's trainer reports: the database first, then the news of it."""

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        run_id: int,
        attempt: int,
        epochs_wanted: int,
        patience_s: float,
        retention: Retention,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._run_id = run_id
        self._attempt = attempt
        self._epochs_wanted = epochs_wanted
        self._patience_s = patience_s
        self._retention = retention
        self._dropped: list[str] = []
        self.has_trained = False  # this attempt, at least a batch

    def add(self, report: Report, checkpoint: CheckpointFile | None = None) -> list[str]:
        """Store one report, together with the checkpoint that was written for it.

        Returns:
            The names of the checkpoints that are no longer kept: their files can go.

        Raises:
            AttemptSuperseded: the attempt no longer holds the run and must end.
        """
        self.has_trained |= isinstance(report, EpochReport) or (isinstance(report, Progress) and report.phase in TRAINS)
        if isinstance(report, Progress):
            self._write(lambda session: self._show_progress(session, report))
        elif isinstance(report, EpochReport):
            self._write(lambda session: self._add_epoch(session, report, checkpoint))
        elif isinstance(report, Measurements):
            self._write(lambda session: measurements.add(session, self._run_id, self._attempt, report))
        else:
            self._write(lambda session: self._end_as_asked(session, report, checkpoint))
        dropped, self._dropped = self._dropped, []
        return dropped

    def ready(self, environment: dict[str, str]) -> None:
        """The trainer is ready to begin."""
        self._write(lambda session: lifecycle.mark_running(session, self._run_id, self._attempt, environment))

    def failed(self, error: str, autopsy: dict[str, Any] | None = None) -> None:
        """The run can't go on."""
        self._write(lambda session: lifecycle.fail(session, self._run_id, self._attempt, error, autopsy))

    def lost(self, error: str) -> None:
        """This attempt can't go on; whether the run or its worker is the cause is not known yet."""
        self._write(lambda session: lifecycle.lose(session, self._run_id, self._attempt, error))

    def note(self, text: str) -> None:
        """Put a sentence into the run's history."""
        self._write(lambda session: self._add_note(session, text))

    def _add_note(self, session: Session, text: str) -> None:
        lifecycle.held(session, self._run_id, self._attempt)
        events.add_note(session, self._run_id, text)

    def _show_progress(self, session: Session, report: Progress) -> None:
        runs.set_progress(session, self._run_id, self._attempt, report)
        self._add_batches(session, report)

    def _add_batches(self, session: Session, report: Progress | EpochReport | Stopped) -> None:
        if report.results is not None:
            batches.append(session, self._run_id, report.results)

    def _end_as_asked(self, session: Session, report: Stopped, checkpoint: CheckpointFile | None) -> None:
        lifecycle.held(session, self._run_id, self._attempt)
        self._add_batches(session, report)
        if checkpoint is not None:
            self._keep(session, checkpoint)
        lifecycle.end_as_asked(session, self._run_id, self._attempt)

    def _add_epoch(self, session: Session, report: EpochReport, checkpoint: CheckpointFile | None) -> None:
        new = epochs.append(session, self._run_id, self._attempt, report)
        self._add_batches(session, report)
        if report.measured is not None:
            measurements.add(session, self._run_id, self._attempt, report.measured)
        if checkpoint is not None:
            self._keep(session, checkpoint)
        if not new:
            self._compare(session, report)
        # The last epoch and the end are one transaction: no run is ever seen complete and still running.
        complete = report.epoch + 1 == self._epochs_wanted
        if complete and math.isfinite(report.train_cost) and math.isfinite(report.test_cost):
            lifecycle.finish(session, self._run_id, self._attempt)

    def _keep(self, session: Session, checkpoint: CheckpointFile) -> None:
        checkpoints.add(session, self._run_id, self._attempt, checkpoint)
        self._dropped = checkpoints.prune(session, self._run_id, self._retention.last, self._retention.every)

    def _compare(self, session: Session, report: EpochReport) -> None:
        """Say so where an epoch that is trained again comes out otherwise than it did before."""
        known = epochs.load(session, self._run_id, report.epoch)
        if known is not None and known.state_hash not in (None, report.state_hash):
            text = f"Epoch {report.epoch + 1} came out otherwise when it was trained again; its first figures stay."
            events.add_note(session, self._run_id, text)

    def _write(self, action: Callable[[Session], object]) -> None:
        """Commit, trying again while the database is away, for as long as the lease may last."""
        give_up_at, pause_s = time.monotonic() + self._patience_s, FIRST_RETRY_S
        while True:
            try:
                with self._database.write() as session:
                    action(session)
                break
            except DATABASE_AWAY as error:
                if time.monotonic() + pause_s > give_up_at:
                    raise
                log.warning("The database does not answer, trying again: %s", error)
                time.sleep(pause_s)
                pause_s *= 2
        self._notifier.changed()
