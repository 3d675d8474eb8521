"""The worker and the processes that train: spares, hangs, drains, devices, and the order in which runs begin."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.contract import PRESETS
from tests.service import TINY, Service, cpu_seconds_of, lives, until

LONG = TINY | {"train_images": 1000, "epochs": 500}
SHORT_LEASE = {"LAB_LEASE_S": "3", "LAB_STOP_GRACE_S": "5"}
BEGUN = ("starting", "running")
WORKER = r"-m worker\b(?!\.)"


@contextmanager
def lab(folder: Path, **settings: str) -> Iterator[Service]:
    with Service(folder / "data", SHORT_LEASE | settings).running() as service:
        yield service


def training(service: Service, run_id: int) -> bool:
    return (service.run(run_id)["progress"] or {}).get("phase") in ("training", "testing")


def post(service: Service, path: str, **body: Any) -> Any:
    answer = service.client.post(f"/api/{path}", json=body or None)
    assert answer.is_success, answer.text
    return answer.json()


def environment_of(pid: int) -> dict[str, str]:
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


class TestASpare:
    def test_trains_the_next_run_and_is_replaced(self, service: Service, figure: Callable[[str], None]) -> None:
        """A launch on an idle worker waits for no import: the process that waited trains it, and a new one follows."""
        (spare,) = until(service.ready_spares)
        begin, computed = time.monotonic(), cpu_seconds_of(spare)
        (run,) = service.launch(config=PRESETS["demo"].config.model_dump(mode="json") | {"epochs": 500})
        assert service.attempt_pid(run["id"]) == spare
        until(lambda: training(service, run["id"]))
        seconds, computed = time.monotonic() - begin, cpu_seconds_of(spare) - computed
        what = "launch to the first trained batch, digits, width 32, spare process ready"
        figure(f"{what}: {seconds:.2f} s, of which its process computed {computed:.2f} s")
        assert computed < 10  # five times the bar
        assert environment_of(spare)["CUDA_VISIBLE_DEVICES"] == "-1"
        assert b"worker.attempt\0%d\0" % run["id"] in Path(f"/proc/{spare}/cmdline").read_bytes()
        assert service.client.get(f"/api/runs/{run['id']}/log").is_success
        post(service, f"runs/{run['id']}/stop")
        service.wait_for(run["id"], "stopped")
        (successor,) = until(service.ready_spares)
        assert successor != spare

    def test_that_dies_is_replaced_and_hinders_no_run(self, service: Service, figure: Callable[[str], None]) -> None:
        """After the spare was killed a launch trains all the same; what a spare costs in memory is told."""
        (spare,) = until(service.ready_spares)
        rollup = Path(f"/proc/{spare}/smaps_rollup").read_text()
        private_kb = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))
        figure(f"memory that a spare process adds: {private_kb / 1000:.0f} MB of its own")
        os.kill(spare, signal.SIGKILL)
        (run,) = service.launch(config=TINY)
        assert service.wait_for(run["id"], "finished", "failed")["status"] == "finished"
        until(lambda: [pid for pid in service.ready_spares() if pid != spare])

    def test_is_never_there_where_it_is_switched_off(self, tmp_path: Path) -> None:
        """With LAB_SPARE=0 each run gets a process that is started for it."""
        with lab(tmp_path, LAB_SPARE="0") as service:
            (run,) = service.launch(config=TINY)
            assert service.wait_for(run["id"], "finished", "failed")["status"] == "finished"
            assert service.pids("worker.attempt spare") == []


class TestAHang:
    def test_is_asked_first_where_its_threads_are(self, service: Service) -> None:
        """A process that trains writes the place of each thread into its log when it gets SIGQUIT, and goes on."""
        (run,) = service.launch(config=LONG)
        until(lambda: training(service, run["id"]))
        os.kill(service.attempt_pid(run["id"]), signal.SIGQUIT)
        log = service.folder / "runs" / str(run["id"]) / "attempt-1.log"
        until(lambda: "most recent call first" in log.read_text())
        assert "leash" in log.read_text()
        before = service.run(run["id"])["epochs_done"]
        until(lambda: service.run(run["id"])["epochs_done"] > before)
        post(service, f"runs/{run['id']}/stop")


class TestTheLeash:
    def test_ends_the_trainer_when_its_worker_is_killed(self, service: Service, figure: Callable[[str], None]) -> None:
        """No process trains on a second or two after its worker was killed; the run is finished by the next worker."""
        (run,) = service.launch(config=LONG)
        until(lambda: training(service, run["id"]))
        trainer, begin = service.attempt_pid(run["id"]), time.monotonic()
        for pid in service.pids(WORKER):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not lives(trainer), 10)
        figure(f"worker killed to its trainer gone: {time.monotonic() - begin:.2f} s")
        until(lambda: service.run(run["id"])["attempt"] == 2 and training(service, run["id"]))
        post(service, f"runs/{run['id']}/stop")
        service.wait_for(run["id"], "stopped")

    def test_is_enough_without_the_kernel(self, tmp_path: Path) -> None:
        """A process whose parent lives, but whose supervisor's end of the leash is gone, ends itself."""
        reading, writing = os.pipe()
        ready, ready_end = os.pipe()
        # Another process than the parent holds the other end: the kernel has no reason to end anything.
        keeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[writing])
        os.close(writing)
        trainer = subprocess.Popen(
            [sys.executable, "-m", "worker.attempt", "spare", "at-once", f"{ready_end:024}"],
            stdin=reading,
            pass_fds=[ready_end],
            env=os.environ | {"LAB_DATA_DIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "-1"},
        )
        try:
            os.close(ready_end)
            assert os.read(ready, 1) == b"\n"
            assert trainer.poll() is None
            keeper.kill()
            assert trainer.wait(5) == 4
        finally:
            for process in (keeper, trainer):
                process.kill()
                process.wait()
            for end in (reading, ready):
                os.close(end)


class TestTheQueue:
    def test_begins_the_best_run_when_a_slot_is_free(self, tmp_path: Path) -> None:
        """With one slot, runs begin by priority and order, whatever the order of the messages was."""
        with lab(tmp_path, LAB_SLOTS="1") as service:
            (first,) = service.launch(config=LONG)
            service.wait_for(first["id"], *BEGUN)
            low, middle, high = (service.launch(config=TINY)[0]["id"] for _ in range(3))
            service.client.patch(f"/api/runs/{high}", json={"priority": 5}).raise_for_status()
            post(service, "queue/order", run_id=middle, before=low)
            entries = service.client.get("/api/queue").json()["entries"]
            assert [(entry["position"], entry["run"]["id"]) for entry in entries] == [(1, high), (2, middle), (3, low)]
            assert {entry["waiting_for"] for entry in entries} == {"Waits for a free CPU slot."}
            for before, after in ((first["id"], high), (high, middle), (middle, low)):
                post(service, f"runs/{before}/stop?force=true")
                service.wait_for(after, *BEGUN)
            post(service, f"runs/{low}/stop?force=true")

    def test_waits_while_the_worker_drains(self, tmp_path: Path) -> None:
        """A draining worker finishes what it has and takes nothing; when it is taken back, the run begins."""
        with lab(tmp_path) as service:
            (first,) = service.launch(config=LONG)
            service.wait_for(first["id"], *BEGUN)
            (worker,) = service.client.get("/api/workers").json()
            assert worker["runs"] == [first["id"]]
            assert post(service, f"workers/{worker['id']}/drain")["draining"]
            (second,) = service.launch(config=TINY)
            post(service, f"runs/{first['id']}/stop?force=true")
            # Longer than the worker's own look at the queue takes, and than the sweep that sends messages again.
            time.sleep(3)
            waits = service.run(second["id"])
            assert waits["status"] == "queued"
            assert waits["waiting_for"] == "Waits for a worker: none is here that takes runs."
            post(service, f"workers/{worker['id']}/undrain")
            service.wait_for(second["id"], *BEGUN)
            post(service, f"runs/{second['id']}/stop?force=true")


class TestDevices:
    def test_are_seen_by_the_run_that_holds_them_and_by_no_other(self, tmp_path: Path) -> None:
        """On a worker of two GPUs and a CPU slot each process sees its own device only; a fourth run waits."""
        with lab(tmp_path, LAB_DEVICES="gpu:1,gpu:3,cpu:1") as service:
            ids = [service.launch(config=LONG | {"device": device})[0]["id"] for device in ("gpu", "cpu", "any", "gpu")]
            seen = [environment_of(service.attempt_pid(run_id))["CUDA_VISIBLE_DEVICES"] for run_id in ids[:3]]
            assert seen == ["1", "-1", "3"]
            (worker,) = service.client.get("/api/workers").json()
            by_run = {device["run_id"]: (device["kind"], device["number"]) for device in worker["devices"]}
            assert by_run == {ids[0]: ("gpu", 1), ids[1]: ("cpu", 0), ids[2]: ("gpu", 3)}
            assert service.run(ids[3])["waiting_for"] == "Waits for a free GPU."
            os.kill(service.attempt_pid(ids[0]), signal.SIGKILL)
            # The lost run is first again, and gets the device back that its end gave free.
            until(lambda: service.run(ids[0])["attempt"] == 2)
            post(service, f"runs/{ids[2]}/stop?force=true")
            assert environment_of(service.attempt_pid(ids[3]))["CUDA_VISIBLE_DEVICES"] == "3"
            (pair,) = service.launch(config=TINY | {"gpu_count": 2}, name="pair")
            (triple,) = service.launch(config=TINY | {"gpu_count": 5, "batch_size": 50})
            assert "none has more than 2" in service.run(triple["id"])["waiting_for"]
            post(service, "runs/bulk", ids=[ids[0], ids[1], ids[3]], action="force_stop")
            assert environment_of(service.attempt_pid(pair["id"]))["CUDA_VISIBLE_DEVICES"] == "1,3"
            post(service, "runs/bulk", ids=[pair["id"], triple["id"]], action="force_stop")


class TestTheEnd:
    def test_leaves_no_process(self, tmp_path: Path, figure: Callable[[str], None]) -> None:
        """SIGTERM with an open stream and a run that trains ends everything within 20 s; the run is queued, saved."""
        service = Service(tmp_path / "data", {"LAB_SLOTS": "1"})
        with service.running():
            (run,) = service.launch(config=LONG)
            until(lambda: training(service, run["id"]))
            mine = service.pids(r"worker|uvicorn|backend")
            assert len(mine) >= 3
            begin = time.monotonic()
        seconds = time.monotonic() - begin
        figure(f"SIGTERM to everything ended, a run training: {seconds:.1f} s")
        assert seconds < 20
        assert [pid for pid in mine if lives(pid)] == []
        assert service.pids(r"worker\.attempt") == []
