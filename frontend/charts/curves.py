"""Accuracy and cost of single runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from backend.contract import Backprop, Reference
from frontend.charts.look import Theme
from frontend.charts.numbers import plain
from frontend.charts.traces import ACCURACY, COST, SPLITS, Floats, Line, Quantity, View, lines_figure
from frontend.labels import short_names
from frontend.palette import run_style


@dataclass(frozen=True)
class RunSeries:
    """What a figure needs of a run.

    Attributes:
        label: the run's name, as its user typed it.
        epochs: 0-based numbers, rising; each column is as long.
        columns: values by metric; None or NaN where a value is unknown or not finite.
        non_finite: by metric and epoch, which values were "NaN", "Infinity" or "-Infinity".
        x: where each epoch stands; empty: at the number of epochs finished by then.
        raw: values by metric before they were smoothed; empty where they were not.
    """

    run_id: int
    label: str
    backprop: Backprop
    palette_index: int
    epochs: Sequence[int] | NDArray[np.int64]
    columns: Mapping[str, Sequence[float | None] | Floats]
    non_finite: Mapping[str, Mapping[int, str]]
    x: Sequence[float] | Floats = ()
    raw: Mapping[str, Floats] | None = None


def accuracy_figure(
    series: Sequence[RunSeries],
    *,
    theme: Theme = "light",
    splits: Collection[str] = SPLITS,
    references: Sequence[Reference] = (),
) -> go.Figure:
    """Accuracy in percent by epoch: test solid, train dashed; published curves dotted and grey."""
    return go.Figure(plain(runs_figure(ACCURACY, series, View(theme, splits, references))))


def cost_figure(
    series: Sequence[RunSeries],
    *,
    theme: Theme = "light",
    splits: Collection[str] = SPLITS,
    references: Sequence[Reference] = (),
) -> go.Figure:
    """Mean cost in nats by epoch: test solid, train dashed; published curves dotted and grey."""
    return go.Figure(plain(runs_figure(COST, series, View(theme, splits, references))))


def runs_figure(quantity: Quantity, series: Sequence[RunSeries], view: View) -> dict[str, Any]:
    """The lines of single runs as a figure's parts, with NumPy arrays for columns."""
    labels = short_names([run.label for run in series])
    pairs = list(zip(series, labels, strict=True))
    return lines_figure(
        quantity,
        [_line(quantity, run, label, split, view, len(series)) for split in view.shown for run, label in pairs],
        view,
    )


def _line(quantity: Quantity, run: RunSeries, label: str, split: str, view: View, runs: int) -> Line:
    metric = f"{split}_{quantity.metric}"
    name = label
    if len(view.shown) > 1:
        name = split if runs == 1 else f"{label}, {split}"
    numbers = np.asarray(run.epochs, dtype=np.int64)
    x = np.asarray(run.x, dtype=np.float64) if len(run.x) else numbers.astype(np.float64) + 1
    y = np.asarray(run.columns.get(metric, [None] * len(x)), dtype=np.float64)
    words = run.non_finite.get(metric, {})
    places = np.searchsorted(numbers, list(words))
    return Line(
        key={"run_id": run.run_id},
        label=label,
        name=name,
        split=split,
        style=run_style(run.backprop, run.palette_index),
        x=x,
        y=y,
        raw=run.raw.get(metric) if run.raw else None,
        marks=[(float(x[place]), word) for place, word in zip(places, words.values(), strict=True)],
    )
