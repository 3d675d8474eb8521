from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.contract import DatasetName, Deviation, JobKind, Measurements
from backend.db import dataset_jobs, events, measurements
from backend.db.engine import Database
from tests import builders
from tests.builders import add_run, failed_layer, layer_measurement, start_run

MEASURED = ("audit", "deviation", "layers", "robustness", "robustness-epochs")
SPLIT: dict[str, Any] = {
    "edges": [0.0, 128.0, 256.0],
    "counts": [3, 1],
    "below": 0,
    "above": 0,
    "mean": 64.0,
    "deviation": 32.0,
    "minimum": 0.0,
    "maximum": 255.0,
}


def measured_run(database: Database, *measured: Measurements, **config: Any) -> int:
    run_id = add_run(database, **config)
    attempt = start_run(database, run_id).attempt
    with database.write() as session:
        for one in measured:
            measurements.add(session, run_id, attempt, one)
    return run_id


def figure(client: TestClient, name: str, **query: object) -> dict[str, Any]:
    answer = client.get(f"/api/figures/{name}", params={key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestMeasuredFigures:
    @pytest.mark.parametrize("name", MEASURED)
    def test_of_a_run_without_measurements_are_empty_frames(
        self, client: TestClient, database: Database, name: str
    ) -> None:
        """A run that has just been launched has its frames, with a sentence and an empty table."""
        found = figure(client, name, run=add_run(database))
        values = [value for trace in found["data"] for value in trace["y"]]
        assert set(values) <= {None}
        assert found["layout"]["meta"]["table"]["rows"] == []
        assert found["layout"]["meta"]["summary"]

    @pytest.mark.parametrize("name", MEASURED)
    def test_say_up_to_which_event_they_are(self, client: TestClient, database: Database, name: str) -> None:
        """A page knows from where to follow the stream."""
        run_id = measured_run(database, builders.measurements(0), backprop="dilated")
        with database.read() as session:
            seq = events.last_seq(session)
        assert figure(client, name, run=run_id)["layout"]["meta"]["seq"] == seq

    @pytest.mark.parametrize("name", MEASURED)
    def test_of_no_run_are_not_found(self, client: TestClient, name: str) -> None:
        """An unknown run is a 404 that names it."""
        answer = client.get(f"/api/figures/{name}?run=99")
        assert answer.status_code == 404
        assert "99" in answer.json()["error"]["message"]


class TestTheAuditFigure:
    def test_has_what_was_stored(self, client: TestClient, database: Database) -> None:
        """Verdicts are those of the stored audits; a failure that a quirk explains is one of its own."""
        layers = (failed_layer(1), layer_measurement(2), failed_layer(7))
        run_id = measured_run(database, builders.measurements(0, *layers), quirks=["pool_gradient_unscaled"])
        found = figure(client, "audit", run=run_id)
        cells = {trace["meta"]["verdict"]: [base + 0.5 for base in trace.get("base") or ()] for trace in found["data"]}
        assert cells == {"passed": [2], "failed": [7], "expected": [1]}


class TestTheDeviationFigure:
    def test_has_the_measure_that_is_asked_for(self, client: TestClient, database: Database) -> None:
        """Error, cosine and ratio of norms are three maps of the same audits."""
        layer = layer_measurement(1, update=Deviation(0.5, 0.875, 1.0))
        run_id = measured_run(database, builders.measurements(0, layer), backprop="dilated")
        for measure, value in (("error", 0.5), ("cosine", 0.875), ("norm_ratio", 0.0)):
            (trace,) = figure(client, "deviation", run=run_id, measure=measure)["data"]
            assert trace["z"][0][0] == value

    def test_knows_no_other_measure(self, client: TestClient, database: Database) -> None:
        """What is not measured is refused, and the answer names what there is."""
        answer = client.get(f"/api/figures/deviation?run={add_run(database)}&measure=angle")
        assert answer.status_code == 422
        assert "cosine" in answer.text


class TestTheRobustnessFigures:
    def test_have_what_was_stored_in_the_units_of_the_run(self, client: TestClient, database: Database) -> None:
        """Accuracies are in per cent, and sizes also in pixel values where the preprocessing has such a unit."""
        run_id = measured_run(database, builders.measurements(2), preprocessing="raw")
        found = figure(client, "robustness", run=run_id)
        assert {trace["meta"]["attack"]: trace["y"] for trace in found["data"]} == {"fgsm": [90, 50], "pgd": [90, 25]}
        assert found["layout"]["xaxis"]["ticktext"] == ["0", "8"]
        by_epoch = figure(client, "robustness-epochs", run=run_id, attack="fgsm")
        assert {trace["meta"]["attack"] for trace in by_epoch["data"]} == {"clean", "fgsm"}

    def test_have_no_pixel_values_where_there_are_none(self, client: TestClient, database: Database) -> None:
        """Standardized pixels have no common unit: sizes are in those of the preprocessed input alone."""
        run_id = measured_run(database, builders.measurements(2), preprocessing="standardize")
        table = figure(client, "robustness", run=run_id)["layout"]["meta"]["table"]
        assert {row[3] for row in table["rows"]} == {"\N{EN DASH}"}


class TestTheHistogramFigure:
    def test_is_pending_until_a_worker_has_counted(self, client: TestClient, database: Database) -> None:
        """The first to ask gets 202; once a worker has counted, the figure has both splits."""
        address = "/api/figures/histogram?dataset=digits&stage=after&preprocessing=unit"
        answer = client.get(address)
        assert (answer.status_code, answer.json()) == (202, {"state": "queued"})
        with database.write() as session:
            claim = dataset_jobs.claim(session, JobKind.HISTOGRAMS, 60)
            assert claim is not None
            assert claim.dataset is DatasetName.DIGITS
            splits = [
                {"split": split, "stage": stage} | SPLIT for split in ("train", "test") for stage in ("before", "after")
            ]
            dataset_jobs.finish(session, claim.job_id, claim.attempt, {"splits": splits})
        found = client.get(address).json()
        assert [trace["meta"] for trace in found["data"]] == [
            {"split": "train", "stage": "after"},
            {"split": "test", "stage": "after"},
        ]
        assert found["data"][0]["y"] == [75, 25, 25]

    def test_of_a_data_set_that_is_not_here_says_so(self, client: TestClient) -> None:
        """Nothing is counted of files that are missing: 409, with their names."""
        answer = client.get("/api/figures/histogram?dataset=mnist&stage=before")
        assert answer.status_code == 409
        assert "train-images-idx3-ubyte.gz" in answer.json()["error"]["message"]
