"""What the table of runs asks for: many runs at once, small lines, disk use, the trash."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.db import epochs, lifecycle, runs
from backend.db.engine import Database
from backend.disk import DiskMeter
from backend.settings import Settings
from tests.builders import add_run, epoch_report, start_run


def finished(database: Database, name: str = "run", count: int = 1) -> int:
    """The id of a run that has trained so many epochs."""
    run_id = add_run(database, name, epochs=count)
    claim = start_run(database, run_id)
    with database.write() as session:
        for epoch in range(count):
            epochs.append(session, run_id, claim.attempt, epoch_report(epoch))
        lifecycle.finish(session, run_id, claim.attempt)
    return run_id


def bulk(client: TestClient, ids: list[int], action: str, **rest: object) -> dict[str, list[dict[str, object]]]:
    answer = client.post("/api/runs/bulk", json={"ids": ids, "action": action, **rest})
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, object]]] = answer.json()
    return found


class TestTheIds:
    def test_are_those_of_all_pages_in_order(self, client: TestClient, database: Database) -> None:
        """The ids that come whole are those that the pages would give, filtered and sorted alike."""
        ids = [add_run(database, f"run {place % 2}", width=place + 1) for place in range(5)]
        answer = client.get("/api/runs/ids", params={"filter": "width > 1", "sort": "-width"})
        assert answer.json() == {"ids": ids[:0:-1]}
        assert client.get("/api/runs/ids", params={"filter": "width >"}).status_code == 422
        assert client.get("/api/runs/ids", params={"deleted": True}).json() == {"ids": []}


class TestTags:
    def test_of_many_runs_are_put_on_and_taken_off(self, client: TestClient, database: Database) -> None:
        """Each run keeps its other tags; a run that has the tag is left as it is; one that is not there is named."""
        ids = [add_run(database, "a", ["x"]), add_run(database, "b", ["y", "x"])]
        put_on = bulk(client, [*ids, 99], "tag", tags=["y", "<i>"])
        assert [run["tags"] for run in put_on["runs"]] == [["x", "y", "<i>"], ["y", "x", "<i>"]]
        assert [refusal["id"] for refusal in put_on["refused"]] == [99]
        before = client.get(f"/api/runs/{ids[0]}/history").json()
        taken_off = bulk(client, ids, "untag", tags=["x", "<i>"])
        assert [run["tags"] for run in taken_off["runs"]] == [["y"], ["y"]]
        bulk(client, ids, "untag", tags=["x"])
        assert len(client.get(f"/api/runs/{ids[0]}/history").json()) == len(before) + 1

    def test_beyond_the_most_are_refused(self, client: TestClient, database: Database) -> None:
        """A run with twenty tags gets no other, and says so; tags with another action, or none, are a 422."""
        run_id = add_run(database, "full", [f"t{place}" for place in range(20)])
        assert "20 are the most" in str(bulk(client, [run_id], "tag", tags=["one more"])["refused"][0]["message"])
        for body in ({"action": "stop", "tags": ["a"]}, {"action": "tag"}, {"action": "tag", "tags": ["\u202e"]}):
            assert client.post("/api/runs/bulk", json={"ids": [run_id], **body}).status_code == 422


class TestTheTrash:
    def test_is_emptied_with_files_children_first(
        self, client: TestClient, database: Database, settings: Settings
    ) -> None:
        """Runs go for good together with what came from them; one with a child elsewhere stays, and says so."""
        parent, other = finished(database, "parent"), finished(database, "other")
        child = client.post("/api/runs", json={"parent_id": parent}).json()["runs"][0]["id"]
        outside = client.post("/api/runs", json={"parent_id": other}).json()["runs"][0]["id"]
        client.post(f"/api/runs/{child}/stop")
        (settings.runs_dir / str(parent)).mkdir(parents=True)
        assert len(bulk(client, [parent, other, child], "delete")["runs"]) == 3
        answer = bulk(client, [parent, other, child], "purge")
        assert [run["id"] for run in answer["runs"]] == [child, parent]
        assert str(outside) in str(answer["refused"][0]["message"])
        assert client.get("/api/runs/ids", params={"deleted": True}).json() == {"ids": [other]}
        assert not (settings.runs_dir / str(parent)).exists()


class TestSparks:
    def test_are_thinned_evenly_and_end_with_the_last_epoch(self, client: TestClient, database: Database) -> None:
        """A long run has about sixty points, the first and the last among them; a short one has all."""
        long, short, none = finished(database, "long", 130), finished(database, "short", 3), add_run(database)
        sparks = client.get("/api/runs/sparks", params={"ids": f"{long},{short},{none}"}).json()
        assert [spark["run_id"] for spark in sparks] == [long, short, none]
        assert sparks[0]["epochs"] == [*range(0, 130, 3), 129][: len(sparks[0]["epochs"])]
        assert sparks[0]["epochs"][-1] == 129
        assert sparks[1]["test_accuracy"] == pytest.approx([0.6, 0.61, 0.62])
        assert sparks[2]["epochs"] == []


class TestDiskUse:
    def test_is_measured_beside_the_requests(self, client: TestClient, database: Database, settings: Settings) -> None:
        """A run's folder is measured whole, then again only after something happened; the list adds the sizes up."""
        run_id, other = finished(database), add_run(database, "other")
        folder = settings.runs_dir / str(run_id) / "checkpoints"
        folder.mkdir(parents=True)
        (folder / "a.npz").write_bytes(b"x" * 1000)
        (folder.parent / "attempt-1.log").write_bytes(b"y" * 24)
        (folder / "link").symlink_to(folder)
        meter = DiskMeter(database, settings.runs_dir)
        meter.sweep()
        link = (folder / "link").lstat().st_size
        listed = client.get("/api/runs").json()
        assert {run["id"]: run["disk_bytes"] for run in listed["runs"]} == {run_id: 1024 + link, other: 0}
        assert listed["disk_bytes"] == 1024 + link
        (folder / "a.npz").unlink()
        meter.sweep()
        assert client.get(f"/api/runs/{run_id}").json()["disk_bytes"] == 1024 + link
        client.patch(f"/api/runs/{run_id}", json={"notes": "smaller"})
        meter.sweep()
        shown = client.get(f"/api/runs/{run_id}").json()
        assert (shown["disk_bytes"], shown["has_notes"]) == (24 + link, True)

    def test_of_a_run_that_goes_on_is_looked_at_once_more(self, database: Database, settings: Settings) -> None:
        """What is deleted just after an event, as old checkpoints are, is seen by the sweep after it."""
        run_id = add_run(database)
        meter = DiskMeter(database, settings.runs_dir)
        meter.sweep()
        start_run(database, run_id)
        (settings.runs_dir / str(run_id)).mkdir(parents=True)
        file = settings.runs_dir / str(run_id) / "old.npz"
        file.write_bytes(b"x" * 10)
        meter.sweep()
        file.unlink()
        meter.sweep()
        with database.read() as session:
            assert runs.load(session, run_id).disk_bytes == 0


class TestTheServiceItself:
    def test_measures_from_its_start(self, app: FastAPI, settings: Settings) -> None:
        """The application starts the sweep, and ends it."""
        database: Database = app.state.lab.database
        run_id = add_run(database)
        (settings.runs_dir / str(run_id)).mkdir(parents=True)
        (settings.runs_dir / str(run_id) / "log").write_bytes(b"x" * 5)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            for _ in range(200):
                if client.get("/api/runs").json()["disk_bytes"] == 5:
                    break
            else:
                pytest.fail("the folder was never measured")
