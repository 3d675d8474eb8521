"""A chart of a few lines, each with its label at its end, over epochs or anything else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from frontend.charts.look import FONT_SIZE, NOTHING, Ink, axis, layout, tick_step
from frontend.labels import plain_text, spread
from frontend.palette import readable

MARGIN = {"l": 62, "r": 66, "t": 10, "b": 42}  # px
_LABEL_GAP = 14  # px between the middles of two labels
_SHARE_OF_ROOM = 0.06  # of a value axis, free above and below what is drawn
_MOST_DECADES_WITH_HALVES = 2.2  # above, a logarithmic axis has ticks at powers of ten only
_MOST_DECADE_TICKS = 5
_WITHIN_A_DECADE = (1, 2, 3, 5, 7)  # ticks of a logarithmic axis that is shorter


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: what stands at its end, as text.
        hover: what the box says of a point, in Plotly's template language; nothing that a user typed.
        meta: how the line is found.
        group: lines of one group keep their labels apart; labels of other groups are never shown beside them.
        labelled: whether its label is shown at first.
        texts: for the hover box, one a point.
    """

    label: str
    color: str
    x: Sequence[float]
    y: Sequence[float | None]
    hover: str
    meta: Mapping[str, object]
    symbol: str = "circle"
    width: float = 1.75
    opacity: float = 1.0
    group: str = ""
    labelled: bool = True
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class ValueAxis:
    """The axis of values.

    Attributes:
        limits: between which the axis stands always; None: what the lines need.
        bounds: beyond which it never goes, where it shows what the lines need.
        least: the shortest that it is, so that small differences do not look large.
    """

    title: str
    log: bool = False
    limits: tuple[float, float] | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    least: float = 0.0


def line_figure(
    lines: Sequence[Line], ink: Ink, x_axis: Mapping[str, Any], y_axis: ValueAxis, height: int
) -> go.Figure:
    """The lines, drawn for a plot of so many px of height: labels are kept apart for that."""
    low, high = _limits(lines, y_axis)
    figure = go.Figure(
        layout={
            **layout(ink),
            "margin": MARGIN,
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": dict(x_axis),
            "yaxis": {**axis(ink, y_axis.title), "range": [low, high], **_ticks(y_axis, low, high)},
            "annotations": _labels(lines, ink, y_axis, (low, high), height - MARGIN["t"] - MARGIN["b"]),
        }
    )
    for line in lines:
        figure.add_scatter(**_trace(line))
    return figure


def epoch_axis(ink: Ink, total: int, done: int) -> dict[str, Any]:
    """An axis of finished epochs from 0 on, as long as the run is; of a long one what is done, doubling in time."""
    end = max(total, done, 1)
    while end / 2 >= max(done * 1.25, 30):
        end = math.ceil(end / 2)
    room = max(0.25, end * 0.02)
    return {
        **axis(ink, "epochs done"),
        "range": [-room, end + room],
        "tick0": 0,
        "dtick": tick_step(end),
        "showgrid": False,
    }


def number_text(value: float | None) -> str:
    """A number with three digits that count, for hover boxes and tables."""
    return NOTHING if value is None else f"{value:.3g}"


def summary_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    """What is drawn, as a table: a figure carries it in `layout.meta.table`."""
    return {"columns": list(columns), "rows": [list(row) for row in rows]}


def _trace(line: Line) -> dict[str, Any]:
    return {
        "x": list(line.x),
        "y": list(line.y),
        "name": plain_text(line.label),
        "meta": dict(line.meta),
        "mode": "lines+markers",
        "line": {"color": line.color, "width": line.width},
        "marker": {"color": line.color, "symbol": line.symbol, "size": 5, "maxdisplayed": 24},
        "opacity": line.opacity,
        "connectgaps": False,
        "cliponaxis": False,
        "hovertext": list(line.texts) if line.texts is not None else None,
        "hovertemplate": f"{line.hover}<extra></extra>",
    }


def _scaled(value: float | None, axis_: ValueAxis) -> float | None:
    """A value as the axis counts it: its power of ten where the axis is logarithmic, which has no place for 0."""
    if value is None or not axis_.log:
        return value
    return math.log10(value) if value > 0 else None


def _limits(lines: Sequence[Line], axis_: ValueAxis) -> tuple[float, float]:
    if axis_.limits is not None:
        return axis_.limits
    values = [scaled for line in lines for value in line.y if (scaled := _scaled(value, axis_)) is not None]
    if not values:
        return (-3.0, 0.0) if axis_.log else (0.0, 1.0)
    low, high = min(values), max(values)
    least = 0.5 if axis_.log else max(axis_.least, 1e-3 * max(abs(low), abs(high)), 1e-12)
    room = max((high - low) * _SHARE_OF_ROOM, (least - (high - low)) / 2)
    return max(axis_.bounds[0], low - room), min(axis_.bounds[1], high + room)


def _ticks(axis_: ValueAxis, low: float, high: float) -> dict[str, Any]:
    if not axis_.log:
        return {"nticks": 6}
    decades = high - low
    shared = {"type": "log", "tickformat": ".0e" if low < -2 or high > 4 else "~g"}  # noqa: PLR2004
    if decades < 1:
        # Of 1, 2 and 5 one alone may lie within.
        powers = range(math.floor(low), math.ceil(high) + 1)
        return shared | {"tickvals": [factor * 10.0**power for power in powers for factor in _WITHIN_A_DECADE]}
    step = "D2" if decades < _MOST_DECADES_WITH_HALVES else max(1, math.ceil(decades / _MOST_DECADE_TICKS))
    return shared | {"dtick": step}


def _labels(
    lines: Sequence[Line], ink: Ink, axis_: ValueAxis, limits: tuple[float, float], height: int
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for group in dict.fromkeys(line.group for line in lines):
        members = [(line, end) for line in lines if line.group == group and (end := _end(line, axis_)) is not None]
        found += _group_labels(group, members, ink, limits, height)
    return found


def _group_labels(
    group: str,
    ends: Sequence[tuple[Line, tuple[float, float]]],
    ink: Ink,
    limits: tuple[float, float],
    height: int,
) -> list[dict[str, Any]]:
    pixels = [height * (y - limits[0]) / (limits[1] - limits[0]) for _, (_, y) in ends]
    shifts = _inside(spread(pixels, _LABEL_GAP), _LABEL_GAP / 2, height - _LABEL_GAP / 2)
    return [
        {
            "name": f"label:{group}",
            "visible": line.labelled,
            "text": plain_text(line.label),
            "x": x,
            "y": y,  # Plotly wants the power of ten on a logarithmic axis
            "xanchor": "left",
            "xshift": 7,
            "yshift": shift - place,
            "showarrow": False,
            "font": {"color": readable(line.color, ink.surface), "size": FONT_SIZE - 1},
        }
        for (line, (x, y)), shift, place in zip(ends, shifts, pixels, strict=True)
    ]


def _inside(places: Sequence[float], low: float, high: float) -> list[float]:
    """The places, in unchanged order, with those that stand outside pushed in and their neighbours before them."""
    result = list(places)
    order = sorted(range(len(result)), key=lambda place: result[place])
    for places_in_order, edge, sign in ((order, low, 1), (order[::-1], high, -1)):
        bound = edge
        for place in places_in_order:
            if sign * (result[place] - bound) < 0:
                result[place] = bound
            bound = result[place] + sign * _LABEL_GAP
    return result


def _end(line: Line, axis_: ValueAxis) -> tuple[float, float] | None:
    pairs = zip(line.x, (_scaled(value, axis_) for value in line.y), strict=True)
    known = [(x, y) for x, y in pairs if y is not None]
    return known[-1] if known else None
