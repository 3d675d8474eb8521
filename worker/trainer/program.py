"""Many steps in one compiled call: the whole loop over batches runs inside TensorFlow, without Python between layers.

The number of steps is an argument, so nothing is compiled twice, and where a call ends changes no bit.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import Backprop, TrainConfig
from worker.trainer.networks import Network
from worker.trainer.state import Learned, Sums, TrainingData
from worker.trainer.step import evaluation_step, training_step
from worker.trainer.tensors import Tensor

MAP_BYTES = 16 * 2**20  # of the largest map of a batch that is only measured; several such maps are held at once
FLOAT_BYTES = 4
ALIGNMENT = 64  # bytes: what the vector instructions that TensorFlow uses may ask for


class Trained(NamedTuple):
    """What came of some batches."""

    learned: Learned
    costs: NDArray[np.float32]  # [batches], of each the mean over its images, in nats
    accuracies: NDArray[np.float32]  # [batches], fractions


class Program:
    """The two loops of a run, compiled. It holds the images on the device, and nothing that changes.

    Args:
        network: what is trained.
        config: of the run.
        data: its images, which must not change any more: on a CPU they are used where they are.
        devices: that share each training batch; fewer than two: TensorFlow chooses one.

    Raises:
        ValueError: there are fewer training images than one batch takes, or no test image.
    """

    def __init__(self, network: Network, config: TrainConfig, data: TrainingData, devices: Sequence[str] = ()) -> None:
        images, test_images = len(data.train_images), len(data.test_images)
        if images < config.batch_size or not test_images:
            raise ValueError(
                f"A run needs at least {config.batch_size} training images, its batch_size, and one test image; "
                f"there are {images} and {test_images}."
            )
        test_batch = min(test_images, images_per_call(network, data.test_images.shape[1:]))
        self.train_batches = images // config.batch_size
        self.test_batches = -(-test_images // test_batch)
        self._config = config
        self._images = images
        self._train = _training_loop(network, config, data, devices)
        self._evaluate = _evaluation_loop(network, config, data, test_batch)

    def prepare(self, learned: Learned) -> None:
        """Trace and optimise both loops, so that no epoch is charged with it; nothing is computed."""
        self.train(learned, 0, 0, order=self.order(0), dilation=None)
        self.evaluate(Sums.zero(), 0, 0, weights=learned.weights)

    def order(self, epoch: int) -> Tensor:
        """The order in which an epoch takes the training images: [images] int32, decided by seed and epoch alone."""
        generator = np.random.default_rng([self._config.seed, epoch])
        return tf.constant(generator.permutation(np.arange(self._images, dtype=np.int32)))

    def train(self, learned: Learned, first: int, batches: int, *, order: Tensor, dilation: float | None) -> Trained:
        """What came of some batches of an epoch, from the one with the 0-based number `first` on."""
        weight = tf.constant(dilation or 0.0, learned.weights[0].dtype)
        after, course = self._train(learned, order, tf.constant(first), tf.constant(batches), weight)
        _wait(after.sums)
        costs, accuracies = course.numpy()[:batches].T / self._config.batch_size
        return Trained(after, costs.astype(np.float32), accuracies.astype(np.float32))

    def evaluate(self, sums: Sums, first: int, batches: int, *, weights: Sequence[Tensor]) -> Sums:
        """The sums with those of some test batches added, from the one with the 0-based number `first` on."""
        result = cast("Sums", self._evaluate(tuple(weights), sums, tf.constant(first), tf.constant(batches)))
        _wait(result)
        return result

    @staticmethod
    def is_finite(learned: Learned) -> bool:
        """Whether the costs so far, every weight and everything that the optimizer remembers are finite."""
        return bool(_all_finite(learned))


def images_per_call(network: Network, image: Sequence[int]) -> int:
    """How many images [height, width, channels] may go through a network at once: its maps are large."""
    return max(1, MAP_BYTES // (FLOAT_BYTES * network.values_per_image(image)))


def on_device(images: NDArray[np.generic]) -> Tensor:
    """The images as a tensor: on a CPU in the memory that they are in, where TensorFlow can use it.

    Elsewhere they are copied, and for a moment there are three of each.
    """
    usable = images.flags.c_contiguous and images.flags.writeable and images.ctypes.data % ALIGNMENT == 0
    if not usable or tf.config.list_logical_devices("GPU"):
        return tf.constant(images)
    return tf.experimental.dlpack.from_dlpack(cast("Any", images).__dlpack__())


@tf.function(autograph=False)  # type: ignore[untyped-decorator]
def _all_finite(learned: Learned) -> Tensor:
    # A sum is finite where every value is, or overflows where they are near to overflowing: squares by far the first.
    sums = [tf.reduce_sum(tf.cast(tensor, tf.float64)) for tensor in (*learned.weights, *learned.optimizer.square)]
    return tf.math.is_finite(tf.add_n(sums) + learned.sums.cost)


def _training_loop(network: Network, config: TrainConfig, data: TrainingData, devices: Sequence[str]) -> Any:
    images, labels, size = on_device(data.train_images), tf.constant(data.train_labels), config.batch_size
    dilated, most = config.backprop is Backprop.DILATED, len(data.train_images) // size

    @tf.function(autograph=False, jit_compile=config.xla)  # type: ignore[untyped-decorator]
    def run(
        learned: Learned, order: Tensor, first: Tensor, batches: Tensor, dilation: Tensor
    ) -> tuple[Learned, Tensor]:
        def body(batch: Tensor, learned: Learned, course: Tensor) -> tuple[Tensor, Learned, Tensor]:
            chosen = tf.slice(order, [batch * size], [size])
            x = tf.cast(tf.gather(images, chosen), learned.weights[0].dtype)
            y = tf.gather(labels, chosen)
            after = training_step(network, config, learned, x, y, dilation if dilated else None, devices)
            # What the sums grew by is what the batch added: the step itself stays as it is.
            grown = [tf.cast(new - old, course.dtype) for new, old in zip(after.sums, learned.sums, strict=True)]
            return batch + 1, after, tf.tensor_scatter_nd_update(course, [[batch - first]], [tf.stack(grown)])

        nothing = tf.zeros([most, len(learned.sums)], tf.float64)
        _, learned, course = tf.while_loop(lambda batch, *_: batch < first + batches, body, (first, learned, nothing))
        return learned, course

    return run


def _evaluation_loop(network: Network, config: TrainConfig, data: TrainingData, size: int) -> Any:
    images, labels = on_device(data.test_images), tf.constant(data.test_labels)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(weights: tuple[Tensor, ...], sums: Sums, first: Tensor, batches: Tensor) -> Sums:
        def body(batch: Tensor, sums: Sums) -> tuple[Tensor, Sums]:
            chosen = slice(batch * size, (batch + 1) * size)
            x = tf.cast(images[chosen], weights[0].dtype)
            return batch + 1, evaluation_step(network, config, weights, sums, x, labels[chosen])

        return cast("Sums", tf.while_loop(lambda batch, _: batch < first + batches, body, (first, sums))[1])

    return run


def _wait(sums: Sums) -> None:
    # A GPU's call returns before it is done: without this its time could not be told, nor a stop be obeyed soon.
    sums.correct.numpy()
