from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import TrainConfig
from tests.unit.trainer import oracle
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.state import Learned, Sums, TrainerState
from worker.trainer.step import evaluation_step, training_step
from worker.trainer.tensors import Tensor

LABELS = np.array([4, 0, 9, 4])
DEPTHS = (2, 5, 5, 5, 5, 5, 5, 10)
CONFIG = TrainConfig(epsilon=0.25, learning_rate=0.01, beta1=0.7, beta2=0.8)
TOLERANCE = 1e-10
LAYERS = 7
CONV7 = Conv7(width=5)


@pytest.fixture
def x() -> Tensor:
    """Four images of two channels."""
    return tf.constant(oracle.normal((4, 32, 32, 2), seed=7))


@pytest.fixture
def learned() -> Learned:
    """A network in float64 before its first step."""
    return TrainerState.start(CONFIG, oracle.kernels(DEPTHS)).learned


def moved_images(weights: tuple[Tensor, ...], x: Tensor) -> Tensor:
    (dx,) = oracle.derivative(lambda x: oracle.cost(weights, x, LABELS), x)
    return tf.constant(x.numpy() + CONFIG.epsilon * np.sign(dx))


def gradients_of_update(learned: Learned) -> list[Tensor]:
    """The gradients that the first update came from: AMSGrad's mean is (1 - beta1) of them."""
    return [mean / (1 - CONFIG.beta1) for mean in learned.optimizer.mean]


def operations(config: TrainConfig, learned: Learned, x: Tensor) -> Counter[str]:
    """How often each operation stands in the traced step."""

    def step(learned: Learned, x: Tensor) -> Learned:
        return training_step(CONV7, config, learned, x, LABELS, None)

    traced = tf.function(step, autograph=False).get_concrete_function(learned, x)
    return Counter(operation.type for operation in traced.graph.get_operations())


class TestTrainingStep:
    def test_gradient_is_that_at_the_moved_images(self, learned: Learned, x: Tensor) -> None:
        """The update comes from the gradients at x' alone, as automatic differentiation gives them there."""
        moved = moved_images(learned.weights, x)
        expected = oracle.derivative(lambda weights: oracle.cost(weights, moved, LABELS), learned.weights)
        clean = oracle.derivative(lambda weights: oracle.cost(weights, x, LABELS), learned.weights)
        found = gradients_of_update(training_step(CONV7, CONFIG, learned, x, LABELS, None))
        for k in range(LAYERS):
            assert oracle.relative_error(found[k], expected[k]) < TOLERANCE, f"layer {k + 1}"
            assert oracle.relative_error(found[k], clean[k]) > 1e-3, f"layer {k + 1}"

    def test_only_the_update_is_dilated(self, learned: Learned, x: Tensor) -> None:
        """With dilation x' is made by the plain gradient, and the update at that x' by the dilated rule."""
        moved = moved_images(learned.weights, x)
        expected = oracle.dilated_gradients(learned.weights, moved, LABELS, 0.5)
        found = gradients_of_update(training_step(CONV7, CONFIG, learned, x, LABELS, tf.constant(0.5, tf.float64)))
        for k in range(LAYERS):
            assert oracle.relative_error(found[k], expected[k]) < TOLERANCE, f"layer {k + 1}"

    def test_weights_move_by_one_step_of_amsgrad(self, learned: Learned, x: Tensor) -> None:
        """Weights go against the mean gradient by learning_rate / (sqrt(vmax) + 1e-8), with the run's own decays."""
        moved = moved_images(learned.weights, x)
        gradients = oracle.derivative(lambda weights: oracle.cost(weights, moved, LABELS), learned.weights)
        after = training_step(CONV7, CONFIG, learned, x, LABELS, None)
        for k, g in enumerate(gradients):
            change = -0.01 * (1 - 0.7) * g / (np.sqrt((1 - 0.8) * g**2) + 1e-8)
            assert oracle.relative_error(after.weights[k] - learned.weights[k], change) < 1e-8, f"layer {k + 1}"

    def test_measures_the_moved_images_before_the_update(self, learned: Learned, x: Tensor) -> None:
        """Cost and correct answers are those on x' by the weights before the step, added to the sums so far."""
        logits = oracle.logits(learned.weights, moved_images(learned.weights, x)).numpy()
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)
        before = learned._replace(sums=Sums(tf.constant(100.0, tf.float64), tf.constant(50, tf.int64)))
        after = training_step(CONV7, CONFIG, before, x, LABELS, None)
        assert float(after.sums.cost) == pytest.approx(100 + float(tf.reduce_sum(costs)), rel=1e-12)
        assert int(after.sums.correct) == 50 + int((logits.argmax(axis=1) == LABELS).sum())

    def test_counts_correct_answers(self, learned: Learned, x: Tensor) -> None:
        """All answers that the network gives are correct where they are the labels, and none where they are not."""
        plain = CONFIG.model_copy(update={"epsilon": 0.0})
        answers = oracle.logits(learned.weights, x).numpy().argmax(axis=1)
        assert int(training_step(CONV7, plain, learned, x, answers, None).sums.correct) == 4
        assert int(training_step(CONV7, plain, learned, x, (answers + 1) % 10, None).sums.correct) == 0

    @pytest.mark.parametrize(("epsilon", "forward", "backward_input"), [(0.25, 14, 12), (0.0, 7, 6)])
    def test_builds_no_gradient_that_nobody_reads(
        self, learned: Learned, x: Tensor, epsilon: float, forward: int, backward_input: int
    ) -> None:
        """The first pass has no filter gradient, the second none at the images; epsilon = 0 has no first pass.

        That at the images is a matrix product, not a convolution.
        """
        found = operations(CONFIG.model_copy(update={"epsilon": epsilon}), learned, x)
        assert found["Conv2D"] == forward
        assert found["Conv2DBackpropFilter"] == 7
        assert found["Conv2DBackpropInput"] == backward_input

    def test_changes_nothing_that_it_was_given(self, learned: Learned, x: Tensor) -> None:
        """State is passed, never kept: the same step from the same state gives the same bits."""
        first, second = (training_step(CONV7, CONFIG, learned, x, LABELS, None) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True))


class TestEvaluationStep:
    def test_measures_clean_images(self, learned: Learned, x: Tensor) -> None:
        """The sums grow by cost and correct answers on the images as they are."""
        logits = oracle.logits(learned.weights, x).numpy()
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)
        before = Sums(tf.constant(2.0, tf.float64), tf.constant(3, tf.int64))
        sums = evaluation_step(CONV7, CONFIG, learned.weights, before, x, LABELS)
        assert float(sums.cost) == pytest.approx(2 + float(tf.reduce_sum(costs)), rel=1e-12)
        assert int(sums.correct) == 3 + int((logits.argmax(axis=1) == LABELS).sum())

    def test_adds_up_in_double_precision(self) -> None:
        """A small batch still counts after a sum at which float32 would lose it."""
        weights = tuple(tf.cast(w, tf.float32) for w in oracle.kernels(DEPTHS))
        x = tf.constant(oracle.normal((4, 32, 32, 2), seed=7), tf.float32)
        large = Sums(tf.constant(2.0**33, tf.float64), tf.constant(0, tf.int64))
        grown = evaluation_step(CONV7, CONFIG, weights, large, x, LABELS)
        alone = evaluation_step(CONV7, CONFIG, weights, Sums.zero(), x, LABELS)
        assert float(grown.cost) - 2.0**33 == pytest.approx(float(alone.cost), rel=1e-6)
