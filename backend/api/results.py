"""What a run has left: metrics, history, log, checkpoints."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from backend.api import presenters
from backend.api.parameters import MISSING, RunId
from backend.api.schemas.base import MAX_ID
from backend.api.schemas.results import CheckpointInfo, LogTail, MetricColumns, NonFinite, RunEventInfo
from backend.contract import METRIC_NAMES
from backend.db import checkpoints, epochs, events, runs
from backend.dependencies import DatabaseDep, LabDep
from backend.errors import BadRequest, NotFound

router = APIRouter(prefix="/runs", tags=["runs"])

LOG_TAIL_BYTES = 64 * 1024
COLUMN_NAMES = (*METRIC_NAMES, "dilation_lambda", "measuring_seconds")


@router.get("/{run_id}/metrics", responses=MISSING)
def get_metrics(
    run_id: RunId,
    database: DatabaseDep,
    names: Annotated[str, Query(max_length=500, description="Columns, comma between; empty: all.")] = "",
    after: Annotated[int, Query(ge=-1, le=MAX_ID, description="Only epochs with a greater number.")] = -1,
) -> MetricColumns:
    """The run's metrics by epoch, as columns."""
    wanted = names.split(",") if names else list(COLUMN_NAMES)
    if unknown := [name for name in wanted if name not in COLUMN_NAMES]:
        raise BadRequest(f"There is no metric {unknown[0]!r}; there are {', '.join(COLUMN_NAMES)}.")
    with database.read() as session:
        seq = events.last_seq(session)  # read first: what is newer is told again by the stream
        run, rows = runs.load(session, run_id), epochs.after(session, run_id, after)
    return MetricColumns(
        run_id=run_id,
        status=run.status,
        epochs=[row.number for row in rows],
        columns={name: [getattr(row, name) for row in rows] for name in wanted},
        recorded_at=[row.recorded_at for row in rows],
        state_hashes=[row.state_hash for row in rows],
        non_finite=[
            NonFinite(epoch=row.number, name=name, value=value)
            for row in rows
            for name, value in row.non_finite.items()
            if name in wanted
        ],
        seq=seq,
    )


@router.get("/{run_id}/history", responses=MISSING)
def get_history(run_id: RunId, database: DatabaseDep) -> list[RunEventInfo]:
    """What happened to the run, oldest first."""
    with database.read() as session:
        runs.load(session, run_id)
        return [
            RunEventInfo(
                seq=entry.seq,
                at=entry.at,
                kind=entry.kind,
                from_status=entry.from_status,
                to_status=entry.to_status,
                attempt=entry.attempt,
                note=entry.note,
            )
            for entry in events.of_run(session, run_id)
        ]


@router.get("/{run_id}/log", responses=MISSING)
def get_log(run_id: RunId, lab: LabDep) -> LogTail:
    """The end of what the run's newest attempt wrote."""
    with lab.database.read() as session:
        run = runs.load(session, run_id)
    path = lab.settings.attempt_log(run.id, run.attempt)
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    return LogTail(attempt=run.attempt, text=text)


@router.get("/{run_id}/checkpoints", responses=MISSING)
def list_checkpoints(run_id: RunId, database: DatabaseDep) -> list[CheckpointInfo]:
    """The states of the run that are kept, the furthest first."""
    with database.read() as session:
        runs.load(session, run_id)
        return [presenters.checkpoint_info(row) for row in checkpoints.newest_first(session, run_id)]


@router.get("/{run_id}/checkpoints/{checkpoint_id}/file", responses=MISSING, response_class=FileResponse)
def get_checkpoint_file(run_id: RunId, checkpoint_id: RunId, lab: LabDep) -> FileResponse:
    """A state as a file of plain arrays, for `numpy.load`."""
    with lab.database.read() as session:
        row = checkpoints.load(session, run_id, checkpoint_id)
    path = lab.settings.checkpoints_dir(run_id) / row.name
    if not path.is_file():
        raise NotFound(f"The file of checkpoint {checkpoint_id} is not on this host: {path.name}.")
    return FileResponse(path, filename=f"run-{run_id}-{row.name}", media_type="application/octet-stream")
