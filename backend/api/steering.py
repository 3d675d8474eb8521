"""What is done with runs that there are: stopped, paused, taken up again, repeated."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from backend.api.parameters import FORBIDDEN, MISSING, RunId, summaries
from backend.api.schemas.base import MAX_TAGS
from backend.api.schemas.runs import RunSummary
from backend.api.schemas.steering import BranchRequest, BulkAnswer, BulkRefusal, BulkRequest, CloneRequest, RetryRequest
from backend.contract import FINAL_STATUSES
from backend.db import runs, waiting
from backend.db.models import Run
from backend.dependencies import Lab, LabDep
from backend.errors import RunNotFound, StepNotAllowed

router = APIRouter(prefix="/runs", tags=["runs"])

_CHANGES = frozenset({"priority", "delete", "restore", "tag", "untag"})


@router.post("/{run_id}/stop", status_code=202, responses=MISSING | FORBIDDEN)
def stop_run(
    run_id: RunId,
    lab: LabDep,
    force: Annotated[bool, Query(description="Give its process no time to save where it is.")] = False,
) -> RunSummary:
    """Stop a run: at once while it is queued, within a batch or two seconds while it trains."""
    run = lab.submission.stop(run_id, force=force)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/pause", status_code=202, responses=MISSING | FORBIDDEN)
def pause_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Pause a run that trains: it saves where it is, within a batch or two seconds, and frees its worker."""
    run = lab.submission.pause(run_id)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/resume", status_code=202, responses=MISSING | FORBIDDEN)
def resume_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Queue a paused run again: it goes on where it was, with the same bits."""
    run = lab.submission.resume(run_id)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/retry", status_code=201, responses=MISSING | FORBIDDEN)
def retry_run(run_id: RunId, lab: LabDep, body: RetryRequest | None = None) -> RunSummary:
    """Train a failed or stopped run's configuration again, from the beginning or after its last finished epoch."""
    run = lab.submission.retry(run_id, from_checkpoint=body is not None and body.from_checkpoint)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/clone", status_code=201, responses=MISSING)
def clone_run(run_id: RunId, lab: LabDep, body: CloneRequest | None = None) -> RunSummary:
    """Launch the run's configuration, changed, as a new run."""
    body = body or CloneRequest()
    run = lab.submission.clone(run_id, body.config, body.name)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/branch", status_code=201, responses=MISSING)
def branch_run(run_id: RunId, body: BranchRequest, lab: LabDep) -> RunSummary:
    """Go on after an epoch of the run, with changed settings, as a new run."""
    run = lab.submission.branch(run_id, body.epoch, body.config, body.name)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/{run_id}/reproduce", status_code=201, responses=MISSING)
def reproduce_run(run_id: RunId, lab: LabDep) -> RunSummary:
    """Train the run's configuration again. The new run's `reproduction` says from which epoch on it differs, if any."""
    run = lab.submission.reproduce(run_id)
    with lab.database.read() as session:
        return summaries(session, [run])[0]


@router.post("/bulk")
def change_many(body: BulkRequest, lab: LabDep) -> BulkAnswer:
    """Do one thing with many runs. Each is done for itself: one that refuses is named, and hinders no other."""
    changed, refused = [], []
    ids = list(dict.fromkeys(body.ids))
    # The youngest first: a run that others came from can be removed once they are gone.
    ids = sorted(ids, reverse=True) if body.action == "purge" else ids
    # What only changes rows is one transaction; a run that refuses does so before anything of it was changed.
    with lab.database.write() if body.action in _CHANGES else nullcontext() as session:
        if session is not None:
            runs.hold(session, ids)
        for run_id in ids:
            try:
                changed.append(_steer(lab, run_id, body) if session is None else _change(session, run_id, body))
            except (RunNotFound, StepNotAllowed) as error:
                refused.append(BulkRefusal(id=run_id, message=str(error)))
    lab.notifier.changed()
    with lab.database.read() as session:
        return BulkAnswer(runs=summaries(session, changed), refused=refused)


def _steer(lab: Lab, run_id: int, body: BulkRequest) -> Run:
    by_submission: Mapping[str, Callable[[int], Run]] = {
        "stop": lab.submission.stop,
        "force_stop": partial(lab.submission.stop, force=True),
        "pause": lab.submission.pause,
        "resume": lab.submission.resume,
        "retry": partial(lab.submission.retry, from_checkpoint=False),
        "purge": partial(purge, lab),
    }
    return by_submission[body.action](run_id)


def _change(session: Session, run_id: int, body: BulkRequest) -> Run:
    if body.action in ("tag", "untag"):
        return runs.tag(session, run_id, body.tags, on=body.action == "tag", most=MAX_TAGS)
    if body.priority is not None:
        run = runs.load(session, run_id)
        if run.status in FINAL_STATUSES:
            raise StepNotAllowed(f"Run {run_id} is {run.status}; a priority only tells when a run begins that waits.")
        return waiting.set_priority(session, run_id, body.priority)
    return runs.trash(session, run_id) if body.action == "delete" else runs.restore(session, run_id)


def purge(lab: Lab, run_id: int) -> Run:
    """Remove a run for good, with its files; the run as it was. Raises RunNotFound, StepNotAllowed."""
    with lab.database.write() as session:
        run = runs.load(session, run_id)
        runs.remove(session, run_id)
    shutil.rmtree(lab.settings.runs_dir / str(run_id), ignore_errors=True)
    return run
