"""What came of every batch of a run."""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from backend.analysis import batches_per_epoch, reduced
from backend.api.parameters import MISSING, RunId
from backend.api.schemas.base import MAX_ID
from backend.api.schemas.batches import BatchColumns, NonFiniteBatch
from backend.api.stored import config_of
from backend.contract.numbers import non_finite_word
from backend.db import batches, events, runs
from backend.db.batches import Floats32
from backend.dependencies import DatabaseDep
from backend.errors import BadRequest

router = APIRouter(prefix="/runs", tags=["runs"])

NAMES = ("cost", "accuracy")
MAX_POINTS = 100_000
First = Annotated[int, Query(ge=0, le=MAX_ID, description="Number of the first batch, counted through all epochs.")]
End = Annotated[int | None, Query(ge=1, le=MAX_ID, description="One more than the number of the last; empty: all.")]


@router.get("/{run_id}/batches", responses=MISSING)
def get_batches(
    run_id: RunId,
    database: DatabaseDep,
    names: Annotated[str, Query(max_length=500, description="Columns, comma between; empty: all.")] = "",
    first: First = 0,
    end: End = None,
    points: Annotated[int, Query(ge=10, le=MAX_POINTS, description="About the most that come.")] = 1000,
) -> BatchColumns:
    """Training cost and accuracy of single batches, as columns.

    Of more batches than `points` those come that a chart of that width would show: of each part of the range the least
    and the greatest value of every column, the first that is not finite, and the range's first and last batch.
    """
    wanted = list(dict.fromkeys(names.split(","))) if names else list(NAMES)
    if unknown := [name for name in wanted if name not in NAMES]:
        raise BadRequest(f"There is no column {unknown[0]!r}; there are {', '.join(NAMES)}.")
    check_range(first, end)
    with database.read() as session:
        seq = events.last_seq(session)
        run, found = runs.load(session, run_id), batches.load(session, run_id, first, end)
    columns = {"cost": found.costs, "accuracy": found.accuracies}
    chosen = {name: columns[name] for name in wanted}
    places = _places(found.numbers, chosen, points)
    numbers = found.numbers[places].tolist()
    return BatchColumns(
        run_id=run_id,
        status=run.status,
        batches_per_epoch=batches_per_epoch(config_of(run.config).model_dump()),
        first=first,
        end=end,
        of=len(found.numbers),
        numbers=numbers,
        columns={name: _told(column[places]) for name, column in chosen.items()},
        non_finite=[
            NonFiniteBatch(number=numbers[place], name=name, value=non_finite_word(float(column[places[place]])))
            for name, column in chosen.items()
            for place in np.flatnonzero(~np.isfinite(column[places]))
        ],
        seq=seq,
    )


def check_range(first: int, end: int | None) -> None:
    """Raises BadRequest where a range of batches holds none whatever a run has."""
    if end is not None and end <= first:
        raise BadRequest(f"end is {end}, first is {first}: the range of batches ends before it begins.")


def _places(numbers: np.ndarray, columns: Mapping[str, Floats32], points: int) -> np.ndarray:
    """The batches to tell: each column has its share of the points, unless all fit."""
    if len(numbers) <= points:
        return np.arange(len(numbers))
    share, x = max(2, points // len(columns)), numbers.astype(np.float64)
    kept = [reduced(column.astype(np.float64), share, x) for column in columns.values()]
    return reduce(np.union1d, kept)


def _told(column: Floats32) -> list[float | None]:
    """Seven digits, as many as a 32-bit float holds."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in column.tolist()]
