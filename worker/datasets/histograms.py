"""How the pixels of a data set are distributed, before and after preprocessing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.contract import Network, Preprocessing
from worker.datasets import preprocess
from worker.datasets.preprocess import CHUNK, Floats
from worker.datasets.split import Split

BINS = 64
PIXEL_EDGES = np.linspace(0.0, 256.0, BINS + 1)  # four pixel values a bin
FAR = 5.0  # standard deviations from the mean, beyond which single pixels are counted and not drawn


@dataclass(frozen=True)
class Histogram:
    """The pixels of one split at one stage."""

    split: str  # "train" or "test"
    stage: str  # "before" or "after" preprocessing
    edges: list[float]  # one more than counts; a bin holds what is at least its left edge and below its right one
    counts: list[int]
    below: int  # pixels beyond the first edge
    above: int  # and beyond the last one
    mean: float
    deviation: float
    minimum: float
    maximum: float


def histograms(
    train: Split, test: Split, network: Network, preprocessing: Preprocessing, *, own_statistics: bool
) -> list[Histogram]:
    """The pixels of both splits at the network's size, before and after preprocessing.

    Edges are those of pixel values where the preprocessing only scales them; else they span the training pixels, and
    at most `FAR` deviations to each side.

    Args:
        train: images of the files.
        test: the same.
        network: conv7 takes 32x32 pixels, and its images are resized first.
        preprocessing: by statistics of the training images.
        own_statistics: preprocess the test images by statistics of their own.
    """
    sized = preprocess.resized if network is Network.CONV7 else preprocess.as_they_are
    found = []
    edges: NDArray[np.float64] | None = None
    scaling = None
    for name, split in (("train", train), ("test", test)):
        images = sized(split.images)
        found.append(_histogram(name, "before", images, PIXEL_EDGES))
        if scaling is None or own_statistics:
            scaling = preprocess.fit(images, preprocessing)
        images = preprocess.apply(images, scaling)
        if edges is None:
            edges = _edges(images, preprocessing)
        found.append(_histogram(name, "after", images, edges))
    return found


def _edges(images: Floats, preprocessing: Preprocessing) -> NDArray[np.float64]:
    if preprocessing is Preprocessing.RAW:
        return PIXEL_EDGES
    if preprocessing is Preprocessing.UNIT:
        return PIXEL_EDGES / preprocess.PIXEL_RANGE
    mean, deviation, minimum, maximum = _moments(images)
    low, high = max(minimum, mean - FAR * deviation), min(maximum, mean + FAR * deviation)
    # The last bin has no right edge of its own in NumPy's count: a little room keeps the largest pixel in it.
    room = max(high - low, 1.0) * 1e-6
    return np.linspace(low, high + room, BINS + 1)


def _histogram(split: str, stage: str, images: Floats, edges: NDArray[np.float64]) -> Histogram:
    counts = np.zeros(BINS, np.int64)
    below = above = 0
    for chunk in _chunks(images):
        counts += np.histogram(chunk, edges)[0]
        below += int(np.count_nonzero(chunk < edges[0]))
        above += int(np.count_nonzero(chunk > edges[-1]))
    mean, deviation, minimum, maximum = _moments(images)
    return Histogram(split, stage, edges.tolist(), counts.tolist(), below, above, mean, deviation, minimum, maximum)


def _moments(images: Floats) -> tuple[float, float, float, float]:
    """Mean, standard deviation, least and largest pixel."""
    mean = sum(float(chunk.sum(dtype=np.float64)) for chunk in _chunks(images)) / images.size
    square = sum(float(np.square(chunk - mean, dtype=np.float64).sum()) for chunk in _chunks(images)) / images.size
    return mean, square**0.5, float(images.min()), float(images.max())


def _chunks(images: Floats) -> Iterator[Floats]:
    return (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
