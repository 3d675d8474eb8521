"""Colours of runs by one of their values: a hue for each word, steps of lightness for numbers, and the key to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.contract import Backprop
from frontend.charts.look import Theme
from frontend.charts.traces import View
from frontend.labels import plain_text
from frontend.palette import lightness_steps, run_style

_RAMP = {"light": "#4048A8", "dark": "#A5ACFF"}  # no method's own hue
_STEPS = 17  # of a ramp; between them colours are mixed by whoever draws the bar


class Hues:
    """What colour a value has.

    A method keeps its own hue. Other words take theirs in alphabetical order; numbers are the stronger the greater
    they are. What has no value is grey.
    """

    def __init__(self, name: str, title: str, values: Sequence[Any], view: View) -> None:
        self.name, self._title, self._view = name, title, view
        known = [value for value in values if value is not None]
        self._words = sorted({str(value) for value in known if not isinstance(value, int | float)})
        self._ramp = lightness_steps(_RAMP[view.theme], _STEPS, view.ink.surface)
        numbers = [] if self._words else [float(value) for value in known]
        self._low, self._high = min(numbers, default=0.0), max(numbers, default=0.0)

    def color(self, value: Any) -> str:
        """The colour of a value, as #RRGGBB."""
        if value is None:
            return self._view.ink.muted
        if self._words:
            return _of_word(self.name, str(value), self._words.index(str(value)), self._view.theme)
        if self._high <= self._low:
            return self._ramp[-1]
        return self._ramp[round((float(value) - self._low) / (self._high - self._low) * (_STEPS - 1))]

    @property
    def key(self) -> list[dict[str, Any]]:
        """Traces without points that bring a legend of the words, or a bar of the numbers."""
        base = {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "hoverinfo": "skip"}
        meta = {"key": self.name}
        if self._words:
            return [
                base | {"meta": meta, "name": plain_text(word), "showlegend": True} | _dot(self.color(word))
                for word in self._words
            ]
        scale = [[step / (_STEPS - 1), color] for step, color in enumerate(self._ramp)]
        ends = (self._low, self._high if self._high > self._low else self._low + 1)
        bar = {
            "title": {"text": plain_text(self._title), "side": "right", "font": {"color": self._view.ink.muted}},
            "thickness": 10,
            "outlinewidth": 0,
            "nticks": 6,
            "tickfont": {"color": self._view.ink.muted},
        }
        marker = {"color": [self._low], "cmin": ends[0], "cmax": ends[1], "colorscale": scale, "showscale": True}
        return [base | {"meta": meta, "showlegend": False, "marker": marker | {"colorbar": bar}}]

    def layout(self, margin: Mapping[str, int]) -> dict[str, Any]:
        """What the key needs of a figure's layout: room on top for words, on the right for numbers."""
        if not self._words:
            return {"margin": {**margin, "r": 84}}
        legend = {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        }
        return {"showlegend": True, "legend": legend | {"font": {"color": self._view.ink.muted}}}


def _of_word(name: str, word: str, place: int, theme: Theme) -> str:
    if name == "backprop":
        return run_style(Backprop(word), 0).in_theme(theme)
    family = Backprop.DILATED if place % 2 else Backprop.MANUAL
    return run_style(family, place // 2).in_theme(theme)


def _dot(color: str) -> dict[str, Any]:
    return {"marker": {"color": color, "size": 9, "symbol": "square"}}
