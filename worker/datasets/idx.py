"""The IDX format of MNIST: a header of big-endian numbers, then bytes."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from backend.errors import DatasetDamaged

_LABELS_MAGIC, _IMAGES_MAGIC = 0x00000801, 0x00000803
MAX_BYTES = 256 * 1024 * 1024  # more than four times the largest of the known files: a larger one is not what it says
CLASSES = 10


def read_images(path: Path, height: int, width: int) -> np.ndarray:
    """The images in a file of unsigned bytes with three dimensions.

    Returns:
        [images, height, width, 1] uint8.

    Raises:
        DatasetDamaged: the file is not whole, not IDX, or holds images of another size.
    """
    header, content = _parts(path, _IMAGES_MAGIC, numbers=3)
    count, found_height, found_width = header
    if (found_height, found_width) != (height, width):
        raise DatasetDamaged(f"{path} holds images of {found_height}x{found_width}; {height}x{width} are expected.")
    _check_length(path, len(content), count * height * width)
    return np.frombuffer(content, np.uint8).reshape(count, height, width, 1)


def read_labels(path: Path) -> np.ndarray:
    """The labels in a file of unsigned bytes with one dimension.

    Returns:
        [images] int32, each 0 to 9.

    Raises:
        DatasetDamaged: the file is not whole, not IDX, or holds a label that is no class.
    """
    (count,), content = _parts(path, _LABELS_MAGIC, numbers=1)
    _check_length(path, len(content), count)
    return checked_labels(np.frombuffer(content, np.uint8), path)


def checked_labels(labels: np.ndarray, path: Path) -> np.ndarray:
    """The labels as int32. Raises DatasetDamaged where one is no class."""
    if labels.size and labels.max() >= CLASSES:
        raise DatasetDamaged(f"{path} holds the label {labels.max()}; labels are 0 to {CLASSES - 1}.")
    return labels.astype(np.int32)


def _parts(path: Path, magic: int, numbers: int) -> tuple[list[int], bytes]:
    content = _read(path)
    if len(content) < 4 * (1 + numbers):
        raise DatasetDamaged(f"{path} is not an IDX file: it has {len(content)} bytes, less than the header alone.")
    found, *header = (int(number) for number in np.frombuffer(content, ">u4", 1 + numbers))
    if found != magic:
        raise DatasetDamaged(
            f"{path} is not the IDX file that is expected: it begins with {found:#010x}, not {magic:#010x}."
        )
    return header, content[4 * (1 + numbers) :]


def _read(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetDamaged(f"{path} can't be unpacked: {error}. Fetch it again.") from error
    except OSError as error:
        raise DatasetDamaged(f"{path} can't be read: {error.strerror or error}.") from error
    if len(content) > MAX_BYTES:
        raise DatasetDamaged(f"{path} holds more than {MAX_BYTES} bytes and is not what it should be.")
    return content


def _check_length(path: Path, found: int, expected: int) -> None:
    if found != expected:
        what = "is cut off" if found < expected else "is too long"
        raise DatasetDamaged(f"{path} {what}: its header promises {expected} bytes of data, {found} follow.")
