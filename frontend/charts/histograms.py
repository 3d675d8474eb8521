"""How often each value occurs among a data set's pixels, before and after preprocessing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from frontend.charts.lines import MARGIN, number_text, summary_table
from frontend.charts.look import FONT_SIZE, INKS, Ink, Theme, axis, layout
from frontend.palette import lightness_steps

_PERCENT = 100
_COLOR: Mapping[Theme, str] = {"light": "#0072B2", "dark": "#2B89CB"}
_TITLES = {"before": "pixel value, 0 to 255", "after": "preprocessed value"}


@dataclass(frozen=True)
class Histogram:
    """Counts of the values of one split.

    Attributes:
        edges: one more than counts, rising.
        beyond: values outside of all bins.
        mean, deviation, minimum, maximum: of all values.
    """

    split: str
    stage: str
    edges: Sequence[float]
    counts: Sequence[int]
    beyond: int
    mean: float
    deviation: float
    minimum: float
    maximum: float


def histogram_figure(histograms: Sequence[Histogram], *, stage: str, log: bool, theme: Theme = "light") -> go.Figure:
    """The share of values in each bin, train dashed and filled, test solid; each has `meta.split` and `meta.stage`.

    Args:
        stage: "before" or "after" preprocessing.
        log: whether shares stand on a logarithmic axis, where rare values can be seen beside frequent ones.
    """
    ink, shown = INKS[theme], [one for one in histograms if one.stage == stage]
    figure = go.Figure(layout=_layout(stage, ink, log=log))
    for one in sorted(shown, key=lambda one: one.split != "train"):
        figure.add_scatter(**_trace(one, theme, ink))
    rows = [
        [one.split, *(number_text(value) for value in (one.mean, one.deviation, one.minimum, one.maximum))]
        for one in shown
    ]
    table = summary_table(["split", "mean", "deviation", "least", "greatest"], rows)
    said = [f"{one.split}: mean {number_text(one.mean)}, deviation {number_text(one.deviation)}" for one in shown]
    figure.update_layout(meta={"summary": f"{_TITLES[stage]}. {'; '.join(said) or 'Nothing yet'}.", "table": table})
    return figure


def _trace(one: Histogram, theme: Theme, ink: Ink) -> dict[str, Any]:
    total, is_test = (sum(one.counts) + one.beyond) or 1, one.split == "test"
    shares = [_PERCENT * count / total for count in one.counts]
    faint, strong = lightness_steps(_COLOR[theme], 2, ink.surface)
    bins = [
        f"{number_text(low)} to {number_text(high)}" for low, high in zip(one.edges[:-1], one.edges[1:], strict=True)
    ]
    # A step ends where the next begins: the last edge repeats the last share.
    return {
        "x": list(one.edges),
        "y": [*(share or None for share in shares), shares[-1] or None],
        "name": f"{one.split}, {_PERCENT * one.beyond / total:.2g} % beyond the axis" if one.beyond else one.split,
        "meta": {"split": one.split, "stage": one.stage},
        "mode": "lines",
        "line": {
            "shape": "hv",
            "color": strong if is_test else faint,
            "width": 1.75 if is_test else 1.25,
            "dash": "solid" if is_test else "5px,4px",
        },
        "fill": "none" if is_test else "tozeroy",
        "fillcolor": f"{faint}30",
        "connectgaps": False,
        "hovertext": [*bins, bins[-1]],
        "hovertemplate": f"{one.split}, %{{hovertext}}: %{{y:.3g}} %<extra></extra>",
    }


def _layout(stage: str, ink: Ink, *, log: bool) -> dict[str, Any]:
    kind = {"type": "log", "dtick": 1, "tickformat": "~g"} if log else {"rangemode": "tozero", "nticks": 6}
    return {
        **layout(ink),
        "margin": {**MARGIN, "r": 14, "t": 30},
        "hovermode": "closest",
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"color": ink.muted, "size": FONT_SIZE},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "xaxis": {**axis(ink, _TITLES[stage]), "showgrid": False},
        "yaxis": {**axis(ink, "share of all values, %"), **kind},
    }
