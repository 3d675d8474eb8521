"""A database as a laboratory has it after a year: many runs of many kinds, each with its epochs and its history."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from backend.contract import Backprop, DatasetName, Device, RunStatus, TrainConfig
from backend.db import workers
from backend.db.engine import Database
from backend.db.models import Epoch, Launch, Run, RunEvent, StreamPosition

EPOCHS = 10  # of each run that has begun
QUEUED_PART, RUNNING_RUNS = 0.05, 100
ONE_LAUNCH = 10  # runs
_LEASE_S = 590  # of running runs, the longest that is believed: nobody takes them back while this is measured
_AT_ONCE = 20_000  # rows in a statement


def fill(database: Database, count: int, seed: int = 0) -> None:
    """Put `count` runs into an empty database: finished ones for the most part, 100 that train, one in 20 queued."""
    chance, now = random.Random(seed), datetime.now(UTC)  # noqa: S311  (a benchmark's data, no secret)
    with database.write() as session:
        devices = [workers.DeviceOffer(Device.CPU, place, "slot") for place in range(RUNNING_RUNS)]
        worker_id = workers.register(session, "filled", "host", devices, 1)
        launches = math.ceil(count / ONE_LAUNCH)
        session.execute(
            insert(Launch),
            [{"id": place + 1, "request_sha256": "0" * 64, "created_at": now} for place in range(launches)],
        )
        rows = [_run(chance, place, count, now, worker_id) for place in range(count)]
        session.execute(insert(Run), rows)
        seq = count
        session.execute(insert(RunEvent), [_created(row, place + 1) for place, row in enumerate(rows)])
        epochs = []
        for row in rows:
            for epoch in _epochs(chance, row):
                seq += 1
                epochs.append(epoch | {"seq": seq})
            if len(epochs) >= _AT_ONCE:
                session.execute(insert(Epoch), epochs)
                epochs = []
        if epochs:
            session.execute(insert(Epoch), epochs)
        session.execute(update(StreamPosition).values(value=seq))


def renew(database: Database) -> None:
    """Let nobody take back the runs that train."""
    lease_until = datetime.now(UTC) + timedelta(seconds=_LEASE_S)
    with database.write() as session:
        session.execute(update(Run).where(Run.status == RunStatus.RUNNING).values(lease_until=lease_until))


def _run(chance: random.Random, place: int, count: int, now: datetime, worker_id: int) -> dict[str, Any]:
    status = _status(chance, place, count)
    config = _config(chance, place)
    created = now - timedelta(minutes=5 * (count - place))
    has_begun = status is not RunStatus.QUEUED
    is_live = status is RunStatus.RUNNING
    best = 0.6 + 0.39 * chance.random()
    return {
        "id": place + 1,
        "launch_id": place // ONE_LAUNCH + 1,
        "name": f"{config.dataset} {config.network}-{config.width} {config.backprop} {place}",
        "tags": chance.sample(["paper", "sweep", "baseline", "check", "thesis"], place % 3),
        "notes": "Looks as in the article. " * (place % 4),
        "config": config.model_dump(mode="json"),
        "palette_index": place,
        "status": status,
        "attempt": int(has_begun),
        "lease_until": now + timedelta(seconds=_LEASE_S) if is_live else None,
        "worker_id": worker_id if is_live else None,
        "environment": {"tensorflow": "2.21.0", "python": "3.11.7", "cpu": "AMD EPYC"} if has_begun else None,
        "error": "The cost became NaN in epoch 4." if status is RunStatus.FAILED else None,
        "epochs_done": EPOCHS if has_begun else 0,
        **{name: best - chance.random() / 50 if has_begun else None for name in ("train_accuracy", "test_accuracy")},
        **dict.fromkeys(("train_cost", "test_cost"), 2 * (1 - best) if has_begun else None),
        "epoch_seconds": 5 + 50 * chance.random() if has_begun else None,
        "best_test_accuracy": best if has_begun else None,
        "progress": progress_row(EPOCHS, 3) if is_live else None,
        "progress_at": now if is_live else None,
        "created_at": created,
        "queued_at": created,
        "started_at": created + timedelta(seconds=20) if has_begun else None,
        "finished_at": created + timedelta(seconds=500) if has_begun and not is_live else None,
    }


def progress_row(epoch: int, batch: int) -> dict[str, Any]:
    """How far a run is, as its row holds it."""
    numbers = {"epoch": epoch, "batch": batch, "batches": 1200, "images_per_second": 1234.5678 + batch}
    return {"phase": "training", "note": None} | numbers


def _status(chance: random.Random, place: int, count: int) -> RunStatus:
    from_end = count - place
    queued = int(QUEUED_PART * count)
    if from_end <= queued:
        return RunStatus.QUEUED
    if from_end <= queued + RUNNING_RUNS:
        return RunStatus.RUNNING
    return chance.choices([RunStatus.FINISHED, RunStatus.FAILED, RunStatus.STOPPED], [90, 5, 5])[0]


def _config(chance: random.Random, place: int) -> TrainConfig:
    return TrainConfig(
        dataset=list(DatasetName)[place // 100 % len(DatasetName)],
        width=chance.choice([8, 16, 32, 64, 128]),
        backprop=Backprop.DILATED if place % 2 else Backprop.MANUAL,
        epsilon=round(chance.random(), 3),
        learning_rate=10 ** chance.uniform(-5, -2),
        epochs=EPOCHS + (place + 1) % 5,
        seed=place // 2,
    )


def _created(row: dict[str, Any], seq: int) -> dict[str, Any]:
    common = {"seq": seq, "run_id": row["id"], "at": row["created_at"], "kind": "created"}
    return common | {"from_status": None, "to_status": RunStatus.QUEUED, "attempt": 0, "note": None}


def _epochs(chance: random.Random, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number in range(row["epochs_done"]):
        part = 1 - math.exp(-(number + 1) / 3)
        accuracy = row["best_test_accuracy"] * part + chance.random() / 100
        yield {
            "run_id": row["id"],
            "number": number,
            "attempt": 1,
            "train_accuracy": accuracy - 0.01,
            "train_cost": 2.3 * (1 - part),
            "test_accuracy": accuracy,
            "test_cost": 2.4 * (1 - part),
            "epoch_seconds": row["epoch_seconds"],
            "images_per_second": 1200.0,
            "dilation_lambda": None,
            "state_hash": None,
            "non_finite": {},
            "recorded_at": row["created_at"] + timedelta(seconds=30 * (number + 1)),
        }
