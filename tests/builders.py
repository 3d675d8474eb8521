"""Rows and orders that tests begin with."""

from typing import Any

from backend.contract import EpochReport, TrainConfig
from backend.db import launches, lifecycle, runs, workers
from backend.db.engine import Database
from backend.db.lifecycle import Claim

LEASE_S = 15.0


def add_run(database: Database, name: str = "run", tags: list[str] | None = None, **config: object) -> int:
    """The id of a new queued run."""
    with database.write() as session:
        launch = launches.add(session, None, "0" * 64)
        return runs.add(session, launch, TrainConfig.model_validate(config), name, tags or [], 0).id


def add_worker(database: Database, name: str = "worker", slots: int = 2) -> int:
    """The id of a worker that has just reported itself."""
    with database.write() as session:
        return workers.register(session, name, "host", slots, 1)


def claim_run(database: Database, run_id: int, lease_s: float = LEASE_S) -> Claim:
    """The claim of a worker of its own on a queued run."""
    with database.write() as session:
        worker_id = workers.register(session, f"worker of {run_id}, {next_attempt(database, run_id)}", "host", 1, 1)
        claim = lifecycle.claim(session, run_id, worker_id, 1, lease_s)
    assert claim is not None
    return claim


def next_attempt(database: Database, run_id: int) -> str:
    """What tells one claim of a run from the next."""
    with database.read() as session:
        return f"attempt {runs.load(session, run_id).attempt + 1}"


def start_run(database: Database, run_id: int, lease_s: float = LEASE_S) -> Claim:
    """The claim on a queued run whose training has begun."""
    claim = claim_run(database, run_id, lease_s)
    with database.write() as session:
        lifecycle.mark_running(session, run_id, claim.attempt, {"tensorflow": "0"})
    return claim


def epoch_report(epoch: int, *, state_hash: str | None = None, **changes: float) -> EpochReport:
    """The results of an epoch, plausible unless changed."""
    numbers: dict[str, Any] = {
        "train_accuracy": 0.5 + epoch / 100,
        "train_cost": 1.5 - epoch / 100,
        "test_accuracy": 0.6 + epoch / 100,
        "test_cost": 1.2 - epoch / 100,
        "epoch_seconds": 2.0,
        "images_per_second": 700.0,
    }
    return EpochReport(epoch=epoch, dilation_lambda=None, state_hash=state_hash, **(numbers | changes))
