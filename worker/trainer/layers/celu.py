from typing import NamedTuple

import tensorflow as tf

ALPHA = 2.0


class CeluCache(NamedTuple):
    """What the backward pass needs."""

    elu: tf.Tensor  # elu(x / ALPHA), the shape of x


def celu_forward(x: tf.Tensor) -> tuple[tf.Tensor, CeluCache]:
    """The continuously differentiable exponential linear unit, from TensorFlow's own ELU.

        y = x                            where x >= 0
        y = a (exp(x / a) - 1)           elsewhere,  a = ALPHA
          = a elu(x / a)                 everywhere

    Args:
        x: any shape.

    Returns:
        y, the shape of x, and what the backward pass needs.

    Source: Barron, arXiv:1704.07483.
    """
    elu = tf.nn.elu(x / ALPHA)
    return ALPHA * elu, CeluCache(elu)


def celu_backward(dy: tf.Tensor, cache: CeluCache) -> tf.Tensor:
    """Carry the loss gradient back through CELU.

        dx = dy                          where x >= 0
        dx = dy exp(x / a)               elsewhere, and exp(x / a) = elu(x / a) + 1 there

    The factors a of the outer and 1 / a of the inner product cancel.

    Args:
        dy: the shape of x.
        cache: from `celu_forward`.

    Returns:
        dx, the shape of x.
    """
    dx: tf.Tensor = tf.raw_ops.EluGrad(gradients=dy, outputs=cache.elu)
    return dx
