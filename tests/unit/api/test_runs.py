from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from backend.contract import Phase, Progress
from backend.db import epochs, lifecycle, runs
from backend.db.engine import Database
from tests.builders import add_run, epoch_report, start_run


def names(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/api/runs?{query}")
    assert answer.status_code == 200, answer.text
    return [run["name"] for run in answer.json()["runs"]]


def record(database: Database, run_id: int, *accuracies: float) -> None:
    claim = start_run(database, run_id)
    with database.write() as session:
        for epoch, accuracy in enumerate(accuracies):
            epochs.append(session, run_id, claim.attempt, epoch_report(epoch, test_accuracy=accuracy))


class TestTheFilter:
    @pytest.fixture(autouse=True)
    def runs(self, database: Database) -> None:
        """Three runs of different kinds."""
        record(database, add_run(database, "alpha", width=8), 0.5, 0.9)
        record(database, add_run(database, "beta", ["paper"], width=16, backprop="dilated"), 0.97)
        add_run(database, "gamma ray", ["naïve"], dataset="mnist", epsilon=0)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ["alpha", "beta", "gamma ray"]),
            ("dataset = digits", ["alpha", "beta"]),
            ("dataset = digits and test_accuracy > 95%", ["beta"]),
            ("test_accuracy > 0.95", ["beta"]),
            ("test_accuracy >= 90% and test_accuracy < 1", ["alpha", "beta"]),
            ("method = dilated or epsilon = 0", ["beta", "gamma ray"]),
            ("not backprop = dilated", ["alpha", "gamma ray"]),
            ("not test_accuracy > 95%", ["alpha", "gamma ray"]),
            ("(width = 8 or width = 16) state = running", ["alpha", "beta"]),
            ("status = queued", ["gamma ray"]),
            ("tag = paper", ["beta"]),
            ("tag = naïve", ["gamma ray"]),
            ("tag != paper", ["alpha", "gamma ray"]),
            ("name ~ A", ["alpha", "beta", "gamma ray"]),
            ("'gamma ray'", ["gamma ray"]),
            ("GAMMA ray", ["gamma ray"]),
            ("100%", []),
            ("epochs_done = 2", ["alpha"]),
            ("orange", []),
        ],
    )
    def test_finds_what_it_asks_for(self, client: TestClient, text: str, expected: list[str]) -> None:
        """A filter shows the runs that meet it and no other."""
        assert names(client, f"sort=created&filter={quote(text)}") == expected

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [
            ("width >", "at its end"),
            ("wdith = 3", "'wdith'"),
            ("width = wide", "'wide'"),
            ("width ~ 3", "is a number"),
            ("tag > 3", "=, !=, ~ and `in` only"),
            ("(a", "at its end"),
            ("a)", "at ')'"),
            ("width = nan", "finite"),
            ("width = 1e999", "finite"),
            ("(" * 900, "at its end"),
            ("not " * 240 + "a", "nested more than 50 deep"),
        ],
    )
    def test_that_can_not_be_read_says_where(self, client: TestClient, text: str, quoted: str) -> None:
        """A filter outside the grammar is a 422 that quotes the place."""
        answer = client.get("/api/runs", params={"filter": text})
        assert answer.status_code == 422
        assert quoted in answer.json()["error"]["message"]


class TestPaging:
    @pytest.mark.parametrize("sort", ["created", "-created", "name", "-name", "test_accuracy", "-test_accuracy"])
    def test_shows_every_run_once(self, client: TestClient, database: Database, sort: str) -> None:
        """Following the cursors gives what one large page gives, ties and empty values included."""
        for place in range(7):
            run_id = add_run(database, f"run {place % 3}")
            if place % 2:
                record(database, run_id, 0.5 + place % 3 / 10)
        whole = client.get("/api/runs", params={"sort": sort, "limit": 100}).json()
        collected, cursor = [], ""
        for _ in range(4):
            page = client.get("/api/runs", params={"sort": sort, "limit": 2, "cursor": cursor}).json()
            collected += [run["id"] for run in page["runs"]]
            cursor = page["next_cursor"] or ""
        assert collected == [run["id"] for run in whole["runs"]]
        assert (len(collected), cursor, whole["total"]) == (7, "", 7)

    def test_goes_on_where_it_was_when_runs_are_added(self, client: TestClient, database: Database) -> None:
        """A run that is launched between two pages moves no run from one to the other."""
        ids = [add_run(database) for _ in range(4)]
        first = client.get("/api/runs?limit=2").json()
        add_run(database)
        second = client.get("/api/runs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [run["id"] for run in first["runs"] + second["runs"]] == ids[::-1]

    @pytest.mark.parametrize("cursor", ["nonsense", "W10=", "WyJuYW1lIiwgMSwgMV0=", "é"])
    def test_refuses_a_cursor_of_another_list(self, client: TestClient, cursor: str) -> None:
        """A cursor that this list did not give is a 422."""
        answer = client.get("/api/runs", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_cursor")

    def test_refuses_an_unknown_order(self, client: TestClient) -> None:
        """A sort key that does not exist is a 422 that names those that do."""
        answer = client.get("/api/runs?sort=colour")
        assert answer.status_code == 422
        assert "best_test_accuracy" in answer.json()["error"]["message"]


class TestOneRun:
    def test_shows_how_far_it_is(self, client: TestClient, database: Database) -> None:
        """Progress counts finished epochs and the part of the one under way, and tells the time that is left."""
        run_id = add_run(database, epochs=4)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=10))
            progress = Progress(phase=Phase.TRAINING, epoch=1, batch=14, batches=28, images_per_second=100)
            runs.set_progress(session, run_id, claim.attempt, progress)
        shown = client.get(f"/api/runs/{run_id}").json()["progress"]
        assert (shown["fraction"], shown["seconds_left"]) == (pytest.approx(0.375), pytest.approx(25))

    def test_never_goes_back_while_it_measures(self, client: TestClient, database: Database) -> None:
        """What is measured before training counts as nothing done, after an epoch's end as all of it."""
        run_id = add_run(database, epochs=4)
        claim = start_run(database, run_id)
        fractions = []
        for trained in (False, True):
            with database.write() as session:
                progress = Progress(Phase.MEASURING, epoch=0, batch=3, batches=38, trained=trained)
                runs.set_progress(session, run_id, claim.attempt, progress)
            fractions.append(client.get(f"/api/runs/{run_id}").json()["progress"]["fraction"])
        assert fractions == [0, 0.25]

    def test_can_be_renamed_tagged_and_noted(self, client: TestClient, database: Database) -> None:
        """What a run is called changes; what it computes can't."""
        run_id = add_run(database)
        change = {"name": "<b>new</b>", "tags": ["x"], "notes": "line\nline"}
        answer = client.patch(f"/api/runs/{run_id}", json=change)
        assert {name: answer.json()[name] for name in change} == change
        assert client.patch(f"/api/runs/{run_id}", json={"config": {}}).status_code == 422
        assert client.patch(f"/api/runs/{run_id}", json={"name": "\u202e"}).status_code == 422

    def test_stops_and_says_why_it_can_not_stop_again(self, client: TestClient, database: Database) -> None:
        """Stopping a queued run is done at once; a run that has ended answers 409 with its state."""
        run_id = add_run(database)
        assert client.post(f"/api/runs/{run_id}/stop").json()["status"] == "stopped"
        again = client.post(f"/api/runs/{run_id}/stop")
        assert (again.status_code, "is stopped" in again.json()["error"]["message"]) == (409, True)

    def test_is_deleted_restored_and_purged(self, client: TestClient, database: Database) -> None:
        """A deleted run is in the trash until it is restored; a purged one is a 404."""
        run_id = add_run(database)
        assert client.delete(f"/api/runs/{run_id}").status_code == 409
        client.post(f"/api/runs/{run_id}/stop")
        assert client.delete(f"/api/runs/{run_id}").json()["actions"] == ["restore"]
        assert (names(client, ""), names(client, "deleted=true")) == ([], ["run"])
        assert client.post(f"/api/runs/{run_id}/restore").json()["deleted_at"] is None
        assert names(client, "") == ["run"]
        client.delete(f"/api/runs/{run_id}?purge=true")
        assert client.get(f"/api/runs/{run_id}").status_code == 404

    @pytest.mark.parametrize(
        "path", ["/api/runs/99", "/api/runs/99/metrics", "/api/runs/99/history", "/api/runs/99/log"]
    )
    def test_that_does_not_exist_is_a_404_with_its_number(self, client: TestClient, path: str) -> None:
        """An unknown id is answered by a sentence that names it."""
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no run 99.")

    @pytest.mark.parametrize("run_id", ["0", "-1", "9" * 30, "x", "1.5"])
    def test_id_that_none_can_have_is_a_422(self, client: TestClient, run_id: str) -> None:
        """An id outside what a database holds is refused before it is looked for."""
        assert client.get(f"/api/runs/{run_id}").status_code == 422


class TestMetrics:
    def test_are_columns_by_epoch(self, client: TestClient, database: Database) -> None:
        """All columns have the length of the epochs; a part can be asked for by name and number."""
        run_id = add_run(database)
        record(database, run_id, 0.1, 0.2, 0.3)
        whole = client.get(f"/api/runs/{run_id}/metrics").json()
        assert (whole["epochs"], whole["columns"]["test_accuracy"]) == ([0, 1, 2], [0.1, 0.2, 0.3])
        assert {len(column) for column in whole["columns"].values()} == {3}
        part = client.get(f"/api/runs/{run_id}/metrics?names=test_accuracy&after=1").json()
        assert (part["epochs"], part["columns"]) == ([2], {"test_accuracy": [0.3]})

    def test_that_are_not_finite_are_null_and_named(self, client: TestClient, database: Database) -> None:
        """A NaN does not break the answer: its place is empty, and it is listed."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, train_cost=float("nan")))
        metrics = client.get(f"/api/runs/{run_id}/metrics").json()
        assert metrics["columns"]["train_cost"] == [None]
        assert metrics["non_finite"] == [{"epoch": 0, "name": "train_cost", "value": "NaN"}]

    def test_of_an_unknown_name_are_refused(self, client: TestClient, database: Database) -> None:
        """A metric that does not exist is a 422 that quotes it."""
        run_id = add_run(database)
        assert "'loss'" in client.get(f"/api/runs/{run_id}/metrics?names=loss").json()["error"]["message"]

    def test_history_tells_every_step(self, client: TestClient, database: Database) -> None:
        """The history holds each step with where from, where to and the attempt."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            lifecycle.fail(session, run_id, claim.attempt, "The disk is full.")
        history = client.get(f"/api/runs/{run_id}/history").json()
        assert [(entry["from_status"], entry["to_status"], entry["attempt"]) for entry in history] == [
            (None, "queued", 0),
            ("queued", "starting", 1),
            ("starting", "running", 1),
            ("running", "failed", 1),
        ]
        assert history[-1]["note"] == "The disk is full."

    def test_log_is_the_end_of_what_the_attempt_wrote(
        self, client: TestClient, database: Database, settings: object
    ) -> None:
        """The newest attempt's log is served from its end, and is empty before there is one."""
        run_id = add_run(database)
        assert client.get(f"/api/runs/{run_id}/log").json() == {"attempt": 0, "text": ""}
        claim = start_run(database, run_id)
        path = settings.attempt_log(run_id, claim.attempt)  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True)
        path.write_text("x" * 100_000 + "the end")
        text = client.get(f"/api/runs/{run_id}/log").json()["text"]
        assert (len(text), text[-7:]) == (64 * 1024, "the end")
