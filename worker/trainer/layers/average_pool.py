"""Average pooling over squares of 2 x 2, and its derivative."""

import tensorflow as tf

from worker.trainer.layers.upsample import repeat
from worker.trainer.tensors import Tensor

_SQUARE = [1, 2, 2, 1]


def average_pool_forward(x: Tensor) -> Tensor:
    """The mean of each 2 x 2 square.

        y[n,i,j,c] = (x[n,2i,2j,c] + x[n,2i,2j+1,c] + x[n,2i+1,2j,c] + x[n,2i+1,2j+1,c]) / 4

    Args:
        x: [batch, height, width, channels], height and width even.

    Returns:
        y: [batch, height/2, width/2, channels].
    """
    return tf.raw_ops.AvgPool(value=x, ksize=_SQUARE, strides=_SQUARE, padding="VALID")


def average_pool_backward(dy: Tensor) -> Tensor:
    """The loss gradient before the pooling: dx[n,i,j,c] = dy[n, i//2, j//2, c] / 4.

    Args:
        dy: [batch, height/2, width/2, channels].

    Returns:
        dx: [batch, height, width, channels].
    """
    return repeat(dy / 4, 2)
