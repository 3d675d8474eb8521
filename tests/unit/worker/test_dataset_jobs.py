import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.contract import DatasetName, JobKind, JobState
from backend.db import dataset_jobs, migrate
from backend.db.dataset_jobs import Order
from backend.db.engine import Database
from backend.db.side_models import DatasetJob
from backend.notifier import RedisNotifier
from backend.settings import Settings
from tests.service import until
from tests.unit.datasets.files import pixels
from tests.unit.datasets.host import Host
from worker.dataset_jobs import DatasetJobs

DOWNLOAD = Order(JobKind.DOWNLOAD, DatasetName.MNIST, {})
HISTOGRAMS = Order(
    JobKind.HISTOGRAMS, DatasetName.DIGITS, {"network": "mlp", "preprocessing": "unit", "own_statistics": False}
)


class Lab:
    """A database, and a worker's jobs over it in real processes; MNIST is one file that a local host serves."""

    def __init__(self, folder: Path, redis_url: str, host: Host) -> None:
        self.settings = Settings(data_dir=folder, redis_url=redis_url, lease_s=3)
        self.place = self.settings.datasets_dir / "mnist"
        self.host = host
        self.md5 = hashlib.md5(host.content).hexdigest()
        migrate.upgrade(self.settings.resolved_database_url)
        self.database = Database(self.settings.resolved_database_url)

    @contextmanager
    def working(self) -> Iterator[DatasetJobs]:
        """A worker that looks for jobs."""
        files = self.settings.data_dir / "files.json"
        entry = {"name": "a.gz", "md5": self.md5, "urls": [self.host.url("a.gz")], "unpacked": "a"}
        files.write_text(json.dumps([entry]))
        command = [sys.executable, "-m", "tests.local_datasets", str(files)]
        jobs = DatasetJobs(self.database, RedisNotifier(self.settings.redis_url), self.settings, command)
        jobs.start()
        try:
            yield jobs
        finally:
            jobs.stop()

    def ask(self, order: Order) -> None:
        """Ask for work."""
        with self.database.write() as session:
            dataset_jobs.ask(session, order, again_after_s=None)

    def job(self, order: Order) -> DatasetJob:
        """The job as it is now."""
        with self.database.read() as session:
            return session.query(DatasetJob).where(DatasetJob.key == order.key).one()

    def wait_for(self, order: Order, look: Callable[[DatasetJob], Any]) -> DatasetJob:
        """The job, once it is so."""
        return until(lambda: [job] if look(job := self.job(order)) else [])[0]

    def ended(self, order: Order) -> DatasetJob:
        """The job, once it is done or has failed."""
        return self.wait_for(order, lambda job: job.state in dataset_jobs.ENDED)


@pytest.fixture
def lab(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose jobs' processes find its folder and its broker."""
    monkeypatch.setenv("LAB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LAB_REDIS_URL", valkey_url)
    with Host(pixels(700_000).tobytes()).running() as host:
        lab = Lab(tmp_path, valkey_url, host)
        yield lab
        lab.database.close()


def children() -> list[int]:
    """The processes of jobs that this one has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"tests.local_datasets" in command and int(parent) == os.getpid():
                found.append(int(entry.name))
    return found


class TestADownload:
    def test_fetches_the_files_and_tells_how_much(self, lab: Lab) -> None:
        """The file lies in its place whole, and the job tells its bytes."""
        lab.ask(DOWNLOAD)
        with lab.working():
            job = lab.ended(DOWNLOAD)
        assert (job.state, job.error) == (JobState.DONE, None)
        size = len(lab.host.content)
        assert job.progress == {"file": "a.gz", "number": 1, "files": 1, "bytes_done": size, "bytes_total": size}
        assert (lab.place / "a.gz").read_bytes() == lab.host.content
        assert {path.name for path in lab.place.iterdir()} == {"a.gz", ".lock"}

    def test_ends_its_process_in_order(self, lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
        """The leash, which the worker still holds then, does not abort the process at its end."""
        lab.ask(DOWNLOAD)
        with lab.working():
            lab.ended(DOWNLOAD)
            until(lambda: not children())
        assert "Fatal Python error" not in capfd.readouterr().err

    def test_that_fails_says_why_and_leaves_nothing(self, lab: Lab) -> None:
        """What is not the file is told in a sentence that names it, and nothing of it lies in the folder."""
        lab.md5 = "0" * 32
        lab.ask(DOWNLOAD)
        with lab.working():
            job = lab.ended(DOWNLOAD)
        assert job.state == JobState.FAILED
        assert (job.error or "").startswith("What was downloaded as a.gz is not that file: its MD5 is ")
        assert [path.name for path in lab.place.iterdir()] == [".lock"]

    def test_whose_process_is_killed_begins_again(self, lab: Lab) -> None:
        """A process that dies in the middle is followed by another one, which brings the file to its end."""
        blocked = lab.host.block()
        lab.ask(DOWNLOAD)
        with lab.working():
            until(lambda: lab.host.asked)
            (child,) = children()
            os.kill(child, signal.SIGKILL)
            lab.wait_for(DOWNLOAD, lambda job: job.attempt == 2)
            blocked.set()
            job = lab.ended(DOWNLOAD)
        assert (job.state, job.losses) == (JobState.DONE, 1)
        assert (lab.place / "a.gz").read_bytes() == lab.host.content

    def test_of_a_worker_that_ends_is_given_back(self, lab: Lab) -> None:
        """A worker that ends leaves no process behind, and the job waits for the next worker, blameless."""
        blocked = lab.host.block()
        lab.ask(DOWNLOAD)
        with lab.working():
            until(lambda: lab.host.asked)
        assert children() == []
        job = lab.job(DOWNLOAD)
        assert (job.state, job.losses, job.lease_until) == (JobState.QUEUED, 0, None)
        blocked.set()
        with lab.working():
            assert lab.ended(DOWNLOAD).state == JobState.DONE

    def test_holds_up_no_histogram(self, lab: Lab) -> None:
        """Histograms are made while a host keeps a download waiting."""
        blocked = lab.host.block()
        lab.ask(DOWNLOAD)
        with lab.working():
            until(lambda: lab.host.asked)
            lab.ask(HISTOGRAMS)
            job = lab.ended(HISTOGRAMS)
            assert lab.job(DOWNLOAD).state == JobState.RUNNING
            blocked.set()
            lab.ended(DOWNLOAD)
        assert job.result is not None
        splits = {(one["split"], one["stage"]): one for one in job.result["splits"]}
        assert sum(splits["train", "before"]["counts"]) == 1437 * 64
        assert splits["test", "after"]["maximum"] == 1.0
