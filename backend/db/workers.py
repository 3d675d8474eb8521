from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.db import clock
from backend.db.models import Worker

HEARTBEAT_S = 3.0
ALIVE_S = 4 * HEARTBEAT_S  # silence after which a worker counts as gone
FORGET_AFTER = timedelta(hours=1)  # how long the list still shows a worker that is gone


def register(session: Session, name: str, host: str, slots: int, threads_per_slot: int) -> int:
    """The id of a worker process that has just started."""
    at = clock.now(session)
    worker = Worker(
        name=name, host=host, slots=slots, threads_per_slot=threads_per_slot, started_at=at, heartbeat_at=at
    )
    session.add(worker)
    session.flush()
    return worker.id


def beat(session: Session, worker_id: int) -> None:
    """The worker is alive."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=clock.now(session)))


def sign_off(session: Session, worker_id: int) -> None:
    """The worker has ended by itself."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(ended_at=clock.now(session)))


def recent(session: Session) -> Sequence[Worker]:
    """Workers that are alive or were so lately, newest first."""
    since = clock.now(session) - FORGET_AFTER
    shown = select(Worker).where(Worker.heartbeat_at > since)
    return session.scalars(shown.order_by(Worker.ended_at.is_not(None), Worker.id.desc()).limit(100)).all()


def name_of(session: Session, worker_id: int) -> str | None:
    """The name of a worker, alive or not."""
    return session.scalar(select(Worker.name).where(Worker.id == worker_id))


def alive_slots(session: Session) -> int:
    """How many runs the workers that are alive can hold together."""
    since = clock.now(session) - timedelta(seconds=ALIVE_S)
    alive = select(func.sum(Worker.slots)).where(Worker.heartbeat_at > since, Worker.ended_at.is_(None))
    return session.scalar(alive) or 0
