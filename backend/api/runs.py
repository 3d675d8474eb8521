import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from backend.api import presenters
from backend.api.schemas import (
    MAX_ID,
    BranchRequest,
    BulkAnswer,
    BulkRefusal,
    BulkRequest,
    CheckpointInfo,
    CloneRequest,
    ErrorAnswer,
    Launched,
    LaunchRequest,
    LogTail,
    MetricColumns,
    NonFinite,
    RetryRequest,
    RunChange,
    RunDetail,
    RunEventInfo,
    RunList,
    RunSummary,
)
from backend.contract import METRIC_NAMES
from backend.db import checkpoints, epochs, events, filters, lifecycle, runs, workers
from backend.db.models import Run
from backend.dependencies import DatabaseDep, Lab, LabDep
from backend.errors import BadRequest, NotFound, RunNotFound, StepNotAllowed
from backend.submission import LaunchOrder

router = APIRouter(prefix="/runs", tags=["runs"])

Responses = dict[int | str, dict[str, Any]]
RunId = Annotated[int, Path(ge=1, le=MAX_ID)]
IdList = Annotated[str, Query(pattern=r"^\d{1,18}(,\d{1,18})*$", max_length=4000, description="Ids, comma between.")]
MISSING: Responses = {404: {"model": ErrorAnswer}}
FORBIDDEN: Responses = {409: {"model": ErrorAnswer}}
LOG_TAIL_BYTES = 64 * 1024
COLUMN_NAMES = (*METRIC_NAMES, "dilation_lambda")


@router.post("", status_code=201, responses={200: {"model": Launched}})
def launch(
    body: LaunchRequest,
    lab: LabDep,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = None,
) -> Launched:
    """Queue a run, a pair, or one for each seed. The same Idempotency-Key gives the same runs (200), never new ones."""
    order = LaunchOrder(body.config, body.seed_list(), body.pair, body.name or None, body.tags)
    launched, new = lab.submission.launch(order, idempotency_key)
    response.status_code = 201 if new else 200
    with lab.database.read() as session:
        return Launched(launch_id=launched[0].launch_id, runs=_summaries(session, launched))


@router.get("")
def list_runs(
    database: DatabaseDep,
    filter: Annotated[str, Query(max_length=filters.MAX_FILTER_LENGTH)] = "",  # noqa: A002  (the API's word)
    sort: Annotated[str, Query(max_length=50)] = "-created",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str, Query(max_length=2000)] = "",
    ids: IdList | None = None,
    deleted: Annotated[bool, Query(description="Show the trash instead.")] = False,
) -> RunList:
    """Runs, newest first unless sorted otherwise.

    The filter knows comparisons (`= != < > <= >= ~`), `and`, `or`, `not` and parentheses, as in
    `dataset = digits and test_accuracy > 95%`; a word alone is looked for in the name. `~` means "contains".
    """
    wanted = filters.parse(filter)
    where: list[ColumnElement[bool]] = [Run.deleted_at.is_not(None) if deleted else Run.deleted_at.is_(None)]
    if wanted is not None:
        where.append(wanted)
    if ids is not None:
        where.append(Run.id.in_([int(run_id) for run_id in ids.split(",")]))
    with database.read() as session:
        page, next_cursor = runs.page(session, where, filters.Order(sort), cursor or None, limit)
        return RunList(
            runs=_summaries(session, page),
            next_cursor=next_cursor,
            total=runs.count(session, where),
            counts=presenters.status_counts(runs.count_by_status(session)),
            seq=events.last_seq(session),
        )


@router.get("/{run_id}", responses=MISSING)
def get_run(run_id: RunId, database: DatabaseDep) -> RunDetail:
    """One run."""
    with database.read() as session:
        return _detail(session, runs.load(session, run_id))


@router.patch("/{run_id}", responses=MISSING)
def change_run(run_id: RunId, body: RunChange, lab: LabDep) -> RunDetail:
    """Change the run's name, tags or notes."""
    with lab.database.write() as session:
        changed = _detail(session, runs.change(session, run_id, **body.model_dump(exclude_none=True)))
    lab.notifier.changed()
    return changed


@router.delete("/{run_id}", responses=MISSING | FORBIDDEN)
def delete_run(
    run_id: RunId,
    lab: LabDep,
    purge: Annotated[bool, Query(description="Remove it for good, with its epochs.")] = False,
) -> RunSummary:
    """Move a run to the trash, from where it can be restored, or remove it for good. The run, as it was last."""
    with lab.database.write() as session:
        summary = _summaries(session, [runs.trash(session, run_id)])[0]
        if purge:
            runs.remove(session, run_id)
    if purge:
        shutil.rmtree(lab.settings.runs_dir / str(run_id), ignore_errors=True)
    lab.notifier.changed()
    return summary


@router.post("/{run_id}/restore", responses=MISSING)
def restore_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Take a run out of the trash."""
    with lab.database.write() as session:
        summary = _summaries(session, [runs.restore(session, run_id)])[0]
    lab.notifier.changed()
    return summary


@router.post("/bulk")
def change_many(body: BulkRequest, lab: LabDep) -> BulkAnswer:
    """Do one thing with many runs. Each is done for itself: one that refuses is named, and hinders no other."""
    changed, refused = [], []
    for run_id in dict.fromkeys(body.ids):
        try:
            changed.append(_steer(lab, run_id, body.action))
        except (RunNotFound, StepNotAllowed) as error:
            refused.append(BulkRefusal(id=run_id, message=str(error)))
    lab.notifier.changed()
    with lab.database.read() as session:
        return BulkAnswer(runs=_summaries(session, changed), refused=refused)


def _steer(lab: Lab, run_id: int, action: str) -> Run:
    steers = {"stop": lab.submission.stop, "pause": lab.submission.pause, "resume": lab.submission.resume}
    if action in steers:
        return steers[action](run_id)
    with lab.database.write() as session:
        return runs.trash(session, run_id) if action == "delete" else runs.restore(session, run_id)


@router.post("/{run_id}/stop", status_code=202, responses=MISSING | FORBIDDEN)
def stop_run(
    run_id: RunId,
    lab: LabDep,
    force: Annotated[bool, Query(description="Give its process no time to save where it is.")] = False,
) -> RunSummary:
    """Stop a run: at once while it is queued, within a batch or two seconds while it trains."""
    run = lab.submission.stop(run_id, force=force)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/retry", status_code=201, responses=MISSING | FORBIDDEN)
def retry_run(run_id: RunId, lab: LabDep, body: RetryRequest | None = None) -> RunSummary:
    """Train a failed or stopped run's configuration again, from the beginning or after its last finished epoch."""
    run = lab.submission.retry(run_id, from_checkpoint=body is not None and body.from_checkpoint)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/clone", status_code=201, responses=MISSING)
def clone_run(run_id: RunId, lab: LabDep, body: CloneRequest | None = None) -> RunSummary:
    """Launch the run's configuration, changed, as a new run."""
    body = body or CloneRequest()
    run = lab.submission.clone(run_id, body.config, body.name)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/pause", status_code=202, responses=MISSING | FORBIDDEN)
def pause_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Pause a run that trains: it saves where it is, within a batch or two seconds, and frees its worker."""
    run = lab.submission.pause(run_id)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/resume", status_code=202, responses=MISSING | FORBIDDEN)
def resume_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Queue a paused run again: it goes on where it was, with the same bits."""
    run = lab.submission.resume(run_id)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/reproduce", status_code=201, responses=MISSING)
def reproduce_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Train the run's configuration again. The new run's `reproduction` says from which epoch on it differs, if any."""
    run = lab.submission.reproduce(run_id)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


@router.post("/{run_id}/branch", status_code=201, responses=MISSING)
def branch_run(run_id: RunId, body: BranchRequest, lab: LabDep) -> RunSummary:
    """Go on after an epoch of the run, with changed settings, as a new run."""
    run = lab.submission.branch(run_id, body.epoch, body.config, body.name)
    with lab.database.read() as session:
        return _summaries(session, [run])[0]


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
        run, rows, seq = runs.load(session, run_id), epochs.after(session, run_id, after), events.last_seq(session)
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


def _summaries(session: Session, rows: list[Run]) -> list[RunSummary]:
    positions = runs.queue_positions(session)
    return [presenters.run_summary(run, positions) for run in rows]


def _detail(session: Session, run: Run) -> RunDetail:
    worker = workers.name_of(session, run.worker_id) if run.worker_id is not None else None
    reproduction = None
    if run.relation == lifecycle.REPRODUCTION and run.parent_id is not None:
        reproduction = presenters.reproduction_info(*epochs.first_difference(session, run.id, run.parent_id))
    children = runs.children_of(session, run.id)
    return presenters.run_detail(run, runs.queue_positions(session), worker, reproduction, children)


def parse_ids(ids: str) -> list[int]:
    """Distinct ids in the order in which they were named. Raises RunNotFound for one that no database can hold."""
    numbers = list(dict.fromkeys(int(run_id) for run_id in ids.split(",")))
    if 0 in numbers:
        raise RunNotFound("There is no run 0.")
    return numbers
