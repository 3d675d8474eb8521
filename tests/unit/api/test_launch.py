from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from backend.contract import Network, Precision, TrainConfig
from backend.contract.work import epoch_multiply_adds
from backend.db import calibrations, epochs, runs
from backend.db.calibrations import Speed
from backend.db.engine import Database
from tests.builders import add_run, add_worker, epoch_report, start_run

TWO_EPOCHS = {"epochs": 2}


def launch(client: TestClient, **body: object) -> list[dict[str, object]]:
    answer = client.post("/api/runs", json=body)
    assert answer.status_code == 201, answer.text
    runs: list[dict[str, object]] = answer.json()["runs"]
    return runs


class TestLaunch:
    def test_of_nothing_but_defaults_queues_one_run(self, client: TestClient) -> None:
        """An empty request launches the default configuration under a name made from it."""
        (run,) = launch(client)
        assert (run["status"], run["name"], run["queue_position"]) == ("queued", "digits conv7-32 manual", 1)
        assert client.get(f"/api/runs/{run['id']}").json()["config"] == run["config"]

    def test_of_a_pair_differs_in_backprop_alone(self, client: TestClient) -> None:
        """A pair is two runs that share all but the way gradients go back, and their place in the palette."""
        manual, dilated = launch(client, pair=True, name="mine", config=TWO_EPOCHS | {"seed": 5})
        assert (manual["name"], dilated["name"]) == ("mine manual", "mine dilated")
        assert manual["config"] | {"backprop": "dilated"} == dilated["config"]  # type: ignore[operator]
        assert manual["style"]["marker"] != dilated["style"]["marker"]  # type: ignore[index]

    @pytest.mark.parametrize(("seeds", "expected"), [(3, [7, 8, 9]), ([4, 1], [4, 1]), (None, [7])])
    def test_of_seeds_gives_one_run_each(self, client: TestClient, seeds: object, expected: list[int]) -> None:
        """A count goes on from the configuration's seed; a list is taken as it is."""
        runs = launch(client, seeds=seeds, config={"seed": 7})
        assert [run["config"]["seed"] for run in runs] == expected  # type: ignore[index]

    def test_with_a_known_key_gives_the_same_runs(self, client: TestClient) -> None:
        """A repeated request gives the first one's runs again, with 200; another request under its key is refused."""
        headers, body = {"Idempotency-Key": "once"}, {"name": "one", "pair": True}
        first = client.post("/api/runs", json=body, headers=headers)
        again = client.post("/api/runs", json=body, headers=headers)
        other = client.post("/api/runs", json={"name": "two"}, headers=headers)
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 422)
        assert [run["id"] for run in again.json()["runs"]] == [run["id"] for run in first.json()["runs"]]
        assert client.get("/api/runs").json()["total"] == 2

    def test_with_the_key_of_removed_runs_is_refused(self, client: TestClient) -> None:
        """A key whose runs were removed for good gives neither them nor new ones, and the sentence says so."""
        headers = {"Idempotency-Key": "once"}
        (run,) = client.post("/api/runs", json={}, headers=headers).json()["runs"]
        client.post(f"/api/runs/{run['id']}/stop")
        client.delete(f"/api/runs/{run['id']}?purge=true")
        again = client.post("/api/runs", json={}, headers=headers)
        assert again.status_code == 422
        assert "removed for good" in again.json()["error"]["message"]

    def test_of_a_grid_gives_every_combination(self, client: TestClient) -> None:
        """Each point of the grid, for each seed and as a pair: names and configurations say which is which."""
        grid = {"epsilon": [0, 0.5], "width": [4, 8]}
        runs = launch(client, grid=grid, seeds=2, pair=True, name="sweep")
        assert len(runs) == 2 * 2 * 2 * 2
        configs = [run["config"] for run in runs]
        points = {(c["epsilon"], c["width"], c["seed"], c["backprop"]) for c in configs}  # type: ignore[index]
        assert len(points) == 16
        assert runs[0]["name"] == "sweep manual epsilon 0 width 4 seed 0"
        assert runs[-1]["name"] == "sweep dilated epsilon 0.5 width 8 seed 1"
        assert {run["launch_id"] for run in runs} == {runs[0]["launch_id"]}

    def test_from_a_run_makes_its_clones(self, client: TestClient) -> None:
        """A launch that names the run it was made from is linked to it; an unknown one is a 404."""
        (parent,) = launch(client)
        clones = launch(client, parent_id=parent["id"], grid={"backprop": ["manual", "dilated"]})
        assert [(run["parent_id"], run["relation"]) for run in clones] == [(parent["id"], "clone")] * 2
        assert client.get(f"/api/runs/{parent['id']}").json()["children"] == [run["id"] for run in clones]
        assert client.post("/api/runs", json={"parent_id": 99}).status_code == 404
        assert client.get("/api/runs").json()["total"] == 3


BAD_REQUESTS = [
    ('{"config": {"width": 1000000000}}', "config.width", "1000000000"),
    ('{"config": {"epochs": -1}}', "config.epochs", "-1"),
    ('{"config": {"epsilon": NaN}}', "config.epsilon", "nan"),
    ('{"config": {"epsilon": 1e400}}', "config.epsilon", "inf"),
    ('{"config": {"seed": ' + "9" * 40 + "}}", "config.seed", "9999"),
    ('{"config": {"seed": ' + "9" * 5000 + "}}", "", "not JSON"),
    ('{"config": {"batch_size": 2000}}', "config.batch_size", "2000"),
    ('{"config": {"train_images": 1438}}', "config.train_images", "1437"),
    ('{"config": {"widht": 3}}', "config.widht", "no such field"),
    ('{"name": "\\ud800"}', "name", "U+D800"),
    ('{"name": "a\\u0000b"}', "name", "U+0000"),
    ('{"name": "' + "x" * 201 + '"}', "name", "200"),
    ('{"seeds": [1, 1]}', "seeds", "twice"),
    ('{"seeds": 51}', "seeds", "50"),
    ('{"seeds": "three"}', "seeds", "three"),
    ('{"config": {"seed": 2147483647}, "seeds": 2}', "seeds", "2147483648"),
    ('{"grid": {"widht": [1]}}', "grid", "widht"),
    ('{"grid": {"width": []}}', "grid.width", "at least 1"),
    ('{"grid": {"width": [8, 8]}}', "grid", "twice"),
    ('{"grid": {"width": [8, 0]}}', "grid", "width = 0"),
    ('{"grid": {"epsilon": [1e400]}}', "grid", "epsilon = inf"),
    ('{"grid": {"seed": [1, 2]}}', "grid", "name seeds instead"),
    ('{"grid": {"backprop": ["manual"]}, "pair": true}', "grid", "launch a pair instead"),
    ('{"grid": {"width": [1,2,3,4,5,6,7,8,9,10,11]}, "seeds": 10, "pair": true}', "grid", "220 runs"),
    ('{"grid": {"batch_size": [50, 1438]}}', "grid", "batch_size = 1438"),
    ('{"parent_id": 0}', "parent_id", "0"),
    ("[" * 100_000, "", "JSON"),
    ("nonsense", "body", "JSON"),
    ("[]", "body", "[]"),
]


class TestABadRequest:
    @pytest.mark.parametrize(("body", "field", "quoted"), BAD_REQUESTS, ids=[body[:40] for body, _, _ in BAD_REQUESTS])
    def test_is_answered_by_a_sentence_and_stores_nothing(
        self, client: TestClient, body: str, field: str, quoted: str
    ) -> None:
        """An absurd value is a 422 that names the field and quotes the value; no run is made."""
        answer = client.post("/api/runs", content=body[:60_000], headers={"content-type": "application/json"})
        error = answer.json()["error"]
        assert answer.status_code == 422, answer.text
        assert quoted in answer.text
        assert field in [problem["field"] for problem in error["fields"]] or not field
        assert client.get("/api/runs").json()["total"] == 0

    def test_of_ten_megabytes_is_too_long(self, client: TestClient) -> None:
        """A body beyond 64 KiB is a 413, whether its length is announced or not."""
        body = b" " * 10_000_000
        announced = client.post("/api/runs", content=body, headers={"content-type": "application/json"})
        pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        unannounced = client.post("/api/runs", content=pieces, headers={"content-type": "application/json"})
        assert (announced.status_code, unannounced.status_code) == (413, 413)
        assert "65536 bytes" in announced.json()["error"]["message"]

    def test_of_another_content_type_is_refused(self, client: TestClient) -> None:
        """A form or plain text, which a foreign page could send, is no launch."""
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            assert client.post("/api/runs", content="{}", headers={"content-type": kind}).status_code == 422
        assert client.get("/api/runs").json()["total"] == 0


class TestEstimates:
    def test_come_from_what_was_measured_and_launch_nothing(self, client: TestClient, database: Database) -> None:
        """Before any run of the kind the time is not known; afterwards it follows from its epochs, by slots."""
        body = {"config": {"epochs": 10}, "seeds": 3, "pair": True}
        unknown = client.post("/api/estimates", json=body).json()
        assert (unknown["runs"], unknown["total_seconds"], unknown["based_on"]) == (6, None, [])
        assert unknown["basis"] is None
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=4.0))
        found = client.post("/api/estimates", json=body).json()
        assert found["epoch_seconds"] == pytest.approx(4.0)
        assert found["run_seconds"] == pytest.approx(40.0)
        assert found["total_seconds"] in (pytest.approx(120.0), pytest.approx(240.0))  # on two slots, or on one
        assert (found["basis"], found["based_on"]) == ("runs", [run_id])
        assert client.get("/api/runs").json()["total"] == 1
        assert client.post("/api/estimates", json={"config": {"width": 0}}).status_code == 422

    def test_count_what_comes_before_the_first_batch(self, client: TestClient, database: Database) -> None:
        """Each run also takes what runs took to begin: here 6 of the 10 seconds before an epoch of 4 was over."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=4.0))
            run = runs.load(session, run_id)
            assert run.started_at is not None
            run.started_at -= timedelta(seconds=10)
        found = client.post("/api/estimates", json={"config": {"epochs": 10}}).json()
        assert found["epoch_seconds"] == pytest.approx(4.0)
        assert found["run_seconds"] == found["total_seconds"] == pytest.approx(46.0, abs=1.0)

    def test_go_by_a_trial_before_anything_ran(self, client: TestClient, database: Database) -> None:
        """Where no run of the kind was measured, the speed that a worker's host showed in a trial decides."""
        add_worker(database, slots=2)
        with database.write() as session:
            calibrations.store(session, "host", Network.CONV7, Precision.FLOAT32, 1, [Speed(32, 1e9)])
        body = {"config": {"width": 32, "epochs": 10}, "seeds": 3}
        found = client.post("/api/estimates", json=body).json()
        config = TrainConfig(width=32, epochs=10)
        assert (found["basis"], found["based_on"]) == ("calibration", [])
        assert found["epoch_seconds"] == pytest.approx(epoch_multiply_adds(config) / 1e9)
        assert found["total_seconds"] == pytest.approx(2 * 10 * found["epoch_seconds"])

    def test_go_by_a_trial_where_only_small_runs_ran(self, client: TestClient, database: Database) -> None:
        """An epoch of the demonstration says nothing of a network of many times its size."""
        add_worker(database, slots=2)
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=4.0))
            calibrations.store(session, "host", Network.CONV7, Precision.FLOAT32, 1, [Speed(64, 1e9)])
        found = client.post("/api/estimates", json={"config": {"width": 256}}).json()
        assert found["basis"] == "calibration"
        assert found["epoch_seconds"] == pytest.approx(epoch_multiply_adds(TrainConfig(width=256)) / 1e9)

    def test_of_a_grid_add_up_and_stand_on_every_preset(self, client: TestClient, database: Database) -> None:
        """A grid's runs are estimated each for itself; presets of a kind that was measured say how long they take."""
        run_id = add_run(database, epochs=2)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=4.0))
        found = client.post("/api/estimates", json={"grid": {"epochs": [1, 9]}}).json()
        assert (found["runs"], found["run_seconds"]) == (2, pytest.approx(36.0))
        assert found["total_seconds"] in (pytest.approx(36.0), pytest.approx(40.0))  # on two slots, or on one
        times = {preset["name"]: preset["total_seconds"] for preset in client.get("/api/presets").json()}
        assert times["demo"] in (pytest.approx(24 * 4.0), pytest.approx(2 * 24 * 4.0))
        assert times["paper-mlp"] is None
