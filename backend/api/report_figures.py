"""The charts of a report, as a reader left those of the compare page: axes, colours, hidden lines, zoom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, get_args

from backend.api.compare_figures import CompareFigure, Spec, figure
from backend.api.schemas.comparisons import ExportQuery, listed
from backend.api.selection import Selection
from backend.contract import METRIC_NAMES

_OF_LINES = ("accuracy", "cost")
_RELATIONS = ("scatter", "parallel", "pareto")
_OF_LINE = ("metric", "non_finite_of", "band_of", "member_of", "raw_of")  # what in a trace's meta names its line
_ENDS = 4  # of x and of y
_MARGIN_RIGHT = 16  # px, where no label stands
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# Below the axis: on the right stand the lines' own labels.
_LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"}


@dataclass(frozen=True)
class ReportFigure:
    """A chart of a report, and what to know of it."""

    name: CompareFigure
    spec: Spec
    notes: list[str]

    @property
    def has_legend_below(self) -> bool:
        """Whether a legend takes room below the plot."""
        return bool(self.spec["layout"].get("legend", {}).get("yanchor") == "top")


def report_figures(selection: Selection, query: ExportQuery, *, has_pairs: bool) -> list[ReportFigure]:
    """The charts in the order of the page; the one of runs that was seen comes before its kin."""
    names = [name for name in get_args(CompareFigure) if name != "difference" or has_pairs]
    names.sort(key=lambda name: name in _RELATIONS and name != query.chart)
    return [_figure(name, selection, query) for name in names]


def _figure(name: CompareFigure, selection: Selection, query: ExportQuery) -> ReportFigure:
    # `fields` are the axes of the chart that was seen; the others choose their own.
    fields = query.fields if name == query.chart else ""
    spec = figure(name, replace(selection, query=selection.query.model_copy(update={"fields": fields})))
    notes = []
    if name in _OF_LINES and _hide(spec, hidden_lines(getattr(query, f"hidden_{name}"), name)):
        notes.append("Some lines are hidden, as they were on the page: a press on a name in the legend shows its line.")
    zoom = zoom_of(query.zoom_points if name == query.chart else getattr(query, f"zoom_{name}", ""))
    if zoom is not None:
        for direction, ends in zip("xy", zoom, strict=True):
            spec["layout"][f"{direction}axis"] |= {"range": list(ends), "autorange": False}
        if name in _OF_LINES:
            _name_all(spec)
        notes.append("A part is shown, as it was on the page: a double press in the chart shows the whole.")
    return ReportFigure(name, spec, notes)


def hidden_lines(text: str, quantity: str) -> set[str]:
    """The lines of a text such as "7,8.train": all of run 7, and run 8's of training."""
    parts = [part.partition(".") for part in listed(text)]
    return {f"{owner}:{split}_{quantity}" for owner, _, one in parts for split in ([one] if one else ["train", "test"])}


def zoom_of(text: str) -> tuple[list[Any], list[Any]] | None:
    """Two ends of x and two of y; None for the whole chart, and where a text says nothing that can be shown."""
    try:
        ends = [end if _DATE.match(end) else float(end) for end in listed(text)]
    except ValueError:
        return None
    if len(ends) != _ENDS or not all(isinstance(end, str) or isfinite(end) for end in ends):
        return None
    return ends[:2], ends[2:]


def _hide(spec: Spec, lines: set[str]) -> bool:
    """Let lines wait in the legend; whether there were any of these."""
    hidden = [trace for trace in spec["data"] if _line(trace["meta"]) in lines]
    for trace in hidden:
        trace["visible"] = "legendonly"
        trace["showlegend"] = trace["meta"].get("metric") in METRIC_NAMES
    for label in spec["layout"]["annotations"]:
        if label["name"].removeprefix("label:") in lines:
            label["visible"] = False
    if hidden and not spec["layout"]["showlegend"]:
        spec["layout"] |= {"showlegend": True, "legend": _LEGEND | {"title": {"text": "hidden:"}}}
    return bool(hidden)


def _name_all(spec: Spec) -> None:
    """Let the legend name each line: a label stands at its line's end, which may lie beyond the part that is shown."""
    layout = spec["layout"]
    for trace in spec["data"]:
        trace["showlegend"] |= trace["meta"].get("metric") in METRIC_NAMES
    layout["annotations"] = [one for one in layout["annotations"] if not one["name"].startswith("label:")]
    layout |= {"showlegend": True, "legend": _LEGEND, "margin": layout["margin"] | {"r": _MARGIN_RIGHT}}


def _line(meta: Mapping[str, Any]) -> str:
    owner = meta.get("run_id", meta.get("group"))
    return f"{owner}:{next((meta[name] for name in _OF_LINE if name in meta), None)}"
