"""Single results of a curve: its last, its best, that at an epoch, and when it reached a target."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.analysis.curves import Floats, RunCurves


@dataclass(frozen=True)
class Point:
    """A result, and the 0-based epoch it belongs to."""

    epoch: int
    value: float


def falls(metric: str) -> bool:
    """Whether less is better."""
    return metric.endswith(("cost", "seconds"))


def last(run: RunCurves, metric: str) -> Point | None:
    """The newest finite value; None where there is none."""
    known = np.flatnonzero(np.isfinite(run.columns[metric]))
    return _point(run.epochs, run.columns[metric], known[-1]) if len(known) else None


def best(run: RunCurves, metric: str) -> Point | None:
    """The best finite value and the first epoch that had it.

    It was chosen by looking at all of them: of a test metric it flatters the run, the more so the longer it was.
    """
    values = run.columns[metric]
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return None
    choose = np.argmin if falls(metric) else np.argmax
    return _point(run.epochs, values, known[choose(values[known])])


def at_epoch(run: RunCurves, metric: str, epoch: int) -> Point | None:
    """The value at an epoch; None where it is unknown or not finite."""
    place = int(np.searchsorted(run.epochs, epoch))
    if place == len(run.epochs) or run.epochs[place] != epoch or not np.isfinite(run.columns[metric][place]):
        return None
    return _point(run.epochs, run.columns[metric], place)


def reached(run: RunCurves, metric: str, target: float) -> tuple[int, float] | None:
    """The first epoch (0-based) whose value is as good as the target, and the seconds it took from the run's start."""
    values = run.columns[metric]
    places = np.flatnonzero(values <= target if falls(metric) else values >= target)
    if len(places) == 0:
        return None
    return int(run.epochs[places[0]]), float(run.columns["epoch_seconds"][: places[0] + 1].sum())


def _point(epochs: NDArray[np.int64], values: Floats, place: int | np.intp) -> Point:
    return Point(int(epochs[place]), float(values[place]))
