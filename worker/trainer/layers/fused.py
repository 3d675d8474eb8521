"""Operations on large bfloat16 maps that go through memory once instead of once each: XLA compiles them into one loop.

Where convolutions are fast, what lies between them counts: 13 % of conv7's bfloat16 step of width 128, on two cores.
TensorFlow computes bfloat16 one operation and one rounding at a time, and slower than float32; float32 itself gains
nothing, because its operations write over their input. Convolutions stay outside, as XLA's own are slow on a CPU.
"""

from collections.abc import Callable
from typing import cast

import tensorflow as tf

from worker.trainer.tensors import Tensor

FUSED_FROM = 2**20  # values; with fewer, compiling takes longer than a short run saves


def fuses(x: Tensor) -> bool:
    """Whether fused operations on a tensor are worth compiling. On a GPU nothing was measured."""
    is_short = x.dtype.size < tf.float32.size
    return is_short and (x.shape.num_elements() or 0) >= FUSED_FROM and not tf.config.list_logical_devices("GPU")


def fused_elu_backward(slope: Callable[[Tensor], Tensor], pool_weight: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The way back through an average pool of r x r and the ELU before it, or through ELU alone, where r is 1.

        dz[n,i,j,c] = pool_weight dx[n, i // r, j // r, c] slope(y)[n,i,j,c]

    It is computed in float32 and rounded once.

    Args:
        slope: ELU's derivative, from its output.
        pool_weight: 1 / r^2; not read where there is no pool.

    Returns:
        A function of dx [batch, height / r, width / r, channels] and of ELU's output y [batch, height, width,
        channels], where all but the batch is known. It gives dz, the shape and type of y.
    """

    @tf.function(autograph=False, jit_compile=True)  # type: ignore[untyped-decorator]
    def backward(dx: Tensor, y: Tensor) -> Tensor:
        rows, columns, channels = dx.shape[1:]
        r = y.shape[1] // rows
        # The four of a square are read as dimensions of their own, so that nothing is repeated in memory.
        dy = tf.cast(tf.reshape(dx, [-1, rows, 1, columns, 1, channels]), tf.float32)
        slopes = slope(tf.cast(tf.reshape(y, [-1, rows, r, columns, r, channels]), tf.float32))
        dz = dy * (pool_weight if r > 1 else 1) * slopes
        return tf.reshape(tf.cast(dz, y.dtype), tf.shape(y))

    return cast("Callable[[Tensor, Tensor], Tensor]", backward)
