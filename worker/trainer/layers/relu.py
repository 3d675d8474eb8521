"""The rectified linear unit, and its derivative."""

import tensorflow as tf

from worker.trainer.tensors import Tensor


def relu_forward(z: Tensor) -> Tensor:
    """ReLU of each element: y = max(z, 0).

    Args:
        z: any shape.

    Returns:
        y: the shape of z.
    """
    return tf.raw_ops.Relu(features=z)


def relu_backward(dy: Tensor, y: Tensor) -> Tensor:
    """The loss gradient before ReLU: dz = dy where y > 0, else 0.

    Args:
        dy: any shape.
        y: what relu_forward gave, the shape of dy.

    Returns:
        dz: the shape of dy.
    """
    return tf.raw_ops.ReluGrad(gradients=dy, features=y)
