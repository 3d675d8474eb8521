"""One training step, and the same measurement without an update."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from backend.contract import Quirk, TrainConfig
from worker.trainer.adversarial import adversarial_images
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network
from worker.trainer.optimizers import fused_optimizer_update, optimizer_update
from worker.trainer.parallel import over_devices
from worker.trainer.precision import step_dtype
from worker.trainer.state import Learned, Sums
from worker.trainer.tensors import Tensor

FUSED_FROM = 2**16  # weights; with fewer, compiling takes longer than a short run saves


class Pass(NamedTuple):
    """What a forward and a backward pass give."""

    gradients: tuple[Tensor, ...]  # of the batch's cost, each in the shape and type of its weights
    costs: Tensor  # [batch]
    logits: Tensor  # [batch, classes]


def training_step(
    network: Network,
    config: TrainConfig,
    learned: Learned,
    x: Tensor,
    labels: Tensor,
    dilation: Tensor | None,
    devices: Sequence[str] = (),
) -> Learned:
    """What is learned after one batch.

    A clean pass makes the adversarial images x'; the update comes from the gradients on x' alone. Cost and correct
    answers are those on x', before the update.

    Args:
        network: what is trained.
        config: epsilon, precision, quirks and what the optimizer needs are read.
        learned: before the step.
        x: [batch, height, width, channels].
        labels: [batch].
        dilation: [], lambda; None for the gradient itself.
        devices: that share the batch; fewer than two: it stays whole.
    """
    dtype = step_dtype(config, learned.weights[0].dtype)

    def passes(x: Tensor, labels: Tensor) -> Pass:
        x = adversarial_images(network, config, learned.weights, x, labels)
        return forward_and_backward(network, config, learned.weights, x, labels, dilation, dtype)

    summed = Quirk.COST_GRADIENT_SUMMED in config.quirks
    gradients, costs, logits = over_devices(devices, passes, x, labels, summed=summed)
    update = fused_optimizer_update if _fuses(network, learned.weights) else optimizer_update
    updated, optimizer = update(config, learned.weights, gradients, learned.optimizer)
    return Learned(updated, optimizer, _add(learned.sums, costs, logits, labels))


def _fuses(network: Network, weights: Sequence[Tensor]) -> bool:
    # Of an mlp of 400 on two cores the optimizer took 2.4 ms of 4.4 a step, and fused 1.0; of a conv7 it is under 1 %.
    count = sum(weight.shape.num_elements() for weight in weights)
    return not network.shares_weights and count >= FUSED_FROM and not tf.config.list_logical_devices("GPU")


def forward_and_backward(
    network: Network,
    config: TrainConfig,
    weights: Sequence[Tensor],
    x: Tensor,
    labels: Tensor,
    dilation: Tensor | None,
    dtype: tf.DType,
) -> Pass:
    """Both passes over a batch as it is, computed in the type `dtype`; the cost in that of x.

    Args:
        network: whose passes they are.
        config: quirks are read.
        weights: of the network, in the type of x.
        x: [batch, height, width, channels].
        labels: [batch].
        dilation: [], lambda; None for the gradient itself.
        dtype: of the network's passes.
    """
    weights = [tf.cast(w, dtype) for w in weights]
    logits, cache = network.forward(weights, tf.cast(x, dtype))
    logits = tf.cast(logits, x.dtype)
    costs, softmax = softmax_cross_entropy_forward(logits, labels)
    dlogits = softmax_cross_entropy_backward(softmax, summed=Quirk.COST_GRADIENT_SUMMED in config.quirks)
    dilation = None if dilation is None else tf.cast(dilation, dtype)
    gradients = network.backward(weights, cache, tf.cast(dlogits, dtype), dilation)
    return Pass(tuple(tf.cast(gradient, x.dtype) for gradient in gradients), costs, logits)


def evaluation_step(
    network: Network, config: TrainConfig, weights: Sequence[Tensor], sums: Sums, x: Tensor, labels: Tensor
) -> Sums:
    """The sums with those of one more batch added.

    Args:
        network: what is measured.
        config: precision and quirks are read.
        weights: of the network.
        sums: before the batch.
        x: [batch, height, width, channels].
        labels: [batch].
    """
    dtype = step_dtype(config, weights[0].dtype)
    logits, _ = network.forward([tf.cast(w, dtype) for w in weights], tf.cast(x, dtype))
    logits = tf.cast(logits, x.dtype)
    # The article's scripts fed softmax outputs where logits belong: a perfect answer costs ln(1 + 9/e) = 1.46 then.
    scores = tf.nn.softmax(logits) if Quirk.TEST_COST_OF_SOFTMAX in config.quirks else logits
    costs, _ = softmax_cross_entropy_forward(scores, labels)
    return _add(sums, costs, logits, labels)


def _add(sums: Sums, costs: Tensor, logits: Tensor, labels: Tensor) -> Sums:
    answers = tf.argmax(logits, axis=-1, output_type=labels.dtype)
    return Sums(
        cost=sums.cost + tf.reduce_sum(tf.cast(costs, sums.cost.dtype)),
        correct=sums.correct + tf.math.count_nonzero(tf.equal(answers, labels)),
    )
