"""The permutation-invariant network of the paper: pixels - width - width - 10, biases, ReLU.

Source: A. Nøkland, arXiv:1510.04189, section 4.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from worker.trainer.dilation import dilated_sum
from worker.trainer.layers.dense import dense_backward_input, dense_backward_weights, dense_forward
from worker.trainer.layers.relu import relu_backward, relu_forward
from worker.trainer.tensors import Tensor

CLASSES = 10
DEPTH = 3
WEIGHT_DEVIATION = 0.05


class LayerCache(NamedTuple):
    """What the way back through a layer needs."""

    x: Tensor  # [batch, in]
    y: Tensor  # [batch, out], after ReLU; of the last layer the logits


class Mlp:
    """Two hidden layers of one width. Weights and biases alternate: w1 [in, out], b1 [out], w2, ...

    Args:
        width: values of every hidden layer.
    """

    layers = tuple(slice(2 * k, 2 * k + 2) for k in range(DEPTH))
    shares_weights = False

    def __init__(self, width: int) -> None:
        self._width = width

    def values_per_image(self, image: Sequence[int]) -> int:
        """How many numbers the largest layer of one image [height, width, channels] has."""
        return max(image[0] * image[1] * image[2], self._width)

    def initial_weights(self, image: Sequence[int], seed: int) -> tuple[Tensor, ...]:
        """Weights drawn from Normal(0, 0.05), biases 0; equal seeds give equal weights on every device.

        Args:
            image: height, width and channels.
            seed: 0 to 2^31 - 1.
        """
        sizes = [image[0] * image[1] * image[2], *[self._width] * (DEPTH - 1), CLASSES]
        weights: list[Tensor] = []
        for k in range(DEPTH):
            shape = [sizes[k], sizes[k + 1]]
            weights.append(tf.random.stateless_normal(shape, (seed, k), stddev=WEIGHT_DEVIATION, alg="philox"))
            weights.append(tf.zeros([sizes[k + 1]]))
        return tuple(weights)

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, tuple[LayerCache, ...]]:
        """The logits of images, and what the way back needs.

        Args:
            weights: w and b of each layer.
            x: [batch, height, width, channels].

        Returns:
            logits: [batch, 10].
            cache: of each layer.
        """
        cache = _through(weights, tf.reshape(x, [-1, weights[0].shape[0]]), first=0)
        return cache[-1].y, cache

    def logits_from(self, layer: int, weights: Sequence[Tensor], cache: Sequence[LayerCache]) -> Tensor:
        """The logits that the weights of one layer and of those behind it give for what comes into the layer.

        Args:
            layer: 0-based.
            weights: as in forward; those of earlier layers are not read.
            cache: what forward gave, with the same weights in the earlier layers.

        Returns:
            logits: [batch, 10].
        """
        return _through(weights, cache[layer].x, first=layer)[-1].y

    def backward_to_input(self, weights: Sequence[Tensor], cache: Sequence[LayerCache], dlogits: Tensor) -> Tensor:
        """The loss gradient at the flattened images; none at the weights is computed.

        Args:
            weights: as in forward.
            cache: what forward gave.
            dlogits: [batch, 10], the loss gradient at the logits.

        Returns:
            dx: [batch, height * width * channels].
        """
        dz = dlogits
        for k in reversed(range(1, DEPTH)):
            dz = relu_backward(dense_backward_input(dz, weights[2 * k]), cache[k - 1].y)
        return dense_backward_input(dz, weights[0])

    def backward(
        self,
        weights: Sequence[Tensor],
        cache: Sequence[LayerCache],
        dlogits: Tensor,
        dilation: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The loss gradient at the weights, or with `dilation` what the dilated rule puts in its place.

        B_k is the way back through layer k, G_k the gradient at its input:

            G_3 = B_3(dlogits);   G_2 = B_2(G_3)
            at the output of layer 1: G_2 + dilation G_3

        Args:
            weights: as in forward.
            cache: what forward gave.
            dlogits: [batch, 10], the loss gradient at the logits.
            dilation: [], lambda; None for the gradient itself.

        Returns:
            dw and db of each layer.
        """
        dz, dx_later = dlogits, None
        gradients: list[Tensor] = []
        for k in reversed(range(DEPTH)):
            gradients = [*dense_backward_weights(dz, cache[k].x), *gradients]
            if k == 0:
                break
            dx = dense_backward_input(dz, weights[2 * k])
            is_dilated = dilation is not None and dx_later is not None
            dy = dilated_sum(dx, dx_later, dilation, _straight) if is_dilated else dx
            dz, dx_later = relu_backward(dy, cache[k - 1].y), dx
        return tuple(gradients)


def _through(weights: Sequence[Tensor], x: Tensor, first: int) -> tuple[LayerCache, ...]:
    """What layers give from a 0-based one on; x comes into it."""
    cache = []
    for k in range(first, DEPTH):
        y = dense_forward(x, weights[2 * k], weights[2 * k + 1])
        if k < DEPTH - 1:
            y = relu_forward(y)
        cache.append(LayerCache(x, y))
        x = y
    return tuple(cache)


def _straight(dy: Tensor) -> Tensor:
    return dy  # nothing stands between two layers
