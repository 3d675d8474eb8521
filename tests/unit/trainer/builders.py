"""Tiny runs that tests begin with."""

from collections.abc import Sequence

import numpy as np

from backend.contract import TrainConfig
from worker.trainer import TrainerState, TrainingData
from worker.trainer.networks import build
from worker.trainer.program import Program
from worker.trainer.state import Learned, Sums

BATCH = 8
BATCHES = 5
TRAIN_IMAGES = 44  # four do not fill a batch
TEST_IMAGES = 21
CONFIG = TrainConfig(width=2, batch_size=BATCH, epochs=2, epsilon=4, learning_rate=1e-2, audit_every=0)


def images_and_labels(train_images: int = TRAIN_IMAGES, test_images: int = TEST_IMAGES) -> TrainingData:
    """Grey noise of two classes, with and without bright stripes; whole numbers from 0 to 255."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, train_images + test_images).astype(np.int32)
    stripes = np.outer(np.arange(32) // 2 % 2, np.full(32, 190))
    noise = generator.integers(0, 60, (len(labels), 32, 32, 1))
    images = (noise + np.multiply.outer(labels, stripes[..., np.newaxis])).astype(np.float32)
    return TrainingData(images[:train_images], labels[:train_images], images[train_images:], labels[train_images:])


def many_test_images() -> tuple[TrainConfig, TrainingData]:
    """A run of two batches an epoch, whose width lets a call test 64 images only: 130 take three calls."""
    return TrainConfig(width=64, batch_size=1, epochs=1, audit_every=0), images_and_labels(2, 130)


def start(config: TrainConfig) -> Learned:
    """A run on grey images before its first batch."""
    return TrainerState.start(config, build(config).initial_weights((32, 32, 1), config.seed)).learned


def sums_by_epoch(config: TrainConfig, data: TrainingData, weights: Sequence[float | None]) -> list[tuple[Sums, Sums]]:
    """What training and testing add up in each epoch, given the epochs' weights of the skipping gradient."""
    program, learned, found = Program(build(config), config, data), start(config), []
    for epoch, weight in enumerate(weights):
        learned = learned._replace(sums=Sums.zero())
        learned = program.train(learned, 0, program.train_batches, order=program.order(epoch), dilation=weight).learned
        tested = program.evaluate(Sums.zero(), 0, program.test_batches, weights=learned.weights)
        found.append((learned.sums, tested))
    return found
