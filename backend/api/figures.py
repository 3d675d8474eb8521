from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from backend.api.parameters import MISSING, IdList, parse_ids
from backend.contract import METRIC_NAMES, REFERENCES, TrainConfig
from backend.db import epochs, events, runs
from backend.db.models import Epoch, Run
from backend.dependencies import DatabaseDep
from backend.errors import BadRequest, FigureNotFound

router = APIRouter(prefix="/figures", tags=["figures"])

MAX_RUNS = 100
SPLITS = ("train", "test")


@router.get("/{name}", responses=MISSING, response_model=dict[str, Any])
def get_figure(
    name: str,
    database: DatabaseDep,
    runs_: Annotated[IdList, Query(alias="runs")],
    theme: Literal["light", "dark"] = "light",
    splits: Annotated[str, Query(max_length=20, description="train, test or both, comma between.")] = "train,test",
    references: Annotated[str, Query(max_length=200, description="Published curves, comma between.")] = "",
) -> Response:
    """A Plotly figure of runs, the same for page, notebook and report; its `meta.seq` says up to which event."""
    # Plotly is imported with the first figure: a backend at rest stays small.
    from frontend.charts import FIGURES, RunSeries  # noqa: PLC0415

    if name not in FIGURES:
        raise FigureNotFound(f"There is no figure {name!r}; there are {', '.join(FIGURES)}.")
    shown = splits.split(",")
    if not set(shown) <= set(SPLITS):
        raise BadRequest(f"splits is {splits!r}; it may hold {' and '.join(SPLITS)}.")
    run_ids = parse_ids(runs_)
    if len(run_ids) > MAX_RUNS:
        raise BadRequest(f"{len(run_ids)} runs were asked for; a figure shows {MAX_RUNS} at most.")

    published = references.split(",") if references else []
    if unknown := [reference for reference in published if reference not in REFERENCES]:
        raise BadRequest(f"There is no published curve {unknown[0]!r}; there are {', '.join(REFERENCES)}.")

    def series(run: Run, rows: Sequence[Epoch]) -> RunSeries:
        return RunSeries(
            run_id=run.id,
            label=run.name,
            backprop=TrainConfig.model_validate(run.config).backprop,
            palette_index=run.palette_index,
            epochs=[row.number for row in rows],
            columns={metric: [getattr(row, metric) for row in rows] for metric in METRIC_NAMES},
            non_finite={
                metric: {row.number: row.non_finite[metric] for row in rows if metric in row.non_finite}
                for metric in METRIC_NAMES
            },
        )

    with database.read() as session:
        lines = [series(run, epochs.after(session, run.id, -1)) for run in runs.load_many(session, run_ids)]
        seq = events.last_seq(session)
    figure = FIGURES[name](
        lines, theme=theme, splits=shown, references=[REFERENCES[reference] for reference in published]
    )
    figure.update_layout(meta={"seq": seq})
    return Response(figure.to_json(), media_type="application/json")
