"""Reading runs, and changing what they are called. Their status is changed in `lifecycle` alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import ForUpdateArg

from backend.contract import LIVE_STATUSES, Backprop, Progress, RunStatus, TrainConfig
from backend.db import clock, events, rests
from backend.db.models import Checkpoint, Epoch, Launch, Run, RunEvent
from backend.db.orders import Order
from backend.db.side_models import Artifact, AttackOutcome, LayerStat, SystemPoint
from backend.errors import AttemptSuperseded, RunNotFound, StepNotAllowed


@dataclass(frozen=True)
class Origin:
    """Which run another one came from, and how."""

    parent_id: int
    relation: str  # lifecycle.BRANCH or REPRODUCTION
    start_epoch: int  # epochs that it does not train itself


def add(
    session: Session,
    launch: Launch,
    config: TrainConfig,
    name: str,
    tags: list[str],
    palette_index: int,
    origin: Origin | None = None,
) -> Run:
    """A new queued run. The row itself asks for a worker; the message that follows only hurries."""
    at = clock.now(session)
    run = Run(
        launch_id=launch.id,
        name=name,
        tags=tags,
        notes="",
        config=config.model_dump(mode="json"),
        palette_index=palette_index,
        status=RunStatus.QUEUED,
        attempt=0,
        parent_id=origin.parent_id if origin else None,
        relation=origin.relation if origin else None,
        start_epoch=origin.start_epoch if origin else 0,
        epochs_done=origin.start_epoch if origin else 0,
        created_at=at,
        queued_at=at,
    )
    session.add(run)
    session.flush()
    events.add(session, run, events.CREATED, at)
    return run


def load(session: Session, run_id: int, *, to_change: bool = False) -> Run:
    """The run with this id, also from the trash; to be changed by what it is, it is held until the transaction ends."""
    run = session.get(Run, run_id, with_for_update=ForUpdateArg(key_share=True) if to_change else None)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def load_many(session: Session, run_ids: Sequence[int]) -> list[Run]:
    """The runs with these ids, in this order."""
    found = {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(run_ids)))}
    if missing := [run_id for run_id in run_ids if run_id not in found]:
        raise RunNotFound(f"There is no run {missing[0]}.")
    return [found[run_id] for run_id in run_ids]


def hold(session: Session, run_ids: Collection[int]) -> None:
    """Keep these runs from others until the transaction ends: who changes many and makes events must hold all first.

    An event's number is waited for by those who hold a run each; to wait for a run with a number in hand would be
    a circle, of which Postgres breaks one off.
    """
    session.execute(select(Run.id).where(Run.id.in_(run_ids)).order_by(Run.id).with_for_update(key_share=True))


def of_launch(session: Session, launch_id: int) -> Sequence[Run]:
    """The runs of one launch, in the order in which they were made."""
    return session.scalars(select(Run).where(Run.launch_id == launch_id).order_by(Run.id)).all()


def page(
    session: Session, where: Sequence[ColumnElement[bool]], order: Order, cursor: str | None, limit: int
) -> tuple[list[Run], str | None]:
    """At most `limit` runs that meet every condition, and the cursor of those that follow, None after the last."""
    conditions = [*where, order.after(cursor)] if cursor else where
    # Ids are sorted alone: whole rows, with their configurations and errors, would be carried through the sort.
    keys = select(Run.id, order.key_expression).where(*conditions).order_by(*order.order_by()).limit(limit + 1)
    found = session.execute(keys).all()
    shown = load_many(session, [run_id for run_id, _ in found[:limit]])
    if len(found) <= limit:
        return shown, None
    last_id, last_key = found[limit - 1]
    return shown, order.cursor(last_key, last_id)


def ids(session: Session, where: Sequence[ColumnElement[bool]], order: Order) -> Sequence[int]:
    """The ids of all runs that meet every condition, in order."""
    return session.scalars(select(Run.id).where(*where).order_by(*order.order_by())).all()


def count(session: Session, where: Sequence[ColumnElement[bool]]) -> int:
    """How many runs meet every condition."""
    return session.scalar(select(func.count()).select_from(Run).where(*where)) or 0


def totals(session: Session, where: Sequence[ColumnElement[bool]]) -> tuple[int, int]:
    """How many runs meet every condition, and the bytes that they take on the disk."""
    found = select(func.count(), func.coalesce(func.sum(Run.disk_bytes), 0)).where(*where)
    number, size = session.execute(found).one()
    return number, int(size)


def count_by_status(session: Session) -> Mapping[RunStatus, int]:
    """How many runs outside the trash are in each status."""
    rows = session.execute(select(Run.status, func.count()).where(Run.deleted_at.is_(None)).group_by(Run.status))
    return {RunStatus(status): number for status, number in rows}


def exist(session: Session) -> bool:
    """Whether there is any run, the trash included."""
    return session.scalar(select(Run.id).limit(1)) is not None


def next_palette_index(session: Session, backprop: Backprop) -> int:
    """The first place in the palette that no run of this kind of backpropagation has taken."""
    highest = select(func.max(Run.palette_index)).where(Run.config["backprop"].as_string() == backprop.value)
    taken = session.scalar(highest)
    return 0 if taken is None else taken + 1


def live_of_worker(session: Session, worker_id: int) -> Sequence[int]:
    """Ids of the runs that a worker holds."""
    return session.scalars(select(Run.id).where(Run.worker_id == worker_id, Run.status.in_(LIVE_STATUSES))).all()


def any_to_train(session: Session) -> bool:
    """Whether any run is queued or held by a worker."""
    waiting = (Run.status == RunStatus.QUEUED) & Run.deleted_at.is_(None)
    return session.scalar(select(Run.id).where(waiting | Run.status.in_(LIVE_STATUSES)).limit(1)) is not None


def set_progress(session: Session, run_id: int, attempt: int, progress: Progress) -> None:
    """Show how far the attempt is; no event, for the next one replaces it."""
    row = {
        "phase": progress.phase.value,
        "epoch": progress.epoch,
        "batch": progress.batch,
        "batches": progress.batches,
        "images_per_second": progress.images_per_second,
        "note": progress.note,
        "trained": progress.trained,
    }
    held = update(Run).where(Run.id == run_id, Run.attempt == attempt, Run.status.in_(LIVE_STATUSES))
    shown = held.values(progress=row, progress_at=clock.now(session)).returning(Run.worker_id)
    holder = session.execute(shown).one_or_none()
    if holder is None:
        raise AttemptSuperseded(f"Attempt {attempt} of run {run_id} no longer holds it.")
    if progress.phase in rests.TRAINS:
        rests.proved(session, holder.worker_id)


class Moved(NamedTuple):
    """What the progress of a live run is told from."""

    id: int
    config: dict[str, Any]
    progress: dict[str, Any]
    progress_at: datetime
    epoch_seconds: float | None
    measuring_seconds: dict[str, Any] | None


def progressed_since(session: Session, since: datetime) -> list[Moved]:
    """Live runs whose progress is newer than a time, oldest progress first."""
    columns = (Run.id, Run.config, Run.progress, Run.progress_at, Run.epoch_seconds, Run.measuring_seconds)
    live = select(*columns).where(Run.status.in_(LIVE_STATUSES), Run.progress_at > since, Run.progress.is_not(None))
    return [Moved(*row) for row in session.execute(live.order_by(Run.progress_at))]


def change(session: Session, run_id: int, **values: Any) -> Run:
    """The run with another name, other tags or notes."""
    run = load(session, run_id, to_change=True)
    for name, value in values.items():
        setattr(run, name, value)
    events.add(session, run, events.CHANGED, clock.now(session))
    return run


def trash(session: Session, run_id: int) -> Run:
    """The run, hidden from lists until it is restored or removed for good."""
    run = load(session, run_id, to_change=True)
    if run.status in LIVE_STATUSES or run.status is RunStatus.QUEUED:
        raise StepNotAllowed(f"Run {run_id} is {run.status}; stop it first, then delete it.")
    if run.deleted_at is None:
        run.deleted_at = clock.now(session)
        events.add(session, run, events.TRASHED, run.deleted_at)
    return run


def restore(session: Session, run_id: int) -> Run:
    """The run, back from the trash."""
    run = load(session, run_id, to_change=True)
    if run.deleted_at is not None:
        run.deleted_at = None
        events.add(session, run, events.RESTORED, clock.now(session))
    return run


def remove(session: Session, run_id: int) -> None:
    """Remove a run and all that was stored of it for good; its history stays, for pages that are open."""
    # Its key too, before any number of the stream: who has launched a clone, and waits for a number, holds that.
    session.execute(select(Run.id).where(Run.id == run_id).with_for_update())
    run = trash(session, run_id)
    if children := children_of(session, run_id):
        raise StepNotAllowed(f"Run {run_id} can't be removed: run {children[0]} came from it. Remove that one first.")
    events.add(session, run, events.REMOVED, clock.now(session))
    session.flush()
    for table in (Epoch, Checkpoint, LayerStat, AttackOutcome, Artifact, SystemPoint):
        session.execute(delete(table).where(table.run_id == run_id))
    session.delete(run)


def all_ids(session: Session) -> Sequence[int]:
    """The ids of all runs, the trash included."""
    return session.scalars(select(Run.id)).all()


def disk_bytes(session: Session, run_ids: Collection[int]) -> dict[int, int]:
    """What is known of the sizes of these runs' folders."""
    rows = session.execute(select(Run.id, Run.disk_bytes).where(Run.id.in_(run_ids)))
    return {row.id: row.disk_bytes for row in rows}


def set_disk_bytes(session: Session, sizes: Mapping[int, int]) -> None:
    """Note the sizes of runs' folders; no event, for pages need not hurry to show them."""
    session.execute(update(Run), [{"id": run_id, "disk_bytes": size} for run_id, size in sizes.items()])


def tag(session: Session, run_id: int, tags: Collection[str], *, on: bool, most: int) -> Run:
    """The run with these tags put on or taken off. Raises RunNotFound, StepNotAllowed beyond `most` tags."""
    run = load(session, run_id, to_change=True)
    kept = [known for known in run.tags if known not in tags]
    wanted = list(dict.fromkeys([*run.tags, *tags])) if on else kept
    if len(wanted) > most:
        raise StepNotAllowed(f"Run {run_id} would have {len(wanted)} tags; {most} are the most. Take some off first.")
    return run if wanted == run.tags else change(session, run_id, tags=wanted)


def measured(session: Session, limit: int) -> Sequence[Run]:
    """The newest runs of which the time of an epoch is known."""
    known = select(Run).where(Run.epoch_seconds.is_not(None)).order_by(Run.id.desc()).limit(limit)
    return session.scalars(known).all()


def seconds_before_training(session: Session, limit: int) -> list[float]:
    """Of the newest runs, what passed from a worker's claim to the first batch: its process, TensorFlow, images."""
    started_at, beside = Run.started_at, func.coalesce(Epoch.measuring_seconds, 0.0)
    first = select(started_at, Epoch.recorded_at, Epoch.epoch_seconds + beside).join(
        Epoch, and_(Epoch.run_id == Run.id, Epoch.number == Run.start_epoch)
    )
    known = first.where(Epoch.attempt == 1).order_by(Run.id.desc()).limit(limit)
    return [
        max(0.0, (end - begin).total_seconds() - epoch_s)
        for begin, end, epoch_s in session.execute(known)
        if begin is not None
    ]


def children_of(session: Session, run_id: int) -> Sequence[int]:
    """Ids of the runs that came from a run."""
    return session.scalars(select(Run.id).where(Run.parent_id == run_id).order_by(Run.id)).all()


def removed_ids(session: Session, run_ids: Collection[int]) -> set[int]:
    """Those of the ids whose run was removed for good."""
    removed = select(RunEvent.run_id).where(RunEvent.run_id.in_(run_ids), RunEvent.kind == events.REMOVED)
    return set(session.scalars(removed))
