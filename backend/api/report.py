"""A comparison as one HTML file that needs neither this service nor a network."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from math import isfinite
from typing import Any

from sqlalchemy.orm import Session

from backend import __version__
from backend.analysis import RunCurves
from backend.api.comparisons import comparison
from backend.api.report_figures import ReportFigure, report_figures
from backend.api.schemas.comparisons import (
    ComparedGroup,
    Comparison,
    ExportQuery,
    GroupValue,
    IntervalInfo,
    PointInfo,
)
from backend.api.selection import Selection
from backend.contract import Backprop
from backend.db import series
from frontend.palette import run_style

_TITLES: dict[str, str] = {
    "accuracy": "Accuracy",
    "cost": "Cost",
    "difference": "Paired difference",
    "scatter": "Field against result",
    "parallel": "All that differs",
    "pareto": "Speed against accuracy",
}
# Scripts and styles are in the file; nothing else may be asked for, whatever a name or a note holds.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_WIDTH = 1000  # px of a chart
_STYLE = """
body { margin: 0 auto; max-width: 1100px; padding: 24px; color: #1B2026; background: #fff;
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin-top: 32px; }
.verdict { padding: 12px 16px; border: 1px solid #DDE1E5; border-left: 4px solid #4048A8; border-radius: 6px; }
.chart { height: 380px; } .with-legend { height: 440px; } .frame { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; border-top: 1px solid #DDE1E5; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; min-width: 60px; max-width: 320px; }
td.number { text-align: right; white-space: nowrap; } .muted { color: #59626C; }
details { margin: 8px 0; } summary { cursor: pointer; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #F5F6F7; padding: 12px; border-radius: 6px; }
"""
_DRAW = """
const figures = JSON.parse(document.getElementById("figures").textContent)
for (const [name, figure] of Object.entries(figures)) {
  const place = document.getElementById(`chart-${name}`)
  Plotly.newPlot(place, figure.data, figure.layout, { displaylogo: false, responsive: true, showTips: false })
}
"""


def notes(session: Session, selection: Selection) -> dict[int, dict[str, Any]]:
    """What a report tells of each run beside its curves: tags, notes, environment, and the hash of its last state."""
    return series.descriptions(session, [run.run_id for run in selection.runs])


def page(selection: Selection, query: ExportQuery, descriptions: Mapping[int, Mapping[str, Any]]) -> str:
    """The report: verdict, charts as they were seen, tables, configurations, hashes and every epoch's numbers."""
    from frontend.charts.numbers import figure_json  # noqa: PLC0415

    selection = replace(selection, query=selection.query.model_copy(update={"theme": "light", "width": _WIDTH}))
    found = comparison(selection)
    shown = report_figures(selection, query, has_pairs=found.verdict is not None and bool(found.verdict.pairs))
    figures = ",".join(f'"{one.name}":{figure_json(one.spec)}' for one in shown)
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    charts = "".join(map(_chart, shown))
    sentence = f'<p class="verdict">{_text(found.verdict.sentence)}</p>' if found.verdict is not None else ""
    plotly = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="content-security-policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Comparison of {len(found.runs)} runs</title><style>{_STYLE}</style></head><body>"
        f"<h1>Comparison of {len(found.runs)} runs</h1>"
        f'<p class="muted">Backprop Lab {_text(__version__)}, {at}. Numbers are as they were measured.</p>'
        f"{sentence}{charts}{_groups(found)}{_runs(found, selection)}{_configurations(found, descriptions)}"
        f'<h2>Data</h2><p>Every epoch, as columns: <code>JSON.parse(document.getElementById("data").textContent)</code>'
        f'.</p><script type="application/json" id="data">{_in_script(_data(selection))}</script>'
        f'<script type="application/json" id="figures">{_in_script("{" + figures + "}")}</script>'
        f"<script>{plotly}</script><script>{_DRAW}</script></body></html>"
    )


def _chart(shown: ReportFigure) -> str:
    notes = "".join(f'<p class="muted">{_text(note)}</p>' for note in shown.notes)
    look = "chart with-legend" if shown.has_legend_below else "chart"
    return f'<h2>{_TITLES[shown.name]}</h2><div class="{look}" id="chart-{shown.name}"></div>{notes}'


def _data(selection: Selection) -> str:
    """Every epoch of every run, as columns; null where a value is not finite, and what it was instead."""
    runs = [
        {
            "id": run.run_id,
            "epochs": (run.epochs + 1).tolist(),
            **{
                name: [value if isfinite(value) else None for value in column.tolist()]
                for name, column in run.columns.items()
            },
            "non_finite": run.non_finite,
        }
        for run in selection.runs
    ]
    return json.dumps({"runs": runs}, allow_nan=False, separators=(",", ":"))


def _groups(found: Comparison) -> str:
    words = found.metric.replace("_", " ")
    heads = ["group", "runs", f"last {words}", f"best {words}", f"{words} at epoch {found.epoch}", "difference"]
    rows = [_group_row(group, found.metric) for group in found.groups]
    return "<h2>Groups</h2>" + _table(heads, rows) if found.groups else ""


def _group_row(group: ComparedGroup, metric: str) -> Sequence[str]:
    values = [_group_value(value, metric) for value in (group.last, group.best, group.at)]
    return [group.label, str(len(group.runs)), *values, _difference(group.difference, metric)]


def _runs(found: Comparison, selection: Selection) -> str:
    words = found.metric.replace("_", " ")
    heads = ["run", *found.differing, "state", f"last {words}", f"best {words}", f"at epoch {found.epoch}", "seconds"]
    rows = [
        [
            f"{run.id} {run.name}",
            *(_shown(run.differs.get(name)) for name in found.differing),
            run.status.value,
            *(_point(point, found.metric) for point in (run.last, run.best, run.at)),
            f"{run.seconds:.1f}",
        ]
        for run in found.runs
    ]
    return "<h2>Runs</h2>" + _table(heads, rows, [_mark(run) for run in selection.runs])


def _mark(run: RunCurves) -> str:
    """What tells a run in the charts: its marker in its colour."""
    from frontend.charts.traces import GLYPHS  # noqa: PLC0415

    style = run_style(Backprop(run.config["backprop"]), run.palette_index)
    return f'<span style="color: {style.color}">{GLYPHS["test"][style.marker]}</span> '


def _configurations(found: Comparison, descriptions: Mapping[int, Mapping[str, Any]]) -> str:
    shared = json.dumps(found.same, indent=1, ensure_ascii=False)
    parts = [f"<h2>Configuration that all share</h2><pre>{_text(shared)}</pre><h2>Each run</h2>"]
    for run in found.runs:
        text = json.dumps(dict(descriptions.get(run.id, {})), indent=1, ensure_ascii=False)
        parts.append(f"<details><summary>{_text(f'{run.id} {run.name}')}</summary><pre>{_text(text)}</pre></details>")
    return "".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table of text; `marks` are markup that stands before each row's first cell's."""
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in heads)
    cells = [[_text(cell) for cell in row] for row in rows]
    for row, mark in zip(cells, marks, strict=False):
        row[0] = mark + row[0]
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
    return f'<div class="frame"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _value(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    text = f"{100 * value:.2f} %" if metric.endswith("accuracy") else f"{value:.4f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _difference(value: float | None, metric: str) -> str:
    sign = "+" if value is not None and value > 0 else ""
    return sign + _value(value, metric).replace("%", "points")


def _point(point: PointInfo | None, metric: str) -> str:
    return "-" if point is None else f"{_value(point.value, metric)} (epoch {point.epoch})"


def _group_value(value: GroupValue | IntervalInfo, metric: str) -> str:
    center = value.value if isinstance(value, GroupValue) else value.mean
    if value.low is None or value.high is None:
        return f"{_value(center, metric)} (n = {value.n})"
    return f"{_value(center, metric)} ({_value(value.low, metric)} to {_value(value.high, metric)}, n = {value.n})"


def _shown(value: Any) -> str:
    return "-" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(text: str) -> str:
    return html.escape(text)


def _in_script(text: str) -> str:
    """JSON that can't end the script element it stands in: < > & never mean anything in JSON outside its strings."""
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
