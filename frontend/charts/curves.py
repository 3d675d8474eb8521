"""Accuracy and cost by epoch."""

import html
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from backend.contract import Backprop, Reference
from frontend.charts.look import FONT_SIZE, INKS, Ink, Theme, axis, layout, tick_step
from frontend.labels import plain_text, short_names, spread
from frontend.palette import LIGHT_SURFACE, run_style, text_color

MAX_DIRECT_LABELS = 6  # runs; more would not fit beside each other; then there is a legend
MAX_LABELLED_LINES = 4  # of more, only those of one split have a label
MAX_MARKS = 24  # markers on a line; more would hide it
MAX_MARKS_OF_MANY = 6  # the same, where lines are too many for direct labels
MAX_UNIFIED_LINES = 10  # more would not fit into one hover box

_GLYPHS = {
    "test": {Backprop.MANUAL: "●", Backprop.DILATED: "◆"},
    "train": {Backprop.MANUAL: "○", Backprop.DILATED: "◇"},
}
_LABEL_GAP = 16  # px between the middles of two labels
_PLOT_HEIGHT = 300  # px, assumed where labels are spread: a page spreads them again by its own height
_CHARACTER_WIDTH = 6.8  # px, on average
_MARGIN_RIGHT = 16  # px
_MOST_ROOM = 0.9  # epochs left of the first one: the axis never reaches an epoch 0, which there is not
_SPLITS = ("train", "test")  # test is drawn last, above


@dataclass(frozen=True)
class RunSeries:
    """What a figure needs of a run.

    Attributes:
        label: the run's name, as its user typed it.
        epochs: 0-based numbers, rising; each column is as long.
        columns: values by metric; None where a value is unknown or not finite.
        non_finite: by metric and epoch, which values were "NaN", "Infinity" or "-Infinity".
    """

    run_id: int
    label: str
    backprop: Backprop
    palette_index: int
    epochs: Sequence[int]
    columns: Mapping[str, Sequence[float | None]]
    non_finite: Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class _Line:
    run: RunSeries
    split: str
    label: str  # the run's name, short
    name: str  # what tells the line from the others: the run, the split, or both


@dataclass(frozen=True)
class _Quantity:
    metric: str  # without its split
    title: str
    decimals: int
    factor: float
    unit: str
    y_axis: Mapping[str, object]


_ACCURACY = _Quantity("accuracy", "accuracy, %", 2, 100.0, " %", {"autorangeoptions": {"clipmin": 0, "clipmax": 100}})
_COST = _Quantity("cost", "cost, nats", 4, 1.0, " nats", {"rangemode": "tozero"})


def accuracy_figure(
    series: Sequence[RunSeries],
    *,
    theme: Theme = "light",
    splits: Collection[str] = _SPLITS,
    references: Sequence[Reference] = (),
) -> go.Figure:
    """Accuracy in percent by epoch: test solid, train dashed; published curves dotted and grey."""
    return _figure(_ACCURACY, series, theme, splits, references)


def cost_figure(
    series: Sequence[RunSeries],
    *,
    theme: Theme = "light",
    splits: Collection[str] = _SPLITS,
    references: Sequence[Reference] = (),
) -> go.Figure:
    """Mean cost in nats by epoch: test solid, train dashed; published curves dotted and grey."""
    return _figure(_COST, series, theme, splits, references)


def _figure(
    quantity: _Quantity,
    series: Sequence[RunSeries],
    theme: Theme,
    splits: Collection[str],
    references: Sequence[Reference],
) -> go.Figure:
    ink, shown = INKS[theme], [split for split in _SPLITS if split in splits]
    lines = _lines(series, shown)
    labels = _labels(quantity, lines, shown, ink) if len(series) <= MAX_DIRECT_LABELS else []
    figure = go.Figure(layout=_layout(quantity, series, ink, len(lines), labels))
    for reference in references:
        for split in shown:
            if points := reference.points.get(f"{split}_{quantity.metric}"):
                figure.add_scatter(**_reference(quantity, reference, split, points, ink))
    for line in lines:
        figure.add_scatter(**_trace(quantity, line, theme, is_labelled=bool(labels), is_last=line.split == shown[-1]))
    for place, run in enumerate(series):
        for line in lines:
            if line.run is run and (marks := _marks(quantity, line, theme, place)):
                figure.add_scatter(**marks)
    if len(shown) > 1:
        figure.add_annotation(_key(ink))
    return figure


def _lines(series: Sequence[RunSeries], shown: Sequence[str]) -> list[_Line]:
    labels = short_names([run.label for run in series])

    def name(label: str, split: str) -> str:
        if len(shown) == 1:
            return label
        return split if len(series) == 1 else f"{label}, {split}"

    pairs = list(zip(series, labels, strict=True))
    return [_Line(run, split, label, name(label, split)) for split in shown for run, label in pairs]


def _trace(quantity: _Quantity, line: _Line, theme: Theme, *, is_labelled: bool, is_last: bool) -> dict[str, object]:
    run, metric, is_test = line.run, f"{line.split}_{quantity.metric}", line.split == "test"
    style = run_style(run.backprop, run.palette_index)
    color = style.color if theme == "light" else style.dark_color
    return {
        "x": [epoch + 1 for epoch in run.epochs],
        "y": [None if value is None else value * quantity.factor for value in run.columns.get(metric, [])],
        "name": plain_text(line.name),
        "meta": {"run_id": run.run_id, "metric": metric, "label": line.label},
        "legendgroup": str(run.run_id),
        "showlegend": is_last and not is_labelled,
        "legendrank": 1 if is_test else 2,  # a hover box too has test first
        "mode": "lines+markers",
        "line": {"color": color, "width": 2 if is_test else 1.25, "dash": "solid" if is_test else "5px,4px"},
        "marker": {
            "color": color,
            "symbol": style.marker if is_test else f"{style.marker}-open",
            "size": 6 if is_test else 4,
            "maxdisplayed": MAX_MARKS if is_labelled else MAX_MARKS_OF_MANY,
        },
        "opacity": 1 if is_test else 0.85,
        "connectgaps": False,
        "cliponaxis": False,
        # The name is not written into the template: braces and per cent signs of users would act there.
        "hovertemplate": f"%{{y:.{quantity.decimals}f}}{quantity.unit}<extra>%{{fullData.name}}</extra>",
    }


def _reference(
    quantity: _Quantity, reference: Reference, split: str, points: Sequence[tuple[int, float]], ink: Ink
) -> dict[str, object]:
    """A published curve: a marker at each epoch that is known, and between them a line that claims nothing."""
    is_test = split == "test"
    return {
        "x": [epoch + 1 for epoch, _ in points],
        "y": [value * quantity.factor for _, value in points],
        "name": f"{reference.title}, {split}",
        "meta": {"reference": reference.name, "reference_metric": f"{split}_{quantity.metric}"},
        "showlegend": False,
        "mode": "lines+markers",
        "line": {"color": ink.muted, "width": 1, "dash": "dot"},
        "marker": {"color": ink.muted, "symbol": "square" if is_test else "square-open", "size": 6},
        "cliponaxis": True,
        "hovertemplate": f"%{{y:.{quantity.decimals}f}}{quantity.unit}<extra>%{{fullData.name}}</extra>",
    }


def _marks(quantity: _Quantity, line: _Line, theme: Theme, place: int) -> dict[str, object] | None:
    """Where a value was not finite: NaN and minus infinity at the plot's foot, infinity at its top."""
    run, metric = line.run, f"{line.split}_{quantity.metric}"
    words = run.non_finite.get(metric, {})
    if not words:
        return None
    style = run_style(run.backprop, run.palette_index)
    step = 0.03 + 0.05 * (place % 8)
    symbols = {"NaN": "x", "Infinity": "triangle-up", "-Infinity": "triangle-down"}
    return {
        "x": [epoch + 1 for epoch in words],
        "y": [1 - step if word == "Infinity" else step for word in words.values()],
        "yaxis": "y2",
        "text": list(words.values()),
        "name": plain_text(line.name),
        "meta": {"run_id": run.run_id, "non_finite_of": metric},
        "legendgroup": str(run.run_id),
        "showlegend": False,
        "mode": "markers",
        "marker": {
            "color": style.color if theme == "light" else style.dark_color,
            "symbol": [symbols[word] for word in words.values()],
            "size": 10,
        },
        "hovertemplate": f"{line.split} {quantity.metric} is %{{text}}<extra>%{{fullData.name}}</extra>",
    }


def _labels(quantity: _Quantity, lines: Sequence[_Line], shown: Sequence[str], ink: Ink) -> list[dict[str, object]]:
    """Direct labels at the lines' last points, none upon another; that of a line without a point is not visible."""
    fits = len(lines) <= MAX_LABELLED_LINES
    lines = [line for line in lines if fits or line.split == shown[-1]]
    ends = [_end(quantity, line) for line in lines]
    values = [value for line in lines for value in _values(quantity, line)]
    height = (max(values) - min(values)) if values else 0
    pixels = [_PLOT_HEIGHT * end[1] / height if end and height else 0.0 for end in ends]
    known = [place for place, end in enumerate(ends) if end is not None]
    shifts = dict(zip(known, spread([pixels[place] for place in known], _LABEL_GAP), strict=True))
    return [
        {
            "name": f"label:{line.run.run_id}:{line.split}_{quantity.metric}",
            "visible": end is not None,
            "x": end[0] if end else 0,
            "y": end[1] if end else 0,
            "text": f"{_GLYPHS[line.split][line.run.backprop]} {plain_text(line.name if fits else line.label)}",
            "xanchor": "left",
            "xshift": 8,
            "yshift": shifts.get(place, 0.0) - pixels[place],
            "showarrow": False,
            "font": {"color": _label_color(line.run, ink), "size": FONT_SIZE},
        }
        for place, (line, end) in enumerate(zip(lines, ends, strict=True))
    ]


def _values(quantity: _Quantity, line: _Line) -> Iterator[float]:
    for value in line.run.columns.get(f"{line.split}_{quantity.metric}", []):
        if value is not None:
            yield value * quantity.factor


def _end(quantity: _Quantity, line: _Line) -> tuple[int, float] | None:
    column = line.run.columns.get(f"{line.split}_{quantity.metric}", [])
    known = [(epoch + 1, value) for epoch, value in zip(line.run.epochs, column, strict=False) if value is not None]
    return (known[-1][0], known[-1][1] * quantity.factor) if known else None


def _label_color(run: RunSeries, ink: Ink) -> str:
    style = run_style(run.backprop, run.palette_index)
    return text_color(style.color, ink.surface) if ink.surface == LIGHT_SURFACE else style.dark_color


def _key(ink: Ink) -> dict[str, object]:
    return {
        "name": "key",
        "text": "test: solid line, train: dashed line",
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 6,
        "showarrow": False,
        "font": {"color": ink.muted, "size": FONT_SIZE},
    }


def _layout(
    quantity: _Quantity, series: Sequence[RunSeries], ink: Ink, lines: int, labels: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    last = max((run.epochs[-1] + 1 for run in series if run.epochs), default=1)
    longest = max((len(html.unescape(str(label["text"]))) for label in labels), default=0)
    room = max(0.25, (last - 1) * 0.02)
    return {
        **layout(ink),
        "margin": {"l": 56, "r": _MARGIN_RIGHT + longest * _CHARACTER_WIDTH, "t": 32, "b": 46},
        "annotations": list(labels),
        "showlegend": not labels and bool(series),
        "hovermode": "x unified" if lines <= MAX_UNIFIED_LINES else "closest",
        "xaxis": {
            **axis(ink, "epoch"),
            "range": [1 - min(room, _MOST_ROOM), last + room],
            "tick0": 0,
            "dtick": tick_step(last),
            "showgrid": False,
            "spikethickness": 1,
            "spikecolor": ink.muted,
            "spikedash": "solid",
            "unifiedhovertitle": {"text": "epoch %{x}"},
        },
        "yaxis": {**axis(ink, quantity.title), **quantity.y_axis},
        # Where marks stand that have no value: from the plot's foot (0) to its top (1).
        "yaxis2": {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False},
    }
