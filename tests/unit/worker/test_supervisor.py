import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.contract import Device, RunStatus, TrainConfig
from backend.db import migrate, runs, workers
from backend.db.engine import Database
from backend.db.lifecycle import Claim, HeldDevice
from backend.db.models import Run, Worker
from backend.notifier import RedisNotifier
from backend.settings import Settings
from tests.builders import add_run, cpu_slots
from tests.service import until
from worker import supervisor as supervisor_module
from worker.process import SPARE, TrainerProcess
from worker.spares import AT_ONCE
from worker.supervisor import Supervisor, _Attempt


class Host:
    """A worker with one CPU slot, without Celery."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, redis_url="redis://127.0.0.1:1", spare=False)
        migrate.upgrade(self.settings.resolved_database_url)
        self.database = Database(self.settings.resolved_database_url)
        with self.database.write() as session:
            self.worker_id = workers.register(session, "worker", "host", cpu_slots(1), 1)
            (slot,) = workers.devices_of(session, [self.worker_id])
        self.ending = threading.Event()
        held = [HeldDevice(slot.id, Device.CPU, 0)]
        notifier = RedisNotifier(self.settings.redis_url)
        self.supervisor = Supervisor(self.database, notifier, self.settings, self.worker_id, held, 1, self.ending)

    def work_until(self, condition: Callable[[], bool]) -> None:
        """Take runs until the condition holds, and end."""
        self.supervisor.start()
        try:
            assert until(condition)
        finally:
            self.ending.set()
            self.supervisor.join()

    def worker(self) -> Worker:
        """Its row, as it is now."""
        with self.database.read() as session:
            return session.get_one(Worker, self.worker_id)

    def runs(self, ids: list[int]) -> list[Run]:
        """The runs, as they are now."""
        with self.database.read() as session:
            return runs.load_many(session, ids)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(supervisor_module, "POLL_S", 0.01)
    host = Host(tmp_path)
    yield host
    host.database.close()


class TestTheSupervisor:
    def test_ends_no_run_for_a_host_that_can_start_none(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no process can be started, runs stay queued for other workers, and this one waits before the next."""
        ids = [add_run(host.database) for _ in range(3)]
        host.settings.runs_dir.write_text("A file, where a folder should be.")
        looks = []
        take = host.supervisor._take_all_that_fit

        def take_and_count() -> None:
            take()
            looks.append(1)

        monkeypatch.setattr(host.supervisor, "_take_all_that_fit", take_and_count)
        host.work_until(lambda: len(looks) >= 5)
        found = host.runs(ids)
        assert [run.status for run in found] == [RunStatus.QUEUED] * 3
        assert [run.attempt for run in found] == [1, 0, 0]

    def test_does_not_eat_the_queue_where_every_process_crashes(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where all processes end before their first batch, the worker rests, and the runs that wait are not failed."""
        broken = shutil.which("false")
        assert broken is not None
        monkeypatch.setattr(sys, "executable", broken)
        ids = [add_run(host.database) for _ in range(4)]
        host.work_until(lambda: host.worker().rests_until is not None)
        found = host.runs(ids)
        assert [run.status for run in found] == [RunStatus.FAILED, *[RunStatus.QUEUED] * 3]
        assert [run.attempt for run in found] == [3, 0, 0, 0]
        assert "exit code 1" in (host.worker().rest_reason or "")

    def test_takes_the_next_run_where_one_can_not_be_read(self, host: Host) -> None:
        """A run with a configuration from a newer version is failed, and the worker goes on with the next."""
        bad, good = add_run(host.database), add_run(host.database)
        with host.database.write() as session:
            run = runs.load(session, bad)
            run.config = {**run.config, "from_the_future": 1}
        host.work_until(lambda: host.runs([good])[0].attempt > 0)
        assert host.runs([bad])[0].status is RunStatus.FAILED

    def test_gives_no_run_a_device_on_which_a_process_hangs(self, host: Host) -> None:
        """What the kernel does not let end keeps its device, but does not keep the worker from its own end."""
        child = TrainerProcess([SPARE, AT_ONCE], ())
        (device,) = host.supervisor._idle()
        claim = Claim(1, 1, 1, TrainConfig(), None, 0, (device,))
        attempt = _Attempt(claim, child, threading.Event(), threading.Thread())
        attempt.over.set()
        assert host.supervisor._is_under_way(attempt)
        host.ending.set()
        assert not host.supervisor._is_under_way(attempt)
        host.ending.clear()
        child.kill()
        assert not host.supervisor._is_under_way(attempt)
