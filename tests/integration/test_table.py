"""Ten thousand runs: no answer takes more than five times its bar, and a live tick stays small."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.settings import Settings
from benchmarks.table import measure
from benchmarks.table.__main__ import ANSWER_BAR_MS, NO_REDIS, TICK_BAR_BYTES, TICK_BAR_MS

COUNT = 10_000
CEILING = 5


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A service's settings whose database holds ten thousand runs."""
    folder: Path = tmp_path_factory.mktemp("table")
    settings = Settings(data_dir=folder, redis_url=NO_REDIS, demo=False)
    measure.prepare(settings, COUNT)
    return settings


class TestTenThousandRuns:
    def test_are_listed_filtered_and_sorted_at_once(self, filled: Settings, figure: Callable[[str], None]) -> None:
        """Every question to the list stays within five times its bar of 200 ms."""
        times = measure.answers_ms(filled, rounds=3)
        slowest = max(times, key=lambda name: times[name])
        figure(f"10,000 runs: slowest question {times[slowest]:.0f} ms ({slowest})")
        assert times[slowest] < CEILING * ANSWER_BAR_MS

    def test_cost_a_page_little_while_a_hundred_train(self, filled: Settings, figure: Callable[[str], None]) -> None:
        """A tick in which a hundred runs have moved is read within five times 20 ms and weighs less than 10 kB."""
        took_ms, size = measure.tick(filled)
        figure(f"live tick of 100 runs: {took_ms:.1f} ms, {size} bytes")
        assert took_ms < CEILING * TICK_BAR_MS
        assert 0 < size < TICK_BAR_BYTES
