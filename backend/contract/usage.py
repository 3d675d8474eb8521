"""What a run takes of its machine, told by whoever watches its process, never by the trainer."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GpuUse:
    """One GPU of a run over some time. Numbers that the driver does not tell are None."""

    number: int  # by which CUDA knows it on its host
    busy: float | None  # fraction of the time in which it computed
    busy_max: float | None  # the greatest that was seen
    memory_bytes: int | None  # the most that was taken, by whomever: a run has its GPUs to itself


@dataclass(frozen=True)
class SystemUse:
    """What a run's process took over so many seconds."""

    seconds: float
    cpu_cores: float  # seconds of processor time a second: 1.5 is one core and a half
    cpu_cores_max: float  # the greatest that was seen
    memory_bytes: int  # resident, mean
    memory_max_bytes: int  # resident, the most that was seen
    host_free_bytes: int  # the least that its host could still give to anyone
    gpus: tuple[GpuUse, ...] = ()  # of the run, in order of number


@dataclass(frozen=True)
class UsePoint:
    """A stretch of an attempt's time, and what was taken in it."""

    attempt: int
    started_at: datetime
    follows: bool  # at once on the point before it, of the same attempt; else there is a gap
    use: SystemUse


def joined(one: SystemUse, other: SystemUse) -> SystemUse:
    """Two stretches of time as one: means weighted by their seconds, extremes kept. One of them lasts at all."""
    seconds = one.seconds + other.seconds
    share = other.seconds / seconds
    known = {gpu.number: gpu for gpu in one.gpus}
    more = [_gpu_joined(known.pop(gpu.number, None), gpu, share) for gpu in other.gpus]
    return SystemUse(
        seconds=seconds,
        cpu_cores=_mean(one.cpu_cores, other.cpu_cores, share),
        cpu_cores_max=max(one.cpu_cores_max, other.cpu_cores_max),
        memory_bytes=round(_mean(one.memory_bytes, other.memory_bytes, share)),
        memory_max_bytes=max(one.memory_max_bytes, other.memory_max_bytes),
        host_free_bytes=min(one.host_free_bytes, other.host_free_bytes),
        gpus=tuple(sorted([*known.values(), *more], key=lambda gpu: gpu.number)),
    )


def _gpu_joined(one: GpuUse | None, other: GpuUse, share: float) -> GpuUse:
    if one is None:
        return other
    known = [busy for busy in (one.busy, other.busy) if busy is not None]
    return GpuUse(
        number=other.number,
        busy=_mean(known[0], known[-1], share) if known else None,
        busy_max=max((most for most in (one.busy_max, other.busy_max) if most is not None), default=None),
        memory_bytes=max((size for size in (one.memory_bytes, other.memory_bytes) if size is not None), default=None),
    )


def _mean(one: float, other: float, share: float) -> float:
    return one + (other - one) * share
