"""One attempt under way: its lease renewed, the wish to stop passed on, its process ended where it hangs."""

import logging
import math
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import RunStatus
from backend.db import lifecycle
from backend.db.engine import Database
from backend.db.lifecycle import Claim, Sign
from backend.errors import AttemptSuperseded
from backend.notifier import Notifier
from backend.settings import Settings
from worker.process import EXIT_DATABASE_AWAY, TrainerProcess, ending_of, last_words

log = logging.getLogger(__name__)

LOOK_S = 0.2  # how often a wish to stop and the child's end are looked for
RENEWALS_PER_LEASE = 4
OWN_LEASE_SHARE = 0.8  # a lease that can't be renewed counts as over a little early here, never late


class _Hangs(Exception):
    """The process is alive, but nothing advances."""


class Watch:
    """Watches an attempt to its end.

    Args:
        database: holds the run.
        notifier: told of its end.
        settings: of the worker.
        claim: of the attempt.
        child: its process; when `until_the_end` returns, it has ended, or was killed and is held by the kernel.
        ending: set when the worker is to end.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        settings: Settings,
        claim: Claim,
        child: TrainerProcess,
        ending: threading.Event,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._settings = settings
        self._claim = claim
        self._child = child
        self._ending = ending
        self._renewed_at = self._advanced_at = time.monotonic()
        self._sign: Sign | None = None
        self._stop_sent_at: float | None = None

    def until_the_end(self) -> None:
        """Return when the process has ended and the run is given back, unless the process has ended it in order."""
        words = ""
        try:
            reason, blameless = self._watch()
            if not blameless:
                words = last_words(self._settings.attempt_log(self._claim.run_id, self._claim.attempt))
        finally:
            self._child.kill()
        self._settle(reason, words, blameless=blameless)

    def _watch(self) -> tuple[str, bool]:
        """Wait for the child's end; why it ended, should the run still be held then, and whether that is no fault."""
        while True:
            code = self._child.wait(LOOK_S)
            if code is not None:
                return ending_of(code), code == EXIT_DATABASE_AWAY
            if self._ending.is_set() and self._has_had_its_time():
                return "Its worker was asked to end.", True
            try:
                self._look(time.monotonic())
            except AttemptSuperseded as error:
                log.warning("%s Its process is ended.", error)
                return str(error), False
            except _Hangs as error:
                self._child.dump()
                return str(error), False
            except SQLAlchemyError as error:
                log.warning("The database does not answer: %s", error)
                if time.monotonic() - self._renewed_at > OWN_LEASE_SHARE * self._settings.lease_s:
                    return "Its lease could not be renewed.", True

    def _has_had_its_time(self) -> bool:
        """Whether a child that must go with this worker need not be waited for: it may save where it is first."""
        trains = self._sign is not None and self._sign.wish is not RunStatus.STARTING
        return not trains or time.monotonic() - (self._stop_sent_at or math.inf) > self._settings.stop_grace_s

    def _look(self, now: float) -> None:
        run_id, attempt = self._claim.run_id, self._claim.attempt
        with self._database.read() as session:
            sign = lifecycle.sign(session, run_id, attempt)
        if sign != self._sign:
            self._sign, self._advanced_at = sign, now
        if sign.wish in (RunStatus.STOPPING, RunStatus.PAUSING) or self._ending.is_set():
            self._stop(now)
        elif now - self._advanced_at > self._settings.stall_s:
            raise _Hangs(
                f"Nothing advanced for {self._settings.stall_s:g} s, so its process was ended. "
                "Its log says where each thread was, if it could still tell."
            )
        if now - self._renewed_at > self._settings.lease_s / RENEWALS_PER_LEASE:
            with self._database.write() as session:
                lifecycle.renew(session, run_id, attempt, self._settings.lease_s)
            self._renewed_at = now

    def _stop(self, now: float) -> None:
        """Ask the child to stop; when it has not after the grace time, end it, and then end it for sure."""
        if self._stop_sent_at is None:
            self._stop_sent_at = now
            self._child.ask_to_stop()
        elif now - self._stop_sent_at > 2 * self._settings.stop_grace_s:
            self._child.kill()
        elif now - self._stop_sent_at > self._settings.stop_grace_s:
            self._child.terminate()

    def _settle(self, reason: str, words: str, *, blameless: bool) -> None:
        """Give the run back unless its process has ended it in order; the reaper does so where this fails."""
        run_id, attempt = self._claim.run_id, self._claim.attempt
        try:
            with self._database.write() as session:
                # Of a worker that is asked to end nothing is to be learnt.
                give_back = lifecycle.give_back if self._ending.is_set() else lifecycle.lose
                run = give_back(session, run_id, attempt, reason, blameless=blameless, last_words=words)
        except AttemptSuperseded:
            log.info("Run %d has ended attempt %d.", run_id, attempt)
        except SQLAlchemyError as error:
            log.warning("Run %d is left to the reaper: %s", run_id, error)
        else:
            log.warning("Run %d lost attempt %d and is %s now: %s", run.id, run.attempt, run.status, reason)
        self._notifier.changed()
