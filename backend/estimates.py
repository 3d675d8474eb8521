"""How long a run will take, from what runs of its kind have taken on this machine, or from trials of its network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.contract import TrainConfig
from backend.contract.work import epoch_multiply_adds, forward_multiply_adds


@dataclass(frozen=True)
class Measurement:
    """What an epoch of a run took, or is known to take."""

    run_id: int | None  # None: of no run, but of a trial
    config: TrainConfig
    epoch_seconds: float


@dataclass(frozen=True)
class Estimate:
    """What an epoch of a configuration is likely to take."""

    epoch_seconds: float
    based_on: tuple[int, ...]  # runs; empty: trials


def estimate(config: TrainConfig, measured: Sequence[Measurement]) -> Estimate | None:
    """The time of an epoch, by the speed of the runs whose network, precision and size are nearest.

    Multiply-adds a second grow with the width. Between the nearest smaller and the nearest larger network that were
    measured they are interpolated on logarithmic scales; beyond them the nearest one's speed is taken.

    Args:
        config: what is to run.
        measured: epochs of runs; where several have one size, the newest (the first) counts.

    Returns:
        None where no run of this network and precision was measured.
    """
    alike = [one for one in measured if _kind(one.config) == _kind(config) and one.epoch_seconds > 0]
    by_size = {forward_multiply_adds(one.config): one for one in reversed(alike)}
    if not by_size:
        return None
    size = forward_multiply_adds(config)
    below = max((known for known in by_size if known <= size), default=None)
    above = min((known for known in by_size if known >= size), default=None)
    ends = [by_size[known] for known in dict.fromkeys((below, above)) if known is not None]
    speeds = [epoch_multiply_adds(one.config) / one.epoch_seconds for one in ends]
    speed = speeds[0]
    if len(ends) > 1:
        assert below is not None
        assert above is not None
        part = math.log(size / below) / math.log(above / below)
        speed = speeds[0] ** (1 - part) * speeds[1] ** part
    return Estimate(epoch_multiply_adds(config) / speed, tuple(one.run_id for one in ends if one.run_id is not None))


def in_trials(config: TrainConfig, speeds: Mapping[int, float]) -> list[Measurement]:
    """What epochs of a configuration would take at the widths whose speed was measured, in multiply-adds a second."""
    configs = [(config.model_copy(update={"width": width}), speed) for width, speed in speeds.items()]
    return [Measurement(None, one, epoch_multiply_adds(one) / speed) for one, speed in configs]


def _kind(config: TrainConfig) -> tuple[object, ...]:
    return config.network, config.precision, config.xla, bool(config.quirks)
