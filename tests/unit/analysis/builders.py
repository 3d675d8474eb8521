"""Runs as the analysis sees them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.analysis import Group, RunCurves, group_runs
from backend.contract import METRIC_NAMES, TrainConfig


def curves(run_id: int, values: Sequence[float], *, first: int = 0, seconds: float = 2.0, **config: Any) -> RunCurves:
    """A run of which every metric has these values, and whose epochs take equally long."""
    columns = {name: np.array(values, dtype=np.float64) for name in METRIC_NAMES}
    columns["epoch_seconds"] = np.full(len(values), seconds)
    full = TrainConfig.model_validate(config).model_dump(mode="json")
    return RunCurves(run_id, f"run {run_id}", full, 0, np.arange(first, first + len(values)), columns)


def pair_of_groups(manual: Sequence[Sequence[float]], dilated: Sequence[Sequence[float]]) -> tuple[Group, Group]:
    """A manual and a dilated group with a run for each seed."""
    runs = [curves(1 + seed, values, seed=seed) for seed, values in enumerate(manual)]
    runs += [curves(101 + seed, values, seed=seed, backprop="dilated") for seed, values in enumerate(dilated)]
    first, second = group_runs(runs, ["all"])
    return first, second
