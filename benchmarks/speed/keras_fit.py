"""The same step as a Keras user writes it: a model, an optimizer, `train_step` overridden, and `fit`."""

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed.cases import (
    ALPHA,
    BATCHES,
    BETA1,
    BETA2,
    CLASSES,
    KERNELS,
    LEARNING_RATE,
    POOLED,
    STABILIZER,
    Case,
    Floats,
)
from worker.trainer.tensors import Tensor

CALL_STEPS = 10  # in one compiled call, where that many are asked for


class AmsGrad(keras.optimizers.Optimizer):  # type: ignore[misc]
    """AMSGrad as its paper has it, without bias correction: Keras's own corrects it."""

    def build(self, variables: Sequence[Any]) -> None:
        """Make the state."""
        super().build(variables)
        self.means, self.squares, self.largest = (
            self.add_optimizer_variables(variables, name) for name in ("mean", "square", "largest")
        )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Update one variable."""
        k = self._get_variable_index(variable)
        mean, square, largest = self.means[k], self.squares[k], self.largest[k]
        mean.assign(BETA1 * mean + (1 - BETA1) * gradient)
        square.assign(BETA2 * square + (1 - BETA2) * keras.ops.square(gradient))
        largest.assign(keras.ops.maximum(largest, square))
        variable.assign_sub(learning_rate * mean / (keras.ops.sqrt(largest) + STABILIZER))


class AdversarialModel(keras.Sequential):  # type: ignore[misc]
    """A model that is trained on adversarial images."""

    epsilon = 0.0

    def train_step(self, data: Any) -> Any:
        """One step on a batch."""
        x, labels = data
        if self.epsilon:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                cost = self.compute_loss(x, labels, self(x, training=True))
            x += self.epsilon * tf.sign(tape.gradient(cost, x))
        with tf.GradientTape() as tape:
            cost = self.compute_loss(x, labels, self(x, training=True))
        gradients = tape.gradient(cost, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        return {"loss": cost}


class _Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]
    """The seconds of an epoch, without what `fit` does once a call."""

    seconds = 0.0

    def on_epoch_begin(self, _epoch: int, _logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, _epoch: int, _logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self._began


class KerasFit:
    """`fit` for an epoch of as many steps as asked for."""

    def __init__(self, case: Case) -> None:
        self._model = AdversarialModel(_conv7(case) if case.network == "conv7" else _mlp(case))
        self._model.epsilon = case.epsilon
        self._model.compile(
            optimizer=AmsGrad(learning_rate=LEARNING_RATE),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,  # XLA is slower here, and takes a minute to compile
        )
        self._model.set_weights(case.weights())
        images = tf.data.Dataset.from_tensor_slices((case.images(), case.labels()))
        self._batches = images.batch(case.batch, drop_remainder=True).repeat().prefetch(2)
        self._next = 0

    def steps(self, count: int) -> float:
        """Train for some batches more; the seconds are those of so many, though Keras rounds up to whole calls."""
        each = CALL_STEPS if count >= CALL_STEPS else 1
        if each != self._model.steps_per_execution:
            self._model.steps_per_execution = each
            self._model.train_function = None  # traced anew
        calls = -(-count // each)
        stopwatch = _Stopwatch()
        batches = self._batches.skip(self._next)
        self._model.fit(
            batches, epochs=1, steps_per_epoch=calls * each, shuffle=False, verbose=0, callbacks=[stopwatch]
        )
        self._next = (self._next + calls * each) % BATCHES
        return stopwatch.seconds * count / (calls * each)

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Weights and means."""
        return self._model.get_weights(), [np.asarray(m) for m in self._model.optimizer.means]


def _celu(z: Tensor) -> Tensor:
    return keras.activations.celu(z, alpha=ALPHA)


def _conv7(case: Case) -> list[Any]:
    layers: list[Any] = [keras.Input((case.side, case.side, 1))]
    for k, (side, pooled) in enumerate(zip(KERNELS, POOLED, strict=True)):
        if pooled:
            layers.append(keras.layers.AveragePooling2D(2))
        width = case.width if k < len(KERNELS) - 1 else CLASSES
        layers.append(keras.layers.Conv2D(width, side, padding="same", use_bias=False, activation=_celu))
    return [*layers, keras.layers.Flatten()]


def _mlp(case: Case) -> list[Any]:
    hidden = [keras.layers.Dense(case.width, activation="relu") for _ in range(2)]
    return [keras.Input((case.side, case.side, 1)), keras.layers.Flatten(), *hidden, keras.layers.Dense(CLASSES)]
