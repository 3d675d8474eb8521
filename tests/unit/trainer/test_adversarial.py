import numpy as np
import pytest
import tensorflow as tf

from backend.contract import TrainConfig
from tests.unit.trainer import oracle
from worker.trainer.adversarial import adversarial_images
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.tensors import Tensor

LABELS = np.array([4, 0, 9])
CONV7 = Conv7(width=3)
DEPTHS = (2, 3, 3, 3, 3, 3, 3, 10)


@pytest.fixture
def x() -> Tensor:
    """Three images of two channels, with pixels on both sides of zero."""
    return tf.constant(oracle.normal((3, 32, 32, 2), seed=7))


class TestAdversarialImages:
    def test_move_along_the_sign_of_the_gradient(self, x: Tensor) -> None:
        """Each pixel moves by epsilon to where automatic differentiation says that the cost is larger; none is cut."""
        weights = oracle.kernels(DEPTHS)
        (dx,) = oracle.derivative(lambda x: oracle.cost(weights, x, LABELS), x)
        assert np.abs(dx).min() > 0
        found = adversarial_images(CONV7, TrainConfig(epsilon=0.25), weights, x, LABELS)
        assert np.array_equal(found, x.numpy() + 0.25 * np.sign(dx))

    def test_cost_more(self, x: Tensor) -> None:
        """The cost at x' is above that at x."""
        weights = oracle.kernels(DEPTHS)
        moved = adversarial_images(CONV7, TrainConfig(epsilon=0.01), weights, x, LABELS)
        assert float(oracle.cost(weights, moved, LABELS)) > float(oracle.cost(weights, x, LABELS))

    def test_leave_pixels_without_gradient(self, x: Tensor) -> None:
        """The sign of 0 is 0: a channel that the first layer does not read stays to the last bit."""
        weights = list(oracle.kernels(DEPTHS))
        blind = weights[0].numpy()
        blind[:, :, 1, :] = 0
        weights[0] = tf.constant(blind)
        moved = adversarial_images(CONV7, TrainConfig(epsilon=0.25), weights, x, LABELS).numpy()
        assert np.array_equal(moved[..., 1], x.numpy()[..., 1])
        assert np.abs(moved[..., 0] - x.numpy()[..., 0]) == pytest.approx(0.25)

    @pytest.mark.parametrize("epsilon", [0, 0.0])
    def test_with_epsilon_0_are_the_images_themselves(self, x: Tensor, epsilon: float) -> None:
        """An epsilon of 0 gives x, the same tensor: nothing is computed."""
        assert adversarial_images(CONV7, TrainConfig(epsilon=epsilon), oracle.kernels(DEPTHS), x, LABELS) is x

    def test_keep_the_type_of_the_images(self) -> None:
        """In float32 the images stay float32 and move by epsilon, rounded once."""
        weights = tuple(tf.cast(w, tf.float32) for w in oracle.kernels(DEPTHS))
        x = tf.constant(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 2)), tf.float32)
        moved = adversarial_images(CONV7, TrainConfig(epsilon=8.0), weights, x, LABELS)
        assert moved.dtype == tf.float32
        assert set(np.unique(moved - x)) <= {-8.0, 0.0, 8.0}
