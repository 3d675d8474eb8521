"""How long the table of runs takes: the service's answers, a live tick, and a browser's first paint."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.api import stream
from backend.api.compression import Packer
from backend.app import create_app
from backend.contract import Phase, Progress, RunStatus
from backend.db import events, migrate, runs
from backend.db.engine import Database
from backend.db.models import Run
from backend.settings import Settings
from backend.valkey import free_port
from benchmarks.table.fill import fill

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "newest runs": {},
    "filter: dataset and accuracy": {"filter": "dataset = mnist and test_accuracy > 95%"},
    "filter: a range": {"filter": "epsilon in 0.1..0.5"},
    "filter: a word": {"filter": "dilated"},
    "filter: tag and time": {"filter": "tag = paper created > -7d"},
    "filter: nothing found": {"filter": "no such run"},
    "sort: test accuracy": {"sort": "-test_accuracy"},
    "sort: a field of the configuration": {"sort": "learning_rate"},
    "sort: name": {"sort": "name"},
    "the queue": {"filter": "status = queued", "sort": "created"},
}


def prepare(settings: Settings, count: int) -> None:
    """Put so many runs into the settings' empty database."""
    migrate.upgrade(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    fill(database, count)
    database.close()


def answers_ms(settings: Settings, rounds: int = 7) -> dict[str, float]:
    """Milliseconds of each question to the list of runs, 100 rows, in process: the quickest of some rounds."""
    client = TestClient(create_app(settings), base_url="http://127.0.0.1")
    paths = {name: ("/api/runs", {"limit": 100, **query}) for name, query in QUESTIONS.items()}
    paths["all ids, sorted"] = "/api/runs/ids", {"sort": "-epsilon"}
    return {name: _time_ms(client, path, query, rounds) for name, (path, query) in paths.items()}


def _time_ms(client: TestClient, path: str, query: Mapping[str, Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began_at = time.perf_counter()
        answer = client.get(path, params=query)
        times.append(1000 * (time.perf_counter() - began_at))
        assert answer.status_code == 200, answer.text  # noqa: PLR2004
    return min(times)


def tick(settings: Settings, rounds: int = 5) -> tuple[float, int]:
    """A page's live tick when all running runs have moved.

    Returns:
        Milliseconds to read the quickest, and the bytes that travel for the heaviest.
    """
    database, chance = Database(settings.resolved_database_url), random.Random(0)  # noqa: S311
    with database.read() as session:
        ids = session.scalars(select(Run.id).where(Run.status == RunStatus.RUNNING)).all()
        cursor = stream.Cursor(events.last_seq(session))
    stream.read(database, cursor)
    packer, times, sizes = Packer(), [], []
    for _ in range(rounds):
        with database.write() as session:
            for run_id in ids:
                runs.set_progress(session, run_id, 1, _progress(chance))
        began_at = time.perf_counter()
        told = stream.read(database, cursor)
        times.append(1000 * (time.perf_counter() - began_at))
        sizes.append(sum(len(packer.pack(event.data.model_dump_json().encode())) for event in told))
    database.close()
    return min(times), max(sizes)


def _progress(chance: random.Random) -> Progress:
    batch, speed = chance.randrange(1200), 2000 * chance.random()
    return Progress(phase=Phase.TRAINING, epoch=10, batch=batch, batches=1200, images_per_second=speed)


@contextmanager
def served(settings: Settings, port: int | None = None) -> Iterator[str]:
    """The service over the settings' database, without workers; where it is, or will be in a moment."""
    port = port or free_port()
    own = {"LAB_DATA_DIR": str(settings.data_dir), "LAB_DEMO": "0", "LAB_REDIS_URL": settings.redis_url}
    command = [sys.executable, "-m", "uvicorn", "--factory", "backend.app:create_app"]
    command += ["--port", str(port), "--log-level", "error", "--timeout-graceful-shutdown", "1"]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def first_paint_ms(url: str, rounds: int = 5) -> tuple[float, float] | None:
    """How soon rows are painted: after the page is asked for, and after a filter is typed.

    Returns:
        Milliseconds, medians of some rounds; None where no Chromium is installed.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (of the dev group; other figures need no browser)

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        return None
    paints, filters = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.add_init_script(_WATCH_ROWS)
            _open(page, url)
            page.locator("html[data-first-row]").wait_for(timeout=1000 * START_S)
            paints.append(float(page.locator("html").get_attribute("data-first-row") or 0))
            page.locator(".js-plotly-plot").first.wait_for(timeout=1000 * START_S)
            page.evaluate("filterFrom()")
            page.locator("#filter").fill("tag = thesis")
            page.locator("html[data-filtered]").wait_for(timeout=1000 * START_S)
            filters.append(float(page.locator("html").get_attribute("data-filtered") or 0))
            page.close()
        browser.close()
    return median(paints), median(filters)


def _open(page: Any, url: str) -> None:
    """Ask for the page, again until the service, which is just starting, answers."""
    give_up_at = time.monotonic() + START_S
    while True:
        try:
            page.goto(url, wait_until="commit")
        except Exception:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
        else:
            return


# What is painted is told from the frame after the one in which the rows came.
_WATCH_ROWS = """
const marks = () => document.documentElement.dataset
const painted = (note) => requestAnimationFrame(() => setTimeout(() => note(performance.now())))
const totalText = () => document.querySelector("[data-testid=total]")?.textContent
let total = null
let began = 0
window.filterFrom = () => { began = performance.now(); total = totalText() }
new MutationObserver(() => {
  if (!marks().firstRow && document.querySelector("tr[data-run]")) painted((at) => { marks().firstRow ??= at })
  if (total === null || totalText() === total) return
  total = totalText()
  painted((at) => { marks().filtered ??= at - began })
}).observe(document, { subtree: true, childList: true, characterData: true })
"""
