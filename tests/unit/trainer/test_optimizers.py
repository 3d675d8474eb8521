import math

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import Optimizer, Quirk, TrainConfig
from worker.trainer.optimizers import OptimizerState, fused_optimizer_update, optimizer_start, optimizer_update
from worker.trainer.tensors import Tensor

CONFIG = TrainConfig(learning_rate=0.1, beta1=0.9, beta2=0.8)
STEP = np.int64(0)


def number(value: float) -> Tensor:
    return tf.constant(value, tf.float64)


def start(*weights: Tensor) -> OptimizerState:
    return optimizer_start(Optimizer.AMSGRAD, weights)


def changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(CONFIG.model_dump() | changes)


def updated(w: Tensor, g: Tensor, state: OptimizerState, config: TrainConfig = CONFIG) -> tuple[Tensor, OptimizerState]:
    (w,), state = optimizer_update(config, (w,), (g,), state)
    return w, state


class TestAmsgrad:
    def test_three_steps_by_hand(self) -> None:
        """Gradients 4, 1, -1: the mean decays by 0.9, the square by 0.8, and the largest square stays as it falls."""
        w, state = number(1.0), start(number(1.0))
        expected_w = 1.0
        for g, m, v in (
            (4.0, 0.4, 3.2),  # 0.1 * 4;               0.2 * 16
            (1.0, 0.46, 2.76),  # 0.9 * 0.4 + 0.1 * 1;   0.8 * 3.2 + 0.2 * 1
            (-1.0, 0.314, 2.408),  # 0.9 * 0.46 - 0.1 * 1;  0.8 * 2.76 + 0.2 * 1
        ):
            w, state = updated(w, number(g), state)
            expected_w -= 0.1 * m / (math.sqrt(3.2) + 1e-8)
            assert float(state.mean[0]) == pytest.approx(m, rel=1e-14)
            assert float(state.square[0]) == pytest.approx(v, rel=1e-14)
            assert float(state.largest_square[0]) == pytest.approx(3.2, rel=1e-14)
            assert float(w) == pytest.approx(expected_w, rel=1e-14)

    def test_largest_square_rises_again(self) -> None:
        """A mean square above the largest so far takes its place."""
        state = OptimizerState(tf.constant(STEP), *((number(value),) for value in (0.0, 1.0, 2.0)))
        _, state = updated(number(0.0), number(5.0), state)
        assert float(state.largest_square[0]) == pytest.approx(5.8, rel=1e-14)  # 0.8 * 1 + 0.2 * 25

    def test_each_weight_keeps_its_own_largest_square(self) -> None:
        """The maximum is taken for each weight, not for a layer as a whole."""
        state = OptimizerState(tf.constant(STEP), *((tf.constant([1.0, 9.0], tf.float64),) for _ in range(3)))
        _, state = updated(tf.zeros(2, tf.float64), tf.constant([6.0, 0.0], tf.float64), state)
        assert state.largest_square[0].numpy().tolist() == pytest.approx([8.0, 9.0], rel=1e-14)

    def test_first_step_has_no_bias_correction(self) -> None:
        """With equal decays of 0.9 each weight first moves by 0.316 of the learning rate, whatever its gradient."""
        g = tf.constant([3.0, -1e-3, 700.0], tf.float64)
        w, _ = updated(g * 0, g, start(g), changed(learning_rate=1.0, beta1=0.9, beta2=0.9))
        assert w.numpy().tolist() == pytest.approx([-math.sqrt(0.1), math.sqrt(0.1), -math.sqrt(0.1)], rel=1e-4)

    def test_a_weight_without_gradient_stays(self) -> None:
        """Where no gradient ever came, the step is 0 / 1e-8 and not 0 / 0."""
        w, _ = updated(number(0.7), number(0.0), start(number(0.0)))
        assert float(w) == 0.7

    def test_layers_are_apart(self) -> None:
        """Each layer is updated from its own gradient and state, in its own shape and type."""
        weights = (tf.zeros((2, 3)), tf.zeros((1, 4)))
        gradients = (tf.ones((2, 3)), -tf.ones((1, 4)))
        moved, state = optimizer_update(
            changed(learning_rate=1.0, beta1=0.0, beta2=0.0), weights, gradients, start(*weights)
        )
        assert moved[0].numpy() == pytest.approx(np.full((2, 3), -1.0), rel=1e-6)
        assert moved[1].numpy() == pytest.approx(np.full((1, 4), 1.0), rel=1e-6)
        assert [part.dtype for part in tf.nest.flatten(state)] == [tf.int64] + [tf.float32] * 6

    def test_with_bias_correction_first_moves_by_the_learning_rate(self) -> None:
        """Corrected by 1 - beta1 and 1 - beta2 the first step is learning_rate against the gradient's sign."""
        g = tf.constant([3.0, -1e-3, 700.0], tf.float64)
        w, state = updated(g * 0, g, start(g), changed(bias_correction=True))
        assert w.numpy().tolist() == pytest.approx([-0.1, 0.1, -0.1], rel=1e-4)
        w, state = updated(w, g, state, changed(bias_correction=True))
        assert w.numpy().tolist() == pytest.approx([-0.2, 0.2, -0.2], rel=1e-4)

    def test_of_the_scripts_replaces_a_layers_largest_squares_as_a_whole(self) -> None:
        """With amsgrad_whole_tensor vmax becomes v where v's sum is larger, and stays as it is where it is not."""
        quirk = changed(quirks=[Quirk.AMSGRAD_WHOLE_TENSOR])
        state = OptimizerState(tf.constant(STEP), *((tf.constant([1.0, 9.0], tf.float64),) for _ in range(3)))
        _, larger = updated(tf.zeros(2, tf.float64), tf.constant([6.0, 0.0], tf.float64), state, quirk)
        assert larger.largest_square[0].numpy().tolist() == pytest.approx([8.0, 7.2], rel=1e-14)
        _, smaller = updated(tf.zeros(2, tf.float64), tf.constant([3.0, 0.0], tf.float64), state, quirk)
        assert smaller.largest_square[0].numpy().tolist() == [1.0, 9.0]


class TestAdam:
    def test_divides_by_the_newest_mean_square(self) -> None:
        """Adam remembers no largest square: gradients 4 and 1 are divided by sqrt(3.2) and sqrt(2.76)."""
        config = changed(optimizer=Optimizer.ADAM)
        w, state = updated(number(0.0), number(4.0), optimizer_start(Optimizer.ADAM, (number(0.0),)), config)
        assert state.largest_square == ()
        assert float(w) == pytest.approx(-0.1 * 0.4 / math.sqrt(3.2), rel=1e-7)
        w, _ = updated(w, number(1.0), state, config)
        assert float(w) == pytest.approx(-0.1 * 0.4 / math.sqrt(3.2) - 0.1 * 0.46 / math.sqrt(2.76), rel=1e-7)

    def test_equals_keras(self) -> None:
        """Three corrected steps are those of a well-known implementation."""
        config = changed(optimizer=Optimizer.ADAM, bias_correction=True)
        reference, variable = tf.keras.optimizers.Adam(0.1, 0.9, 0.8, 1e-8), tf.Variable(tf.constant([0.5, -0.5]))
        w, state = tf.constant([0.5, -0.5]), optimizer_start(Optimizer.ADAM, (tf.zeros(2),))
        for g in ([1.0, -2.0], [0.5, 3.0], [-4.0, 0.1]):
            w, state = updated(w, tf.constant(g), state, config)
            reference.apply_gradients([(tf.constant(g), variable)])
            assert w.numpy() == pytest.approx(variable.numpy(), rel=1e-5)


class TestFusedUpdate:
    @pytest.mark.parametrize(
        "changes", [{}, {"optimizer": "adam", "bias_correction": True}, {"quirks": ["amsgrad_whole_tensor"]}]
    )
    def test_differs_by_rounding_alone(self, changes: dict[str, object]) -> None:
        """Three fused steps give the weights and the memory of three plain ones, for each optimizer and quirk."""
        config = changed(**changes)
        random = np.random.default_rng(0)
        plain = fused = (weights := (tf.constant(random.normal(size=(8, 5))), tf.constant(random.normal(size=5))))
        plain_state = fused_state = optimizer_start(config.optimizer, weights)
        for _ in range(3):
            gradients = tuple(tf.constant(random.normal(size=w.shape)) for w in weights)
            plain, plain_state = optimizer_update(config, plain, gradients, plain_state)
            fused, fused_state = fused_optimizer_update(config, fused, gradients, fused_state)
        for ours, theirs in zip(
            tf.nest.flatten((fused, fused_state)), tf.nest.flatten((plain, plain_state)), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)
