"""A run with very many batches, stored as a worker stores them."""

import time

import numpy as np

from backend.contract import BatchResults
from backend.db import batches
from backend.db.engine import Database
from benchmarks.compare.runs import fill

AT_ONCE = 1000  # batches in a transaction, of two points each


def fill_batches(url: str, count: int) -> tuple[int, float]:
    """The id of a new live run with so many batches, and how many points a second were stored."""
    (run_id,) = fill(url, 1, 1)
    source, database = np.random.default_rng(0), Database(url)
    falling = np.exp(-np.arange(count) / (count / 10))
    costs = ((0.1 + 2.2 * falling) * np.exp(source.normal(0, 0.25, count))).astype("<f4")
    accuracies = np.clip(1 - 0.9 * falling + source.normal(0, 0.04, count), 0, 1).astype("<f4")
    begun = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        with database.write() as session:
            batches.append(session, run_id, BatchResults(first, costs[part].tobytes(), accuracies[part].tobytes()))
    rate = 2 * count / (time.perf_counter() - begun)
    database.close()
    return run_id, rate
