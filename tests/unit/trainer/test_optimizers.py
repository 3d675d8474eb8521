import math

import numpy as np
import pytest
import tensorflow as tf

from worker.trainer.optimizers import AmsgradState, amsgrad_start, amsgrad_update
from worker.trainer.tensors import Tensor

LEARNING_RATE, BETA1, BETA2 = 0.1, 0.9, 0.8


def number(value: float) -> Tensor:
    return tf.constant(value, tf.float64)


def updated(w: Tensor, g: Tensor, state: AmsgradState) -> tuple[Tensor, AmsgradState]:
    (w,), state = amsgrad_update((w,), (g,), state, learning_rate=LEARNING_RATE, beta1=BETA1, beta2=BETA2)
    return w, state


class TestAmsgrad:
    def test_three_steps_by_hand(self) -> None:
        """Gradients 4, 1, -1: the mean decays by 0.9, the square by 0.8, and the largest square stays as it falls."""
        w, state = number(1.0), amsgrad_start((number(1.0),))
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
        state = AmsgradState(*((number(value),) for value in (0.0, 1.0, 2.0)))
        _, state = updated(number(0.0), number(5.0), state)
        assert float(state.largest_square[0]) == pytest.approx(5.8, rel=1e-14)  # 0.8 * 1 + 0.2 * 25

    def test_each_weight_keeps_its_own_largest_square(self) -> None:
        """The maximum is taken for each weight, not for a layer as a whole."""
        state = AmsgradState(*((tf.constant([1.0, 9.0], tf.float64),) for _ in range(3)))
        _, state = updated(tf.zeros(2, tf.float64), tf.constant([6.0, 0.0], tf.float64), state)
        assert state.largest_square[0].numpy().tolist() == pytest.approx([8.0, 9.0], rel=1e-14)

    def test_first_step_has_no_bias_correction(self) -> None:
        """With equal decays of 0.9 each weight first moves by 0.316 of the learning rate, whatever its gradient."""
        g = tf.constant([3.0, -1e-3, 700.0], tf.float64)
        (w,), _ = amsgrad_update((g * 0,), (g,), amsgrad_start((g,)), learning_rate=1.0, beta1=0.9, beta2=0.9)
        assert w.numpy().tolist() == pytest.approx([-math.sqrt(0.1), math.sqrt(0.1), -math.sqrt(0.1)], rel=1e-4)

    def test_a_weight_without_gradient_stays(self) -> None:
        """Where no gradient ever came, the step is 0 / 1e-8 and not 0 / 0."""
        w, _ = updated(number(0.7), number(0.0), amsgrad_start((number(0.0),)))
        assert float(w) == 0.7

    def test_layers_are_apart(self) -> None:
        """Each layer is updated from its own gradient and state, in its own shape and type."""
        weights = (tf.zeros((2, 3)), tf.zeros((1, 4)))
        gradients = (tf.ones((2, 3)), -tf.ones((1, 4)))
        moved, state = amsgrad_update(
            weights, gradients, amsgrad_start(weights), learning_rate=1.0, beta1=0.0, beta2=0.0
        )
        assert moved[0].numpy() == pytest.approx(np.full((2, 3), -1.0), rel=1e-6)
        assert moved[1].numpy() == pytest.approx(np.full((1, 4), 1.0), rel=1e-6)
        assert [part.dtype for part in tf.nest.flatten(state)] == [tf.float32] * 6
