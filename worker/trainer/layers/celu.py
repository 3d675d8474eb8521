"""The continuously differentiable exponential linear unit (Barron, arXiv:1704.07483), and its derivative.

It is written with ELU's kernels, because CELU_a(x) = a ELU(x / a) exactly: one pass over memory where `where` and `exp`
take several.
"""

import tensorflow as tf

from worker.trainer.tensors import Tensor


def celu_forward(z: Tensor, alpha: float) -> Tensor:
    """CELU of each element, from (-alpha, infinity).

        y = z                          for z >= 0
        y = alpha (exp(z/alpha) - 1)   below

    Args:
        z: any shape.
        alpha: above 0; -alpha is what y falls to.

    Returns:
        y: the shape of z.
    """
    return alpha * tf.raw_ops.Elu(features=z / alpha)


def celu_backward(dy: Tensor, y: Tensor, alpha: float) -> Tensor:
    """The loss gradient before CELU, from the one after it and from CELU's output.

        dz = dy                                      for y >= 0
        dz = dy exp(z/alpha) = dy (y/alpha + 1)      below

    Args:
        dy: any shape.
        y: what celu_forward gave, the shape of dy.
        alpha: the same as in celu_forward.

    Returns:
        dz: the shape of dy.
    """
    return tf.raw_ops.EluGrad(gradients=dy, outputs=y / alpha)
