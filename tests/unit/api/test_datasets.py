from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.contract import DatasetName, JobKind
from backend.db import dataset_jobs
from backend.db.dataset_jobs import JobClaim
from backend.db.engine import Database
from backend.settings import Settings
from tests.unit.datasets.files import mnist_like

SPLIT = {"edges": [0.0, 1.0], "counts": [3], "below": 0, "above": 0, "mean": 0.5, "deviation": 0.25}
SPLITS = [
    {"split": split, "stage": stage, "minimum": 0.0, "maximum": 1.0, **SPLIT}
    for split in ("train", "test")
    for stage in ("before", "after")
]


def claimed(database: Database, kind: JobKind) -> JobClaim:
    with database.write() as session:
        job = dataset_jobs.claim(session, kind, 15.0)
    assert job is not None
    return job


def dataset(client: TestClient, name: str) -> dict[str, Any]:
    (found,) = (one for one in client.get("/api/datasets").json() if one["name"] == name)
    return dict(found)


@pytest.fixture
def folder(settings: Settings) -> Path:
    """Where MNIST belongs."""
    return settings.datasets_dir / "mnist"


class TestHistograms:
    URL = "/api/datasets/digits/histograms"

    def test_are_made_once_and_kept(self, client: TestClient, database: Database) -> None:
        """202 until a worker has made them, 200 from then on; who asks twice waits for the same work."""
        query = "?preprocessing=zca&network=mlp&own_statistics=true"
        for _ in range(2):
            answer = client.get(self.URL + query)
            assert (answer.status_code, answer.json()) == (202, {"state": "queued"})
        job = claimed(database, JobKind.HISTOGRAMS)
        assert (job.dataset, job.arguments) == (
            DatasetName.DIGITS,
            {"preprocessing": "zca", "network": "mlp", "own_statistics": True},
        )
        assert client.get(self.URL + query).json() == {"state": "running"}
        with database.write() as session:
            dataset_jobs.finish(session, job.job_id, job.attempt, {"splits": SPLITS})
        answer = client.get(self.URL + query)
        assert answer.status_code == 200
        assert answer.json() == {
            "dataset": "digits",
            "preprocessing": "zca",
            "network": "mlp",
            "own_statistics": True,
            "splits": SPLITS,
        }
        assert client.get(self.URL).status_code == 202, "another preprocessing is other work"

    def test_that_failed_say_why(self, client: TestClient, database: Database) -> None:
        """The worker's sentence is the answer."""
        client.get(self.URL)
        job = claimed(database, JobKind.HISTOGRAMS)
        with database.write() as session:
            dataset_jobs.fail(session, job.job_id, job.attempt, "labels.gz is cut off.")
        answer = client.get(self.URL)
        assert answer.status_code == 409
        assert answer.json()["error"]["message"] == "labels.gz is cut off."

    def test_of_other_files_are_made_anew(self, client: TestClient, database: Database, folder: Path) -> None:
        """A file that was replaced makes what was found of the old ones, or failed with them, void."""
        mnist_like(folder)
        url = "/api/datasets/mnist/histograms"
        client.get(url)
        job = claimed(database, JobKind.HISTOGRAMS)
        with database.write() as session:
            dataset_jobs.fail(session, job.job_id, job.attempt, "damaged")
        assert client.get(url).status_code == 409
        (folder / "t10k-labels-idx1-ubyte").write_bytes(b"others")
        assert client.get(url).status_code == 202

    def test_of_what_is_not_here_are_refused(self, client: TestClient) -> None:
        """A data set without files is a 409 that names them and their folder; one that there is not, a 422."""
        answer = client.get("/api/datasets/cifar10/histograms")
        assert answer.status_code == 409
        message = answer.json()["error"]["message"]
        assert "cifar-10-binary.tar.gz must be in datasets/cifar10 of the data folder" in message
        assert client.get("/api/datasets/imagenet/histograms").status_code == 422
        assert client.get(f"{self.URL}?preprocessing=blur").status_code == 422


class TestADownload:
    URL = "/api/datasets/mnist/download"

    def test_shows_how_far_it_is(self, client: TestClient, database: Database) -> None:
        """Asked for twice it is one download; the list of data sets tells state, file, bytes and, at last, why not."""
        assert dataset(client, "mnist")["download"] is None
        for _ in range(2):
            answer = client.post(self.URL)
            assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        job = claimed(database, JobKind.DOWNLOAD)
        progress = {"file": "a.gz", "number": 2, "files": 4, "bytes_done": 10, "bytes_total": 20}
        with database.write() as session:
            dataset_jobs.set_progress(session, job.job_id, job.attempt, progress)
            assert not dataset_jobs.is_due(session, JobKind.DOWNLOAD)
        assert dataset(client, "mnist")["download"] == {"state": "running", "error": None, **progress}
        with database.write() as session:
            dataset_jobs.fail(session, job.job_id, job.attempt, "a.gz broke off.")
        shown = dataset(client, "mnist")["download"]
        assert (shown["state"], shown["error"]) == ("failed", "a.gz broke off.")

    def test_that_failed_can_be_asked_for_again(self, client: TestClient, database: Database) -> None:
        """Asking again after a failure queues it at once."""
        client.post(self.URL)
        job = claimed(database, JobKind.DOWNLOAD)
        with database.write() as session:
            dataset_jobs.fail(session, job.job_id, job.attempt, "no network")
        answer = client.post(self.URL)
        assert (answer.status_code, answer.json()["state"], answer.json()["error"]) == (202, "queued", None)

    def test_of_what_is_here_is_done(self, client: TestClient, database: Database, folder: Path) -> None:
        """What is there already is not fetched, and a failure of the past is no longer shown; digits need nothing."""
        client.post(self.URL)
        job = claimed(database, JobKind.DOWNLOAD)
        with database.write() as session:
            dataset_jobs.fail(session, job.job_id, job.attempt, "no network")
        mnist_like(folder)
        assert (dataset(client, "mnist")["ready"], dataset(client, "mnist")["download"]) == (True, None)
        for url in (self.URL, "/api/datasets/digits/download"):
            answer = client.post(url)
            assert (answer.status_code, answer.json()["state"]) == (200, "done")
        with database.read() as session:
            assert not dataset_jobs.is_due(session, JobKind.DOWNLOAD)
