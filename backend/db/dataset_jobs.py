"""Work on data sets, done once for all who ask, by the worker that claims it. The row is the message: none is lost.

A claim gives the job a new attempt number; every later write of that attempt checks it, as with runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.contract import DatasetName, JobKind, JobState
from backend.db import clock
from backend.db.side_models import DatasetJob
from backend.errors import AttemptSuperseded

MAX_LOSSES = 3  # lost attempts after which a job has failed
ENDED = (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True)
class Order:
    """What is asked for. Equal orders are one job."""

    kind: JobKind
    dataset: DatasetName
    arguments: Mapping[str, Any]
    fingerprint: str = ""  # of the files that the result is made from: with other files it is made anew

    @property
    def key(self) -> str:
        """What equal orders have in common."""
        return "/".join(
            [self.kind, self.dataset, *(f"{name}={self.arguments[name]}" for name in sorted(self.arguments))]
        )


@dataclass(frozen=True)
class JobClaim:
    """What the winner of a job holds."""

    job_id: int
    attempt: int
    kind: JobKind
    dataset: DatasetName
    arguments: Mapping[str, Any]


def ask(session: Session, order: Order, *, again_after_s: float | None) -> DatasetJob:
    """The job that an order is, new or known. One whose files are others now is queued again.

    Args:
        session: writes.
        order: what is asked for.
        again_after_s: a job that failed is queued again where it ended longer ago; None: so is one that was done.
    """
    job = _find(session, order.key)
    if job is None:
        try:
            with session.begin_nested():
                session.add(_new(session, order))
        except IntegrityError:
            pass  # another asker was first
        job = _find(session, order.key)
        assert job is not None
    if job.state in ENDED and _is_stale(session, job, order, again_after_s):
        job.state, job.fingerprint, job.losses = JobState.QUEUED, order.fingerprint, 0
        job.error = job.result = job.progress = job.finished_at = None
        job.queued_at = clock.now(session)
    return job


def find_result(session: Session, order: Order) -> dict[str, Any] | None:
    """What came of an order that was carried out with these files; None where it was not, or not yet."""
    same = (DatasetJob.key == order.key, DatasetJob.fingerprint == order.fingerprint)
    return session.scalar(select(DatasetJob.result).where(*same, DatasetJob.state == JobState.DONE))


def downloads(session: Session) -> dict[DatasetName, DatasetJob]:
    """The newest download of each data set that was ever asked for."""
    rows = session.scalars(select(DatasetJob).where(DatasetJob.kind == JobKind.DOWNLOAD).order_by(DatasetJob.id))
    return {DatasetName(row.dataset): row for row in rows}


def is_due(session: Session, kind: JobKind) -> bool:
    """Whether a job of this kind waits for a worker."""
    return session.scalar(select(DatasetJob.id).where(_due(session, kind)).limit(1)) is not None


def claim(session: Session, kind: JobKind, lease_s: float) -> JobClaim | None:
    """The oldest job of this kind that waits, for this worker to do; None where none does (any more).

    One whose worker was lost waits again; after `MAX_LOSSES` it has failed.
    """
    waiting = select(DatasetJob).where(_due(session, kind)).order_by(DatasetJob.queued_at, DatasetJob.id)
    for job in session.scalars(waiting.with_for_update(skip_locked=True)):
        if job.state == JobState.RUNNING and _lose(session, job, "Its worker gave no sign of life."):
            continue
        job.state, job.attempt, job.progress = JobState.RUNNING, job.attempt + 1, None
        job.lease_until = clock.now(session) + timedelta(seconds=lease_s)
        session.flush()
        return _claim_of(job)
    return None


def load_claim(session: Session, job_id: int, attempt: int) -> JobClaim:
    """What an attempt holds, for the process that does the work. Raises AttemptSuperseded."""
    return _claim_of(_held(session, job_id, attempt))


def renew(session: Session, job_id: int, attempt: int, lease_s: float) -> None:
    """Hold the job for another lease."""
    _held(session, job_id, attempt).lease_until = clock.now(session) + timedelta(seconds=lease_s)


def set_progress(session: Session, job_id: int, attempt: int, progress: dict[str, Any]) -> None:
    """Show how far the attempt is."""
    held = (DatasetJob.id == job_id, DatasetJob.attempt == attempt, DatasetJob.state == JobState.RUNNING)
    if session.scalar(update(DatasetJob).where(*held).values(progress=progress).returning(DatasetJob.id)) is None:
        raise _superseded(job_id, attempt)


def finish(session: Session, job_id: int, attempt: int, result: dict[str, Any]) -> None:
    """The attempt has done the work."""
    job = _held(session, job_id, attempt)
    job.result = result
    _end(session, job, JobState.DONE)


def fail(session: Session, job_id: int, attempt: int, error: str) -> None:
    """The work can't be done, for a reason that another attempt would meet too."""
    job = _held(session, job_id, attempt)
    job.error = error
    _end(session, job, JobState.FAILED)


def give_back(session: Session, job_id: int, attempt: int, reason: str, *, blameless: bool = False) -> None:
    """The attempt was lost: the job waits again, or has failed where that came too often."""
    job = _held(session, job_id, attempt)
    if blameless or not _lose(session, job, reason):
        job.state, job.lease_until, job.progress = JobState.QUEUED, None, None


def _find(session: Session, key: str) -> DatasetJob | None:
    return session.scalars(select(DatasetJob).where(DatasetJob.key == key).with_for_update()).one_or_none()


def _new(session: Session, order: Order) -> DatasetJob:
    return DatasetJob(
        key=order.key,
        kind=order.kind.value,
        dataset=order.dataset.value,
        arguments=dict(order.arguments),
        fingerprint=order.fingerprint,
        state=JobState.QUEUED.value,
        attempt=0,
        losses=0,
        queued_at=clock.now(session),
    )


def _is_stale(session: Session, job: DatasetJob, order: Order, again_after_s: float | None) -> bool:
    if again_after_s is None or job.fingerprint != order.fingerprint:
        return True
    assert job.finished_at is not None
    return job.state == JobState.FAILED and clock.now(session) - job.finished_at > timedelta(seconds=again_after_s)


def _due(session: Session, kind: JobKind) -> ColumnElement[bool]:
    lost = (DatasetJob.state == JobState.RUNNING) & (DatasetJob.lease_until < clock.now(session))
    return (DatasetJob.kind == kind) & ((DatasetJob.state == JobState.QUEUED) | lost)


def _lose(session: Session, job: DatasetJob, reason: str) -> bool:
    """Count a lost attempt; whether the job has failed by it."""
    job.losses += 1
    if job.losses < MAX_LOSSES:
        return False
    job.error = f"It was lost {job.losses} times without an end. The last time: {reason}"
    _end(session, job, JobState.FAILED)
    return True


def _end(session: Session, job: DatasetJob, state: JobState) -> None:
    job.state, job.lease_until, job.finished_at = state.value, None, clock.now(session)


def _held(session: Session, job_id: int, attempt: int) -> DatasetJob:
    job = session.scalars(select(DatasetJob).where(DatasetJob.id == job_id).with_for_update()).one_or_none()
    if job is None or job.attempt != attempt or job.state != JobState.RUNNING:
        raise _superseded(job_id, attempt)
    return job


def _superseded(job_id: int, attempt: int) -> AttemptSuperseded:
    return AttemptSuperseded(f"Attempt {attempt} of data set job {job_id} no longer holds it.")


def _claim_of(job: DatasetJob) -> JobClaim:
    return JobClaim(job.id, job.attempt, JobKind(job.kind), DatasetName(job.dataset), job.arguments)
