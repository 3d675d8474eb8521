"""What came of a run's gradient audits: a cell a layer and audit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from backend.contract import AuditVerdict, Backprop, Deviation, LayerMeasurement
from frontend.charts.lines import number_text, summary_table
from frontend.charts.look import FONT_SIZE, INKS, NOTHING, Ink, Theme, above_plot, axis, layout, tick_step
from frontend.labels import plain_text

Measure = Literal["error", "cosine", "norm_ratio"]

_LEAST_COLUMNS = 4  # fewer would make broad bars of the cells
_MOST_PLANNED = 60  # columns that are given room before they are there, and have a gap between them
_MOST_TICKS = 30  # columns whose cells have room for a sign beside each other
_MOST_SIGNS = 150  # columns in which what has not passed keeps its sign: it is rare, or hides nothing that differs
_MOST_NUMBERS = 16  # columns whose cells have room for a number
_MARGIN = {"l": 58, "r": 12, "t": 42, "b": 42}  # px
_WARM = "#D55E00"
# Numbers stand in the cells: every colour leaves the text of its theme 4:1 or more.
_SEQUENTIAL = {"light": ["#F4F5F6", "#F7D2B8", "#EFA26E", _WARM], "dark": ["#22282D", "#4A2A14", "#7A3A0A", "#B04E05"]}
_DIVERGING = {"light": ["#56B4E9", "#F4F5F6", "#E8772E"], "dark": ["#0F649E", "#22282D", "#B04E05"]}
_TITLES = {
    "error": "relative error: |used - true| / |true|",
    "cosine": "cosine of the angle between used and true: 1 is the same way",
    "norm_ratio": "ratio of norms: |used| / |true|: 1 is as long",
}


@dataclass(frozen=True)
class AuditEntry:
    """One layer in one audit; `expected` where a quirk of the run must make it fail."""

    epochs_done: int
    expected: bool
    measured: LayerMeasurement


@dataclass(frozen=True)
class AuditSeries:
    """The audits of a run, in order.

    Attributes:
        epochs: that the run has been asked for.
        every: how many epochs lie between two audits; 0: there are none.
    """

    run_id: int
    backprop: Backprop
    palette_index: int
    epochs: int
    every: int
    entries: Sequence[AuditEntry]

    @property
    def layers(self) -> list[int]:
        """The layers that were audited, 1-based."""
        return sorted({entry.measured.layer for entry in self.entries})

    @property
    def known(self) -> list[int]:
        """After how many epochs there was an audit."""
        return sorted({entry.epochs_done for entry in self.entries})

    @property
    def columns(self) -> list[int]:
        """The same, and those that will come where they are few enough to be given room."""
        planned = range(0, self.epochs + 1, self.every) if self.every else range(0)
        return sorted({*self.known, *planned}) if len(planned) <= _MOST_PLANNED else self.known


@dataclass(frozen=True)
class _Look:
    """How the cells of one verdict are drawn; none is told from another by its colour alone."""

    sign: str
    words: str
    fill: dict[Theme, str]
    ink: dict[Theme, str]
    pattern: str = ""


_LOOKS = {
    "passed": _Look("✓", "passed", {"light": "#BFE3D6", "dark": "#0F4D3C"}, {"light": "#02513A", "dark": "#9FE8CC"}),
    "failed": _Look("✕", "failed", {"light": _WARM, "dark": "#E8641B"}, {"light": "#FFFFFF", "dark": "#171B1F"}),
    "expected": _Look(
        "✕",
        "failed, as expected",
        {"light": "#FBE3D2", "dark": "#3E2413"},
        {"light": "#7A3300", "dark": "#FFC08F"},
        "/",
    ),
    "no signal": _Look(
        NOTHING, "no signal", {"light": "#EDEFF1", "dark": "#262C32"}, {"light": "#59626C", "dark": "#9AA4AE"}
    ),
}


def audit_figure(series: AuditSeries, *, theme: Theme = "light") -> go.Figure:
    """Every layer by every audit: passed, failed, failed as a quirk must, or without a signal.

    Each kind is a trace of bars with `meta.verdict`; x counts audits, y layers from the input (1) downwards.
    """
    ink, columns = INKS[theme], series.columns
    figure = go.Figure(layout=_grid_layout(series, ink))
    for verdict, look in _LOOKS.items():
        entries = [entry for entry in series.entries if _kind(entry) == verdict]
        if entries or verdict in ("passed", "failed"):
            figure.add_bar(**_cells(verdict, look, entries, columns, theme))
    rows = [
        [entry.epochs_done, entry.measured.layer, _LOOKS[_kind(entry)].words, *_errors(entry)]
        for entry in series.entries
    ]
    table = summary_table(
        ["epochs done", "layer", "verdict", "error against the tape", "error against a difference"], rows
    )
    figure.update_layout(meta={"summary": _summary(series), "table": table})
    return figure


def deviation_figure(series: AuditSeries, *, measure: Measure = "error", theme: Theme = "light") -> go.Figure:
    """How far each layer's dilated gradient, which the run trains with, lies from the true one: a heat map."""
    ink, columns, layers = INKS[theme], series.columns, series.layers
    found = {(entry.measured.layer, entry.epochs_done): entry.measured.update for entry in series.entries}
    grid = [[found.get((layer, epochs)) for epochs in columns] for layer in layers]
    values = [[None if cell is None else getattr(cell, measure) for cell in row] for row in grid]
    cells = [list(zip(deviations, row, strict=True)) for deviations, row in zip(grid, values, strict=True)]
    figure = go.Figure(layout=_grid_layout(series, ink))
    figure.update_layout(margin={"r": 76})
    figure.add_annotation(above_plot("caption", _TITLES[measure], ink, 8))
    known = [value for row in values for value in row if value is not None]
    if known:
        figure.add_heatmap(
            x=list(range(len(columns))),
            y=layers,
            z=[[_on_scale(value, measure) for value in row] for row in values],
            text=[["" if cell is None else number_text(value) for cell, value in pairs] for pairs in cells],
            texttemplate="%{text}" if len(columns) <= _MOST_NUMBERS else None,
            textfont={"color": ink.text, "size": FONT_SIZE - 1},
            customdata=[[_deviation_words(columns[at], cell) for at, cell in enumerate(row)] for row in grid],
            hovertemplate="layer %{y} %{customdata}<extra></extra>",
            meta={"run_id": series.run_id, "measure": measure},
            xgap=2,
            ygap=2,
            **_scale(known, measure, theme, ink),
        )
    rows = [
        [epochs, layer, *(number_text(value) for value in _parts(found[layer, epochs]))]
        for epochs in series.known
        for layer in layers
        if found.get((layer, epochs)) is not None
    ]
    table = summary_table(["epochs done", "layer", "relative error", "cosine", "ratio of norms"], rows)
    summary = f"{_TITLES[measure]}, by layer and epoch"
    if known:
        summary += f": from {number_text(min(known))} to {number_text(max(known))}"
    figure.update_layout(meta={"summary": f"{summary}.", "table": table})
    return figure


def _kind(entry: AuditEntry) -> str:
    is_expected = entry.measured.verdict is AuditVerdict.FAILED and entry.expected
    return "expected" if is_expected else entry.measured.verdict.value


def _cells(
    verdict: str, look: _Look, entries: Sequence[AuditEntry], columns: Sequence[int], theme: Theme
) -> dict[str, Any]:
    places = {epochs: place for place, epochs in enumerate(columns)}
    fill, ink = look.fill[theme], look.ink[theme]
    most_signs = _MOST_TICKS if verdict == "passed" else _MOST_SIGNS
    # A kind without a cell has one nowhere: Plotly would leave it out of the legend.
    return {
        "x": [places[entry.epochs_done] for entry in entries] or [None],
        "y": [1 for _ in entries] or [None],
        "base": [entry.measured.layer - 0.5 for entry in entries] or None,
        "width": 1,
        "name": f"{look.sign} {look.words}",
        "meta": {"verdict": verdict},
        "marker": {
            "color": fill,
            "line": {"color": INKS[theme].surface, "width": 2 if len(columns) <= _MOST_PLANNED else 0},
            "pattern": {"shape": look.pattern, "fgcolor": ink, "bgcolor": fill, "size": 7, "solidity": 0.15},
        },
        "text": [look.sign if len(columns) <= most_signs else "" for _ in entries],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "none",
        "insidetextfont": {"color": ink, "size": FONT_SIZE + 1},
        "hovertext": [_hover(entry) for entry in entries],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _hover(entry: AuditEntry) -> str:
    tape, difference = _errors(entry)
    lines = [
        f"layer {entry.measured.layer}, {_when(entry.epochs_done)}: <b>{_LOOKS[_kind(entry)].words}</b>",
        f"against automatic differentiation: {tape}",
        f"against a central difference: {difference}",
        f"norm of the gradient: {number_text(entry.measured.gradient_norm)}",
    ]
    return "<br>".join(lines)


def _errors(entry: AuditEntry) -> tuple[str, str]:
    return number_text(entry.measured.tape_error), number_text(entry.measured.difference_error)


def _when(epochs_done: int) -> str:
    return f"after {epochs_done} epoch{'s' if epochs_done > 1 else ''}" if epochs_done else "before training"


def _summary(series: AuditSeries) -> str:
    counts = {kind: sum(_kind(entry) == kind for entry in series.entries) for kind in _LOOKS}
    said = [f"{count} {_LOOKS[kind].words}" for kind, count in counts.items() if count]
    return f"{len(series.layers)} layers by {len(series.known)} audits: {', '.join(said) or 'none yet'}."


def _grid_layout(series: AuditSeries, ink: Ink) -> dict[str, Any]:
    columns, layers = series.columns, series.layers or [1]
    count = max(len(columns), _LEAST_COLUMNS)
    step = tick_step(len(columns) - 1, 12)
    shown = range(0, len(columns), step)
    return {
        **layout(ink),
        "margin": _MARGIN,
        "barmode": "overlay",
        "bargap": 0,
        "hovermode": "closest",
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "xanchor": "left",
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
            "font": {"color": ink.muted, "size": FONT_SIZE},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "xaxis": {
            **axis(ink, "epochs done"),
            "range": [-0.5, count - 0.5],
            "tickmode": "array",
            "tickvals": list(shown),
            "ticktext": [str(columns[place]) for place in shown],
            "showgrid": False,
        },
        "yaxis": {
            **axis(ink, "layer"),
            "range": [layers[-1] + 0.5, layers[0] - 0.5],
            "tickmode": "array",
            "tickvals": layers,
            "ticktext": [plain_text(str(layer)) for layer in layers],
            "showgrid": False,
        },
    }


def _parts(deviation: Deviation | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if deviation is None else (deviation.error, deviation.cosine, deviation.norm_ratio)


def _deviation_words(epochs_done: int, deviation: Deviation | None) -> str:
    error, cosine, ratio = (number_text(value) for value in _parts(deviation))
    return f"{_when(epochs_done)}<br>relative error {error}<br>cosine {cosine}<br>ratio of norms {ratio}"


def _on_scale(value: float | None, measure: Measure) -> float | None:
    """Ratios are told apart by their logarithm: half is as far from 1 as twice."""
    if value is None or measure != "norm_ratio":
        return value
    return math.log2(value) if value > 0 else None


def _scale(known: Sequence[float], measure: Measure, theme: Theme, ink: Ink) -> dict[str, Any]:
    bar = {
        "thickness": 10,
        "outlinewidth": 0,
        "tickfont": {"color": ink.muted, "size": FONT_SIZE - 1},
        "ticks": "",
        "x": 1.01,
        "xanchor": "left",
        "len": 1,
        "nticks": 5,
    }
    if measure == "error":
        return {"zmin": 0, "zmax": max(1e-3, *known), "colorscale": _SEQUENTIAL[theme], "colorbar": bar}
    if measure == "cosine":
        low = min(0.9, *known)
        return {"zmin": low, "zmax": 1, "colorscale": _SEQUENTIAL[theme][::-1], "colorbar": bar}
    most = max(1.0, *(abs(math.log2(value)) for value in known if value > 0))
    powers = list(range(-math.floor(most), math.floor(most) + 1))
    powers = powers[:: max(1, len(powers) // 5)]
    bar |= {"tickvals": powers, "ticktext": [number_text(2.0**power) for power in powers]}
    return {"zmin": -most, "zmax": most, "colorscale": _DIVERGING[theme], "colorbar": bar}
