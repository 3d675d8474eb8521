"""Numbers of each layer by epoch, as they were measured beside the training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from backend.contract import LayerMeasurement
from frontend.charts.gradients import AuditSeries
from frontend.charts.lines import Line, ValueAxis, epoch_axis, line_figure, number_text, summary_table
from frontend.charts.look import INKS, Theme
from frontend.palette import lightness_steps, run_style

HEIGHT = 220  # px, of the chart on a page
_PERCENT = 100


@dataclass(frozen=True)
class _Measure:
    """A number of a layer: what it is, where it is found, and its axis."""

    words: str
    value: Callable[[LayerMeasurement], float | None]
    axis: ValueAxis
    unit: str = ""


def _vmax_percent(measured: LayerMeasurement) -> float | None:
    return None if measured.vmax_active is None else _PERCENT * measured.vmax_active


LAYER_MEASURES: Mapping[str, _Measure] = {
    "gradient_norm": _Measure("norm of the gradient", lambda m: m.gradient_norm, ValueAxis("|g|", log=True)),
    "weight_norm": _Measure("norm of the weights", lambda m: m.weight_norm, ValueAxis("|w|", log=True)),
    "update_ratio": _Measure("update over weights", lambda m: m.update_ratio, ValueAxis("|Δw| / |w|", log=True)),
    "vmax_active": _Measure(
        "weights whose vmax holds", _vmax_percent, ValueAxis("share of the weights, %", limits=(-4, 104)), " %"
    ),
    "own_error": _Measure(
        "relative error of the run's precision", lambda m: m.own.error, ValueAxis("|g - g64| / |g64|", log=True)
    ),
    "own_cosine": _Measure(
        "1 - cosine in the run's precision",
        lambda m: None if m.own.cosine is None else max(0.0, 1 - m.own.cosine),
        ValueAxis("1 - cosine", log=True),
    ),
    "own_norm_ratio": _Measure(
        "ratio of norms in the run's precision", lambda m: m.own.norm_ratio, ValueAxis("|g| / |g64|")
    ),
}


def layer_figure(series: AuditSeries, *, measure: str = "gradient_norm", theme: Theme = "light") -> go.Figure:
    """A line a layer, from the first (faint) to the last (strong); each has `meta.layer`.

    Raises:
        KeyError: there is no such measure in LAYER_MEASURES.
    """
    wanted, ink, layers = LAYER_MEASURES[measure], INKS[theme], series.layers
    style = run_style(series.backprop, series.palette_index)
    colors = lightness_steps(style.color if theme == "light" else style.dark_color, len(layers), ink.surface)
    found = {(entry.measured.layer, entry.epochs_done): wanted.value(entry.measured) for entry in series.entries}
    lines = [
        Line(
            label=f"layer {layer}",
            color=color,
            x=series.known,
            y=[found.get((layer, epochs)) for epochs in series.known],
            texts=[number_text(found.get((layer, epochs))) for epochs in series.known],
            hover=f"layer {layer}, %{{x}} epochs done<br>{wanted.words} %{{hovertext}}{wanted.unit}",
            meta={"run_id": series.run_id, "layer": layer, "measure": measure},
            symbol=style.marker,
        )
        for layer, color in zip(layers, colors, strict=True)
    ]
    lines = [line for line in lines if any(value is not None for value in line.y)]
    done = series.known[-1] if series.entries else 0
    figure = line_figure(lines, ink, epoch_axis(ink, series.epochs, done), wanted.axis, HEIGHT)
    figure.update_layout(meta={"summary": _summary(wanted, lines), "table": _table(lines)})
    return figure


def _summary(wanted: _Measure, lines: list[Line]) -> str:
    last = [f"{line.label} {number_text(line.y[-1])}{wanted.unit}" for line in lines]
    return f"{wanted.words}, by layer and epoch. Last: {'; '.join(last) or 'none yet'}."


def _table(lines: list[Line]) -> dict[str, Any]:
    epochs = lines[0].x if lines else ()
    rows = [[x, *(number_text(line.y[place]) for line in lines)] for place, x in enumerate(epochs)]
    return summary_table(["epochs done", *(line.label for line in lines)], rows)
