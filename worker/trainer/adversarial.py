"""The first pass of a training step: images moved to where the loss is larger.

Source: A. Nøkland, "Improving Back-Propagation by Adding an Adversarial Gradient", arXiv:1510.04189; the step is the
fast gradient sign of Goodfellow et al., arXiv:1412.6572.
"""

from collections.abc import Sequence

import tensorflow as tf

from backend.contract import TrainConfig
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network
from worker.trainer.precision import sign_pass_dtype
from worker.trainer.tensors import Tensor


def adversarial_images(
    network: Network, config: TrainConfig, weights: Sequence[Tensor], x: Tensor, labels: Tensor
) -> Tensor:
    """The images x' = x + epsilon sign(dx), dx the loss gradient at the images and sign(0) = 0.

    The way back goes down to the images only; nothing is clipped. epsilon = 0 gives x itself, and computes nothing.

    Args:
        network: whose loss grows.
        config: epsilon, in units of the preprocessed pixels, and sign_pass_precision are read.
        weights: of the network; they are only read.
        x: [batch, height, width, channels].
        labels: [batch].

    Returns:
        x': the shape of x.
    """
    if config.epsilon == 0:
        return x
    return x + config.epsilon * tf.sign(input_gradient(network, weights, x, labels, sign_pass_dtype(config, x.dtype)))


def input_gradient(network: Network, weights: Sequence[Tensor], x: Tensor, labels: Tensor, dtype: tf.DType) -> Tensor:
    """The gradient of the mean cost at the images, computed in the given precision.

    Returns:
        dx: shape and type of x.
    """
    weights = [tf.cast(w, dtype) for w in weights]
    logits, cache = network.forward(weights, tf.cast(x, dtype))
    _, softmax = softmax_cross_entropy_forward(tf.cast(logits, x.dtype), labels)
    dx = network.backward_to_input(weights, cache, tf.cast(softmax_cross_entropy_backward(softmax), dtype))
    return tf.cast(tf.reshape(dx, tf.shape(x)), x.dtype)
