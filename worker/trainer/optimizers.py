from typing import NamedTuple

import tensorflow as tf

DIVISION_GUARD = 1e-8


class Moments(NamedTuple):
    """AMSGrad's memory of one filter; each has the filter's shape."""

    mean: tf.Tensor
    square: tf.Tensor
    largest_square: tf.Tensor


def no_moments(w: tf.Tensor) -> Moments:
    """The memory before the first step."""
    return Moments(tf.zeros_like(w), tf.zeros_like(w), tf.zeros_like(w))


def amsgrad(
    w: tf.Tensor, gradient: tf.Tensor, moments: Moments, learning_rate: float, beta1: float, beta2: float
) -> tuple[tf.Tensor, Moments]:
    """One step of AMSGrad, without correction of the bias.

        m <- b1 m + (1 - b1) g
        v <- b2 v + (1 - b2) g^2
        vmax <- max(vmax, v), element by element
        w <- w - learning_rate m / (sqrt(vmax) + 1e-8)

    Args:
        w, gradient: any shape, the same.
        moments: of the step before.

    Returns:
        The new w and the new moments; nothing is changed in place.

    Source: Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", ICLR 2018, algorithm 2.
    """
    mean = beta1 * moments.mean + (1 - beta1) * gradient
    square = beta2 * moments.square + (1 - beta2) * tf.square(gradient)
    largest = tf.maximum(moments.largest_square, square)
    return w - learning_rate * mean / (tf.sqrt(largest) + DIVISION_GUARD), Moments(mean, square, largest)
