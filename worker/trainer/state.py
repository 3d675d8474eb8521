"""Everything that a training run is between two batches. What is not in here is not remembered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import TrainConfig
from worker.trainer.optimizers import OptimizerState, optimizer_start
from worker.trainer.tensors import Tensor


@dataclass(frozen=True)
class TrainingData:
    """The images of a run, resized and preprocessed."""

    train_images: NDArray[np.generic]  # [images, height, width, channels], float32 or uint8
    train_labels: NDArray[np.int32]  # [images], 0 to 9
    test_images: NDArray[np.generic]  # [images, height, width, channels]
    test_labels: NDArray[np.int32]  # [images]
    # Preprocessed test images [images, height, width, channels] back in pixel values, 0 to 255; None: can't be told.
    to_pixels: Callable[[NDArray[np.generic]], NDArray[np.floating]] | None = None


class Sums(NamedTuple):
    """What a pass over images has added up."""

    cost: Tensor  # [] float64, in nats
    correct: Tensor  # [] int64, images that were classified rightly

    @classmethod
    def zero(cls) -> "Sums":
        """The sums before the first image."""
        return cls(tf.constant(0.0, tf.float64), tf.constant(0, tf.int64))


class Learned(NamedTuple):
    """What a training step takes and gives back."""

    weights: tuple[Tensor, ...]
    optimizer: OptimizerState
    sums: Sums  # over this epoch's images so far, each measured before its update


@dataclass(frozen=True)
class TrainerState:
    """A training run between two batches: saved and restored, it goes on with the same bits."""

    learned: Learned
    epoch: int = 0  # 0-based
    batch: int = 0  # batches done in this epoch
    seconds: float = 0.0  # spent on them

    @classmethod
    def start(cls, config: TrainConfig, weights: tuple[Tensor, ...]) -> "TrainerState":
        """A run before its first batch."""
        return cls(Learned(weights, optimizer_start(config.optimizer, weights), Sums.zero()))

    def after(self, learned: Learned, batch: int, seconds: float) -> "TrainerState":
        """Later in the same epoch: when `batch` batches are done, the newest of them in so many seconds."""
        return TrainerState(learned, self.epoch, batch, self.seconds + seconds)

    def next_epoch(self) -> "TrainerState":
        """Before the first batch of the epoch that follows."""
        return TrainerState(self.learned._replace(sums=Sums.zero()), self.epoch + 1)
