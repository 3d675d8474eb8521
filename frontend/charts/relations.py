"""Charts in which a run is a point or a path: a field against a metric, all fields at once, speed against accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.contract import Backprop
from frontend.charts.hues import Hues
from frontend.charts.look import NOTHING, axis, layout
from frontend.charts.traces import View
from frontend.labels import plain_text, short_names
from frontend.palette import RunStyle, run_style

_PERCENT = ("accuracy",)
_MARGIN = {"l": 56, "r": 16, "t": 32, "b": 46}  # px
_PARALLEL_MARGIN = {"l": 40, "r": 40, "t": 32, "b": 66}
_WIDTH = 700  # px, of a chart that does not say how wide it is
_TITLE_ROOM = 76  # px that the title of an upright axis needs
_LINE_LENGTH = 13  # characters of its lines
_FALLING = ("cost", "seconds")
_RISING = ("accuracy", "images_per_second")


@dataclass(frozen=True)
class RunPoint:
    """A run with single numbers: configuration by field, results by metric; None where one is unknown."""

    run_id: int
    label: str
    backprop: Backprop
    palette_index: int
    config: Mapping[str, Any]
    results: Mapping[str, float | None]

    @property
    def style(self) -> RunStyle:
        """How it is drawn."""
        return run_style(self.backprop, self.palette_index)

    def value(self, name: str) -> Any:
        """A result as it is shown (accuracies in percent), or a field: a number or a word."""
        value = self.results[name] if name in self.results else self.config.get(name)
        if isinstance(value, list):
            return " ".join(map(str, value)) or "none"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value * 100 if isinstance(value, float) and name.endswith(_PERCENT) else value


def scatter_figure(points: Sequence[RunPoint], x: str, y: str, view: View, color: str = "") -> dict[str, Any]:
    """One point a run: any field or result against any other; in its own colour, or in that of a value."""
    kept = _kept(points, x, y)
    hues = _hues(kept, color, view)
    axes = {f"{direction}axis": _axis(view, name, kept, direction) for direction, name in (("x", x), ("y", y))}
    return {
        "data": [
            _points(kept, [point.value(x) for point in kept], [point.value(y) for point in kept], view, hues, (x, y)),
            *_key(hues),
        ],
        "layout": {
            **layout(view.ink),
            "margin": _MARGIN,
            "showlegend": False,
            "hovermode": "closest",
            **axes,
            **({} if hues is None else hues.layout(_MARGIN)),
            "meta": {
                "fields": [x, y],
                "color": color,
                # A logarithmic axis has no place for zero, for what is below, or for words.
                "linear": [way for way in view.log if axes[f"{way}axis"].get("type") != "log"],
            },
        },
    }


def pareto_figure(points: Sequence[RunPoint], x: str, y: str, view: View, color: str = "") -> dict[str, Any]:
    """What a run took against what it reached, and the line of those that no other run beats in both."""
    figure = scatter_figure(points, x, y, view, color)
    kept = _kept(points, x, y)
    best = front([float(point.value(x)) for point in kept], [float(point.value(y)) for point in kept], y, x)
    line = {
        "type": "scatter",
        "x": [kept[place].value(x) for place in best],
        "y": [kept[place].value(y) for place in best],
        "meta": {"front": [kept[place].run_id for place in best]},
        "mode": "lines",
        "line": {"color": view.ink.muted, "width": 1, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    figure["data"].insert(0, line)
    return figure


def front(cost: Sequence[float], gain: Sequence[float], name: str, cost_name: str = "seconds") -> list[int]:
    """The places, cheapest first, of those for which nothing else is both as cheap and as good and better in one.

    Of costs, seconds and settings less is better, of accuracies and speed more.
    """
    gains = [-value for value in gain] if name.endswith(_FALLING) else list(gain)
    costs = [-value for value in cost] if cost_name.endswith(_RISING) else list(cost)
    found: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -gains[place])):
        if not found or gains[place] > gains[found[-1]]:
            found.append(place)
    return found


def parallel_figure(points: Sequence[RunPoint], names: Sequence[str], view: View, color: str = "") -> dict[str, Any]:
    """One path a run over one upright axis a field or result, each scaled from its smallest to its largest value."""
    hues = _hues(points, color, view)
    room = (view.width or _WIDTH) / max(1, len(names))
    scales = {name: _Scale([point.value(name) for point in points]) for name in names}
    labels = short_names([point.label for point in points])
    traces = [
        {
            "type": "scatter",
            "x": list(range(len(names))),
            "y": [scales[name].place(point.value(name)) for name in names],
            "name": plain_text(label),
            "text": [plain_text(f"{_words(name)} {_shown(point.value(name))}") for name in names],
            "meta": {"run_id": point.run_id, "label": label},
            "mode": "lines+markers",
            "line": {"color": _color(point, hues, view), "width": 1.5},
            "marker": {"color": _color(point, hues, view), "symbol": point.style.marker, "size": 5},
            "opacity": 0.8,
            "showlegend": False,
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        }
        for point, label in zip(points, labels, strict=True)
    ]
    ends = [
        {
            "x": place,
            "y": end,
            "text": plain_text(text),
            "showarrow": False,
            "yshift": 10 if end else -10,
            "font": {"color": view.ink.muted, "size": 11},
        }
        for place, name in enumerate(names)
        for end, text in zip((0, 1), scales[name].ends, strict=True)
    ]
    return {
        "data": [*traces, *_key(hues)],
        "layout": {
            **layout(view.ink),
            "margin": _PARALLEL_MARGIN,
            "showlegend": False,
            "hovermode": "closest",
            "annotations": ends,
            "xaxis": {
                **axis(view.ink, ""),
                "tickvals": list(range(len(names))),
                "ticktext": [_lines(_title(name, view)) for name in names],
                "tickangle": 0 if room >= _TITLE_ROOM else -40,
                "tickfont": {"size": 11},
                "range": [-0.2, max(1, len(names)) - 0.8],
                "gridcolor": view.ink.grid,
                "fixedrange": True,
            },
            "yaxis": {"visible": False, "range": [-0.12, 1.12], "fixedrange": True},
            **({} if hues is None else hues.layout(_PARALLEL_MARGIN)),
            "meta": {"fields": list(names), "color": color, "linear": []},
        },
    }


class _Scale:
    """Where values stand between 0 and 1: numbers by size, words in alphabetical order."""

    def __init__(self, values: Sequence[Any]) -> None:
        known = [value for value in values if value is not None]
        self._words = None if all(isinstance(value, int | float) for value in known) else sorted(set(map(str, known)))
        self._low, self._high = (0.0, 1.0)
        if self._words is None and known:
            self._low, self._high = float(min(known)), float(max(known))

    @property
    def ends(self) -> tuple[str, str]:
        """The words at its foot and its top."""
        if self._words is not None:
            return (_shown(self._words[0]), _shown(self._words[-1])) if self._words else ("", "")
        return _shown(self._low), _shown(self._high)

    def place(self, value: Any) -> float | None:
        """Where a value stands; None where there is none, the middle where all are equal."""
        if value is None:
            return None
        if self._words is not None:
            return self._words.index(str(value)) / (len(self._words) - 1) if len(self._words) > 1 else 0.5
        return (float(value) - self._low) / (self._high - self._low) if self._high > self._low else 0.5


def _points(
    points: Sequence[RunPoint],
    xs: list[Any],
    ys: list[Any],
    view: View,
    hues: Hues | None,
    names: tuple[str, str],
) -> Any:
    labels = short_names([point.label for point in points])
    return {
        "type": "scatter",
        "x": [str(x) if isinstance(x, str) else x for x in xs],
        "y": ys,
        "text": [plain_text(label) for label in labels],
        "meta": {"run_ids": [point.run_id for point in points], "of": list(names)},
        "mode": "markers",
        "marker": {
            "color": [_color(point, hues, view) for point in points],
            "symbol": [point.style.marker for point in points],
            "size": 9,
            "line": {"color": view.ink.surface, "width": 1},
        },
        "showlegend": False,
        "hovertemplate": f"%{{text}}<br>{_words(names[0])} %{{x}}<br>{_words(names[1])} %{{y}}<extra></extra>",
    }


def _axis(view: View, name: str, points: Sequence[RunPoint], direction: str) -> dict[str, Any]:
    words = any(isinstance(point.value(name), str) for point in points)
    shared = axis(view.ink, _title(name, view))
    if words:
        return shared | {"type": "category", "categoryorder": "category ascending"}
    if direction in view.log and all(point.value(name) > 0 for point in points):
        return shared | {"type": "log"}
    return shared | {"nticks": 7}


def _title(name: str, view: View) -> str:
    words = _words(name)
    if name.startswith("at_"):
        words = f"{_words(name.removeprefix('at_'))} at epoch {view.epoch or NOTHING}"
    if name.endswith("accuracy"):
        return f"{words}, %"
    if name.endswith("cost"):
        return f"{words}, nats"
    return f"{words.replace('seconds', 'time')}, s" if name.endswith("seconds") else words


def _lines(title: str) -> str:
    """A title of an upright axis, on as many lines as it has words but the short ones."""
    lines: list[str] = []
    for word in title.split():
        if lines and len(lines[-1]) + len(word) < _LINE_LENGTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "<br>".join(lines)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _hues(points: Sequence[RunPoint], name: str, view: View) -> Hues | None:
    if not name:
        return None
    return Hues(name, _title(name, view), [point.value(name) for point in points], view)


def _key(hues: Hues | None) -> list[dict[str, Any]]:
    return [] if hues is None else hues.key


def _color(point: RunPoint, hues: Hues | None, view: View) -> str:
    return point.style.in_theme(view.theme) if hues is None else hues.color(point.value(hues.name))


def _kept(points: Sequence[RunPoint], x: str, y: str) -> list[RunPoint]:
    return [point for point in points if point.value(x) is not None and point.value(y) is not None]
