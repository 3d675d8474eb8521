"""Cost and accuracy of a run's single batches: each of them pale, and a smoothed line over them."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from backend.contract.numbers import non_finite_word
from frontend.charts.batch_axis import epoch_lines, x_axis, x_range
from frontend.charts.batch_series import BatchSeries, BatchX, Frame
from frontend.charts.batch_table import batch_table
from frontend.charts.lines import number_text
from frontend.charts.look import Ink, Theme, above_plot, axis, layout, tick_step
from frontend.charts.numbers import plain
from frontend.charts.traces import MARK_SYMBOLS, RAW_OPACITY, Floats

_MARGIN = {"l": 56, "r": 16, "t": 24, "b": 42}  # px; above the plot stands what line is what
_MOST_MARKS = 60  # of values of one kind that are not finite
_MARKER_ROOM = 12  # px that a batch must have to be drawn as a marker
_MARK_AT = 0.04  # of the plot's height, from its foot or its top


def batches_figure(
    series: BatchSeries, *, measure: str = "cost", x: BatchX = "epoch", width: int = 1000, theme: Theme = "light"
) -> go.Figure:
    """Cost in nats, or accuracy in per cent, of every batch; see `batches_parts`."""
    return go.Figure(plain(batches_parts(series, measure=measure, x=x, width=width, theme=theme)))


def batches_parts(
    series: BatchSeries, *, measure: str = "cost", x: BatchX = "epoch", width: int = 1000, theme: Theme = "light"
) -> dict[str, Any]:
    """The figure as Plotly's JSON names its parts, with NumPy arrays for columns; reduced to `width` pixels.

    The line that a reader follows has `meta.run_id` and `meta.measure`; the pale one behind it, of every batch, has
    `meta.raw_of` in its place, and marks of values that are not finite `meta.non_finite_of`. `layout.meta` says how
    many `points` are drawn `of` how many batches, and has what an axis' range is turned into batches with: `x` and
    `batches_per_epoch`.

    Raises:
        KeyError: there is no such measure in BATCH_MEASURES.
    """
    frame = Frame(series, measure, x, width, theme)
    raw = frame.places(series.values, 2 * width)
    traces = [_raw(frame, raw)] if series.smoothed is not None else []
    traces.append(_line(frame, raw))
    traces += _marks(frame)
    return {"data": traces, "layout": _layout(frame, len(raw))}


def _raw(frame: Frame, places: NDArray[np.int64]) -> dict[str, Any]:
    x, y, _ = _broken(frame, places, frame.series.values)
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "meta": {"run_id": frame.series.run_id, "raw_of": frame.measure},
        "mode": "lines",
        "line": {"color": frame.color, "width": 1},
        "opacity": RAW_OPACITY,
        "connectgaps": False,
        "hoverinfo": "skip",
    }


def _line(frame: Frame, raw: NDArray[np.int64]) -> dict[str, Any]:
    """The smoothed line, or the batches themselves where they are few; where one points, it names epoch and batch."""
    series, quantity = frame.series, frame.quantity
    values = series.values if series.smoothed is None else series.smoothed
    are_all = len(raw) == len(series.numbers)
    places = raw if series.smoothed is None or are_all else frame.places(values, frame.width)
    x, y, kept = _broken(frame, places, values)
    numbers, alone = series.numbers[kept], frame.shown(series.values[kept]).tolist()
    per_epoch = series.batches_per_epoch
    known = [value if np.isfinite(value) else None for value in alone]
    number = f":.{quantity.decimals}f}}{quantity.unit}"
    what = f"%{{y{number}" if series.smoothed is None else f"%{{customdata[2]{number}<br>smoothed %{{y{number}"
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "meta": {"run_id": series.run_id, "measure": frame.measure},
        "customdata": [
            [done // per_epoch + 1, done % per_epoch + 1, value]
            for done, value in zip(numbers.tolist(), known, strict=True)
        ],
        "mode": "lines" if len(places) * _MARKER_ROOM > frame.width else "lines+markers",
        "line": {"color": frame.color, "width": 1.75},
        "marker": {
            "color": frame.color,
            "symbol": frame.style.marker,
            "size": 5,
        },
        "connectgaps": False,
        "hovertemplate": f"epoch %{{customdata[0]}}, batch %{{customdata[1]}} of {per_epoch}<br>{what}<extra></extra>",
    }


def _broken(frame: Frame, places: NDArray[np.int64], values: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Columns of a line, with a gap wherever batches were not recorded, and the place that each point is of."""
    x, y = frame.at(frame.series.numbers[places]), frame.shown(values[places])
    if frame.series.is_whole:
        return x, y, places
    holes = np.append(0, np.cumsum(np.diff(frame.series.numbers) > 1))
    gaps = np.flatnonzero(np.diff(holes[places])) + 1
    return np.insert(x, gaps, np.nan), np.insert(y, gaps, np.nan), np.insert(places, gaps, places[gaps])


def _marks(frame: Frame) -> list[dict[str, Any]]:
    """Where values were not finite, as in the curves over epochs: several close to each other have one mark."""
    series = frame.series
    places = np.flatnonzero(~np.isfinite(series.values))
    if len(places) == 0:
        return []
    words = np.array([non_finite_word(value) for value in series.values[places].tolist()])
    numbers = series.numbers[places]
    part = numbers // tick_step(int(series.numbers[-1] - series.numbers[0]) + 1, _MOST_MARKS)
    found = []
    for word in np.unique(words).tolist():
        alike = words == word
        _, starts, counts = np.unique(part[alike], return_index=True, return_counts=True)
        found += [(int(number), word, int(count)) for number, count in zip(numbers[alike][starts], counts, strict=True)]
    found.sort()
    per_epoch = series.batches_per_epoch
    return [
        {
            "type": "scatter",
            "x": frame.at(np.array([number for number, _, _ in found])),
            "y": [1 - _MARK_AT if word == "Infinity" else _MARK_AT for _, word, _ in found],
            "yaxis": "y2",
            "text": [
                f"epoch {number // per_epoch + 1}, batch {number % per_epoch + 1} of {per_epoch}<br>"
                f"{frame.measure} is {word}{f', and of {count - 1:,} more from here on' if count > 1 else ''}"
                for number, word, count in found
            ],
            "meta": {"run_id": series.run_id, "non_finite_of": frame.measure},
            "mode": "markers",
            "marker": {"color": frame.color, "symbol": [MARK_SYMBOLS[word] for _, word, _ in found], "size": 9},
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _layout(frame: Frame, points: int) -> dict[str, Any]:
    series, quantity, ink = frame.series, frame.quantity, frame.ink
    low, high = x_range(frame)
    is_part = series.first > 0 or series.end is not None
    # Of a part the axis shows what is in it: a far zero would hide that.
    y_axis = {} if is_part and frame.measure == "cost" else quantity.y_axis
    room = (high - low) * 0.01
    table = batch_table(quantity, series.numbers, series.values, series.smoothed, series.batches_per_epoch)
    return {
        **layout(ink),
        "margin": _MARGIN,
        "showlegend": False,
        "hovermode": "x unified",
        "xaxis": {
            **x_axis(frame, low, high),
            "range": [low - room, high + room],
            "showgrid": False,
            "spikethickness": 1,
            "spikecolor": ink.muted,
            "spikedash": "solid",
            "unifiedhovertitle": {"text": "%{x:.4~f} epochs done" if frame.x == "epoch" else "%{x:,d} batches done"},
        },
        "yaxis": {**axis(ink, quantity.title), **y_axis, "nticks": 6},
        # Where marks stand that have no value: from the plot's foot (0) to its top (1).
        "yaxis2": {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False},
        "shapes": epoch_lines(frame, low, high),
        "annotations": _key(series, ink),
        "meta": {
            "summary": _summary(frame),
            "table": table,
            "points": points,
            "of": len(series.numbers),
            "measure": frame.measure,
            "smoothing": "" if series.smoothing is None else f"{series.smoothing.kind}:{series.smoothing.strength:.7g}",
            "x": frame.x,
            "batches_per_epoch": series.batches_per_epoch,
        },
    }


def _key(series: BatchSeries, ink: Ink) -> list[dict[str, Any]]:
    if series.smoothing is None:
        return []
    return [above_plot("key", f"pale: each batch; line: mean of about {series.smoothing.span:,.0f}", ink, 4)]


def _summary(frame: Frame) -> str:
    series, quantity = frame.series, frame.quantity
    title = f"Training {quantity.metric} of single batches,{quantity.unit}"
    known = series.values[np.isfinite(series.values)] * quantity.factor
    if len(series.values) == 0:
        return f"{title}: none is recorded yet."
    strange = len(series.values) - len(known)
    said = f" {strange:,} of them are not finite." if strange else ""
    if len(known) == 0:
        return f"{title}: {len(series.values):,} batches.{said}"
    newest = (
        known[-1] if series.smoothed is None else series.smoothed[np.isfinite(series.smoothed)][-1] * quantity.factor
    )
    return (
        f"{title}: {len(series.values):,} batches, least {number_text(float(known.min()))}, greatest "
        f"{number_text(float(known.max()))}, {'last' if series.smoothed is None else 'smoothed last'} "
        f"{number_text(float(newest))}.{said}"
    )
