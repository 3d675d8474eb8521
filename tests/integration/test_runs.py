"""Runs through the real processes: launched by a script, trained by a worker, followed on the stream."""

import os
import signal
from pathlib import Path

from tests.service import TINY, Service, until

LONG = TINY | {"train_images": 1000, "epochs": 500}


class TestARun:
    def test_goes_from_queued_to_finished(self, service: Service) -> None:
        """A launched run is trained to its end by itself, and has every epoch once, in order."""
        (run,) = service.launch(config=TINY)
        finished = service.wait_for(run["id"], "finished", "failed")
        assert finished["status"] == "finished", finished["error"]
        metrics = service.metrics(run["id"])
        assert metrics["epochs"] == [0, 1, 2]
        assert all(0 <= value <= 1 for value in metrics["columns"]["test_accuracy"])
        assert [entry["to_status"] for entry in service.history(run["id"])] == [
            "queued",
            "starting",
            "running",
            "finished",
        ]
        assert finished["environment"]["tensorflow"]

    def test_and_its_twin_have_equal_metrics(self, service: Service) -> None:
        """Equal configurations give equal figures to the last bit; another seed gives others."""
        first, second = (service.launch(config=TINY)[0]["id"] for _ in range(2))
        other = service.launch(config=TINY | {"seed": 1})[0]["id"]
        columns = []
        for run_id in (first, second, other):
            service.wait_for(run_id, "finished")
            columns.append({name: service.metrics(run_id)["columns"][name] for name in ("train_cost", "test_cost")})
        assert columns[0] == columns[1]
        assert columns[0] != columns[2]

    def test_trains_beside_another(self, service: Service) -> None:
        """The two runs of a pair are under way at the same time."""
        pair = service.launch(config=LONG, pair=True)
        until(lambda: all(service.run(run["id"])["status"] == "running" for run in pair))
        for run in pair:
            service.client.post(f"/api/runs/{run['id']}/stop")
        for run in pair:
            service.wait_for(run["id"], "stopped")

    def test_stops_within_two_seconds_and_keeps_its_epochs(self, service: Service) -> None:
        """A running run that is stopped ends soon, keeps what it has learnt, and leaves no process."""
        (run,) = service.launch(config=LONG)
        until(lambda: service.run(run["id"])["epochs_done"] > 1)
        pid = service.attempt_pid(run["id"])
        assert service.client.post(f"/api/runs/{run['id']}/stop").status_code == 202
        stopped = service.wait_for(run["id"], "stopped", timeout_s=10)
        assert stopped["epochs_done"] == len(service.metrics(run["id"])["epochs"]) > 1
        until(lambda: not Path(f"/proc/{pid}").exists(), 10)

    def test_without_its_images_fails_with_a_sentence(self, service: Service) -> None:
        """A data set that is neither here nor to be had fails the run, naming file and folder, at the first attempt."""
        (run,) = service.launch(config={"dataset": "fashion_mnist", "epochs": 1})
        failed = service.wait_for(run["id"], "failed")
        assert "train-images-idx3-ubyte" in failed["error"]
        assert str(service.folder / "datasets" / "fashion_mnist") in failed["error"]
        assert failed["attempt"] == 1

    def test_that_diverges_fails_and_says_where(self, service: Service) -> None:
        """A cost that is no number fails the run; the epoch is kept and marked."""
        # Without momentum the first step is learning_rate / sqrt(1 - beta2): weights of 30,000 in seven layers.
        (run,) = service.launch(config=TINY | {"width": 64, "learning_rate": 10, "beta1": 0, "beta2": 0.9999999})
        ended = service.wait_for(run["id"], "failed", "finished")
        assert ended["status"] == "failed"
        assert "epoch" in ended["error"]
        assert service.metrics(run["id"])["non_finite"]


class TestALoss:
    def test_of_the_training_process_is_made_good(self, service: Service) -> None:
        """A run whose process is killed goes on by itself; no epoch is lost, doubled or changed."""
        (run,) = service.launch(config=LONG | {"epochs": 12})
        until(lambda: service.run(run["id"])["epochs_done"] >= 2)
        before = service.metrics(run["id"])
        os.kill(service.attempt_pid(run["id"]), signal.SIGKILL)
        finished = service.wait_for(run["id"], "finished", "failed")
        after = service.metrics(run["id"])
        assert (finished["status"], finished["attempt"]) == ("finished", 2)
        assert after["epochs"] == list(range(12))
        for name, column in before["columns"].items():
            assert after["columns"][name][: len(column)] == column

    def test_of_the_worker_leaves_no_run_running(self, service: Service) -> None:
        """A run whose worker is killed is queued when its lease is over, and finished by the next worker."""
        (run,) = service.launch(config=LONG | {"epochs": 12})
        until(lambda: service.run(run["id"])["epochs_done"] >= 2)
        trainer, worker = service.attempt_pid(run["id"]), service.pids(r"-m worker\b(?!\.)")
        for pid in worker:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{trainer}").exists(), 10)
        finished = service.wait_for(run["id"], "finished", "failed")
        assert finished["status"] == "finished"
        assert service.metrics(run["id"])["epochs"] == list(range(12))

    def test_of_the_broker_delays_and_loses_nothing(self, service: Service) -> None:
        """While Redis is killed under a running run and comes back, that run goes on and new ones begin."""
        (long,) = service.launch(config=LONG)
        until(lambda: service.run(long["id"])["epochs_done"] > 0)
        for _ in range(2):
            for pid in service.broker_pids():
                os.kill(pid, signal.SIGKILL)
            before = service.run(long["id"])["epochs_done"]
            (run,) = service.launch(config=TINY)
            assert service.wait_for(run["id"], "finished", "failed")["status"] == "finished"
            until(lambda before=before: service.run(long["id"])["epochs_done"] > before)  # type: ignore[misc]
        service.client.post(f"/api/runs/{long['id']}/stop")
        assert service.wait_for(long["id"], "stopped")["attempt"] == 1

    def test_without_end_fails_the_run(self, service: Service) -> None:
        """A run whose process dies three times before its first epoch has failed, with the signal in its sentence."""
        (run,) = service.launch(config=TINY | {"epochs": 500, "width": 256, "train_images": 1400})
        for attempt in (1, 2, 3):
            until(lambda attempt=attempt: service.run(run["id"])["attempt"] == attempt)  # type: ignore[misc]
            os.kill(until(lambda: service.pids(rf"worker\.attempt {run['id']} {attempt}"))[0], signal.SIGKILL)  # noqa: B023
        failed = service.wait_for(run["id"], "failed")
        assert "SIGKILL" in failed["error"]
        assert failed["attempt"] == 3


class TestTheStream:
    def test_tells_every_epoch_once_and_in_order(self, service: Service) -> None:
        """Who follows from the launch on hears each step and each epoch once, with rising numbers."""
        seq = service.client.get("/api/runs?limit=1").json()["seq"]
        (run,) = service.launch(config=TINY)
        heard = service.events(seq).read(
            lambda event: event["event"] == "run" and event["data"]["status"] in ("finished", "failed")
        )
        numbers = [event["id"] for event in heard if event["id"] is not None]
        assert numbers == sorted(set(numbers))
        mine = [event["data"]["epoch"] for event in heard if event["event"] == "epoch"]
        assert mine == [0, 1, 2]
        assert any(event["event"] == "progress" and run["id"] in event["data"]["run_id"] for event in heard)

    def test_goes_on_where_it_broke_off(self, service: Service) -> None:
        """A page that comes back with its last number hears exactly what it missed."""
        seq = service.client.get("/api/runs?limit=1").json()["seq"]
        (run,) = service.launch(config=TINY)
        service.wait_for(run["id"], "finished")
        whole = service.events(seq).read(lambda event: event["event"] == "counts")
        numbered = [event for event in whole if event["id"] is not None]
        for place, event in enumerate(numbered):
            rest = service.events(0, last_event_id=event["id"]).read(lambda event: event["event"] == "counts")
            assert [later["id"] for later in rest if later["id"] is not None] == [
                later["id"] for later in numbered[place + 1 :]
            ]

    def test_of_another_history_is_reset(self, service: Service) -> None:
        """A page that knows more than ever happened here is told to begin anew."""
        (first, *_) = service.events(10**12).read(lambda event: event["event"] == "counts")
        assert first["event"] == "reset"


class TestTheBackend:
    def test_never_holds_tensorflow_and_stays_small(self, service: Service) -> None:
        """Neither web server nor worker has TensorFlow in memory; the web server stays under 150 MB."""
        (run,) = service.launch(config=TINY)
        service.wait_for(run["id"], "finished")
        assert service.client.get(f"/api/figures/accuracy?runs={run['id']}").status_code == 200
        web, worker = service.pids("uvicorn"), service.pids(r"-m worker\b(?!\.)")
        assert web
        assert worker
        for pid in web + worker:
            assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()
        for pid in web:
            status = Path(f"/proc/{pid}/status").read_text()
            resident_kb = int(status.split("VmRSS:")[1].split()[0])
            assert resident_kb < 150_000
