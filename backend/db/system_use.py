"""What each attempt at a run took of its machine: few points, and the fewer the longer it lasts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from backend.contract import GpuUse, SystemUse, UsePoint
from backend.db import clock
from backend.db.models import Run
from backend.db.side_models import SystemPoint

_NUMBERS = ("seconds", "cpu_cores", "cpu_cores_max", "memory_bytes", "memory_max_bytes", "host_free_bytes")
_OF_GPU = ("busy", "busy_max", "memory_bytes")


@dataclass(frozen=True)
class MeasuredUse:
    """One point of an attempt, as its worker knows it."""

    number: int  # of the point, from 0
    age_s: float  # how long ago it began
    use: SystemUse


def store(session: Session, run_id: int, attempt: int, measured: Sequence[MeasuredUse], peak_memory_bytes: int) -> bool:
    """Write points of an attempt, over those of the same number; False, and nothing, where a later one has begun.

    An attempt that has just ended may still tell its last point. Nothing waits for these: they make no event.
    """
    if session.scalar(select(Run.attempt).where(Run.id == run_id)) != attempt:
        return False
    at = clock.now(session)
    for one in measured:
        point = session.get(SystemPoint, (run_id, attempt, one.number))
        if point is None:
            point = SystemPoint(run_id=run_id, attempt=attempt, number=one.number)
            point.started_at = at - timedelta(seconds=one.age_s)
            session.add(point)
        for name in _NUMBERS:
            setattr(point, name, getattr(one.use, name))
        point.gpus = {str(gpu.number): {name: asdict(gpu)[name] for name in _OF_GPU} for gpu in one.use.gpus}
    is_less = or_(Run.peak_memory_bytes.is_(None), Run.peak_memory_bytes < peak_memory_bytes)
    raised = update(Run).where(Run.id == run_id, Run.attempt == attempt, is_less)
    session.execute(
        raised.values(peak_memory_bytes=peak_memory_bytes), execution_options={"synchronize_session": False}
    )
    return True


def of_run(session: Session, run_id: int) -> list[UsePoint]:
    """All that is kept of a run, by attempt and time."""
    points = select(SystemPoint).where(SystemPoint.run_id == run_id)
    rows = session.scalars(points.order_by(SystemPoint.attempt, SystemPoint.number)).all()
    before = [None, *((row.attempt, row.number + 1) for row in rows)]
    return [
        UsePoint(row.attempt, row.started_at, (row.attempt, row.number) == expected, _use(row))
        for row, expected in zip(rows, before, strict=False)
    ]


def _use(row: SystemPoint) -> SystemUse:
    gpus = [GpuUse(int(number), **{name: found.get(name) for name in _OF_GPU}) for number, found in row.gpus.items()]
    numbers = {name: getattr(row, name) for name in _NUMBERS}
    return SystemUse(**numbers, gpus=tuple(sorted(gpus, key=lambda gpu: gpu.number)))
