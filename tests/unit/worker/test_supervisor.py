import threading
from pathlib import Path

import pytest

from backend.contract import Device, RunStatus
from backend.db import migrate, runs, workers
from backend.db.engine import Database
from backend.db.lifecycle import HeldDevice
from backend.notifier import RedisNotifier
from backend.settings import Settings
from tests.builders import add_run, cpu_slots
from tests.service import until
from worker import supervisor as supervisor_module
from worker.supervisor import Supervisor


class TestTheSupervisor:
    def test_ends_no_run_for_a_host_that_can_start_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no process can be started, runs stay queued for other workers, and this one waits before the next."""
        monkeypatch.setattr(supervisor_module, "POLL_S", 0.01)
        settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1", spare=False)
        migrate.upgrade(settings.resolved_database_url)
        database = Database(settings.resolved_database_url)
        ids = [add_run(database) for _ in range(3)]
        settings.runs_dir.write_text("A file, where a folder should be.")
        with database.write() as session:
            worker_id = workers.register(session, "worker", "host", cpu_slots(1), 1)
            (slot,) = workers.devices_of(session, [worker_id])
        looks, ending = [], threading.Event()
        held = [HeldDevice(slot.id, Device.CPU, 0)]
        supervisor = Supervisor(database, RedisNotifier(settings.redis_url), settings, worker_id, held, 1, ending)
        take = supervisor._take_all_that_fit

        def take_and_count() -> None:
            take()
            looks.append(1)

        monkeypatch.setattr(supervisor, "_take_all_that_fit", take_and_count)
        supervisor.start()
        assert until(lambda: len(looks) >= 5)
        ending.set()
        supervisor.join()
        with database.read() as session:
            found = runs.load_many(session, ids)
        assert [run.status for run in found] == [RunStatus.QUEUED] * 3
        assert [run.attempt for run in found] == [1, 0, 0]
        database.close()
