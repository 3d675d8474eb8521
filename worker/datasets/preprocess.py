import numpy as np
import tensorflow as tf

from backend.contract import Preprocessing

SIZE = 32  # pixels, what the network takes
PIXEL_RANGE = 255.0
LEAST_DEVIATION = 1e-3 * PIXEL_RANGE  # below, a pixel is constant (MNIST's border) and is only centred
CHUNK = 5000  # images resized at once


def resized(images: np.ndarray) -> np.ndarray:
    """The images in the network's size, bilinear with half-pixel centres and without antialiasing.

    Args:
        images: [images, height, width, channels].

    Returns:
        [images, 32, 32, channels] float32, in the same units.
    """
    if images.shape[1:3] == (SIZE, SIZE):
        return images.astype(np.float32)
    chunks = range(0, len(images), CHUNK)
    return np.concatenate([tf.image.resize(images[first : first + CHUNK], (SIZE, SIZE)).numpy() for first in chunks])


def preprocessed(train: np.ndarray, test: np.ndarray, kind: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Both sets as the network takes them. Statistics come from the training images alone.

        raw: x                 unit: x / 255                 standardize: (x - mean) / deviation, per pixel and channel

    A deviation below 1e-3 of the range counts as 1.

    Args:
        train, test: [images, 32, 32, channels] float32, 0 to 255.

    Returns:
        The same shapes, float32.
    """
    if kind is Preprocessing.RAW:
        return train, test
    if kind is Preprocessing.UNIT:
        return train / np.float32(PIXEL_RANGE), test / np.float32(PIXEL_RANGE)
    mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = train.std(axis=0, dtype=np.float64).astype(np.float32)
    deviation[deviation < LEAST_DEVIATION] = 1
    return (train - mean) / deviation, (test - mean) / deviation
