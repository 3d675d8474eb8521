import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from backend.contract.placement import queue_for
from backend.db import lifecycle, waiting, workers
from backend.db.engine import Database
from backend.notifier import Notifier
from backend.queue import Message, Queue

log = logging.getLogger(__name__)

RESEND_AFTER_S = 5.0  # a message that no free worker has answered by then is taken as lost
MOST_UNSENT = 1000  # queued runs looked at in one sweep
FORGET_EVERY_S = 600.0
_SWEEPS_PER_LEASE = 4


class Reaper:
    """Takes back runs whose worker is silent, sends again messages that were lost, forgets workers long gone.

    Several may run at once: each change is guarded, and a message too many does nothing.
    """

    def __init__(self, database: Database, queue: Queue, notifier: Notifier, lease_s: float) -> None:
        self._database = database
        self._queue = queue
        self._notifier = notifier
        self._lease_s = lease_s
        self._interval_s = min(lease_s / _SWEEPS_PER_LEASE, RESEND_AFTER_S / 2)
        self._forget_at = 0.0  # monotonic time
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sweep_until_ended, name="reaper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more."""
        self._ended.set()
        self._thread.join(timeout=5)

    def sweep(self) -> None:
        """Look once at all leases and at the queue."""
        with self._database.write() as session:
            lifecycle.forget_the_future(session, self._lease_s)
            for run in lifecycle.reap(session):
                log.warning("Run %d was taken back and is %s now.", run.id, run.status)
        self._forget_workers()
        with self._database.read() as session:
            # A run that no free device suits waits as it should: no message would change that.
            offers = workers.offers(session)
            free = sum(offer.free_cpus + offer.free_gpus for offer in offers)
            unsent = waiting.unsent(session, RESEND_AFTER_S, MOST_UNSENT) if free else []
        startable = [(run_id, need) for run_id, need in unsent if any(offer.kind_for(need) for offer in offers)]
        messages = [Message(run_id, queue_for(need, offers)) for run_id, need in startable[:free]]
        if messages and self._queue.send_train_run(messages):
            with self._database.write() as session:
                waiting.mark_sent(session, [message.run_id for message in messages])
        self._notifier.changed()

    def _forget_workers(self) -> None:
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + FORGET_EVERY_S
        with self._database.write() as session:
            if gone := workers.forget(session):
                log.info("%d workers that were long gone are forgotten.", gone)

    def _sweep_until_ended(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                self.sweep()
            except SQLAlchemyError as error:
                log.warning("The sweep failed and is tried again: %s", error)
            except Exception:
                log.exception("The sweep failed, and is tried again: without it no lost run would ever go on.")
