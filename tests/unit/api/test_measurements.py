from base64 import b64decode

import pytest
from fastapi.testclient import TestClient

from backend.api import stream
from backend.contract import Attack, AttackResult, AuditVerdict, Deviation, Measurements
from backend.db import events, measurements
from backend.db.engine import Database
from tests import builders
from tests.builders import add_run, failed_layer, layer_measurement, start_run


def measure(database: Database, run_id: int, *measured: Measurements) -> None:
    attempt = start_run(database, run_id).attempt
    with database.write() as session:
        for one in measured:
            measurements.add(session, run_id, attempt, one)


class TestTheAudit:
    def test_of_a_run_without_one_is_empty(self, client: TestClient, database: Database) -> None:
        """Before the first audit there is no verdict and no entry; the limits are told all the same."""
        run_id = add_run(database)
        assert client.get(f"/api/runs/{run_id}/audit").json() == {
            "run_id": run_id,
            "verdict": None,
            "expected_quirks": [],
            "tape_limit": 1e-8,
            "difference_limit": 1e-6,
            "entries": [],
        }
        assert client.get(f"/api/runs/{run_id}").json()["audit"] is None

    def test_tells_what_failed_where(self, client: TestClient, database: Database) -> None:
        """Each layer has its verdict and figures; one that failed has a sentence, and says whether a quirk is why."""
        run_id = add_run(database, quirks=["pool_gradient_unscaled", "test_cost_of_softmax"])
        sound = layer_measurement(2, update=Deviation(0.5, 0.875, 1.25))
        idle = layer_measurement(3, verdict=AuditVerdict.NO_SIGNAL, tape_error=None)
        measure(database, run_id, builders.measurements(0, failed_layer(1), sound, idle, failed_layer(7)))
        answer = client.get(f"/api/runs/{run_id}/audit").json()
        assert (answer["verdict"], answer["expected_quirks"]) == ("failed", ["pool_gradient_unscaled"])
        entries = answer["entries"]
        assert [(entry["layer"], entry["verdict"], entry["expected"]) for entry in entries] == [
            (1, "failed", True),
            (2, "passed", False),
            (3, "no signal", False),
            (7, "failed", False),
        ]
        assert "differs by 1 from automatic differentiation" in entries[0]["sentence"]
        assert entries[1] == {
            "epochs_done": 0,
            "layer": 2,
            "verdict": "passed",
            "expected": False,
            "sentence": "",
            "tape_error": 1e-15,
            "difference_error": 1e-9,
            "gradient_norm": 0.5,
            "own": {"error": 2e-6, "cosine": 1.0, "norm_ratio": 1.0},
            "update": {"error": 0.5, "cosine": 0.875, "norm_ratio": 1.25},
            "weight_norm": 4.0,
            "update_ratio": 0.01,
            "vmax_active": 0.25,
        }
        assert (entries[2]["sentence"], entries[2]["update"]) == ("", None)

    def test_goes_on_after_what_is_known(self, client: TestClient, database: Database) -> None:
        """`after` leaves out what a page has already; entries come by epochs, then by layer."""
        run_id = add_run(database)
        measure(database, run_id, builders.measurements(0), builders.measurements(5), builders.measurements(10))
        for after, places in (
            (-1, [(0, 1), (0, 2), (5, 1), (5, 2), (10, 1), (10, 2)]),
            (0, [(5, 1), (5, 2), (10, 1), (10, 2)]),
            (10, []),
        ):
            entries = client.get(f"/api/runs/{run_id}/audit?after={after}").json()["entries"]
            assert [(entry["epochs_done"], entry["layer"]) for entry in entries] == places

    def test_that_failed_is_on_the_run_and_can_be_filtered_by(self, client: TestClient, database: Database) -> None:
        """Lists show the verdict, and the filter finds runs by it."""
        sound, failed, expected, _ = (
            add_run(database, name, quirks=quirks)
            for name, quirks in (("a", []), ("b", []), ("c", ["celu_slope_2"]), ("d", []))
        )
        measure(database, sound, builders.measurements(0))
        measure(database, failed, builders.measurements(0, failed_layer(1)))
        measure(database, expected, builders.measurements(0, failed_layer(1)))
        for text, found in (
            ("audit = failed", {"b": "failed"}),
            ("audit = expected", {"c": "expected"}),
            ("audit = passed", {"a": "passed"}),
            ("not audit = failed", {"a": "passed", "c": "expected", "d": None}),
        ):
            listed = client.get("/api/runs", params={"filter": text}).json()["runs"]
            assert {run["name"]: run["audit"] for run in listed} == found


class TestRobustness:
    @pytest.mark.parametrize(
        ("preprocessing", "epsilon", "pixel_values"), [("raw", 8.0, 8.0), ("unit", 8 / 255, 8.0), ("zca", 0.125, None)]
    )
    def test_is_told_in_pixel_values_where_there_are_any(
        self, client: TestClient, database: Database, preprocessing: str, epsilon: float, pixel_values: float | None
    ) -> None:
        """Sizes are in units of the preprocessed input, and in pixel values where that is exact."""
        run_id = add_run(database, preprocessing=preprocessing)
        attacks = (AttackResult(Attack.FGSM, epsilon, 0.5),)
        measure(database, run_id, builders.measurements(5, attacks=attacks))
        answer = client.get(f"/api/runs/{run_id}/robustness").json()
        assert answer["images"] == 200
        (entry,) = answer["entries"]
        assert entry.pop("pixel_values") == (None if pixel_values is None else pytest.approx(pixel_values))
        assert entry == {"epochs_done": 5, "attack": "fgsm", "epsilon": epsilon, "accuracy": 0.5}

    def test_goes_on_after_what_is_known(self, client: TestClient, database: Database) -> None:
        """`after` gives later results only, and a run without any has none."""
        run_id, other = add_run(database), add_run(database)
        measure(database, run_id, builders.measurements(5), builders.measurements(10))
        entries = client.get(f"/api/runs/{run_id}/robustness?after=5").json()["entries"]
        assert {entry["epochs_done"] for entry in entries} == {10}
        assert client.get(f"/api/runs/{other}/robustness").json() == {"run_id": other, "images": None, "entries": []}


class TestFollowedImages:
    def test_are_told_once_and_their_steps_by_epoch(self, client: TestClient, database: Database) -> None:
        """The images and when they were looked at come together; what the step makes of them, an epoch at a time."""
        run_id = add_run(database)
        report = builders.example_report()
        measure(database, run_id, builders.measurements(0), builders.measurements(5))
        answer = client.get(f"/api/runs/{run_id}/examples").json()
        assert (answer["epsilon"], answer["pixel_values"], answer["epochs_done"]) == (8.0, 8.0, [0, 5])
        (image,) = answer["examples"]
        assert b64decode(image.pop("image")) == report.image
        assert image == {"test_index": 3, "label": 7, "height": 2, "width": 2, "channels": 1}
        steps = client.get(f"/api/runs/{run_id}/examples/5").json()
        assert (steps["run_id"], steps["epochs_done"]) == (run_id, 5)
        (step,) = steps["examples"]
        assert b64decode(step["adversarial"]) == report.adversarial
        assert b64decode(step["sign"]) == report.sign
        assert (step["before"], step["after"]) == (list(report.before), list(report.after))

    def test_that_are_not_there_are_a_404(self, client: TestClient, database: Database) -> None:
        """A run without them has an empty list, and no step after any epoch."""
        run_id = add_run(database)
        assert client.get(f"/api/runs/{run_id}/examples").json() == {
            "run_id": run_id,
            "epsilon": None,
            "pixel_values": None,
            "epochs_done": [],
            "examples": [],
        }
        answer = client.get(f"/api/runs/{run_id}/examples/5")
        assert answer.status_code == 404
        assert "no followed images of 5 finished epochs" in answer.json()["error"]["message"]


class TestMeasurementsOfNoRun:
    @pytest.mark.parametrize("path", ["audit", "robustness", "examples", "examples/5"])
    def test_are_a_404(self, client: TestClient, path: str) -> None:
        """A run that does not exist has measured nothing."""
        answer = client.get(f"/api/runs/99/{path}")
        assert answer.status_code == 404
        assert "no run 99" in answer.json()["error"]["message"]


class TestTheNews:
    def test_of_measurements_tells_run_and_verdict(self, database: Database) -> None:
        """The stream numbers it like any other event; the failure's note follows as the run's new summary."""
        run_id = add_run(database)
        attempt = start_run(database, run_id).attempt
        with database.write() as session:
            seq = events.last_seq(session)
            measurements.add(session, run_id, attempt, builders.measurements(0))
            measurements.add(session, run_id, attempt, builders.measurements(5, failed_layer(1)))
        told = [event for event in stream.read(database, stream.Cursor(seq)) if event.id is not None]
        assert [event.event for event in told] == ["measured", "run", "measured"]
        assert [event.id for event in told] == [str(seq + place) for place in (1, 2, 3)]
        assert told[2].data.model_dump(mode="json") == {"run_id": run_id, "audit": "failed"}
