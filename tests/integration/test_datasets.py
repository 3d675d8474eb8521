"""Data sets through the real processes: what a worker finds out about them, and runs whose files are no good."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service import TINY, Service, until
from tests.unit.datasets.files import archive, idx_labels, mnist_like, regular
from tests.unit.datasets.host import closed_address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service without a way out to the network."""
    folder = tmp_path_factory.mktemp("service") / "data"
    proxy = closed_address("")
    with Service(folder, {"https_proxy": proxy, "HTTPS_PROXY": proxy, "no_proxy": ""}).running() as service:
        yield service


class TestHistograms:
    def test_are_made_by_a_worker(self, service: Service) -> None:
        """Asked for until they are there, they hold every pixel of every split, resized as conv7 takes them."""
        url = "/api/datasets/digits/histograms?preprocessing=standardize&network=conv7"
        first = service.client.get(url)
        assert (first.status_code, first.json()) == (202, {"state": "queued"})
        answer = until(lambda: found if (found := service.client.get(url)).status_code != 202 else None)
        assert answer is not None
        assert answer.status_code == 200, answer.text
        splits = {(one["split"], one["stage"]): one for one in answer.json()["splits"]}
        for (split, _), one in splits.items():
            images = {"train": 1437, "test": 360}[split]
            assert sum(one["counts"]) + one["below"] + one["above"] == images * 32 * 32
        assert splits["train", "after"]["mean"] == pytest.approx(0, abs=1e-4)

    def test_run_beside_nothing_that_is_left(self, service: Service) -> None:
        """The process that made them has ended."""
        assert until(lambda: not service.pids(r"worker\.dataset_task"))


class TestADownload:
    def test_without_a_network_says_which_file_to_put_where(self, service: Service) -> None:
        """It fails with a sentence, which the list of data sets shows, and leaves nothing but an empty folder."""
        answer = service.client.post("/api/datasets/fashion_mnist/download")
        assert answer.status_code == 202

        def download() -> dict[str, Any]:
            listed = service.client.get("/api/datasets").json()
            (found,) = (one["download"] for one in listed if one["name"] == "fashion_mnist")
            return dict(found) if found["state"] == "failed" else {}

        error = until(download)["error"]
        place = service.folder / "datasets" / "fashion_mnist"
        assert error.startswith(f"train-images-idx3-ubyte.gz is not in {place} and can't be downloaded (")
        assert error.endswith("Put the file there.")
        assert [path.name for path in place.iterdir()] == [".lock"]


def cut_off(folder: Path) -> None:
    """MNIST whose test images end too early."""
    mnist_like(folder)
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def wrong_label(folder: Path) -> None:
    """Fashion-MNIST with an eleventh class."""
    mnist_like(folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_labels([10] * 12))


def climbing(folder: Path) -> None:
    """CIFAR-10 with a member that would lie outside of it."""
    folder.mkdir(parents=True)
    (folder / "cifar-10-binary.tar.gz").write_bytes(archive(regular("../../outside", b"x")))


class TestARun:
    def test_on_bad_files_fails_with_the_sentence_that_names_them(self, service: Service) -> None:
        """Files that are cut off, mislabelled or point out of their archive end their runs, each by its own name."""
        cases = {
            "mnist": (
                cut_off,
                "t10k-images-idx3-ubyte.gz is cut off: its header promises 9408 bytes, and 9407 follow.",
            ),
            "fashion_mnist": (wrong_label, "t10k-labels-idx1-ubyte holds the label 10; labels are 0 to 9."),
            "cifar10": (climbing, "cifar-10-binary.tar.gz holds '../../outside', which points out of it; it is not"),
        }
        runs = {}
        for name, (spoil, _) in cases.items():
            spoil(service.folder / "datasets" / name)
            (run,) = service.launch(
                config=TINY | {"dataset": name, "train_images": 30, "test_images": 12, "batch_size": 5}
            )
            runs[name] = run["id"]
        before = sorted(path for path in (service.folder / "datasets").rglob("*") if path.name != ".lock")
        for name, (_, sentence) in cases.items():
            run = service.wait_for(runs[name], "finished", "failed")
            assert run["status"] == "failed"
            assert run["error"].startswith(f"{service.folder / 'datasets' / name}/{sentence}"), run["error"]
            assert service.history(run["id"])[-1]["note"] == run["error"]
            assert service.metrics(run["id"])["epochs"] == []
        assert sorted(path for path in (service.folder / "datasets").rglob("*") if path.name != ".lock") == before
