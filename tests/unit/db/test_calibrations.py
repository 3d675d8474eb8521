from backend.contract import Network, Precision
from backend.db import calibrations, workers
from backend.db.calibrations import Speed
from backend.db.engine import Database
from tests.builders import cpu_slots

FLOAT32 = (Network.CONV7, Precision.FLOAT32)


def store(database: Database, host: str, threads: int, *speeds: Speed) -> None:
    with database.write() as session:
        calibrations.store(session, host, *FLOAT32, threads, speeds)


class TestCalibrations:
    def test_of_workers_that_are_alive_count(self, database: Database) -> None:
        """Speeds are those of hosts whose workers are alive, with their threads; of several hosts the slowest's."""
        store(database, "one", 2, Speed(64, 4e9), Speed(16, 2e9))
        store(database, "two", 2, Speed(16, 1e9))
        store(database, "one", 8, Speed(16, 5e8))
        store(database, "gone", 2, Speed(16, 1e8))
        with database.write() as session:
            for host in ("one", "two", "gone"):
                worker_id = workers.register(session, host, host, cpu_slots(1), 2)
            workers.sign_off(session, worker_id)
        with database.read() as session:
            assert calibrations.of_workers(session, *FLOAT32) == [Speed(16, 1e9), Speed(64, 4e9)]
            assert calibrations.of_workers(session, Network.MLP, Precision.FLOAT32) == []
            assert calibrations.known_kinds(session, "one", 2) == {FLOAT32}
            assert calibrations.known_kinds(session, "one", 4) == set()

    def test_are_replaced_by_newer_ones(self, database: Database) -> None:
        """Measuring again keeps the newer figure."""
        store(database, "one", 2, Speed(16, 1e9))
        store(database, "one", 2, Speed(16, 3e9))
        with database.write() as session:
            workers.register(session, "one", "one", cpu_slots(1), 2)
        with database.read() as session:
            assert calibrations.of_workers(session, *FLOAT32) == [Speed(16, 3e9)]
