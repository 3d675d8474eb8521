"""The IDX format of MNIST: a header of big-endian numbers, then one unsigned byte a value."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import DatasetDamaged
from worker.datasets.split import Split, checked_labels

LABELS_MAGIC, IMAGES_MAGIC = 0x00000801, 0x00000803  # unsigned bytes in one and in three dimensions
GZIP_MAGIC = b"\x1f\x8b"
MAX_BYTES = 256 * 2**20  # five times the largest of the known files


def read(images_path: Path, labels_path: Path, height: int, width: int) -> Split:
    """The images of one file and the labels of another; each may be packed with gzip.

    Args:
        images_path: an IDX file with three dimensions.
        labels_path: an IDX file with one dimension.
        height: that the images must have, in pixels.
        width: the same.

    Raises:
        DatasetDamaged: a file is not whole, is not what it should be, or they do not belong together.
    """
    images = _decode(images_path, IMAGES_MAGIC, dimensions=3)
    if images.shape[1:] != (height, width):
        found = "x".join(str(size) for size in images.shape[1:])
        raise DatasetDamaged(f"{images_path} holds images of {found} pixels; they must have {height}x{width}.")
    labels = checked_labels(_decode(labels_path, LABELS_MAGIC, dimensions=1), labels_path)
    if len(images) != len(labels):
        raise DatasetDamaged(f"{images_path} holds {len(images)} images, but {labels_path} has {len(labels)} labels.")
    return Split(images[..., np.newaxis], labels)


def _decode(path: Path, magic: int, dimensions: int) -> NDArray[np.uint8]:
    content = _unpacked(path)
    header = 4 * (1 + dimensions)
    if len(content) < header:
        raise DatasetDamaged(f"{path} is no IDX file: it has {len(content)} bytes, less than the header's {header}.")
    found, *shape = (int(number) for number in np.frombuffer(content, ">u4", 1 + dimensions))
    if found != magic:
        raise DatasetDamaged(
            f"{path} is not the right IDX file: it begins with {found:#010x} instead of {magic:#010x}."
        )
    follow, expected = len(content) - header, math.prod(shape)
    if follow != expected:
        what = "is cut off" if follow < expected else "is too long"
        raise DatasetDamaged(f"{path} {what}: its header promises {expected} bytes, and {follow} follow.")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            content: bytes = (gzip.GzipFile(fileobj=file) if packed else file).read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetDamaged(f"{path} can't be unpacked: {str(error).rstrip('.')}. Fetch it again.") from error
    if len(content) > MAX_BYTES:
        raise DatasetDamaged(f"{path} holds more than {MAX_BYTES} bytes; it is not what its name says.")
    return content
