"""The chart of paired differences between two groups of runs."""

from typing import Any

import numpy as np

from backend.analysis import Verdict
from backend.contract import Backprop
from frontend.charts.look import axis, layout
from frontend.charts.traces import BAND_OPACITY, View, transparent, x_axis
from frontend.labels import plain_text
from frontend.palette import run_style


def difference_figure(verdict: Verdict, view: View) -> dict[str, Any]:
    """Paired differences by epoch, other minus baseline, with a 95 % interval for each epoch alone."""
    factor, unit = (100.0, "points") if verdict.metric.endswith("accuracy") else (1.0, "nats")
    differences, ink = verdict.differences, view.ink
    x = verdict.epochs + 1
    known = np.isfinite(differences.low)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]))).reshape(-1, 2)
    color = run_style(Backprop.DILATED, 0).in_theme(view.theme)
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
    words = verdict.metric.replace("_", " ")
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
