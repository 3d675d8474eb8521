"""One training step and one test batch, on plain values: state in, state out."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from backend.contract import TrainConfig
from worker.trainer import conv7
from worker.trainer.adversarial import adversarial_images
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.optimizers import Moments, amsgrad, no_moments


class TrainerState(NamedTuple):
    """All that a step reads and writes; with epoch and batch, all that a run would need to go on elsewhere."""

    weights: list[tf.Tensor]
    moments: list[Moments]
    cost_sum: tf.Tensor  # of this epoch's images so far, float64
    correct: tf.Tensor  # among this epoch's images so far, int64


def initial_state(config: TrainConfig, channels: int) -> TrainerState:
    """The state before the first step: it depends on configuration and seed alone."""
    weights = conv7.initial_weights(channels, config.width, config.seed)
    moments = [no_moments(w) for w in weights]
    return TrainerState(weights, moments, tf.zeros([], tf.float64), tf.zeros([], tf.int64))


def with_no_sums(state: TrainerState) -> TrainerState:
    """The state at the beginning of an epoch."""
    return state._replace(cost_sum=tf.zeros_like(state.cost_sum), correct=tf.zeros_like(state.correct))


def train_step(
    config: TrainConfig, state: TrainerState, images: tf.Tensor, labels: tf.Tensor, dilation: tf.Tensor | None
) -> TrainerState:
    """The state after one batch.

    Cost and hits are counted on the moved images, before the update. Only the update's pass is dilated.

    Args:
        images: [batch, 32, 32, channels].
        labels: [batch], int32.
        dilation: lambda of this epoch, a scalar; None: the exact gradient.
    """
    moved = adversarial_images(state.weights, images, labels, config.epsilon)
    logits, caches = conv7.forward(state.weights, moved)
    costs, probabilities = softmax_cross_entropy_forward(logits, labels)
    dlogits = softmax_cross_entropy_backward(probabilities, labels)
    gradients = conv7.backward(state.weights, caches, dlogits, dilation)
    updated = [
        amsgrad(w, gradient, moments, config.learning_rate, config.beta1, config.beta2)
        for w, gradient, moments in zip(state.weights, gradients, state.moments, strict=True)
    ]
    return TrainerState(
        [w for w, _ in updated],
        [moments for _, moments in updated],
        state.cost_sum + tf.reduce_sum(tf.cast(costs, tf.float64)),
        state.correct + count_correct(logits, labels),
    )


def evaluate_batch(weights: Sequence[tf.Tensor], images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The sum of the costs and the number of hits on clean images."""
    logits, _ = conv7.forward(weights, images)
    costs, _ = softmax_cross_entropy_forward(logits, labels)
    return tf.reduce_sum(tf.cast(costs, tf.float64)), count_correct(logits, labels)


def count_correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many images have their largest logit at their label, int64."""
    return tf.math.count_nonzero(tf.argmax(logits, 1, tf.int32) == labels)
