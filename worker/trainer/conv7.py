"""`conv7`, the article's network: seven convolutions, CELU after each (the logits included), no bias.

    layer   kernel   in -> out                  2 x 2 average pool before it    map
      1       5      image channels -> width              -                     32
      2       3      width -> width                       -                     32
      3       1      width -> width                      yes                    16
      4       3      width -> width                      yes                     8
      5       1      width -> width                      yes                     4
      6       2      width -> width                      yes                     2
      7       1      width -> 10                         yes                     1

Shapes: x is [batch, 32, 32, channels]; the gradient g_k at the input of layer k has the shape of that layer's map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from worker.trainer.layers.average_pool import average_pool_backward, average_pool_forward, repeat
from worker.trainer.layers.celu import CeluCache, celu_backward, celu_forward
from worker.trainer.layers.convolution import (
    convolution_backward_filter,
    convolution_backward_input,
    convolution_forward,
)

CLASSES = 10
WEIGHT_DEVIATION = 0.05


class Layer(NamedTuple):
    """The form of one layer."""

    kernel: int
    pool_before: bool


LAYERS = (
    Layer(5, pool_before=False),
    Layer(3, pool_before=False),
    Layer(1, pool_before=True),
    Layer(3, pool_before=True),
    Layer(1, pool_before=True),
    Layer(2, pool_before=True),
    Layer(1, pool_before=True),
)
# Layers (from 0) whose output's gradient gets the skipping term: their map is two pools larger than that of its source.
DILATED_LAYERS = range(1, 5)


class LayerCache(NamedTuple):
    """What one layer's backward pass needs."""

    x: tf.Tensor  # the input of its convolution, pooled where it pools
    activation: CeluCache


def weight_shapes(channels: int, width: int) -> list[tuple[int, int, int, int]]:
    """The filters' shapes, [kernel_height, kernel_width, in, out] each."""
    ins = [channels] + [width] * (len(LAYERS) - 1)
    outs = [width] * (len(LAYERS) - 1) + [CLASSES]
    return [
        (layer.kernel, layer.kernel, fan_in, fan_out) for layer, fan_in, fan_out in zip(LAYERS, ins, outs, strict=True)
    ]


def initial_weights(channels: int, width: int, seed: int, dtype: tf.DType = tf.float32) -> list[tf.Tensor]:
    """Filters from Normal(0, 0.05), the same for the same seed."""
    return [
        tf.random.stateless_normal(shape, (seed, number), stddev=WEIGHT_DEVIATION, dtype=dtype)
        for number, shape in enumerate(weight_shapes(channels, width))
    ]


def forward(weights: Sequence[tf.Tensor], x: tf.Tensor) -> tuple[tf.Tensor, list[LayerCache]]:
    """The logits of a batch of images, and what the backward pass needs.

    Args:
        weights: as `initial_weights` gives them.
        x: [batch, 32, 32, channels].

    Returns:
        logits: [batch, classes], and a cache for each layer.
    """
    caches = []
    for layer, w in zip(LAYERS, weights, strict=True):
        if layer.pool_before:
            x = average_pool_forward(x)
        y, activation = celu_forward(convolution_forward(x, w))
        caches.append(LayerCache(x, activation))
        x = y
    return tf.reshape(x, [-1, CLASSES]), caches


def backward(
    weights: Sequence[tf.Tensor],
    caches: Sequence[LayerCache],
    dlogits: tf.Tensor,
    dilation: tf.Tensor | None = None,
) -> list[tf.Tensor]:
    """The loss gradient at every filter; the one at the images is not computed.

    With B_k the way back through layer k and U_r the enlargement r x r:

        G_7 = B_7(dlogits),   G_6 = B_6(U_2 G_7 / 4)
        G_k = B_k(U_2 G_{k+1} / 4 + dilation U_4 G_{k+2} / 16)   for k = 5, 4, 3, 2
        G_1 = B_1(G_2)

    Args:
        weights, caches: as `forward` took and gave them.
        dlogits: [batch, classes].
        dilation: weight of the gradient that skips a layer; None: the exact gradient.

    Returns:
        The gradients, each with the shape of its filter.
    """
    filters: list[tf.Tensor] = []
    for number, dz in _activation_gradients(weights, caches, dlogits, dilation):
        filters.append(convolution_backward_filter(dz, caches[number].x, weights[number].shape))
    return filters[::-1]


def backward_to_images(weights: Sequence[tf.Tensor], caches: Sequence[LayerCache], dlogits: tf.Tensor) -> tf.Tensor:
    """The exact loss gradient at the images; no filter's is computed.

    Returns:
        [batch, 32, 32, channels].
    """
    *_, (first, dz) = _activation_gradients(weights, caches, dlogits, None)
    return convolution_backward_input(dz, tf.shape(caches[first].x), weights[first])


def _activation_gradients(
    weights: Sequence[tf.Tensor], caches: Sequence[LayerCache], dlogits: tf.Tensor, dilation: tf.Tensor | None
) -> list[tuple[int, tf.Tensor]]:
    """Each layer's number with the loss gradient before its activation, from the last layer to the first."""
    gradients: list[tuple[int, tf.Tensor]] = []
    inputs: dict[int, tf.Tensor] = {}
    dy = tf.reshape(dlogits, [-1, 1, 1, CLASSES])
    for number in reversed(range(len(LAYERS))):
        if number + 1 in inputs:
            following = inputs[number + 1]
            dy = average_pool_backward(following) if LAYERS[number + 1].pool_before else following
        if dilation is not None and number in DILATED_LAYERS:
            dy += dilation * repeat(inputs[number + 2], 4) / 16
        dz = celu_backward(dy, caches[number].activation)
        gradients.append((number, dz))
        if number > 0:
            inputs[number] = convolution_backward_input(dz, tf.shape(caches[number].x), weights[number])
    return gradients
