from collections.abc import Sequence

import tensorflow as tf

from worker.trainer import conv7
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward


def adversarial_images(weights: Sequence[tf.Tensor], images: tf.Tensor, labels: tf.Tensor, epsilon: float) -> tf.Tensor:
    """The images, moved by epsilon in the direction that raises the cost most, pixel by pixel.

        x' = x + epsilon sign(g_x),   g_x the exact gradient of the mean cost at x,   sign(0) = 0

    No filter gradient is computed. x' is not clipped, and what follows takes it as a constant.

    Args:
        weights: the network's filters.
        images: x, [batch, 32, 32, channels].
        labels: [batch], int32.
        epsilon: in units of x; 0 gives x back without a pass.

    Returns:
        x', the shape of x.

    Source: Goodfellow et al., arXiv:1412.6572; Nokland, arXiv:1510.04189.
    """
    if epsilon == 0:
        return images
    logits, caches = conv7.forward(weights, images)
    _, probabilities = softmax_cross_entropy_forward(logits, labels)
    gradient = conv7.backward_to_images(weights, caches, softmax_cross_entropy_backward(probabilities, labels))
    return images + epsilon * tf.sign(gradient)
