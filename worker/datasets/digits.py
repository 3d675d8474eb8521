import numpy as np
from sklearn.datasets import load_digits

TRAIN_IMAGES = 1437
PIXEL_SCALE = 255 / 16  # scikit-learn's pixels are 0 to 16
ORDER_SEED = 0  # in file order the last images are by other writers, and test accuracy is 10 to 18 points lower


def read() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scikit-learn's 1,797 digits, in a fixed random order: the first 1,437 train, the other 360 test.

    Returns:
        Train images [1437, 8, 8, 1] float32 from 0 to 255 and labels [1437] int32, then the same for testing.
    """
    bunch = load_digits()
    order = np.random.default_rng(ORDER_SEED).permutation(len(bunch.target))
    images = (bunch.images * PIXEL_SCALE).astype(np.float32)[order][..., None]
    labels = bunch.target.astype(np.int32)[order]
    return images[:TRAIN_IMAGES], labels[:TRAIN_IMAGES], images[TRAIN_IMAGES:], labels[TRAIN_IMAGES:]
