"""The first pass of a training step: images moved to where the loss is larger.

Source: A. Nøkland, "Improving Back-Propagation by Adding an Adversarial Gradient", arXiv:1510.04189; the step is the
fast gradient sign of Goodfellow et al., arXiv:1412.6572.
"""

from collections.abc import Sequence

import tensorflow as tf

from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network
from worker.trainer.tensors import Tensor


def adversarial_images(
    network: Network, weights: Sequence[Tensor], x: Tensor, labels: Tensor, epsilon: float
) -> Tensor:
    """The images x' = x + epsilon sign(dx), dx the loss gradient at the images and sign(0) = 0.

    The way back goes down to the images only; nothing is clipped. epsilon = 0 gives x itself, and computes nothing.

    Args:
        network: whose loss grows.
        weights: of the network; they are only read.
        x: [batch, height, width, channels].
        labels: [batch].
        epsilon: in units of the preprocessed pixels.

    Returns:
        x': the shape of x.
    """
    if epsilon == 0:
        return x
    logits, cache = network.forward(weights, x)
    _, softmax = softmax_cross_entropy_forward(logits, labels)
    dx = network.backward_to_input(weights, cache, softmax_cross_entropy_backward(softmax))
    return x + epsilon * tf.sign(dx)
