"""The whole service under fire: real processes, whose parts are found to be killed, and a second look at its truth."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx2
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from backend.contract import FINAL_STATUSES, LIVE_STATUSES
from backend.contract.reports import FLOAT32_BYTES
from backend.db import clock
from backend.db.engine import Database
from backend.db.models import Checkpoint, Epoch, Run
from backend.db.side_models import BatchChunk
from tests import service
from tests.faults.kills import Victim
from tests.service import ROOT, Service, T
from tests.services import PostgresServer

# An epoch in a quarter of a second, so that half of an attempt's life is training and half its start.
QUICK: dict[str, Any] = {
    "width": 4,
    "train_images": 1000,
    "test_images": 50,
    "batch_size": 50,
    "epochs": 10,
    "audit_every": 0,
}


PATIENCE_S = 300.0  # for what must happen soon; a busy machine takes its time to import TensorFlow


def until(look: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """The first truth that `look` gives."""
    return service.until(look, timeout_s)


class EpochFact(NamedTuple):
    """What must never change once it could be read."""

    attempt: int
    seq: int
    state_hash: str | None
    figures: tuple[float | None, ...]
    batches: bytes  # the cost of each of its batches

    @property
    def bits(self) -> tuple[object, ...]:
        """What is the same in an unbroken run."""
        return self.state_hash, self.figures, self.batches


class Facts(NamedTuple):
    """The truth at one moment."""

    runs: dict[int, Run]
    epochs: dict[int, dict[int, EpochFact]]  # by run and number
    checkpoints: dict[int, list[Checkpoint]]
    overdue_s: float  # of the lease that has been over for the longest time


@dataclass
class Lab:
    """A running service, its database, and the Postgres server behind it where there is one."""

    service: Service
    postgres: PostgresServer | None = None
    database: Database = field(init=False)

    @contextmanager
    def running(self) -> Iterator["Lab"]:
        """Start the service, and end it after the block; nothing of it may be left then."""
        with self.service.running():
            self.database = Database(self.service.database_url)
            try:
                yield self
            finally:
                self.database.close()

    def processes(self, victim: Victim) -> list[int]:
        """The processes that are one of these, the oldest first."""
        if victim is Victim.POSTGRES:
            return [self.postgres.pid] if self.postgres is not None else []
        if victim is Victim.VALKEY:
            return self.service.broker_pids()
        if victim is Victim.TRAINER:
            return sorted(self.trainers().values())
        return self.service.pids({Victim.WORKER: r"-m worker $", Victim.BACKEND: r"uvicorn"}[victim])

    def trainers(self) -> dict[int, int]:
        """The processes that train, by their run."""
        facts = self.facts()
        live = [run_id for run_id, run in facts.runs.items() if run.status in LIVE_STATUSES]
        found = {run_id: self.service.pids(rf"worker\.attempt {run_id} ") for run_id in live}
        return {run_id: pids[0] for run_id, pids in found.items() if pids}

    def facts(self) -> Facts:
        """What the database says now. Raises SQLAlchemyError while it is away."""
        with self.database.read() as session:
            at = clock.now(session)
            runs = {run.id: run for run in session.scalars(select(Run).order_by(Run.id))}
            epochs: dict[int, dict[int, EpochFact]] = {run_id: {} for run_id in runs}
            costs = dict.fromkeys(runs, b"")
            for chunk in session.scalars(select(BatchChunk).order_by(BatchChunk.run_id, BatchChunk.first)):
                costs[chunk.run_id] += chunk.costs
            for row in session.scalars(select(Epoch).order_by(Epoch.run_id, Epoch.number)):
                figures = (row.train_accuracy, row.train_cost, row.test_accuracy, row.test_cost)
                size = FLOAT32_BYTES * _batches(runs[row.run_id].config)
                of_epoch = costs[row.run_id][row.number * size : (row.number + 1) * size]
                epochs[row.run_id][row.number] = EpochFact(row.attempt, row.seq, row.state_hash, figures, of_epoch)
            checkpoints: dict[int, list[Checkpoint]] = {run_id: [] for run_id in runs}
            for checkpoint in session.scalars(select(Checkpoint).order_by(Checkpoint.id)):
                checkpoints[checkpoint.run_id].append(checkpoint)
        ends = [run.lease_until for run in runs.values() if run.lease_until is not None]
        overdue_s = max([0.0, *((at - end).total_seconds() for end in ends)])
        return Facts(runs, epochs, checkpoints, overdue_s)

    def launch(self, key: str, config: dict[str, Any], timeout_s: float = PATIENCE_S) -> int:
        """The id of a run that is launched as a careful client does it: again and again, under one key."""

        def post() -> int:
            try:
                answer = httpx2.post(
                    f"{self.service.url}/api/runs",
                    json={"config": config},
                    headers={"Idempotency-Key": key},
                    timeout=10,
                )
            except httpx2.HTTPError:
                return 0
            if answer.status_code not in (200, 201):
                assert answer.status_code >= 500, answer.text
                return 0
            run_id: int = answer.json()["runs"][0]["id"]
            return run_id

        return until(post, timeout_s)

    def unfinished(self) -> list[int]:
        """The runs that have not ended."""
        return [run_id for run_id, run in self.facts().runs.items() if run.status not in FINAL_STATUSES]

    def wait_until_all_ended(self, timeout_s: float = PATIENCE_S) -> float:
        """Return when every run has ended; the seconds that it took."""
        begin = time.monotonic()
        until(lambda: _is_true_of(lambda: not self.unfinished()), timeout_s)
        return time.monotonic() - begin

    @property
    def redis_url(self) -> str:
        """The address of the broker, password included, as the backend knows it."""
        return self._environment()["LAB_REDIS_URL"]

    @contextmanager
    def another_worker(self) -> Iterator[int]:
        """A worker that nobody starts again, as on another host; its number."""
        with (self.service.folder / "logs" / "another-worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "worker"], cwd=ROOT, env=self._environment(), stdout=log, stderr=log
            )
        try:
            until(lambda: self.alive_workers() == 2)
            yield worker.pid
        finally:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
            worker.wait(30)

    def alive_workers(self) -> int:
        """How many workers say that they are there."""
        return sum(worker["alive"] for worker in self.service.client.get("/api/workers").json())

    def trainer_of(self, worker: int) -> tuple[int, int] | None:
        """The run that a worker trains, and the process that does."""
        children = set(_children(worker))
        return next(((run_id, pid) for run_id, pid in self.trainers().items() if pid in children), None)

    def _environment(self) -> dict[str, str]:
        """What the backend was started with."""
        (backend,) = self.processes(Victim.BACKEND)
        words = Path(f"/proc/{backend}/environ").read_bytes().decode().split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)

    def leftovers(self) -> list[int]:
        """Processes of the service that are still there after its end."""
        time.sleep(0.1)
        return self.service.pids("") + self.service.broker_pids()


def _batches(config: dict[str, Any]) -> int:
    """How many an epoch has; 0 where the configuration does not say."""
    return int(config["train_images"] or 0) // int(config["batch_size"])


def _is_true_of(look: Any) -> bool:
    try:
        return bool(look())
    except SQLAlchemyError:
        return False


class Witness:
    """Reads the truth again and again while things break, and remembers all that it has seen."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.seen: dict[tuple[int, int], EpochFact] = {}
        self.changed: list[str] = []
        self.longest_overdue_s = 0.0
        self.looks = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_until_ended, name="witness", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> Facts:
        """Compare the truth with what was seen before."""
        facts = self._lab.facts()
        self.looks += 1
        self.longest_overdue_s = max(self.longest_overdue_s, facts.overdue_s)
        now = {(run_id, number): fact for run_id, rows in facts.epochs.items() for number, fact in rows.items()}
        self.changed += [f"{key}: {fact} -> {now.get(key)}" for key, fact in self.seen.items() if now.get(key) != fact]
        self.seen |= now
        return facts

    def _look_until_ended(self) -> None:
        while not self._ended.wait(0.2):
            try:
                self.look()
            except SQLAlchemyError:
                continue


def wrongs(facts: Facts, twins: Mapping[int, Sequence[EpochFact]]) -> Iterator[str]:
    """What is not as it should be with runs that have all ended: each must be its unbroken twin, bit for bit.

    Args:
        facts: the truth.
        twins: the epochs of an unbroken run, by the configuration's seed.
    """
    for run_id, run in facts.runs.items():
        rows = facts.epochs[run_id]
        if run.status != "finished":
            yield f"run {run_id} is {run.status}: {run.error}"
        if sorted(rows) != list(range(run.config["epochs"])):
            yield f"run {run_id} has epochs {sorted(rows)}"
        attempts = [fact.attempt for _, fact in sorted(rows.items())]
        if attempts != sorted(attempts) or attempts[-1:] > [run.attempt]:
            yield f"run {run_id} has epochs of attempts {attempts}"
        bits = [fact.bits for _, fact in sorted(rows.items())]
        if bits != [fact.bits for fact in twins[run.config["seed"]]]:
            yield f"run {run_id} differs from its unbroken twin"


def integrity(lab: Lab) -> str:
    """What SQLite says of its file; Postgres keeps its tables' promises or does not start."""
    if lab.postgres is not None:
        return "ok"
    with sqlite3.connect(lab.service.folder / "lab.sqlite3") as connection:
        words = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        words += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
    connection.close()
    return ", ".join(words)


def _children(pid: int) -> list[int]:
    """Processes that a process has started, whichever of its threads did."""
    words = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(word) for line in words for word in line.split()]


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal; whether there was a process to take it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
