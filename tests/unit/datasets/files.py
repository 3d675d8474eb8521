"""Tiny files in the formats of the data sets."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CIFAR_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
CIFAR_FOLDER = "cifar-10-batches-bin"

Bytes = NDArray[np.uint8]


def pixels(*shape: int, seed: int = 0) -> Bytes:
    """Random pixels of that shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx_images(images: Bytes) -> bytes:
    """An IDX file of images [images, height, width]."""
    return struct.pack(">IIII", 0x803, *images.shape) + images.tobytes()


def idx_labels(labels: list[int]) -> bytes:
    """An IDX file of labels."""
    return struct.pack(">II", 0x801, len(labels)) + bytes(labels)


def mnist_like(folder: Path, train: int = 30, test: int = 12) -> tuple[Bytes, Bytes]:
    """A folder of tiny MNIST files, some packed and some not; gives the images of both splits, labels are n mod 10."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = pixels(train, 28, 28, seed=1), pixels(test, 28, 28, seed=2)
    for prefix, images in zip(("train", "t10k"), splits, strict=True):
        labels = [number % 10 for number in range(len(images))]
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_images(images)))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_labels(labels))
    return splits


def cifar_file(number: int, records: int = 2) -> bytes:
    """A CIFAR-10 file: record n has the label n + number, then 1,024 red pixels, the green and the blue ones."""
    colours = pixels(records, 3 * 1024, seed=number)
    return b"".join(bytes([(n + number) % 10]) + colours[n].tobytes() for n in range(records))


def cifar_contents() -> dict[str, bytes]:
    """The six files of CIFAR-10, two records each."""
    return {name: cifar_file(number) for number, name in enumerate(CIFAR_FILES)}


def regular(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """A file in an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def archive(*extra: tuple[tarfile.TarInfo, bytes], without: str = "") -> bytes:
    """CIFAR-10's archive, with other members after its own and without one of these."""
    contents = cifar_contents()
    contents.pop(without, None)
    members = [*(regular(f"{CIFAR_FOLDER}/{name}", content) for name, content in contents.items()), *extra]
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content) if content else None)
    return output.getvalue()
