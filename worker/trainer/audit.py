"""The gradient audit: is what the hand-written backward pass gives the derivative of the cost?

Of each layer, on a few training images that are always the same, in float64 and at the run's weights:

    tape          |g - tape| / |tape| <= 1e-8, tape from automatic differentiation of the forward pass
    difference    |g . d - (C(w + h d) - C(w - h d)) / 2h| <= 1e-6 |g|, d a random unit direction in the layer's weights

Both hold the backward pass of the run, its quirks included, against the forward pass, which no quirk changes. The
images are those that a training step takes, x' where the run is adversarial: a constant to the weights, and where clean
images have long been learned x' still costs something.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import (
    DIFFERENCE_LIMIT,
    TAPE_LIMIT,
    AuditVerdict,
    Backprop,
    Deviation,
    LayerMeasurement,
    TrainConfig,
)
from worker.trainer.adversarial import adversarial_images
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network, build
from worker.trainer.optimizers import optimizer_update
from worker.trainer.precision import step_dtype
from worker.trainer.state import Learned, TrainingData
from worker.trainer.step import forward_and_backward
from worker.trainer.tensors import Tensor

PROBE_IMAGES = 8  # the first training images
DIRECTIONS = 5  # the median of their errors counts: a kink of ReLU may lie within one step, not within most
STEP = 1e-5  # h
LEAST_SIGNAL = 1e-9  # of s - y: below it rounding, 1e-16, is more than a tenth of what the difference is held to

Floats = NDArray[np.float64]
Weights = tuple[Tensor, ...]


@dataclass(frozen=True)
class _Passes:
    """What the passes over the probe batch give, before anything is compared."""

    weights: Weights  # in float64
    cache: Any  # of the forward pass in float64
    plain: Weights  # gradients by hand, in float64
    tape: Weights
    dilated: Weights | None
    own: Weights  # in the run's precision
    moved: Weights  # after the step that the probe batch would make
    signal: float  # the largest element of s - y


class Audit:
    """The audit of one run.

    Args:
        network: what is trained, quirks included.
        config: of the run.
        data: the first of its training images are the probe batch.
    """

    def __init__(self, network: Network, config: TrainConfig, data: TrainingData) -> None:
        self._network = network
        self._config = config
        self._images = data.train_images[:PROBE_IMAGES]
        self._labels = tf.constant(data.train_labels[:PROBE_IMAGES])
        self._honest = build(config.model_copy(update={"quirks": ()}))
        is_dilated = config.backprop is Backprop.DILATED
        self.pieces = 3 + is_dilated + len(network.layers) * DIRECTIONS

    def measure(self, learned: Learned, dilation: float | None) -> Generator[None, None, tuple[LayerMeasurement, ...]]:
        """Audit every layer.

        Args:
            learned: whose numbers are finite; it is only read.
            dilation: lambda of the step that would come next; None: not dilated.

        Yields:
            After each of its `pieces`.

        Returns:
            What was measured, from the first layer on.
        """
        passes = yield from self._passes(learned, dilation)
        found = []
        for layer, place in enumerate(self._network.layers):
            errors = []
            for number in range(DIRECTIONS):
                errors.append(self._difference_error(passes, layer, number))
                yield
            found.append(_layer_measurement(layer, place, passes, learned, float(np.median(errors))))
        return tuple(found)

    def _passes(self, learned: Learned, dilation: float | None) -> Generator[None, None, _Passes]:
        network, config, labels, own_type = self._network, self._config, self._labels, learned.weights[0].dtype
        own_x = adversarial_images(network, config, learned.weights, tf.constant(self._images, own_type), labels)
        weights, x = tuple(tf.cast(w, tf.float64) for w in learned.weights), tf.cast(own_x, tf.float64)

        def by_hand(weight: float | None) -> Weights:
            factor = None if weight is None else tf.constant(weight, tf.float64)
            return forward_and_backward(network, config, weights, x, labels, factor, tf.float64).gradients

        def in_own_precision(weight: float | None) -> Weights:
            factor, dtype = None if weight is None else tf.constant(weight, own_type), step_dtype(config, own_type)
            return forward_and_backward(network, config, learned.weights, own_x, labels, factor, dtype).gradients

        own = in_own_precision(None)
        step = own if dilation is None else in_own_precision(dilation)
        moved = optimizer_update(config, learned.weights, step, learned.optimizer)[0]
        yield
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, cache = self._honest.forward(weights, x)
            costs, softmax = softmax_cross_entropy_forward(logits, labels)
            cost = tf.reduce_mean(costs)
        true = tuple(tape.gradient(cost, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        yield
        plain, dilated = by_hand(None), None
        yield
        if dilation is not None:
            dilated = by_hand(dilation)
            yield
        return _Passes(
            weights=weights,
            cache=cache,
            plain=plain,
            tape=true,
            dilated=dilated,
            own=own,
            moved=moved,
            signal=float(tf.reduce_max(tf.abs(softmax_cross_entropy_backward(softmax, summed=True)))),
        )

    def _difference_error(self, passes: _Passes, layer: int, number: int) -> float:
        """|g . d - difference| / |g| along a direction that layer and number decide; nan where |g| is 0."""
        place = self._network.layers[layer]
        gradient = _flat(passes.plain[place])
        size = _norm(gradient)
        if size == 0 or passes.signal < LEAST_SIGNAL:
            return float("nan")
        direction = np.random.default_rng([layer, number]).standard_normal(gradient.size)
        direction /= _norm(direction)
        behind, ahead = (self._logits_at(passes, layer, step * direction) for step in (-STEP, STEP))
        difference = cost_change(behind, ahead, self._labels.numpy()) / (2 * STEP)
        return abs(_dot(gradient, direction) - difference) / size

    def _logits_at(self, passes: _Passes, layer: int, change: Floats) -> Floats:
        """The logits with the weights of one layer changed."""
        weights, place, start = list(passes.weights), self._network.layers[layer], 0
        for number in range(place.start, place.stop):
            end = start + weights[number].shape.num_elements()
            weights[number] += change[start:end].reshape(weights[number].shape)
            start = end
        logits: Floats = self._honest.logits_from(layer, weights, passes.cache).numpy()
        return logits


def cost_change(before: Floats, after: Floats, labels: NDArray[np.int32]) -> float:
    """How much the mean softmax cross-entropy grows from some logits to others near by.

        u = logits - the label's logit;   s = softmax(before)
        change[n] = log1p(sum over other classes of s expm1(u_after - u_before))

    The difference of two costs would be rounded to 1e-16 of the cost, and is itself often as small as 1e-10 of it.

    Args:
        before: [batch, classes].
        after: [batch, classes].
        labels: [batch].
    """
    images = np.arange(len(labels))
    u_before, u_after = (logits - logits[images, labels][:, np.newaxis] for logits in (before, after))
    s = np.exp(u_before - u_before.max(axis=1, keepdims=True))
    s /= s.sum(axis=1, keepdims=True)
    return float(np.mean(np.log1p((s * np.expm1(u_after - u_before)).sum(axis=1))))


def _layer_measurement(
    layer: int, place: slice, passes: _Passes, learned: Learned, difference_error: float
) -> LayerMeasurement:
    plain, tape, weights = _flat(passes.plain[place]), _flat(passes.tape[place]), _flat(learned.weights[place])
    against_tape = deviation(plain, tape)
    optimizer = learned.optimizer
    return LayerMeasurement(
        layer=layer + 1,
        verdict=_verdict(against_tape.error, difference_error, has_gradient=bool(np.any(plain) or np.any(tape))),
        tape_error=against_tape.error,
        difference_error=None if np.isnan(difference_error) else difference_error,
        gradient_norm=_norm(plain),
        own=deviation(_flat(passes.own[place]), plain),
        update=None if passes.dilated is None else deviation(_flat(passes.dilated[place]), plain),
        weight_norm=_norm(weights),
        update_ratio=deviation(_flat(passes.moved[place]), weights).error,
        vmax_active=_active_share(optimizer.largest_square[place], optimizer.square[place]),
    )


def _verdict(tape_error: float | None, difference_error: float, *, has_gradient: bool) -> AuditVerdict:
    if not has_gradient:
        return AuditVerdict.NO_SIGNAL
    # Where one of the two gradients is zero and the other is not, there is no relative error, or it is 1. An error that
    # is not a number passes no comparison.
    if tape_error is None or not tape_error <= TAPE_LIMIT or difference_error > DIFFERENCE_LIMIT:
        return AuditVerdict.FAILED
    return AuditVerdict.NO_SIGNAL if np.isnan(difference_error) else AuditVerdict.PASSED


def deviation(g: Floats, t: Floats) -> Deviation:
    """How far a gradient g lies from the true one t, both flat; None for what has no meaning or is not finite."""
    g_norm, t_norm = _norm(g), _norm(t)
    if t_norm == 0 or not np.isfinite(g_norm):
        return Deviation(None, None, None)
    cosine = float(np.clip(_dot(g, t) / g_norm / t_norm, -1, 1)) if g_norm else None
    return Deviation(_norm(g - t) / t_norm, cosine, g_norm / t_norm)


def _active_share(largest: Sequence[Tensor], square: Sequence[Tensor]) -> float | None:
    """The share of the weights at which AMSGrad divides by more than Adam would."""
    if not largest:
        return None
    return float(np.mean(_flat(largest) > _flat(square)))


def _flat(tensors: Sequence[Tensor]) -> Floats:
    return np.concatenate([tensor.numpy().astype(np.float64).ravel() for tensor in tensors])


def _norm(values: Floats) -> float:
    return float(np.sqrt(_dot(values, values)))


def _dot(first: Floats, second: Floats) -> float:
    # Not by BLAS, whose threads fight with TensorFlow's: on two busy cores a product of 200,000 values took 5 ms.
    return float(np.einsum("i,i", first, second))
