import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import RunStatus
from backend.db import lifecycle
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.errors import AttemptSuperseded
from backend.notifier import Notifier
from backend.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 0.4  # how often a wish to stop and the child's end are looked for
RENEWALS_PER_LEASE = 4
OWN_LEASE_SHARE = 0.8  # a lease that can't be renewed counts as over a little early here, never late
STOP_WORD = b"stop\n"


@dataclass
class _Watch:
    """One attempt under way: its process, and when things were last done."""

    claim: Claim
    child: subprocess.Popen[bytes]
    renewed_at: float
    stop_sent_at: float | None = None
    trains: bool = False  # its process is ready, and has something to lose


class Supervisor:
    """Claims runs, starts a process for each attempt, renews its lease, and passes on the wish to stop."""

    def __init__(
        self, database: Database, notifier: Notifier, settings: Settings, worker_id: int, ending: threading.Event
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._settings = settings
        self._worker_id = worker_id
        self._ending = ending

    def train(self, run_id: int) -> None:
        """Train a queued run, and return when its process has ended. Nothing happens where it is not queued."""
        if self._ending.is_set():
            return
        with self._database.write() as session:
            claim = lifecycle.claim(
                session, run_id, self._worker_id, self._settings.threads_per_slot, self._settings.lease_s
            )
        if claim is None:
            return
        self._notifier.changed()
        log.info("Run %d begins attempt %d.", claim.run_id, claim.attempt)
        watch = _Watch(claim, self._start(claim), time.monotonic())
        try:
            reason, blameless = self._watch(watch)
        finally:
            _kill(watch.child)
        self._settle(claim, reason, blameless=blameless)

    def _start(self, claim: Claim) -> subprocess.Popen[bytes]:
        """The process of an attempt: a fresh interpreter in a session of its own.

        A forked one would hang in TensorFlow, and only the end of a process surely gives a GPU's memory back. It reads
        its standard input, and ends itself at the end of it: that comes when this process is gone, however it went.
        """
        path = self._settings.attempt_log(claim.run_id, claim.attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as output:
            return subprocess.Popen(  # noqa: S603  (two numbers of our own)
                [sys.executable, "-m", "worker.attempt", str(claim.run_id), str(claim.attempt)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _watch(self, watch: _Watch) -> tuple[str, bool]:
        """Wait for the child's end; why it ended, should the run still be held then, and whether that is no fault."""
        while True:
            try:
                code = watch.child.wait(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return _ending_of(code), False
            if self._ending.is_set() and self._has_had_its_time(watch):
                return "Its worker was asked to end.", True
            try:
                self._look(watch)
            except AttemptSuperseded as error:
                log.warning("%s Its process is ended.", error)
                return str(error), False
            except SQLAlchemyError as error:
                log.warning("The database does not answer: %s", error)
                if time.monotonic() - watch.renewed_at > OWN_LEASE_SHARE * self._settings.lease_s:
                    return "Its lease could not be renewed.", True

    def _has_had_its_time(self, watch: _Watch) -> bool:
        """Whether a child that must go with this worker need not be waited for: it may save where it is first."""
        return not watch.trains or time.monotonic() - (watch.stop_sent_at or math.inf) > self._settings.stop_grace_s

    def _look(self, watch: _Watch) -> None:
        claim, now = watch.claim, time.monotonic()
        with self._database.read() as session:
            wish = lifecycle.wish(session, claim.run_id, claim.attempt)
        watch.trains = wish is not RunStatus.STARTING
        if wish in (RunStatus.STOPPING, RunStatus.PAUSING) or self._ending.is_set():
            self._stop(watch, now)
        if now - watch.renewed_at > self._settings.lease_s / RENEWALS_PER_LEASE:
            with self._database.write() as session:
                lifecycle.renew(session, claim.run_id, claim.attempt, self._settings.lease_s)
            watch.renewed_at = now

    def _stop(self, watch: _Watch, now: float) -> None:
        """Ask the child to stop; when it has not after the grace time, end it, and then end it for sure."""
        if watch.stop_sent_at is None:
            watch.stop_sent_at = now
            _tell(watch.child, STOP_WORD)
        elif now - watch.stop_sent_at > 2 * self._settings.stop_grace_s:
            _kill(watch.child)
        elif now - watch.stop_sent_at > self._settings.stop_grace_s:
            watch.child.terminate()

    def _settle(self, claim: Claim, reason: str, *, blameless: bool) -> None:
        """Give the run back unless its process has ended it in order; the reaper does so where this fails."""
        try:
            with self._database.write() as session:
                run = lifecycle.give_back(session, claim.run_id, claim.attempt, reason, blameless=blameless)
        except AttemptSuperseded:
            log.info("Run %d has ended attempt %d.", claim.run_id, claim.attempt)
        except SQLAlchemyError as error:
            log.warning("Run %d is left to the reaper: %s", claim.run_id, error)
        else:
            log.warning("Run %d lost attempt %d and is %s now: %s", run.id, run.attempt, run.status, reason)
        self._notifier.changed()


def _tell(child: subprocess.Popen[bytes], word: bytes) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(word)
        child.stdin.flush()
    except BrokenPipeError:
        log.info("Process %d has ended already.", child.pid)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole process group, and wait for it."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdin is not None and not child.stdin.closed:
        child.stdin.close()


def _ending_of(code: int) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"Its process was ended by {name}."
    return f"Its process ended with exit code {code} and left the run behind."
