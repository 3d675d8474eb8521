import math

import pytest

from backend.contract import Attack, AttackResult, Deviation, Measurements, RunAudit
from backend.db import artifacts, attack_results, checkpoints, events, layer_stats, lifecycle, measurements, runs
from backend.db.engine import Database
from backend.errors import AttemptSuperseded
from tests import builders
from tests.builders import add_run, example_report, failed_layer, layer_measurement, start_run


def store(database: Database, run_id: int, attempt: int, measured: Measurements) -> bool:
    with database.write() as session:
        return measurements.add(session, run_id, attempt, measured)


def notes(database: Database, run_id: int) -> list[str]:
    with database.read() as session:
        return [entry.note for entry in events.of_run(session, run_id) if entry.kind == "note" and entry.note]


@pytest.fixture
def run_id(database: Database) -> int:
    """A run without quirks."""
    return add_run(database)


class TestStoring:
    def test_keeps_every_figure(self, database: Database, run_id: int) -> None:
        """What was measured is read back as it was, layers in order and attacks by strength."""
        attempt = start_run(database, run_id).attempt
        update = Deviation(0.5, 0.875, 1.25)
        layers = (layer_measurement(2, update=update), layer_measurement(1, vmax_active=None))
        assert store(database, run_id, attempt, builders.measurements(0, *layers))
        with database.read() as session:
            first, second = layer_stats.after(session, run_id, -1)
            assert (first.layer, second.layer) == (1, 2)
            assert (first.verdict, first.tape_error, first.difference_error) == ("passed", 1e-15, 1e-9)
            assert (first.own_error, first.own_cosine, first.own_norm_ratio) == (2e-6, 1.0, 1.0)
            assert (first.weight_norm, first.update_ratio, first.vmax_active) == (4.0, 0.01, None)
            assert (first.has_update, second.has_update) == (False, True)
            assert (second.update_error, second.update_cosine, second.update_norm_ratio) == (0.5, 0.875, 1.25)
            rows = attack_results.after(session, run_id, -1)
            assert [(row.attack, row.epsilon, row.accuracy, row.images) for row in rows] == [
                ("clean", 0.0, 0.9, 200),
                ("fgsm", 8.0, 0.5, 200),
                ("pgd", 8.0, 0.25, 200),
            ]
            assert artifacts.examples_known(session, run_id) == [0]
            found = artifacts.find_examples(session, run_id, 0)
            assert found is not None
            assert found.epsilon == 8.0
            (one,) = found.examples
            report = example_report()
            assert (one.image, one.adversarial, one.sign) == (report.image, report.adversarial, report.sign)
            assert (one.shape, one.label, one.test_index) == (report.shape, 7, 3)
            assert (one.before, one.after) == (report.before, report.after)
            assert artifacts.find_examples(session, run_id, 1) is None

    def test_turns_what_is_not_finite_into_null(self, database: Database, run_id: int) -> None:
        """NaN and infinity are no numbers of a database; what could be measured beside them stays."""
        attempt = start_run(database, run_id).attempt
        layer = failed_layer(1, tape_error=math.nan, gradient_norm=math.inf, own=Deviation(math.nan, None, 2.0))
        attack = AttackResult(Attack.CLEAN, 0.0, math.nan)
        assert store(database, run_id, attempt, builders.measurements(0, layer, attacks=(attack,)))
        with database.read() as session:
            (row,) = layer_stats.after(session, run_id, -1)
            assert (row.tape_error, row.gradient_norm, row.own_error, row.own_cosine) == (None, None, None, None)
            assert (row.difference_error, row.own_norm_ratio) == (0.5, 2.0)
            assert attack_results.after(session, run_id, -1)[0].accuracy is None
        assert "an infinite amount or NaN from automatic differentiation" in notes(database, run_id)[0]

    def test_of_what_is_known_changes_nothing(self, database: Database, run_id: int) -> None:
        """Weights that are trained again are measured again: first figures stay, no event is made, no note."""
        attempt = start_run(database, run_id).attempt
        store(database, run_id, attempt, builders.measurements(1))
        with database.write() as session:
            lifecycle.give_back(session, run_id, attempt, "lost", blameless=True)
        attempt = start_run(database, run_id).attempt
        with database.read() as session:
            seq = events.last_seq(session)
        again = builders.measurements(1, failed_layer(1), attacks=(AttackResult(Attack.CLEAN, 0.0, 0.1),))
        assert not store(database, run_id, attempt, again)
        with database.read() as session:
            assert events.last_seq(session) == seq
            assert runs.load(session, run_id).audit_verdict == RunAudit.PASSED
            assert [row.verdict for row in layer_stats.after(session, run_id, -1)] == ["passed", "passed"]
            assert len(attack_results.after(session, run_id, -1)) == 3
        assert notes(database, run_id) == []

    def test_by_an_older_attempt_is_refused(self, database: Database, run_id: int) -> None:
        """Who no longer holds the run stores nothing."""
        attempt = start_run(database, run_id).attempt
        with pytest.raises(AttemptSuperseded):
            store(database, run_id, attempt + 1, builders.measurements(0))
        with database.read() as session:
            assert layer_stats.after(session, run_id, -1) == []

    def test_makes_an_event_that_is_no_history(self, database: Database, run_id: int) -> None:
        """Open pages are told of it under a number; the run's history does not list it."""
        attempt = start_run(database, run_id).attempt
        with database.read() as session:
            seq, history = events.last_seq(session), len(events.of_run(session, run_id))
        store(database, run_id, attempt, builders.measurements(0))
        with database.read() as session:
            assert [getattr(entry, "kind", None) for entry in events.after(session, seq, 10)] == ["measured"]
            assert len(events.of_run(session, run_id)) == history

    def test_ends_with_the_run(self, database: Database, run_id: int) -> None:
        """Nothing that was measured outlives a run that is removed for good."""
        attempt = start_run(database, run_id).attempt
        store(database, run_id, attempt, builders.measurements(0))
        with database.write() as session:
            lifecycle.fail(session, run_id, attempt, "why")
        with database.write() as session:
            runs.remove(session, run_id)
        with database.read() as session:
            assert layer_stats.after(session, run_id, -1) == []
            assert attack_results.after(session, run_id, -1) == []
            assert artifacts.examples_known(session, run_id) == []
            assert checkpoints.names(session, run_id) == set()


class TestTheVerdict:
    def test_that_fails_marks_the_run_and_is_noted_once(self, database: Database, run_id: int) -> None:
        """The first failure puts layer, check and figures into the history; later ones add nothing."""
        attempt = start_run(database, run_id).attempt
        store(database, run_id, attempt, builders.measurements(0))
        for epochs_done in (5, 10):
            measured = builders.measurements(epochs_done, layer_measurement(1), failed_layer(2), failed_layer(3))
            store(database, run_id, attempt, measured)
        store(database, run_id, attempt, builders.measurements(15))
        with database.read() as session:
            assert runs.load(session, run_id).audit_verdict == RunAudit.FAILED
        (note,) = notes(database, run_id)
        assert note.startswith("The gradient audit after epoch 5 failed. The gradient of layer 2 differs by 1 from")
        assert "by 0.5 from a central difference" in note
        assert note.endswith("1 other layer failed too.")

    def test_that_a_quirk_explains_is_expected(self, database: Database) -> None:
        """A run that asks for a wrong slope is marked as expected to fail, and its history names the quirk."""
        run_id = add_run(database, quirks=["celu_slope_2"])
        attempt = start_run(database, run_id).attempt
        store(database, run_id, attempt, builders.measurements(0, failed_layer(1)))
        with database.read() as session:
            assert runs.load(session, run_id).audit_verdict == RunAudit.EXPECTED
        (note,) = notes(database, run_id)
        assert note.startswith("The gradient audit before training failed.")
        assert note.endswith("That was to be expected of celu_slope_2.")

    def test_beyond_what_a_quirk_explains_is_noted_too(self, database: Database) -> None:
        """A failure that the quirk can't explain marks a run that was expected to fail, with a note of its own."""
        run_id = add_run(database, quirks=["pool_gradient_unscaled"])
        attempt = start_run(database, run_id).attempt
        store(database, run_id, attempt, builders.measurements(0, failed_layer(1)))
        store(database, run_id, attempt, builders.measurements(5, failed_layer(1), failed_layer(7)))
        with database.read() as session:
            assert runs.load(session, run_id).audit_verdict == RunAudit.FAILED
        assert "layer 7" in notes(database, run_id)[1]
