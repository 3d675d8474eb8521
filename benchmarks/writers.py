"""How many writers the database bears, each a process of its own that stores epochs as a training process does.

    python -m benchmarks.writers [--seconds 60] [--writers 32] [--database URL]

Without a URL it is a SQLite file in a temporary folder, tended as the service tends it. Each writer holds a run, and
stores its epochs one after another without a pause: one transaction reads and locks the run, takes the next number of
the event stream, adds the epoch and changes the run. Afterwards it is looked up whether all of them are there.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from backend.contract import MAX_LEASE_S
from backend.db import epochs, events, migrate, sqlite
from backend.db.engine import Database
from backend.db.models import Epoch, RunEvent
from backend.maintenance import Maintenance
from tests.builders import add_run, epoch_report, start_run


@dataclass(frozen=True)
class Figures:
    """What the writers reached together."""

    seconds: float
    commits: int
    errors: Sequence[str]
    median_ms: float
    p99_ms: float
    longest_ms: float
    stored: int  # epochs that are there afterwards
    numbered: int  # the last number of the stream
    log_bytes: int  # of SQLite's write-ahead log at its longest, as seen every 0.1 s

    def __str__(self) -> str:
        locked = sum("locked" in error for error in self.errors)
        return (
            f"{self.commits} commits in {self.seconds:.1f} s ({self.commits / self.seconds:.0f}/s): {len(self.errors)} "
            f"failed, {locked} of them as locked; median {self.median_ms:.1f}, p99 {self.p99_ms:.0f}, longest "
            f"{self.longest_ms:.0f} ms; {self.stored} epochs stored; log at most {self.log_bytes / 1e6:.1f} MB"
        )

    @property
    def is_whole(self) -> bool:
        """Whether every commit that was acknowledged is there, and nothing failed."""
        return not self.errors and self.stored == self.commits


def measure(url: str, writers: int, seconds: float) -> Figures:
    """Let so many processes write into a migrated database for so long."""
    database = Database(url)
    maintenance = Maintenance(database)
    maintenance.start()
    # A fork would share the parent's connections.
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(writers + 1), context.Queue()
    children = []
    for _ in range(writers):
        run_id = add_run(database, epochs=10_000)
        attempt = start_run(database, run_id, lease_s=MAX_LEASE_S - 10).attempt
        arguments = (url, run_id, attempt, seconds, together, results)
        children.append(context.Process(target=_write, args=arguments, daemon=True))
    try:
        for child in children:
            child.start()
        together.wait(300)
        started, longest_log = time.monotonic(), 0
        path = sqlite.path_of(url)
        found: list[tuple[list[float], list[str]]] = []
        while len(found) < writers:
            if path is not None:
                longest_log = max(longest_log, sqlite.log_bytes(path))
            while not results.empty():
                found.append(results.get())
            time.sleep(0.1)
        elapsed = time.monotonic() - started
        for child in children:
            child.join()
        with database.read() as session:
            stored = session.scalar(select(func.count()).select_from(Epoch)) or 0
            steps = session.scalar(select(func.count()).select_from(RunEvent)) or 0
            last = events.last_seq(session)
    finally:
        maintenance.stop()
        database.close()
    if last != stored + steps:
        raise AssertionError(f"The stream has {last} numbers for {stored + steps} events.")
    waits = sorted(wait for waits, _ in found for wait in waits)
    errors = [error for _, errors in found for error in errors]
    return Figures(
        elapsed,
        len(waits),
        errors,
        statistics.median(waits) * 1000,
        waits[int(len(waits) * 0.99)] * 1000,
        waits[-1] * 1000,
        stored,
        last,
        longest_log,
    )


def _write(
    url: str,
    run_id: int,
    attempt: int,
    seconds: float,
    together: "multiprocessing.synchronize.Barrier",
    results: "Queue[object]",
) -> None:
    database = Database(url)
    with database.read() as session:  # the connection is there before the clock runs
        events.last_seq(session)
    waits, errors, number = [], [], 0
    together.wait(300)
    ends_at = time.monotonic() + seconds
    while (began := time.monotonic()) < ends_at:
        try:
            with database.write() as session:
                epochs.append(session, run_id, attempt, epoch_report(number))
        except SQLAlchemyError as error:
            errors.append(str(error))
        else:
            waits.append(time.monotonic() - began)
            number += 1
    results.put((waits, errors))
    database.close()


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.writers", description="Let many processes write at once."
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--database", help="URL of a database to fill; an empty one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-writers-") as folder:
        url = arguments.database or f"sqlite:///{Path(folder) / 'lab.sqlite3'}"
        migrate.upgrade(url)
        figures = measure(url, arguments.writers, arguments.seconds)
    print(f"{arguments.writers} writers: {figures}")
    return 0 if figures.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
