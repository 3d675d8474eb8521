from typing import Final

import tensorflow as tf

STRIDES = [1, 1, 1, 1]
PADDING: Final = "SAME"


def convolution_forward(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Cross-correlate with stride 1 and SAME padding, without bias.

        y[n,i,j,o] = sum over u,v,c of x[n, i+u-p, j+v-q, c] * w[u,v,c,o],   p = (kernel_height - 1) // 2, q likewise

    Args:
        x: [batch, height, width, in].
        w: [kernel_height, kernel_width, in, out].

    Returns:
        y: [batch, height, width, out].
    """
    return tf.nn.conv2d(x, w, STRIDES, PADDING)


def convolution_backward_input(dy: tf.Tensor, x_shape: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """The loss gradient at the input.

        dx[n,r,s,c] = sum over o and all i+u-p = r, j+v-q = s of dy[n,i,j,o] * w[u,v,c,o]

    Args:
        dy: [batch, height, width, out].
        x_shape: the four numbers of x's shape.
        w: [kernel_height, kernel_width, in, out].

    Returns:
        dx: [batch, height, width, in].
    """
    dx: tf.Tensor = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=x_shape, filter=w, out_backprop=dy, strides=STRIDES, padding=PADDING
    )
    return dx


def convolution_backward_filter(dy: tf.Tensor, x: tf.Tensor, w_shape: tf.TensorShape) -> tf.Tensor:
    """The loss gradient at the filter.

        dw[u,v,c,o] = sum over n,i,j of x[n, i+u-p, j+v-q, c] * dy[n,i,j,o]

    Args:
        dy: [batch, height, width, out].
        x: [batch, height, width, in].
        w_shape: the four numbers of w's shape.

    Returns:
        dw: [kernel_height, kernel_width, in, out].
    """
    dw: tf.Tensor = tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=w_shape, out_backprop=dy, strides=STRIDES, padding=PADDING
    )
    return dw
