import tensorflow as tf

SIZE = 2


def average_pool_forward(x: tf.Tensor) -> tf.Tensor:
    """The mean of each square of 2 x 2.

        y[n,i,j,c] = (x[n,2i,2j,c] + x[n,2i,2j+1,c] + x[n,2i+1,2j,c] + x[n,2i+1,2j+1,c]) / 4

    Args:
        x: [batch, height, width, channels], height and width even.

    Returns:
        y: [batch, height / 2, width / 2, channels].
    """
    return tf.nn.avg_pool2d(x, SIZE, SIZE, "VALID")


def average_pool_backward(dy: tf.Tensor) -> tf.Tensor:
    """Carry the loss gradient back through the pool: each pixel of a square had a quarter of the say.

        dx[n,r,s,c] = dy[n, r // 2, s // 2, c] / 4

    Args:
        dy: [batch, height / 2, width / 2, channels].

    Returns:
        dx: [batch, height, width, channels].
    """
    return repeat(dy, SIZE) / (SIZE * SIZE)


def repeat(x: tf.Tensor, times: int) -> tf.Tensor:
    """Nearest-neighbour enlargement: every pixel becomes a square of times x times.

    Args:
        x: [batch, height, width, channels].
        times: at least 1.

    Returns:
        [batch, times * height, times * width, channels].
    """
    batch, height, width, channels = tf.unstack(tf.shape(x))
    spread = tf.broadcast_to(x[:, :, None, :, None, :], [batch, height, times, width, times, channels])
    return tf.reshape(spread, [batch, times * height, times * width, channels])
