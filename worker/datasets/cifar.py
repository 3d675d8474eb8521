"""CIFAR-10's "binary version": records of one label byte and 3,072 pixel bytes. No pickle is ever read."""

import tarfile
from pathlib import Path

import numpy as np

from backend.errors import DatasetDamaged
from worker.datasets.idx import checked_labels

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
FOLDER = "cifar-10-batches-bin"
SIZE, CHANNELS = 32, 3
RECORD_BYTES = 1 + SIZE * SIZE * CHANNELS
MAX_FILE_BYTES = 64 * 1024 * 1024


def read_folder(folder: Path) -> dict[str, bytes]:
    """The content of each file in the unpacked folder. Raises DatasetDamaged."""
    contents = {}
    for name in (*TRAIN_FILES, *TEST_FILES):
        path = folder / name
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DatasetDamaged(f"{path} holds more than {MAX_FILE_BYTES} bytes and is not what it should be.")
            contents[name] = path.read_bytes()
        except FileNotFoundError:
            raise DatasetDamaged(f"{folder} lacks {name}; unpack cifar-10-binary.tar.gz there anew.") from None
        except OSError as error:
            raise DatasetDamaged(f"{path} can't be read: {error.strerror or error}.") from error
    return contents


def read_archive(path: Path) -> dict[str, bytes]:
    """The content of each file in the archive. Nothing is written to disk, so no name in it can point anywhere.

    Raises:
        DatasetDamaged: the archive is not whole, or lacks one of the files.
    """
    wanted = {f"{FOLDER}/{name}": name for name in (*TRAIN_FILES, *TEST_FILES)}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = wanted.get(member.name)
                if name is None or not member.isreg():
                    continue
                file = archive.extractfile(member)
                if member.size > MAX_FILE_BYTES or file is None:
                    raise DatasetDamaged(f"{path} holds {member.name} of {member.size} bytes, which is not CIFAR-10.")
                contents[name] = file.read()
    except (tarfile.TarError, EOFError) as error:
        raise DatasetDamaged(f"{path} can't be unpacked: {error}. Fetch it again.") from error
    except OSError as error:
        raise DatasetDamaged(f"{path} can't be read: {error.strerror or error}.") from error
    if missing := [name for name in wanted.values() if name not in contents]:
        raise DatasetDamaged(f"{path} lacks {FOLDER}/{missing[0]}; fetch it again.")
    return contents


def decode(contents: dict[str, bytes], names: tuple[str, ...], source: Path) -> tuple[np.ndarray, np.ndarray]:
    """The records of some of the files.

    Returns:
        Images [images, 32, 32, 3] uint8, in RGB, and labels [images] int32.

    Raises:
        DatasetDamaged: a file is no sequence of whole records, or holds a label that is no class.
    """
    images, labels = [], []
    for name in names:
        content = contents[name]
        if not content or len(content) % RECORD_BYTES:
            raise DatasetDamaged(
                f"{source / name} has {len(content)} bytes, no whole number of {RECORD_BYTES}-byte records."
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
        labels.append(checked_labels(records[:, 0], source / name))
        images.append(records[:, 1:].reshape(-1, CHANNELS, SIZE, SIZE).transpose(0, 2, 3, 1))
    return np.concatenate(images), np.concatenate(labels)
