import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.db import lifecycle
from backend.db.engine import Database
from benchmarks.compare.batches import fill_batches
from tests.builders import add_batches, add_run, start_run

PER_EPOCH = 10
CONFIG: dict[str, Any] = {"train_images": 200, "test_images": 50, "batch_size": 20, "epochs": 4}
CEILING = 5  # times the bar, of the time that the processor worked: other programs do not count


def asked(client: TestClient, path: str, **query: object) -> dict[str, Any]:
    answer = client.get(f"/api/{path}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestBatches:
    def test_of_a_run_that_never_began_are_none(self, client: TestClient, database: Database) -> None:
        """No batch, and every column is there."""
        answer = asked(client, f"runs/{add_run(database, **CONFIG)}/batches")
        assert (answer["of"], answer["numbers"], answer["batches_per_epoch"]) == (0, [], PER_EPOCH)
        assert answer["columns"] == {"cost": [], "accuracy": []}

    def test_are_told_as_they_were_stored(self, client: TestClient, database: Database) -> None:
        """Numbers count through all epochs; a cost is told with the digits of a 32-bit float, and no others."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, [2.1, 1.9], [0.1, 0.25])
        add_batches(database, run_id, 2, [1.7], [0.5])
        answer = asked(client, f"runs/{run_id}/batches")
        assert (answer["numbers"], answer["of"], answer["first"], answer["end"]) == ([0, 1, 2], 3, 0, None)
        assert answer["columns"] == {"cost": [2.1, 1.9, 1.7], "accuracy": [0.1, 0.25, 0.5]}

    def test_of_a_range_are_those_in_it(self, client: TestClient, database: Database) -> None:
        """From `first` up to, not with, `end`; a range beyond the last batch is empty."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, [float(number) for number in range(30)])
        answer = asked(client, f"runs/{run_id}/batches", first=10, end=13, names="cost")
        assert (answer["numbers"], answer["columns"]) == ([10, 11, 12], {"cost": [10, 11, 12]})
        assert (answer["of"], answer["first"], answer["end"]) == (3, 10, 13)
        assert asked(client, f"runs/{run_id}/batches", first=100)["of"] == 0

    def test_that_are_not_finite_are_named(self, client: TestClient, database: Database) -> None:
        """Null in the column, and beside it which batch was NaN or infinite."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 5, [1.0, float("nan"), float("inf"), -float("inf")])
        answer = asked(client, f"runs/{run_id}/batches")
        assert answer["columns"]["cost"] == [1, None, None, None]
        assert answer["non_finite"] == [
            {"number": 6, "name": "cost", "value": "NaN"},
            {"number": 7, "name": "cost", "value": "Infinity"},
            {"number": 8, "name": "cost", "value": "-Infinity"},
        ]

    def test_come_in_about_as_many_points_as_are_asked_for(self, client: TestClient, database: Database) -> None:
        """Of 10,000 batches 200 come: first, last, the extremes of both columns and what is not finite among them."""
        costs, accuracies = np.random.default_rng(0).uniform(0.1, 0.9, (2, 10_000))
        costs[1234], costs[5678], accuracies[4321] = 9, np.nan, 0
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, costs.tolist(), accuracies.tolist())
        answer = asked(client, f"runs/{run_id}/batches", points=200)
        assert answer["of"] == 10_000
        assert 100 <= len(answer["numbers"]) <= 220
        assert answer["numbers"] == sorted(set(answer["numbers"]))
        assert {0, 1234, 4321, 5678, 9999} <= set(answer["numbers"])
        assert [one["number"] for one in answer["non_finite"]] == [5678]

    def test_asked_for_wrongly_are_refused(self, client: TestClient, database: Database) -> None:
        """An unknown column is a 422 that names those there are, so is a range that ends early; no run is a 404."""
        run_id = add_run(database, **CONFIG)
        answer = client.get(f"/api/runs/{run_id}/batches?names=cost,heat")
        assert answer.status_code == 422
        assert "accuracy" in answer.json()["error"]["message"]
        for path in (f"runs/{run_id}/batches?", f"figures/batches?run={run_id}&"):
            for query in ("first=5&end=5", "first=-1", "first=x"):
                assert client.get(f"/api/{path}{query}").status_code == 422
        assert client.get(f"/api/figures/batches?run={run_id}&smoothing=ema:7").status_code == 422
        assert client.get(f"/api/figures/batches?run={run_id}&measure=heat").status_code == 422
        assert client.get("/api/runs/999/batches").status_code == 404
        assert client.get("/api/figures/batches?run=999").status_code == 404

    def test_go_with_their_run(self, client: TestClient, database: Database) -> None:
        """A run that is removed for good leaves nothing of its batches."""
        run_id = add_run(database, **CONFIG)
        start_run(database, run_id)
        add_batches(database, run_id, 0, [1.0])
        with database.write() as session:
            lifecycle.force_stop(session, run_id)
        assert client.delete(f"/api/runs/{run_id}?purge=true").is_success
        assert client.get(f"/api/runs/{run_id}/batches").status_code == 404


class TestTheFigure:
    def test_is_smoothed_by_how_many_it_shows_unless_asked(self, client: TestClient, database: Database) -> None:
        """512 batches are smoothed over about 8; a range of 40 is not, nor where smoothing is empty."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, np.linspace(2, 1, 512).tolist())
        whole = asked(client, "figures/batches", run=run_id)
        meta = whole["layout"]["meta"]
        assert (meta["smoothing"], meta["points"], meta["of"]) == ("ema:0.875", 512, 512)
        assert [set(trace["meta"]) for trace in whole["data"]] == [{"run_id", "raw_of"}, {"run_id", "measure"}]
        for query in ({"first": 100, "end": 140}, {"smoothing": ""}):
            assert len(asked(client, "figures/batches", run=run_id, **query)["data"]) == 1

    @pytest.mark.parametrize("smoothing", ["ema:0.9", "mean:21"])
    def test_of_a_part_has_the_line_of_the_whole(self, client: TestClient, database: Database, smoothing: str) -> None:
        """Batches beside the part bear on the smoothed line as they do in the whole chart: a zoom does not move it."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, np.random.default_rng(0).uniform(size=600).tolist())
        whole = asked(client, "figures/batches", run=run_id, smoothing=smoothing)["data"][1]
        part = asked(client, "figures/batches", run=run_id, smoothing=smoothing, first=300, end=340)["data"][1]
        assert part["x"] == whole["x"][300:340]
        assert part["y"] == pytest.approx(whole["y"][300:340], abs=2e-3)

    def test_stands_over_epochs_or_batches(self, client: TestClient, database: Database) -> None:
        """The last batch of the first epoch stands at 1, as that epoch's results do; over batches at its count."""
        run_id = add_run(database, **CONFIG)
        add_batches(database, run_id, 0, [1.0] * 20, [0.25] * 20)
        over = {x: asked(client, "figures/batches", run=run_id, measure="accuracy", x=x) for x in ("epoch", "batch")}
        assert {x: figure["data"][0]["x"][PER_EPOCH - 1] for x, figure in over.items()} == {"epoch": 1, "batch": 10}
        assert set(over["epoch"]["data"][0]["y"]) == {25}
        assert over["epoch"]["layout"]["meta"]["batches_per_epoch"] == PER_EPOCH


@pytest.mark.database("sqlite")  # whose times the bars are
def test_a_million_batches_are_drawn_at_once(
    client: TestClient, database: Database, figure: Callable[[str], None]
) -> None:
    """The chart's data in 0.3 s of the processor, or up to five times that; a part of it all the sooner."""
    run_id, rate = fill_batches(database.url, 1_000_000)
    query = {"run": run_id, "width": 700}
    asked(client, "figures/batches", **query)  # imports
    begun = time.process_time()
    found = asked(client, "figures/batches", **query)
    seconds = time.process_time() - begun
    assert found["layout"]["meta"]["of"] == 1_000_000
    assert 1000 <= found["layout"]["meta"]["points"] <= 2 * 700 + 10
    assert seconds <= CEILING * 0.3
    part = asked(client, "figures/batches", **query, first=500_000, end=500_500)
    assert len(part["data"][0]["x"]) == 500
    assert rate >= 50_000 / CEILING
    figure(f"1,000,000 batches: {1000 * seconds:.0f} ms; stored at {rate:,.0f} points/s")
