"""Runs that go on where they were: paused, branched off, reproduced, or with a damaged checkpoint."""

import os
import signal
from pathlib import Path
from typing import Any

from tests.service import TINY, Service, until

STEADY = TINY | {"train_images": 1000, "epochs": 8}
FIGURES = ("train_accuracy", "train_cost", "test_accuracy", "test_cost")


def figures(service: Service, run_id: int) -> tuple[Any, ...]:
    """All that decides whether two runs are equal, epoch by epoch."""
    metrics = service.metrics(run_id)
    return metrics["epochs"], metrics["state_hashes"], [metrics["columns"][name] for name in FIGURES]


def ask(service: Service, path: str, status: int = 202, **body: Any) -> dict[str, Any]:
    """The answer to a request that changes something."""
    answer = service.client.post(f"/api/runs/{path}", json=body or None)
    assert answer.status_code == status, answer.text
    run: dict[str, Any] = answer.json()
    return run


class TestResumption:
    def test_after_a_pause_gives_the_bits_of_an_unbroken_run(self, service: Service) -> None:
        """Paused within an epoch and resumed, a run has the hashes and figures of its twin, which never stopped."""
        twin, paused = (service.launch(config=STEADY)[0]["id"] for _ in range(2))
        until(lambda: service.run(paused)["epochs_done"] >= 2)
        ask(service, f"{paused}/pause")
        run = service.wait_for(paused, "paused", "finished")
        assert run["status"] == "paused"
        assert {"resume", "stop", "delete"} <= set(run["actions"])
        assert service.client.get(f"/api/runs/{paused}/checkpoints").json()[0]["epochs_done"] == run["epochs_done"]
        assert ask(service, f"{paused}/resume")["recovering"] is False
        service.wait_for(paused, "finished")
        service.wait_for(twin, "finished")
        assert figures(service, paused) == figures(service, twin)
        notes = [entry["note"] or "" for entry in service.history(paused)]
        assert any(note.startswith("Goes on from its checkpoint at epoch") for note in notes)

    def test_skips_a_damaged_checkpoint(self, service: Service) -> None:
        """A checkpoint that was damaged is told of in the history, and the one before it is taken: equal bits."""
        (run,) = service.launch(config=STEADY)
        until(lambda: service.run(run["id"])["epochs_done"] >= 3)
        ask(service, f"{run['id']}/pause")
        service.wait_for(run["id"], "paused")
        folder = service.folder / "runs" / str(run["id"]) / "checkpoints"
        newest = max(folder.iterdir(), key=lambda path: path.name)
        newest.write_bytes(newest.read_bytes()[:-100])
        ask(service, f"{run['id']}/resume")
        service.wait_for(run["id"], "finished")
        assert any("not as it was written" in (entry["note"] or "") for entry in service.history(run["id"]))
        again = ask(service, f"{run['id']}/reproduce", 201)
        service.wait_for(again["id"], "finished")
        detail = service.run(again["id"])
        assert (detail["parent_id"], detail["relation"]) == (run["id"], "reproduction")
        assert detail["reproduction"] == {"epochs_compared": 8, "first_difference": None, "differs_in": []}

    def test_keeps_few_checkpoints(self, service: Service) -> None:
        """Of a finished run the last two and the best are kept, on the disk as in the list; a file can be fetched."""
        (run,) = service.launch(config=STEADY)
        service.wait_for(run["id"], "finished")
        listed = service.client.get(f"/api/runs/{run['id']}/checkpoints").json()
        folder = service.folder / "runs" / str(run["id"]) / "checkpoints"
        until(lambda: len(list(folder.iterdir())) == len(listed) <= 3, 10)
        assert [entry["epochs_done"] for entry in listed[:2]] == [8, 7]
        assert listed[0]["state_hash"] == service.metrics(run["id"])["state_hashes"][-1]
        file = service.client.get(f"/api/runs/{run['id']}/checkpoints/{listed[0]['id']}/file")
        assert len(file.content) == listed[0]["size"]

    def test_of_a_killed_trainer_goes_on_at_its_checkpoint(self, service: Service) -> None:
        """The attempt that follows a SIGKILL trains no epoch again that was saved, and ends with equal bits."""
        (run,) = service.launch(config=STEADY | {"seed": 3})
        until(lambda: service.run(run["id"])["epochs_done"] >= 3)
        os.kill(service.attempt_pid(run["id"]), signal.SIGKILL)
        finished = service.wait_for(run["id"], "finished")
        assert finished["attempt"] == 2
        again = ask(service, f"{run['id']}/reproduce", 201)
        service.wait_for(again["id"], "finished")
        assert figures(service, again["id"]) == figures(service, run["id"])


def _trained_batches(run: dict[str, Any]) -> int:
    progress = run["progress"] or {}
    return int(progress["batch"]) if progress.get("phase") == "training" else 0


class TestTheService:
    def test_that_is_ended_and_started_again_goes_on_within_the_epoch(
        self, tmp_path: Path, own_service_settings: dict[str, str]
    ) -> None:
        """A run under way when the service ends has saved its batch, and goes on there when the service is back."""
        lab = Service(tmp_path / "data", {"LAB_SLOTS": "1", **own_service_settings})
        slow = TINY | {"train_images": 1400, "batch_size": 2, "width": 16, "epochs": 2}
        with lab.running():
            (run,) = lab.launch(config=slow)
            # The audit before it counts batches too.
            until(lambda: _trained_batches(lab.run(run["id"])) > 20)
        with lab.running():
            finished = lab.wait_for(run["id"], "finished")
            assert finished["attempt"] == 2
            notes = [entry["note"] or "" for entry in lab.history(run["id"])]
            assert any(note.startswith("Goes on from its checkpoint at epoch") for note in notes), notes
            assert not any(note.endswith("epoch 1, batch 1.") for note in notes), notes


class TestABranch:
    def test_goes_on_from_a_kept_state_or_from_one_that_is_trained_again(self, service: Service) -> None:
        """A branch without changes repeats its parent's bits, after an epoch that is kept and after one that is not."""
        (parent,) = service.launch(config=STEADY | {"seed": 5})
        service.wait_for(parent["id"], "finished")
        kept = {entry["epochs_done"] for entry in service.client.get(f"/api/runs/{parent['id']}/checkpoints").json()}
        gone = next(epoch for epoch in range(1, 8) if epoch not in kept)
        for epoch in (7, gone):
            child = ask(service, f"{parent['id']}/branch", 201, epoch=epoch)
            assert (child["start_epoch"], child["epochs_done"], child["relation"]) == (epoch, epoch, "branch")
            service.wait_for(child["id"], "finished")
            theirs, ours = figures(service, parent["id"]), figures(service, child["id"])
            assert ours[0] == theirs[0][epoch:]
            assert ours[1] == theirs[1][epoch:]
            assert ours[2] == [column[epoch:] for column in theirs[2]]

    def test_with_changed_settings_differs_from_there_on(self, service: Service) -> None:
        """Another learning rate after epoch 2 gives other figures; the parent can't be removed while it lives."""
        (parent,) = service.launch(config=STEADY | {"seed": 6, "epochs": 3})
        service.wait_for(parent["id"], "finished")
        child = ask(service, f"{parent['id']}/branch", 201, epoch=2, config={"learning_rate": 0.01, "epochs": 4})
        service.wait_for(child["id"], "finished")
        assert service.metrics(child["id"])["epochs"] == [2, 3]
        assert service.metrics(child["id"])["state_hashes"][0] != service.metrics(parent["id"])["state_hashes"][2]
        refused = service.client.delete(f"/api/runs/{parent['id']}?purge=true")
        assert refused.status_code == 409
        assert f"run {child['id']} came from it" in refused.json()["error"]["message"]
        assert service.run(parent["id"])["children"] == [child["id"]]
