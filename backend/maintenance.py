"""What SQLite needs while the service runs: a log that stays short, and a mark that tells of an end without order."""

import logging
import sqlite3
import threading

from sqlalchemy.exc import SQLAlchemyError

from backend.db import sqlite, sqlite_files
from backend.db.engine import Database

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_S = 2.0
LEAST_LOG_BYTES = 4_000_000  # below this, moving the log into the database is not worth a disk's flush


class Maintenance:
    """Tends a SQLite database from a thread of the backend; Postgres tends itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._path = sqlite.path_of(database.url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tend_until_ended, name="maintenance", daemon=True)

    def start(self) -> None:
        """Begin to tend."""
        if self._path is not None:
            sqlite_files.mark_in_use(self._path)
            self._thread.start()

    def stop(self) -> None:
        """Move what is left of the log, and note that the database was left in order."""
        if self._path is None:
            return
        self._ended.set()
        self._thread.join(timeout=5)
        self._tend(least_bytes=1)
        sqlite_files.unmark(self._path)

    def _tend_until_ended(self) -> None:
        while not self._ended.wait(CHECKPOINT_EVERY_S):
            self._tend(LEAST_LOG_BYTES)

    def _tend(self, least_bytes: int) -> None:
        try:
            self._database.checkpoint(least_bytes)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            # A full disk, above all: the connection that moves the log is none of SQLAlchemy's.
            log.warning("SQLite's log was not moved into the database, which is tried again: %s", error)
