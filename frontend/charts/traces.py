"""Lines over epochs, steps or time, for single runs and for groups: the parts of which such a figure is made."""

import html
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.analysis import X, reduced, x_title
from backend.contract import Reference
from frontend.charts.look import FONT_SIZE, INKS, Ink, Theme, above_plot, axis, layout, tick_step
from frontend.labels import plain_text, spread
from frontend.palette import LIGHT_SURFACE, RunStyle, text_color

Floats = NDArray[np.float64]
Trace = dict[str, Any]

MAX_DIRECT_LABELS = 6  # runs or groups; more would not fit beside each other; then there is a legend
MAX_LABELLED_LINES = 4  # of more, only those of one split have a label
MAX_MARKS = 24  # markers on a line; more would hide it
MAX_MARKS_OF_MANY = 6  # the same, where lines are too many for direct labels
MAX_UNIFIED_LINES = 10  # more would not fit into one hover box
MAX_POINTS = 44_000  # of all lines of a figure together: two figures of 200 lines stay within 1 MB
FEWEST_POINTS = 64  # of a line, however many there are
MARK_SYMBOLS = {"NaN": "x", "Infinity": "triangle-up", "-Infinity": "triangle-down"}
SPLITS = ("train", "test")  # test is drawn last, above

BAND_OPACITY = 0.18
MEMBER_OPACITY = 0.25
RAW_OPACITY = 0.3

GLYPHS = {"test": {"circle": "●", "diamond": "◆"}, "train": {"circle": "○", "diamond": "◇"}}
_LABEL_GAP = 16  # px between the middles of two labels
_PLOT_HEIGHT = 300  # px, assumed where labels are spread: a page spreads them again by its own height
_CHARACTER_WIDTH = 6.8  # px, on average
_MARGIN_RIGHT = 16  # px
_MOST_ROOM = 0.9  # epochs left of the first one: the axis never reaches an epoch 0, which there is not


@dataclass(frozen=True)
class Quantity:
    """What is drawn upwards. `metric` is without its split; a value times `factor` is in `unit`."""

    metric: str
    title: str
    decimals: int
    factor: float
    unit: str
    y_axis: Mapping[str, object]


ACCURACY = Quantity("accuracy", "accuracy, %", 2, 100.0, " %", {"autorangeoptions": {"clipmin": 0, "clipmax": 100}})
COST = Quantity("cost", "cost, nats", 4, 1.0, " nats", {"rangemode": "tozero"})


@dataclass(frozen=True)
class View:
    """How lines are shown.

    Attributes:
        x: what they are drawn over.
        log: the axes that are logarithmic, `x`, `y` or both.
        width: pixels of the plot, to which lines are reduced; 0 draws every point.
        epoch: that of results at an epoch, counted from 1; None where no run has one.
    """

    theme: Theme = "light"
    splits: Collection[str] = SPLITS
    references: Sequence[Reference] = ()
    x: X = "epoch"
    log: Collection[str] = ()
    width: int = 0
    epoch: int | None = None

    @property
    def shown(self) -> list[str]:
        """The splits in the order in which they are drawn."""
        return [split for split in SPLITS if split in self.splits]

    @property
    def ink(self) -> Ink:
        """The colours of the theme."""
        return INKS[self.theme]


@dataclass(frozen=True)
class Line:
    """One line of a figure, and what stands behind it.

    Attributes:
        key: `{"run_id": 7}` or `{"group": "1f3a9c02"}`: by it and its metric a line is found.
        label: the name of its run or group, short; `name` is what tells the line from all others.
        x, y: [points], rising and in the metric's own unit; NaN where there is no value.
        raw: [points] the values before smoothing; None where it was not smoothed.
        band: [points] low and high; None where there is none.
        n: [points] of a group, how many runs each point is made of.
        members: of a group, x and y of each run, where they are to be seen.
        marks: x and word of the values that are not finite.
    """

    key: Mapping[str, object]
    label: str
    name: str
    split: str
    style: RunStyle
    x: Floats
    y: Floats
    raw: Floats | None = None
    band: tuple[Floats, Floats] | None = None
    n: NDArray[np.int64] | None = None
    band_name: str = ""
    members: Sequence[tuple[Floats, Floats]] = ()
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)

    def color(self, theme: Theme) -> str:
        """Its colour in a theme."""
        return self.style.color if theme == "light" else self.style.dark_color


def lines_figure(quantity: Quantity, lines: Sequence[Line], view: View) -> dict[str, Any]:
    """The figure as Plotly's JSON names its parts, with NumPy arrays for columns. `lines` stand split by split."""
    ink, owners = view.ink, list(dict.fromkeys(tuple(line.key.items()) for line in lines))
    labels = _labels(quantity, lines, view) if len(owners) <= MAX_DIRECT_LABELS else []
    budget = _budget(lines, view)
    traces = [
        _reference(quantity, reference, split, points, view)
        for reference in view.references
        for split in view.shown
        if view.x == "epoch" and (points := reference.points.get(f"{split}_{quantity.metric}"))
    ]
    traces += [_band(quantity, line, view, line.band, budget) for line in lines if line.band is not None]
    for line in lines:
        traces += [_behind(quantity, line, view, x, y, budget, MEMBER_OPACITY, "member_of") for x, y in line.members]
        if line.raw is not None:
            traces.append(_behind(quantity, line, view, line.x, line.raw, budget, RAW_OPACITY, "raw_of"))
    for line in lines:
        traces.append(_trace(quantity, line, view, budget, is_labelled=bool(labels)))
    for place, owner in enumerate(owners):
        traces += [
            _marks(quantity, line, view, place) for line in lines if line.marks and tuple(line.key.items()) == owner
        ]
    annotations = [
        *labels,
        *([above_plot("key", "test: solid line, train: dashed line", ink, 6)] if len(view.shown) > 1 else []),
    ]
    return {"data": traces, "layout": _layout(quantity, lines, view, labels, annotations)}


def _budget(lines: Sequence[Line], view: View) -> int:
    """How many points each line may have: two a pixel, fewer where lines are many."""
    if not view.width:
        return max([2, *(len(line.x) for line in lines), *(len(x) for line in lines for x, _ in line.members)])
    drawn = sum(1 + len(line.members) + (line.raw is not None) + 2 * (line.band is not None) for line in lines)
    return max(FEWEST_POINTS, min(2 * view.width, MAX_POINTS // max(1, drawn)))


def _places(x: Floats, y: Floats, view: View, budget: int) -> NDArray[np.int64]:
    if "x" in view.log and len(x) and x[0] > 0:
        return reduced(y, budget, np.log(x))
    return reduced(y, budget, x)


def _trace(quantity: Quantity, line: Line, view: View, budget: int, *, is_labelled: bool) -> Trace:
    metric, is_test = f"{line.split}_{quantity.metric}", line.split == "test"
    color = line.color(view.theme)
    places = _places(line.x, line.y, view, budget)
    meta: dict[str, object] = {**line.key, "metric": metric, "label": line.label}
    if len(places) < len(line.x):
        meta["of"] = len(line.x)
    trace: Trace = {
        "type": "scatter",
        "x": times(line.x[places], view),
        "y": line.y[places] * quantity.factor,
        "name": plain_text(line.name),
        "meta": meta,
        "legendgroup": str(next(iter(line.key.values()))),
        "showlegend": line.split == view.shown[-1] and not is_labelled,
        "legendrank": 1 if is_test else 2,  # a hover box too has test first
        "mode": "lines+markers",
        "line": {"color": color, "width": 2 if is_test else 1.25, "dash": "solid" if is_test else "5px,4px"},
        "marker": {
            "color": color,
            "symbol": line.style.marker if is_test else f"{line.style.marker}-open",
            "size": 6 if is_test else 4,
            "maxdisplayed": MAX_MARKS if is_labelled else MAX_MARKS_OF_MANY,
        },
        "opacity": 1 if is_test else 0.85,
        "connectgaps": False,
        "cliponaxis": False,
        # The name is not written into the template: braces and per cent signs of users would act there.
        "hovertemplate": f"%{{y:.{quantity.decimals}f}}{quantity.unit}<extra>%{{fullData.name}}</extra>",
    }
    if line.n is not None:
        low, high = line.band or (np.full(len(line.x), np.nan),) * 2
        trace["customdata"] = [
            _behind_words(quantity, line.band_name, *point)
            for point in zip(low[places], high[places], line.n[places], strict=True)
        ]
        trace["hovertemplate"] = (
            f"%{{y:.{quantity.decimals}f}}{quantity.unit}%{{customdata}}<extra>%{{fullData.name}}</extra>"
        )
    return trace


def _behind_words(quantity: Quantity, band_name: str, low: float, high: float, n: int) -> str:
    """What a hover box says of a group's point after its value."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return f" (n = {n})"
    low, high = low * quantity.factor, high * quantity.factor
    return f" ({band_name} {low:.{quantity.decimals}f} to {high:.{quantity.decimals}f}, n = {n})"


def _behind(
    quantity: Quantity, line: Line, view: View, x: Floats, y: Floats, budget: int, opacity: float, role: str
) -> Trace:
    """A faint line: a member of a group, or values before they were smoothed."""
    places = _places(x, y, view, budget)
    return {
        "type": "scatter",
        "x": times(x[places], view),
        "y": y[places] * quantity.factor,
        "meta": {**line.key, role: f"{line.split}_{quantity.metric}"},
        "legendgroup": str(next(iter(line.key.values()))),
        "showlegend": False,
        "mode": "lines",
        "line": {"color": line.color(view.theme), "width": 1},
        "opacity": opacity,
        "connectgaps": False,
        "hoverinfo": "skip",
    }


def _band(quantity: Quantity, line: Line, view: View, band: tuple[Floats, Floats], budget: int) -> Trace:
    """What lies between low and high: one outline for every stretch in which both are known."""
    low, high = band
    if "y" in view.log:
        low = np.where(low > 0, low, np.nanmin(low[low > 0], initial=np.inf) if (low > 0).any() else np.nan)
    places = np.union1d(_places(line.x, low, view, budget), _places(line.x, high, view, budget))
    x, low, high = line.x[places], low[places], high[places]
    known = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    xs: list[Floats] = []
    ys: list[Floats] = []
    for start, end in edges.reshape(-1, 2):
        xs += [x[start:end], x[start:end][::-1], np.array([np.nan])]
        ys += [high[start:end], low[start:end][::-1], np.array([np.nan])]
    return {
        "type": "scatter",
        "x": times(np.concatenate(xs[:-1] or [np.empty(0)]), view),
        "y": np.concatenate(ys[:-1] or [np.empty(0)]) * quantity.factor,
        "meta": {**line.key, "band_of": f"{line.split}_{quantity.metric}"},
        "legendgroup": str(next(iter(line.key.values()))),
        "showlegend": False,
        "mode": "none",
        "fill": "toself",
        "fillcolor": transparent(line.color(view.theme), BAND_OPACITY),
        "hoverinfo": "skip",
    }


def _reference(
    quantity: Quantity, reference: Reference, split: str, points: Sequence[tuple[int, float]], view: View
) -> Trace:
    """A published curve: a marker at each epoch that is known, and between them a line that claims nothing."""
    return {
        "type": "scatter",
        "x": [epoch + 1 for epoch, _ in points],
        "y": [value * quantity.factor for _, value in points],
        "name": f"{reference.title}, {split}",
        "meta": {"reference": reference.name, "reference_metric": f"{split}_{quantity.metric}"},
        "showlegend": False,
        "mode": "lines+markers",
        "line": {"color": view.ink.muted, "width": 1, "dash": "dot"},
        "marker": {"color": view.ink.muted, "symbol": "square" if split == "test" else "square-open", "size": 6},
        "cliponaxis": True,
        "hovertemplate": f"%{{y:.{quantity.decimals}f}}{quantity.unit}<extra>%{{fullData.name}}</extra>",
    }


def _marks(quantity: Quantity, line: Line, view: View, place: int) -> Trace:
    """Where a value was not finite: NaN and minus infinity at the plot's foot, infinity at its top."""
    step = 0.03 + 0.05 * (place % 8)
    words = [word for _, word in line.marks]
    return {
        "type": "scatter",
        "x": times(np.array([x for x, _ in line.marks], dtype=np.float64), view),
        "y": [1 - step if word == "Infinity" else step for word in words],
        "yaxis": "y2",
        "text": words,
        "name": plain_text(line.name),
        "meta": {**line.key, "non_finite_of": f"{line.split}_{quantity.metric}"},
        "legendgroup": str(next(iter(line.key.values()))),
        "showlegend": False,
        "mode": "markers",
        "marker": {"color": line.color(view.theme), "symbol": [MARK_SYMBOLS[word] for word in words], "size": 10},
        "hovertemplate": f"{line.split} {quantity.metric} is %{{text}}<extra>%{{fullData.name}}</extra>",
    }


def _labels(quantity: Quantity, lines: Sequence[Line], view: View) -> list[dict[str, Any]]:
    """Direct labels at the lines' last points, none upon another; that of a line without a point is not visible."""
    fits = len(lines) <= MAX_LABELLED_LINES
    lines = [line for line in lines if fits or line.split == view.shown[-1]]
    ends = [_end(quantity, line, view) for line in lines]
    values = [value for line in lines for value in _finite(line.y * quantity.factor)]
    height = (max(values) - min(values)) if values else 0
    pixels = [_PLOT_HEIGHT * end[1] / height if end and height else 0.0 for end in ends]
    known = [place for place, end in enumerate(ends) if end is not None]
    shifts = dict(zip(known, spread([pixels[place] for place in known], _LABEL_GAP), strict=True))
    return [
        {
            "name": f"label:{next(iter(line.key.values()))}:{line.split}_{quantity.metric}",
            "visible": end is not None,
            "x": end[0] if end else 0,
            "y": end[1] if end else 0,
            "text": f"{GLYPHS[line.split][line.style.marker]} {plain_text(line.name if fits else line.label)}",
            "xanchor": "left",
            "xshift": 8,
            "yshift": shifts.get(place, 0.0) - pixels[place],
            "showarrow": False,
            "font": {"color": _label_color(line.style, view.ink), "size": FONT_SIZE},
        }
        for place, (line, end) in enumerate(zip(lines, ends, strict=True))
    ]


def _finite(values: Floats) -> Iterator[float]:
    yield from values[np.isfinite(values)].tolist()


def _end(quantity: Quantity, line: Line, view: View) -> tuple[object, float] | None:
    known = np.flatnonzero(np.isfinite(line.y))
    if len(known) == 0:
        return None
    x, y = times(line.x[known[-1:]], view)[0], float(line.y[known[-1]]) * quantity.factor
    # On a logarithmic axis an annotation stands at the logarithm.
    x = float(np.log10(x)) if "x" in view.log and float(x) > 0 else x if isinstance(x, str) else float(x)
    return x, float(np.log10(y)) if "y" in view.log and y > 0 else y


def _label_color(style: RunStyle, ink: Ink) -> str:
    return text_color(style.color, ink.surface) if ink.surface == LIGHT_SURFACE else style.dark_color


def _layout(
    quantity: Quantity,
    lines: Sequence[Line],
    view: View,
    labels: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    longest = max((len(html.unescape(str(label["text"]))) for label in labels), default=0)
    return {
        **layout(view.ink),
        "margin": {"l": 56, "r": _MARGIN_RIGHT + longest * _CHARACTER_WIDTH, "t": 32, "b": 46},
        "annotations": list(annotations),
        "showlegend": not labels and bool(lines),
        "hovermode": "x unified" if len(lines) <= MAX_UNIFIED_LINES else "closest",
        "xaxis": x_axis(view, max((int(line.x[-1]) for line in lines if len(line.x)), default=1)),
        "yaxis": y_axis(quantity, view),
        # Where marks stand that have no value: from the plot's foot (0) to its top (1).
        "yaxis2": {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False},
    }


def x_axis(view: View, last: int) -> dict[str, Any]:
    """The axis below: whole epochs up to the last one, or whatever else lines are drawn over."""
    shared = {
        **axis(view.ink, x_title(view.x)),
        "showgrid": False,
        "spikethickness": 1,
        "spikecolor": view.ink.muted,
        "spikedash": "solid",
        "unifiedhovertitle": {"text": f"{view.x} %{{x}}"},
    }
    if "x" in view.log:
        return shared | {"type": "log", "dtick": "D2"}
    if view.x == "wall":
        return shared | {"type": "date"}
    if view.x != "epoch":
        return shared | {"rangemode": "tozero"}
    room = max(0.25, (last - 1) * 0.02)
    return shared | {"range": [1 - min(room, _MOST_ROOM), last + room], "tick0": 0, "dtick": tick_step(last)}


def y_axis(quantity: Quantity, view: View) -> dict[str, Any]:
    """The axis on the left, with its unit."""
    if "y" in view.log:
        return {**axis(view.ink, f"{quantity.title} (logarithmic)"), "type": "log"}
    return {**axis(view.ink, quantity.title), **quantity.y_axis}


def times(x: Floats, view: View) -> Any:
    """Places on the axis: numbers, or on the axis of the time of day dates as Plotly reads them."""
    if view.x != "wall":
        return x
    words = np.datetime_as_string((x * 1000).astype("datetime64[ms]")).tolist()
    return [None if word == "NaT" else word for word in words]


def transparent(color: str, opacity: float) -> str:
    """#RRGGBB with an opacity, as CSS has it."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
