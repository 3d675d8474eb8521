import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.contract import DATASETS, DatasetName, Preprocessing, Quirk, TrainConfig
from backend.errors import DatasetDamaged, DatasetMissing, RunFailure
from tests.unit.datasets.files import CIFAR_FOLDER, archive, cifar_contents, idx_labels, mnist_like
from tests.unit.datasets.host import closed_address
from worker.datasets import Dataset, load, preprocess

NOBODY = 65534


def ignore(_: str) -> None:
    pass


def config(name: DatasetName = DatasetName.MNIST, **changes: object) -> TrainConfig:
    return TrainConfig.model_validate({"dataset": name, "batch_size": 5, **changes})


def restored(dataset: Dataset) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
    """The images from 0 to 255 again, by the scaling that comes with them."""
    found = []
    for images in (dataset.train_images, dataset.test_images):
        flat = images.reshape(len(images), -1).astype(np.float64)
        if dataset.scaling.whitening is not None:
            flat = flat @ np.linalg.inv(dataset.scaling.whitening.astype(np.float64))
        pixels = flat.reshape(images.shape) * dataset.scaling.deviation + dataset.scaling.mean
        found.append(pixels.astype(np.float32))
    return tuple(found)


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who may read nothing of others; a superuser may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


class TestMnist:
    @pytest.mark.parametrize("name", [DatasetName.MNIST, DatasetName.FASHION_MNIST])
    @pytest.mark.parametrize("preprocessing", list(Preprocessing))
    def test_comes_as_the_network_takes_it(
        self, tmp_path: Path, name: DatasetName, preprocessing: Preprocessing
    ) -> None:
        """All images of the files in their order, at 32 x 32, and what was done to them can be undone."""
        splits = mnist_like(tmp_path / name)
        dataset = load(config(name, preprocessing=preprocessing), tmp_path, ignore)
        assert dataset.train_images.shape == (30, 32, 32, 1)
        assert dataset.test_images.shape == (12, 32, 32, 1)
        assert dataset.train_labels.tolist() == [number % 10 for number in range(30)]
        assert dataset.test_labels.tolist() == [number % 10 for number in range(12)]
        assert {array.dtype for array in (dataset.train_images, dataset.test_images, dataset.scaling.mean)} == {
            np.dtype(np.float32)
        }
        for found, images in zip(restored(dataset), splits, strict=True):
            assert found == pytest.approx(preprocess.resized(images[..., np.newaxis]), abs=0.02)

    def test_is_limited_to_the_first_images(self, tmp_path: Path) -> None:
        """train_images and test_images take the first ones, and statistics are those of the images taken."""
        splits = mnist_like(tmp_path / "mnist")
        limited = config(train_images=7, test_images=3, preprocessing=Preprocessing.STANDARDIZE)
        dataset = load(limited, tmp_path, ignore)
        assert dataset.train_labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert dataset.test_labels.tolist() == [0, 1, 2]
        first = preprocess.resized(splits[0][:7, ..., np.newaxis])
        assert dataset.scaling.mean == pytest.approx(first.mean(axis=0), abs=1e-3)
        assert restored(dataset)[0] == pytest.approx(first, abs=1e-3)

    @pytest.mark.parametrize("quirks", [[], [Quirk.TEST_OWN_STATISTICS]])
    def test_gives_pixel_values_of_test_images(self, tmp_path: Path, quirks: list[Quirk]) -> None:
        """Test images can be turned back to pixels, by the statistics that they were preprocessed with."""
        splits = mnist_like(tmp_path / "mnist")
        dataset = load(config(preprocessing=Preprocessing.STANDARDIZE, quirks=tuple(quirks)), tmp_path, ignore)
        pixels = dataset.to_pixels(dataset.test_images)
        assert pixels == pytest.approx(preprocess.resized(splits[1][..., np.newaxis]), abs=1e-3)
        assert np.array_equal(dataset.scaling.mean, dataset.test_scaling.mean) is not bool(quirks)

    def test_reads_what_was_unpacked_before_what_was_packed(self, tmp_path: Path) -> None:
        """Of a file that is there in both forms the unpacked one is read."""
        mnist_like(tmp_path / "mnist")
        (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_labels([9] * 30)))
        assert load(config(), tmp_path, ignore).train_labels[:3].tolist() == [0, 1, 2]


class TestOthers:
    @pytest.mark.parametrize("packed", [False, True])
    def test_cifar10_comes_from_folder_or_archive(self, tmp_path: Path, packed: bool) -> None:
        """CIFAR-10 has ten training images here, in colour, at the size that they have."""
        home = tmp_path / "cifar10"
        (home / CIFAR_FOLDER).mkdir(parents=True)
        if packed:
            (home / CIFAR_FOLDER).rmdir()
            (home / "cifar-10-binary.tar.gz").write_bytes(archive())
        for name, content in {} if packed else cifar_contents().items():
            (home / CIFAR_FOLDER / name).write_bytes(content)
        dataset = load(config(DatasetName.CIFAR10), tmp_path, ignore)
        assert dataset.train_images.shape == (10, 32, 32, 3)
        assert dataset.test_labels.tolist() == [5, 6]
        assert (dataset.scaling.mean.shape, dataset.scaling.deviation.shape) == ((), ())

    def test_digits_need_no_folder(self, tmp_path: Path) -> None:
        """Digits are part of a package: nothing is read or written."""
        dataset = load(config(DatasetName.DIGITS, test_images=9), tmp_path / "none", ignore)
        assert dataset.train_images.shape == (1437, 32, 32, 1)
        assert dataset.test_images.shape == (9, 32, 32, 1)
        assert (float(dataset.train_images.min()), float(dataset.train_images.max())) == (0, 255)
        assert list(tmp_path.iterdir()) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"train_images": 31}, "asks for 31 training images of mnist, but the files hold 30"),
            ({"test_images": 13}, "asks for 13 test images of mnist, but the files hold 12"),
            ({"batch_size": 31}, "batch_size is 31, but there are only 30 training images of mnist"),
        ],
    )
    def test_of_more_images_than_there_are(self, tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
        """A run never quietly gets fewer images than it asks for."""
        mnist_like(tmp_path / "mnist")
        with pytest.raises(RunFailure, match=sentence):
            load(config(**changes), tmp_path, ignore)

    def test_of_files_without_images(self, tmp_path: Path) -> None:
        """Whole files that hold nothing are no data set."""
        mnist_like(tmp_path / "mnist", test=0)
        with pytest.raises(RunFailure, match="asks for all test images of mnist, but the files hold 0"):
            load(config(), tmp_path, ignore)

    def test_of_images_of_another_size(self, tmp_path: Path) -> None:
        """MNIST's files hold images of 28 x 28."""
        mnist_like(tmp_path / "mnist")
        images = tmp_path / "mnist" / "t10k-images-idx3-ubyte"
        images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4]))
        with pytest.raises(DatasetDamaged, match=f"^{images} holds images of 2x2 pixels; they must have 28x28"):
            load(config(), tmp_path, ignore)

    def test_of_a_folder_in_place_of_a_file(self, tmp_path: Path) -> None:
        """A folder under a file's name is told by its path."""
        mnist_like(tmp_path / "mnist")
        labels = tmp_path / "mnist" / "t10k-labels-idx1-ubyte"
        labels.unlink()
        labels.mkdir()
        with pytest.raises(DatasetDamaged, match=f"^{labels} can't be read: Is a directory"):
            load(config(), tmp_path, ignore)

    def test_of_a_file_in_place_of_the_folder(self, tmp_path: Path) -> None:
        """A file under the data set's name is told by its path."""
        (tmp_path / "mnist").write_text("oops")
        with pytest.raises(DatasetDamaged, match=f"^{tmp_path / 'mnist'} can't be read: File exists"):
            load(config(), tmp_path, ignore)

    def test_of_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        """A file of another user is told by its path."""
        mnist_like(tmp_path / "mnist")
        images = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
        images.chmod(0)
        with nobody(), pytest.raises(DatasetDamaged, match=f"^{images} can't be read: Permission denied"):
            load(config(), tmp_path, ignore)

    def test_of_a_folder_that_may_not_be_looked_into(self, tmp_path: Path) -> None:
        """A folder of another user is told by the path of what could not be reached, and nothing is fetched into it."""
        mnist_like(tmp_path / "mnist")
        before = sorted((tmp_path / "mnist").iterdir())
        (tmp_path / "mnist").chmod(0)
        with (
            nobody(),
            pytest.raises(DatasetDamaged, match=rf"^{tmp_path / 'mnist'}\S* can't be read: Permission denied"),
        ):
            load(config(), tmp_path, ignore)
        (tmp_path / "mnist").chmod(0o755)
        assert sorted((tmp_path / "mnist").iterdir()) == before

    def test_of_a_missing_file_without_a_network(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sentence says which file is missing, and the whole path of the folder that it belongs into."""
        mnist_like(tmp_path / "mnist")
        (tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
        url = closed_address("file").replace("http", "https")
        spec = DATASETS[DatasetName.MNIST]
        files = tuple(file.model_copy(update={"urls": (url,)}) for file in spec.files)
        monkeypatch.setitem(DATASETS, DatasetName.MNIST, spec.model_copy(update={"files": files}))
        monkeypatch.chdir(tmp_path)
        place = tmp_path / "mnist"
        with pytest.raises(DatasetMissing, match=rf"^t10k-images-idx3-ubyte\.gz is not in {place} and can't be down"):
            load(config(), Path(), ignore)
