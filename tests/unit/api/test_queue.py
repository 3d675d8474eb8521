from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.contract import RunStatus
from backend.db import epochs, lifecycle, runs, workers
from backend.db.engine import Database
from tests.builders import LEASE_S, add_run, cpu_slots, epoch_report, gpus, start_run


def queue(client: TestClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = client.get("/api/queue").json()["entries"]
    return entries


def bulk(client: TestClient, **body: Any) -> Any:
    answer = client.post("/api/runs/bulk", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def add_worker(database: Database, slots: int = 1, gpu_count: int = 0) -> int:
    with database.write() as session:
        return workers.register(session, "worker", "host", cpu_slots(slots) + gpus(*range(gpu_count)), 1)


def train_on(database: Database, worker_id: int, run_id: int) -> None:
    """Let a worker claim a run and finish an epoch of it, so that its speed is known."""
    with database.write() as session:
        claim = lifecycle.claim(session, run_id, worker_id, 1, LEASE_S)
        assert claim is not None
        lifecycle.mark_running(session, run_id, claim.attempt, {})
        epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=10.0))


class TestTheQueue:
    def test_tells_place_need_and_expected_start(self, client: TestClient, database: Database) -> None:
        """A run behind one of known speed has a place, the time since when it waits, and a guess of its start."""
        worker = add_worker(database)
        first = add_run(database, epochs=4)
        train_on(database, worker, first)
        second, third = add_run(database, epochs=4), add_run(database, device="gpu")
        one, other = queue(client)
        assert [one["position"], one["run"]["id"], one["can_start"]] == [1, second, True]
        assert one["waiting_for"] == one["run"]["waiting_for"] == "Waits for a free CPU slot."
        assert one["expected_start_at"] > one["waiting_since"]
        assert [other["run"]["id"], other["can_start"], other["expected_start_at"]] == [third, False, None]
        assert "no worker here has one" in other["waiting_for"]

    def test_is_put_in_order_by_moves_and_priorities(self, client: TestClient, database: Database) -> None:
        """POST /queue/order moves a run before another one or to the front; PATCH changes a priority."""
        a, b, c = (add_run(database) for _ in range(3))
        moved = client.post("/api/queue/order", json={"run_id": c, "before": b})
        assert [entry["run"]["id"] for entry in moved.json()["entries"]] == [a, c, b]
        client.post("/api/queue/order", json={"run_id": b})
        assert [entry["run"]["id"] for entry in queue(client)] == [b, a, c]
        changed = client.patch(f"/api/runs/{c}", json={"priority": 7}).json()
        assert (changed["priority"], changed["queue_position"]) == (7, 1)
        assert client.patch(f"/api/runs/{c}", json={"priority": 1001}).status_code == 422
        assert client.post("/api/queue/order", json={"run_id": 4711}).status_code == 404
        assert client.post("/api/queue/order", json={"run_id": a, "before": a}).status_code == 409

    def test_of_a_run_that_trains_holds_nothing(self, client: TestClient, database: Database) -> None:
        """A run that a worker holds has no place, and waits for nothing."""
        run_id = add_run(database)
        start_run(database, run_id)
        run = client.get(f"/api/runs/{run_id}").json()
        assert (run["queue_position"], run["waiting_for"], run["can_start"]) == (None, None, None)
        assert client.get("/api/queue").json() == {"entries": [], "total": 0}


class TestWorkers:
    def test_are_told_with_devices_memory_and_runs(self, client: TestClient, database: Database) -> None:
        """A worker has its devices, the run on each, its memory, and the age of its last sign of life."""
        worker, run_id = add_worker(database, 1, 2), add_run(database)
        with database.write() as session:
            lifecycle.claim(session, run_id, worker, 1, LEASE_S)
            workers.beat(session, worker, 80_000_000, 900_000_000)
        (told,) = client.get("/api/workers").json()
        assert (told["memory_bytes"], told["children_bytes"], told["alive"]) == (80_000_000, 900_000_000, True)
        assert told["heartbeat_age_s"] < 5
        assert [(device["kind"], device["number"], device["run_id"]) for device in told["devices"]] == [
            ("gpu", 0, run_id),
            ("gpu", 1, None),
            ("cpu", 0, None),
        ]

    def test_drain_and_are_taken_back(self, client: TestClient, database: Database) -> None:
        """A drain is an answer with the worker; so is its end; a worker that never was is a 404."""
        worker = add_worker(database)
        assert client.post(f"/api/workers/{worker}/drain").json()["draining"] is True
        assert client.post(f"/api/workers/{worker}/undrain").json()["draining"] is False
        assert client.post("/api/workers/4711/drain").status_code == 404

    def test_say_why_they_take_no_run(self, client: TestClient, database: Database) -> None:
        """A worker on which three attempts in a row were lost early rests, with a sentence, until a user ends that."""
        worker = add_worker(database)
        (told,) = client.get("/api/workers").json()
        assert (told["state"], told["state_sentence"], told["rests_until"]) == ("alive", None, None)
        run_id = add_run(database)
        for _ in range(3):
            with database.write() as session:
                claim = lifecycle.claim(session, run_id, worker, 1, LEASE_S)
                assert claim is not None
                lifecycle.lose(session, run_id, claim.attempt, "Its process ended with exit code 1.")
        (told,) = client.get("/api/workers").json()
        assert (told["state"], told["alive"]) == ("resting", True)
        assert "its last 3 attempts were lost before their first batch" in told["state_sentence"]
        assert told["rests_until"] > told["heartbeat_at"]
        assert client.post(f"/api/workers/{worker}/undrain").json()["state"] == "alive"
        assert client.post(f"/api/workers/{worker}/drain").json()["state"] == "draining"


class TestAnUnreadableConfiguration:
    @pytest.mark.parametrize(
        "damage", [{"from_the_future": 1}, {"device": "tpu"}, {"gpu_count": "two"}, {"network": "transformer"}]
    )
    def test_hides_no_page(self, client: TestClient, database: Database, damage: dict[str, object]) -> None:
        """Lists, the queue and the run's own page show it as far as it can be read; to train it again is refused."""
        add_worker(database)
        bad, good = add_run(database, width=3), add_run(database)
        with database.write() as session:
            run = runs.load(session, bad)
            run.config = run.config | damage
        listed = client.get("/api/runs").json()["runs"]
        assert {run["id"] for run in listed} == {bad, good}
        assert [entry["run"]["id"] for entry in queue(client)] == [bad, good]
        assert client.get(f"/api/runs/{bad}").json()["config"]["width"] == 3
        client.post(f"/api/runs/{bad}/stop")
        answer = client.post(f"/api/runs/{bad}/retry")
        assert answer.status_code == 422
        assert next(iter(damage)) in answer.json()["error"]["message"]


class TestBulk:
    def test_forces_retries_and_ranks(self, client: TestClient, database: Database) -> None:
        """Many runs are stopped by force, tried again as new runs, or given a priority, each for itself."""
        running, queued = add_run(database), add_run(database)
        start_run(database, running)
        done = bulk(client, ids=[running, queued, 4711], action="force_stop")
        assert [run["status"] for run in done["runs"]] == ["stopped", "stopped"]
        assert [refusal["id"] for refusal in done["refused"]] == [4711]
        again = bulk(client, ids=[running, queued], action="retry")["runs"]
        assert [(run["parent_id"], run["relation"], run["status"]) for run in again] == [
            (running, "retry", "queued"),
            (queued, "retry", "queued"),
        ]
        ranked = bulk(client, ids=[run["id"] for run in again], action="priority", priority=3)["runs"]
        assert [run["priority"] for run in ranked] == [3, 3]

    def test_takes_a_priority_with_its_action_only(self, client: TestClient, database: Database) -> None:
        """A priority without its action, or the action without a priority, is refused with a sentence."""
        run_id = add_run(database)
        for body in ({"action": "priority"}, {"action": "stop", "priority": 1}):
            answer = client.post("/api/runs/bulk", json={"ids": [run_id], **body})
            assert answer.status_code == 422
            assert "priority" in answer.json()["error"]["message"]
        with database.read() as session:
            assert runs.load(session, run_id).status is RunStatus.QUEUED
