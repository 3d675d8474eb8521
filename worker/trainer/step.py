"""One training step, and the same measurement without an update."""

from collections.abc import Sequence

import tensorflow as tf

from backend.contract import TrainConfig
from worker.trainer.adversarial import adversarial_images
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network
from worker.trainer.optimizers import amsgrad_update
from worker.trainer.state import Learned, Sums
from worker.trainer.tensors import Tensor


def training_step(
    network: Network, config: TrainConfig, learned: Learned, x: Tensor, labels: Tensor, dilation: Tensor | None
) -> Learned:
    """What is learned after one batch.

    A clean pass makes the adversarial images x'; the update comes from the gradients on x' alone. Cost and correct
    answers are those on x', before the update.

    Args:
        network: what is trained.
        config: epsilon, learning_rate, beta1 and beta2 are read.
        learned: before the step.
        x: [batch, height, width, channels].
        labels: [batch].
        dilation: [], lambda; None for the gradient itself.
    """
    x = adversarial_images(network, learned.weights, x, labels, config.epsilon)
    logits, cache = network.forward(learned.weights, x)
    costs, softmax = softmax_cross_entropy_forward(logits, labels)
    gradients = network.backward(learned.weights, cache, softmax_cross_entropy_backward(softmax), dilation)
    weights, optimizer = amsgrad_update(
        learned.weights,
        gradients,
        learned.optimizer,
        learning_rate=config.learning_rate,
        beta1=config.beta1,
        beta2=config.beta2,
    )
    return Learned(weights, optimizer, _add(learned.sums, costs, logits, labels))


def evaluation_step(network: Network, weights: Sequence[Tensor], sums: Sums, x: Tensor, labels: Tensor) -> Sums:
    """The sums with those of one more batch added.

    Args:
        network: what is measured.
        weights: of the network.
        sums: before the batch.
        x: [batch, height, width, channels].
        labels: [batch].
    """
    logits, _ = network.forward(weights, x)
    costs, _ = softmax_cross_entropy_forward(logits, labels)
    return _add(sums, costs, logits, labels)


def _add(sums: Sums, costs: Tensor, logits: Tensor, labels: Tensor) -> Sums:
    answers = tf.argmax(logits, axis=-1, output_type=labels.dtype)
    return Sums(
        cost=sums.cost + tf.reduce_sum(tf.cast(costs, sums.cost.dtype)),
        correct=sums.correct + tf.math.count_nonzero(tf.equal(answers, labels)),
    )
