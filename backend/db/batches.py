"""What came of every batch of a run: kept in chunks, for a run may have millions."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.contract import BatchResults
from backend.contract.reports import FLOAT32_BYTES
from backend.db.side_models import BatchChunk

CHUNK = 1024  # batches; what each report writes again while a chunk grows

Floats32 = NDArray[np.float32]


class BatchColumns(NamedTuple):
    """Batches of a run, rising, in columns of equal length."""

    numbers: NDArray[np.int64]  # counted through all epochs, from 0; what was not recorded is left out
    costs: Floats32  # means in nats
    accuracies: Floats32  # fractions


def append(session: Session, run_id: int, results: BatchResults) -> None:
    """Store what came of more batches; the caller has made sure that the run is still this attempt's.

    An attempt that goes on from a checkpoint repeats batches whose results are known: they stay as they were first
    written, as epochs do.
    """
    last = session.scalar(
        select(BatchChunk).where(BatchChunk.run_id == run_id).order_by(BatchChunk.first.desc()).limit(1)
    )
    begin, end = results.first, results.first + len(results)
    if last is not None:
        begin = max(begin, last.first + last.count)
    if last is not None and begin == last.first + last.count and begin < end and last.count < CHUNK:
        taken = min(end - begin, CHUNK - last.count)
        costs, accuracies = _part(results, begin, begin + taken)
        last.costs, last.accuracies, last.count = last.costs + costs, last.accuracies + accuracies, last.count + taken
        begin += taken
    for first in range(begin, end, CHUNK):
        count = min(CHUNK, end - first)
        costs, accuracies = _part(results, first, first + count)
        session.add(BatchChunk(run_id=run_id, first=first, count=count, costs=costs, accuracies=accuracies))


def load(session: Session, run_id: int, first: int = 0, end: int | None = None) -> BatchColumns:
    """The batches with numbers from `first` up to, but not with, `end`; only chunks that hold any of them are read."""
    chunks = select(BatchChunk.first, BatchChunk.count, BatchChunk.costs, BatchChunk.accuracies)
    wanted = chunks.where(BatchChunk.run_id == run_id, BatchChunk.first + BatchChunk.count > first)
    if end is not None:
        wanted = wanted.where(BatchChunk.first < end)
    rows = session.execute(wanted.order_by(BatchChunk.first)).all()
    numbers = [np.arange(row.first, row.first + row.count) for row in rows]
    found = np.concatenate([np.empty(0, np.int64), *numbers])
    low, high = np.searchsorted(found, [first, np.iinfo(np.int64).max if end is None else end])
    costs, accuracies = (b"".join(getattr(row, name) for row in rows) for name in ("costs", "accuracies"))
    return BatchColumns(
        found[low:high], np.frombuffer(costs, "<f4")[low:high], np.frombuffer(accuracies, "<f4")[low:high]
    )


def extent(session: Session, run_id: int) -> tuple[int, int]:
    """How many batches of a run are stored, and one more than the greatest number of them; 0 and 0 where none is."""
    ends = select(func.sum(BatchChunk.count), func.max(BatchChunk.first + BatchChunk.count))
    stored, end = session.execute(ends.where(BatchChunk.run_id == run_id)).one()
    return int(stored or 0), int(end or 0)


def _part(results: BatchResults, first: int, end: int) -> tuple[bytes, bytes]:
    cut = slice(FLOAT32_BYTES * (first - results.first), FLOAT32_BYTES * (end - results.first))
    return results.costs[cut], results.accuracies[cut]
