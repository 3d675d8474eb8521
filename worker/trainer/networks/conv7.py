"""The article's network: seven convolutions, CELU after each (the logits included), average pools before the last five.

layer   kernel   in -> out                  average pool before it    map
  1       5      image channels -> width            -                 32
  2       3      width -> width                     -                 32
  3       1      width -> width                    yes                16
  4       3      width -> width                    yes                 8
  5       1      width -> width                    yes                 4
  6       2      width -> width                    yes                 2
  7       1      width -> 10                       yes                 1
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import tensorflow as tf

from backend.contract import Quirk
from worker.trainer.dilation import dilated_sum
from worker.trainer.layers.average_pool import average_pool_backward, average_pool_forward
from worker.trainer.layers.convolution import conv2d_backward_filter, conv2d_backward_input, conv2d_elu_forward
from worker.trainer.layers.elu import elu_backward, elu_backward_slope_2, elu_slope, elu_slope_2
from worker.trainer.layers.fused import fused_elu_backward, fuses
from worker.trainer.layers.upsample import repeat
from worker.trainer.tensors import Tensor

SIDE = 32  # pixels; five pools leave one
CLASSES = 10
ALPHA = 2.0  # of every CELU
WEIGHT_DEVIATION = 0.05


class Layer(NamedTuple):
    """A convolution and what comes before it."""

    kernel: int  # its height and width
    pool: bool  # an average pool before it


LAYERS = (
    Layer(5, pool=False),
    Layer(3, pool=False),
    Layer(1, pool=True),
    Layer(3, pool=True),
    Layer(1, pool=True),
    Layer(2, pool=True),
    Layer(1, pool=True),
)


class LayerCache(NamedTuple):
    """What the way back through a layer needs; both are those of the network over ALPHA."""

    x: Tensor  # [batch, height, width, in], the convolution's input
    y: Tensor  # [batch, height, width, out], after CELU


class Conv7:
    """The seven layers, computed over ALPHA: with CELU_a(x) = a ELU(x / a) they are ELU's between scaled ends.

    Convolutions and pools are linear, so the input is divided by ALPHA once and the logits are multiplied by it. The
    gradients at the kernels stay the same: inputs are ALPHA times smaller, gradients behind them ALPHA times larger.

    Args:
        width: channels of every hidden layer.
        quirks: celu_slope_2 and pool_gradient_unscaled change the way back.
    """

    layers = tuple(slice(k, k + 1) for k in range(len(LAYERS)))
    shares_weights = True

    def __init__(self, width: int, quirks: Collection[Quirk] = ()) -> None:
        self._width = width
        slope_2, unscaled = Quirk.CELU_SLOPE_2 in quirks, Quirk.POOL_GRADIENT_UNSCALED in quirks
        self._elu_backward = elu_backward_slope_2 if slope_2 else elu_backward
        self._pool_backward = _repeat_2 if unscaled else average_pool_backward
        self._fused_backward = fused_elu_backward(elu_slope_2 if slope_2 else elu_slope, 1.0 if unscaled else 1 / 4)

    def values_per_image(self, image: Sequence[int]) -> int:
        """How many numbers the largest map of one image [height, width, channels] has."""
        return image[0] * image[1] * max(image[2], self._width)

    def initial_weights(self, image: Sequence[int], seed: int) -> tuple[Tensor, ...]:
        """Kernels drawn from Normal(0, 0.05); equal seeds give equal kernels on every device.

        Args:
            image: height, width and channels.
            seed: 0 to 2^31 - 1.

        Returns:
            For each layer [kernel, kernel, in, out].
        """
        depths = [image[2]] + [self._width] * (len(LAYERS) - 1) + [CLASSES]
        return tuple(
            tf.random.stateless_normal(
                [layer.kernel, layer.kernel, depths[k], depths[k + 1]], (seed, k), stddev=WEIGHT_DEVIATION, alg="philox"
            )
            for k, layer in enumerate(LAYERS)
        )

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, tuple[LayerCache, ...]]:
        """The logits of images, and what the way back needs.

        Args:
            weights: for each layer [kernel, kernel, in, out].
            x: [batch, 32, 32, channels].

        Returns:
            logits: [batch, 10].
            cache: of each layer.

        Raises:
            ValueError: the images have another size.
        """
        if tuple(x.shape[1:3]) != (SIDE, SIDE):
            raise ValueError(f"conv7 takes images of {SIDE}x{SIDE} pixels, not {x.shape[1]}x{x.shape[2]}.")
        cache = _through(weights, x / ALPHA, first=0)
        return _logits(cache), cache

    def logits_from(self, layer: int, weights: Sequence[Tensor], cache: Sequence[LayerCache]) -> Tensor:
        """The logits that the weights of one layer and of those behind it give for what comes into the layer.

        Args:
            layer: 0-based.
            weights: as in forward; those of earlier layers are not read.
            cache: what forward gave, with the same weights in the earlier layers.

        Returns:
            logits: [batch, 10].
        """
        return _logits(_through(weights, cache[layer].x, first=layer))

    def backward_to_input(self, weights: Sequence[Tensor], cache: Sequence[LayerCache], dlogits: Tensor) -> Tensor:
        """The loss gradient at the images; none at the weights is computed.

        Args:
            weights: as in forward.
            cache: what forward gave.
            dlogits: [batch, 10], the loss gradient at the logits.

        Returns:
            dx: [batch, 32, 32, channels].
        """
        dz = self._elu_backward(_as_map(dlogits), cache[-1].y)
        for k in reversed(range(1, len(LAYERS))):
            dx = conv2d_backward_input(dz, cache[k].x, weights[k])
            dz = self._before_activation(k - 1, dx, cache[k - 1].y)
        return conv2d_backward_input(dz, cache[0].x, weights[0]) / ALPHA

    def backward(
        self,
        weights: Sequence[Tensor],
        cache: Sequence[LayerCache],
        dlogits: Tensor,
        dilation: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The loss gradient at the weights, or with `dilation` what the dilated rule puts in its place.

        B_k is the way back through layer k, G_k the gradient at the input of its convolution, U_r repeats r x r:

            G_7 = B_7(dlogits);   G_6 = B_6(U_2 G_7 / 4)
            G_k = B_k(U_2 G_{k+1} / 4  +  dilation U_4 G_{k+2} / 16)    k = 5, 4, 3, 2
            G_1 = B_1(G_2)                                              never computed: the images are given

        Args:
            weights: as in forward.
            cache: what forward gave.
            dlogits: [batch, 10], the loss gradient at the logits.
            dilation: [], lambda; None for the gradient itself.

        Returns:
            dw: for each layer, the shape of its weights.
        """
        dz = self._elu_backward(_as_map(dlogits), cache[-1].y)
        gradients = [conv2d_backward_filter(dz, cache[-1].x, weights[-1])]
        dx_later = None  # G_{k+2}, seen from layer k
        for k in reversed(range(1, len(LAYERS))):
            dx = conv2d_backward_input(dz, cache[k].x, weights[k])
            is_dilated = dilation is not None and dx_later is not None and LAYERS[k].pool
            behind = dilated_sum(dx, dx_later, dilation, self._pool_backward) if is_dilated else dx
            dz, dx_later = self._before_activation(k - 1, behind, cache[k - 1].y), dx
            gradients.append(conv2d_backward_filter(dz, cache[k - 1].x, weights[k - 1]))
        return tuple(reversed(gradients))

    def _before_activation(self, k: int, dx: Tensor, y: Tensor) -> Tensor:
        """The gradient before CELU of layer k (0-based), from the one at the input of the next layer's convolution."""
        if fuses(y):
            return self._fused_backward(dx, y)
        return self._elu_backward(self._pool_backward(dx) if LAYERS[k + 1].pool else dx, y)


def _through(weights: Sequence[Tensor], x: Tensor, first: int) -> tuple[LayerCache, ...]:
    """What layers give from a 0-based one on; x comes into its convolution."""
    cache = []
    for k in range(first, len(LAYERS)):
        if LAYERS[k].pool and k > first:
            x = average_pool_forward(x)
        y = conv2d_elu_forward(x, weights[k])
        cache.append(LayerCache(x, y))
        x = y
    return tuple(cache)


def _logits(cache: Sequence[LayerCache]) -> Tensor:
    return tf.reshape(ALPHA * cache[-1].y, [-1, CLASSES])


def _as_map(dlogits: Tensor) -> Tensor:
    return tf.reshape(ALPHA * dlogits, [-1, 1, 1, CLASSES])


def _repeat_2(dy: Tensor) -> Tensor:
    # What the article's scripts put in the place of the average pool's derivative: the division by 4 is left out.
    return repeat(dy, 2)
