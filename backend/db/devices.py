"""Devices and the runs that hold them: taken with a claim and given free with its end, in the same transactions."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from backend.contract import Device as Kind
from backend.contract.placement import Need, Offer
from backend.db.models import Device, Worker


def free_of(session: Session, worker_id: int, usable: Collection[int] | None = None) -> list[Device]:
    """A worker's devices that no run holds, locked until the transaction ends.

    With them are locked the GPUs that other workers of its host offer: two workers that look at one GPU at the same
    moment look one after the other.

    Args:
        session: of the transaction.
        worker_id: of the worker.
        usable: ids of those that the worker itself knows to be idle; None: it has no say.
    """
    owner, me = aliased(Worker), aliased(Worker)
    of_host = select(owner.id).join(me, me.host == owner.host).where(me.id == worker_id)
    own_or_shared = (Device.worker_id == worker_id) | ((Device.kind == Kind.GPU.value) & Device.worker_id.in_(of_host))
    # Those that runs hold are not locked: who gives them free has the stream's number by then, which a claim waits for.
    # One order for all, or two workers would wait for each other.
    free = select(Device).where(own_or_shared, Device.run_id.is_(None)).order_by(Device.id)
    locked = session.scalars(free.with_for_update(key_share=True).execution_options(populate_existing=True)).all()
    taken_beside = _gpus_held_beside(session, worker_id)
    return [
        device
        for device in locked
        if device.worker_id == worker_id
        and (usable is None or device.id in usable)
        and not (device.kind == Kind.GPU.value and device.number in taken_beside)
    ]


def _gpus_held_beside(session: Session, worker_id: int) -> set[int]:
    """Numbers of the GPUs of a worker's host that runs of other workers hold: of one that died lately, above all."""
    other, neighbour, me = aliased(Device), aliased(Worker), aliased(Worker)
    held = (
        select(other.number)
        .join(neighbour, neighbour.id == other.worker_id)
        .join(me, me.host == neighbour.host)
        .where(me.id == worker_id, neighbour.id != worker_id, other.kind == Kind.GPU.value, other.run_id.is_not(None))
    )
    return set(session.scalars(held))


def offer_of(session: Session, worker_id: int, free: Sequence[Device]) -> Offer:
    """What a worker has, and what of it is free."""
    kinds = session.scalars(select(Device.kind).where(Device.worker_id == worker_id)).all()
    free_kinds = [device.kind for device in free]
    return Offer(
        worker_id,
        cpus=kinds.count(Kind.CPU.value),
        free_cpus=free_kinds.count(Kind.CPU.value),
        gpus=kinds.count(Kind.GPU.value),
        free_gpus=free_kinds.count(Kind.GPU.value),
    )


def chosen_for(need: Need, free: Sequence[Device], kind: Kind | None) -> list[Device]:
    """The devices with which the run can begin; none where it can't.

    Args:
        need: of the run.
        free: devices of one worker.
        kind: of device that shall be taken; None: a GPU before a CPU.
    """
    for one, takes in ((Kind.GPU, need.takes_gpu), (Kind.CPU, need.takes_cpu)):
        wanted = need.gpu_count if one is Kind.GPU else 1
        fitting = sorted((device for device in free if device.kind == one.value), key=lambda device: device.number)
        if takes and kind in (None, one) and len(fitting) >= wanted:
            return fitting[:wanted]
    return []


def hold(devices: Sequence[Device], run_id: int) -> None:
    """Give the devices to a run."""
    for device in devices:
        device.run_id = run_id


def release(session: Session, run_id: int) -> None:
    """Give free whatever the run holds."""
    session.execute(update(Device).where(Device.run_id == run_id).values(run_id=None))


def held_by(session: Session, run_id: int) -> Sequence[Device]:
    """The devices that a run holds."""
    return session.scalars(select(Device).where(Device.run_id == run_id).order_by(Device.number)).all()
