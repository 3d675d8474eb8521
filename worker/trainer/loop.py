"""The epochs of a run, as a generator of reports."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from backend.contract import BatchResults, EpochReport, Measurements, Phase, Progress, Report, Stopped, TrainConfig
from backend.errors import TrainingDiverged
from worker.trainer.autopsy import examine
from worker.trainer.checkpoint import state_hash
from worker.trainer.dilation import dilation_lambda
from worker.trainer.measuring import Measuring
from worker.trainer.networks import build
from worker.trainer.parallel import devices_for
from worker.trainer.program import Program, Trained
from worker.trainer.state import Learned, Sums, TrainerState, TrainingData

DISPATCH_S = 0.4  # what a compiled call should last: a wish to stop waits for its end
PROGRESS_S = 1.0  # least time between two reports of progress, but for that of the first batch

Clock = Callable[[], float]
Value = TypeVar("Value")


def train(
    config: TrainConfig,
    data: TrainingData,
    *,
    stop: Callable[[], bool],
    start: TrainerState | None = None,
    clock: Clock = time.monotonic,
) -> Iterator[Report]:
    """Train a network and tell how it goes: the reports of a `Training`, for who needs nothing else of it."""
    return Training(config, data, start=start, clock=clock).reports(stop)


class Training:
    """The training of a run. `state` is where it is: after an EpochReport before the next epoch, after Stopped there.

    Equal configurations and images give equal states, accuracies and costs to the last bit, on equal processors with
    equal `configure`; also where a training goes on from the state of another.

    Args:
        config: of the run.
        data: its images, of the size that the network takes.
        start: where to begin; None: before the first batch, with weights by the configuration's seed.
        first_epoch: with which the run begins, 0-based: not 0 where it branched off from another.
        clock: seconds; only differences count.

    Raises:
        ValueError: the images do not fill a batch, or are not of the network's size.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        *,
        start: TrainerState | None = None,
        first_epoch: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._config = config
        self._first_epoch = first_epoch
        self._data = data
        self._clock = clock
        self._network = build(config)
        self._measuring = Measuring(self._network, config, data)
        self._meter = _Meter(clock)
        self._untold = _Untold()
        self._batches = len(data.train_images) // config.batch_size
        self.state = start or first_state(config, data)

    def reports(self, stop: Callable[[], bool]) -> Iterator[Report]:
        """Train, and tell.

        First comes Progress in phase COMPILING, then Measurements of the run's first state where they are due, then for
        each epoch some Progress and one EpochReport.

        Args:
            stop: asked after every compiled call, which lasts one batch or about half a second, whichever is longer.
                Once it is true, Stopped is the last report, unless the run has just been completed. Where that comes
                in the midst of testing or measuring, the state stays at the epoch's end, and both are done again.

        Raises:
            RunFailure: the run asks for more devices than there are.
            TrainingDiverged: something became infinite or not a number. The report of its epoch came before, where
                that shows it; a wish to stop that comes after it changes nothing.
        """
        try:
            for report in self._reports(stop):
                yield report if isinstance(report, Measurements) else replace(report, results=self._untold.take())
        except TrainingDiverged:
            if results := self._untold.take():
                yield Progress(Phase.TRAINING, self.state.epoch, self.state.batch, self._batches, results=results)
            raise

    def _reports(self, stop: Callable[[], bool]) -> Iterator[Report]:
        yield from self._meter.report(Phase.COMPILING, self.state.epoch, self.state.batch, self._batches)
        program = Program(self._network, self._config, self._data, devices_for(self._config))
        program.prepare(self.state.learned)
        if (self.state.epoch, self.state.batch) == (self._first_epoch, 0):
            measured = yield from self._measure(program, stop, first=True)
            if measured is not None:
                yield measured
            if isinstance(measured, Stopped):
                return
        while self.state.epoch < self._config.epochs:
            if stop():
                yield Stopped(self.state.epoch, self.state.batch)
                return
            end = yield from self._train_epoch(program, stop)
            tested = None if isinstance(end, Stopped) else (yield from self._test(program, stop))
            report = None if tested is None else self._epoch_report(*tested)
            _refuse_hidden_divergence(end, report)
            if report is None:
                yield Stopped(self.state.epoch, self.state.batch)
                return
            if _is_finite(report):
                measured = yield from self._measure(program, stop)
                if isinstance(measured, Stopped):
                    yield measured
                    return
                report = replace(report, measured=measured)
            self.state = self.state.next_epoch()
            yield report
            if isinstance(end, TrainingDiverged):
                raise end
            _refuse_divergence(report)

    def _train_epoch(
        self, program: Program, stop: Callable[[], bool]
    ) -> Generator[Progress, None, TrainingDiverged | Stopped | None]:
        """Advance the state to the epoch's end, to a wish to stop, or to where something is not finite.

        Returns:
            Why it is not at the epoch's end, or None.
        """
        config, state = self._config, self.state
        weight, order = dilation_lambda(config, state.epoch), program.order(state.epoch)
        before = state

        def advance(learned: Learned, first: int, count: int) -> Learned:
            trained = program.train(learned, first, count, order=order, dilation=weight)
            self._untold.add(state.epoch * program.train_batches + first, trained)
            return trained.learned

        for learned, batches, seconds in _dispatches(
            advance, state.learned, state.batch, program.train_batches, self._clock
        ):
            self.state = self.state.after(learned, batches, seconds)
            if not program.is_finite(learned):
                return examine(self._network, config, self._data, program, before, batches, order, weight)
            speed = _per_second(batches * config.batch_size, self.state.seconds)
            yield from self._meter.report(Phase.TRAINING, self.state.epoch, batches, program.train_batches, speed)
            if stop():
                return Stopped(self.state.epoch, self.state.batch)
            before = self.state
        return None

    def _test(self, program: Program, stop: Callable[[], bool]) -> Generator[Progress, None, tuple[Sums, float] | None]:
        """Measure the weights on the test images.

        Returns:
            The sums and the seconds that they took; None where a wish to stop came before the last of them.
        """
        test, test_seconds = Sums.zero(), 0.0
        measure = partial(program.evaluate, weights=self.state.learned.weights)
        for sums, batches, seconds in _dispatches(measure, test, 0, program.test_batches, self._clock):
            test, test_seconds = sums, test_seconds + seconds
            yield from self._meter.report(Phase.TESTING, self.state.epoch, batches, program.test_batches)
            if batches < program.test_batches and stop():
                return None
        return test, test_seconds

    def _measure(
        self, program: Program, stop: Callable[[], bool], *, first: bool = False
    ) -> Generator[Progress, None, Measurements | Stopped | None]:
        """Measure on the side what is due: at the run's first state, or else at the end of this epoch.

        Returns:
            What was measured; Stopped where a wish to stop came before the last of it; None where nothing was due.
        """
        state, seconds = self.state, 0.0
        if not program.is_finite(state.learned):
            return None
        epochs_done = state.epoch if first else state.epoch + 1
        weight = dilation_lambda(self._config, epochs_done)
        pieces = self._measuring.measure(state.learned, epochs_done, weight, first=first)
        while True:
            begin = self._clock()
            try:
                done, count = next(pieces)
            except StopIteration as end:
                found: Measurements | None = end.value
                return found and replace(found, seconds=seconds + self._clock() - begin)
            seconds += self._clock() - begin
            yield from self._meter.report(Phase.MEASURING, state.epoch, done, count, trained=not first)
            if done < count and stop():
                return Stopped(state.epoch, state.batch)

    def _epoch_report(self, test: Sums, test_seconds: float) -> EpochReport:
        state, config = self.state, self._config
        train, train_images = state.learned.sums, state.batch * config.batch_size
        test_images = len(self._data.test_images)
        return EpochReport(
            epoch=state.epoch,
            train_accuracy=int(train.correct) / train_images,
            train_cost=float(train.cost) / train_images,
            test_accuracy=int(test.correct) / test_images,
            test_cost=float(test.cost) / test_images,
            epoch_seconds=state.seconds + test_seconds,
            images_per_second=_per_second(train_images, state.seconds),
            dilation_lambda=dilation_lambda(config, state.epoch),
            state_hash=state_hash(state.learned),
        )


def first_state(config: TrainConfig, data: TrainingData) -> TrainerState:
    """Where a training begins: before the first batch, with the weights of the configuration's seed."""
    weights = build(config).initial_weights(data.train_images.shape[1:], config.seed)
    return TrainerState.start(config, weights)


def _dispatches(
    advance: Callable[[Value, int, int], Value], value: Value, done: int, batches: int, clock: Clock
) -> Iterator[tuple[Value, int, float]]:
    """Advance by more and more batches a call, until all are done.

    Yields:
        After each call the new value, the batches done in all, and the seconds that the call took.
    """
    count = 1
    while done < batches:
        count = min(count, batches - done)
        begin = clock()
        value = advance(value, done, count)
        seconds = clock() - begin
        done += count
        yield value, done, seconds
        count = next_count(count, seconds)


def next_count(count: int, seconds: float) -> int:
    """How many batches the next compiled call takes, after `count` of them took some seconds.

    At most twice as many, so that one call that was quick by chance does not make the next one long.
    """
    wanted = count * DISPATCH_S / seconds if seconds > 0 else math.inf
    return max(1, int(min(2 * count, wanted)))


class _Untold:
    """What came of the batches since the last report."""

    def __init__(self) -> None:
        self._first = 0
        self._pieces: list[Trained] = []

    def add(self, first: int, trained: Trained) -> None:
        """Some batches more, from number `first` of the run's on."""
        if not self._pieces:
            self._first = first
        self._pieces.append(trained)

    def take(self) -> BatchResults | None:
        """All of it, which is told now."""
        if not self._pieces:
            return None
        costs, accuracies = (
            np.concatenate([getattr(piece, name) for piece in self._pieces]).astype("<f4").tobytes()
            for name in ("costs", "accuracies")
        )
        self._pieces = []
        return BatchResults(self._first, costs, accuracies)


class _Meter:
    """Progress, but not too often; the first batch is told at once, for a reader waits for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_at = -math.inf
        self._has_trained = False

    def report(
        self,
        phase: Phase,
        epoch: int,
        batch: int,
        batches: int,
        images_per_second: float | None = None,
        *,
        trained: bool = False,
    ) -> Iterator[Progress]:
        """One report, or none where the last one was less than a second ago."""
        now = self._clock()
        is_first_batch = phase is Phase.TRAINING and not self._has_trained
        if now >= self._next_at or is_first_batch:
            self._has_trained |= is_first_batch
            self._next_at = now + PROGRESS_S
            yield Progress(phase, epoch, batch, batches, images_per_second, trained=trained)


def _per_second(images: int, seconds: float) -> float:
    return images / seconds if seconds > 0 else 0.0


def _is_finite(report: EpochReport) -> bool:
    return math.isfinite(report.train_cost) and math.isfinite(report.test_cost)


def _refuse_hidden_divergence(end: TrainingDiverged | Stopped | None, report: EpochReport | None) -> None:
    """An epoch that was cut off is none where its figures are finite, as after an overflow in the optimizer alone.

    It would be stored like any other, its state kept in a good one's place, and a last one would finish the run.
    """
    if isinstance(end, TrainingDiverged) and (report is None or _is_finite(report)):
        raise end


def _refuse_divergence(report: EpochReport) -> None:
    """Costs of finite weights may still overflow, on test images above all."""
    for name, cost in (("training", report.train_cost), ("test", report.test_cost)):
        if not math.isfinite(cost):
            raise TrainingDiverged(
                f"The {name} cost of epoch {report.epoch} is {cost}: training diverged. "
                "Try a smaller learning_rate, or a preprocessing with smaller pixel values."
            )
