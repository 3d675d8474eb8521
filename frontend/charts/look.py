"""What all figures share: theme, ink, font, the plain layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from frontend.palette import DARK_SURFACE, LIGHT_SURFACE

Theme = Literal["light", "dark"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
FONT_SIZE = 12  # px
NOTHING = "\N{EN DASH}"  # where there is no number


@dataclass(frozen=True)
class Ink:
    """The colours of what is not data."""

    surface: str
    text: str
    muted: str
    grid: str


INKS: Mapping[Theme, Ink] = {
    "light": Ink(LIGHT_SURFACE, "#1B2026", "#59626C", "#E7EAED"),
    "dark": Ink(DARK_SURFACE, "#E4E7EA", "#9AA4AE", "#2B3137"),
}


def axis(ink: Ink, title: str) -> dict[str, Any]:
    """An axis without ticks or a line of its own; the title carries the unit."""
    return {
        "color": ink.muted,
        "gridcolor": ink.grid,
        "zeroline": False,
        "linecolor": ink.grid,
        "ticks": "",
        "title": {"font": {"color": ink.muted, "size": FONT_SIZE}, "standoff": 8, "text": title},
        "automargin": False,
    }


def layout(ink: Ink) -> dict[str, Any]:
    """The layout of any figure: no background, zoom and hidden lines that survive every update."""
    return {
        "template": "none",
        "uirevision": "constant",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": FONT_SIZE, "color": ink.text},
        "hoverlabel": {"bgcolor": ink.surface, "bordercolor": ink.grid, "font": {"color": ink.text}, "namelength": -1},
    }


def tick_step(last: int, most: int = 8) -> int:
    """The smallest of 1, 2, 5, 10, 20, … epochs that gives at most so many ticks."""
    steps: list[int] = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    return next(step for step in steps if last <= step * most)


def above_plot(name: str, text: str, ink: Ink, shift: int) -> dict[str, Any]:
    """An annotation left above the plot, so many pixels over its top: what a reader needs to read the chart."""
    return {
        "name": name,
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": shift,
        "showarrow": False,
        "font": {"color": ink.muted, "size": FONT_SIZE},
    }
