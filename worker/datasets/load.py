from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.contract import DATASETS, DatasetName, DatasetSpec, Network, Quirk, TrainConfig
from backend.errors import DatasetDamaged, DownloadFailed, RunFailure
from worker.datasets import cifar, digits, download, idx, preprocess
from worker.datasets.preprocess import Scaling
from worker.datasets.split import Split


@dataclass(frozen=True)
class Dataset:
    """The images that a run asks for, as its network takes them. Pixels of the files, 0 to 255, became `scaling`'s."""

    train_images: NDArray[np.float32]  # [images, height, width, channels]; 32x32 for conv7, else as in the files
    train_labels: NDArray[np.int32]  # [images], 0 to 9
    test_images: NDArray[np.float32]  # [images, height, width, channels]
    test_labels: NDArray[np.int32]  # [images], 0 to 9
    scaling: Scaling  # of the training images
    test_scaling: Scaling  # the same, unless the test images have statistics of their own

    def to_pixels(self, images: NDArray[np.generic]) -> NDArray[np.float64]:
        """Test images, or what lies near them, back in pixel values: 0 to 255, and a little beyond."""
        return preprocess.undo(images, self.test_scaling)


def load(config: TrainConfig, folder: Path, report: Callable[[str], None]) -> Dataset:
    """The images that a configuration asks for: read, or downloaded first, then resized and preprocessed.

    Args:
        config: names data set, numbers of images and preprocessing.
        folder: holds one folder a data set, named after it.
        report: told in words how a download goes on.

    Raises:
        DatasetMissing: a file is not there and can't be fetched; the sentence says which, and where to put it.
        DatasetDamaged: a file is not what it should be, or can't be read.
        DownloadFailed: what was fetched can't be stored.
        RunFailure: the files hold fewer images than the configuration asks for.
    """
    spec = DATASETS[config.dataset]
    train, test = read(spec, folder, report)
    train = _first(config.train_images, train, f"training images of {spec.name}")
    test = _first(config.test_images, test, f"test images of {spec.name}")
    if config.batch_size > len(train.labels):
        raise RunFailure(
            f"batch_size is {config.batch_size}, but there are only {len(train.labels)} training images of "
            f"{spec.name}; ask for a smaller batch."
        )
    sized = preprocess.resized if config.network is Network.CONV7 else preprocess.as_they_are
    train_images, test_images = sized(train.images), sized(test.images)
    scaling = preprocess.fit(train_images, config.preprocessing)
    own_statistics = Quirk.TEST_OWN_STATISTICS in config.quirks
    test_scaling = preprocess.fit(test_images, config.preprocessing) if own_statistics else scaling
    return Dataset(
        preprocess.apply(train_images, scaling),
        train.labels,
        preprocess.apply(test_images, test_scaling),
        test.labels,
        scaling,
        test_scaling,
    )


def fetch(
    spec: DatasetSpec,
    folder: Path,
    report: Callable[[str], None],
    count: download.Count,
    schemes: frozenset[str] = download.HTTPS,
) -> None:
    """Download what is missing of a data set, and read nothing of it.

    Args:
        spec: which data set.
        folder: holds one folder a data set, named after it.
        report: told in words how it goes on.
        count: told the same in numbers.
        schemes: of the addresses that may be asked.

    Raises:
        DatasetMissing, DownloadFailed: a sentence says which file, and why not.
    """
    home = (folder / spec.name).absolute()
    try:
        download.find_or_fetch(spec.files, home, report, count=count, schemes=schemes)
    except OSError as error:
        place = error.filename or home
        raise DownloadFailed(f"{spec.name} can't be stored: {place}: {error.strerror or error}.") from error


def read(spec: DatasetSpec, folder: Path, report: Callable[[str], None]) -> tuple[Split, Split]:
    """All training and test images as they are in the files, which are downloaded first where they are missing.

    Raises:
        DatasetMissing, DatasetDamaged, DownloadFailed: as `load`.
    """
    home = (folder / spec.name).absolute()
    try:
        return _read(spec, home, report)
    except OSError as error:
        raise DatasetDamaged(f"{error.filename or home} can't be read: {error.strerror or error}.") from error


def _read(spec: DatasetSpec, home: Path, report: Callable[[str], None]) -> tuple[Split, Split]:
    if spec.name is DatasetName.DIGITS:
        return digits.read()
    paths = download.find_or_fetch(spec.files, home, report)
    if spec.name is DatasetName.CIFAR10:
        return cifar.read(*paths)
    train_images, train_labels, test_images, test_labels = paths
    return (
        idx.read(train_images, train_labels, spec.height, spec.width),
        idx.read(test_images, test_labels, spec.height, spec.width),
    )


def _first(wanted: int | None, split: Split, what: str) -> Split:
    held = len(split.labels)
    if held == 0 or (wanted or 0) > held:
        raise RunFailure(f"The run asks for {wanted or 'all'} {what}, but the files hold {held} of them.")
    return Split(split.images[:wanted], split.labels[:wanted])
