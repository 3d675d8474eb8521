import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import worker.trainer
from tests.unit.trainer import oracle
from worker.trainer.dilation import dilated_sum
from worker.trainer.layers.average_pool import average_pool_backward, average_pool_forward
from worker.trainer.layers.convolution import (
    conv2d_backward_filter,
    conv2d_backward_input,
    conv2d_elu_forward,
    conv2d_forward,
)
from worker.trainer.layers.elu import elu_backward, elu_forward
from worker.trainer.layers.upsample import repeat
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.tensors import Tensor

TOLERANCE = 1e-10  # relative, in float64
BATCH = 3
LABELS = np.array([4, 0, 9])
CONV7 = Conv7(width=3)
ONE_WIDTH = (2, 5, 5, 5, 5, 5, 5, 10)
MANY_WIDTHS = (1, 2, 3, 4, 2, 3, 4, 10)


def images(channels: int) -> Tensor:
    return tf.constant(oracle.normal((BATCH, 32, 32, channels), seed=7))


def conv7_gradients(weights: tuple[Tensor, ...], x: Tensor, dilation: float | None = None) -> tuple[Tensor, ...]:
    logits, cache = CONV7.forward(weights, x)
    _, softmax = softmax_cross_entropy_forward(logits, LABELS)
    lambda_ = None if dilation is None else tf.constant(dilation, tf.float64)
    return CONV7.backward(weights, cache, softmax_cross_entropy_backward(softmax), lambda_)


def conv7_cost(weights: tuple[Tensor, ...], x: Tensor) -> float:
    costs, _ = softmax_cross_entropy_forward(CONV7.forward(weights, x)[0], LABELS)
    return float(tf.reduce_mean(costs))


def naive_convolution(x: oracle.Floats, w: oracle.Floats) -> oracle.Floats:
    batch, height, width, _ = x.shape
    kernel_height, kernel_width, _, out = w.shape
    top, left = (kernel_height - 1) // 2, (kernel_width - 1) // 2
    z = np.zeros((batch, height, width, out))
    for n, i, j in np.ndindex(batch, height, width):
        for u, v in np.ndindex(kernel_height, kernel_width):
            p, q = i + u - top, j + v - left
            if 0 <= p < height and 0 <= q < width:
                z[n, i, j] += x[n, p, q] @ w[u, v]
    return z


@pytest.mark.parametrize("kernel", [5, 3, 2, 1])
@pytest.mark.parametrize("channels", [1, 3, 4])
class TestConvolution:
    dz = oracle.normal((2, 5, 4, 2), seed=2)

    @pytest.fixture
    def x(self, channels: int) -> oracle.Floats:
        """Two maps of 5 x 4; up to three channels are few to the gradient at the images, four are many."""
        return oracle.normal((2, 5, 4, channels), seed=1)

    @pytest.fixture
    def w(self, kernel: int, channels: int) -> oracle.Floats:
        """A kernel from all channels to two."""
        return oracle.normal((kernel, kernel, channels, 2), seed=3)

    def test_is_the_sum_of_its_docstring(self, x: oracle.Floats, w: oracle.Floats) -> None:
        """Each element is the sum over the kernel; an even kernel's odd row and column of zeros are at the end."""
        z = conv2d_forward(x, w)
        assert oracle.relative_error(z, naive_convolution(x, w)) < TOLERANCE

    def test_input_gradient_equals_autodiff(self, x: oracle.Floats, w: oracle.Floats) -> None:
        """The hand-written gradient at the images is that of automatic differentiation."""
        dx, _ = oracle.derivative(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), x, w, dy=self.dz)
        assert oracle.relative_error(conv2d_backward_input(self.dz, x, w), dx) < TOLERANCE

    def test_filter_gradient_equals_autodiff(self, x: oracle.Floats, w: oracle.Floats) -> None:
        """The hand-written gradient at the kernel is that of automatic differentiation."""
        _, dw = oracle.derivative(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), x, w, dy=self.dz)
        assert oracle.relative_error(conv2d_backward_filter(self.dz, x, w), dw) < TOLERANCE

    def test_gradients_are_its_adjoints(self, x: oracle.Floats, w: oracle.Floats) -> None:
        """A convolution is linear in images and in kernel, so <dz, z> = <dx, x> = <dw, w>, by naive sums."""
        product = float(np.sum(self.dz * naive_convolution(x, w)))
        dx, dw = conv2d_backward_input(self.dz, x, w), conv2d_backward_filter(self.dz, x, w)
        assert float(tf.reduce_sum(dx * x)) == pytest.approx(product, rel=1e-12)
        assert float(tf.reduce_sum(dw * w)) == pytest.approx(product, rel=1e-12)

    def test_with_elu_is_elu_of_it(self, x: oracle.Floats, w: oracle.Floats) -> None:
        """Fused or not, the convolution with ELU gives what one after the other gives: here in float32, compiled."""
        small, kernel = tf.constant(x, tf.float32), tf.constant(w, tf.float32)
        expected = elu_forward(tf.constant(naive_convolution(x, w)))
        found = tf.function(conv2d_elu_forward)(small, kernel)
        assert oracle.relative_error(found, expected) < 1e-6


class TestElu:
    def test_scaled_is_celu_down_to_its_floor(self) -> None:
        """2 ELU(z / 2) is z above zero and 2 (exp(z / 2) - 1) below, also where exp has long vanished."""
        z = np.concatenate([np.linspace(-12, 12, 97), [-1e3, -300.0, -80.0, -40.0, 80.0, 1e3]])
        expected = np.where(z >= 0, z, 2 * np.expm1(np.minimum(z, 0) / 2))
        y = elu_forward(tf.constant(z / 2))
        assert np.abs(2 * y.numpy() - expected).max() < 1e-14
        slope = elu_backward(tf.ones_like(y), y).numpy()
        assert np.abs(slope - np.exp(np.minimum(z, 0) / 2)).max() < 1e-15

    def test_gradient_equals_autodiff(self) -> None:
        """The hand-written derivative is that of automatic differentiation."""
        z, dy = oracle.normal((4, 5), seed=1, deviation=3.0), oracle.normal((4, 5), seed=2)
        (dz,) = oracle.derivative(lambda z: tf.where(z >= 0, z, tf.exp(tf.minimum(z, 0.0)) - 1), z, dy=dy)
        assert oracle.relative_error(elu_backward(dy, elu_forward(z)), dz) < TOLERANCE

    def test_is_continuous_with_its_slope_at_zero(self) -> None:
        """On both sides of zero value and slope meet: 0 and 1."""
        z = tf.constant([-1e-9, 0.0, 1e-9], tf.float64)
        y = elu_forward(z)
        assert np.abs(y.numpy()).max() < 2e-9
        assert elu_backward(tf.ones_like(y), y).numpy() == pytest.approx([1, 1, 1], abs=1e-9)


class TestAveragePool:
    def test_is_the_mean_of_a_square(self) -> None:
        """Each output is the mean of its own 2 x 2 square."""
        x = np.random.default_rng(0).normal(size=(2, 4, 6, 3))
        expected = x.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
        assert oracle.relative_error(average_pool_forward(tf.constant(x)), expected) < TOLERANCE

    def test_gradient_equals_autodiff(self) -> None:
        """The hand-written gradient is that of automatic differentiation, its quarter included."""
        x, dy = oracle.normal((2, 4, 6, 3), seed=1), oracle.normal((2, 2, 3, 3), seed=2)
        (dx,) = oracle.derivative(oracle.pool, x, dy=dy)
        assert oracle.relative_error(average_pool_backward(dy), dx) < TOLERANCE


class TestRepeat:
    @pytest.mark.parametrize("r", [1, 2, 4])
    def test_equals_numpy(self, r: int) -> None:
        """U_r is np.repeat along height and width."""
        x = oracle.normal((2, 3, 5, 2), seed=1)
        assert np.array_equal(repeat(x, r), oracle.repeat(x, r))


class TestSoftmaxCrossEntropy:
    logits = oracle.normal((BATCH, 10), seed=5, deviation=4.0)

    def test_is_minus_the_logarithm_of_the_true_class(self) -> None:
        """The cost of an image is -log of the probability that its class is given."""
        exponentials = np.exp(self.logits)
        expected = -np.log((exponentials / exponentials.sum(axis=1, keepdims=True))[range(BATCH), LABELS])
        costs, _ = softmax_cross_entropy_forward(self.logits, LABELS)
        assert oracle.relative_error(costs, expected) < TOLERANCE

    def test_gradient_of_the_mean_equals_autodiff(self) -> None:
        """The hand-written gradient is that of the batch's mean cost."""
        (expected,) = oracle.derivative(
            lambda logits: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)), self.logits
        )
        _, cache = softmax_cross_entropy_forward(self.logits, LABELS)
        assert oracle.relative_error(softmax_cross_entropy_backward(cache), expected) < TOLERANCE

    def test_stays_finite_at_large_logits(self) -> None:
        """Logits of a thousand, whose exponentials overflow, still have their cost and gradient."""
        costs, cache = softmax_cross_entropy_forward(tf.constant([[1000.0, 0.0], [1000.0, 0.0]]), tf.constant([0, 1]))
        assert costs.numpy().tolist() == [0.0, 1000.0]
        assert softmax_cross_entropy_backward(cache).numpy().tolist() == [[0.0, 0.0], [0.5, -0.5]]


class TestConv7:
    def test_logits_equal_those_of_the_plain_formulas(self) -> None:
        """The forward pass is convolutions of 5, 3, 1, 3, 1, 2, 1 pools before the last five, CELU after all."""
        weights, x = oracle.kernels(MANY_WIDTHS), images(1)
        logits, _ = CONV7.forward(weights, x)
        assert logits.shape == (BATCH, 10)
        assert oracle.relative_error(logits, oracle.logits(weights, x)) < TOLERANCE

    @pytest.mark.parametrize("depths", [ONE_WIDTH, MANY_WIDTHS])
    def test_weight_gradients_equal_autodiff(self, depths: tuple[int, ...]) -> None:
        """Without dilation each layer's gradient is that of automatic differentiation."""
        weights, x = oracle.kernels(depths), images(depths[0])
        expected = oracle.derivative(lambda weights: oracle.cost(weights, x, LABELS), weights)
        for k, (dw, reference) in enumerate(zip(conv7_gradients(weights, x), expected, strict=True), start=1):
            assert oracle.relative_error(dw, reference) < TOLERANCE, f"layer {k}"

    @pytest.mark.parametrize("depths", [ONE_WIDTH, MANY_WIDTHS])
    def test_image_gradient_equals_autodiff(self, depths: tuple[int, ...]) -> None:
        """The gradient at the images is that of automatic differentiation."""
        weights, x = oracle.kernels(depths), images(depths[0])
        (expected,) = oracle.derivative(lambda x: oracle.cost(weights, x, LABELS), x)
        logits, cache = CONV7.forward(weights, x)
        _, softmax = softmax_cross_entropy_forward(logits, LABELS)
        dx = CONV7.backward_to_input(weights, cache, softmax_cross_entropy_backward(softmax))
        assert oracle.relative_error(dx, expected) < TOLERANCE

    def test_weight_gradients_equal_central_differences(self) -> None:
        """Moving one weight of each layer by a little changes the cost as its gradient says."""
        weights, x, h = oracle.kernels(ONE_WIDTH), images(2), 1e-5
        for k, dw in enumerate(conv7_gradients(weights, x)):
            place = np.unravel_index(np.abs(dw).argmax(), dw.shape)
            costs = []
            for step in (h, -h):
                moved = weights[k].numpy()
                moved[place] += step
                costs.append(conv7_cost((*weights[:k], tf.constant(moved), *weights[k + 1 :]), x))
            assert (costs[0] - costs[1]) / (2 * h) == pytest.approx(dw.numpy()[place], rel=1e-6), f"layer {k + 1}"

    def test_refuses_images_of_another_size(self) -> None:
        """Images that are not 32 x 32 are refused with both sizes named."""
        with pytest.raises(ValueError, match="32x32 pixels, not 28x30"):
            CONV7.forward(oracle.kernels(MANY_WIDTHS), tf.zeros((1, 28, 30, 1), tf.float64))

    @pytest.mark.parametrize(("width", "channels", "parameters"), [(128, 1, 397_696), (256, 3, 1_594_624)])
    def test_has_the_published_number_of_weights(self, width: int, channels: int, parameters: int) -> None:
        """Widths 128 on grey and 256 on colour images have as many weights as the article's networks."""
        weights = Conv7(width).initial_weights((32, 32, channels), 0)
        assert sum(int(tf.size(w)) for w in weights) == parameters
        assert [tuple(w.shape) for w in weights][::6] == [(5, 5, channels, width), (1, 1, width, 10)]

    def test_first_weights_are_normal_and_decided_by_the_seed(self) -> None:
        """Weights begin as Normal(0, 0.05): equal for equal seeds, others for another seed and in another layer."""
        first, again, other = (Conv7(width=32).initial_weights((32, 32, 1), seed) for seed in (5, 5, 6))
        largest = first[1].numpy().ravel()
        assert largest.mean() == pytest.approx(0, abs=0.002)
        assert largest.std() == pytest.approx(0.05, rel=0.03)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        assert not np.array_equal(first[2], first[4])


class TestDilation:
    @pytest.mark.parametrize("weight", [0.5, 3.0])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_gradients_equal_a_composition_of_layers(self, weight: float, channels: int) -> None:
        """Every layer's dilated gradient is what the rule composes of automatic per-layer products."""
        weights, x = oracle.kernels((channels, *ONE_WIDTH[1:])), images(channels)
        expected = oracle.dilated_gradients(weights, x, LABELS, weight)
        for k, (dw, reference) in enumerate(zip(conv7_gradients(weights, x, weight), expected, strict=True), start=1):
            assert oracle.relative_error(dw, reference) < TOLERANCE, f"layer {k}"

    def test_changes_layers_1_to_5_only(self) -> None:
        """The last two layers have no layer two steps later: their gradients stay, all others change."""
        weights, x = oracle.kernels(ONE_WIDTH), images(2)
        pairs = zip(conv7_gradients(weights, x, 0.5), conv7_gradients(weights, x), strict=True)
        errors = [oracle.relative_error(dilated, plain) for dilated, plain in pairs]
        assert min(errors[:5]) > 1e-3
        assert errors[5:] == [0, 0]

    def test_with_lambda_0_is_the_gradient(self) -> None:
        """The weight 0 gives the gradient itself, to the last bit but for the sign of a zero."""
        weights, x = oracle.kernels(ONE_WIDTH), images(2)
        for dilated, plain in zip(conv7_gradients(weights, x, 0.0), conv7_gradients(weights, x), strict=True):
            assert np.array_equal(dilated, plain)

    def test_of_unequal_widths_is_refused(self) -> None:
        """Gradients of layers with different numbers of channels can't be added."""
        with pytest.raises(ValueError, match=r"one width, not of \d and \d channels"):
            conv7_gradients(oracle.kernels(MANY_WIDTHS), images(1), 0.5)
        with pytest.raises(ValueError, match="not of 3 and 1 channels"):  # and never spread over all by broadcasting
            dilated_sum(tf.zeros((1, 2, 2, 3)), tf.zeros((1, 1, 1, 1)), tf.constant(0.5), average_pool_backward)


class TestSource:
    def test_never_differentiates_automatically(self) -> None:
        """No file of the trainer names an automatic derivative: every gradient is written by hand."""
        files = list(Path(worker.trainer.__path__[0]).rglob("*.py"))
        assert len(files) > 10
        automatic = re.compile(r"GradientTape|ForwardAccumulator|\bgradients\(|\.gradient\(|custom_gradient|\bkeras\b")
        assert [file.name for file in files if automatic.search(file.read_text())] in ([], ["audit.py"])
