"""The queue: which runs wait, in which order, and for what."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session

from backend.contract import Device, RunStatus
from backend.contract.placement import Need, Offer, keeps_gpus_for, waiting_for
from backend.db import clock, events, workers
from backend.db.models import Run
from backend.errors import RunNotFound, StepNotAllowed

ORDER = (Run.priority.desc(), Run.queue_order, Run.queued_at, Run.id)
LOOKED_AT = 1000  # of the runs that a worker could hold, the first ones

# As text: a number that is none, in a row that was changed by hand, would end the whole query.
_device = func.coalesce(cast(Run.config["device"].as_string(), String), Device.ANY.value)
_gpu_count = func.coalesce(cast(Run.config["gpu_count"].as_string(), String), "1")
_MOST_GPUS = 64  # of a worker that are counted


@dataclass(frozen=True)
class QueueView:
    """Who waits at which place, and what the workers offer."""

    positions: Mapping[int, int]  # of the queued runs that were asked for; 1 is next
    offers: Sequence[Offer]

    def waiting_for(self, run: Run) -> tuple[str, bool]:
        """What a queued run waits for, and whether the workers that are here will ever have it."""
        return waiting_for(need_of(run), self.offers)


EMPTY = QueueView({}, ())


def is_queued() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions under which a run waits for a worker."""
    return Run.status == RunStatus.QUEUED, Run.deleted_at.is_(None)


def need_of(run: Run) -> Need:
    """The devices that a run asks for; one from before there was a choice, or whose choice is unreadable, takes any."""
    return _need(run.config.get("device", Device.ANY), run.config.get("gpu_count", 1)) or Need(Device.ANY, 1)


def _need(device: Any, gpu_count: object) -> Need | None:
    try:
        need = Need(Device(device), int(str(gpu_count)))
    except ValueError:
        return None
    return need if need.gpu_count > 0 else None


def view(session: Session, run_ids: Collection[int]) -> QueueView:
    """The places of those of the runs that wait, counted in the whole queue, and what the workers offer."""
    if not run_ids:
        return EMPTY
    place = func.row_number().over(order_by=ORDER).label("place")
    queue = select(Run.id, place).where(*is_queued()).subquery()
    shown = session.execute(select(queue.c.id, queue.c.place).where(queue.c.id.in_(run_ids)))
    return QueueView({row.id: row.place for row in shown}, workers.offers(session))


def first(session: Session, limit: int) -> Sequence[Run]:
    """The first runs of the queue, in order."""
    return session.scalars(select(Run).where(*is_queued()).order_by(*ORDER).limit(limit)).all()


def best_for(session: Session, offer: Offer) -> tuple[int, Device] | None:
    """The first run of the queue that can begin on a worker's free devices, and of which kind; None where none can.

    One whose need can't be read can "begin" anywhere: the claim then ends it.
    """
    if not offer.free_cpus and not offer.free_gpus:
        return None
    fits_cpu = and_(_device != Device.GPU.value, _gpu_count == "1") if offer.cpus else None
    counts = [str(count) for count in range(1, _MOST_GPUS + 1)]
    fits_gpu = and_(_device != Device.CPU.value, _gpu_count.in_(counts[: offer.gpus])) if offer.gpus else None
    unreadable = or_(_device.not_in([device.value for device in Device]), _gpu_count.not_in(counts))
    could = [condition for condition in (fits_cpu, fits_gpu, unreadable) if condition is not None]
    asked = select(Run.id, _device, _gpu_count).where(*is_queued(), or_(*could))
    others: list[Offer] | None = None
    for run_id, device, gpu_count in session.execute(asked.order_by(*ORDER).limit(LOOKED_AT)):
        need = _need(device, gpu_count)
        if need is None:
            return run_id, Device.CPU if offer.free_cpus else Device.GPU
        kind = offer.kind_for(need)
        if kind is not None:
            return run_id, kind
        if need.gpu_count > 1:
            others = workers.offers(session) if others is None else others
            if keeps_gpus_for(need, others) == offer.worker_id:
                offer = offer.without_gpus()
    return None


def unsent(session: Session, quiet_s: float, limit: int) -> list[tuple[int, Need]]:
    """Queued runs for which no message was sent within the last `quiet_s` seconds, first in the queue first."""
    before = clock.now(session) - timedelta(seconds=quiet_s)
    quiet = Run.message_sent_at.is_(None) | (Run.message_sent_at < before)
    runs = session.scalars(select(Run).where(*is_queued(), quiet).order_by(*ORDER).limit(limit))
    return [(run.id, need_of(run)) for run in runs]


def set_priority(session: Session, run_id: int, priority: int) -> Run:
    """The run with another priority. It is the last among its new equals, unless it waits longer than they do."""
    run = session.scalars(select(Run).where(Run.id == run_id).with_for_update(key_share=True)).one_or_none()
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    if run.priority != priority:
        run.priority, run.queue_order = priority, 0
        events.add(session, run, events.CHANGED, clock.now(session))
    return run


def move(session: Session, run_id: int, before_id: int | None) -> Run:
    """A queued run, right before another one or, without one, at the front; it takes that place's priority.

    Raises:
        RunNotFound: one of the two is not there.
        StepNotAllowed: one of the two does not wait, or they are the same.
    """
    queue = list(session.scalars(select(Run).where(*is_queued()).order_by(*ORDER).with_for_update(key_share=True)))
    run = _in_queue(session, queue, run_id)
    if before_id == run_id:
        raise StepNotAllowed(f"Run {run_id} can't be moved before itself; name another one.")
    before = _in_queue(session, queue, before_id) if before_id is not None else queue[0]
    run.priority = max(run.priority, before.priority) if before_id is None else before.priority
    equals = [other for other in queue if other.priority == run.priority and other is not run]
    equals.insert(0 if before_id is None else equals.index(before), run)
    # All are numbered below zero, so that what is launched later follows them.
    for place, other in enumerate(equals):
        other.queue_order = place - len(equals)
    events.add(session, run, events.CHANGED, clock.now(session))
    session.flush()
    return run


def front_of(session: Session, priority: int) -> int:
    """The order that puts a run before its equals: for one that was under way and lost its worker."""
    least = session.scalar(select(func.min(Run.queue_order)).where(*is_queued(), Run.priority == priority))
    return min(least or 0, 0) - 1


def mark_sent(session: Session, run_ids: Sequence[int]) -> None:
    """Note that a message for these runs has been sent."""
    session.execute(update(Run).where(Run.id.in_(run_ids)).values(message_sent_at=clock.now(session)))


def _in_queue(session: Session, queue: Sequence[Run], run_id: int) -> Run:
    for run in queue:
        if run.id == run_id:
            return run
    other = session.get(Run, run_id)
    if other is None:
        raise RunNotFound(f"There is no run {run_id}.")
    raise StepNotAllowed(f"Run {run_id} is {other.status}; only queued runs have a place in the queue.")
