"""How long a run will take, from what runs of its kind have taken on this machine, or from trials of its network.

Runs say it best where they are of about its size. One of another size says little: in a small network what is no
multiplication takes much of the time, and its speed is not that of a large one. Trials of several widths come first.
"""

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backend.contract import TrainConfig
from backend.contract.work import epoch_multiply_adds, forward_multiply_adds

NEAR = 4.5  # times the multiply-adds, or a part of them: half and twice the width of conv7 lie within


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


def estimate(config: TrainConfig, ran: Sequence[Measurement], trials: Mapping[int, float]) -> Estimate | None:
    """The time of an epoch: by runs of about this size, else by trials, else by runs of any size.

    Args:
        config: what is to run.
        ran: epochs of runs, the newest run first.
        trials: multiply-adds a second of this network and precision, by width.

    Returns:
        None where nothing of this network and precision was measured.
    """
    near = [one for one in ran if _is_near(one.config, config)]
    return by_speed(config, near) or by_speed(config, in_trials(config, trials)) or by_speed(config, ran)


def by_speed(config: TrainConfig, measured: Sequence[Measurement]) -> Estimate | None:
    """The time of an epoch, by the speed of what was measured of its network and precision and is nearest in size.

    Multiply-adds a second grow with the width. Between the nearest smaller and the nearest larger network that were
    measured they are interpolated on logarithmic scales; beyond them the nearest one's speed is taken.

    Args:
        config: what is to run.
        measured: epochs; where several have one size, the newest (the first) counts.

    Returns:
        None where nothing of this network and precision was measured.
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


@dataclass(frozen=True)
class LaunchEstimate:
    """How long the runs of a launch are likely to take."""

    longest: Estimate  # epoch of the longest run
    longest_seconds: float  # of that run
    total_seconds: float
    based_on: tuple[int, ...]  # runs; empty: trials


def estimate_launch(
    configs: Sequence[TrainConfig],
    epoch_of: Callable[[TrainConfig], Estimate | None],
    slots: int,
    start_seconds: float = 0.0,
) -> LaunchEstimate | None:
    """From the first start to the last end, with all slots free: each run takes the slot that is free first.

    Args:
        configs: of the runs, in the order in which they begin.
        epoch_of: what an epoch of a configuration is likely to take.
        slots: runs that train side by side.
        start_seconds: what passes before the first batch of each.

    Returns:
        None where the time of one of them is not known.
    """
    free_at, found = [0.0] * slots, []
    for config in configs:
        epoch = epoch_of(config)
        if epoch is None:
            return None
        found.append((start_seconds + epoch.epoch_seconds * config.epochs, epoch))
        heapq.heapreplace(free_at, free_at[0] + found[-1][0])
    longest_seconds, longest = max(found, key=lambda pair: pair[0])
    runs = dict.fromkeys(run_id for _, epoch in found for run_id in epoch.based_on)
    return LaunchEstimate(longest, longest_seconds, max(free_at), tuple(runs))


def _is_near(one: TrainConfig, other: TrainConfig) -> bool:
    return 1 / NEAR <= forward_multiply_adds(one) / forward_multiply_adds(other) <= NEAR


def _kind(config: TrainConfig) -> tuple[object, ...]:
    return config.network, config.precision, config.xla, bool(config.quirks)
