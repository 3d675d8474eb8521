import os
import signal
from pathlib import Path

from tests.service import TINY, Service, until


class TestPostgresAndRedisByUrl:
    def test_are_used_in_place_of_the_embedded_ones(self, tmp_path: Path, postgres_url: str, valkey_url: str) -> None:
        """With both URLs set a pair is trained through them, and neither a SQLite file nor a Valkey server is made."""
        settings = {"LAB_DATABASE_URL": postgres_url, "LAB_REDIS_URL": valkey_url}
        with Service(tmp_path / "data", settings).running() as service:
            for run in service.launch(config=TINY, pair=True):
                finished = service.wait_for(run["id"], "finished", "failed")
                assert finished["status"] == "finished", finished["error"]
                assert service.metrics(run["id"])["epochs"] == [0, 1, 2]
            filtered = service.client.get("/api/runs", params={"filter": "method = dilated and test_accuracy >= 0"})
            assert filtered.json()["total"] == 1
            assert service.broker_pids() == []
        assert not list(service.folder.glob("*.sqlite3*"))

    def test_make_a_loss_good_as_the_embedded_ones_do(self, tmp_path: Path, postgres_url: str, valkey_url: str) -> None:
        """On Postgres too a run whose process is killed goes on by itself, and the stream tells every epoch once."""
        settings = {"LAB_DATABASE_URL": postgres_url, "LAB_REDIS_URL": valkey_url, "LAB_LEASE_S": "3"}
        with Service(tmp_path / "data", settings).running() as service:
            (run,) = service.launch(config=TINY | {"train_images": 1000, "epochs": 12})
            until(lambda: service.run(run["id"])["epochs_done"] >= 2)
            os.kill(service.attempt_pid(run["id"]), signal.SIGKILL)
            finished = service.wait_for(run["id"], "finished", "failed")
            assert (finished["status"], finished["attempt"]) == ("finished", 2)
            last = service.client.get("/api/runs?limit=1").json()["seq"]
            heard = service.events(0).read(lambda event: event["id"] == last)
            assert [event["data"]["epoch"] for event in heard if event["event"] == "epoch"] == list(range(12))
