import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import JobKind
from backend.db import dataset_jobs
from backend.db.dataset_jobs import JobClaim
from backend.db.engine import Database
from backend.errors import AttemptSuperseded
from backend.notifier import Notifier
from backend.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 0.5  # how often a new job is looked for; its row is the message, so none can be lost
LOOK_S = 0.1  # how often a child's end is looked for
RENEWALS_PER_LEASE = 4
STOP_S = 5.0
COMMAND = (sys.executable, "-m", "worker.dataset_task")


class DatasetJobs:
    """Does the work on data sets that is asked for, beside the runs and without taking one of their slots.

    One thread a kind of job claims what is due and watches the process that does it: a slow download holds up no
    histogram. Each job has a process of its own, so that its memory is given back.

    Args:
        database: holds the jobs.
        notifier: told when one was claimed.
        settings: say how long a lease is.
        command: starts the process of a job; number and attempt follow.
    """

    def __init__(
        self, database: Database, notifier: Notifier, settings: Settings, command: Sequence[str] = COMMAND
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._lease_s = settings.lease_s
        self._command = command
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._work_until_ended, args=(kind,), name=f"{kind} jobs", daemon=True)
            for kind in JobKind
        ]

    def start(self) -> None:
        """Begin to look for work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the work under way, and give it back."""
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=STOP_S)

    def _work_until_ended(self, kind: JobKind) -> None:
        while not self._ending.wait(POLL_S):
            try:
                claim = self._claim(kind)
                if claim is not None:
                    self._do(claim)
            except (SQLAlchemyError, OSError) as error:
                log.warning("No %s job could be done, trying again: %s", kind, error)
            except Exception:
                # A job that this version does not know, above all: no other one must wait for it for ever.
                log.exception("No %s job could be done; it is tried again.", kind)

    def _claim(self, kind: JobKind) -> JobClaim | None:
        with self._database.read() as session:
            if not dataset_jobs.is_due(session, kind):
                return None
        with self._database.write() as session:
            claim = dataset_jobs.claim(session, kind, self._lease_s)
        self._notifier.changed()
        return claim

    def _do(self, claim: JobClaim) -> None:
        log.info("The %s of %s begin attempt %d.", claim.kind, claim.dataset, claim.attempt)
        child = subprocess.Popen(  # noqa: S603  (two numbers of our own)
            [*self._command, str(claim.job_id), str(claim.attempt)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            reason, blameless = self._watch(child, claim)
        finally:
            _kill(child)
        self._settle(claim, reason, blameless=blameless)

    def _watch(self, child: subprocess.Popen[bytes], claim: JobClaim) -> tuple[str, bool]:
        """Wait for the child's end; why it ended, should the job still be held then, and whether that is no fault."""
        renewed_at = time.monotonic()
        while not self._ending.is_set():
            try:
                return f"Its process ended with exit code {child.wait(timeout=LOOK_S)}.", False
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() - renewed_at < self._lease_s / RENEWALS_PER_LEASE:
                continue
            try:
                with self._database.write() as session:
                    dataset_jobs.renew(session, claim.job_id, claim.attempt, self._lease_s)
                renewed_at = time.monotonic()
            except AttemptSuperseded as error:
                return str(error), True
            except SQLAlchemyError as error:
                log.warning("The database does not answer: %s", error)
                if time.monotonic() - renewed_at > self._lease_s:
                    return "Its lease could not be renewed.", True
        return "Its worker was asked to end.", True

    def _settle(self, claim: JobClaim, reason: str, *, blameless: bool) -> None:
        """Give the job back unless its process has ended it in order; where this fails, its lease runs out."""
        try:
            with self._database.write() as session:
                dataset_jobs.give_back(session, claim.job_id, claim.attempt, reason, blameless=blameless)
        except AttemptSuperseded:
            log.info("The %s of %s have ended attempt %d.", claim.kind, claim.dataset, claim.attempt)
        else:
            log.warning("The %s of %s lost attempt %d: %s", claim.kind, claim.dataset, claim.attempt, reason)
        self._notifier.changed()


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole process group, and wait for it."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert child.stdin is not None
    child.stdin.close()
