"""The same step with `tf.GradientTape`: as it is written first, and as well as it can be.

Also the process that holds these and Keras. TensorFlow has its own defaults there, but for the number of threads.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

import numpy as np
import tensorflow as tf

from backend.contract import Optimizer, TrainConfig
from benchmarks.speed.cases import (
    ALPHA,
    BATCHES,
    BETA1,
    BETA2,
    CLASSES,
    LEARNING_RATE,
    POOLED,
    STABILIZER,
    Case,
    Floats,
    runs,
)
from benchmarks.speed.serve import serve
from worker.trainer.layers.average_pool import average_pool_backward, average_pool_forward
from worker.trainer.layers.convolution import conv2d_backward_filter, conv2d_backward_input, conv2d_forward
from worker.trainer.optimizers import OptimizerState, optimizer_start, optimizer_update
from worker.trainer.tensors import Tensor


def celu(z: Tensor) -> Tensor:
    """CELU as its paper writes it."""
    # Without the minimum the side not taken overflows, and its gradient is 0 times infinity.
    return tf.where(z >= 0, z, ALPHA * (tf.exp(tf.minimum(z, 0.0) / ALPHA) - 1))


def conv7(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """The article's network, from its formulas: the logits."""
    for w, pooled in zip(weights, POOLED, strict=True):
        x = celu(tf.nn.conv2d(tf.nn.avg_pool2d(x, 2, 2, "VALID") if pooled else x, w, 1, "SAME"))
    return tf.reshape(x, [-1, CLASSES])


def mlp(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """The paper's network: the logits."""
    x = tf.reshape(x, [x.shape[0], -1])
    for k in (0, 2):
        x = tf.nn.relu(tf.matmul(x, weights[k]) + weights[k + 1])
    return tf.matmul(x, weights[4]) + weights[5]


class ObviousTape:
    """A compiled step that is called batch by batch; variables, and a tape that watches them in both passes."""

    def __init__(self, case: Case) -> None:
        self._case, self._images, self._labels, self._next = case, case.images(), case.labels(), 0
        weights = case.weights()
        self._weights = [tf.Variable(tf.constant(w)) for w in weights]
        self._mean, self._square, self._largest = ([tf.Variable(tf.zeros(w.shape)) for w in weights] for _ in range(3))
        self._network = conv7 if case.network == "conv7" else mlp
        self._step = tf.function(self._one_step)

    def _one_step(self, x: Tensor, labels: Tensor) -> Tensor:
        if self._case.epsilon:
            with tf.GradientTape() as tape:
                tape.watch(x)
                cost = self._cost(x, labels)
            dx: Tensor = tape.gradient(cost, x)
            x += self._case.epsilon * tf.sign(dx)
        with tf.GradientTape() as tape:
            tape.watch(x)
            cost = self._cost(x, labels)
        gradients: list[Tensor] = tape.gradient(cost, self._weights)
        states = zip(self._weights, self._mean, self._square, self._largest, gradients, strict=True)
        for w, mean, square, largest, g in states:
            mean.assign(BETA1 * mean + (1 - BETA1) * g)
            square.assign(BETA2 * square + (1 - BETA2) * g**2)
            largest.assign(tf.maximum(largest, square))
            w.assign_sub(LEARNING_RATE * mean / (tf.sqrt(largest) + STABILIZER))
        return cost

    def _cost(self, x: Tensor, labels: Tensor) -> Tensor:
        logits = self._network(self._weights, x)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    def steps(self, count: int) -> None:
        """Train for some batches more."""
        size = self._case.batch
        for _ in range(count):
            chosen = slice(self._next * size, (self._next + 1) * size)
            cost = self._step(tf.constant(self._images[chosen]), tf.constant(self._labels[chosen]))
            self._next = (self._next + 1) % BATCHES
        cost.numpy()

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Weights and means."""
        return [w.numpy() for w in self._weights], [m.numpy() for m in self._mean]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def convolution(x: Tensor, w: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """A convolution with this trainer's derivatives; TensorFlow leaves out the one that nobody reads."""
    return conv2d_forward(x, w), lambda dz: (conv2d_backward_input(dz, x, w), conv2d_backward_filter(dz, x, w))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def average_pool(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """An average pool with this trainer's derivative."""
    return average_pool_forward(x), average_pool_backward


def scaled_conv7(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """The article's network over ALPHA, with ELU: the logits."""
    x = x / ALPHA
    for w, pooled in zip(weights, POOLED, strict=True):
        x = tf.nn.elu(convolution(average_pool(x) if pooled else x, w))
    return tf.reshape(ALPHA * x, [-1, CLASSES])


class BestTape:
    """A compiled loop over batches; the first tape watches the images alone, the second one the weights alone."""

    def __init__(self, case: Case) -> None:
        self._case, self._images, self._labels = case, tf.constant(case.images()), tf.constant(case.labels())
        self._next = 0
        self._config = TrainConfig(epsilon=case.epsilon, learning_rate=LEARNING_RATE, beta1=BETA1, beta2=BETA2)
        self._weights = tuple(tf.constant(w) for w in case.weights())
        self._optimizer = optimizer_start(Optimizer.AMSGRAD, self._weights)
        self._network = scaled_conv7 if case.network == "conv7" else mlp
        self._loop = tf.function(self._some_steps, autograph=False)

    def _some_steps(self, weights: Tensor, optimizer: OptimizerState, first: Tensor, batches: Tensor) -> Any:
        def body(batch: Tensor, weights: Tensor, optimizer: OptimizerState) -> Any:
            chosen = tf.range(batch * self._case.batch, (batch + 1) * self._case.batch)
            x, labels = tf.gather(self._images, chosen), tf.gather(self._labels, chosen)
            return batch + 1, *self._one_step(weights, optimizer, tf.ensure_shape(x, self._shape()), labels)

        return tf.while_loop(lambda batch, *_: batch < first + batches, body, (first, weights, optimizer))[1:]

    def _one_step(self, weights: Tensor, optimizer: OptimizerState, x: Tensor, labels: Tensor) -> Any:
        if self._case.epsilon:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                cost = self._cost(weights, x, labels)
            dx: Tensor = tape.gradient(cost, x)
            x += self._case.epsilon * tf.sign(dx)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            cost = self._cost(weights, x, labels)
        gradients: Tensor = tape.gradient(cost, weights)
        return optimizer_update(self._config, weights, gradients, optimizer)

    def _cost(self, weights: Sequence[Tensor], x: Tensor, labels: Tensor) -> Tensor:
        logits = self._network(weights, x)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    def _shape(self) -> list[int]:
        return [self._case.batch, self._case.side, self._case.side, 1]

    def steps(self, count: int) -> None:
        """Train for some batches more."""
        for first, batches in runs(count, self._next):
            arguments = (self._weights, self._optimizer, tf.constant(first), tf.constant(batches))
            self._weights, self._optimizer = self._loop(*arguments)
        self._weights[0].numpy()
        self._next = (self._next + count) % BATCHES

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Weights and means."""
        return [np.asarray(w) for w in self._weights], [np.asarray(m) for m in self._optimizer.mean]


if __name__ == "__main__":
    from benchmarks.speed.keras_fit import KerasFit

    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    tf.config.threading.set_intra_op_parallelism_threads(parser.parse_args().threads)
    environment = {"tensorflow": tf.__version__, "keras": tf.keras.__version__}
    serve(environment, {"obvious tape": ObviousTape, "best tape": BestTape, "Keras fit": KerasFit})
