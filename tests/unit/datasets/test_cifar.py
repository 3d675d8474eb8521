import gzip
import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DatasetDamaged
from tests.unit.datasets.files import CIFAR_FILES, CIFAR_FOLDER, archive, cifar_contents, cifar_file, regular
from worker.datasets import cifar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The unpacked folder, whole."""
    folder = tmp_path / CIFAR_FOLDER
    folder.mkdir()
    for name, content in cifar_contents().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The archive, whole."""
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(archive())
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def wrong_checksum() -> bytes:
    """The archive without padding, so that it is read to its end, where gzip's checksum is another."""
    unpacked = gzip.decompress(archive()).rstrip(b"\0")
    return gzip.compress(unpacked + bytes(-len(unpacked) % 512))[:-8] + bytes(8)


class TestRead:
    @pytest.mark.parametrize("place", ["folder", "packed"])
    def test_gives_channels_last_and_files_in_order(self, request: pytest.FixtureRequest, place: str) -> None:
        """Five files train and one tests; a pixel is red, green, blue, from folder and archive alike."""
        train, test = cifar.read(request.getfixturevalue(place))
        assert train.images.shape == (10, 32, 32, 3)
        assert train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
        assert (test.images.shape, test.labels.tolist()) == ((2, 32, 32, 3), [5, 6])
        second = cifar_file(1)[3073:]  # record 1 of data_batch_2
        for row, column, channel in ((0, 0, 0), (0, 1, 0), (1, 0, 0), (3, 5, 1), (31, 31, 2)):
            assert train.images[3, row, column, channel] == second[1 + 1024 * channel + 32 * row + column]

    def test_ignores_other_files(self, folder: Path, packed: Path) -> None:
        """Read-me files, folders, and files of the right names in other places change nothing."""
        expected, _ = cifar.read(folder)
        packed.write_bytes(
            archive(
                regular("data_batch_1.bin", cifar_file(7)),
                regular(f"{CIFAR_FOLDER}/more/data_batch_1.bin", cifar_file(7)),
                regular(f"{CIFAR_FOLDER}/readme.html", b"<html>"),
                link(f"{CIFAR_FOLDER}/passwd", "/etc/passwd"),
            )
        )
        found, _ = cifar.read(packed)
        assert np.array_equal(found.images, expected.images)


class TestDamage:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "has 0 bytes, which is no whole number of records of 3073"),
            (cifar_file(0)[:-1], "has 6145 bytes"),
            (cifar_file(0) + b"\0", "has 6147 bytes"),
            (bytes([10]) + cifar_file(0)[1:], "holds the label 10; labels are 0 to 9"),
        ],
    )
    def test_of_a_file_is_told_in_a_sentence(self, folder: Path, content: bytes, sentence: str) -> None:
        """A file that is not whole records of classes is refused by its name."""
        damaged = folder / "data_batch_3.bin"
        damaged.write_bytes(content)
        with pytest.raises(DatasetDamaged, match=f"^{damaged} {sentence}"):
            cifar.read(folder)

    @pytest.mark.parametrize("name", ["data_batch_5.bin", "test_batch.bin"])
    def test_of_a_missing_file_names_it(self, folder: Path, packed: Path, name: str) -> None:
        """Of six files none may be missing."""
        (folder / name).unlink()
        packed.write_bytes(archive(without=name))
        for place in (folder, packed):
            with pytest.raises(DatasetDamaged, match=f"^{place} lacks {name}"):
                cifar.read(place)

    def test_of_size_is_seen_before_reading(self, folder: Path) -> None:
        """A file that is far too large is refused before its content is read."""
        with (folder / "data_batch_2.bin").open("r+b") as file:
            file.truncate(2**40)
        with pytest.raises(DatasetDamaged, match=r"data_batch_2.bin has 1099511627776 bytes, more than any file of"):
            cifar.read(folder)

    @pytest.mark.parametrize(
        "content", [b"", b"\x1f\x8b", b"<html>", gzip.compress(b"no tar" * 200), archive()[:-3000], wrong_checksum()]
    )
    def test_of_an_archive_is_told_in_a_sentence(self, packed: Path, content: bytes) -> None:
        """What is no whole archive is refused by its name."""
        packed.write_bytes(content)
        with pytest.raises(DatasetDamaged, match=f"^{packed} "):
            cifar.read(packed)

    def test_never_ends_in_another_error(self, packed: Path) -> None:
        """Whatever flipped bytes do to the archive, it is read or refused with its name."""
        whole, generator, sentences = packed.read_bytes(), np.random.default_rng(0), []
        unpacked = gzip.decompress(whole)
        for _ in range(100):
            content, start = bytearray(whole), int(generator.integers(len(whole)))
            content[start] ^= 0x5A
            header, inside = bytearray(unpacked), int(generator.integers(512))
            header[inside] ^= 0x5A
            for damaged in (bytes(content), gzip.compress(header, 1), whole[:start]):
                packed.write_bytes(damaged)
                try:
                    cifar.read(packed)
                except DatasetDamaged as error:
                    sentences.append(str(error))
        assert len(sentences) > 100
        assert all(sentence.startswith(str(packed)) for sentence in sentences)


class TestHostileArchives:
    @pytest.mark.parametrize(
        "name", [f"../{CIFAR_FILES[0]}", f"{CIFAR_FOLDER}/../../x", "/etc/x", f"/{CIFAR_FOLDER}/x"]
    )
    def test_with_names_that_point_out_are_refused(self, packed: Path, name: str) -> None:
        """A member that is to be written elsewhere makes the whole archive suspect."""
        packed.write_bytes(archive(regular(name, b"x")))
        with pytest.raises(DatasetDamaged, match=f"^{packed} holds '{re.escape(name)}', which points out of it"):
            cifar.read(packed)
        assert sorted(path.name for path in packed.parent.iterdir()) == [packed.name]

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
    def test_with_links_and_devices_in_place_of_files_are_refused(
        self, packed: Path, tmp_path: Path, kind: bytes
    ) -> None:
        """Only plain files count: a link named as a batch leads nowhere, and the batch is missing."""
        secret = tmp_path / "secret"
        secret.write_bytes(cifar_file(0))
        packed.write_bytes(archive(link(f"{CIFAR_FOLDER}/test_batch.bin", str(secret), kind), without="test_batch.bin"))
        with pytest.raises(DatasetDamaged, match=r"lacks test_batch\.bin"):
            cifar.read(packed)

    @pytest.mark.parametrize("name", [f"{CIFAR_FOLDER}/data_batch_1.bin", "elsewhere"])
    def test_that_unpack_to_too_much_are_refused(self, packed: Path, name: str) -> None:
        """A member's size is looked at before a byte of it is unpacked."""
        member = tarfile.TarInfo(name)
        member.size = 2**40
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w:gz") as tar:
            tar.addfile(member)
        packed.write_bytes(output.getvalue())
        with pytest.raises(DatasetDamaged, match="has 1099511627776 bytes, more than any file of CIFAR-10"):
            cifar.read(packed)
