"""The figures of the compare page: lines, differences, and runs as points or paths."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Response

from backend.analysis import differing_fields, parse_smoothing, smooth, x_values
from backend.api.parameters import MISSING
from backend.api.schemas.comparisons import ViewQuery, listed
from backend.api.selection import Selection, results_of, select
from backend.contract import REFERENCES, Backprop
from backend.dependencies import LabDep
from backend.errors import BadRequest

if TYPE_CHECKING:
    from frontend.charts.relations import RunPoint
    from frontend.charts.traces import View

router = APIRouter(prefix="/figures", tags=["figures"])

CompareFigure = Literal["accuracy", "cost", "difference", "scatter", "parallel", "pareto"]
MIN_AXES, MAX_AXES = 4, 12
AXIS_WIDTH = 85  # pixels that an upright axis and its title need
Spec = dict[str, Any]


def _serve(name: CompareFigure) -> None:
    @router.get(f"/{name}", name=f"get_{name}_figure", responses=MISSING, response_model=dict[str, Any])
    def get_compare_figure(lab: LabDep, query: Annotated[ViewQuery, Query()]) -> Response:
        """A Plotly figure of the view, the same for page, notebook and report; its `meta.seq` says up to which event.

        With `width` each line is reduced to what so many pixels can show (its `meta.of` says of how many points);
        figures of many points have their columns packed as Plotly packs them: `{"dtype": "f4", "bdata": base64}`.
        """
        # Charts are imported with the first figure: a backend at rest stays small.
        from frontend.charts.numbers import figure_json  # noqa: PLC0415

        with lab.database.read() as session:
            selection = select(session, lab.series, query)
        return Response(figure_json(figure(name, selection)), media_type="application/json")


def figure(name: CompareFigure, selection: Selection) -> Spec:
    """One figure of a selection, with NumPy arrays for columns."""
    from frontend.charts.traces import View  # noqa: PLC0415

    query = selection.query
    view = View(
        theme=query.theme,
        splits=listed(query.splits),
        references=[REFERENCES[reference] for reference in listed(query.references)],
        x=query.x,
        log=listed(query.log),
        width=query.width,
    )
    spec = _DRAW[name](name, selection, view)
    meta = {"seq": selection.seq, "x": query.x, "log": query.log, "grouped": selection.is_grouped}
    spec["layout"]["meta"] = spec["layout"].get("meta", {}) | meta
    return spec


def _lines(name: str, selection: Selection, view: "View") -> Spec:
    from frontend.charts.curves import RunSeries, runs_figure  # noqa: PLC0415
    from frontend.charts.groups import Grouping, groups_figure  # noqa: PLC0415
    from frontend.charts.traces import ACCURACY, COST  # noqa: PLC0415

    query, quantity = selection.query, ACCURACY if name == "accuracy" else COST
    smoothing = parse_smoothing(query.smoothing)
    if selection.is_grouped:
        grouping = Grouping(query.statistic, query.band, query.members, smoothing)
        return groups_figure(quantity, selection.groups, view, grouping)
    metrics = [f"{split}_{quantity.metric}" for split in view.shown]
    series = [
        RunSeries(
            run_id=run.run_id,
            label=run.name,
            backprop=Backprop(run.config["backprop"]),
            palette_index=run.palette_index,
            epochs=run.epochs,
            columns=run.columns
            if smoothing is None
            else {metric: smooth(run.columns[metric], smoothing) for metric in metrics},
            non_finite=run.non_finite,
            x=x_values(run, view.x),
            raw=None if smoothing is None else run.columns,
        )
        for run in selection.runs
    ]
    return runs_figure(quantity, series, view)


def _difference(_name: str, selection: Selection, view: "View") -> Spec:
    from frontend.charts.differences import difference_figure, no_difference_figure  # noqa: PLC0415

    found = selection.verdict
    return no_difference_figure(view) if found is None else difference_figure(found, view)


def _scatter(_name: str, selection: Selection, view: "View") -> Spec:
    from frontend.charts.relations import scatter_figure  # noqa: PLC0415

    differing = differing_fields([run.config for run in selection.runs])
    x, y = _two(selection, next(iter(differing), "learning_rate"), f"last_{selection.query.metric}")
    return scatter_figure(_points(selection), x, y, _of_points(selection, view), selection.query.color)


def _pareto(_name: str, selection: Selection, view: "View") -> Spec:
    from frontend.charts.relations import pareto_figure  # noqa: PLC0415

    x, y = _two(selection, "seconds", f"last_{selection.query.metric}")
    points = _points(selection)
    for name in (x, y):
        if any(isinstance(point.value(name), str) for point in points):
            raise BadRequest(
                f"{name} is a word; of words none is better than another. Choose a number, or the scatter."
            )
    return pareto_figure(points, x, y, _of_points(selection, view), selection.query.color)


def _parallel(_name: str, selection: Selection, view: "View") -> Spec:
    from frontend.charts.relations import parallel_figure  # noqa: PLC0415

    axes = listed(selection.query.fields)
    if not axes:
        differing = differing_fields([run.config for run in selection.runs])
        differing.sort(key=lambda name: (name != "backprop", name == "seed"))  # what a narrow chart has first
        width = selection.query.width
        fitting = min(MAX_AXES, max(MIN_AXES, width // AXIS_WIDTH)) if width else MAX_AXES
        axes = [*differing[: fitting - 3], "seconds", "last_train_accuracy", f"last_{selection.query.metric}"]
        axes = list(dict.fromkeys(axes))
    if len(axes) > MAX_AXES:
        raise BadRequest(f"fields holds {len(axes)} axes; {MAX_AXES} are the most that can be told apart.")
    return parallel_figure(_points(selection), axes, _of_points(selection, view), selection.query.color)


def _of_points(selection: Selection, view: "View") -> "View":
    epoch = None if selection.epoch is None else selection.epoch + 1
    return replace(view, log=listed(selection.query.points_log), epoch=epoch)


def _two(selection: Selection, x: str, y: str) -> tuple[str, str]:
    asked = listed(selection.query.fields)
    if asked and len(asked) != 2:  # noqa: PLR2004  (x and y)
        raise BadRequest(f"fields holds {len(asked)} names; this chart has two axes: fields=width,last_test_accuracy.")
    return (asked[0], asked[1]) if asked else (x, y)


def _points(selection: Selection) -> "list[RunPoint]":
    from frontend.charts.relations import RunPoint  # noqa: PLC0415

    return [
        RunPoint(
            run_id=run.run_id,
            label=run.name,
            backprop=Backprop(run.config["backprop"]),
            palette_index=run.palette_index,
            config=run.config,
            results=results_of(run, selection.epoch),
        )
        for run in selection.runs
    ]


_DRAW: dict[str, Callable[[str, Selection, "View"], Spec]] = {
    "accuracy": _lines,
    "cost": _lines,
    "difference": _difference,
    "scatter": _scatter,
    "parallel": _parallel,
    "pareto": _pareto,
}

for _name in get_args(CompareFigure):
    _serve(_name)
