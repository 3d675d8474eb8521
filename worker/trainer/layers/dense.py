"""The fully connected layer, and its derivatives."""

import tensorflow as tf

from worker.trainer.tensors import Tensor


def dense_forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Z = x w + b.

    Args:
        x: [batch, in].
        w: [in, out].
        b: [out].

    Returns:
        z: [batch, out].
    """
    return tf.raw_ops.BiasAdd(value=tf.matmul(x, w), bias=b)


def dense_backward_input(dz: Tensor, w: Tensor) -> Tensor:
    """The loss gradient at the input: dx = dz w^T.

    Args:
        dz: [batch, out].
        w: [in, out].

    Returns:
        dx: [batch, in].
    """
    return tf.matmul(dz, w, transpose_b=True)


def dense_backward_weights(dz: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The loss gradients at weights and biases: dw = x^T dz, db = the sum of dz over the batch.

    Args:
        dz: [batch, out].
        x: [batch, in].

    Returns:
        dw: [in, out], and db: [out].
    """
    return tf.matmul(x, dz, transpose_a=True), tf.reduce_sum(dz, axis=0)
