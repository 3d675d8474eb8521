from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.orm import Session

from backend.contract import Device as Kind
from backend.contract.placement import Offer
from backend.db import clock
from backend.db.models import Device, Worker
from backend.errors import WorkerNotFound

HEARTBEAT_S = 3.0
ALIVE_S = 4 * HEARTBEAT_S  # silence after which a worker counts as gone
FORGET_AFTER = timedelta(hours=1)  # how long the list still shows a worker that is gone


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


def beat(session: Session, worker_id: int, memory_bytes: int | None = None, children_bytes: int | None = None) -> None:
    """The worker is alive, and its processes hold so much memory."""
    values = {"memory_bytes": memory_bytes, "children_bytes": children_bytes}
    session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=clock.now(session), **values))


def sign_off(session: Session, worker_id: int) -> None:
    """The worker has ended by itself."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(ended_at=clock.now(session)))


def set_draining(session: Session, worker_id: int, draining: bool) -> Worker:
    """The worker, which finishes the runs that it has and takes no more, or takes runs again.

    Raises:
        WorkerNotFound: it was never here.
    """
    worker = session.get(Worker, worker_id)
    if worker is None:
        raise WorkerNotFound(f"There is no worker {worker_id}.")
    worker.draining = draining
    session.flush()
    return worker


def recent(session: Session) -> Sequence[Worker]:
    """Workers that are alive or were so lately, newest first."""
    since = clock.now(session) - FORGET_AFTER
    shown = select(Worker).where(Worker.heartbeat_at > since)
    return session.scalars(shown.order_by(Worker.ended_at.is_not(None), Worker.id.desc()).limit(100)).all()


def name_of(session: Session, worker_id: int) -> str | None:
    """The name of a worker, alive or not."""
    return session.scalar(select(Worker.name).where(Worker.id == worker_id))


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
    taking = select(Worker.id, *counts).join(Device).where(_is_alive(session), Worker.draining.is_(False))
    return [Offer(*map(int, row)) for row in session.execute(taking.group_by(Worker.id).order_by(Worker.id))]


def _is_alive(session: Session) -> ColumnElement[bool]:
    since = clock.now(session) - timedelta(seconds=ALIVE_S)
    return and_(Worker.heartbeat_at > since, Worker.ended_at.is_(None))
