"""The networks' quirks, and the multi-layer perceptron, against automatic differentiation in float64."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from backend.contract import PRESETS, Quirk, TrainConfig
from tests.unit.trainer import oracle
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.networks.mlp import Mlp
from worker.trainer.state import Sums
from worker.trainer.step import evaluation_step
from worker.trainer.tensors import Tensor

TOLERANCE = 1e-10
LABELS = np.array([4, 0, 9])
WIDTH = 5
SIZES = (4 * 3 * 2, WIDTH, WIDTH, 10)
DEPTHS = (2, 3, 3, 3, 3, 3, 3, 10)


def mlp_weights() -> tuple[Tensor, ...]:
    """Weights and biases, large enough that some units are off."""
    weights: list[Tensor] = []
    for k in range(3):
        weights.append(tf.constant(oracle.normal(SIZES[k : k + 2], seed=k, deviation=0.6)))
        weights.append(tf.constant(oracle.normal(SIZES[k + 1 : k + 2], seed=10 + k, deviation=0.3)))
    return tuple(weights)


@pytest.fixture
def x() -> Tensor:
    """Three images of 4 x 3 pixels in two channels."""
    return tf.constant(oracle.normal((3, 4, 3, 2), seed=7))


def mlp_gradients(x: Tensor, dilation: float | None = None) -> tuple[Tensor, ...]:
    network, weights = Mlp(WIDTH), mlp_weights()
    logits, cache = network.forward(weights, x)
    _, softmax = softmax_cross_entropy_forward(logits, LABELS)
    weight = None if dilation is None else tf.constant(dilation, tf.float64)
    return network.backward(weights, cache, softmax_cross_entropy_backward(softmax), weight)


class TestMlp:
    def test_weight_gradients_equal_autodiff(self, x: Tensor) -> None:
        """Weights and biases of each layer get the gradient of automatic differentiation."""
        expected = oracle.derivative(lambda weights: oracle.mlp_cost(weights, x, LABELS), mlp_weights())
        for found, wanted in zip(mlp_gradients(x), expected, strict=True):
            assert oracle.relative_error(found, wanted) < TOLERANCE

    def test_image_gradient_equals_autodiff(self, x: Tensor) -> None:
        """The gradient at the pixels is that of automatic differentiation, laid flat."""
        network, weights = Mlp(WIDTH), mlp_weights()
        (expected,) = oracle.derivative(lambda x: oracle.mlp_cost(weights, x, LABELS), x)
        logits, cache = network.forward(weights, x)
        _, softmax = softmax_cross_entropy_forward(logits, LABELS)
        dx = network.backward_to_input(weights, cache, softmax_cross_entropy_backward(softmax))
        assert oracle.relative_error(tf.reshape(dx, x.shape), expected) < TOLERANCE

    def test_dilated_gradients_equal_a_composition_of_layers(self, x: Tensor) -> None:
        """Layer 1 gets G_2 + lambda G_3 before its ReLU; layers 2 and 3 stay as they are."""
        w1, b1, w2, b2, w3, b3 = mlp_weights()
        flat, first, second, logits = oracle.mlp_layers((w1, b1, w2, b2, w3, b3), x)
        (start,) = oracle.derivative(
            lambda logits: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)), logits
        )
        (g3,) = oracle.derivative(lambda second: second @ w3 + b3, second, dy=start)
        (g2,) = oracle.derivative(lambda first: tf.maximum(first @ w2 + b2, 0), first, dy=g3)
        expected = oracle.derivative(lambda w1, b1: tf.maximum(flat @ w1 + b1, 0), w1, b1, dy=g2 + 0.7 * g3)
        dilated, plain = mlp_gradients(x, 0.7), mlp_gradients(x)
        for found, wanted, unchanged in zip(dilated[:2], expected, plain[:2], strict=True):
            assert oracle.relative_error(found, wanted) < TOLERANCE
            assert oracle.relative_error(found, unchanged) > 1e-3
        assert all(np.array_equal(found, unchanged) for found, unchanged in zip(dilated[2:], plain[2:], strict=True))

    def test_dilated_with_lambda_0_is_the_gradient(self, x: Tensor) -> None:
        """The weight 0 gives the gradient of automatic differentiation, in every layer."""
        expected = oracle.derivative(lambda weights: oracle.mlp_cost(weights, x, LABELS), mlp_weights())
        for found, wanted in zip(mlp_gradients(x, 0.0), expected, strict=True):
            assert oracle.relative_error(found, wanted) < TOLERANCE

    def test_first_weights_are_normal_and_biases_0(self) -> None:
        """Weights begin as Normal(0, 0.05) by the seed, biases at 0, for the image's own pixels."""
        weights = Mlp(400).initial_weights((28, 28, 1), 3)
        assert [tuple(w.shape) for w in weights] == [(784, 400), (400,), (400, 400), (400,), (400, 10), (10,)]
        assert weights[0].numpy().std() == pytest.approx(0.05, rel=0.02)
        assert all(not np.any(b) for b in weights[1::2])


class TestQuirksOfConv7:
    x = oracle.normal((3, 32, 32, 2), seed=7)

    def gradients(self, *quirks: Quirk, dilation: float | None = None) -> tuple[Tensor, ...]:
        """The weights' gradients by the scripts' arithmetic."""
        network, weights = Conv7(3, quirks), oracle.kernels(DEPTHS)
        logits, cache = network.forward(weights, tf.constant(self.x))
        _, softmax = softmax_cross_entropy_forward(logits, LABELS)
        weight = None if dilation is None else tf.constant(dilation, tf.float64)
        return network.backward(weights, cache, softmax_cross_entropy_backward(softmax), weight)

    @pytest.mark.parametrize("dilation", [None, 0.5])
    def test_unscaled_pools_scale_each_layer_by_a_power_of_four(self, dilation: float | None) -> None:
        """Without the divisions layer k's gradient is 4^n times the exact one, n = 5, 5, 4, 3, 2, 1, 0; so dilated."""
        quirky = self.gradients(Quirk.POOL_GRADIENT_UNSCALED, dilation=dilation)
        exact = self.gradients(dilation=dilation)
        for n, found, wanted in zip((5, 5, 4, 3, 2, 1, 0), quirky, exact, strict=True):
            assert oracle.relative_error(found, 4.0**n * wanted.numpy()) < TOLERANCE

    def test_celu_slope_2_changes_the_direction(self) -> None:
        """A slope of 2 above zero is no derivative: every layer's gradient points elsewhere."""
        for found, wanted in zip(self.gradients(Quirk.CELU_SLOPE_2), self.gradients(), strict=True):
            one, other = found.numpy().ravel(), wanted.numpy().ravel()
            assert one @ other < 0.999 * np.linalg.norm(one) * np.linalg.norm(other)

    def test_celu_slope_2_is_the_scripts_slope(self) -> None:
        """Composed of per-layer products with slope 2 for z >= 0, and exp(z / 2) below, by hand."""
        w = oracle.kernels(DEPTHS)[-1]
        network, weights = Conv7(3, [Quirk.CELU_SLOPE_2]), oracle.kernels(DEPTHS)
        logits, cache = network.forward(weights, tf.constant(self.x))
        dlogits = oracle.normal((3, 10), seed=9)
        found = network.backward(weights, cache, tf.constant(dlogits))[-1]
        x = oracle.ALPHA * cache[-1].x.numpy().reshape(3, -1)
        z = x @ w.numpy().reshape(x.shape[1], 10)
        assert np.allclose(logits, np.where(z >= 0, z, 2 * np.expm1(np.minimum(z, 0) / 2)))
        slope = np.where(z >= 0, 2.0, np.exp(np.minimum(z, 0) / 2))
        assert oracle.relative_error(tf.reshape(found, [-1, 10]), x.T @ (dlogits * slope)) < TOLERANCE


class TestOtherQuirks:
    def test_summed_cost_gradient_is_the_batch_times_larger(self) -> None:
        """cost_gradient_summed leaves the division by the batch out."""
        _, cache = softmax_cross_entropy_forward(tf.constant(oracle.normal((3, 10), seed=1)), LABELS)
        mean, total = (softmax_cross_entropy_backward(cache, summed=summed).numpy() for summed in (False, True))
        assert total == pytest.approx(3 * mean, rel=1e-14)

    def test_cost_of_softmax_has_the_scripts_floor(self) -> None:
        """A sure and right answer costs ln(1 + 9 / e) = 1.4612 where softmax outputs are taken for logits."""

        class Sure:
            def forward(self, _weights: object, x: Tensor) -> tuple[Tensor, Any]:
                return 1000 * tf.one_hot(LABELS, 10, dtype=x.dtype), None

        config = TrainConfig(quirks=[Quirk.TEST_COST_OF_SOFTMAX])
        zero = Sums.zero()
        sums = evaluation_step(Sure(), config, [tf.constant(0.0)], zero, tf.zeros([3, 2, 2, 1]), LABELS)  # type: ignore[arg-type]
        assert float(sums.cost) / 3 == pytest.approx(1.4612, abs=5e-5)
        assert float(sums.cost) / 3 == pytest.approx(np.log(1 + 9 / np.e), rel=1e-6)

    def test_of_another_network_are_refused(self) -> None:
        """A quirk that a network can't have is an error that names it; so is AMSGrad's for Adam."""
        with pytest.raises(ValidationError, match="celu_slope_2, which mlp can't have"):
            TrainConfig(network="mlp", quirks=["celu_slope_2"])
        with pytest.raises(ValidationError, match="amsgrad_whole_tensor, but optimizer is adam"):
            TrainConfig(optimizer="adam", quirks=["amsgrad_whole_tensor"])

    def test_are_kept_once_and_in_one_order(self) -> None:
        """Equal sets of quirks make equal configurations."""
        one = TrainConfig(quirks=["test_own_statistics", "celu_slope_2", "celu_slope_2"])
        assert one == TrainConfig(quirks=["celu_slope_2", "test_own_statistics"])


class TestPresets:
    @pytest.mark.parametrize("case", ["case-a", "case-b", "case-c"])
    def test_cases_have_all_quirks_and_their_twins_none(self, case: str) -> None:
        """Published is all six quirks; exact differs in nothing else; baseline and small are exact."""
        published, exact = PRESETS[case].config, PRESETS[f"{case}-exact"].config
        assert set(published.quirks) == set(Quirk)
        assert published.model_copy(update={"quirks": ()}) == exact
        assert PRESETS[f"{case}-baseline"].config == exact.model_copy(update={"epsilon": 0})
        small = PRESETS[f"{case}-small"].config
        assert small == exact.model_copy(update={"width": small.width, "epochs": small.epochs})

    def test_are_valid_configurations(self) -> None:
        """Each survives the journey through JSON."""
        for preset in PRESETS.values():
            assert TrainConfig.model_validate_json(preset.config.model_dump_json()) == preset.config
