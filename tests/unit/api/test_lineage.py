import pytest
from fastapi.testclient import TestClient

from backend.contract import CheckpointFile
from backend.db import checkpoints, epochs, lifecycle, runs
from backend.db.engine import Database
from backend.errors import AttemptSuperseded
from tests.builders import add_run, epoch_report, start_run


@pytest.fixture
def parent(database: Database) -> int:
    """A finished run of two epochs."""
    run_id = add_run(database, width=4, epochs=2)
    claim = start_run(database, run_id)
    with database.write() as session:
        for number in range(2):
            epochs.append(session, run_id, claim.attempt, epoch_report(number, state_hash=f"{number}" * 64))
        checkpoints.add(session, run_id, claim.attempt, CheckpointFile("gone.npz", 2, 0, 5, "f" * 64, "1" * 64))
        lifecycle.finish(session, run_id, claim.attempt)
    return run_id


class TestBranch:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"epoch": 3}, "epoch is 3, but a branch of run 1 can begin after one of its epochs 1 to 2."),
            ({"epoch": 1, "config": {"width": 8}}, "width can't be changed in a branch"),
            ({"epoch": 1, "config": {"learning_rate": -1}}, "learning_rate: Input should be greater than 0 (sent: -1)"),
            ({"epoch": 1, "config": {"learning_rat": 1}}, "learning_rat"),
            ({"epoch": 2}, "epochs is 2; a branch after epoch 2 needs more."),
            ({"epoch": 0}, "epoch: Input should be greater than or equal to 1"),
            ({"epoch": 1, "config": {"batch_size": 4000}}, "batch_size is 4000"),
        ],
    )
    def test_that_can_not_be_is_refused(
        self, client: TestClient, parent: int, body: dict[str, object], words: str
    ) -> None:
        """An epoch that is not there, or a change that does not fit, is a 422 with a sentence, and makes no run."""
        answer = client.post(f"/api/runs/{parent}/branch", json=body)
        assert answer.status_code == 422
        assert words in answer.json()["error"]["message"]
        assert client.get("/api/runs").json()["total"] == 1

    def test_is_a_run_that_begins_later(self, client: TestClient, parent: int) -> None:
        """A branch is queued with its parent's configuration, its changes, and its parent's epochs behind it."""
        answer = client.post(
            f"/api/runs/{parent}/branch", json={"epoch": 1, "config": {"epochs": 5, "epsilon": 0}, "name": "calm"}
        )
        assert answer.status_code == 201
        child = answer.json()
        assert (child["name"], child["parent_id"], child["start_epoch"], child["latest"]) == ("calm", parent, 1, None)
        assert (child["config"]["epsilon"], child["config"]["width"], child["config"]["epochs"]) == (0, 4, 5)
        assert client.get(f"/api/runs/{parent}").json()["children"] == [child["id"]]

    def test_and_reproduction_take_the_parents_threads(
        self, client: TestClient, database: Database, parent: int
    ) -> None:
        """Bits are equal with equal threads alone: who is held against its parent has them, a copy need not."""
        branch = client.post(f"/api/runs/{parent}/branch", json={"epoch": 1, "config": {"epochs": 3}}).json()["id"]
        again, copy = (
            client.post(f"/api/runs/{parent}/{verb}", json={}).json()["id"] for verb in ("reproduce", "clone")
        )
        with database.read() as session:
            threads = [runs.load(session, run_id).threads for run_id in (parent, branch, again, copy)]
        assert threads[0] is not None
        assert threads == [threads[0]] * 3 + [None]

    def test_of_a_run_without_epochs_is_refused(self, client: TestClient, database: Database) -> None:
        """Nothing can branch off a run that has not finished an epoch, and its actions do not offer it."""
        run_id = add_run(database)
        assert client.get(f"/api/runs/{run_id}").json()["actions"] == ["stop", "clone"]
        assert client.post(f"/api/runs/{run_id}/branch", json={"epoch": 1}).status_code == 422


class TestReproduction:
    def test_tells_the_first_epoch_that_differs(self, client: TestClient, database: Database, parent: int) -> None:
        """Epoch 1 has another hash and accuracy: that epoch and both names are told; before it nothing is."""
        again = client.post(f"/api/runs/{parent}/reproduce").json()
        claim = start_run(database, again["id"])
        with database.write() as session:
            epochs.append(session, again["id"], claim.attempt, epoch_report(0, state_hash="0" * 64))
        told = client.get(f"/api/runs/{again['id']}").json()["reproduction"]
        assert told == {"epochs_compared": 1, "first_difference": None, "differs_in": []}
        with database.write() as session:
            epochs.append(session, again["id"], claim.attempt, epoch_report(1, state_hash="a" * 64, test_accuracy=0.1))
        told = client.get(f"/api/runs/{again['id']}").json()["reproduction"]
        assert told == {"epochs_compared": 2, "first_difference": 1, "differs_in": ["state_hash", "test_accuracy"]}


class TestCheckpoints:
    def test_are_listed_and_one_whose_file_is_elsewhere_is_a_404(self, client: TestClient, parent: int) -> None:
        """The list comes from the database; a file that is not on this host is said so."""
        (entry,) = client.get(f"/api/runs/{parent}/checkpoints").json()
        assert (entry["epochs_done"], entry["size"], entry["state_hash"]) == (2, 5, "1" * 64)
        answer = client.get(f"/api/runs/{parent}/checkpoints/{entry['id']}/file")
        assert answer.status_code == 404
        assert "gone.npz" in answer.json()["error"]["message"]
        assert client.get(f"/api/runs/{parent}/checkpoints/{entry['id'] + 1}/file").status_code == 404


class TestPause:
    def test_is_offered_while_a_run_trains(self, client: TestClient, database: Database) -> None:
        """A running run can be paused; one that is queued answers 409 with a sentence."""
        run_id = add_run(database)
        refused = client.post(f"/api/runs/{run_id}/pause")
        assert refused.status_code == 409
        assert "only a run that trains can be paused" in refused.json()["error"]["message"]
        claim = start_run(database, run_id)
        assert client.get(f"/api/runs/{run_id}").json()["actions"] == ["stop", "pause", "clone"]
        assert client.post(f"/api/runs/{run_id}/pause").json()["status"] == "pausing"
        with database.write() as session:
            lifecycle.end_as_asked(session, run_id, claim.attempt)
        assert client.get(f"/api/runs/{run_id}").json()["actions"] == ["stop", "resume", "clone", "delete"]
        resumed = client.post(f"/api/runs/{run_id}/resume").json()
        assert (resumed["status"], resumed["recovering"]) == ("queued", False)


class TestForce:
    def test_stops_at_once_and_supersedes_who_trains(self, client: TestClient, database: Database) -> None:
        """A forced stop is a stop, whatever the process does; its attempt can write nothing more."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        assert client.post(f"/api/runs/{run_id}/stop?force=true").json()["status"] == "stopped"
        with pytest.raises(AttemptSuperseded), database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
        assert [entry["to_status"] for entry in client.get(f"/api/runs/{run_id}/history").json()][-2:] == [
            "stopping",
            "stopped",
        ]


class TestRetry:
    def test_of_a_stopped_run_begins_anew_or_after_its_last_epoch(self, client: TestClient, database: Database) -> None:
        """A retry is a new run with its parent named; from a checkpoint it begins after the epochs that are done."""
        run_id = add_run(database, epochs=5)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
        assert client.post(f"/api/runs/{run_id}/retry").status_code == 409
        client.post(f"/api/runs/{run_id}/stop?force=true")
        anew = client.post(f"/api/runs/{run_id}/retry").json()
        further = client.post(f"/api/runs/{run_id}/retry", json={"from_checkpoint": True}).json()
        assert (anew["relation"], anew["parent_id"], anew["start_epoch"]) == ("retry", run_id, 0)
        assert (further["relation"], further["start_epoch"], further["epochs_done"]) == ("retry", 1, 1)
        child = start_run(database, further["id"])
        assert (child.parent_id, child.start_epoch) == (run_id, 1)

    def test_of_a_run_with_all_its_epochs_begins_anew_only(self, client: TestClient, database: Database) -> None:
        """A run that was stopped after its last epoch has no checkpoint after which anything is left to train."""
        run_id = add_run(database, epochs=1)
        claim = start_run(database, run_id)
        client.post(f"/api/runs/{run_id}/stop")
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
            lifecycle.finish(session, run_id, claim.attempt)
        refused = client.post(f"/api/runs/{run_id}/retry", json={"from_checkpoint": True})
        assert refused.status_code == 409
        assert "nothing is left to train" in refused.json()["error"]["message"]
        assert client.post(f"/api/runs/{run_id}/retry").status_code == 201

    def test_of_a_finished_run_is_refused(self, client: TestClient, parent: int) -> None:
        """What has come to its end is reproduced, not retried."""
        answer = client.post(f"/api/runs/{parent}/retry")
        assert answer.status_code == 409
        assert "only a failed or stopped run can be retried" in answer.json()["error"]["message"]


class TestClone:
    def test_is_a_run_with_changes(self, client: TestClient, parent: int) -> None:
        """A clone may change anything that a launch may set; what does not fit is a 422."""
        clone = client.post(f"/api/runs/{parent}/clone", json={"config": {"width": 8}}).json()
        assert (clone["config"]["width"], clone["relation"], clone["start_epoch"]) == (8, "clone", 0)
        assert client.post(f"/api/runs/{parent}/clone").status_code == 201
        assert client.post(f"/api/runs/{parent}/clone", json={"config": {"width": 0}}).status_code == 422


class TestBulk:
    def test_does_what_can_be_done_and_names_the_rest(
        self, client: TestClient, database: Database, parent: int
    ) -> None:
        """Of a queued run, a finished one and one that is not there, the first is stopped and the others are told."""
        queued = add_run(database)
        answer = client.post("/api/runs/bulk", json={"ids": [queued, parent, 999, queued], "action": "stop"}).json()
        assert [(run["id"], run["status"]) for run in answer["runs"]] == [(queued, "stopped")]
        assert [entry["id"] for entry in answer["refused"]] == [parent, 999]
        gone = client.post("/api/runs/bulk", json={"ids": [queued, parent], "action": "delete"}).json()
        assert all(run["deleted_at"] for run in gone["runs"])
        assert client.get("/api/runs").json()["total"] == 0
        assert client.post("/api/runs/bulk", json={"ids": [], "action": "stop"}).status_code == 422
