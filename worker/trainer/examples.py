"""Test images that are followed through training, the first of each class: what an adversarial step does to them."""

from collections.abc import Generator, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import ExampleReport, TrainConfig
from worker.trainer.adversarial import input_gradient
from worker.trainer.networks import build
from worker.trainer.precision import step_dtype
from worker.trainer.state import TrainingData
from worker.trainer.tensors import Tensor

BRIGHTEST = 255


class Examples:
    """The followed test images of one run. The step is that of the network without quirks, from the true label away.

    Args:
        config: epsilon and precision are read; where epsilon is 0, the smallest of attack_epsilons takes its place.
        data: has test images and to_pixels.

    Raises:
        ValueError: the data has no to_pixels.
    """

    pieces = 1

    def __init__(self, config: TrainConfig, data: TrainingData) -> None:
        if data.to_pixels is None:
            raise ValueError("Images are followed in pixel values, which these data can't be turned into.")
        self.epsilon = config.epsilon or config.attack_epsilons[0]
        self._config = config
        self._network = build(config.model_copy(update={"quirks": ()}))
        self._to_pixels = data.to_pixels
        self._places = np.unique(data.test_labels, return_index=True)[1]
        self._images = data.test_images[self._places]
        self._labels = data.test_labels[self._places]

    def measure(self, weights: Sequence[Tensor]) -> Generator[None, None, tuple[ExampleReport, ...]]:
        """Look at every followed image.

        Args:
            weights: of the network; they are only read.

        Yields:
            Once.

        Returns:
            The images by class.
        """
        x, labels = tf.constant(self._images, weights[0].dtype), tf.constant(self._labels)
        dtype = step_dtype(self._config, x.dtype)
        sign = tf.sign(input_gradient(self._network, weights, x, labels, dtype))
        adversarial = x + self.epsilon * sign
        before, after = self._probabilities(weights, x, dtype), self._probabilities(weights, adversarial, dtype)
        # Both at once: an inverse of a whitening costs the same for few images and for many.
        pixels = _shown(self._to_pixels(np.concatenate([x.numpy(), adversarial.numpy()])))
        count, height, width, channels = self._images.shape
        yield
        return tuple(
            ExampleReport(
                test_index=int(self._places[number]),
                label=int(self._labels[number]),
                image=pixels[number].tobytes(),
                adversarial=pixels[count + number].tobytes(),
                sign=sign[number].numpy().astype(np.int8).tobytes(),
                shape=(height, width, channels),
                before=tuple(before[number].tolist()),
                after=tuple(after[number].tolist()),
            )
            for number in range(count)
        )

    def _probabilities(self, weights: Sequence[Tensor], x: Tensor, dtype: tf.DType) -> NDArray[np.floating]:
        logits, _ = self._network.forward([tf.cast(w, dtype) for w in weights], tf.cast(x, dtype))
        probabilities: NDArray[np.floating] = tf.nn.softmax(tf.cast(logits, x.dtype)).numpy()
        return probabilities


def _shown(pixels: NDArray[np.floating]) -> NDArray[np.uint8]:
    shown: NDArray[np.uint8] = np.clip(np.rint(pixels), 0, BRIGHTEST).astype(np.uint8)
    return shown
