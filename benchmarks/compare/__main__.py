"""What long curves cost the service: 100 runs of 1,000 epochs, a live tick of them, and a run of a million batches."""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.api.stream import Cursor, read
from backend.app import create_app
from backend.db import events
from backend.db.engine import Database
from backend.settings import Settings
from benchmarks.compare.batches import AT_ONCE, fill_batches
from benchmarks.compare.runs import add_epochs, fill, noise

RUNS, EPOCHS, BATCHES = 100, 1000, 1_000_000
WIDTH = 700  # pixels
ROUNDS = 9
PAGE = ("figures/accuracy", "figures/cost", "comparisons")


def main() -> None:
    """Print every figure beside its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--batches", type=int, default=BATCHES)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.runs, arguments.epochs)
    with tempfile.TemporaryDirectory() as folder:
        measure_batches(Path(folder), arguments.batches)


def measure(folder: Path, runs: int, epochs: int) -> None:
    """The page's data, grouped and not, a live tick, and the memory of the process."""
    url = _url(folder)
    ids = fill(url, runs, epochs)
    app, client = _service(folder)
    query = f"runs={','.join(map(str, ids))}&width={WIDTH}"
    print(f"memory at rest: {_memory_mb()} MB (bar 150)")
    print(f"{runs} runs x {epochs} epochs, first time: {_timed(lambda: _page(client, query), 1)} (with imports)")
    body = _page(client, query)
    print(f"the same again: {_timed(lambda: _page(client, query))} (bar 300), {body / 1e6:.2f} MB (bar 1)")

    def anew() -> None:
        app.state.lab.series.clear()
        _page(client, query)

    print(f"the same, nothing in memory: {_timed(anew, 3)} (bar 300)")
    print(f"the same, grouped by all but the seed: {_timed(lambda: _page(client, f'{query}&group_by=all'))}")
    client.get(f"/api/exports/parquet?runs={ids[0]}")
    print(f"memory after comparisons and one Parquet export: {_memory_mb()} MB")
    _tick(app.state.lab.database, ids, epochs, client, query)


def measure_batches(folder: Path, count: int) -> None:
    """Storing a run's batches, and its chart: all of it, a hundredth, and what the API gives as columns."""
    run_id, rate = fill_batches(_url(folder), count)
    print(f"{count:,} batches stored, {2 * AT_ONCE:,} points at once: {rate:,.0f} points/s (bar 50,000)")
    _, client = _service(folder)
    figure, middle = f"figures/batches?run={run_id}&width={WIDTH}", count // 2
    asked = {
        "their chart, cost": (figure, " (bar 300)"),
        "their chart, accuracy": (f"{figure}&measure=accuracy", " (bar 300)"),
        "a hundredth of it, zoomed into": (f"{figure}&first={middle}&end={middle + count // 100}", ""),
        "1,000 of them as columns": (f"runs/{run_id}/batches", ""),
    }
    for name, (path, bar) in asked.items():
        address = f"/api/{path}"
        size = len(client.get(address).raise_for_status().content)
        print(f"{name}: {_timed(partial(client.get, address))}{bar}, {size / 1000:.0f} KB")
    print(f"memory after all this: {_memory_mb()} MB")


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'lab.sqlite3'}"


def _service(folder: Path) -> tuple[FastAPI, TestClient]:
    # Without its lifespan the app needs no Redis: nothing is launched or followed here.
    settings = Settings(data_dir=folder, database_url=_url(folder), redis_url="redis://127.0.0.1:1", demo=False)
    app = create_app(settings)
    return app, TestClient(app, base_url="http://127.0.0.1", headers={"accept-encoding": "identity"})


def _tick(database: Database, ids: list[int], epochs: int, client: TestClient, query: str) -> None:
    source, number, size = noise(), epochs, 0
    told: list[str] = []
    words: list[str] = []
    for _ in range(ROUNDS):
        with database.read() as session:
            cursor = Cursor(events.last_seq(session))
        for run_id in ids:
            add_epochs(database, run_id, number, number + 1, source)
        number += 1

        def tell(cursor: Cursor = cursor) -> None:
            news = read(database, cursor, in_columns=True)
            told[:] = [f"id: {it.id}\nevent: {it.event}\ndata: {it.data.model_dump_json()}\n\n" for it in news]

        words = [_timed(tell, 1), _timed(lambda: client.get(f"/api/comparisons?{query}").raise_for_status(), 1)]
        size = sum(map(len, told))
    print(f"a live tick of {len(ids)} runs: {words[0]} (bar 20), {size / 1000:.1f} KB (bar 10)")
    print(f"the comparison after it, with the new epochs: {words[1]}")


def _page(client: TestClient, query: str) -> int:
    size = 0
    for path in PAGE:
        answer = client.get(f"/api/{path}?{query}")
        answer.raise_for_status()
        size += len(answer.content)
    return size


def _timed(work: Callable[[], object], rounds: int = ROUNDS) -> str:
    """The median over rounds: time that has passed, and time that the processor worked for this program alone."""
    passed, worked = [], []
    for _ in range(rounds):
        begun, begun_working = time.perf_counter(), time.process_time()
        work()
        passed.append(time.perf_counter() - begun)
        worked.append(time.process_time() - begun_working)
    return f"{1000 * median(passed):.0f} ms, of which {1000 * median(worked):.0f} ms of work"


def _memory_mb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main()
