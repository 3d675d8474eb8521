"""The epochs of a run, as a generator of reports."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from backend.contract import EpochReport, Phase, Progress, Report, Stopped, TrainConfig
from backend.errors import TrainingDiverged
from worker.trainer.dilation import dilation_lambda
from worker.trainer.networks import build
from worker.trainer.program import Program
from worker.trainer.state import Sums, TrainerState, TrainingData

DISPATCH_S = 0.4  # what a compiled call should last: a wish to stop waits for its end
PROGRESS_S = 1.0  # least time between two reports of progress

Clock = Callable[[], float]
Value = TypeVar("Value")


def train(
    config: TrainConfig, data: TrainingData, *, stop: Callable[[], bool], clock: Clock = time.monotonic
) -> Iterator[Report]:
    """Train a network from its first weights on, and tell how it goes.

    First comes Progress in phase COMPILING, then for each epoch some Progress and one EpochReport. Equal configurations
    and images give equal accuracies and costs to the last bit, on equal processors with equal `configure`.

    Args:
        config: of the run.
        data: its images, of the size that the network takes.
        stop: asked after every compiled call, which lasts one batch or about half a second, whichever is longer. Once
            it is true, Stopped is the last report, unless the run has just been completed.
        clock: seconds; only differences count.

    Raises:
        TrainingDiverged: a cost became infinite or not a number; the report of its epoch came before.
        ValueError: the images do not fill a batch, or are not of the network's size.
    """
    meter = _Meter(clock)
    yield from meter.report(Phase.COMPILING, 0, 0, len(data.train_images) // config.batch_size)
    network = build(config)
    program = Program(network, config, data)
    state = TrainerState.start(config, network.initial_weights(data.train_images.shape[1:], config.seed))
    program.prepare(state.learned)
    while state.epoch < config.epochs:
        if stop():
            yield Stopped(state.epoch, state.batch)
            return
        advance = partial(
            program.train, order=program.order(state.epoch), dilation=dilation_lambda(config, state.epoch)
        )
        for learned, batches, seconds in _dispatches(advance, state.learned, state.batch, program.train_batches, clock):
            state = state.after(learned, batches, seconds)
            speed = _per_second(batches * config.batch_size, state.seconds)
            yield from meter.report(Phase.TRAINING, state.epoch, batches, program.train_batches, speed)
            if stop():
                yield Stopped(state.epoch, state.batch)
                return
        test, test_seconds = Sums.zero(), 0.0
        measure = partial(program.evaluate, weights=state.learned.weights)
        for sums, batches, seconds in _dispatches(measure, test, 0, program.test_batches, clock):
            test, test_seconds = sums, test_seconds + seconds
            yield from meter.report(Phase.TESTING, state.epoch, batches, program.test_batches)
            if batches < program.test_batches and stop():
                yield Stopped(state.epoch, state.batch)
                return
        report = _epoch_report(config, state, test, len(data.test_images), test_seconds)
        yield report
        _refuse_divergence(report)
        state = state.next_epoch()


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


class _Meter:
    """Progress, but not too often."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_at = -math.inf

    def report(
        self, phase: Phase, epoch: int, batch: int, batches: int, images_per_second: float | None = None
    ) -> Iterator[Progress]:
        """One report, or none where the last one was less than a second ago."""
        now = self._clock()
        if now >= self._next_at:
            self._next_at = now + PROGRESS_S
            yield Progress(phase, epoch, batch, batches, images_per_second)


def _epoch_report(
    config: TrainConfig, state: TrainerState, test: Sums, test_images: int, test_seconds: float
) -> EpochReport:
    train, train_images = state.learned.sums, state.batch * config.batch_size
    return EpochReport(
        epoch=state.epoch,
        train_accuracy=int(train.correct) / train_images,
        train_cost=float(train.cost) / train_images,
        test_accuracy=int(test.correct) / test_images,
        test_cost=float(test.cost) / test_images,
        epoch_seconds=state.seconds + test_seconds,
        images_per_second=_per_second(train_images, state.seconds),
        dilation_lambda=dilation_lambda(config, state.epoch),
    )


def _per_second(images: int, seconds: float) -> float:
    return images / seconds if seconds > 0 else 0.0


def _refuse_divergence(report: EpochReport) -> None:
    for name, cost in (("training", report.train_cost), ("test", report.test_cost)):
        if not math.isfinite(cost):
            raise TrainingDiverged(
                f"The {name} cost of epoch {report.epoch} is {cost}: training diverged. "
                "Try a smaller learning_rate, or a preprocessing with smaller pixel values."
            )
