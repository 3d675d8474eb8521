import tensorflow as tf


def softmax_cross_entropy_forward(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each image's cost, and the probabilities that the backward pass needs.

        s = softmax(logits),   cost[n] = -ln s[n, labels[n]]

    Args:
        logits: [batch, classes].
        labels: [batch], int32.

    Returns:
        costs: [batch], in nats; s: [batch, classes].
    """
    logarithms = tf.nn.log_softmax(logits)
    return -tf.gather(logarithms, labels, axis=1, batch_dims=1), tf.exp(logarithms)


def softmax_cross_entropy_backward(probabilities: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The gradient of the batch's mean cost at the logits.

        dlogits = (s - y) / batch,   y the labels one-hot

    Args:
        probabilities: s, [batch, classes].
        labels: [batch], int32.

    Returns:
        dlogits: [batch, classes].
    """
    one_hot = tf.one_hot(labels, probabilities.shape[1], dtype=probabilities.dtype)
    dlogits: tf.Tensor = (probabilities - one_hot) / tf.cast(tf.shape(labels)[0], probabilities.dtype)
    return dlogits
