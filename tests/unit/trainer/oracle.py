"""A second implementation of what the trainer computes: plain formulas, derivatives by `tf.GradientTape`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.trainer.tensors import Tensor

KERNELS = (5, 3, 1, 3, 1, 2, 1)
POOLED = (False, False, True, True, True, True, True)  # an average pool before the layer
ALPHA = 2.0

Floats: TypeAlias = NDArray[np.float64]


def normal(shape: Sequence[int], seed: int, deviation: float = 1.0) -> Floats:
    """Normally distributed numbers."""
    return np.random.default_rng(seed).normal(0.0, deviation, shape)


def kernels(depths: Sequence[int], seed: int = 0, deviation: float = 0.4) -> tuple[Tensor, ...]:
    """Weights of conv7 in float64, large enough that all layers bend; depths are the eight numbers of channels."""
    return tuple(
        tf.constant(normal((side, side, depths[k], depths[k + 1]), 100 * seed + k, deviation))
        for k, side in enumerate(KERNELS)
    )


def celu(z: Tensor) -> Tensor:
    """CELU as the paper writes it."""
    return tf.where(z >= 0, z, ALPHA * (tf.exp(tf.minimum(z, 0.0) / ALPHA) - 1))


def pool(x: Tensor) -> Tensor:
    """Means of 2 x 2 squares."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


def layer(x: Tensor, w: Tensor) -> Tensor:
    """A convolution and its CELU."""
    return celu(tf.nn.conv2d(x, w, 1, "SAME"))


def logits(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """What conv7 gives for images: [batch, 10]."""
    for w, pooled in zip(weights, POOLED, strict=True):
        x = layer(pool(x) if pooled else x, w)
    return tf.reshape(x, [-1, 10])


def cost(weights: Sequence[Tensor], x: Tensor, labels: Tensor) -> Tensor:
    """The mean softmax cross-entropy of conv7 over a batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits(weights, x)))


def mlp_layers(weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
    """The inputs of the three layers of mlp, and the logits."""
    w1, b1, w2, b2, w3, b3 = weights
    flat = tf.reshape(x, [x.shape[0], -1])
    first = tf.maximum(flat @ w1 + b1, 0)
    second = tf.maximum(first @ w2 + b2, 0)
    return [flat, first, second, second @ w3 + b3]


def mlp_cost(weights: Sequence[Tensor], x: Tensor, labels: Tensor) -> Tensor:
    """The mean softmax cross-entropy of mlp over a batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, mlp_layers(weights, x)[-1]))


def derivative(function: Callable[..., Tensor], *arguments: Any, dy: Any = None) -> list[Floats]:
    """The gradients of sum(dy * function(*arguments)) at each argument; dy is 1 where it is not given."""
    arguments = tuple(tf.nest.map_structure(tf.convert_to_tensor, argument) for argument in arguments)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        y = function(*arguments)
    gradients = tape.gradient(y, arguments, output_gradients=None if dy is None else [tf.convert_to_tensor(dy)])
    return [np.asarray(gradient) for gradient in tf.nest.flatten(gradients)]


def repeat(x: Floats, r: int) -> Floats:
    """U_r: each element of [batch, height, width, channels] as an r x r square."""
    return np.repeat(np.repeat(x, r, axis=1), r, axis=2)


def dilated_gradients(weights: Sequence[Tensor], x: Tensor, labels: Tensor, weight: float) -> list[Floats]:
    """The dilated rule, composed of one product a layer: dz of layer k from G_{k+1} and G_{k+2}, 1-based."""
    inputs = []
    for w, pooled in zip(weights, POOLED, strict=True):
        x = pool(x) if pooled else x
        inputs.append(x)
        x = layer(x, w)

    def mean_cost(y: Tensor) -> Tensor:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.reshape(y, [-1, 10])))

    (start,) = derivative(mean_cost, x)
    g: dict[int, Floats] = {}  # G_k, at the input of layer k's convolution
    dw: dict[int, Floats] = {}
    for k in (7, 6, 5, 4, 3, 2, 1):
        if k == 7:
            dy = start
        elif k == 6:
            dy = repeat(g[7], 2) / 4
        elif k == 1:
            dy = g[2]
        else:
            dy = repeat(g[k + 1], 2) / 4 + weight * repeat(g[k + 2], 4) / 16
        g[k], dw[k] = derivative(layer, inputs[k - 1], weights[k - 1], dy=dy)
    return [dw[k] for k in range(1, 8)]


def relative_error(found: Any, expected: Any) -> float:
    """|found - expected| / |expected|; the expected numbers are not all zero."""
    expected = np.asarray(expected)
    size = float(np.linalg.norm(expected))
    assert size > 0
    assert np.shape(found) == expected.shape
    return float(np.linalg.norm(np.asarray(found) - expected)) / size
