import numpy as np
from sklearn.datasets import load_digits

from worker.datasets import digits


class TestRead:
    def test_splits_in_a_fixed_random_order(self) -> None:
        """1,437 digits train and the other 360 test, always the same ones in the same order."""
        train, test = digits.read()
        assert (train.images.shape, test.images.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
        assert train.labels[:8].tolist() == [6, 6, 6, 2, 5, 6, 6, 2]
        assert test.labels[:8].tolist() == [0, 8, 8, 9, 8, 3, 7, 5]
        again, _ = digits.read()
        assert np.array_equal(train.images, again.images)

    def test_keeps_image_and_label_together(self) -> None:
        """Every digit of scikit-learn is there once, with its own label, and its pixels go from 0 to 255."""
        splits, bunch = digits.read(), load_digits()
        images = np.concatenate([split.images for split in splits])
        labels = np.concatenate([split.labels for split in splits])
        found = {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}
        scaled = (bunch.images * 255 / 16).astype(np.float32)
        assert found == {(image.tobytes(), int(label)) for image, label in zip(scaled, bunch.target, strict=True)}
        assert (images.min(), images.max()) == (0, 255)
        assert set(labels.tolist()) == set(range(10))
