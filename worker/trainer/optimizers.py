from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from worker.trainer.tensors import Tensor

STABILIZER = 1e-8  # keeps the division finite where a weight has had no gradient yet


class AmsgradState(NamedTuple):
    """What AMSGrad remembers of earlier gradients: for each layer a tensor of its weights' shape."""

    mean: tuple[Tensor, ...]  # m
    square: tuple[Tensor, ...]  # v
    largest_square: tuple[Tensor, ...]  # vmax


def amsgrad_start(weights: Sequence[Tensor]) -> AmsgradState:
    """AMSGrad's state before the first step: zeros."""
    zeros = tuple(tf.zeros_like(w) for w in weights)
    return AmsgradState(zeros, zeros, zeros)


def amsgrad_update(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    state: AmsgradState,
    *,
    learning_rate: float,
    beta1: float,
    beta2: float,
) -> tuple[tuple[Tensor, ...], AmsgradState]:
    """The weights after one step, and the new state; element-wise, without bias correction.

        m    <- beta1 m + (1 - beta1) g
        v    <- beta2 v + (1 - beta2) g^2
        vmax <- max(vmax, v)
        w    <- w - learning_rate m / (sqrt(vmax) + 1e-8)

    Args:
        weights: a tensor a layer.
        gradients: as the weights.
        state: as amsgrad_start or the last update gave it.
        learning_rate: size of a step.
        beta1: decay of the mean gradient, in [0, 1).
        beta2: decay of the mean squared gradient, in [0, 1).

    Source: Reddi et al., "On the Convergence of Adam and Beyond", ICLR 2018, algorithm 2.
    """
    mean = tuple(beta1 * m + (1 - beta1) * g for m, g in zip(state.mean, gradients, strict=True))
    square = tuple(beta2 * v + (1 - beta2) * tf.square(g) for v, g in zip(state.square, gradients, strict=True))
    largest = tuple(tf.maximum(vmax, v) for vmax, v in zip(state.largest_square, square, strict=True))
    updated = tuple(
        w - learning_rate * m / (tf.sqrt(vmax) + STABILIZER) for w, m, vmax in zip(weights, mean, largest, strict=True)
    )
    return updated, AmsgradState(mean, square, largest)
