"""From rows to the API's answers."""

import base64
import math
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from backend.api.schemas.results import CheckpointInfo, EpochColumns, EpochInfo, Packed
from backend.api.schemas.runs import (
    Action,
    Metrics,
    ProgressColumns,
    ProgressInfo,
    Reproduction,
    RunDetail,
    RunStyle,
    RunSummary,
    StatusCounts,
)
from backend.api.stored import config_of
from backend.contract import (
    ALLOWED_STEPS,
    DATASETS,
    FINAL_STATUSES,
    LIVE_STATUSES,
    METRIC_NAMES,
    DatasetName,
    Phase,
    RunAudit,
    RunStatus,
)
from backend.contract.work import measurings_due
from backend.db import epochs
from backend.db.models import Checkpoint, Epoch, Run
from backend.db.runs import Moved
from backend.db.waiting import QueueView
from frontend.palette import run_style


def run_summary(run: Run, queue: QueueView) -> RunSummary:
    """A run as lists show it."""
    return RunSummary(**_summary_fields(run, queue))


def run_detail(
    run: Run,
    queue: QueueView,
    reproduction: Reproduction | None,
    children: Sequence[int],
) -> RunDetail:
    """A run with what belongs to it alone."""
    return RunDetail(
        **_summary_fields(run, queue),
        notes=run.notes,
        threads=run.threads,
        environment=run.environment,
        worker=run.worker_name,
        autopsy=run.autopsy,
        reproduction=reproduction,
        children=list(children),
    )


def reproduction_info(compared: int, one: Epoch | None, other: Epoch | None) -> Reproduction:
    """How two runs compare, from the first two epochs that differ."""
    if one is None or other is None:
        return Reproduction(epochs_compared=compared, first_difference=None, differs_in=[])
    differs_in = [name for name in epochs.COMPARED if getattr(one, name) != getattr(other, name)]
    return Reproduction(epochs_compared=compared, first_difference=one.number, differs_in=differs_in)


def checkpoint_info(checkpoint: Checkpoint) -> CheckpointInfo:
    """One state that is kept."""
    return CheckpointInfo(
        id=checkpoint.id,
        epochs_done=checkpoint.epochs_done,
        batch=checkpoint.batch,
        size=checkpoint.size,
        sha256=checkpoint.sha256,
        state_hash=checkpoint.state_hash,
        created_at=checkpoint.created_at,
    )


def _summary_fields(run: Run, queue: QueueView) -> dict[str, object]:
    config = config_of(run.config)
    style = run_style(config.backprop, run.palette_index)
    is_queued = run.status is RunStatus.QUEUED
    sentence, can_start = queue.waiting_for(run) if is_queued else (None, None)
    return {
        "id": run.id,
        "name": run.name,
        "tags": run.tags,
        "status": run.status,
        "recovering": run.status is RunStatus.QUEUED and run.worker_id is not None,
        "config": config,
        "style": RunStyle(color=style.color, dark_color=style.dark_color, marker=style.marker),
        "epochs_done": run.epochs_done,
        "latest": _latest(run),
        "best_test_accuracy": run.best_test_accuracy,
        "audit": run_audit(run),
        "progress": progress_info(run) if run.status in LIVE_STATUSES else None,
        "error": run.error,
        "actions": _actions(run),
        "priority": run.priority,
        "queue_position": queue.positions.get(run.id) if is_queued else None,
        "waiting_for": sentence,
        "can_start": can_start,
        "launch_id": run.launch_id,
        "parent_id": run.parent_id,
        "relation": run.relation,
        "start_epoch": run.start_epoch,
        "attempt": run.attempt,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "deleted_at": run.deleted_at,
        "disk_bytes": run.disk_bytes,
        "peak_memory_bytes": run.peak_memory_bytes,
        "has_notes": bool(run.notes),
    }


def run_audit(run: Run) -> RunAudit | None:
    """What came of a run's gradient audits so far."""
    return None if run.audit_verdict is None else RunAudit(run.audit_verdict)


def _latest(run: Run) -> Metrics | None:
    if run.epochs_done == run.start_epoch:
        return None
    return Metrics(
        train_accuracy=run.train_accuracy,
        train_cost=run.train_cost,
        test_accuracy=run.test_accuracy,
        test_cost=run.test_cost,
    )


def _actions(run: Run) -> list[Action]:
    if run.deleted_at is not None:
        return ["restore"]
    steps = ALLOWED_STEPS[run.status]
    is_still = run.status in FINAL_STATUSES or run.status is RunStatus.PAUSED
    allowed: dict[Action, bool] = {
        "stop": bool(steps & {RunStatus.STOPPING, RunStatus.STOPPED}),
        "pause": RunStatus.PAUSING in steps,
        "resume": run.status is RunStatus.PAUSED,
        "branch": run.epochs_done > run.start_epoch,
        "reproduce": run.epochs_done > run.start_epoch,
        "retry": run.status in (RunStatus.FAILED, RunStatus.STOPPED),
        "clone": True,
        "delete": is_still,
    }
    return [action for action, is_allowed in allowed.items() if is_allowed]


def progress_info(run: Run | Moved) -> ProgressInfo | None:
    """How far a live run is; None before its worker has said anything."""
    if run.progress is None or run.progress_at is None:
        return None
    progress, epochs_wanted = run.progress, run.config["epochs"]
    phase, batches = Phase(progress["phase"]), max(1, progress["batches"])
    measuring = float(progress.get("trained", False))
    parts = {Phase.TRAINING: progress["batch"] / batches, Phase.TESTING: 1.0, Phase.MEASURING: measuring}
    part = parts.get(phase, 0.0)
    epochs_left = epochs_wanted - progress["epoch"] - part
    epoch_seconds = run.epoch_seconds or _epoch_seconds(run.config, progress["images_per_second"])
    seconds_left = None
    if epoch_seconds is not None:
        seconds_left = max(0.0, epochs_left * epoch_seconds) + _measuring_left(run)
    return ProgressInfo(
        run_id=run.id,
        phase=phase,
        epoch=progress["epoch"],
        batch=progress["batch"],
        batches=progress["batches"],
        images_per_second=progress["images_per_second"],
        note=progress["note"],
        fraction=1 - epochs_left / epochs_wanted,
        seconds_left=seconds_left,
        at=run.progress_at,
    )


def _measuring_left(run: Run | Moved) -> float:
    """Seconds that measuring on the side is still going to take, by what it took the last time."""
    progress, config, known = run.progress or {}, run.config, run.measuring_seconds or {}
    if not known:
        return 0.0

    def after(epochs_done: int) -> float:
        due = measurings_due(
            config.get("audit_every", 0), config.get("robustness_every", 0), config["epochs"], epochs_done
        )
        return sum(count * float(known.get(name, known.get("both", 0.0))) for name, count in due)

    epoch, left = progress["epoch"], after(progress["epoch"])
    if not progress.get("trained", False):
        return left
    done: float = progress["batch"] / max(1, progress["batches"])  # of what is measured now
    return left - done * (left - after(epoch + 1))


def progress_columns(moved: Sequence[Moved]) -> ProgressColumns:
    """How far several live runs are, as small as it can be told."""
    infos = [info for run in moved if (info := progress_info(run)) is not None]
    return ProgressColumns(
        run_id=[info.run_id for info in infos],
        phase=[info.phase for info in infos],
        epoch=[info.epoch for info in infos],
        batch=[info.batch for info in infos],
        batches=[info.batches for info in infos],
        images_per_second=[_rounded(info.images_per_second, 1) for info in infos],
        note=[info.note for info in infos],
        fraction=[round(info.fraction, 5) for info in infos],
        seconds_left=[_rounded(info.seconds_left, 1) for info in infos],
        at=max(info.at for info in infos),
    )


def _rounded(number: float | None, decimals: int) -> float | None:
    return None if number is None else round(number, decimals)


def _epoch_seconds(config: Mapping[str, Any], images_per_second: float | None) -> float | None:
    """Of a run that has finished no epoch yet, by the speed of its training so far; testing is not in it."""
    if not images_per_second:
        return None
    images: int = config["train_images"] or DATASETS[DatasetName(config["dataset"])].train_images
    return images / images_per_second


def epoch_info(epoch: Epoch) -> EpochInfo:
    """One epoch of one run."""
    return EpochInfo(
        run_id=epoch.run_id,
        epoch=epoch.number,
        train_accuracy=epoch.train_accuracy,
        train_cost=epoch.train_cost,
        test_accuracy=epoch.test_accuracy,
        test_cost=epoch.test_cost,
        # Times are told as exactly as they can be measured; the stream carries many of these.
        epoch_seconds=round(epoch.epoch_seconds, 4),
        images_per_second=round(epoch.images_per_second, 2),
        dilation_lambda=epoch.dilation_lambda,
        recorded_at=epoch.recorded_at,
        non_finite=epoch.non_finite,
    )


def epoch_columns(epochs_: Sequence[Epoch]) -> EpochColumns:
    """Many epochs, of one run or several, as columns: a fifth of the bytes."""
    values = {name: [getattr(epoch, name) for epoch in epochs_] for name in (*METRIC_NAMES, "dilation_lambda")}
    return EpochColumns(
        run_ids=[epoch.run_id for epoch in epochs_],
        epochs=[epoch.number for epoch in epochs_],
        columns={name: _packed(column) for name, column in values.items()},
        recorded_at=_packed([epoch.recorded_at.timestamp() for epoch in epochs_]),
        non_finite={place: epoch.non_finite for place, epoch in enumerate(epochs_) if epoch.non_finite},
    )


def _packed(values: Sequence[float | None]) -> Packed:
    numbers = array("d", [math.nan if value is None else value for value in values])
    if sys.byteorder == "big":
        numbers.byteswap()
    return Packed(bdata=base64.b64encode(numbers.tobytes()).decode())


def status_counts(counts: Mapping[RunStatus, int]) -> StatusCounts:
    """How many runs are where."""
    return StatusCounts(
        running=sum(counts.get(status, 0) for status in LIVE_STATUSES),
        queued=counts.get(RunStatus.QUEUED, 0),
        finished=counts.get(RunStatus.FINISHED, 0),
        failed=counts.get(RunStatus.FAILED, 0),
        stopped=counts.get(RunStatus.STOPPED, 0),
    )
