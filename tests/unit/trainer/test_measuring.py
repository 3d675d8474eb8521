import itertools
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import (
    Attack,
    AuditVerdict,
    EpochReport,
    Measurements,
    Phase,
    Progress,
    Report,
    Stopped,
    TrainConfig,
)
from tests.unit.trainer.builders import BATCHES, CONFIG, images_and_labels
from worker.trainer import TrainerState, Training, TrainingData, first_state
from worker.trainer.measuring import Measuring
from worker.trainer.networks import build

SLOW = 10.0  # seconds that each call seems to take
ALL = {"audit_every": 2, "robustness_every": 3, "robustness_epsilons": [4.0], "robustness_steps": 2}
AUDIT_PIECES, ATTACK_PIECES, EXAMPLE_PIECES = 3 + 7 * 5, 1 + 1 * 2, 1


def changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(CONFIG.model_dump() | changes)


def as_they_are(images: NDArray[np.generic]) -> NDArray[np.float64]:
    return images.astype(np.float64)


def ticking() -> Callable[[], float]:
    """A clock on which ten seconds pass between one look and the next."""
    return itertools.count(0.0, SLOW).__next__


def asked(number: int) -> Callable[[], bool]:
    """A wish to stop that is there from the n-th time on that somebody asks, counted from 1."""
    times = itertools.count(1)
    return lambda: next(times) >= number


def told(training: Training, stop: Callable[[], bool] = lambda: False) -> list[Report]:
    return list(training.reports(stop))


def measurements(reports: list[Report]) -> list[Measurements]:
    """All that was measured, in order."""
    found = []
    for report in reports:
        if isinstance(report, Measurements):
            found.append(report)
        if isinstance(report, EpochReport) and report.measured is not None:
            found.append(report.measured)
    return found


def finished(work: Generator[Any, None, Measurements | None]) -> Measurements | None:
    """What a measurement gives at its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Measurements | None = end.value
            return found


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """A few images of two classes, in pixel values."""
    return replace(images_and_labels(), to_pixels=as_they_are)


@pytest.fixture(scope="module")
def measured(data: TrainingData) -> tuple[list[Report], TrainerState]:
    """A run of seven epochs that measures all there is, and its last state."""
    training = Training(changed(epochs=7, **ALL), data, clock=ticking())
    return told(training), training.state


class TestBits:
    def test_are_those_of_a_run_that_measures_nothing(
        self, data: TrainingData, measured: tuple[list[Report], TrainerState]
    ) -> None:
        """With everything on and with everything off each epoch has the same hash, accuracies and costs."""
        silent = told(Training(changed(epochs=7), data, clock=ticking()))
        assert measurements(silent) == []
        ours, theirs = (
            [replace(r, measured=None) for r in reports if isinstance(r, EpochReport)]
            for reports in (measured[0], silent)
        )
        assert ours == theirs
        assert len({report.state_hash for report in ours}) == 7

    def test_of_measurements_are_decided_by_the_state(
        self, data: TrainingData, measured: tuple[list[Report], TrainerState]
    ) -> None:
        """The same run measures the same numbers again, to the last bit."""
        assert told(Training(changed(epochs=7, **ALL), data, clock=ticking())) == measured[0]


class TestSchedule:
    def test_is_every_so_many_epochs_and_the_first_and_last_state(
        self, measured: tuple[list[Report], TrainerState]
    ) -> None:
        """Gradients are audited at 0, 2, 4, 6 and the end, test images attacked at 0, 3, 6 and the end."""
        found = measurements(measured[0])
        assert [m.epochs_done for m in found if m.layers] == [0, 2, 4, 6, 7]
        assert [m.epochs_done for m in found if m.attacks] == [0, 3, 6, 7]
        assert [m.epochs_done for m in found if m.examples] == [0, 3, 6, 7]
        assert [(m.attacked_images, m.example_epsilon) for m in found if m.attacks] == [(21, 4.0)] * 4
        assert [(m.attacked_images, m.example_epsilon) for m in found if not m.attacks] == [(0, 0.0)] * 2

    def test_begins_before_the_first_batch(self, measured: tuple[list[Report], TrainerState]) -> None:
        """The first state is measured and told before anything is trained, in a report of its own."""
        place = next(i for i, report in enumerate(measured[0]) if isinstance(report, Measurements))
        before = {report.phase for report in measured[0][:place] if isinstance(report, Progress)}
        assert before == {Phase.COMPILING, Phase.MEASURING}
        assert sum(isinstance(report, Measurements) for report in measured[0]) == 1

    def test_is_of_the_weights_after_the_epoch(self, measured: tuple[list[Report], TrainerState]) -> None:
        """What an epoch's report says was measured of the state that the epoch left."""
        last = measurements(measured[0])[-1]
        for layer, w in zip(last.layers, measured[1].learned.weights, strict=True):
            assert layer.weight_norm == pytest.approx(np.linalg.norm(w), rel=1e-6)
            assert layer.verdict is AuditVerdict.PASSED
        clean = next(result for result in last.attacks if result.attack is Attack.CLEAN)
        report = measured[0][-1]
        assert isinstance(report, EpochReport)
        assert clean.accuracy == report.test_accuracy

    @pytest.mark.parametrize(
        ("every", "examples"),
        [((1, 0), [0, 1, 2]), ((0, 1), [0, 1, 2]), ((2, 1), [0, 1, 2]), ((1, 2), [0, 2]), ((0, 0), [])],
    )
    def test_of_followed_images_is_that_of_the_attacks_or_else_of_the_audit(
        self, data: TrainingData, every: tuple[int, int], examples: list[int]
    ) -> None:
        """Images are followed whenever attacks are due; where they never are, whenever an audit is."""
        config = changed(**ALL | {"audit_every": every[0], "robustness_every": every[1]})
        measuring, learned = Measuring(build(config), config, data), first_state(config, data).learned
        found = [finished(measuring.measure(learned, done, None, first=done == 0)) for done in range(3)]
        assert [m.epochs_done for m in found if m is not None and m.examples] == examples
        assert [m is None for m in found] == [every == (0, 0)] * 3

    def test_leaves_images_out_that_have_no_pixel_values(self, data: TrainingData) -> None:
        """Data that can't be shown are audited all the same."""
        (start, end) = measurements(told(Training(changed(epochs=1, audit_every=1), replace(data, to_pixels=None))))
        assert (start.examples, end.examples) == ((), ())
        assert len(start.layers) == len(end.layers) == 7

    def test_of_a_branch_begins_where_it_branched_off(
        self, data: TrainingData, measured: tuple[list[Report], TrainerState]
    ) -> None:
        """A branch measures its own first state, whichever epoch that is after."""
        config = changed(epochs=8, audit_every=5)
        found = measurements(told(Training(config, data, start=measured[1], first_epoch=7)))
        assert [m.epochs_done for m in found] == [7, 8]
        assert found[0].layers == measurements(measured[0])[-1].layers

    def test_of_a_run_that_goes_on_repeats_nothing(
        self, data: TrainingData, measured: tuple[list[Report], TrainerState]
    ) -> None:
        """A run that is taken up at an epoch's boundary has told of that state already."""
        found = measurements(told(Training(changed(epochs=8, audit_every=5), data, start=measured[1])))
        assert [m.epochs_done for m in found] == [8]


class TestTime:
    def test_is_not_charged_to_the_epoch(self, measured: tuple[list[Report], TrainerState]) -> None:
        """An epoch lasts as long as its training and testing; what measuring took is told with what was measured."""
        pieces = {0: AUDIT_PIECES + ATTACK_PIECES + EXAMPLE_PIECES, 2: AUDIT_PIECES, 3: ATTACK_PIECES + EXAMPLE_PIECES}
        assert {r.epoch_seconds for r in measured[0] if isinstance(r, EpochReport)} == {(BATCHES + 1) * SLOW}
        for found in measurements(measured[0])[:3]:
            assert found.seconds == (pieces[found.epochs_done] + 1) * SLOW

    def test_is_told_as_progress(self, measured: tuple[list[Report], TrainerState]) -> None:
        """Measuring says how many of its pieces of work are done."""
        first = [r for r in measured[0] if isinstance(r, Progress) and r.phase is Phase.MEASURING][:42]
        assert first == [Progress(Phase.MEASURING, 0, done, 42) for done in range(1, 43)]
        later = [r for r in measured[0] if isinstance(r, Progress) and r.phase is Phase.MEASURING][42:]
        assert {(r.epoch, r.trained) for r in later} == {(epoch, True) for epoch in (1, 2, 3, 5, 6)}


class TestStop:
    def test_is_obeyed_within_the_first_measurement(self, data: TrainingData) -> None:
        """A wish to stop waits for one piece of work; the run has not begun then, and will measure again."""
        training = Training(changed(epochs=7, **ALL), data, clock=ticking())
        found = told(training, asked(20))
        assert found[-2:] == [Progress(Phase.MEASURING, 0, 20, 42), Stopped(0, 0)]
        assert measurements(found) == []
        assert (training.state.epoch, training.state.batch) == (0, 0)

    def test_at_an_epochs_end_loses_nothing(self, data: TrainingData) -> None:
        """Stopped while it measures, the state stays at the epoch's end: taken up, it tells what was to be told."""
        config = changed(epochs=3, audit_every=3, seed=4)
        unbroken = told(Training(config, data, clock=ticking()))
        # Asked for after each piece of the first measurement but the last, at each epoch's begin, after each batch.
        before = AUDIT_PIECES + EXAMPLE_PIECES - 1 + 3 * (1 + BATCHES)
        training = Training(config, data, clock=ticking())
        broken = told(training, asked(before + 3))
        assert broken[-1] == Stopped(2, BATCHES)
        assert [m.epochs_done for m in measurements(broken)] == [0]
        rest = told(Training(config, data, start=training.state, clock=ticking()))
        results, again = ([r for r in reports if isinstance(r, EpochReport)] for reports in (unbroken, rest))
        assert again == results[-1:]
        assert again[0].measured is not None


class TestDivergence:
    def test_is_not_measured(self, data: TrainingData) -> None:
        """A state that is not finite is left to the autopsy."""
        state = first_state(CONFIG, data)
        weights = [tf.constant(np.full(w.shape, np.nan, np.float32)) for w in state.learned.weights]
        broken = TrainerState(state.learned._replace(weights=tuple(weights)))
        reports: list[Any] = []
        with pytest.raises(Exception, match="Training diverged"):
            reports.extend(Training(changed(**ALL), data, start=broken).reports(lambda: False))
        assert measurements(reports) == []
