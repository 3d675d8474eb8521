"""Accuracy and cost of groups of runs: a line with a band, its members behind it if they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.analysis import Band, Group, Smoothing, Statistic, align, smooth, summarize, x_values
from backend.contract import Backprop
from frontend.charts.traces import Floats, Line, Quantity, View, lines_figure
from frontend.labels import short_names
from frontend.palette import FAMILY_SIZE, RunStyle, run_style

BAND_NAMES: dict[Band, str] = {
    "none": "",
    "std": "-/+ 1 standard deviation",
    "se": "-/+ 1 standard error",
    "ci": "95 % interval",
    "range": "smallest to largest",
}


@dataclass(frozen=True)
class Grouping:
    """How a group's line is made of its runs. Smoothing acts on the line and its band, after both were computed."""

    statistic: Statistic = "mean"
    band: Band = "ci"
    members: bool = False
    smoothing: Smoothing | None = None


def groups_figure(quantity: Quantity, groups: Sequence[Group], view: View, grouping: Grouping) -> dict[str, Any]:
    """The lines of groups as a figure's parts, with NumPy arrays for columns.

    Each point says of how many runs it is made. Over seconds, a point stands at the mean time of those runs.
    """
    styles, labels = group_styles(groups), short_names([group.label for group in groups])
    lines = [
        _line(quantity, group, label, split, styles[group.key], view, grouping, alone=len(groups) == 1)
        for split in view.shown
        for group, label in zip(groups, labels, strict=True)
    ]
    return lines_figure(quantity, lines, view)


def group_styles(groups: Sequence[Group]) -> dict[str, RunStyle]:
    """By group key, how it is drawn: in its first run's colour, or in the next one that no group before it has."""
    taken: set[RunStyle] = set()
    styles = {}
    for group in groups:
        family = group.backprop or Backprop.MANUAL
        first = group.runs[0].palette_index
        wishes = [run_style(family, first + step) for step in range(FAMILY_SIZE)]
        styles[group.key] = next((style for style in wishes if style not in taken), wishes[0])
        taken.add(styles[group.key])
    return styles


def _line(
    quantity: Quantity,
    group: Group,
    label: str,
    split: str,
    style: RunStyle,
    view: View,
    grouping: Grouping,
    *,
    alone: bool,
) -> Line:
    metric = f"{split}_{quantity.metric}"
    epochs, matrix = align([run.epochs for run in group.runs], [run.columns[metric] for run in group.runs])
    summary = summarize(matrix, grouping.statistic, grouping.band)
    _, places = align([run.epochs for run in group.runs], [x_values(run, view.x) for run in group.runs])
    # Only runs with a value have a say in where it stands.
    x: Floats = epochs.astype(np.float64) + 1
    if view.x != "epoch":
        x = summarize(np.where(np.isfinite(matrix), places, np.nan)).center
    center, low, high, n = summary.center, summary.low, summary.high, summary.n
    known = np.isfinite(x)
    x, center, low, high, n = x[known], center[known], low[known], high[known], n[known]
    if view.x != "epoch":
        # A group that loses its slowest runs would step back in time.
        order = np.argsort(x, kind="stable")
        x, center, low, high, n = x[order], center[order], low[order], high[order], n[order]
    raw = None
    if grouping.smoothing is not None:
        raw = center
        center, low, high = (smooth(values, grouping.smoothing) for values in (center, low, high))
    name = label if len(view.shown) == 1 else split if alone else f"{label}, {split}"
    return Line(
        key={"group": group.key},
        label=label,
        name=name,
        split=split,
        style=style,
        x=x,
        y=center,
        raw=raw,
        band=None if grouping.band == "none" else (low, high),
        n=n,
        band_name=BAND_NAMES[grouping.band],
        members=[(x_values(run, view.x), run.columns[metric]) for run in group.runs] if grouping.members else (),
        marks=_marks(group, metric, view),
    )


def _marks(group: Group, metric: str, view: View) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for run in group.runs:
        words = run.non_finite.get(metric, {})
        x: Floats = x_values(run, view.x)
        found += [(float(x[np.searchsorted(run.epochs, epoch)]), word) for epoch, word in words.items()]
    return sorted(found)
