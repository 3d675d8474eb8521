import math
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.contract import BatchResults
from backend.db import batches, runs
from backend.db.engine import Database
from tests.builders import add_run

CHUNK = 8


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK", CHUNK)


def results(first: int, costs: Sequence[float]) -> BatchResults:
    """These batches, whose accuracies are half their costs."""
    packed = [struct.pack(f"<{len(costs)}f", *values) for values in (costs, [cost / 2 for cost in costs])]
    return BatchResults(first, *packed)


def stored(database: Database, run_id: int, first: int = 0, end: int | None = None) -> dict[int, float]:
    """The costs that are stored, by the batch's number; the accuracies must be half of them."""
    with database.read() as session:
        found = batches.load(session, run_id, first, end)
    assert np.array_equal(found.accuracies, found.costs / 2, equal_nan=True)
    return dict(zip(found.numbers.tolist(), found.costs.tolist(), strict=True))


class TestAppend:
    def test_keeps_each_batch_once_as_first_written(self, database: Database) -> None:
        """Whatever pieces come, and however far back they begin, no batch is lost, doubled or written anew."""

        @settings(max_examples=25, deadline=None)
        @given(
            pieces=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3 * CHUNK)), min_size=1, max_size=8),
            begin=st.integers(0, 20),
        )
        def holds(pieces: list[tuple[int, int]], begin: int) -> None:
            run_id, expected, end = add_run(database), dict[int, float](), begin
            for attempt, (back, count) in enumerate(pieces):
                first = max(begin, end - back)
                costs = [float(attempt)] * count
                with database.write() as session:
                    batches.append(session, run_id, results(first, costs))
                expected = dict(zip(range(first, first + count), costs, strict=True)) | expected
                end = max(end, first + count)
            assert stored(database, run_id) == expected
            with database.read() as session:
                assert batches.extent(session, run_id) == (len(expected), end)

        holds()

    def test_keeps_what_is_not_finite(self, database: Database) -> None:
        """NaN and infinities are stored as they are."""
        run_id = add_run(database)
        with database.write() as session:
            batches.append(session, run_id, results(0, [1.0, math.nan, math.inf, -math.inf]))
        with database.read() as session:
            costs = batches.load(session, run_id).costs
        assert np.array_equal(costs, np.array([1.0, math.nan, math.inf, -math.inf], np.float32), equal_nan=True)

    def test_does_not_mix_runs(self, database: Database) -> None:
        """Each run has batches of its own."""
        one, other = add_run(database), add_run(database)
        with database.write() as session:
            batches.append(session, one, results(0, [1.0, 2.0]))
            batches.append(session, other, results(5, [3.0]))
        assert (stored(database, one), stored(database, other)) == ({0: 1.0, 1: 2.0}, {5: 3.0})


class TestLoad:
    def test_gives_the_range_that_is_wanted(self, database: Database) -> None:
        """From the first number up to, and not with, the end; past what there is comes nothing."""
        run_id = add_run(database)
        with database.write() as session:
            batches.append(session, run_id, results(3, [float(number) for number in range(3, 33)]))
        assert list(stored(database, run_id, 7, 21)) == list(range(7, 21))
        assert list(stored(database, run_id, end=5)) == [3, 4]
        assert list(stored(database, run_id, 30)) == [30, 31, 32]
        assert stored(database, run_id, 33) == {}

    def test_of_a_run_without_any(self, database: Database) -> None:
        """A run that has trained nothing yet has no batches, and no extent."""
        run_id = add_run(database)
        assert stored(database, run_id) == {}
        with database.read() as session:
            assert batches.extent(session, run_id) == (0, 0)


class TestPurge:
    def test_takes_them_along(self, database: Database) -> None:
        """Nothing of a run is left when it is deleted for good."""
        run_id = add_run(database)
        with database.write() as session:
            batches.append(session, run_id, results(0, [1.0]))
        with database.write() as session:
            session.delete(runs.load(session, run_id))
        assert stored(database, run_id) == {}
