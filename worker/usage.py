"""What the processes that train take of this machine: looked at every second, stored as few points.

All of it happens in a thread of its own, which nothing waits for: a run neither fails nor lingers where this does.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from sqlalchemy.exc import SQLAlchemyError

from backend.contract import SystemUse
from backend.contract.usage import joined
from backend.db import system_use
from backend.db.engine import Database
from backend.db.system_use import MeasuredUse
from worker.gpus import GpuMeter, gpu_meter

log = logging.getLogger(__name__)

LOOK_S = 1.0
WRITE_S = 5.0  # how often an attempt's points are written
FIRST_POINT_S = 5.0
POINTS_OF_A_WIDTH = 120  # then a point stands for twice the time: 120 in 10 minutes, 1,000 in a day, 1,700 in a month
MOST_UNWRITTEN = 240  # points that are kept while the database is away; then the oldest go
STOP_S = 2.0


class Trainer(NamedTuple):
    """A process that trains."""

    run_id: int
    attempt: int
    pid: int
    gpus: tuple[int, ...]


class ProcessMeter:
    """What one process takes, from one look at it to the next.

    Args:
        pid: of the process.
        gpus: that it has.
        gpu_meter: of this host; None: there is none.
        clock: seconds; only differences count.

    Raises:
        psutil.Error: it is gone.
    """

    def __init__(
        self, pid: int, gpus: Sequence[int], gpu_meter: GpuMeter | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._process = psutil.Process(pid)
        self._gpus = tuple(gpus)
        self._gpu_meter = gpu_meter
        self._clock = clock
        self._at, self._cpu_s = clock(), self._cpu_seconds()
        self.peak_bytes = self._peak(self._process.memory_info().rss)

    def look(self) -> SystemUse | None:
        """What it took since the last look; None where nothing can be told. Raises psutil.Error where it is gone."""
        with self._process.oneshot():
            at, cpu_s, resident = self._clock(), self._cpu_seconds(), self._process.memory_info().rss
        if at <= self._at or resident == 0:  # of one that has ended, and is not yet waited for, nothing is left
            return None
        seconds, cores = at - self._at, max(0.0, cpu_s - self._cpu_s) / (at - self._at)
        self._at, self._cpu_s = at, cpu_s
        self.peak_bytes = max(self.peak_bytes, self._peak(resident))
        return SystemUse(
            seconds=seconds,
            cpu_cores=cores,
            cpu_cores_max=cores,
            memory_bytes=resident,
            memory_max_bytes=resident,
            host_free_bytes=psutil.virtual_memory().available,
            gpus=tuple(self._gpu_meter.use_of(number) for number in self._gpus) if self._gpu_meter is not None else (),
        )

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _peak(self, resident: int) -> int:
        """The most that it ever held, also between two looks where the system keeps that: Linux does."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return resident
        known = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        return max([resident, *known])


class Course:
    """The points of one attempt. The last one grows until its time is full; the next ones are longer, as it ages.

    Args:
        began_at: monotonic time of its first look.
    """

    def __init__(self, began_at: float) -> None:
        self._began_at = began_at
        self._number = -1
        self._point_began_at = began_at
        self._full_s = 0.0
        self._open: SystemUse | None = None
        self._unwritten: dict[int, tuple[float, SystemUse]] = {}

    def add(self, use: SystemUse, now: float) -> None:
        """Take in what was seen at a look."""
        if self._open is None or self._open.seconds >= self._full_s:
            self._number += 1
            self._point_began_at = now - use.seconds
            self._full_s = point_seconds(self._point_began_at - self._began_at)
            self._open = use
        else:
            self._open = joined(self._open, use)
        self._unwritten[self._number] = (self._point_began_at, self._open)
        if len(self._unwritten) > MOST_UNWRITTEN:
            del self._unwritten[min(self._unwritten)]

    def unwritten(self, now: float) -> list[MeasuredUse]:
        """The points that are new, or have grown, since the last `written`."""
        return [MeasuredUse(number, now - began_at, use) for number, (began_at, use) in self._unwritten.items()]

    def written(self) -> None:
        """They are stored."""
        self._unwritten.clear()


def point_seconds(age_s: float) -> float:
    """How long a point lasts that begins so long after its attempt did: the first width, doubled and doubled."""
    width = FIRST_POINT_S
    while age_s >= (2 * width - FIRST_POINT_S) * POINTS_OF_A_WIDTH:
        width *= 2
    return width


class _Measured:
    """An attempt under way."""

    def __init__(self, trainer: Trainer, meter: ProcessMeter, now: float) -> None:
        self.trainer = trainer
        self.meter = meter
        self.course = Course(now)
        self.written_at = now


class UsageMonitor:
    """Looks at the processes that train, and stores what they take.

    Args:
        database: where it stores.
        trainers: tells which processes train now.
        has_gpus: whether this worker offers any: NVIDIA's library is loaded only then.
    """

    def __init__(self, database: Database, trainers: Callable[[], Sequence[Trainer]], *, has_gpus: bool) -> None:
        self._database = database
        self._trainers = trainers
        self._has_gpus = has_gpus
        self._gpu_meter: GpuMeter | None = None
        self._measured: dict[tuple[int, int], _Measured] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_until_ended, name="usage", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and store what is not yet; a driver or a database that hangs is not waited for."""
        self._ended.set()
        self._thread.join(timeout=STOP_S)

    def look(self, now: float) -> None:
        """Look at every process that trains, and write what is due."""
        trainers = {(trainer.run_id, trainer.attempt): trainer for trainer in self._trainers()}
        for key in [key for key in self._measured if key not in trainers]:
            self._write(self._measured.pop(key), now)
        for key, trainer in trainers.items():
            try:
                self._look_at(key, trainer, now)
            except psutil.Error:
                continue  # it has just ended: its supervisor will say so
            measured = self._measured[key]
            if now - measured.written_at >= WRITE_S:
                self._write(measured, now)

    def _look_at(self, key: tuple[int, int], trainer: Trainer, now: float) -> None:
        if key not in self._measured:
            meter = ProcessMeter(trainer.pid, trainer.gpus, self._gpu_meter)
            self._measured[key] = _Measured(trainer, meter, now)
        elif (use := self._measured[key].meter.look()) is not None:
            self._measured[key].course.add(use, now)

    def _write(self, measured: _Measured, now: float) -> None:
        """Write what is new of an attempt; where that fails it is written with what follows."""
        measured.written_at = now
        points = measured.course.unwritten(now)
        if not points:
            return
        trainer = measured.trainer
        try:
            with self._database.write() as session:
                system_use.store(session, trainer.run_id, trainer.attempt, points, measured.meter.peak_bytes)
        except SQLAlchemyError as error:
            log.warning("What run %d takes of this machine is not stored now: %s", trainer.run_id, error)
        else:
            measured.course.written()

    def _look_until_ended(self) -> None:
        if self._has_gpus:
            self._gpu_meter = gpu_meter()
        while True:
            is_over = self._ended.wait(LOOK_S)
            try:
                self.look(time.monotonic())
                if is_over:
                    for measured in self._measured.values():
                        self._write(measured, time.monotonic())
            except Exception:
                log.exception("What the runs take of this machine is not known now; it is looked at again.")
            if is_over:
                break
