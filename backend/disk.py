"""How much the runs' folders hold, kept in the database: no request walks the disk."""

import logging
import os
import threading
from collections.abc import Collection
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from backend.db import events, runs
from backend.db.engine import Database

log = logging.getLogger(__name__)

SWEEP_S = 15.0
_AT_ONCE = 500  # runs whose sizes are stored in one transaction


class DiskMeter:
    """Measures the folders of runs that something has happened to since the last sweep; at the start, all.

    Several may run at once: they measure the same folders and store the same numbers.
    """

    def __init__(self, database: Database, runs_dir: Path, interval_s: float = SWEEP_S) -> None:
        self._database = database
        self._runs_dir = runs_dir
        self._interval_s = interval_s
        self._seq: int | None = None
        self._again: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sweep_until_ended, name="disk-meter", daemon=True)

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def stop(self) -> None:
        """Measure no more."""
        self._ended.set()
        self._thread.join(timeout=5)

    def sweep(self) -> None:
        """Measure once what may have changed."""
        with self._database.read() as session:
            seq = events.last_seq(session)
            changed = runs.all_ids(session) if self._seq is None else events.run_ids_after(session, self._seq)
        # Files are written before their event and deleted after it: what has changed is looked at once more.
        due = sorted(set(changed) | self._again)
        for start in range(0, len(due), _AT_ONCE):
            if self._ended.is_set():
                return
            self._store(due[start : start + _AT_ONCE])
        self._again = set() if self._seq is None else set(changed)
        self._seq = seq

    def _store(self, run_ids: Collection[int]) -> None:
        sizes = {run_id: folder_bytes(self._runs_dir / str(run_id)) for run_id in run_ids}
        with self._database.read() as session:
            known = runs.disk_bytes(session, run_ids)
        news = {run_id: size for run_id, size in sizes.items() if run_id in known and known[run_id] != size}
        if news:
            with self._database.write() as session:
                runs.set_disk_bytes(session, news)

    def _sweep_until_ended(self) -> None:
        while True:
            try:
                self.sweep()
            except SQLAlchemyError as error:
                log.warning("Disk use could not be stored and is measured again: %s", error)
            except Exception:
                log.exception("Disk use could not be measured; it is tried again.")
            if self._ended.wait(self._interval_s):
                return


def folder_bytes(folder: Path) -> int:
    """The sizes of all files below a folder, added up; 0 where there is none. What vanishes meanwhile is left out."""
    total = 0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
