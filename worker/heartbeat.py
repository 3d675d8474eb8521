import logging
import os
import threading
from collections.abc import Callable, Iterable

import psutil
from sqlalchemy.exc import SQLAlchemyError

from backend.db import workers
from backend.db.engine import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Tells the database, from a thread of its own, that this worker is alive, and how much memory it holds.

    Args:
        database: where it tells.
        worker_id: of the worker.
        children: numbers of the processes that train for it.
        forgotten: called when the database knows the worker no more, as after a sleep of many days.
    """

    def __init__(
        self,
        database: Database,
        worker_id: int,
        children: Callable[[], Iterable[int]],
        forgotten: Callable[[], object],
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._children = children
        self._forgotten = forgotten
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_ended, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and say so."""
        self._ended.set()
        self._thread.join(timeout=workers.HEARTBEAT_S)
        with self._database.write() as session:
            workers.sign_off(session, self._worker_id)

    def _beat_until_ended(self) -> None:
        while not self._ended.wait(workers.HEARTBEAT_S):
            try:
                own, children = resident_bytes(os.getpid()), [resident_bytes(pid) for pid in self._children()]
                with self._database.write() as session:
                    is_known = workers.beat(session, self._worker_id, own, sum(size or 0 for size in children))
                if not is_known:
                    log.error("This worker was away for so long that it was forgotten: it ends, for another to start.")
                    self._forgotten()
                    return
            except SQLAlchemyError as error:
                log.warning("No heartbeat: %s", error)
            except Exception:
                # Whatever it is: a worker that lives and says nothing counts as gone.
                log.exception("No heartbeat; the next one follows.")


def resident_bytes(pid: int) -> int | None:
    """The memory that a process holds; None where it is gone."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return None
