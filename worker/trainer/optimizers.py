from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import tensorflow as tf

from backend.contract import Optimizer, Quirk, TrainConfig
from worker.trainer.tensors import Tensor

STABILIZER = 1e-8  # keeps the division finite where a weight has had no gradient yet


class OptimizerState(NamedTuple):
    """What an optimizer remembers of earlier gradients: of each weight a tensor of its shape."""

    step: Tensor  # [] int64, updates made
    mean: tuple[Tensor, ...]  # m
    square: tuple[Tensor, ...]  # v
    largest_square: tuple[Tensor, ...]  # vmax of AMSGrad; Adam has none: ()


def optimizer_start(optimizer: Optimizer, weights: Sequence[Tensor]) -> OptimizerState:
    """An optimizer's state before the first step: zeros."""
    zeros = tuple(tf.zeros_like(w) for w in weights)
    return OptimizerState(tf.constant(0, tf.int64), zeros, zeros, zeros if optimizer is Optimizer.AMSGRAD else ())


def optimizer_update(
    config: TrainConfig, weights: Sequence[Tensor], gradients: Sequence[Tensor], state: OptimizerState
) -> tuple[tuple[Tensor, ...], OptimizerState]:
    """The weights after one step, and the new state; element-wise.

        m    <- beta1 m + (1 - beta1) g
        v    <- beta2 v + (1 - beta2) g^2
        vmax <- max(vmax, v)                                        AMSGrad; for Adam vmax is v
        w    <- w - learning_rate m / (sqrt(vmax) + 1e-8)

    With bias_correction m is divided by 1 - beta1^step and sqrt(vmax) by sqrt(1 - beta2^step) in the last line. With
    the quirk amsgrad_whole_tensor vmax is replaced by v as a whole, where the sum of v is larger than that of vmax.

    Args:
        config: optimizer, learning_rate, beta1, beta2, bias_correction and quirks are read.
        weights: of the network.
        gradients: as the weights.
        state: as optimizer_start or the last update gave it.

    Source: Reddi et al., "On the Convergence of Adam and Beyond", ICLR 2018, algorithm 2; Kingma and Ba, "Adam",
    arXiv:1412.6980.
    """
    step, beta1, beta2 = state.step + 1, config.beta1, config.beta2
    mean = tuple(beta1 * m + (1 - beta1) * g for m, g in zip(state.mean, gradients, strict=True))
    square = tuple(beta2 * v + (1 - beta2) * tf.square(g) for v, g in zip(state.square, gradients, strict=True))
    if config.optimizer is Optimizer.AMSGRAD:
        larger = _larger_sum if Quirk.AMSGRAD_WHOLE_TENSOR in config.quirks else tf.maximum
        largest = tuple(larger(vmax, v) for vmax, v in zip(state.largest_square, square, strict=True))
    else:
        largest = ()
    rate, root = _bias_corrections(config, step, weights[0].dtype)
    updated = tuple(
        w - rate * m / (root * tf.sqrt(v) + STABILIZER)
        for w, m, v in zip(weights, mean, largest or square, strict=True)
    )
    return updated, OptimizerState(step, mean, square, largest)


def fused_optimizer_update(
    config: TrainConfig, weights: Sequence[Tensor], gradients: Sequence[Tensor], state: OptimizerState
) -> tuple[tuple[Tensor, ...], OptimizerState]:
    """What optimizer_update gives, but for rounding, in one pass over each tensor instead of one an operation.

    XLA compiles it, which takes most of a second.
    """

    @tf.function(autograph=False, jit_compile=True)  # type: ignore[untyped-decorator]
    def update(weights: tuple[Tensor, ...], gradients: tuple[Tensor, ...], state: OptimizerState) -> Any:
        return optimizer_update(config, weights, gradients, state)

    return cast("tuple[tuple[Tensor, ...], OptimizerState]", update(tuple(weights), tuple(gradients), state))


def _larger_sum(vmax: Tensor, v: Tensor) -> Tensor:
    return tf.where(tf.reduce_sum(v) > tf.reduce_sum(vmax), v, vmax)


def _bias_corrections(config: TrainConfig, step: Tensor, dtype: tf.DType) -> tuple[Tensor | float, Tensor | float]:
    """What stands before m and before sqrt(vmax) in the update."""
    if not config.bias_correction:
        return config.learning_rate, 1.0
    number = tf.cast(step, tf.float64)
    rate = config.learning_rate / (1 - tf.pow(tf.constant(config.beta1, tf.float64), number))
    root = tf.math.rsqrt(1 - tf.pow(tf.constant(config.beta2, tf.float64), number))
    return tf.cast(rate, dtype), tf.cast(root, dtype)
