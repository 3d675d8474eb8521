"""In which floating-point type what is computed. Weights, optimizer, cost and sums keep the type of the weights."""

import tensorflow as tf

from backend.contract import Precision, TrainConfig


def step_dtype(config: TrainConfig, weights: tf.DType) -> tf.DType:
    """The type of the forward and backward pass that updates: bfloat16 where asked for, else that of the weights."""
    return tf.bfloat16 if config.precision is Precision.BFLOAT16 else weights


def sign_pass_dtype(config: TrainConfig, weights: tf.DType) -> tf.DType:
    """The type of the pass that only finds the sign of the input gradient."""
    wanted = config.sign_pass_precision or config.precision
    return tf.bfloat16 if wanted is Precision.BFLOAT16 else weights
