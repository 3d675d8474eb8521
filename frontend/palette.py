"""How a run is drawn: on every page and in every figure, for as long as it exists.

Manual runs are circles in cool colours, dilated ones diamonds in warm colours, so that the two are told apart by more
than hue. Each family begins with Okabe and Ito's colours (safe for colour-blind eyes), then goes on in lightness.
Colours that would be too faint on white (sky blue, orange) are darkened until a line stands out 3:1; on the dark
surface every colour reaches 4.5:1. No two of a family are nearer than 0.06 in OKLab.

Source: M. Okabe, K. Ito 2008, "Color Universal Design", jfly.uni-koeln.de/color; WCAG 2.2, 1.4.3 and 1.4.11.
"""

from dataclasses import dataclass
from typing import Literal

from backend.contract import Backprop

LIGHT_SURFACE = "#FFFFFF"
DARK_SURFACE = "#171B1F"
LINE_CONTRAST = 3.0  # to 1, of a line against its surface
TEXT_CONTRAST = 4.5  # to 1

_DARKENING = 0.97  # of each channel, in one step
_STRONGEST_CONTRAST = 13.0  # to 1, of the last of several steps of lightness
_HALVINGS = 20  # as fine as channels of eight bits can show
_SRGB_KNEE = 0.04045
_LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)

# (on the light surface, on the dark one), in the order in which runs take them.
_COOL = (
    ("#0072B2", "#2B89CB"),
    ("#009E73", "#009E73"),
    ("#3C9CD0", "#56B4E9"),
    ("#034C78", "#AFDAFE"),
    ("#02684B", "#52CEA0"),
    ("#004F38", "#84FDCD"),
)
_WARM = (
    ("#D55E00", "#D76004"),
    ("#CC79A7", "#CC79A7"),
    ("#C48701", "#E69F00"),
    ("#914471", "#F8A1D1"),
    ("#6F4A01", "#FFCA7B"),
    ("#9C3F00", "#FF9A66"),
)
FAMILY_SIZE = len(_COOL)
_FAMILIES = {Backprop.MANUAL: ("circle", _COOL), Backprop.DILATED: ("diamond", _WARM)}


@dataclass(frozen=True)
class RunStyle:
    """Colours as #RRGGBB, and Plotly's name of the marker."""

    color: str
    dark_color: str
    marker: str

    def in_theme(self, theme: Literal["light", "dark"]) -> str:
        """The colour on the theme's surface."""
        return self.color if theme == "light" else self.dark_color


def run_style(backprop: Backprop, palette_index: int) -> RunStyle:
    """The colours and the marker of a run.

    Args:
        backprop: decides the family of colours and the marker.
        palette_index: the run's place in its family, counted from 0; after the last colour the first comes again.
    """
    marker, colors = _FAMILIES[backprop]
    color, dark_color = colors[palette_index % len(colors)]
    return RunStyle(color, dark_color, marker)


def text_color(color: str, surface: str) -> str:
    """The colour, darkened as far as text on a light surface needs to reach 4.5:1."""
    channels = _channels(color)
    while contrast(_hex(channels), surface) < TEXT_CONTRAST and any(channels):
        channels = [channel * _DARKENING if channel > 1 else 0 for channel in channels]
    return _hex(channels)


def lightness_steps(color: str, count: int, surface: str) -> list[str]:
    """So many steps of one hue, in order from the faintest to the strongest, each at least 3:1 against the surface.

    The contrasts rise by equal factors, so that neighbours are told apart as well anywhere on the scale.
    """
    factor = (_STRONGEST_CONTRAST / LINE_CONTRAST) ** (1 / max(1, count - 1))
    return [_shade(color, surface, LINE_CONTRAST * factor**step) for step in range(count)]


def readable(color: str, surface: str) -> str:
    """The colour, in the tint or shade that text needs to reach 4.5:1 on any surface."""
    return color if contrast(color, surface) >= TEXT_CONTRAST else _shade(color, surface, TEXT_CONTRAST)


def _shade(color: str, surface: str, wanted: float) -> str:
    """The tint or shade of the colour whose contrast against the surface is the wanted one, found by halving."""
    near, far = (255.0, 0.0) if contrast(surface, "#FFFFFF") < contrast(surface, "#000000") else (0.0, 255.0)

    def at(place: float) -> str:  # 0: the end that is near the surface, 1: the colour itself, 2: the other end
        end, share = (near, 1 - place) if place < 1 else (far, place - 1)
        return _hex([channel + share * (end - channel) for channel in _channels(color)])

    low, high = 0.0, 2.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if contrast(at(middle), surface) < wanted else (low, middle)
    return at(high)


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 to 21: (lighter + 0.05) / (darker + 0.05), of relative luminances.

    Source: WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    shares = [channel / 255 for channel in _channels(color)]
    linear = [share / 12.92 if share <= _SRGB_KNEE else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip(_LUMINANCE_WEIGHTS, linear, strict=True))


def _channels(color: str) -> list[float]:
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]


def _hex(channels: list[float]) -> str:
    return "#" + "".join(f"{round(channel):02X}" for channel in channels)
