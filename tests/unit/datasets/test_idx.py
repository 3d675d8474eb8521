import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DatasetDamaged
from tests.unit.datasets.files import idx_images, idx_labels, pixels
from worker.datasets import idx
from worker.datasets.split import Split

IMAGES = pixels(4, 6, 5)
LABELS = [3, 0, 9, 3]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A whole file of four images of 6 x 5 pixels."""
    path = tmp_path / "some-images"
    path.write_bytes(idx_images(IMAGES))
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """The whole file of their labels."""
    path = tmp_path / "some-labels"
    path.write_bytes(idx_labels(LABELS))
    return path


def read(images: Path, labels: Path) -> Split:
    return idx.read(images, labels, 6, 5)


class TestRead:
    @pytest.mark.parametrize("packed", [False, True])
    def test_gives_what_was_written(self, images: Path, labels: Path, packed: bool) -> None:
        """Images and labels come back in order, from plain files and from packed ones."""
        for path in (images, labels) if packed else ():
            path.write_bytes(gzip.compress(path.read_bytes()))
        split = read(images, labels)
        assert np.array_equal(split.images, IMAGES[..., np.newaxis])
        assert split.labels.tolist() == LABELS
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int32

    def test_looks_at_the_content_and_not_at_the_name(self, images: Path, labels: Path) -> None:
        """A file that was unpacked but kept its name is read all the same."""
        packed_name = images.rename(images.with_name("some-images.gz"))
        assert len(read(packed_name, labels).labels) == 4

    def test_of_no_images_is_no_damage(self, images: Path, labels: Path) -> None:
        """Files that promise no images and hold none are whole."""
        images.write_bytes(idx_images(IMAGES[:0]))
        labels.write_bytes(idx_labels([]))
        assert read(images, labels).images.shape == (0, 6, 5, 1)


class TestDamage:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "is no IDX file: it has 0 bytes, less than the header's 16"),
            (idx_images(IMAGES)[:15], "is no IDX file: it has 15 bytes"),
            (idx_images(IMAGES)[:-1], "is cut off: its header promises 120 bytes, and 119 follow"),
            (idx_images(IMAGES) + b"\0", "is too long: its header promises 120 bytes, and 121 follow"),
            (idx_labels([1] * 99), "is not the right IDX file: it begins with 0x00000801 instead of 0x00000803"),
            (
                struct.pack("<IIII", 0x803, 4, 6, 5) + IMAGES.tobytes(),
                "is not the right IDX file: it begins with 0x03080000",
            ),
            (struct.pack(">IIII", 0x803, 2**31, 2**31, 2**31), "is cut off"),
            (idx_images(pixels(4, 5, 6)), "holds images of 5x6 pixels; they must have 6x5"),
            (idx_images(IMAGES[:3]), "holds 3 images, but .*some-labels has 4 labels"),
            (gzip.compress(idx_images(IMAGES))[:-20], "can't be unpacked: .*Fetch it again"),
            (gzip.compress(idx_images(IMAGES))[:-8] + bytes(8), "can't be unpacked: CRC check failed.*Fetch it again"),
            (b"\x1f\x8b\x08\x00" + bytes(40), "can't be unpacked: "),
            (b"\x1f\x8b", "can't be unpacked: "),
            (b"<html>no such file</html>", "is not the right IDX file: it begins with 0x3c68746d"),
        ],
    )
    def test_of_images_is_told_in_a_sentence(self, images: Path, labels: Path, content: bytes, sentence: str) -> None:
        """A file that is not what it should be is refused, with its name and what is wrong."""
        images.write_bytes(content)
        with pytest.raises(DatasetDamaged, match=f"^{images} {sentence}"):
            read(images, labels)

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (idx_labels([3, 0, 10, 3]), "holds the label 10; labels are 0 to 9"),
            (idx_labels([3, 0, 255, 3]), "holds the label 255"),
            (idx_images(IMAGES), "begins with 0x00000803 instead of 0x00000801"),
            (idx_labels(LABELS)[:-1], "is cut off: its header promises 4 bytes, and 3 follow"),
        ],
    )
    def test_of_labels_is_told_in_a_sentence(self, images: Path, labels: Path, content: bytes, sentence: str) -> None:
        """Labels that are no classes, or no labels, are refused."""
        labels.write_bytes(content)
        with pytest.raises(DatasetDamaged, match=f"^{labels} .*{sentence}"):
            read(images, labels)

    @pytest.mark.parametrize("packed", [False, True])
    def test_never_ends_in_another_error(self, images: Path, labels: Path, packed: bool) -> None:
        """Whatever one flipped byte does, the file is read or refused with its name."""
        whole = gzip.compress(images.read_bytes()) if packed else images.read_bytes()
        sentences = []
        for place in range(len(whole)):
            images.write_bytes(whole[:place] + bytes([whole[place] ^ 0xA5]) + whole[place + 1 :])
            try:
                split = read(images, labels)
            except DatasetDamaged as error:
                sentences.append(str(error))
            else:
                assert split.images.shape == (4, 6, 5, 1)
        assert len(sentences) >= 16
        assert all(sentence.startswith(str(images)) for sentence in sentences)

    def test_stops_at_what_unpacks_to_too_much(self, images: Path, labels: Path) -> None:
        """A small packed file that would fill the memory is refused after its first 256 MB."""
        with gzip.open(images, "wb", compresslevel=1) as file:
            for _ in range(257):
                file.write(bytes(2**20))
        with pytest.raises(DatasetDamaged, match=f"^{images} holds more than 268435456 bytes"):
            read(images, labels)
