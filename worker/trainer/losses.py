from typing import NamedTuple

import tensorflow as tf

from worker.trainer.tensors import Tensor


class SoftmaxCache(NamedTuple):
    """What the backward pass of the softmax cross-entropy needs."""

    probabilities: Tensor  # [batch, classes]
    labels: Tensor  # [batch]


def softmax_cross_entropy_forward(logits: Tensor, labels: Tensor) -> tuple[Tensor, SoftmaxCache]:
    """The cost of each image: minus the logarithm of the probability that its true class is given.

        s = exp(logits) / sum over classes of exp(logits)
        cost[n] = -log s[n, labels[n]]

    Args:
        logits: [batch, classes].
        labels: [batch], integers from 0.

    Returns:
        cost: [batch], in nats.
        cache: for softmax_cross_entropy_backward.
    """
    log_probabilities = tf.nn.log_softmax(logits)
    cost = -tf.gather(log_probabilities, labels, batch_dims=1)
    return cost, SoftmaxCache(tf.exp(log_probabilities), labels)


def softmax_cross_entropy_backward(cache: SoftmaxCache, *, summed: bool = False) -> Tensor:
    """The gradient of the batch's mean cost at the logits: (s - y) / batch, y the labels one-hot.

    Args:
        cache: from softmax_cross_entropy_forward.
        summed: leave out the division, as the article's scripts do: the gradient of the sum of the costs.

    Returns:
        dlogits: [batch, classes].
    """
    s = cache.probabilities
    y = tf.one_hot(cache.labels, s.shape[-1], dtype=s.dtype)
    return s - y if summed else (s - y) / tf.cast(tf.shape(s)[0], s.dtype)
