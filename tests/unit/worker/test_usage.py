import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from backend.contract import GpuUse
from backend.db import runs, system_use
from backend.db.engine import Database
from tests.builders import add_run, claim_run
from tests.builders import system_use as use_of
from tests.service import until
from worker.gpus import GpuMeter
from worker.usage import MOST_UNWRITTEN, Course, ProcessMeter, Trainer, UsageMonitor, point_seconds

MB = 10**6
BUSY = "held = bytearray(b'x') * 200_000_000; print(flush=True)\nwhile True: pass"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that computes without end, and holds 200 MB."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


class NvmlError(Exception):
    """What NVML raises."""


class Nvml:
    """NVIDIA's library, as far as it is asked: GPU 1 is shared in parts, and does not tell its use; there is no 7."""

    NVMLError = NvmlError

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        """What stands for a GPU."""
        if number > 1:
            raise NvmlError("Invalid Argument")
        return number

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        """How busy it is, in per cent."""
        if handle == 1:
            raise NvmlError("Not Supported")
        return SimpleNamespace(gpu=87, memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        """What of its memory is taken."""
        return SimpleNamespace(total=16 * 10**9, free=10**9, used=(handle + 1) * 10**9)


class TestAProcess:
    def test_is_seen_to_compute_and_to_hold_memory(self, child: subprocess.Popen[bytes]) -> None:
        """Processor time over the time that passed, resident memory, and what the host has left."""
        meter, computed = ProcessMeter(child.pid, (), None), psutil.Process(child.pid).cpu_times().user
        until(lambda: psutil.Process(child.pid).cpu_times().user > computed + 0.3)
        use = meter.look()
        assert use is not None
        assert use.cpu_cores * use.seconds == pytest.approx(0.35, abs=0.25)
        assert 0 < use.cpu_cores < 1.2
        assert 200 * MB < use.memory_bytes < 300 * MB
        assert meter.peak_bytes >= use.memory_bytes
        assert 0 < use.host_free_bytes < psutil.virtual_memory().total
        assert use.gpus == ()

    def test_that_has_ended_is_told_as_gone(self, child: subprocess.Popen[bytes]) -> None:
        """One that nobody has waited for yet says nothing, or that it is gone, and never that it takes no memory."""
        meter = ProcessMeter(child.pid, (), None)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with suppress(psutil.Error):
            assert meter.look() is None
        child.wait()
        with pytest.raises(psutil.Error):
            meter.look()

    def test_has_the_use_of_its_gpus(self, child: subprocess.Popen[bytes]) -> None:
        """Each of its GPUs is asked; what the driver does not tell is None, and hides nothing else."""
        meter = ProcessMeter(child.pid, (0, 1, 7), GpuMeter(Nvml()))
        use = until(meter.look)
        assert use is not None
        assert use.gpus == (
            GpuUse(0, 0.87, 0.87, 10**9),
            GpuUse(1, None, None, 2 * 10**9),
            GpuUse(7, None, None, None),
        )


class TestACourse:
    def test_has_few_points_however_long_it_lasts(self) -> None:
        """A look a second gives 120 points in ten minutes, about a thousand in a day, none longer than its share."""
        course, numbers = Course(0.0), set[int]()
        for second in range(1, 86_401):
            course.add(use_of(1.0), float(second))
            numbers |= {point.number for point in course.unwritten(float(second))}
            course.written()
            if second == 600:
                assert len(numbers) == 120
        assert 600 < len(numbers) < 1100
        assert point_seconds(0) == point_seconds(599) == 5
        assert point_seconds(600) == 10
        assert all(point_seconds(age) <= age / 60 for age in range(600, 200_000, 777))

    def test_tells_what_is_new_or_has_grown(self) -> None:
        """A point is told again while it grows, with its mean and its greatest; once stored it is not told."""
        course = Course(0.0)
        course.add(use_of(1.0, cpu_cores=0.0, cpu_cores_max=0.0), 1.0)
        course.written()
        course.add(use_of(3.0, cpu_cores=1.0, cpu_cores_max=1.5), 4.0)
        (point,) = course.unwritten(5.0)
        assert (point.number, point.age_s, point.use.seconds) == (0, 5.0, 4.0)
        assert (point.use.cpu_cores, point.use.cpu_cores_max) == (0.75, 1.5)
        course.written()
        assert course.unwritten(5.0) == []

    def test_forgets_its_oldest_points_where_nothing_can_be_stored(self) -> None:
        """A database that is away for long costs points, not memory."""
        course, now = Course(0.0), 0.0
        for _ in range(MOST_UNWRITTEN + 10):
            seconds = max(5.0, now / 50)  # as long as a point of that age, so that each is a new one
            now += seconds
            course.add(use_of(seconds), now)
        kept = course.unwritten(now)
        assert [point.number for point in kept] == list(range(10, MOST_UNWRITTEN + 10))


class TestAMonitor:
    def test_stores_what_a_process_takes_until_it_has_ended(
        self, database: Database, child: subprocess.Popen[bytes]
    ) -> None:
        """Points come while it trains and once more after its end; the run has the peak of its memory."""
        run_id = add_run(database)
        trainers = [Trainer(run_id, claim_run(database, run_id).attempt, child.pid, ())]
        monitor, begin = UsageMonitor(database, lambda: trainers, has_gpus=False), time.monotonic()
        for seconds in (0.0, 2.0, 6.0, 7.0):
            time.sleep(0.01)
            monitor.look(begin + seconds)
        trainers.clear()
        monitor.look(begin + 8.0)
        with database.read() as session:
            points, run = system_use.of_run(session, run_id), runs.load(session, run_id)
        assert [point.attempt for point in points] == [1]
        assert points[0].use.seconds >= 0.03
        assert run.peak_memory_bytes is not None
        assert 200 * MB < points[0].use.memory_max_bytes <= run.peak_memory_bytes

    @pytest.mark.database("sqlite")
    def test_goes_on_where_it_can_not_store(self, database: Database, child: subprocess.Popen[bytes]) -> None:
        """While the database fails nothing is raised, and what was seen then is stored later."""
        run_id = add_run(database)
        trainers = [Trainer(run_id, claim_run(database, run_id).attempt, child.pid, ())]
        monitor, begin = UsageMonitor(database, lambda: trainers, has_gpus=False), time.monotonic()
        with database.write() as session:
            session.connection().exec_driver_sql("ALTER TABLE system_point RENAME TO away")
        for seconds in (0.0, 6.0):
            time.sleep(0.01)
            monitor.look(begin + seconds)
        with database.write() as session:
            session.connection().exec_driver_sql("ALTER TABLE away RENAME TO system_point")
        monitor.look(begin + 12.0)
        with database.read() as session:
            assert len(system_use.of_run(session, run_id)) == 1

    @pytest.mark.database("sqlite")
    def test_outlives_a_process_that_is_gone_before_it_looks(self, database: Database) -> None:
        """A number that no process has costs its points, and no other attempt its own."""
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        run_id = add_run(database)
        claim = claim_run(database, run_id)
        trainers = [Trainer(99, 1, gone.pid, ()), Trainer(run_id, claim.attempt, os.getpid(), ())]
        monitor, begin = UsageMonitor(database, lambda: trainers, has_gpus=False), time.monotonic()
        for seconds in (0.0, 6.0):
            time.sleep(0.01)
            monitor.look(begin + seconds)
        with database.read() as session:
            assert len(system_use.of_run(session, run_id)) == 1
