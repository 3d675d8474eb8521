"""Plotly figures, the same for page, notebook and report; `layout.meta.seq` says up to which event.

Plotly and the charts are imported with the first figure: a backend at rest stays small.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from backend.api import datasets, figure_series
from backend.api.batches import End, First, check_range
from backend.api.parameters import MISSING
from backend.api.schemas.base import MAX_ID
from backend.api.schemas.comparisons import MAX_WIDTH
from backend.api.schemas.datasets import Pending
from backend.contract import Attack, DatasetName, Network, Preprocessing
from backend.db import events
from backend.dependencies import DatabaseDep, LabDep
from backend.errors import FigureNotFound

router = APIRouter(prefix="/figures", tags=["figures"], responses=MISSING)

MAX_RUNS = 100
SPLITS = ("train", "test")
FigureRun = Annotated[int, Query(ge=1, le=MAX_ID, description="The run's id.")]
Theme = Literal["light", "dark"]
LayerMeasure = Literal[
    "gradient_norm", "weight_norm", "update_ratio", "vmax_active", "own_error", "own_cosine", "own_norm_ratio"
]

SystemMeasure = Literal["cpu", "memory", "host_free", "gpu", "gpu_memory"]


@router.get("/audit", response_model=dict[str, Any])
def get_audit_figure(run: FigureRun, database: DatabaseDep, theme: Theme = "light") -> Response:
    """What the gradient audits of a run found: a cell a layer and audit."""
    from frontend.charts import audit_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.audits(session, run)
    return _answer(audit_figure(series, theme=theme), seq)


@router.get("/deviation", response_model=dict[str, Any])
def get_deviation_figure(
    run: FigureRun,
    database: DatabaseDep,
    measure: Literal["error", "cosine", "norm_ratio"] = "error",
    theme: Theme = "light",
) -> Response:
    """How far a dilated run's gradients lie from the true ones: a heat map of layer and audit."""
    from frontend.charts import deviation_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.audits(session, run)
    return _answer(deviation_figure(series, measure=measure, theme=theme), seq)


@router.get("/layers", response_model=dict[str, Any])
def get_layer_figure(
    run: FigureRun, database: DatabaseDep, measure: LayerMeasure = "gradient_norm", theme: Theme = "light"
) -> Response:
    """A number of each layer of a run by epoch."""
    from frontend.charts import layer_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.audits(session, run)
    return _answer(layer_figure(series, measure=measure, theme=theme), seq)


@router.get("/robustness", response_model=dict[str, Any])
def get_robustness_figure(run: FigureRun, database: DatabaseDep, theme: Theme = "light") -> Response:
    """Test accuracy of a run by the size of the attack."""
    from frontend.charts import robustness_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.attacks(session, run)
    return _answer(robustness_figure(series, theme=theme), seq)


@router.get("/robustness-epochs", response_model=dict[str, Any])
def get_robustness_epochs_figure(
    run: FigureRun,
    database: DatabaseDep,
    attack: Literal[Attack.FGSM, Attack.PGD] = Attack.PGD,
    theme: Theme = "light",
) -> Response:
    """Test accuracy of a run under attacks of each size, by epoch."""
    from frontend.charts import robustness_epochs_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.attacks(session, run)
    return _answer(robustness_epochs_figure(series, attack=attack, theme=theme), seq)


@router.get("/system", response_model=dict[str, Any])
def get_system_figure(
    run: FigureRun, database: DatabaseDep, measure: SystemMeasure = "cpu", theme: Theme = "light"
) -> Response:
    """What a run took of its machine over time: processor, memory, GPUs."""
    from frontend.charts import system_figure  # noqa: PLC0415

    with database.read() as session:
        seq, series = events.last_seq(session), figure_series.system(session, run)
    return _answer(system_figure(series, measure=measure, theme=theme), seq)


@router.get("/batches", response_model=dict[str, Any])
def get_batches_figure(
    run: FigureRun,
    database: DatabaseDep,
    measure: Literal["cost", "accuracy"] = "cost",
    first: First = 0,
    end: End = None,
    smoothing: Annotated[
        str, Query(max_length=20, description="auto: by how many are shown; ema:0.6; mean:5; empty: none.")
    ] = "auto",
    width: Annotated[int, Query(ge=50, le=MAX_WIDTH, description="Pixels that the lines have.")] = 1000,
    x: Literal["epoch", "batch"] = "epoch",
    theme: Theme = "light",
) -> Response:
    """Training cost or accuracy of single batches, reduced to what so many pixels can show."""
    from frontend.charts import batches_parts  # noqa: PLC0415
    from frontend.charts.numbers import figure_json  # noqa: PLC0415

    check_range(first, end)
    with database.read() as session:
        seq = events.last_seq(session)
        series = figure_series.batch_results(session, run, measure, first, end, smoothing)
    parts = batches_parts(series, measure=measure, x=x, width=width, theme=theme)
    parts["layout"]["meta"]["seq"] = seq
    return Response(figure_json(parts), media_type="application/json")


@router.get("/histogram", response_model=dict[str, Any], responses=datasets.PENDING)
def get_histogram_figure(
    dataset: DatasetName,
    lab: LabDep,
    stage: Literal["before", "after"],
    preprocessing: Preprocessing = Preprocessing.RAW,
    network: Network = Network.CONV7,
    own_statistics: Annotated[bool, Query(description="Preprocess test images by statistics of their own.")] = False,
    log: Annotated[bool, Query(description="A logarithmic axis of shares.")] = True,
    theme: Theme = "light",
) -> Response:
    """How often each value occurs among a data set's pixels; 202 until a worker has counted them."""
    from frontend.charts import histogram_figure  # noqa: PLC0415

    found = datasets.get_histograms(dataset, lab, Response(), preprocessing, network, own_statistics)
    if isinstance(found, Pending):
        return Response(found.model_dump_json(), status_code=202, media_type="application/json")
    series = figure_series.histograms(found)
    with lab.database.read() as session:
        seq = events.last_seq(session)
    return _answer(histogram_figure(series, stage=stage, log=log, theme=theme), seq)


@router.get("/{name}", response_model=dict[str, Any])
def get_figure(name: str) -> Response:
    """No other figure exists; those of several runs are in `compare_figures`."""
    raise FigureNotFound(f"There is no figure {name[:40]!r}; /api/docs lists those there are.")


def _answer(figure: Any, seq: int) -> Response:
    figure.update_layout(meta={**(figure.layout.meta or {}), "seq": seq})
    return Response(figure.to_json(), media_type="application/json")
