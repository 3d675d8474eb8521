import shutil
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from backend.api import presenters
from backend.api.parameters import FORBIDDEN, MISSING, IdList, RunId, parse_ids, summaries
from backend.api.schemas.launch import LaunchRequest
from backend.api.schemas.results import Spark
from backend.api.schemas.runs import Launched, RunChange, RunDetail, RunIds, RunList, RunSummary
from backend.db import epochs, events, filters, lifecycle, runs, waiting
from backend.db.models import Run
from backend.db.orders import Order
from backend.dependencies import DatabaseDep, LabDep

router = APIRouter(prefix="/runs", tags=["runs"])

NEWEST_FIRST = "-created"
SPARK_POINTS = 60
Filter = Annotated[str, Query(max_length=filters.MAX_FILTER_LENGTH)]
Sort = Annotated[str, Query(max_length=50)]
Deleted = Annotated[bool, Query(description="Show the trash instead.")]


@router.post("", status_code=201, responses={200: {"model": Launched}, **MISSING})
def launch(
    body: LaunchRequest,
    lab: LabDep,
    response: Response,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = None,
) -> Launched:
    """Queue a run, a pair, or one for each seed and each point of a grid.

    The same Idempotency-Key gives the same runs (200), never new ones.
    """
    launched, new = lab.submission.launch(body.order(), idempotency_key)
    response.status_code = 201 if new else 200
    with lab.database.read() as session:
        return Launched(launch_id=launched[0].launch_id, runs=summaries(session, launched))


@router.get("")
def list_runs(
    database: DatabaseDep,
    filter: Filter = "",  # noqa: A002  (the API's word)
    sort: Sort = NEWEST_FIRST,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str, Query(max_length=2000)] = "",
    ids: IdList | None = None,
    deleted: Deleted = False,
) -> RunList:
    """Runs, newest first unless sorted otherwise.

    The filter knows comparisons (`= != < > <= >= ~ !~`), ranges and lists (`epsilon in 0.1..0.5`,
    `dataset in (digits, mnist)`), `and`, `or`, `not` and parentheses, as in
    `dataset = digits and test_accuracy > 95%`; a word alone is looked for in the name. `~` means "contains".
    It can be sorted by every field that holds one value, downwards with `-`; runs without the value come last.
    """
    where = _conditions(filter, deleted=deleted)
    if ids is not None:
        where.append(Run.id.in_([int(run_id) for run_id in ids.split(",")]))
    with database.read() as session:
        seq = events.last_seq(session)  # read first: what is newer is told again by the stream
        page, next_cursor = runs.page(session, where, Order(sort), cursor or None, limit)
        total, disk_bytes = runs.totals(session, where)
        return RunList(
            runs=summaries(session, page),
            next_cursor=next_cursor,
            total=total,
            disk_bytes=disk_bytes,
            counts=presenters.status_counts(runs.count_by_status(session)),
            seq=seq,
        )


@router.get("/ids")
def list_ids(
    database: DatabaseDep,
    filter: Filter = "",  # noqa: A002  (the API's word)
    sort: Sort = NEWEST_FIRST,
    deleted: Deleted = False,
) -> RunIds:
    """The ids of all runs that the same words would list, in the same order: small enough to come whole."""
    with database.read() as session:
        return RunIds(ids=list(runs.ids(session, _conditions(filter, deleted=deleted), Order(sort))))


@router.get("/sparks")
def list_sparks(ids: IdList, database: DatabaseDep) -> list[Spark]:
    """The small lines of a table's rows: test accuracy by epoch of many runs at once."""
    sparks = {run_id: Spark(run_id=run_id, epochs=[], test_accuracy=[]) for run_id in parse_ids(ids)}
    with database.read() as session:
        for run_id, epoch, accuracy in epochs.test_accuracies(session, sparks, SPARK_POINTS):
            sparks[run_id].epochs.append(epoch)
            sparks[run_id].test_accuracy.append(accuracy)
    return list(sparks.values())


@router.get("/{run_id}", responses=MISSING)
def get_run(run_id: RunId, database: DatabaseDep) -> RunDetail:
    """One run."""
    with database.read() as session:
        return _detail(session, runs.load(session, run_id))


@router.patch("/{run_id}", responses=MISSING)
def change_run(run_id: RunId, body: RunChange, lab: LabDep) -> RunDetail:
    """Change the run's name, tags, notes or priority."""
    values = body.model_dump(exclude_none=True)
    priority = values.pop("priority", None)
    with lab.database.write() as session:
        if priority is not None:
            waiting.set_priority(session, run_id, priority)
        run = runs.change(session, run_id, **values) if values or priority is None else runs.load(session, run_id)
        changed = _detail(session, run)
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
        summary = summaries(session, [runs.trash(session, run_id)])[0]
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
        summary = summaries(session, [runs.restore(session, run_id)])[0]
    lab.notifier.changed()
    return summary


def _conditions(text: str, *, deleted: bool) -> list[ColumnElement[bool]]:
    wanted = filters.parse(text)
    kept = Run.deleted_at.is_not(None) if deleted else Run.deleted_at.is_(None)
    return [kept] if wanted is None else [kept, wanted]


def _detail(session: Session, run: Run) -> RunDetail:
    reproduction = None
    if run.relation == lifecycle.REPRODUCTION and run.parent_id is not None:
        reproduction = presenters.reproduction_info(*epochs.first_difference(session, run.id, run.parent_id))
    children = runs.children_of(session, run.id)
    return presenters.run_detail(run, waiting.view(session, [run.id]), reproduction, children)
