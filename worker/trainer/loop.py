"""The loop over epochs: a generator of reports. Whoever drains it stores them and decides when to stop."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from backend.contract import EpochReport, Phase, Progress, Report, Stopped, TrainConfig
from backend.errors import TrainingDiverged
from worker.trainer.dilation import dilation_weight
from worker.trainer.step import TrainerState, evaluate_batch, initial_state, train_step

DISPATCH_S = 0.4  # length at which one call of the compiled loop aims; a wish to stop waits no longer than that
PROGRESS_S = 1.0
TEST_BATCH = 250  # images

Clock = Callable[[], float]


@dataclass(frozen=True)
class TrainingData:
    """Images as the network takes them, [images, 32, 32, channels] float32, and labels, [images] int32."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The order of the training images in an epoch, a permutation of [images] that depends on seed and epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)


def train(
    config: TrainConfig, data: TrainingData, *, stop: Callable[[], bool], clock: Clock = time.monotonic
) -> Iterator[Report]:
    """Train from the seed's first weights to the last epoch.

    Args:
        config: what to train.
        data: stays in TensorFlow's memory while training.
        stop: asked several times a second; once it is true, `Stopped` is the last report.
        clock: seconds, for tests.

    Yields:
        Progress once a second or once a batch, whichever is longer, and an EpochReport after each epoch.

    Raises:
        TrainingDiverged: a cost is infinite or not a number; the epoch has been reported.
        ValueError: fewer training images than a batch.
    """
    batches = len(data.train_labels) // config.batch_size
    if batches == 0:
        raise ValueError(f"batch_size is {config.batch_size}, but there are {len(data.train_labels)} training images.")
    yield Progress(Phase.COMPILING, 0, 0, batches)
    programs = _Programs(config, data)
    state = initial_state(config, data.train_images.shape[-1])
    reporter = _Reporter(clock)
    for epoch in range(config.epochs):
        started, weight = clock(), dilation_weight(config, epoch)
        state = with_no_sums(state)
        order = tf.constant(epoch_order(config.seed, epoch, len(data.train_labels)))
        done = 0
        for after, done in programs.train(state, order, batches, weight, clock):
            state = after
            if stop():
                yield Stopped(epoch, done)
                return
            rate = done * config.batch_size / max(clock() - started, 1e-9)
            yield from reporter.due(Progress(Phase.TRAINING, epoch, done, batches, rate))
        trained = clock()
        test_cost_sum, test_correct, test_batches = 0.0, 0, math.ceil(len(data.test_labels) / TEST_BATCH)
        for number, (cost, correct) in enumerate(programs.test(state), start=1):
            if stop():
                yield Stopped(epoch, done)
                return
            test_cost_sum, test_correct = test_cost_sum + cost, test_correct + correct
            yield from reporter.due(Progress(Phase.TESTING, epoch, number, test_batches))
        images = batches * config.batch_size
        report = EpochReport(
            epoch=epoch,
            train_accuracy=int(state.correct) / images,
            train_cost=float(state.cost_sum) / images,
            test_accuracy=test_correct / len(data.test_labels),
            test_cost=test_cost_sum / len(data.test_labels),
            epoch_seconds=clock() - started,
            images_per_second=images / max(trained - started, 1e-9),
            dilation_lambda=weight,
        )
        yield report
        _check_finite(report)


def _check_finite(report: EpochReport) -> None:
    for name, cost in (("train", report.train_cost), ("test", report.test_cost)):
        if not math.isfinite(cost):
            raise TrainingDiverged(
                f"The {name} cost became {cost} in epoch {report.epoch}: the weights have diverged. "
                "Try a smaller learning rate or epsilon."
            )


class _Reporter:
    """Lets through what is due: at most one report a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock()

    def due(self, progress: Progress) -> Iterator[Progress]:
        now = self._clock()
        if now - self._last >= PROGRESS_S:
            self._last = now
            yield progress


class _Programs:
    """The compiled training loop and test pass over data in TensorFlow's memory."""

    def __init__(self, config: TrainConfig, data: TrainingData) -> None:
        self._config = config
        self._train_images = tf.constant(data.train_images, tf.float32)
        self._train_labels = tf.constant(data.train_labels, tf.int32)
        self._test_images = tf.constant(data.test_images, tf.float32)
        self._test_labels = tf.constant(data.test_labels, tf.int32)
        self._steps_per_dispatch = 1

    def train(
        self, state: TrainerState, order: tf.Tensor, batches: int, weight: float | None, clock: Clock
    ) -> Generator[tuple[TrainerState, int]]:
        """The state after each dispatch of some steps, and how many batches of the epoch are done by then."""
        dilation = tf.constant(0.0 if weight is None else weight, tf.float32)
        done = 0
        while done < batches:
            steps = min(self._steps_per_dispatch, batches - done)
            began = clock()
            state = self._train_steps(state, order, tf.constant(done), tf.constant(steps), dilation)
            done += steps
            # Asking for a number waits for the dispatch, without which its time would be that of its queueing.
            int(state.correct)
            self._adapt(steps, clock() - began)
            yield state, done

    def test(self, state: TrainerState) -> Iterator[tuple[float, int]]:
        """The sum of costs and the hits of one batch of test images after the other; each image counts once."""
        for first in range(0, len(self._test_labels), TEST_BATCH):
            cost, correct = self._test_some(state.weights, tf.constant(first))
            yield float(cost), int(correct)

    def _adapt(self, steps: int, seconds: float) -> None:
        # At most twice as many as last time: the first dispatch also compiles, and the machine may be busy.
        wanted = int(DISPATCH_S / max(seconds / steps, 1e-9))
        self._steps_per_dispatch = max(1, min(wanted, 2 * steps))

    @tf.function  # type: ignore[untyped-decorator]
    def _train_steps(
        self, state: TrainerState, order: tf.Tensor, first: tf.Tensor, steps: tf.Tensor, dilation: tf.Tensor
    ) -> TrainerState:
        size = self._config.batch_size
        is_dilated = dilation_weight(self._config, 0) is not None

        def step(number: tf.Tensor, *flat: tf.Tensor) -> tuple[tf.Tensor, ...]:
            chosen = order[number * size : (number + 1) * size]
            images, labels = tf.gather(self._train_images, chosen), tf.gather(self._train_labels, chosen)
            images = tf.ensure_shape(images, [size, *self._train_images.shape[1:]])
            before = tf.nest.pack_sequence_as(state, flat)
            after = train_step(self._config, before, images, labels, dilation if is_dilated else None)
            return number + 1, *tf.nest.flatten(after)

        last = first + steps
        _, *flat = tf.while_loop(
            lambda number, *_: number < last, step, (first, *tf.nest.flatten(state)), parallel_iterations=1
        )
        after: TrainerState = tf.nest.pack_sequence_as(state, flat)
        return after

    @tf.function  # type: ignore[untyped-decorator]
    def _test_some(self, weights: list[tf.Tensor], first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return evaluate_batch(
            weights, self._test_images[first : first + TEST_BATCH], self._test_labels[first : first + TEST_BATCH]
        )
