"""When each queued run is likely to begin: the queue played through on the workers' devices."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.contract import Device
from backend.contract.placement import Need, Offer


@dataclass(frozen=True)
class Held:
    """A run under way: the devices that it holds, and how long it will go on."""

    worker_id: int
    kind: Device
    count: int
    seconds_left: float | None  # None: it can't be told


@dataclass(frozen=True)
class Waiting:
    """A queued run: what it needs, and how long it will take."""

    run_id: int
    need: Need
    seconds: float | None  # None: nothing like it was measured


@dataclass
class _Place:
    """A worker's devices of one kind: when each of them is free, in seconds from now; endless where unknown."""

    worker_id: int
    kind: Device
    free_at: list[float] = field(default_factory=list)

    def starts_at(self, count: int) -> float:
        """When so many of them are free together."""
        return sorted(self.free_at)[count - 1] if count <= len(self.free_at) else float("inf")

    def take(self, count: int, until: float) -> None:
        """Hold the first so many that become free."""
        for _ in range(count):
            heapq.heapreplace(self.free_at, until)


def expected_starts(queue: Sequence[Waiting], held: Sequence[Held], offers: Sequence[Offer]) -> Mapping[int, float]:
    """Seconds from now until each run begins; runs of which it can't be told are left out.

    Args:
        queue: in order.
        held: by the workers of the offers.
        offers: of the workers that are alive and take runs.
    """
    places = [place for offer in offers for place in _places(offer, held) if place.free_at]
    starts: dict[int, float] = {}
    for run in queue:
        fitting = [
            (place.starts_at(_count(place, run.need)), place.kind is Device.CPU, place.worker_id, place)
            for place in places
            if (run.need.takes_gpu if place.kind is Device.GPU else run.need.takes_cpu)
        ]
        start, _, _, place = min(fitting, default=(float("inf"), False, 0, None), key=lambda entry: entry[:3])
        if place is None or start == float("inf"):
            continue
        starts[run.run_id] = start
        place.take(_count(place, run.need), start + (float("inf") if run.seconds is None else run.seconds))
    return starts


def _count(place: _Place, need: Need) -> int:
    return need.gpu_count if place.kind is Device.GPU else 1


def _places(offer: Offer, held: Sequence[Held]) -> list[_Place]:
    places = []
    for kind, number in ((Device.GPU, offer.gpus), (Device.CPU, offer.cpus)):
        mine = [run for run in held if run.worker_id == offer.worker_id and run.kind is kind]
        busy = [
            float("inf") if run.seconds_left is None else run.seconds_left for run in mine for _ in range(run.count)
        ]
        free_at = [*busy, *[0.0] * max(0, number - len(busy))]
        heapq.heapify(free_at)
        places.append(_Place(offer.worker_id, kind, free_at))
    return places
