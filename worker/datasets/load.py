from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.contract import DATASETS, DatasetName, DatasetSpec, TrainConfig
from backend.errors import DatasetDamaged
from worker.datasets import cifar, digits, download, idx, preprocess


@dataclass(frozen=True)
class Dataset:
    """Images as a network takes them, [images, 32, 32, channels] float32, and labels, [images] int32."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(config: TrainConfig, folder: Path, report: Callable[[str], None]) -> Dataset:
    """The images that a configuration asks for: read, or downloaded first, resized and preprocessed.

    Args:
        config: names data set, numbers of images and preprocessing.
        folder: holds a folder for each data set.
        report: told in words how a download goes on.

    Raises:
        DatasetMissing, DownloadFailed, DatasetDamaged: a sentence that names the file.
    """
    spec = DATASETS[config.dataset]
    home = folder / spec.name
    try:
        train_images, train_labels, test_images, test_labels = _read(spec, home, report)
    except OSError as error:
        raise DatasetDamaged(
            f"{error.filename or home} can't be read or written: {error.strerror or error}."
        ) from error
    train_images, train_labels = _first("train_images", config.train_images, train_images, train_labels, home)
    test_images, test_labels = _first("test_images", config.test_images, test_images, test_labels, home)
    if config.batch_size > len(train_labels):
        raise DatasetDamaged(
            f"batch_size is {config.batch_size}, but {home} holds {len(train_labels)} training images only."
        )
    train_images, test_images = preprocess.preprocessed(
        preprocess.resized(train_images), preprocess.resized(test_images), config.preprocessing
    )
    return Dataset(train_images, train_labels, test_images, test_labels)


def _read(
    spec: DatasetSpec, home: Path, report: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if spec.name is DatasetName.DIGITS:
        return digits.read()
    paths = []
    for file in spec.files:
        here = [home / name for name in file.accepted_names if (home / name).exists()]
        paths.append(here[-1] if here else download.fetch(file, home, report))
    if spec.name is DatasetName.CIFAR10:
        (path,) = paths
        contents = cifar.read_folder(path) if path.is_dir() else cifar.read_archive(path)
        return *cifar.decode(contents, cifar.TRAIN_FILES, path), *cifar.decode(contents, cifar.TEST_FILES, path)
    train_images, train_labels, test_images, test_labels = paths
    return *_pair(spec, train_images, train_labels), *_pair(spec, test_images, test_labels)


def _pair(spec: DatasetSpec, images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = idx.read_images(images_path, spec.height, spec.width), idx.read_labels(labels_path)
    if len(images) != len(labels):
        raise DatasetDamaged(f"{images_path} holds {len(images)} images, but {labels_path} {len(labels)} labels.")
    return images, labels


def _first(
    name: str, wanted: int | None, images: np.ndarray, labels: np.ndarray, home: Path
) -> tuple[np.ndarray, np.ndarray]:
    if len(labels) == 0 or (wanted is not None and wanted > len(labels)):
        raise DatasetDamaged(f"{name} asks for {wanted or 'all'}, but {home} holds {len(labels)} of them.")
    return images[:wanted], labels[:wanted]
