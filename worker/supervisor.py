import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import Device
from backend.db import lifecycle
from backend.db.engine import Database
from backend.db.lifecycle import Claim, HeldDevice
from backend.notifier import Notifier
from backend.settings import Settings
from worker.process import TrainerProcess
from worker.spares import Spares
from worker.usage import Trainer
from worker.watch import Watch

log = logging.getLogger(__name__)

POLL_S = 1.0  # how late a run begins whose message was lost
HEARD_S = 0.5
BACK_OFF_S = 10.0  # that a worker takes no run after one whose process it could not start


@dataclass(frozen=True)
class _Attempt:
    """An attempt under way here."""

    claim: Claim
    child: TrainerProcess
    over: threading.Event  # the process has ended, and the run is given back
    thread: threading.Thread


class Supervisor:
    """Takes the best run that waits whenever one of its devices is idle, and watches each in a thread of its own.

    Args:
        database: holds the queue.
        notifier: told of what changes.
        settings: of the worker.
        worker_id: under which it has registered itself.
        devices: that it has registered.
        threads: for each run that has none fixed yet.
        ending: set when the worker is to end.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        settings: Settings,
        worker_id: int,
        devices: Sequence[HeldDevice],
        threads: int,
        ending: threading.Event,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._settings = settings
        self._worker_id = worker_id
        self._devices = tuple(devices)
        self._threads = threads
        self._ending = ending
        self._spares = Spares()
        self._attempts: list[_Attempt] = []
        self._take_from = 0.0  # monotonic time before which no run is taken
        self._wake = threading.Event()
        self._has_room = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor")

    def start(self) -> None:
        """Begin to take runs."""
        self._thread.start()

    def join(self) -> None:
        """Return when `ending` is set and no process is left."""
        self._wake.set()
        self._thread.join()

    def heard(self) -> None:
        """A run waits, says a message. It is held back while every device is taken: others may hear the next."""
        while not self._ending.is_set():
            if self._has_room.wait(HEARD_S):
                break
        self._wake.set()

    def pids(self) -> list[int]:
        """Numbers of the processes that train or wait to do so."""
        return [attempt.child.pid for attempt in list(self._attempts)] + self._spares.pids()

    def trainers(self) -> list[Trainer]:
        """The processes that train now."""
        return [
            Trainer(attempt.claim.run_id, attempt.claim.attempt, attempt.child.pid, attempt.child.gpus)
            for attempt in list(self._attempts)
            if not attempt.over.is_set()
        ]

    def _supervise(self) -> None:
        # Every process is started here: on Linux it ends with the thread that started it, and this one goes last.
        while not self._ending.is_set() or self._attempts:
            self._wake.clear()
            self._attempts = [attempt for attempt in self._attempts if self._is_under_way(attempt)]
            try:
                if not self._ending.is_set():
                    self._take_all_that_fit()
                    self._tend_spares()
            except Exception:
                # A worker that lives, and takes no run any more, would be worse than whatever this is.
                log.exception("The queue could not be looked at; it is tried again.")
            self._wake.wait(POLL_S)
        self._spares.close()

    def _is_under_way(self, attempt: _Attempt) -> bool:
        """Whether the attempt's devices are taken: also by a process that can't be ended, but the worker's end."""
        if not attempt.over.is_set():
            return True
        if attempt.child.has_ended():
            attempt.child.kill()  # lets go of what is left of it here
            return False
        return not self._ending.is_set()

    def _idle(self) -> list[HeldDevice]:
        """The devices on which no process of this worker is, whatever the database says."""
        busy = {device.id for attempt in self._attempts for device in attempt.claim.devices}
        return [device for device in self._devices if device.id not in busy]

    def _take_all_that_fit(self) -> None:
        try:
            while time.monotonic() >= self._take_from and (idle := self._idle()):
                if not self._take_next([device.id for device in idle]):
                    break
        except SQLAlchemyError as error:
            log.warning("No run can be taken now: %s", error)
        if self._idle():
            self._has_room.set()
        else:
            self._has_room.clear()

    def _take_next(self, usable: Sequence[int]) -> bool:
        """Take the best run that waits; False where there is none for these devices."""
        with self._database.read() as session:
            best = lifecycle.best_waiting(session, self._worker_id, usable)
        if best is None:
            return False
        run_id, kind = best
        with self._database.write() as session:
            claim = lifecycle.claim(
                session, run_id, self._worker_id, self._threads, self._settings.lease_s, usable, kind
            )
        if claim is not None:
            self._begin(claim)
        return True  # another worker was faster: the next one in the queue may be free

    def _begin(self, claim: Claim) -> None:
        log.info("Run %d begins attempt %d.", claim.run_id, claim.attempt)
        try:
            child = self._process_for(claim)
        except OSError as error:
            # A folder that is not there, no memory for a process: the next run would fare no better here, and a worker
            # that is the quickest to fail would take, and end, every run of the queue.
            self._take_from = time.monotonic() + BACK_OFF_S
            log.error("Run %d could not be started, so no run is taken for a while: %s", claim.run_id, error)  # noqa: TRY400
            with self._database.write() as session:
                reason = f"Its process could not be started: {error}."
                lifecycle.lose(session, claim.run_id, claim.attempt, reason, blameless=True)
            return
        finally:
            self._notifier.changed()
        watch = Watch(self._database, self._notifier, self._settings, claim, child, self._ending)
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(watch, over), name=f"run {claim.run_id}")
        try:
            thread.start()
        except RuntimeError:
            # No more threads: nobody would watch the process, nor ever give its devices free here.
            child.kill()
            self._take_from = time.monotonic() + BACK_OFF_S
            raise
        self._attempts.append(_Attempt(claim, child, over, thread))

    def _process_for(self, claim: Claim) -> TrainerProcess:
        path = self._settings.attempt_log(claim.run_id, claim.attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        gpus = tuple(device.number for device in claim.devices if device.kind is Device.GPU)
        child = self._spares.take(gpus)
        if child is None:
            return TrainerProcess([str(claim.run_id), str(claim.attempt)], gpus, path)
        child.assign(claim.run_id, claim.attempt)
        return child

    def _watch(self, watch: Watch, over: threading.Event) -> None:
        try:
            watch.until_the_end()
        finally:
            over.set()
            self._wake.set()

    def _tend_spares(self) -> None:
        if not self._settings.spare:
            return
        idle = self._idle()
        free_gpus = [device.number for device in idle if device.kind is Device.GPU]
        try:
            self._spares.tend(len(idle) - len(free_gpus), free_gpus, others_train=bool(self._attempts))
        except OSError as error:
            log.warning("No spare process can be started: %s", error)
