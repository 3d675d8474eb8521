"""Convolution with stride 1 and SAME padding, without bias, and its two derivatives."""

import tensorflow as tf

from worker.trainer.tensors import Tensor

_STRIDES = [1, 1, 1, 1]


def conv2d_forward(x: Tensor, w: Tensor) -> Tensor:
    """The cross-correlation of images with a kernel, as large as the images.

        z[n,i,j,o] = sum over u,v,c of x[n, i+u-top, j+v-left, c] * w[u,v,c,o],    x = 0 beyond its edges

    With an even kernel the padding's odd row and column are below and to the right: top = (kernel_height - 1) // 2.

    Args:
        x: [batch, height, width, in].
        w: [kernel_height, kernel_width, in, out].

    Returns:
        z: [batch, height, width, out].
    """
    return tf.raw_ops.Conv2D(input=x, filter=w, strides=_STRIDES, padding="SAME")


def conv2d_backward_input(dz: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """The loss gradient at the images.

        dx[n,p,q,c] = sum over u,v,o of dz[n, p-u+top, q-v+left, o] * w[u,v,c,o]

    Args:
        dz: [batch, height, width, out].
        x: [batch, height, width, in]; only its shape is used.
        w: [kernel_height, kernel_width, in, out].

    Returns:
        dx: the shape of x.
    """
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=w, out_backprop=dz, strides=_STRIDES, padding="SAME"
    )


def conv2d_backward_filter(dz: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """The loss gradient at the kernel.

        dw[u,v,c,o] = sum over n,i,j of x[n, i+u-top, j+v-left, c] * dz[n,i,j,o]

    Args:
        dz: [batch, height, width, out].
        x: [batch, height, width, in].
        w: [kernel_height, kernel_width, in, out]; only its shape is used.

    Returns:
        dw: the shape of w.
    """
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=tf.shape(w), out_backprop=dz, strides=_STRIDES, padding="SAME"
    )
