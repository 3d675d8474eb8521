"""Convolution with stride 1 and SAME padding, without bias, and its two derivatives."""

import tensorflow as tf

from worker.trainer.layers.elu import elu_forward
from worker.trainer.layers.fused import fuses
from worker.trainer.tensors import Tensor

FEW_CHANNELS = 3  # of coloured images

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


def conv2d_elu_forward(x: Tensor, w: Tensor) -> Tensor:
    """ELU of the convolution, in one operation where TensorFlow has one: elu_forward(conv2d_forward(x, w)).

    Args:
        x: [batch, height, width, in].
        w: [kernel_height, kernel_width, in, out].

    Returns:
        y: [batch, height, width, out].
    """
    # TensorFlow fuses a convolution with ELU only around a bias, and drops a bias that it knows to be zero.
    unknown_zero = tf.raw_ops.Empty(shape=[w.shape[-1]], dtype=w.dtype, init=True)
    return elu_forward(tf.raw_ops.BiasAdd(value=conv2d_forward(x, w), bias=unknown_zero))


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
    if w.shape[2] <= FEW_CHANNELS:
        return _few_channels_backward_input(dz, w)
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=w, out_backprop=dz, strides=_STRIDES, padding="SAME"
    )


def _few_channels_backward_input(dz: Tensor, w: Tensor) -> Tensor:
    """The same sum, over o first: a matrix product gives what each place of the kernel adds, then shifted maps add up.

    The convolution kernels of a CPU pad images of one channel to 16 and took 4 to 7 times as long.
    """
    rows, columns = dz.shape[1:3]
    maps = tf.matmul(tf.reshape(w, [-1, w.shape[3]]), tf.reshape(dz, [-1, w.shape[3]]), transpose_b=True)
    add_up = _add_up_in_one_pass if fuses(maps) else _add_up
    return add_up(tf.reshape(maps, [*w.shape[:3], -1, rows, columns]))


def _add_up(maps: Tensor) -> Tensor:
    """From what each place of the kernel adds, [kernel_height, kernel_width, in, batch, height, width], the images."""
    height, width, channels, _, rows, columns = maps.shape
    dtype = maps.dtype
    if dtype.size < tf.float32.size:
        maps = tf.cast(maps, tf.float32)  # short sums would lose the last bits again and again
    maps = tf.reshape(maps, [height, width * channels, -1, rows, columns])
    maps = _shifted_sum(maps, rows, axis=2)
    maps = tf.reshape(maps, [width, channels, -1, rows, columns])
    maps = _shifted_sum(maps, columns, axis=3)
    return tf.cast(tf.transpose(maps, [1, 2, 3, 0]), dtype)


_add_up_in_one_pass = tf.function(_add_up, autograph=False, jit_compile=True)


def _shifted_sum(maps: Tensor, size: int, axis: int) -> Tensor:
    """The sum over u of maps[u], moved by u - top along an axis (counted without u); what leaves the map is dropped."""
    kernel = maps.shape[0]
    top = (kernel - 1) // 2
    padding = [[0, 0]] * 5
    padding[axis + 1] = [kernel - 1 - top, top]
    padded = tf.pad(maps, padding)
    before = [slice(None)] * axis
    return tf.add_n([padded[(u, *before, slice(kernel - 1 - u, kernel - 1 - u + size))] for u in range(kernel)])


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
