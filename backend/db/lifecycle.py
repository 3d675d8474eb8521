"""Every step in a run's life, each guarded by its status and, for those who train it, by the number of their attempt.

An attempt's number is a fencing token: who holds an older one changes nothing, and learns so by `AttemptSuperseded`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.contract import ALLOWED_STEPS, FINAL_STATUSES, LIVE_STATUSES, MAX_LEASE_S, Device, RunStatus, TrainConfig
from backend.db import clock, devices, events, rests, waiting
from backend.db.models import Run, Worker
from backend.errors import AttemptSuperseded, RunNotFound, StepNotAllowed

BRANCH, REPRODUCTION, RETRY, CLONE = "branch", "reproduction", "retry", "clone"  # what a run may be to its parent
MAX_BARREN_ATTEMPTS = 3  # lost attempts in a row without a new epoch, after which a run has failed
MAX_BLAMELESS_ATTEMPTS = 10  # and those that were no fault of the run's: it would never end otherwise


@dataclass(frozen=True)
class HeldDevice:
    """A device that a claim took."""

    id: int
    kind: Device  # CPU or GPU
    number: int


@dataclass(frozen=True)
class Claim:
    """What the winner of a run holds."""

    run_id: int
    attempt: int
    threads: int
    config: TrainConfig
    parent_id: int | None  # the run that a branch continues
    start_epoch: int  # and the number of its epochs after which it does
    devices: tuple[HeldDevice, ...] = ()


class Sign(NamedTuple):
    """What the holder of a run looks at, again and again."""

    wish: RunStatus  # the status in which it is: `stopping` and `pausing` ask to stop
    advance: tuple[int, datetime | None]  # differs from the one before where the trainer has reported anything


def _step(session: Session, run: Run, to: RunStatus, *, note: str | None = None, **values: Any) -> Run:
    """Take one allowed step and log it; the row is locked by the caller's read or, in SQLite, by the transaction."""
    before, at = run.status, clock.now(session)
    if to not in ALLOWED_STEPS[before]:
        raise StepNotAllowed(f"Run {run.id} is {before} and can't become {to}.")
    if to not in LIVE_STATUSES:
        values = {"lease_until": None, "progress": None, **values}
    if to in FINAL_STATUSES:
        values |= {"finished_at": at}
    if to is RunStatus.QUEUED:
        values |= {"queued_at": at, "message_sent_at": None}
    guarded = (
        update(Run)
        .where(Run.id == run.id, Run.status == before, Run.attempt == run.attempt)
        .values(status=to, **values)
        .returning(Run)
        .execution_options(populate_existing=True)
    )
    changed = session.scalars(guarded).one_or_none()
    if changed is None:
        raise AttemptSuperseded(f"Run {run.id} was changed by another while it was {before}.")
    if to not in LIVE_STATUSES:
        devices.release(session, run.id)
    events.add(session, changed, events.STEP, at, from_status=before, note=note)
    return changed


# Rows are locked without their keys: who launches a clone or claims for a worker has the stream's number when the
# database looks whether the parent or the worker is there, and must not wait for one who waits for that number.


def _locked(session: Session, run_id: int) -> Run:
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).one_or_none()
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def held(session: Session, run_id: int, attempt: int, statuses: frozenset[RunStatus] = LIVE_STATUSES) -> Run:
    """The run, if this attempt still holds it and it is in one of the statuses."""
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).one_or_none()
    if run is None or run.attempt != attempt or run.status not in statuses:
        raise AttemptSuperseded(f"Attempt {attempt} of run {run_id} no longer holds it.")
    return run


def best_waiting(session: Session, worker_id: int, usable: Collection[int] | None = None) -> tuple[int, Device] | None:
    """The first run of the queue that this worker's free devices suffice for, and the kind to take, or None.

    Args:
        session: only reads.
        worker_id: of the worker; one that drains or rests takes none.
        usable: ids of its devices that it knows to be idle; None: all that no run holds.
    """
    worker = session.get(Worker, worker_id)
    if worker is None or worker.draining or rests.rests(session, worker):
        return None
    free = devices.free_of(session, worker_id, usable)
    return waiting.best_for(session, devices.offer_of(session, worker_id, free))


def claim(
    session: Session,
    run_id: int,
    worker_id: int,
    threads: int,
    lease_s: float,
    usable: Collection[int] | None = None,
    kind: Device | None = None,
) -> Claim | None:
    """The run for this worker to train, under a new attempt number, with the devices that it asks for.

    None where it is not queued (any more), or the worker has not (or no longer) enough free devices, drains or rests;
    and where its configuration can't be read: then it has failed, so that it keeps no other from its turn.

    Args:
        session: writes.
        run_id: of the run.
        worker_id: of the worker.
        threads: for a run that has none fixed yet.
        lease_s: for which the run is held unless that is renewed.
        usable: ids of the worker's devices that it knows to be idle; None: all that no run holds.
        kind: of device to take; None: a GPU where one is free and the run takes it.
    """
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).one_or_none()
    if run is None or run.status is not RunStatus.QUEUED or run.deleted_at is not None:
        return None
    # Locked as a drain locks it: what is claimed after a drain was answered would break that promise.
    worker = session.scalars(select(Worker).where(Worker.id == worker_id).with_for_update(key_share=True)).one()
    if worker.draining or rests.rests(session, worker):
        return None
    if unreadable := _unreadable(run):
        _step(session, run, RunStatus.FAILED, error=unreadable, note=unreadable)
        return None
    free = devices.free_of(session, worker_id, usable)
    chosen = devices.chosen_for(waiting.need_of(run), free, kind)
    if not chosen:
        return None
    devices.hold(chosen, run.id)
    at = clock.now(session)
    run = _step(
        session,
        run,
        RunStatus.STARTING,
        attempt=run.attempt + 1,
        lease_until=at + timedelta(seconds=lease_s),
        worker_id=worker_id,
        worker_name=worker.name,
        threads=run.threads or threads,
        started_at=run.started_at or at,
        queue_order=0,
    )
    return _claim_of(session, run)


def _unreadable(run: Run) -> str | None:
    """Why a run can't be trained by this version, whatever worker takes it; None where it can."""
    try:
        TrainConfig.model_validate(run.config)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "configuration"
        return (
            f"Its stored configuration can't be read: {field}: {first['msg'].removeprefix('Value error, ')}. A newer "
            "version wrote it, or the row was changed by hand: let all hosts run one version, and launch the run anew."
        )
    return None


def load_claim(session: Session, run_id: int, attempt: int) -> Claim:
    """What an attempt holds, for the process that trains it. Raises AttemptSuperseded."""
    return _claim_of(session, held(session, run_id, attempt))


def _claim_of(session: Session, run: Run) -> Claim:
    config = TrainConfig.model_validate(run.config)
    held_devices = [HeldDevice(row.id, Device(row.kind), row.number) for row in devices.held_by(session, run.id)]
    return Claim(
        run.id,
        run.attempt,
        run.threads or 1,
        config,
        branched_from(session, run),
        run.start_epoch,
        tuple(held_devices),
    )


def branched_from(session: Session, run: Run) -> int | None:
    """The run whose state a run begins with: its parent, or what that began with, where both begin at one epoch."""
    if run.start_epoch == 0 or run.parent_id is None:
        return None
    parent = session.get_one(Run, run.parent_id)
    return branched_from(session, parent) if parent.start_epoch == run.start_epoch else parent.id


def mark_running(session: Session, run_id: int, attempt: int, environment: dict[str, str]) -> None:
    """The attempt's process is ready to train. A wish to stop that came meanwhile stays."""
    run = held(session, run_id, attempt)
    if run.environment is not None and (note := _environment_note(run.environment, environment)):
        events.add(session, run, events.NOTE, clock.now(session), from_status=run.status, note=note)
    if run.status is RunStatus.STARTING:
        _step(session, run, RunStatus.RUNNING, environment=run.environment or environment)


def _environment_note(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """What of the environment is not as it was for the run's first attempt."""
    changed = [f"{name} {now[name]}, was {before[name]}" for name in now if before.get(name, now[name]) != now[name]]
    return f"Environment changed: {'; '.join(changed)}. Bits are not comparable." if changed else None


def renew(session: Session, run_id: int, attempt: int, lease_s: float) -> None:
    """Hold the run for another lease."""
    run = held(session, run_id, attempt)
    run.lease_until = clock.now(session) + timedelta(seconds=lease_s)


def wish(session: Session, run_id: int, attempt: int) -> RunStatus:
    """The status in which the attempt's run is: `stopping` asks its holder to stop."""
    return sign(session, run_id, attempt).wish


def sign(session: Session, run_id: int, attempt: int) -> Sign:
    """What the holder of a run must know of it. Raises AttemptSuperseded."""
    asked = select(Run.status, Run.attempt, Run.epochs_done, Run.progress_at).where(Run.id == run_id)
    row = session.execute(asked).one_or_none()
    if row is None or row.attempt != attempt or row.status not in LIVE_STATUSES:
        raise AttemptSuperseded(f"Attempt {attempt} of run {run_id} no longer holds it.")
    return Sign(RunStatus(row.status), (row.epochs_done, row.progress_at))


def ask_stop(session: Session, run_id: int) -> Run:
    """The run, stopped if nobody trains it, or stopping. Asking again for what is under way changes nothing."""
    run = _locked(session, run_id)
    if run.status is RunStatus.STOPPING:
        return run
    to = RunStatus.STOPPING if run.status in LIVE_STATUSES else RunStatus.STOPPED
    if to not in ALLOWED_STEPS[run.status]:
        raise StepNotAllowed(f"Run {run_id} is {run.status}; only a queued, paused or running run can be stopped.")
    return _step(session, run, to, note="Asked to stop.")


def force_stop(session: Session, run_id: int) -> Run:
    """The run, stopped at once: who trains it holds nothing any more, and its process is killed once that is seen."""
    run = ask_stop(session, run_id)
    if run.status is RunStatus.STOPPING:
        run = _step(session, run, RunStatus.STOPPED, note="Stopped by force.")
    return run


def ask_pause(session: Session, run_id: int) -> Run:
    """The run, pausing. Asking again for what is under way changes nothing."""
    run = _locked(session, run_id)
    if run.status is RunStatus.PAUSING:
        return run
    if RunStatus.PAUSING not in ALLOWED_STEPS[run.status]:
        raise StepNotAllowed(f"Run {run_id} is {run.status}; only a run that trains can be paused.")
    return _step(session, run, RunStatus.PAUSING, note="Asked to pause.")


def resume(session: Session, run_id: int) -> Run:
    """A paused run, queued again."""
    run = _locked(session, run_id)
    if run.status is not RunStatus.PAUSED or run.deleted_at is not None:
        where = "in the trash" if run.deleted_at is not None else str(run.status)
        raise StepNotAllowed(f"Run {run_id} is {where}; only a paused run can be resumed.")
    return _step(
        session, run, RunStatus.QUEUED, note="Resumed.", barren_attempts=0, blameless_attempts=0, worker_id=None
    )


def end_as_asked(session: Session, run_id: int, attempt: int) -> None:
    """The attempt has obeyed the wish to stop or to pause; or its worker ends, and the run is queued again."""
    run = held(session, run_id, attempt)
    if run.status in (RunStatus.STOPPING, RunStatus.PAUSING):
        _step(session, run, RunStatus.STOPPED if run.status is RunStatus.STOPPING else RunStatus.PAUSED)
    else:
        give_back(session, run_id, attempt, "Its worker was asked to end; it has saved where it is.", blameless=True)


def finish(session: Session, run_id: int, attempt: int) -> None:
    """The attempt has recorded the last epoch; a run that was asked to stop meanwhile has stopped there."""
    run = held(session, run_id, attempt)
    _step(session, run, RunStatus.STOPPED if run.status is RunStatus.STOPPING else RunStatus.FINISHED)


def fail(session: Session, run_id: int, attempt: int, error: str, autopsy: dict[str, Any] | None = None) -> None:
    """The run can't go on, for a reason that another attempt would meet too."""
    run = held(session, run_id, attempt)
    to = RunStatus.STOPPED if run.status is RunStatus.STOPPING else RunStatus.FAILED
    _step(session, run, to, error=error, note=error, autopsy=autopsy or None)


def give_back(
    session: Session,
    run_id: int,
    attempt: int,
    reason: str,
    *,
    blameless: bool = False,
    behind: bool = False,
    last_words: str = "",
) -> Run:
    """The run, as it is after its attempt was lost: queued again, or, as was wished, stopped or paused.

    It fails after `MAX_BARREN_ATTEMPTS` lost attempts without any progress that was saved. Blameless ones are counted
    apart, up to `MAX_BLAMELESS_ATTEMPTS`.

    Args:
        session: writes.
        run_id: of the run.
        attempt: that was lost.
        reason: a sentence for its history.
        blameless: it was no fault of the run's: its worker was asked to end, or can train nothing at all.
        behind: it waits behind its equals then, and not before them.
        last_words: the end of its log, told where the run fails.
    """
    run = held(session, run_id, attempt)
    if run.status is RunStatus.STOPPING:
        return _step(session, run, RunStatus.STOPPED, note=reason)
    if run.status is RunStatus.PAUSING:
        return _step(session, run, RunStatus.PAUSED, note=reason)
    barren = run.barren_attempts + (0 if blameless else 1)
    unlucky = run.blameless_attempts + (1 if blameless else 0)
    counts = {"barren_attempts": barren, "blameless_attempts": unlucky}
    if barren >= MAX_BARREN_ATTEMPTS or unlucky >= MAX_BLAMELESS_ATTEMPTS:
        error = f"Lost {barren + unlucky} times in epoch {run.epochs_done + 1} without finishing it."
        error += f" {unlucky} times that was no fault of its own." if unlucky else ""
        error += f" The last time: {reason}"
        error += f" Its log ends:\n{last_words}" if last_words else ""
        return _step(session, run, RunStatus.FAILED, error=error, note=error, **counts)
    order = 0 if behind else waiting.front_of(session, run.priority)
    return _step(session, run, RunStatus.QUEUED, note=reason, queue_order=order, **counts)


def lose(
    session: Session, run_id: int, attempt: int, reason: str, *, blameless: bool = False, last_words: str = ""
) -> Run:
    """Give back a run whose attempt was lost on a worker that lives, and let the worker rest where that is often so.

    A worker on which run after run is lost before its first batch is taken for the cause: the run is not blamed, and
    waits behind its equals, so that each rest is followed by a try with another one.
    """
    run = held(session, run_id, attempt)
    is_the_workers = rests.lost(session, run, reason, last_words)
    return give_back(
        session,
        run_id,
        attempt,
        reason,
        blameless=blameless or is_the_workers,
        behind=is_the_workers,
        last_words=last_words,
    )


def reap(session: Session) -> Sequence[Run]:
    """Take back every run whose lease is over; the runs that were."""
    overdue = session.scalars(
        select(Run)
        .where(Run.status.in_(LIVE_STATUSES), Run.lease_until < clock.now(session))
        .order_by(Run.id)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    return [give_back(session, run.id, run.attempt, "Its worker gave no sign of life.") for run in overdue]


def forget_the_future(session: Session, lease_s: float) -> None:
    """Take leases and messages that seem to lie ahead for what they are: from before the clock was set back.

    A lease longer than any can be is cut to a whole one from now: who is alive renews it, who is dead is soon missed.
    """
    at = clock.now(session)
    too_long = Run.lease_until > at + timedelta(seconds=MAX_LEASE_S)
    cut = update(Run).where(Run.status.in_(LIVE_STATUSES), too_long)
    session.execute(cut.values(lease_until=at + timedelta(seconds=lease_s)))
    session.execute(update(Run).where(Run.message_sent_at > at).values(message_sent_at=None))
