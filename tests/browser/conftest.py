from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx2
import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from backend.db import epochs, runs
from backend.db.engine import Database
from backend.notifier import RedisNotifier
from backend.settings import Settings
from benchmarks.table import fill, measure
from tests.builders import epoch_report
from tests.chromium import Chromium, launched
from tests.service import Service, until

RUNS = 1500
PATIENCE_MS = 15_000  # how long a page may take for anything, on a machine with other work


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, whose browser is the one of the system."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def chromium(playwright: Playwright, service: Service) -> Iterator[Chromium]:
    """A browser for one test, which fails if a page had a problem."""
    with launched(playwright, service) as chromium:
        yield chromium
        assert chromium.problems == []


@dataclass
class Archive:
    """A service with many runs and no worker: what happens to its runs, the test does itself."""

    service: Service
    settings: Settings
    database: Database
    client: httpx2.Client  # a script that asks it
    _server: AbstractContextManager[str] | None = None

    def start(self) -> None:
        """Let it answer."""
        self._server = measure.served(self.settings, self.service.port)
        self._server.__enter__()
        until(self._answers)

    def stop(self) -> None:
        """Let it answer no more."""
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None

    def _answers(self) -> bool:
        try:
            return self.client.get("/api/health/live").status_code == 200
        except httpx2.HTTPError:
            return False

    def epochs_done(self, run_id: int) -> int:
        """How many epochs of a run are stored."""
        with self.database.read() as session:
            return runs.load(session, run_id).epochs_done

    def train(self, run_ids: list[int], count: int, at_once: int = 10) -> None:
        """Finish so many epochs of each run, telling the pages after every few of them."""
        notifier = RedisNotifier(self.settings.redis_url)
        done = {run_id: self.epochs_done(run_id) for run_id in run_ids}
        for first in range(0, count, at_once):
            with self.database.write() as session:
                for step in range(first, min(first + at_once, count)):
                    for run_id in run_ids:
                        epoch = done[run_id] + step
                        epochs.append(session, run_id, 1, epoch_report(epoch, test_accuracy=0.9 - 1 / (epoch + 2)))
            notifier.changed()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Archive]:
    """Fifteen hundred runs, a hundred of which train as far as their rows say, shared by all tests."""
    folder = tmp_path_factory.mktemp("archive")
    settings = Settings(data_dir=folder, redis_url=valkey_url, demo=False)
    measure.prepare(settings, RUNS)
    service, database = Service(folder), Database(settings.resolved_database_url)
    with httpx2.Client(base_url=service.url, timeout=30) as client:
        archive = Archive(service, settings, database, client)
        archive.start()
        yield archive
        archive.stop()
    database.close()


@pytest.fixture
def reader(playwright: Playwright, archive: Archive) -> Iterator[Chromium]:
    """A browser on the archive for one test, which fails if a page had a problem."""
    fill.renew(archive.database)
    with launched(playwright, archive.service) as chromium:
        yield chromium
        assert chromium.problems == []


@pytest.fixture
def running(archive: Archive) -> Callable[[int], list[int]]:
    """Ids of so many runs that train."""

    def ids(count: int) -> list[int]:
        query = f"filter=status = running&sort=epochs_done&limit={count}"
        return [run["id"] for run in archive.client.get(f"/api/runs?{query}").json()["runs"]]

    return ids
