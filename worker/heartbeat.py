import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from backend.db import workers
from backend.db.engine import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Tells the database, from a thread of its own, that this worker is alive."""

    def __init__(self, database: Database, worker_id: int) -> None:
        self._database = database
        self._worker_id = worker_id
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
                with self._database.write() as session:
                    workers.beat(session, self._worker_id)
            except SQLAlchemyError as error:
                log.warning("No heartbeat: %s", error)
