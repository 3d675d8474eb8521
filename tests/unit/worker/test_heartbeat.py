import threading

import pytest

from backend.db import workers
from backend.db.engine import Database
from backend.db.models import Worker
from tests.builders import add_worker
from worker.heartbeat import Heartbeat


class TestAHeartbeat:
    def test_tells_a_worker_that_it_was_forgotten(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker whose row is gone, as after a sleep of many days, learns so, and can end for another to start."""
        monkeypatch.setattr(workers, "HEARTBEAT_S", 0.05)
        database, forgotten = Database(database_url), threading.Event()
        worker_id = add_worker(database)
        heartbeat = Heartbeat(database, worker_id, list, forgotten.set)
        heartbeat.start()
        assert not forgotten.wait(0.3)
        with database.write() as session:
            for device in workers.devices_of(session, [worker_id]):
                session.delete(device)
            session.flush()
            session.delete(session.get_one(Worker, worker_id))
        assert forgotten.wait(10)
        heartbeat.stop()
        database.close()
