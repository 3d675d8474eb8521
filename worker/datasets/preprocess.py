"""From the pixels of the files to what a network takes."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.contract import Preprocessing

SIDE = 32  # pixels, height and width that the network takes
PIXEL_RANGE = 255.0
LEAST_DEVIATION = 1e-3  # of the range; a pixel that varies less is constant, as in MNIST's border
ZCA_REGULARIZATION = 0.01  # added to the eigenvalues, so that directions without variance are not blown up
ALIGNMENT = 64  # bytes, of what TensorFlow computes with
FLOAT_BYTES = 4
CHUNK = 5000  # images that are worked on at once, which bounds the memory of what lies between

Floats = NDArray[np.float32]


class Scaling(NamedTuple):
    """The preprocessing x' = ((x - mean) / deviation) whitening of pixels x from 0 to 255."""

    mean: Floats  # [height, width, channels], or [] where it is one number
    deviation: Floats  # the same shape
    whitening: Floats | None = None  # [values, values] of an image laid flat, symmetric; None: left out


def resized(images: NDArray[np.generic]) -> Floats:
    """The images at 32x32 pixels: bilinear, half-pixel centres, no antialias.

        row(i) = (i + 1/2) height / 32 - 1/2,   i from 0 to 31, clipped to the image's first and last row

    and the same for columns; a pixel is the mean of its four neighbours, weighted by how near they are.

    Args:
        images: [images, height, width, channels].

    Returns:
        [images, 32, 32, channels], float32, in the same units; always a copy.
    """
    result = _room((len(images), SIDE, SIDE, images.shape[3]))
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].astype(np.float32)
        for axis in (2, 1):
            part = _stretched(part, axis)
        result[start : start + CHUNK] = part
    return result


def as_they_are(images: NDArray[np.generic]) -> Floats:
    """The images in their own size, float32; always a copy."""
    result = _room(images.shape)
    result[...] = images
    return result


def _room(shape: tuple[int, ...]) -> Floats:
    """Memory for large images, laid out so that TensorFlow can use it as it is and needs no copies of its own."""
    values = math.prod(shape)
    room = np.empty(values + ALIGNMENT // FLOAT_BYTES, np.float32)
    first = -room.ctypes.data % ALIGNMENT // FLOAT_BYTES
    return room[first : first + values].reshape(shape)


def _stretched(images: Floats, axis: int) -> Floats:
    size = images.shape[axis]
    if size == SIDE:
        return images
    place = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) * np.float32(size / SIDE) - np.float32(0.5)
    below = np.floor(place)
    weight = (place - below).reshape([-1 if number == axis else 1 for number in range(images.ndim)])
    first, second = (np.clip(below + step, 0, size - 1).astype(np.intp) for step in (0, 1))
    start, end = images.take(first, axis), images.take(second, axis)
    stretched: Floats = start + (end - start) * weight
    return stretched


def fit(images: Floats, preprocessing: Preprocessing) -> Scaling:
    """What a preprocessing does to each pixel; statistics are those of the images given, the training images.

        raw           mean 0,            deviation 1
        unit          mean 0,            deviation 255
        standardize   the pixel's mean,  the pixel's deviation, or 255 where that is below a thousandth of 255
        zca           the pixel's mean,  deviation 255, then whitening = E (L + 0.01)^(-1/2) E^T

    E and L are eigenvectors and eigenvalues of the covariance of the pixels so scaled.

    Args:
        images: [images, height, width, channels], 0 to 255.
        preprocessing: which one.
    """
    if preprocessing in (Preprocessing.RAW, Preprocessing.UNIT):
        deviation = 1.0 if preprocessing is Preprocessing.RAW else PIXEL_RANGE
        return Scaling(np.zeros((), np.float32), np.full((), deviation, np.float32))
    mean = images.mean(axis=0, dtype=np.float64)
    if preprocessing is Preprocessing.ZCA:
        whitening = _whitening(images, mean.astype(np.float32))
        return Scaling(mean.astype(np.float32), np.full(mean.shape, PIXEL_RANGE, np.float32), whitening)
    deviation = np.sqrt(sum(np.square(chunk - mean).sum(axis=0) for chunk in _chunks(images)) / len(images))
    deviation[deviation < LEAST_DEVIATION * PIXEL_RANGE] = PIXEL_RANGE
    return Scaling(mean.astype(np.float32), deviation.astype(np.float32))


def apply(images: Floats, scaling: Scaling) -> Floats:
    """The preprocessed images, in the memory of those given: they are large.

    Args:
        images: [images, height, width, channels], 0 to 255.
        scaling: from `fit`.
    """
    images -= scaling.mean
    images /= scaling.deviation
    if scaling.whitening is not None:
        for chunk in _chunks(images):
            chunk[:] = (chunk.reshape(len(chunk), -1) @ scaling.whitening).reshape(chunk.shape)
    return images


def undo(images: NDArray[np.generic], scaling: Scaling) -> NDArray[np.float64]:
    """The pixels that `apply` made preprocessed images of: x = (x' whitening^-1) deviation + mean.

    A whitening can be undone because its eigenvalues are regularised.

    Args:
        images: [images, height, width, channels], preprocessed; they are only read.
        scaling: from `fit`.
    """
    values: NDArray[np.float64] = images.astype(np.float64)
    if scaling.whitening is not None:
        flat = values.reshape(len(values), -1)
        values = np.asarray(np.linalg.solve(scaling.whitening.T.astype(np.float64), flat.T).T).reshape(images.shape)
    pixels: NDArray[np.float64] = values * scaling.deviation + scaling.mean
    return pixels


def _whitening(images: Floats, mean: Floats) -> Floats:
    values = mean.size
    covariance = np.zeros((values, values))
    for chunk in _chunks(images):
        flat = ((chunk - mean) / np.float32(PIXEL_RANGE)).reshape(-1, values)
        covariance += flat.T @ flat
    eigenvalues, eigenvectors = np.linalg.eigh(covariance / len(images))
    # Rounding leaves eigenvalues a little below zero where pixels never vary.
    roots = 1 / np.sqrt(np.maximum(eigenvalues, 0) + ZCA_REGULARIZATION)
    whitening: Floats = ((eigenvectors * roots) @ eigenvectors.T).astype(np.float32)
    return whitening


def _chunks(images: Floats) -> Iterator[Floats]:
    return (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
