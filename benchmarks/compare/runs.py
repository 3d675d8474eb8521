"""A database of many long runs, written as fast as it takes."""

import math
import random
from datetime import timedelta

from sqlalchemy import insert, update

from backend.contract import MAX_LEASE_S, RunStatus, TrainConfig
from backend.db import clock, events, launches, migrate, runs
from backend.db.engine import Database
from backend.db.models import Epoch, Run, StreamPosition

LEASE_S = MAX_LEASE_S - 10  # a longer one is not believed: the run would be taken back


def fill(url: str, run_count: int, epoch_count: int) -> list[int]:
    """Ids of new live runs, manual and dilated in turn, each with so many epochs of noisy, rising accuracy."""
    migrate.upgrade(url)
    database, source = Database(url), noise()
    ids = [_run(database, place, epoch_count) for place in range(run_count)]
    for run_id in ids:
        add_epochs(database, run_id, 0, epoch_count, source)
    database.close()
    return ids


def noise() -> random.Random:
    """The same noise every time."""
    return random.Random(0)  # noqa: S311  (numbers for a picture)


def add_epochs(database: Database, run_id: int, first: int, last: int, source: random.Random) -> None:
    """Epochs from `first` up to, not including, `last`."""
    with database.write() as session:
        at, seq, shift = clock.now(session), events.last_seq(session), source.gauss(0, 0.004)
        rows = []
        for number in range(first, last):
            gain = 1 - math.exp(-(number + 1) / 100)
            rows.append(
                {
                    "run_id": run_id,
                    "number": number,
                    "seq": seq + 1 + number - first,
                    "attempt": 1,
                    "train_accuracy": 0.5 + 0.4 * gain + shift + source.gauss(0, 0.004),
                    "train_cost": 1.5 - 1.3 * gain + source.gauss(0, 0.01),
                    "test_accuracy": 0.5 + 0.38 * gain + shift + source.gauss(0, 0.006),
                    "test_cost": 1.5 - 1.2 * gain + source.gauss(0, 0.02),
                    "epoch_seconds": 2 + source.random() / 10,
                    "images_per_second": 700.0,
                    "non_finite": {},
                    "recorded_at": at + timedelta(seconds=2 * (number - first)),
                }
            )
        session.execute(insert(Epoch), rows)
        session.execute(update(Run).where(Run.id == run_id).values(epochs_done=last))
        session.execute(update(StreamPosition).values(value=seq + len(rows)))


def _run(database: Database, place: int, epochs: int) -> int:
    config = TrainConfig.model_validate(
        {"backprop": "dilated" if place % 2 else "manual", "seed": place // 2, "epochs": min(10_000, 2 * epochs)}
    )
    with database.write() as session:
        launch = launches.add(session, None, "0" * 64)
        run = runs.add(session, launch, config, f"{config.backprop.value} seed {config.seed}", [], place // 2)
        run.status, run.attempt = RunStatus.RUNNING, 1
        run.lease_until = clock.now(session) + timedelta(seconds=LEASE_S)
        return run.id
