from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import Backprop, Quirk
from tests.unit.trainer import oracle
from worker.trainer.dilation import dilated_sum
from worker.trainer.layers import fused
from worker.trainer.layers.average_pool import average_pool_backward
from worker.trainer.layers.convolution import conv2d_backward_input
from worker.trainer.layers.elu import elu_forward, elu_slope, elu_slope_2
from worker.trainer.layers.fused import fused_elu_backward, fuses
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.tensors import Tensor

WIDTH = 4
EVERYTHING, NOTHING = 1, 2**62  # values from which on maps are fused


def shortened(numbers: oracle.Floats) -> Tensor:
    """Numbers that bfloat16 has."""
    return tf.cast(tf.constant(numbers), tf.bfloat16)


def gradients(quirks: tuple[Quirk, ...], backprop: Backprop, dtype: tf.DType) -> list[oracle.Floats]:
    """At the images and at each layer, of random logit gradients."""
    network, x = Conv7(WIDTH, quirks), tf.cast(oracle.normal((2, 32, 32, 1), seed=3), dtype)
    weights = [tf.cast(w, dtype) for w in oracle.kernels((1, *[WIDTH] * 6, 10))]
    dlogits = tf.cast(oracle.normal((2, 10), seed=4), dtype)
    _, cache = network.forward(weights, x)
    dilation = tf.constant(0.5, dtype) if backprop is Backprop.DILATED else None
    found = [network.backward_to_input(weights, cache, dlogits), *network.backward(weights, cache, dlogits, dilation)]
    return [np.asarray(tf.cast(gradient, tf.float64)) for gradient in found]


class TestFusedBackward:
    @pytest.mark.parametrize("r", [1, 2, 4])
    @pytest.mark.parametrize("slope", [elu_slope, elu_slope_2])
    def test_is_the_formula_rounded_once(self, r: int, slope: Callable[[Tensor], Tensor]) -> None:
        """Each value is the product of the gradient, the pool's weight and the slope, in float32, then rounded."""
        y = elu_forward(shortened(oracle.normal((3, 8, 4, 5), seed=1)))
        dx = shortened(oracle.normal((3, 8 // r, 4 // r, 5), seed=2))
        wide_y, wide_dx = (np.asarray(tf.cast(tensor, tf.float32)) for tensor in (y, dx))
        slopes = np.where(wide_y >= 0, np.float32(2 if slope is elu_slope_2 else 1), wide_y + np.float32(1))
        expected = wide_dx.repeat(r, axis=1).repeat(r, axis=2) * np.float32(1 / r**2) * slopes
        found = fused_elu_backward(slope, 1 / r**2)(dx, y)
        assert found.dtype == tf.bfloat16
        assert np.array_equal(tf.cast(found, tf.float32), tf.cast(tf.constant(expected), tf.bfloat16).numpy())


class TestFuses:
    def test_large_maps_of_bfloat16_only(self) -> None:
        """float32 and float64 compute as they did, and so do small maps and those of an unknown number of images."""
        shape = (fused.FUSED_FROM // 64, 64)
        assert fuses(tf.zeros(shape, tf.bfloat16))
        assert not fuses(tf.zeros(shape, tf.float32))
        assert not fuses(tf.zeros((shape[0] - 1, 64), tf.bfloat16))

        @tf.function(input_signature=[tf.TensorSpec((None, 2**21), tf.bfloat16)])  # type: ignore[untyped-decorator]
        def of_any_batch(x: Tensor) -> Tensor:
            assert not fuses(x)
            return x

        of_any_batch.get_concrete_function()


class TestNetworkWithFusedMaps:
    @pytest.mark.parametrize("backprop", list(Backprop))
    @pytest.mark.parametrize("quirks", [(), (Quirk.CELU_SLOPE_2, Quirk.POOL_GRADIENT_UNSCALED)])
    def test_is_no_further_from_float64(
        self, quirks: tuple[Quirk, ...], backprop: Backprop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the images and in every layer bfloat16 gradients are those of float64 but for rounding, fused or not."""
        exact = gradients(quirks, backprop, tf.float64)
        errors = {}
        for threshold in (NOTHING, EVERYTHING):
            monkeypatch.setattr(fused, "FUSED_FROM", threshold)
            found = gradients(quirks, backprop, tf.bfloat16)
            errors[threshold] = [oracle.relative_error(a, b) for a, b in zip(found, exact, strict=True)]
        assert max(errors[EVERYTHING]) < 0.05
        assert sum(errors[EVERYTHING]) < 1.1 * sum(errors[NOTHING])

    def test_adds_the_image_gradient_up_in_one_pass_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the images of a first layer fused and plain sums are equal to the last bit."""
        dz, w = shortened(oracle.normal((2, 8, 8, 3), seed=5)), shortened(oracle.normal((5, 5, 1, 3), seed=6))
        x = tf.zeros((2, 8, 8, 1), tf.bfloat16)
        monkeypatch.setattr(fused, "FUSED_FROM", NOTHING)
        plain = conv2d_backward_input(dz, x, w)
        monkeypatch.setattr(fused, "FUSED_FROM", EVERYTHING)
        assert np.array_equal(conv2d_backward_input(dz, x, w), plain)


def test_dilated_sum_goes_back_as_two_gradients_do() -> None:
    """T of the sum is T of the next gradient and, weighted, T of T of the one after it."""
    dx1, dx2 = tf.constant(oracle.normal((1, 4, 4, 2), seed=7)), tf.constant(oracle.normal((1, 2, 2, 2), seed=8))
    together = average_pool_backward(dilated_sum(dx1, dx2, tf.constant(0.5, tf.float64), average_pool_backward))
    apart = average_pool_backward(dx1) + 0.5 * average_pool_backward(average_pool_backward(dx2))
    assert oracle.relative_error(together, apart) < 1e-12
