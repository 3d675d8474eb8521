"""How many test images a network still classifies rightly when they are moved against it.

FGSM takes one step along the sign of the input gradient. PGD takes k steps of 2.5 epsilon / k, each kept within epsilon
of the image in every pixel; it begins at the image itself, nothing is cut to the range of pixels, and both use the true
labels. The input gradient is the hand-written one of the network without quirks: a wrong one would make a weak attack.

Source: Goodfellow et al., arXiv:1412.6572 (FGSM); Madry et al., "Towards Deep Learning Models Resistant to Adversarial
Attacks", arXiv:1706.06083 (PGD).
"""

import itertools
from collections.abc import Generator, Sequence
from typing import Any

import tensorflow as tf

from backend.contract import Attack, AttackResult, TrainConfig
from worker.trainer.adversarial import input_gradient
from worker.trainer.networks import build
from worker.trainer.precision import step_dtype
from worker.trainer.program import images_per_call
from worker.trainer.state import TrainingData
from worker.trainer.tensors import Tensor

ATTACKED_IMAGES = 500  # the first test images: one standard error of an accuracy of 0.5 is 0.02
PGD_STEP = 2.5  # epsilons that all steps together could go


class Robustness:
    """The attacks on the test images of one run.

    Args:
        config: attack_epsilons, robustness_steps and precision are read.
        data: the first of its test images are attacked.
    """

    def __init__(self, config: TrainConfig, data: TrainingData) -> None:
        self._config = config
        self._network = build(config.model_copy(update={"quirks": ()}))
        self._images = data.test_images[:ATTACKED_IMAGES].copy()
        self._labels = data.test_labels[:ATTACKED_IMAGES]
        self._batch = min(len(self._images), images_per_call(self._network, self._images.shape[1:]))
        self._functions: tuple[Any, Any] | None = None
        self.images = len(self._images)
        batches = -(-self.images // self._batch)
        self.pieces = batches * (1 + len(config.attack_epsilons) * config.robustness_steps)

    def measure(self, weights: Sequence[Tensor]) -> Generator[None, None, tuple[AttackResult, ...]]:
        """Attack all images in all ways.

        Args:
            weights: of the network; they are only read.

        Yields:
            After each of its `pieces`, which last about half a second at most.

        Returns:
            Of the clean images, then of each attack by epsilon.
        """
        weights = tuple(weights)
        way_of, right_of = self._compiled(weights)
        epsilons, steps = self._config.attack_epsilons, self._config.robustness_steps
        right = {(Attack.CLEAN, 0.0): 0}
        right |= dict.fromkeys(itertools.product((Attack.FGSM, Attack.PGD), epsilons), 0)
        for first in range(0, self.images, self._batch):
            start = tf.constant(self._images[first : first + self._batch], weights[0].dtype)
            labels = tf.constant(self._labels[first : first + self._batch])
            right[Attack.CLEAN, 0.0] += int(right_of(weights, start, labels))
            sign = way_of(weights, start, labels)  # with which every attack begins
            yield
            for epsilon in epsilons:
                right[Attack.FGSM, epsilon] += int(right_of(weights, start + epsilon * sign, labels))
                x = moved(start, sign, start, epsilon, steps)
                for _ in range(steps - 1):
                    x = moved(x, way_of(weights, x, labels), start, epsilon, steps)
                    yield
                right[Attack.PGD, epsilon] += int(right_of(weights, x, labels))
                yield
        return tuple(AttackResult(attack, epsilon, count / self.images) for (attack, epsilon), count in right.items())

    def _compiled(self, weights: tuple[Tensor, ...]) -> tuple[Any, Any]:
        """The sign of the input gradient, and the number of right answers, of a batch of any size."""
        if self._functions is None:
            network, dtype = self._network, step_dtype(self._config, weights[0].dtype)

            def way_of(weights: tuple[Tensor, ...], x: Tensor, labels: Tensor) -> Tensor:
                return tf.sign(input_gradient(network, weights, x, labels, dtype))

            def right_of(weights: tuple[Tensor, ...], x: Tensor, labels: Tensor) -> Tensor:
                logits, _ = network.forward([tf.cast(w, dtype) for w in weights], tf.cast(x, dtype))
                answers = tf.argmax(tf.cast(logits, x.dtype), axis=-1, output_type=labels.dtype)
                return tf.math.count_nonzero(tf.equal(answers, labels))

            shapes = (
                tuple(tf.TensorSpec(w.shape, w.dtype) for w in weights),
                tf.TensorSpec([None, *self._images.shape[1:]], weights[0].dtype),
                tf.TensorSpec([None], self._labels.dtype),
            )
            way, right = (tf.function(f, autograph=False).get_concrete_function(*shapes) for f in (way_of, right_of))
            self._functions = way, right
        return self._functions


def moved(x: Tensor, sign: Tensor, start: Tensor, epsilon: float, steps: int) -> Tensor:
    """The images after one of so many steps, none further than epsilon from where they began."""
    return tf.clip_by_value(x + PGD_STEP * epsilon / steps * sign, start - epsilon, start + epsilon)
