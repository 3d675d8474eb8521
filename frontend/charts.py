"""Series in, Plotly figures out: the same pictures for page, script, notebook and report.

What a reader of a figure may rely on:

- a line's `meta` is `{"run_id": 7, "metric": "test_cost"}`; lines are found by it, never by their place;
- marks of values that are not finite have `{"run_id": 7, "non_finite_of": "test_cost"}` instead;
- a direct label is an annotation named `label:7:test_cost` at the line's last point; the key is named `key`;
- x counts finished epochs: the results of epoch 0 stand at 1. Accuracies are in percent, costs in nats.
"""

import html
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Literal

import plotly.graph_objects as go

from backend.contract import Backprop
from frontend.palette import DARK_SURFACE, LIGHT_SURFACE, run_style, text_color

Theme = Literal["light", "dark"]

MAX_DIRECT_LABELS = 6  # more would not fit beside each other; then there is a legend
MAX_MARKED_EPOCHS = 60  # more markers would hide their line
MAX_UNIFIED_LINES = 10  # more would not fit into one hover box
LABEL_LENGTH = 28  # characters

_GLYPHS = {Backprop.MANUAL: "●", Backprop.DILATED: "◆"}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_FONT_SIZE = 12  # px
_LABEL_GAP = 16  # px between the middles of two labels
_PLOT_HEIGHT = 300  # px, assumed where labels are spread: a page spreads them again by its own height
_CHARACTER_WIDTH = 6.8  # px, on average
_MARGIN_RIGHT = 16  # px
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
class _Ink:
    surface: str
    text: str
    muted: str
    grid: str


@dataclass(frozen=True)
class _Quantity:
    metric: str  # without its split
    title: str
    decimals: int
    factor: float
    unit: str
    y_axis: Mapping[str, object]


_INKS: Mapping[Theme, _Ink] = {
    "light": _Ink(LIGHT_SURFACE, "#1B2026", "#59626C", "#E7EAED"),
    "dark": _Ink(DARK_SURFACE, "#E4E7EA", "#9AA4AE", "#2B3137"),
}
_ACCURACY = _Quantity("accuracy", "accuracy, %", 2, 100.0, " %", {"autorangeoptions": {"clipmin": 0, "clipmax": 100}})
_COST = _Quantity("cost", "cost, nats", 4, 1.0, " nats", {"rangemode": "tozero"})


def accuracy_figure(
    series: Sequence[RunSeries], *, theme: Theme = "light", splits: Collection[str] = _SPLITS
) -> go.Figure:
    """Accuracy in percent by epoch: test solid, train dashed."""
    return _figure(_ACCURACY, series, theme, splits)


def cost_figure(series: Sequence[RunSeries], *, theme: Theme = "light", splits: Collection[str] = _SPLITS) -> go.Figure:
    """Mean cost in nats by epoch: test solid, train dashed."""
    return _figure(_COST, series, theme, splits)


FIGURES: Mapping[str, Callable[..., go.Figure]] = MappingProxyType({"accuracy": accuracy_figure, "cost": cost_figure})


def plain_text(text: str) -> str:
    """Text that Plotly shows letter by letter: no tag, no entity, no formula, no line break."""
    return html.escape(" ".join(text.split()), quote=False).replace("$", "&#36;")


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved as little as keeps neighbours `gap` apart, in unchanged order."""
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    groups: list[list[int]] = []
    middles: list[float] = []
    for place in order:
        groups.append([place])
        middles.append(positions[place])
        # Neighbours that touch move as one, around the mean of where its members want to be.
        while len(groups) > 1 and middles[-1] - middles[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            last = groups.pop()
            middles.pop()
            groups[-1] += last
            middles[-1] = sum(positions[member] for member in groups[-1]) / len(groups[-1])
    result = list(positions)
    for group, middle in zip(groups, middles, strict=True):
        for rank, place in enumerate(group):
            result[place] = middle + gap * (rank - (len(group) - 1) / 2)
    return result


def _figure(quantity: _Quantity, series: Sequence[RunSeries], theme: Theme, splits: Collection[str]) -> go.Figure:
    ink, shown = _INKS[theme], [split for split in _SPLITS if split in splits]
    labelled = [(run, split) for run in series for split in (shown if len(series) * len(shown) <= 4 else shown[-1:])]  # noqa: PLR2004
    labels = _labels(quantity, labelled, ink) if len(series) <= MAX_DIRECT_LABELS else []
    figure = go.Figure(layout=_layout(quantity, series, ink, len(series) * len(shown), labels))
    for split in shown:
        for run in series:
            figure.add_scatter(**_line(quantity, run, split, theme, in_legend=not labels and split == shown[-1]))
    for place, run in enumerate(series):
        for split in shown:
            if marks := _marks(quantity, run, split, theme, place):
                figure.add_scatter(**marks)
    if len(shown) > 1:
        figure.add_annotation(_key(ink))
    return figure


def _line(quantity: _Quantity, run: RunSeries, split: str, theme: Theme, *, in_legend: bool) -> dict[str, object]:
    metric, is_test = f"{split}_{quantity.metric}", split == "test"
    style = run_style(run.backprop, run.palette_index)
    color = style.color if theme == "light" else style.dark_color
    many = len(run.epochs) > MAX_MARKED_EPOCHS
    return {
        "x": [epoch + 1 for epoch in run.epochs],
        "y": [None if value is None else value * quantity.factor for value in run.columns.get(metric, [])],
        "name": f"{plain_text(_shortened(run.label))}, {split}",
        "meta": {"run_id": run.run_id, "metric": metric},
        "legendgroup": str(run.run_id),
        "showlegend": in_legend,
        "mode": "lines" if many else "lines+markers",
        "line": {"color": color, "width": 2 if is_test else 1.25, "dash": "solid" if is_test else "5px,4px"},
        "marker": {
            "color": color,
            "symbol": style.marker if is_test else f"{style.marker}-open",
            "size": 6 if is_test else 4,
        },
        "opacity": 1 if is_test else 0.85,
        "connectgaps": False,
        "cliponaxis": False,
        # The name is not written into the template: braces and per cent signs of users would act there.
        "hovertemplate": f"%{{y:.{quantity.decimals}f}}{quantity.unit}<extra>%{{fullData.name}}</extra>",
    }


def _marks(quantity: _Quantity, run: RunSeries, split: str, theme: Theme, place: int) -> dict[str, object] | None:
    """Where a value was not finite: NaN and minus infinity at the plot's foot, infinity at its top."""
    metric = f"{split}_{quantity.metric}"
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
        "name": f"{plain_text(_shortened(run.label))}, {split}",
        "meta": {"run_id": run.run_id, "non_finite_of": metric},
        "legendgroup": str(run.run_id),
        "showlegend": False,
        "mode": "markers",
        "marker": {
            "color": style.color if theme == "light" else style.dark_color,
            "symbol": [symbols[word] for word in words.values()],
            "size": 10,
        },
        "hovertemplate": f"{split} {quantity.metric} is %{{text}}<extra>%{{fullData.name}}</extra>",
    }


def _labels(quantity: _Quantity, lines: Sequence[tuple[RunSeries, str]], ink: _Ink) -> list[dict[str, object]]:
    """Direct labels at the lines' last points, none upon another; that of a line without a point is not visible."""
    ends = [_end(quantity, run, split) for run, split in lines]
    values = [value for run, split in lines for value in _values(quantity, run, split)]
    height = (max(values) - min(values)) if values else 0
    pixels = [_PLOT_HEIGHT * end[1] / height if end and height else 0.0 for end in ends]
    known = [place for place, end in enumerate(ends) if end is not None]
    shifts = dict(zip(known, spread([pixels[place] for place in known], _LABEL_GAP), strict=True))
    names = _line_names(lines)
    return [
        {
            "name": f"label:{run.run_id}:{split}_{quantity.metric}",
            "visible": end is not None,
            "x": end[0] if end else 0,
            "y": end[1] if end else 0,
            "text": f"{_GLYPHS[run.backprop]} {plain_text(name)}",
            "xanchor": "left",
            "xshift": 8,
            "yshift": shifts.get(place, 0.0) - pixels[place],
            "showarrow": False,
            "font": {"color": _label_color(run, ink), "size": _FONT_SIZE},
        }
        for place, ((run, split), end, name) in enumerate(zip(lines, ends, names, strict=True))
    ]


def _line_names(lines: Sequence[tuple[RunSeries, str]]) -> list[str]:
    """What tells each line from the others: the run, the split, or both."""
    names = _short_names([run.label for run, _ in lines])
    runs, splits = {run.run_id for run, _ in lines}, {split for _, split in lines}
    if len(splits) == 1:
        return names
    if len(runs) == 1:
        return [split for _, split in lines]
    return [f"{name}, {split}" for name, (_, split) in zip(names, lines, strict=True)]


def _short_names(names: Sequence[str]) -> list[str]:
    """Names short enough to stand beside a line: where one is long, all lose the words with which all begin."""
    split = [name.split() for name in names]
    if len(set(names)) > 1 and any(len(" ".join(words)) > LABEL_LENGTH for words in split):
        common = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*split, strict=False)))
        split = [words[min(common, len(words) - 1) :] for words in split]
    return [_shortened(" ".join(words)) for words in split]


def _values(quantity: _Quantity, run: RunSeries, split: str) -> Iterator[float]:
    for value in run.columns.get(f"{split}_{quantity.metric}", []):
        if value is not None:
            yield value * quantity.factor


def _end(quantity: _Quantity, run: RunSeries, split: str) -> tuple[int, float] | None:
    column = run.columns.get(f"{split}_{quantity.metric}", [])
    known = [(epoch + 1, value) for epoch, value in zip(run.epochs, column, strict=False) if value is not None]
    return (known[-1][0], known[-1][1] * quantity.factor) if known else None


def _label_color(run: RunSeries, ink: _Ink) -> str:
    style = run_style(run.backprop, run.palette_index)
    return text_color(style.color, ink.surface) if ink.surface == LIGHT_SURFACE else style.dark_color


def _key(ink: _Ink) -> dict[str, object]:
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
        "font": {"color": ink.muted, "size": _FONT_SIZE},
    }


def _layout(
    quantity: _Quantity, series: Sequence[RunSeries], ink: _Ink, lines: int, labels: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    last = max((run.epochs[-1] + 1 for run in series if run.epochs), default=1)
    longest = max((len(html.unescape(str(label["text"]))) for label in labels), default=0)
    axis = {
        "color": ink.muted,
        "gridcolor": ink.grid,
        "zeroline": False,
        "linecolor": ink.grid,
        "ticks": "",
        "title": {"font": {"color": ink.muted, "size": _FONT_SIZE}, "standoff": 8},
        "automargin": False,
    }
    room = max(0.25, (last - 1) * 0.02)
    return {
        "template": "none",
        "uirevision": "constant",  # zoom and hidden lines survive every update
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": _FONT_SIZE, "color": ink.text},
        "margin": {"l": 56, "r": _MARGIN_RIGHT + longest * _CHARACTER_WIDTH, "t": 32, "b": 46},
        "annotations": list(labels),
        "showlegend": not labels and bool(series),
        "hovermode": "x unified" if lines <= MAX_UNIFIED_LINES else "closest",
        "hoverlabel": {"bgcolor": ink.surface, "bordercolor": ink.grid, "font": {"color": ink.text}, "namelength": -1},
        "xaxis": {
            **axis,
            "title": {**axis["title"], "text": "epoch"},  # type: ignore[dict-item]
            "range": [1 - room, last + room],
            "tick0": 0,
            "dtick": _tick_step(last),
            "showgrid": False,
            "unifiedhovertitle": {"text": "epoch %{x}"},
        },
        "yaxis": {**axis, "title": {**axis["title"], "text": quantity.title}, **quantity.y_axis},  # type: ignore[dict-item]
        # Where marks stand that have no value: from the plot's foot (0) to its top (1).
        "yaxis2": {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False},
    }


def _tick_step(last: int, most: int = 8) -> int:
    """The smallest of 1, 2, 5, 10, 20, … epochs that gives at most so many ticks."""
    steps: list[int] = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    return next(step for step in steps if last <= step * most)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 1].rstrip()}…"
