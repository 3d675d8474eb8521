"""Spare processes: interpreters that have imported TensorFlow already and wait for a run."""

import logging
import time
from collections.abc import Sequence

from backend.contract import Device
from worker.process import SPARE, TrainerProcess

log = logging.getLogger(__name__)

QUIET_S = 10.0  # since the last run began, before a spare is made beside runs that train
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 300.0  # between the spares that end by themselves
GENTLY, AT_ONCE = "gently", "at-once"  # how a spare imports: with what time others leave, or as fast as it can

Gpus = tuple[int, ...]


class _Spare:
    """A spare of one kind, and how often it failed in a row."""

    def __init__(self) -> None:
        self.process: TrainerProcess | None = None
        self.is_gentle = False
        self.retry_at = 0.0
        self.pause_s = FIRST_RETRY_S


class Spares:
    """At most one spare for CPU slots and one for GPUs, each only while a slot of its kind is free.

    All methods but `pids` belong to one thread, which must live as long as the processes.
    """

    def __init__(self) -> None:
        self._spares = {kind: _Spare() for kind in (Device.CPU, Device.GPU)}
        self._quiet_since = 0.0

    def pids(self) -> list[int]:
        """Numbers of the processes that wait."""
        # Another thread asks: what it saw to be there may be gone a line later.
        return [process.pid for spare in self._spares.values() if (process := spare.process) is not None]

    def take(self, gpus: Gpus) -> TrainerProcess | None:
        """The spare that sees just these GPUs, if there is one that is worth waiting for."""
        self._quiet_since = time.monotonic()
        spare = self._spares[Device.GPU if gpus else Device.CPU]
        process = spare.process
        if process is None or process.gpus != gpus or process.has_ended():
            return None
        if spare.is_gentle and not process.is_ready():
            return None
        spare.process, spare.pause_s = None, FIRST_RETRY_S
        return process

    def tend(self, free_cpus: int, free_gpus: Sequence[int], *, others_train: bool) -> None:
        """Replace spares that ended, end those whose slot is taken, and make those that are wanted."""
        wanted: dict[Device, Gpus | None] = {
            Device.CPU: () if free_cpus else None,
            Device.GPU: (min(free_gpus),) if free_gpus else None,
        }
        now = time.monotonic()
        for kind, spare in self._spares.items():
            gpus = wanted[kind]
            if spare.process is not None and spare.process.has_ended():
                log.warning("A spare process has ended by itself; another follows in %.0f s.", spare.pause_s)
                self._end(spare)
                spare.retry_at, spare.pause_s = now + spare.pause_s, min(2 * spare.pause_s, LAST_RETRY_S)
            elif spare.process is not None and spare.process.gpus != gpus:
                self._end(spare)
            may_begin = now >= spare.retry_at and (not others_train or now - self._quiet_since > QUIET_S)
            if spare.process is None and gpus is not None and may_begin:
                spare.is_gentle = others_train
                spare.process = TrainerProcess([SPARE, GENTLY if others_train else AT_ONCE], gpus)

    def close(self) -> None:
        """End them all."""
        for spare in self._spares.values():
            self._end(spare)

    @staticmethod
    def _end(spare: _Spare) -> None:
        if spare.process is not None:
            spare.process.kill()
            spare.process = None
