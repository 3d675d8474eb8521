import tensorflow as tf

from worker.trainer.tensors import Tensor


def repeat(x: Tensor, r: int) -> Tensor:
    """Each element repeated to an r x r square: U_r, the nearest-neighbour upsampling.

        y[n,i,j,c] = x[n, i // r, j // r, c]

    Args:
        x: [batch, height, width, channels].
        r: at least 1.

    Returns:
        y: [batch, r height, r width, channels].
    """
    size = r * tf.shape(x)[1:3]
    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, half_pixel_centers=True)
