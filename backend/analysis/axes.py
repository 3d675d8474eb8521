"""What a curve is drawn over."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.analysis.curves import Floats, RunCurves, X
from backend.contract import DATASETS, DatasetName

_TITLES: dict[X, str] = {
    "epoch": "epoch",
    "step": "step",
    "time": "time of training and testing, s",
    "wall": "time of day (UTC)",
}


def x_title(kind: X) -> str:
    """The axis title, with its unit."""
    return _TITLES[kind]


def batches_per_epoch(config: Mapping[str, Any]) -> int:
    """How many batches an epoch of a run has; an incomplete last one is dropped."""
    images = config.get("train_images") or DATASETS[DatasetName(config["dataset"])].train_images
    return int(images) // int(config["batch_size"])


def x_values(run: RunCurves, kind: X) -> Floats:
    """Where the results of each epoch stand: [points].

    epoch: finished epochs, so the results of epoch 0 stand at 1. step: updates made by then, batches an epoch times
    epochs. time: seconds since the run's start, summed over its epochs: waits, pauses and lost attempts are not in it,
    and a branch counts its own. wall: seconds since 1970 UTC.
    """
    finished = run.epochs.astype(np.float64) + 1
    if kind == "epoch":
        return finished
    if kind == "step":
        return finished * batches_per_epoch(run.config)
    if kind == "wall":
        return run.wall
    return np.cumsum(run.columns["epoch_seconds"])
