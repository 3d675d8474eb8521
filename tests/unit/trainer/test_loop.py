import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest

from backend.contract import (
    Backprop,
    BatchResults,
    EpochReport,
    Measurements,
    Phase,
    Progress,
    Report,
    Stopped,
    TrainConfig,
)
from backend.errors import TrainingDiverged
from tests.unit.trainer.builders import (
    BATCH,
    BATCHES,
    CONFIG,
    TEST_IMAGES,
    images_and_labels,
    many_test_images,
    sums_by_epoch,
)
from worker.trainer import Training, TrainingData, train
from worker.trainer.loop import DISPATCH_S, next_count

SLOW, QUICK = 10.0, 0.0  # seconds that each call seems to take: one batch a call, or twice as many each time
DIVERGING = TrainConfig(
    width=8, batch_size=10, epochs=3, learning_rate=10, epsilon=8, beta1=0, beta2=0.999999999999999, seed=0
)


def ticking(step: float) -> Callable[[], float]:
    """A clock on which that many seconds pass between one look and the next."""
    return itertools.count(0.0, step).__next__


def asked(number: int) -> Callable[[], bool]:
    """A wish to stop that is there from the n-th time on that somebody asks, counted from 1."""
    times = itertools.count(1)
    return lambda: next(times) >= number


def never() -> bool:
    return False


def reports(
    config: TrainConfig, data: TrainingData, *, stop: Callable[[], bool] = never, step: float = SLOW
) -> list[Report]:
    return list(train(config, data, stop=stop, clock=ticking(step)))


def epochs(config: TrainConfig, data: TrainingData, step: float = SLOW) -> list[EpochReport]:
    return [report for report in reports(config, data, step=step) if isinstance(report, EpochReport)]


def results(found: list[EpochReport]) -> list[tuple[Any, ...]]:
    """What of the reports no clock decides."""
    return [astuple(replace(report, epoch_seconds=0.0, images_per_second=0.0, results=None)) for report in found]


def batches(found: Iterable[Report]) -> BatchResults:
    """What the reports say of all batches together; each piece must go on where the one before it ended."""
    pieces = [report.results for report in found if not isinstance(report, Measurements) and report.results]
    for one, next_one in itertools.pairwise(pieces):
        assert one.first + len(one) == next_one.first
    costs, accuracies = (b"".join(getattr(piece, name) for piece in pieces) for name in ("costs", "accuracies"))
    return BatchResults(pieces[0].first, costs, accuracies)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """44 images to train with, so that 4 do not fill a batch, and 21 to test with."""
    return images_and_labels()


@pytest.fixture(scope="module")
def unbroken(data: TrainingData) -> list[Report]:
    """All reports of a run of two epochs, on a clock that makes every call seem slow."""
    return reports(CONFIG, data)


class TestBits:
    def test_equal_seeds_give_equal_numbers(self, data: TrainingData, unbroken: list[Report]) -> None:
        """The same configuration and images give every number of every report again, to the last bit."""
        assert reports(CONFIG, data) == unbroken

    def test_where_calls_end_changes_nothing(self, data: TrainingData, unbroken: list[Report]) -> None:
        """One batch a call or ever more batches a call: the results are equal to the last bit."""
        slow = [report for report in unbroken if isinstance(report, EpochReport)]
        assert results(epochs(CONFIG, data, step=QUICK)) == results(slow)

    def test_another_seed_gives_others(self, data: TrainingData, unbroken: list[Report]) -> None:
        """Another seed gives other first weights and another order, so other costs."""
        ours = [report.train_cost for report in unbroken if isinstance(report, EpochReport)]
        others = [report.train_cost for report in epochs(CONFIG.model_copy(update={"seed": 1}), data)]
        assert len(ours) == len(others) == 2
        assert not set(ours) & set(others)

    def test_bytes_train_as_floats_do(self, data: TrainingData, unbroken: list[Report]) -> None:
        """Images kept as bytes give the results of the same images in float32, to the last bit."""
        small = replace(
            data, train_images=data.train_images.astype(np.uint8), test_images=data.test_images.astype(np.uint8)
        )
        assert reports(CONFIG, small) == unbroken


class TestReports:
    def test_come_in_order(self, unbroken: list[Report]) -> None:
        """First comes COMPILING, then for each epoch its training, its testing and its results; then nothing."""
        told = [
            (report.phase, report.epoch, report.batch, report.batches)
            if isinstance(report, Progress)
            else (type(report), report.epoch)
            for report in unbroken
            if not isinstance(report, Measurements)
        ]
        expected: list[tuple[object, ...]] = [(Phase.COMPILING, 0, 0, BATCHES)]
        for epoch in range(2):
            expected += [(Phase.TRAINING, epoch, batch, BATCHES) for batch in range(1, BATCHES + 1)]
            expected += [(Phase.TESTING, epoch, 1, 1), (EpochReport, epoch)]
        assert told == expected

    def test_first_comes_before_anything_is_compiled(self, data: TrainingData) -> None:
        """COMPILING is told at once: even a run whose images don't fit says it before it fails."""
        few = replace(data, train_images=data.train_images[:3], train_labels=data.train_labels[:3])
        found = train(CONFIG, few, stop=never)
        assert next(found) == Progress(Phase.COMPILING, 0, 0, 0)
        with pytest.raises(ValueError, match=f"at least {BATCH} training images.*there are 3 and {TEST_IMAGES}"):
            next(found)

    def test_progress_comes_at_most_once_a_second(self, data: TrainingData) -> None:
        """Calls of a tenth of a second tell their progress every second only; first batch and results are not held."""
        now = 0.0

        def clock() -> float:
            nonlocal now
            now += 0.1
            return now

        told_at, phases, results = [], [], 0
        for report in train(CONFIG.model_copy(update={"epochs": 12}), data, stop=never, clock=clock):
            if isinstance(report, Progress):
                told_at.append(now)
                phases.append(report.phase)
            results += isinstance(report, EpochReport)
        assert results == 12
        assert len(told_at) > 5
        assert phases[:2] == [Phase.COMPILING, Phase.TRAINING]
        assert told_at[1] - told_at[0] < 1
        assert min(later - earlier for earlier, later in itertools.pairwise(told_at[1:])) > 1 - 1e-9

    def test_of_progress_tell_the_speed(self, unbroken: list[Report]) -> None:
        """Progress of training says how many images a second its epoch has done so far; other progress does not."""
        for report in unbroken:
            if isinstance(report, Progress):
                speed = pytest.approx(BATCH / SLOW) if report.phase is Phase.TRAINING else None
                assert report.images_per_second == speed

    def test_of_epochs_tell_seconds_and_speed(self, unbroken: list[Report]) -> None:
        """An epoch lasts as long as its calls, training and testing; its speed is that of training alone."""
        for report in unbroken:
            if isinstance(report, EpochReport):
                assert report.epoch_seconds == pytest.approx((BATCHES + 1) * SLOW)
                assert report.images_per_second == pytest.approx(BATCH / SLOW)

    def test_survive_a_clock_that_stands_still(self, data: TrainingData) -> None:
        """Calls too short for the clock have no speed, rather than an infinite one."""
        (first, _) = epochs(CONFIG, data, step=0.0)
        assert (first.epoch_seconds, first.images_per_second) == (0.0, 0.0)

    def test_of_epochs_are_means_over_all_images(self, data: TrainingData, unbroken: list[Report]) -> None:
        """Accuracies are fractions of the images, costs means: 40 were trained on, 4 dropped, all 21 tested."""
        told = [report for report in unbroken if isinstance(report, EpochReport)]
        assert [report.epoch for report in told] == [0, 1]
        for report, (trained, tested) in zip(told, sums_by_epoch(CONFIG, data, [None, None]), strict=True):
            assert report.train_accuracy == int(trained.correct) / 40
            assert report.train_cost == float(trained.cost) / 40
            assert report.test_accuracy == int(tested.correct) / TEST_IMAGES
            assert report.test_cost == float(tested.cost) / TEST_IMAGES
        assert 0 < told[1].train_accuracy <= 1
        assert 0 < told[1].test_accuracy <= 1


class TestBatches:
    def test_are_all_told_wherever_calls_end(self, data: TrainingData, unbroken: list[Report]) -> None:
        """Every batch of every epoch is told once, in order, and its bits don't depend on how long calls were."""
        told = batches(unbroken)
        assert (told.first, len(told)) == (0, 2 * BATCHES)
        assert batches(reports(CONFIG, data, step=QUICK)) == told

    def test_have_the_mean_of_their_epoch(self, unbroken: list[Report]) -> None:
        """The epoch's cost and accuracy are the means of those of its batches."""
        told = batches(unbroken)
        for report in unbroken:
            if isinstance(report, EpochReport):
                of_epoch = slice(report.epoch * BATCHES, (report.epoch + 1) * BATCHES)
                assert np.frombuffer(told.costs, "<f4")[of_epoch].mean() == pytest.approx(report.train_cost)
                assert np.frombuffer(told.accuracies, "<f4")[of_epoch].mean() == pytest.approx(report.train_accuracy)

    @pytest.mark.parametrize("number", [3, 5, 7])
    def test_go_on_after_a_stop(self, data: TrainingData, unbroken: list[Report], number: int) -> None:
        """A run that stops and goes on tells each batch once: what was done before the stop is told with it."""
        training = Training(CONFIG, data, clock=ticking(SLOW))
        before = list(training.reports(asked(number)))
        after = list(Training(CONFIG, data, start=training.state, clock=ticking(SLOW)).reports(never))
        assert batches([*before, *after]) == batches(unbroken)

    def test_show_where_a_run_diverged(self, data: TrainingData) -> None:
        """The batch whose cost was not finite is the first such one, whether or not its epoch was told."""
        told: list[Report] = []
        with pytest.raises(TrainingDiverged) as failure:
            told.extend(train(DIVERGING, data, stop=never, clock=ticking(0.001)))
        autopsy: dict[str, Any] = failure.value.autopsy
        of_step = autopsy["epoch"] * (len(data.train_images) // DIVERGING.batch_size) + autopsy["step"]
        finite = np.isfinite(np.frombuffer(batches(told).costs, "<f4"))
        assert finite[:of_step].all()
        assert not finite.all()


class TestDilation:
    config = CONFIG.model_copy(
        update={"backprop": Backprop.DILATED, "dilation_proportion": 8.0, "dilation_decay": 1.0, "epochs": 3}
    )

    def test_weight_falls_epoch_by_epoch(self, data: TrainingData) -> None:
        """Epoch t is trained with p / (1 + d t), as its report says."""
        found = epochs(self.config, data)
        assert [report.dilation_lambda for report in found] == [8.0, 4.0, 8 / 3]
        costs = [float(trained.cost) / 40 for trained, _ in sums_by_epoch(self.config, data, [8.0, 4.0, 8 / 3])]
        assert [report.train_cost for report in found] == costs
        stale = [float(trained.cost) / 40 for trained, _ in sums_by_epoch(self.config, data, [8.0, 8.0, 8.0])]
        assert (costs[0] == stale[0], costs[1] == stale[1], costs[2] == stale[2]) == (True, False, False)

    def test_is_none_in_a_manual_run(self, unbroken: list[Report]) -> None:
        """A run that is not dilated has no such weight."""
        assert {found.dilation_lambda for found in unbroken if isinstance(found, EpochReport)} == {None}


class TestStop:
    @pytest.mark.parametrize(
        ("step", "number", "epoch", "batch"),
        [
            *((SLOW, 1, 0, 0), (SLOW, 2, 0, 1), (SLOW, 4, 0, 3), (SLOW, 6, 0, 5), (SLOW, 8, 1, 1)),
            *((QUICK, 2, 0, 1), (QUICK, 3, 0, 3), (QUICK, 4, 0, 5), (QUICK, 5, 1, 0)),
        ],
    )
    def test_is_obeyed_after_the_call_under_way(
        self, data: TrainingData, step: float, number: int, epoch: int, batch: int
    ) -> None:
        """It is asked for at each epoch's begin and after each call, and Stopped says how far the run came."""
        found = reports(CONFIG, data, stop=asked(number), step=step)
        assert isinstance(found[-1], Stopped)
        assert (found[-1].epoch, found[-1].batch) == (epoch, batch)
        assert sum(isinstance(report, Stopped) for report in found) == 1
        assert sum(isinstance(report, EpochReport) for report in found) == epoch

    def test_is_obeyed_between_two_batches_of_testing(self) -> None:
        """Many test images are tested in several calls, and a wish to stop does not wait for all of them."""
        config, data = many_test_images()
        found = reports(config, data, stop=asked(4))  # at the epoch's begin, after its two batches, now
        assert found[-2:] == [Progress(Phase.TESTING, 0, 1, 3), Stopped(0, 2)]

    @pytest.mark.parametrize(("epochs", "last"), [(1, EpochReport), (2, Stopped)])
    def test_that_comes_with_results(self, data: TrainingData, epochs: int, last: type) -> None:
        """With the last results it comes too late, the run is complete; after others no epoch begins."""
        wish, found = threading.Event(), []
        for report in train(CONFIG.model_copy(update={"epochs": epochs}), data, stop=wish.is_set, clock=ticking(SLOW)):
            found.append(report)
            if isinstance(report, EpochReport):
                wish.set()
        assert isinstance(found[-1], last)
        assert found.count(Stopped(1, 0)) == epochs - 1


class TestDivergence:
    def test_is_told_after_its_epoch(self, data: TrainingData) -> None:
        """A cost that is no number is reported with its epoch, and then the run fails with a sentence."""
        found: Iterator[Report] = train(DIVERGING, data, stop=never, clock=ticking(SLOW))
        told: list[Report] = []
        with pytest.raises(
            TrainingDiverged, match=r"^Training diverged in epoch \d, step \d: .* became (not a number|infinite)\. "
        ):
            told.extend(found)
        last = told[-1]
        assert isinstance(last, EpochReport)
        assert not (math.isfinite(last.train_cost) and math.isfinite(last.test_cost))


class TestLearning:
    @pytest.mark.parametrize("backprop", list(Backprop))
    def test_lifts_the_accuracy(self, data: TrainingData, backprop: Backprop) -> None:
        """Two kinds of images are told apart after some epochs, by either rule."""
        config = CONFIG.model_copy(update={"backprop": backprop, "width": 8, "epochs": 16})
        found = epochs(config, data, step=QUICK)
        assert found[0].test_accuracy < 0.7
        assert found[-1].test_accuracy > 0.95
        assert found[-1].train_cost < found[0].train_cost / 2


class TestNextCount:
    def test_doubles_where_calls_are_quick(self) -> None:
        """A call that was much too quick is followed by one twice as long, not by one of guessed length."""
        assert next_count(4, DISPATCH_S / 1000) == 8
        assert next_count(4, 0.0) == 8

    def test_falls_at_once_where_calls_are_slow(self) -> None:
        """A call that was ten times too long is followed by one of a tenth; one batch is the least."""
        assert next_count(40, 10 * DISPATCH_S) == 4
        assert next_count(1, 100 * DISPATCH_S) == 1

    def test_stays_where_calls_are_right(self) -> None:
        """A call of the wanted length is repeated."""
        assert next_count(7, DISPATCH_S) == 7
