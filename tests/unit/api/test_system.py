from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from backend.contract import GpuUse, Phase, Progress
from backend.db import epochs, lifecycle, measurements, runs
from backend.db.engine import Database
from tests import builders
from tests.builders import add_run, claim_run, epoch_report, start_run, system_use, use_system

MB = 10**6


def lost(database: Database, run_id: int, attempt: int) -> None:
    with database.write() as session:
        lifecycle.give_back(session, run_id, attempt, "It was lost.")


class TestSystemUse:
    def test_of_a_run_that_never_began_is_empty(self, client: TestClient, database: Database) -> None:
        """No point, no peak, and every column is there."""
        answer = client.get(f"/api/runs/{add_run(database)}/system").json()
        assert (answer["attempts"], answer["gpus"], answer["peak_memory_bytes"], answer["of"]) == ([], [], None, 0)
        assert set(answer["columns"]) == {"cpu", "cpu_max", "memory_bytes", "memory_max_bytes", "host_free_bytes"}
        assert not any(answer["columns"].values())

    def test_is_told_by_attempt_and_time(self, client: TestClient, database: Database) -> None:
        """Points stand one after the other; processor is a fraction of the run's threads; the highest peak stays."""
        run_id = add_run(database)
        claim = claim_run(database, run_id)
        use_system(database, run_id, claim.attempt, system_use(), system_use(cpu_cores=1.0), peak=900 * MB)
        lost(database, run_id, claim.attempt)
        second = claim_run(database, run_id)
        use_system(database, run_id, second.attempt, system_use(2.0), peak=800 * MB)
        answer = client.get(f"/api/runs/{run_id}/system").json()
        assert (answer["attempts"], answer["seconds"], answer["threads"]) == ([1, 1, 2], [5, 5, 2], 1)
        assert answer["columns"]["cpu"] == [0.5, 1.0, 0.5]
        assert answer["columns"]["memory_max_bytes"] == [600 * MB] * 3
        first, next_one, _ = map(datetime.fromisoformat, answer["started_at"])
        assert (next_one - first).total_seconds() == pytest.approx(5, abs=0.1)
        assert answer["peak_memory_bytes"] == 900 * MB
        assert client.get(f"/api/runs/{run_id}").json()["peak_memory_bytes"] == 900 * MB

    def test_can_be_found_and_sorted_by_its_peak(self, client: TestClient, database: Database) -> None:
        """`peak_memory` is a field of a run, in bytes."""
        ids = [add_run(database) for _ in range(3)]
        for run_id, peak in zip(ids, (100 * MB, 900 * MB), strict=False):
            use_system(database, run_id, claim_run(database, run_id).attempt, system_use(), peak=peak)
        found = client.get("/api/runs", params={"filter": "peak_memory > 500MB"}).json()["runs"]
        assert [run["id"] for run in found] == [ids[1]]
        found = client.get("/api/runs", params={"sort": "-peak_memory"}).json()["runs"]
        assert [run["id"] for run in found] == [ids[1], ids[0], ids[2]]

    def test_grows_where_a_point_is_stored_again(self, client: TestClient, database: Database) -> None:
        """The newest point of an attempt is written over; it keeps the time at which it began."""
        run_id = add_run(database)
        claim = claim_run(database, run_id)
        use_system(database, run_id, claim.attempt, system_use(2.0))
        before = client.get(f"/api/runs/{run_id}/system").json()
        use_system(database, run_id, claim.attempt, system_use(4.0))
        after = client.get(f"/api/runs/{run_id}/system").json()
        assert (before["seconds"], after["seconds"]) == ([2], [4])
        assert before["started_at"] == after["started_at"]

    def test_of_an_attempt_that_lost_its_run_is_not_taken(self, client: TestClient, database: Database) -> None:
        """An attempt may tell its last point after its end, but not once another has begun, nor of no run."""
        run_id = add_run(database)
        claim = claim_run(database, run_id)
        lost(database, run_id, claim.attempt)
        assert use_system(database, run_id, claim.attempt, system_use())
        claim_run(database, run_id)
        assert not use_system(database, run_id, claim.attempt, system_use(), system_use())
        assert not use_system(database, 999, 1, system_use())
        assert client.get(f"/api/runs/{run_id}/system").json()["of"] == 1

    def test_of_gpus_has_a_place_for_each_point(self, client: TestClient, database: Database) -> None:
        """An attempt on the processor leaves nulls; what a driver does not tell is null too."""
        run_id = add_run(database)
        gpus = (GpuUse(0, 0.5, 0.75, 3 * 10**9), GpuUse(2, None, None, 10**9))
        use_system(database, run_id, claim_run(database, run_id).attempt, system_use(), system_use(5.0, *gpus))
        assert client.get(f"/api/runs/{run_id}/system").json()["gpus"] == [
            {"number": 0, "busy": [None, 0.5], "busy_max": [None, 0.75], "memory_bytes": [None, 3 * 10**9]},
            {"number": 2, "busy": [None, None], "busy_max": [None, None], "memory_bytes": [None, 10**9]},
        ]

    def test_comes_in_as_few_points_as_are_asked_for(self, client: TestClient, database: Database) -> None:
        """Neighbours are joined: the time stays whole, the greatest value the greatest, and `of` says how many."""
        run_id = add_run(database)
        uses = [system_use(cpu_cores_max=0.75 + (place == 33)) for place in range(100)]
        use_system(database, run_id, claim_run(database, run_id).attempt, *uses)
        answer = client.get(f"/api/runs/{run_id}/system", params={"points": 10, "names": "cpu,cpu_max"}).json()
        assert (answer["of"], sum(answer["seconds"]), set(answer["columns"])) == (100, 500, {"cpu", "cpu_max"})
        assert 5 <= len(answer["seconds"]) <= 10
        assert (max(answer["columns"]["cpu_max"]), set(answer["columns"]["cpu"])) == (1.75, {0.5})

    def test_refuses_a_column_that_there_is_not(self, client: TestClient, database: Database) -> None:
        """An unknown name is a 422 that names those there are; an unknown run is a 404, also for the figure."""
        answer = client.get(f"/api/runs/{add_run(database)}/system?names=cpu,heat")
        assert answer.status_code == 422
        assert "memory_max_bytes" in answer.json()["error"]["message"]
        assert client.get("/api/runs/999/system").status_code == 404
        assert client.get("/api/figures/system?run=999").status_code == 404

    def test_goes_with_its_run(self, client: TestClient, database: Database) -> None:
        """A run that is removed for good leaves nothing of it."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        use_system(database, run_id, claim.attempt, system_use())
        with database.write() as session:
            lifecycle.force_stop(session, run_id)
        assert client.delete(f"/api/runs/{run_id}?purge=true").is_success
        assert not use_system(database, run_id, claim.attempt, system_use())


class TestTheFigure:
    @pytest.mark.parametrize("measure", ["cpu", "memory", "host_free", "gpu", "gpu_memory"])
    @pytest.mark.database("sqlite")
    def test_is_there_for_each_measure(self, client: TestClient, database: Database, measure: str) -> None:
        """Each has its axis with a unit, its table, and the peak of the memory."""
        run_id = add_run(database)
        gpu = GpuUse(0, 0.5, 0.75, 3 * 10**9)
        use_system(database, run_id, claim_run(database, run_id).attempt, system_use(5.0, gpu), system_use(5.0, gpu))
        figure = client.get("/api/figures/system", params={"run": run_id, "measure": measure}).json()
        shade, line = figure["data"]
        assert (shade["meta"]["most_of"], line["meta"]["measure"]) == (measure, measure)
        expected = {"cpu": 50, "memory": 500, "host_free": 8, "gpu": 50, "gpu_memory": 3}
        assert line["y"] == [expected[measure]] * 2
        meta = figure["layout"]["meta"]
        assert (meta["peak_memory_bytes"], meta["gpus"], len(meta["table"]["rows"])) == (700 * MB, [0], 2)


class TestTimeLeft:
    def test_counts_what_is_still_to_be_measured(self, client: TestClient, database: Database) -> None:
        """What measuring took is told by epoch, and as often as it will come again it is part of the time left."""
        run_id = add_run(database, epochs=6, audit_every=2, robustness_every=3)
        claim = start_run(database, run_id)

        def left(progress: Progress) -> float:
            with database.write() as session:
                runs.set_progress(session, run_id, claim.attempt, progress)
            return float(client.get(f"/api/runs/{run_id}").json()["progress"]["seconds_left"])

        audit = builders.measurements(2, attacks=(), examples=(), seconds=4.0)
        with database.write() as session:
            measurements.add(session, run_id, claim.attempt, builders.measurements(0, seconds=100.0))
            epochs.append(session, run_id, claim.attempt, epoch_report(0, epoch_seconds=10))
            epochs.append(session, run_id, claim.attempt, epoch_report(1, epoch_seconds=10, measured=audit))
            measurements.add(session, run_id, claim.attempt, audit)
        assert client.get(f"/api/runs/{run_id}/metrics?names=measuring_seconds").json()["columns"] == {
            "measuring_seconds": [None, 4.0]
        }
        # After epoch 3 attacks, which were measured together with an audit only; after 4 an audit; after 6 both.
        assert left(Progress(Phase.TRAINING, 2, 0, 10)) == pytest.approx(40 + 100 + 4 + 100)
        assert left(Progress(Phase.MEASURING, 3, 1, 4, trained=True)) == pytest.approx(20 + 0.75 * 4 + 100)
        assert left(Progress(Phase.MEASURING, 5, 4, 4, trained=True)) == pytest.approx(0)
