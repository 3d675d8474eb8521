"""CIFAR-10's "binary version": records of one label byte and 3,072 pixel bytes. No pickle is ever read."""

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from backend.errors import DatasetDamaged
from worker.datasets.split import Split, checked_labels

FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
SIDE, CHANNELS = 32, 3
RECORD_BYTES = 1 + CHANNELS * SIDE * SIDE
MAX_FILE_BYTES = 64 * 2**20  # twice the largest of the known files


def read(path: Path) -> tuple[Split, Split]:
    """The training and the test images of the unpacked folder, or of the archive as it is served.

    Of the archive nothing is written to disk, so no name in it can point anywhere.

    Raises:
        DatasetDamaged: a file is missing, is not whole, or is not what it should be.
    """
    contents = _folder_contents(path) if path.is_dir() else _archive_contents(path)
    for name in (*TRAIN_FILES, *TEST_FILES):
        if name not in contents:
            raise DatasetDamaged(f"{path} lacks {name}; fetch cifar-10-binary.tar.gz again.")
    return _decode(path, contents, TRAIN_FILES), _decode(path, contents, TEST_FILES)


def _folder_contents(folder: Path) -> dict[str, bytes]:
    contents = {}
    for name in (*TRAIN_FILES, *TEST_FILES):
        file = folder / name
        if file.exists():
            _check_size(file, file.stat().st_size)
            contents[name] = file.read_bytes()
    return contents


def _archive_contents(path: Path) -> dict[str, bytes]:
    contents = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if place.is_absolute() or ".." in place.parts:
                    raise DatasetDamaged(f"{path} holds {member.name!r}, which points out of it; it is not CIFAR-10.")
                _check_size(path / member.name, member.size)
                wanted = str(place.parent) == FOLDER and place.name in (*TRAIN_FILES, *TEST_FILES)
                file = archive.extractfile(member) if wanted and member.isreg() else None
                if file is not None:
                    contents[place.name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetDamaged(f"{path} can't be unpacked: {str(error).rstrip('.')}. Fetch it again.") from error
    return contents


def _check_size(name: Path, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise DatasetDamaged(f"{name} has {size} bytes, more than any file of CIFAR-10.")


def _decode(path: Path, contents: dict[str, bytes], names: tuple[str, ...]) -> Split:
    splits = []
    for name in names:
        content = contents[name]
        if not content or len(content) % RECORD_BYTES:
            raise DatasetDamaged(
                f"{path / name} has {len(content)} bytes, which is no whole number of records of {RECORD_BYTES}."
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
        # A record holds all red pixels, then all green, then all blue ones.
        images = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
        splits.append(Split(images, checked_labels(records[:, 0], path / name)))
    return Split(np.concatenate([split.images for split in splits]), np.concatenate([split.labels for split in splits]))
