"""Rows and orders that tests begin with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.contract import (
    Attack,
    AttackResult,
    AuditVerdict,
    BatchResults,
    Deviation,
    Device,
    EpochReport,
    ExampleReport,
    GpuUse,
    LayerMeasurement,
    Measurements,
    SystemUse,
    TrainConfig,
)
from backend.db import batches, launches, lifecycle, runs, workers
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.db.system_use import MeasuredUse
from backend.db.system_use import store as store_use
from backend.db.workers import DeviceOffer

LEASE_S = 15.0


def add_run(database: Database, name: str = "run", tags: list[str] | None = None, **config: object) -> int:
    """The id of a new queued run."""
    with database.write() as session:
        launch = launches.add(session, None, "0" * 64)
        return runs.add(session, launch, TrainConfig.model_validate(config), name, tags or [], 0).id


def add_worker(database: Database, name: str = "worker", slots: int = 2) -> int:
    """The id of a worker that has just reported itself."""
    with database.write() as session:
        return workers.register(session, name, "host", cpu_slots(slots), 1)


def cpu_slots(count: int) -> list[DeviceOffer]:
    """The devices of a worker that offers its processor only."""
    return [DeviceOffer(Device.CPU, number, f"CPU slot {number}") for number in range(count)]


def gpus(*numbers: int) -> list[DeviceOffer]:
    """GPUs of a host, by their numbers."""
    return [DeviceOffer(Device.GPU, number, f"GPU {number}", 16 * 2**30) for number in numbers]


def claim_run(database: Database, run_id: int, lease_s: float = LEASE_S) -> Claim:
    """The claim of a worker of its own on a queued run."""
    with database.write() as session:
        worker_id = workers.register(
            session, f"worker of {run_id}, {next_attempt(database, run_id)}", "host", cpu_slots(1), 1
        )
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


def epoch_report(
    epoch: int, *, state_hash: str | None = None, measured: Measurements | None = None, **changes: float
) -> EpochReport:
    """The results of an epoch, plausible unless changed."""
    numbers: dict[str, Any] = {
        "train_accuracy": 0.5 + epoch / 100,
        "train_cost": 1.5 - epoch / 100,
        "test_accuracy": 0.6 + epoch / 100,
        "test_cost": 1.2 - epoch / 100,
        "epoch_seconds": 2.0,
        "images_per_second": 700.0,
    }
    numbers |= changes
    return EpochReport(epoch=epoch, dilation_lambda=None, state_hash=state_hash, measured=measured, **numbers)


def layer_measurement(layer: int, **changes: Any) -> LayerMeasurement:
    """What an audit finds in a sound layer, unless changed."""
    fields: dict[str, Any] = {
        "verdict": AuditVerdict.PASSED,
        "tape_error": 1e-15,
        "difference_error": 1e-9,
        "gradient_norm": 0.5,
        "own": Deviation(2e-6, 1.0, 1.0),
        "update": None,
        "weight_norm": 4.0,
        "update_ratio": 0.01,
        "vmax_active": 0.25,
    }
    return LayerMeasurement(layer=layer, **(fields | changes))


def failed_layer(layer: int, **changes: Any) -> LayerMeasurement:
    """What an audit finds in a layer whose gradient is twice the true one, unless changed."""
    errors: dict[str, Any] = {"verdict": AuditVerdict.FAILED, "tape_error": 1.0, "difference_error": 0.5}
    return layer_measurement(layer, **(errors | changes))


def example_report(test_index: int = 3) -> ExampleReport:
    """A followed image of 2x2 grey pixels."""
    return ExampleReport(
        test_index=test_index,
        label=7,
        image=bytes([0, 10, 20, 255]),
        adversarial=bytes([8, 2, 28, 255]),
        sign=bytes([1, 255, 1, 0]),
        shape=(2, 2, 1),
        before=(0.1,) * 10,
        after=(0.55, *(0.05,) * 9),
    )


def measurements(epochs_done: int, *layers: LayerMeasurement, **changes: Any) -> Measurements:
    """Audits of these layers (of two sound ones where none is given), three attacks and a followed image."""
    fields: dict[str, Any] = {
        "layers": layers or (layer_measurement(1), layer_measurement(2)),
        "attacks": (
            AttackResult(Attack.CLEAN, 0.0, 0.9),
            AttackResult(Attack.PGD, 8.0, 0.25),
            AttackResult(Attack.FGSM, 8.0, 0.5),
        ),
        "attacked_images": 200,
        "examples": (example_report(),),
        "example_epsilon": 8.0,
    }
    return Measurements(epochs_done=epochs_done, **(fields | changes))


def batch_results(first: int, costs: Sequence[float], accuracies: Sequence[float] | None = None) -> BatchResults:
    """What came of some batches; half of their images are classified rightly unless said otherwise."""
    shares = [0.5] * len(costs) if accuracies is None else accuracies
    packed = (np.asarray(column, dtype="<f4").tobytes() for column in (costs, shares))
    return BatchResults(first, *packed)


def add_batches(
    database: Database, run_id: int, first: int, costs: Sequence[float], accuracies: Sequence[float] | None = None
) -> None:
    """Store what came of some batches of a run."""
    with database.write() as session:
        batches.append(session, run_id, batch_results(first, costs, accuracies))


def system_use(seconds: float = 5.0, *gpus: GpuUse, **changes: Any) -> SystemUse:
    """What half a core and 500 MB are, unless changed."""
    numbers: dict[str, Any] = {
        "cpu_cores": 0.5,
        "cpu_cores_max": 0.75,
        "memory_bytes": 500 * 10**6,
        "memory_max_bytes": 600 * 10**6,
        "host_free_bytes": 8 * 10**9,
    }
    return SystemUse(seconds=seconds, gpus=gpus, **(numbers | changes))


def use_system(database: Database, run_id: int, attempt: int, *uses: SystemUse, peak: int = 700 * 10**6) -> bool:
    """Store points of an attempt that follow on each other until now; whether they were taken."""
    ages = [sum(use.seconds for use in uses[place:]) for place in range(len(uses))]
    points = [MeasuredUse(place, age, use) for place, (age, use) in enumerate(zip(ages, uses, strict=True))]
    with database.write() as session:
        return store_use(session, run_id, attempt, points, peak)
