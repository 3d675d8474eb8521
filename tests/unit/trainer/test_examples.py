from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from backend.contract import ExampleReport, TrainConfig
from tests.unit.trainer import oracle
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import Training, TrainingData
from worker.trainer.examples import Examples

SIZE = (32, 32, 1)


def from_unit(images: NDArray[np.generic]) -> NDArray[np.float64]:
    return images.astype(np.float64) * 255


def changed(**changes: object) -> TrainConfig:
    """A run on images from 0 to 1 whose step is 20 pixel values."""
    return TrainConfig.model_validate(CONFIG.model_dump() | {"preprocessing": "unit", "epsilon": 20 / 255} | changes)


def followed(config: TrainConfig, data: TrainingData) -> tuple[ExampleReport, ...]:
    work = Examples(config, data).measure(Training(config, data).state.learned.weights)
    next(work)
    with pytest.raises(StopIteration) as end:
        next(work)
    found: tuple[ExampleReport, ...] = end.value.value
    return found


def pixels(values: bytes) -> NDArray[np.int64]:
    return np.frombuffer(values, np.uint8).reshape(SIZE).astype(np.int64)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Test images of three classes in the order 7, 7, 1, 4, 1, 7, ..., from 0 to 1."""
    images = images_and_labels(8, 30)
    labels = np.resize(np.array([7, 7, 1, 4, 1], np.int32), 30)
    test_images = images.test_images.astype(np.float32) / 255
    return replace(images, test_images=test_images, test_labels=labels, to_pixels=from_unit)


class TestExamples:
    def test_are_the_first_of_each_class(self, data: TrainingData) -> None:
        """Of every class that there is its first test image is followed, by class."""
        assert [(found.label, found.test_index) for found in followed(changed(), data)] == [(1, 2), (4, 3), (7, 0)]

    def test_are_ten_at_most(self, data: TrainingData) -> None:
        """Ten classes give ten images."""
        labels = np.resize(np.arange(10, dtype=np.int32), 30)
        assert len(followed(changed(), replace(data, test_labels=labels))) == 10

    def test_show_pixel_values(self, data: TrainingData) -> None:
        """The image is that of the file; its adversarial twin is 20 pixel values away, cut to the range."""
        for found in followed(changed(), data):
            original = np.rint(from_unit(data.test_images[found.test_index])).astype(np.int64)
            sign = np.frombuffer(found.sign, np.int8).reshape(found.shape).astype(np.int64)
            assert found.shape == SIZE
            assert np.array_equal(pixels(found.image), original)
            assert np.array_equal(pixels(found.adversarial), np.clip(original + 20 * sign, 0, 255))
            assert set(np.unique(sign)) <= {-1, 0, 1}
            assert np.abs(sign).mean() > 0.9

    @pytest.mark.parametrize(("network", "quirks"), [("conv7", []), ("conv7", ["celu_slope_2"]), ("mlp", [])])
    def test_move_along_the_true_gradient(self, data: TrainingData, network: str, quirks: list[str]) -> None:
        """Sign and probabilities are those of automatic derivatives, also in a run whose own gradient has a quirk."""
        config = changed(network=network, quirks=quirks, width=6)
        weights = [tf.cast(w, tf.float64) for w in Training(config, data).state.learned.weights]
        cost = oracle.cost if network == "conv7" else oracle.mlp_cost
        for found in followed(config, data):
            x = tf.constant(data.test_images[[found.test_index]], tf.float64)
            (dx,) = oracle.derivative(lambda x: cost(weights, x, np.array([found.label])), x)  # noqa: B023
            sign = np.frombuffer(found.sign, np.int8).reshape(SIZE)
            assert np.mean(sign == np.sign(dx[0])) > 0.99
            for images, told in ((x, found.before), (x + 20 / 255 * sign, found.after)):
                logits = (
                    oracle.logits(weights, images) if network == "conv7" else oracle.mlp_layers(weights, images)[-1]
                )
                assert told == pytest.approx(tf.nn.softmax(logits).numpy()[0], abs=1e-5)
            assert sum(found.after) == pytest.approx(1, abs=1e-5)
            assert found.after[found.label] < found.before[found.label]

    def test_of_a_run_on_clean_images_take_the_smallest_attack(self, data: TrainingData) -> None:
        """Where epsilon is 0 the step is 2 pixel values, or the smallest that is asked for."""
        assert Examples(changed(epsilon=0), data).epsilon == pytest.approx(2 / 255)
        assert Examples(changed(epsilon=0, robustness_epsilons=[0.5, 0.125]), data).epsilon == 0.125

    def test_need_to_know_pixel_values(self, data: TrainingData) -> None:
        """Images that can't be shown are not followed."""
        with pytest.raises(ValueError, match="can't be turned into"):
            Examples(changed(), replace(data, to_pixels=None))
