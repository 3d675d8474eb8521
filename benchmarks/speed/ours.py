"""This trainer, as a run uses it: the compiled loop over batches. Beside it the machine's rate of matrix products."""

import argparse
from functools import partial

import numpy as np

from worker import trainer  # isort: skip - before TensorFlow, whose environment it sets

import tensorflow as tf

from backend.contract import Network, Precision, TrainConfig
from benchmarks.speed.cases import BATCHES, BETA1, BETA2, LEARNING_RATE, Case, Floats, runs
from benchmarks.speed.serve import Maker, serve
from worker.trainer import TrainerState, TrainingData
from worker.trainer.networks import build
from worker.trainer.program import Program

MATRIX = 2048  # rows and columns of the product that measures the machine


class Ours:
    """A program of this trainer.

    Args:
        case: what is trained.
        precision: of both passes.
        sign_pass: of the first pass, where it is another.
    """

    def __init__(self, case: Case, precision: Precision, sign_pass: Precision | None = None) -> None:
        config = TrainConfig(
            network=Network(case.network),
            width=case.width,
            batch_size=case.batch,
            epsilon=case.epsilon,
            learning_rate=LEARNING_RATE,
            beta1=BETA1,
            beta2=BETA2,
            precision=precision,
            sign_pass_precision=sign_pass,
        )
        images, labels = case.images(), case.labels()
        data = TrainingData(images, labels, images[: case.batch], labels[: case.batch])
        self._program = Program(build(config), config, data)
        self._order = tf.range(len(images), dtype=tf.int32)
        self._learned = TrainerState.start(config, tuple(tf.constant(w) for w in case.weights())).learned
        self._next = 0

    def steps(self, count: int) -> None:
        """Train for some batches more."""
        for first, batches in runs(count, self._next):
            self._learned = self._program.train(self._learned, first, batches, order=self._order, dilation=None).learned
        self._next = (self._next + count) % BATCHES

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Weights and means."""
        return [np.asarray(w) for w in self._learned.weights], [np.asarray(m) for m in self._learned.optimizer.mean]


class MatrixProducts:
    """Products of two square matrices: a step of it is one product, 2 * 2048^3 operations."""

    def __init__(self, _case: Case, dtype: tf.DType) -> None:
        numbers = np.random.default_rng(0).normal(size=(2, MATRIX, MATRIX))
        self._a, self._b = tf.cast(tf.constant(numbers[0]), dtype), tf.cast(tf.constant(numbers[1]), dtype)

    def steps(self, count: int) -> None:
        """Compute some products."""
        for _ in range(count):
            product = tf.matmul(self._a, self._b)
        product[0, 0].numpy()

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Nothing."""
        return [], []


MAKERS: dict[str, Maker] = {
    "ours": partial(Ours, precision=Precision.FLOAT32),
    "ours, bfloat16 sign pass": partial(Ours, precision=Precision.FLOAT32, sign_pass=Precision.BFLOAT16),
    "ours, bfloat16": partial(Ours, precision=Precision.BFLOAT16),
    "matrix product": partial(MatrixProducts, dtype=tf.float32),
    "matrix product, bfloat16": partial(MatrixProducts, dtype=tf.bfloat16),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    trainer.configure(parser.parse_args().threads)
    serve(trainer.environment(), MAKERS)
