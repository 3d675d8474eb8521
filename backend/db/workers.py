from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from backend.contract import LIVE_STATUSES, RunStatus
from backend.contract import Device as Kind
from backend.contract.placement import Offer
from backend.db import clock, rests
from backend.db.models import Device, Run, Worker
from backend.errors import WorkerNotFound

HEARTBEAT_S = 3.0
ALIVE_S = 4 * HEARTBEAT_S  # silence after which a worker counts as gone
FORGET_AFTER = timedelta(hours=1)  # how long the list still shows a worker that is gone
REMOVE_AFTER = timedelta(days=7)  # and how long its row is kept
MOST_REMOVED = 500  # rows in one transaction
_NEEDS_WORKER = LIVE_STATUSES | {RunStatus.QUEUED}  # one that is queued again shows by it that it recovers


@dataclass(frozen=True)
class DeviceOffer:
    """A device that a worker brings with it."""

    kind: Kind  # CPU or GPU
    number: int
    name: str
    memory_bytes: int | None = None


def register(session: Session, name: str, host: str, devices: Sequence[DeviceOffer], threads_per_slot: int) -> int:
    """The id of a worker process that has just started, with a row for each device that it offers."""
    at = clock.now(session)
    worker = Worker(
        name=name, host=host, slots=len(devices), threads_per_slot=threads_per_slot, started_at=at, heartbeat_at=at
    )
    session.add(worker)
    session.flush()
    for device in devices:
        session.add(
            Device(
                worker_id=worker.id,
                kind=device.kind.value,
                number=device.number,
                name=device.name,
                memory_bytes=device.memory_bytes,
            )
        )
    session.flush()
    return worker.id


def beat(session: Session, worker_id: int, memory_bytes: int | None = None, children_bytes: int | None = None) -> bool:
    """The worker is alive, and its processes hold so much memory; False where it was forgotten."""
    values = {"memory_bytes": memory_bytes, "children_bytes": children_bytes}
    known = update(Worker).where(Worker.id == worker_id).values(heartbeat_at=clock.now(session), **values)
    return session.scalar(known.returning(Worker.id)) is not None


def sign_off(session: Session, worker_id: int) -> None:
    """The worker has ended by itself."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(ended_at=clock.now(session)))


def set_draining(session: Session, worker_id: int, draining: bool) -> Worker:
    """The worker, which finishes the runs that it has and takes no more, or takes runs again, also from a rest.

    Raises:
        WorkerNotFound: it was never here.
    """
    worker = session.get(Worker, worker_id)
    if worker is None:
        raise WorkerNotFound(f"There is no worker {worker_id}.")
    worker.draining = draining
    if not draining:
        rests.end_rest(worker)
    session.flush()
    return worker


def recent(session: Session) -> Sequence[Worker]:
    """Workers that are alive or were so lately, newest first."""
    since = clock.now(session) - FORGET_AFTER
    shown = select(Worker).where(Worker.heartbeat_at > since)
    return session.scalars(shown.order_by(Worker.ended_at.is_not(None), Worker.id.desc()).limit(100)).all()


def forget(session: Session) -> int:
    """Remove the rows of workers that are long gone and hold no run, with their devices; how many went.

    Runs keep the name of the worker that trained them last.
    """
    needed = select(Run.worker_id).where(Run.worker_id == Worker.id, Run.status.in_(_NEEDS_WORKER)).exists()
    long_gone = Worker.heartbeat_at < clock.now(session) - REMOVE_AFTER
    gone = session.scalars(select(Worker.id).where(long_gone, ~needed).order_by(Worker.id).limit(MOST_REMOVED)).all()
    if not gone:
        return 0
    # In the order of their ids, as all who change many runs take them; no number of the stream is taken here.
    theirs = select(Run.id).where(Run.worker_id.in_(gone)).order_by(Run.id)
    session.execute(theirs.with_for_update(key_share=True))
    session.execute(update(Run).where(Run.worker_id.in_(gone)).values(worker_id=None))
    session.execute(update(Device).where(Device.worker_id.in_(gone)).values(run_id=None))
    session.execute(delete(Device).where(Device.worker_id.in_(gone)))
    session.execute(delete(Worker).where(Worker.id.in_(gone)))
    return len(gone)


def devices_of(session: Session, worker_ids: Sequence[int]) -> Sequence[Device]:
    """The devices of some workers."""
    chosen = select(Device).where(Device.worker_id.in_(worker_ids))
    return session.scalars(chosen.order_by(Device.worker_id, Device.kind.desc(), Device.number)).all()


def alive_slots(session: Session) -> int:
    """How many runs the workers that are alive can hold together."""
    return session.scalar(select(func.sum(Worker.slots)).where(_is_alive(session))) or 0


def offers(session: Session) -> list[Offer]:
    """What each worker that is alive and takes runs offers."""

    def number_of(kind: Kind, *, free: bool) -> ColumnElement[int]:
        counted = and_(Device.kind == kind.value, Device.run_id.is_(None)) if free else Device.kind == kind.value
        return func.coalesce(func.sum(case((counted, 1), else_=0)), 0)

    counts = [number_of(kind, free=free) for kind in (Kind.CPU, Kind.GPU) for free in (False, True)]
    rested = or_(Worker.rests_until.is_(None), Worker.rests_until <= clock.now(session))
    taking = select(Worker.id, *counts).join(Device).where(_is_alive(session), Worker.draining.is_(False), rested)
    return [Offer(*map(int, row)) for row in session.execute(taking.group_by(Worker.id).order_by(Worker.id))]


def _is_alive(session: Session) -> ColumnElement[bool]:
    since = clock.now(session) - timedelta(seconds=ALIVE_S)
    return and_(Worker.heartbeat_at > since, Worker.ended_at.is_(None))
