"""Which run fits which worker: what a run needs, what a worker offers, and what a run that waits is waiting for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.contract.config import Device

NO_WORKER = "Waits for a worker: none is here that takes runs."


@dataclass(frozen=True)
class Need:
    """The devices that a run asks for. Several GPUs are those of one host: no run spans two."""

    device: Device
    gpu_count: int

    @property
    def takes_cpu(self) -> bool:
        """Whether a share of a processor will do."""
        return self.device is not Device.GPU and self.gpu_count == 1

    @property
    def takes_gpu(self) -> bool:
        """Whether GPUs will do."""
        return self.device is not Device.CPU


@dataclass(frozen=True)
class Offer:
    """The devices of a worker, and those of them that no run holds."""

    worker_id: int
    cpus: int = 0
    free_cpus: int = 0
    gpus: int = 0
    free_gpus: int = 0

    def kind_for(self, need: Need) -> Device | None:
        """The kind of device on which the run can begin at once: a GPU before a CPU; None: none is free."""
        if need.takes_gpu and self.free_gpus >= need.gpu_count:
            return Device.GPU
        return Device.CPU if need.takes_cpu and self.free_cpus else None

    def could_hold(self, need: Need) -> bool:
        """Whether the run would fit if nothing else trained here."""
        return (need.takes_gpu and self.gpus >= need.gpu_count) or (need.takes_cpu and self.cpus > 0)

    def without_gpus(self) -> "Offer":
        """The same worker, its GPUs kept for another run."""
        return replace(self, free_gpus=0)


def queue_for(need: Need, offers: Sequence[Offer]) -> str:
    """The queue in which a message about the run is heard by a worker that can take it, soonest if any is free."""
    if need.takes_gpu != need.takes_cpu:
        return (Device.GPU if need.takes_gpu else Device.CPU).value
    free_gpu, free_cpu = (any(getattr(offer, name) for offer in offers) for name in ("free_gpus", "free_cpus"))
    has_gpu = any(offer.gpus for offer in offers)
    return (Device.GPU if free_gpu or (has_gpu and not free_cpu) else Device.CPU).value


def keeps_gpus_for(need: Need, offers: Sequence[Offer]) -> int | None:
    """The worker whose GPUs are left free until they suffice for a run that needs several, or it would never begin.

    It is one only, that with the most of them free: the others go on with smaller runs.
    """
    able = [offer for offer in offers if need.gpu_count > 1 and offer.gpus >= need.gpu_count]
    return max(able, key=lambda offer: (offer.free_gpus, -offer.worker_id)).worker_id if able else None


def waiting_for(need: Need, offers: Sequence[Offer]) -> tuple[str, bool]:
    """What a queued run waits for, as a sentence, and whether the workers that are here will ever have it.

    Args:
        need: of the run.
        offers: of the workers that are alive and take runs.
    """
    if not offers:
        return NO_WORKER, False
    if any(offer.could_hold(need) for offer in offers):
        if need.gpu_count > 1:
            return f"Waits until {need.gpu_count} GPUs of one worker are free.", True
        kinds = [word for word, takes in (("GPU", need.takes_gpu), ("CPU slot", need.takes_cpu)) if takes]
        offered = [word for word in kinds if any(offer.gpus if word == "GPU" else offer.cpus for offer in offers)]
        return f"Waits for a free {' or '.join(offered)}.", True
    if need.takes_cpu:
        return (
            "Waits for a CPU slot: no worker here offers one. Take device any, or start a worker with CPU slots.",
            False,
        )
    most = max(offer.gpus for offer in offers)
    if need.gpu_count > 1:
        has = f"none has more than {most}" if most else "no worker here has any"
        return f"Waits for {need.gpu_count} GPUs on one host: {has}. Ask for fewer, or start a larger worker.", False
    return "Waits for a GPU: no worker here has one. Take device any, or start a worker with a GPU.", False
