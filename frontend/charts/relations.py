"""Charts in which a run is a point or a path: a field against a metric, all fields at once, speed against accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.analysis import Verdict
from backend.contract import Backprop
from frontend.charts.look import INKS, Theme, axis, layout
from frontend.charts.traces import BAND_OPACITY, View, transparent, x_axis
from frontend.labels import plain_text, short_names
from frontend.palette import RunStyle, run_style

_PERCENT = ("accuracy",)


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


def scatter_figure(points: Sequence[RunPoint], x: str, y: str, view: View) -> dict[str, Any]:
    """One point a run: any field or result against any other."""
    kept = [point for point in points if point.value(x) is not None and point.value(y) is not None]
    return {
        "data": [_points(kept, [point.value(x) for point in kept], [point.value(y) for point in kept], view, (x, y))],
        "layout": {
            **layout(view.ink),
            "margin": {"l": 56, "r": 16, "t": 32, "b": 46},
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": _axis(view, x, kept, "x"),
            "yaxis": _axis(view, y, kept, "y"),
        },
    }


def pareto_figure(points: Sequence[RunPoint], x: str, y: str, view: View) -> dict[str, Any]:
    """Cost of a run in seconds against what it reached, and the line of those that no other run beats in both."""
    figure = scatter_figure(points, x, y, view)
    kept = [point for point in points if point.value(x) is not None and point.value(y) is not None]
    best = front([float(point.value(x)) for point in kept], [float(point.value(y)) for point in kept], y)
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


def front(cost: Sequence[float], gain: Sequence[float], name: str) -> list[int]:
    """The places, cheapest first, of those for which nothing else is both as cheap and as good and better in one."""
    sign = -1.0 if name.endswith("cost") else 1.0
    found: list[int] = []
    for place in sorted(range(len(cost)), key=lambda place: (cost[place], -sign * gain[place])):
        if not found or sign * gain[place] > sign * gain[found[-1]]:
            found.append(place)
    return found


def parallel_figure(points: Sequence[RunPoint], names: Sequence[str], view: View) -> dict[str, Any]:
    """One path a run over one upright axis a field or result, each scaled from its smallest to its largest value."""
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
            "line": {"color": _color(point.style, view.theme), "width": 1.5},
            "marker": {"color": _color(point.style, view.theme), "symbol": point.style.marker, "size": 5},
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
        "data": traces,
        "layout": {
            **layout(view.ink),
            "margin": {"l": 40, "r": 40, "t": 32, "b": 46},
            "showlegend": False,
            "hovermode": "closest",
            "annotations": ends,
            "xaxis": {
                **axis(view.ink, ""),
                "tickvals": list(range(len(names))),
                "ticktext": [_words(name) for name in names],
                "range": [-0.2, max(1, len(names)) - 0.8],
                "gridcolor": view.ink.grid,
                "fixedrange": True,
            },
            "yaxis": {"visible": False, "range": [-0.12, 1.12], "fixedrange": True},
        },
    }


def difference_figure(verdict: Verdict, view: View) -> dict[str, Any]:
    """Paired differences by epoch, other minus baseline, with a 95 % interval for each epoch alone."""
    factor, unit = (100.0, "points") if verdict.metric.endswith("accuracy") else (1.0, "nats")
    differences, ink = verdict.differences, view.ink
    x = verdict.epochs + 1
    known = np.isfinite(differences.low)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]))).reshape(-1, 2)
    color = _color(run_style(Backprop.DILATED, 0), view.theme)
    bands = [
        {
            "type": "scatter",
            "x": np.concatenate([x[start:end], x[start:end][::-1]]).astype(np.float64),
            "y": np.concatenate([differences.high[start:end], differences.low[start:end][::-1]]) * factor,
            "meta": {"band_of": verdict.metric},
            "mode": "none",
            "fill": "toself",
            "fillcolor": transparent(color, BAND_OPACITY),
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for start, end in edges
    ]
    line = {
        "type": "scatter",
        "x": x.astype(np.float64),
        "y": differences.center * factor,
        "customdata": [
            f" (n = {n})" if not np.isfinite(low) else f" (95 % interval {low:.3f} to {high:.3f}, n = {n})"
            for low, high, n in zip(
                differences.low * factor, differences.high * factor, differences.n.tolist(), strict=True
            )
        ],
        "name": plain_text(f"{verdict.other} minus {verdict.baseline}"),
        "meta": {"difference": verdict.metric},
        "mode": "lines",
        "line": {"color": color, "width": 2},
        "showlegend": False,
        "connectgaps": False,
        "hovertemplate": f"%{{y:.3f}} {unit}%{{customdata}}<extra>%{{fullData.name}}</extra>",
    }
    words = _words(verdict.metric)
    return {
        "data": [*bands, line],
        "layout": {
            **layout(ink),
            "margin": {"l": 56, "r": 16, "t": 32, "b": 46},
            "showlegend": False,
            "hovermode": "x unified",
            "xaxis": x_axis(view, int(x[-1]) if len(x) else 1),
            "yaxis": {
                **axis(ink, f"difference in {words}, {unit}"),
                "zeroline": True,
                "zerolinecolor": ink.muted,
                "zerolinewidth": 1,
            },
        },
    }


def no_difference_figure(view: View) -> dict[str, Any]:
    """Empty axes, where there are no two groups."""
    return {
        "data": [],
        "layout": {**layout(view.ink), "xaxis": x_axis(view, 1), "yaxis": axis(view.ink, "difference")},
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


def _points(points: Sequence[RunPoint], xs: list[Any], ys: list[Any], view: View, names: tuple[str, str]) -> Any:
    labels = short_names([point.label for point in points])
    return {
        "type": "scatter",
        "x": [str(x) if isinstance(x, str) else x for x in xs],
        "y": ys,
        "text": [plain_text(label) for label in labels],
        "meta": {"run_ids": [point.run_id for point in points], "of": list(names)},
        "mode": "markers",
        "marker": {
            "color": [_color(point.style, view.theme) for point in points],
            "symbol": [point.style.marker for point in points],
            "size": 9,
            "line": {"color": view.ink.surface, "width": 1},
        },
        "showlegend": False,
        "hovertemplate": f"%{{text}}<br>{_words(names[0])} %{{x}}<br>{_words(names[1])} %{{y}}<extra></extra>",
    }


def _axis(view: View, name: str, points: Sequence[RunPoint], direction: str) -> dict[str, Any]:
    words = any(isinstance(point.value(name), str) for point in points)
    shared = axis(view.ink, _title(name))
    if words:
        return shared | {"type": "category", "categoryorder": "category ascending"}
    if direction in view.log and all(point.value(name) > 0 for point in points):
        return shared | {"type": "log"}
    return shared | {"nticks": 7}


def _title(name: str) -> str:
    if name.endswith("accuracy"):
        return f"{_words(name)}, %"
    if name.endswith("cost"):
        return f"{_words(name)}, nats"
    return f"{_words(name)}, s" if name.endswith("seconds") else _words(name)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _color(style: RunStyle, theme: Theme) -> str:
    return style.color if INKS[theme].surface == INKS["light"].surface else style.dark_color
