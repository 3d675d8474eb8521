"""The exponential linear unit, and its derivative.

CELU_a(x) = a ELU(x / a) (Barron, arXiv:1704.07483): a network with CELU is one with ELU between scaled ends.
"""

import tensorflow as tf

from worker.trainer.tensors import Tensor


def elu_forward(z: Tensor) -> Tensor:
    """ELU of each element, from (-1, infinity): y = z for z >= 0, exp(z) - 1 below.

    Args:
        z: any shape.

    Returns:
        y: the shape of z.
    """
    return tf.raw_ops.Elu(features=z)


def elu_backward(dy: Tensor, y: Tensor) -> Tensor:
    """The loss gradient before ELU, from the one after it and from ELU's output.

        dz = dy                            for y >= 0
        dz = dy exp(z) = dy (y + 1)        below

    Args:
        dy: any shape.
        y: what elu_forward gave, the shape of dy.

    Returns:
        dz: the shape of dy.
    """
    return tf.raw_ops.EluGrad(gradients=dy, outputs=y)


def elu_slope(y: Tensor) -> Tensor:
    """ELU's derivative, from ELU's output: 1 for y >= 0, y + 1 below; the shape of y."""
    return tf.minimum(y, tf.constant(0, y.dtype)) + 1


def elu_slope_2(y: Tensor) -> Tensor:
    """What the article's scripts put in its place: 2 for y >= 0, y + 1 below. It is no derivative."""
    return tf.where(y >= 0, tf.constant(2, y.dtype), y + 1)


def elu_backward_slope_2(dy: Tensor, y: Tensor) -> Tensor:
    """elu_backward with the article's slope."""
    return dy * elu_slope_2(y)
