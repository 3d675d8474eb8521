"""The arithmetic of the benchmark beside MLflow, and the data that both services are given."""

import json
from pathlib import Path

import pytest

from backend.contract import METRIC_NAMES
from backend.db.engine import Database
from backend.settings import Settings
from benchmarks.beside_mlflow import laboratory
from benchmarks.beside_mlflow.questions import Question, check
from benchmarks.beside_mlflow.report import Row, table
from benchmarks.beside_mlflow.servers import Answer, Client


class TestARow:
    def test_says_how_many_times_better_ours_is(self) -> None:
        """Half the time is twice as good, and so is twice the speed."""
        assert Row("time", "ms", [1.0] * 5, [2.0] * 5).ratio.value == pytest.approx(2)
        assert Row("speed", "points/s", [2.0] * 5, [1.0] * 5, is_speed=True).ratio.value == pytest.approx(2)
        assert Row("time", "ms", [2.0] * 5, [1.0] * 5).ratio.value == pytest.approx(0.5)

    def test_pairs_the_turns(self) -> None:
        """A machine that is slow in some rounds is slow for both: the ratio is that of each round."""
        slow = [1.0, 5.0, 2.0, 8.0, 3.0]
        ratio = Row("time", "ms", slow, [3 * value for value in slow]).ratio
        assert (ratio.value, ratio.low, ratio.high) == pytest.approx((3, 3, 3))

    def test_holds_ours_to_its_bar(self) -> None:
        """Less than a bar is missed by a speed, more by anything else; the median counts."""
        assert not Row("time", "ms", [1, 1, 9], [1, 1, 1], bar=2).is_missed
        assert Row("time", "ms", [1, 9, 9], [1, 1, 1], bar=2).is_missed
        assert not Row("speed", "points/s", [1, 9, 9], [1, 1, 1], is_speed=True, bar=2).is_missed
        assert Row("speed", "points/s", [1, 1, 9], [1, 1, 1], is_speed=True, bar=2).is_missed
        assert not Row("time", "ms", [9], [1]).is_missed

    def test_is_a_line_of_the_table(self) -> None:
        """Medians with their quartiles, the ratio with its interval; what was measured once has neither."""
        rows = [
            Row("search", "ms", [10.0, 20.0, 30.0], [1000.0, 2000.0, 3000.0], bar=15.0),
            Row("memory", "MB", [100.0], [250.0], bar=150.0),
        ]
        search, memory = table(rows).splitlines()[2:]
        times = "20.0 ms (15.0 to 25.0) | 2,000 ms (1,500 to 2,500) | 100 (100 to 100)"
        assert search == f"| search | {times} | 15.0 ms, MISSED |"
        assert memory == "| memory | 100 MB | 250 MB | 2.50 | 150 MB |"


class TestTheData:
    def test_is_the_same_for_both(self, tmp_path: Path) -> None:
        """A line holds a run's name, parameters and every point of each of its metrics."""
        settings = Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1", demo=False)
        ids = laboratory.fill(settings, 200, long_count=2, long_epochs=20)
        database = Database(settings.resolved_database_url)
        points = laboratory.export(database, tmp_path / "runs.jsonl")
        database.close()
        lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
        assert ids == [201, 202]
        assert [line["id"] for line in lines] == list(range(1, 203))
        begun = [line for line in lines[:200] if line["status"] != "queued"]
        assert {len(line["epochs"]) for line in begun} == {10}
        assert [len(line["epochs"]) for line in lines[200:]] == [20, 20]
        assert {len(epoch) for line in lines for epoch in line["epochs"]} == {2 + len(METRIC_NAMES)}
        assert points == len(METRIC_NAMES) * (10 * len(begun) + 40)
        assert json.loads(lines[0]["params"]["width"]) in (8, 16, 32, 64, 128)


class TestAQuestion:
    def test_must_be_answered_alike(self) -> None:
        """Speeds of different answers are not compared."""

        def ask(_client: Client) -> Answer:
            raise NotImplementedError

        question = Question("names", ask, ask, lambda mine, its: (mine["names"], its["names"]))
        mine, its = Answer(b'{"names": ["a"]}', False, 1.0), Answer(b'{"names": ["b"]}', False, 1.0)
        check(question, mine, mine)
        with pytest.raises(AssertionError, match="The answers differ: names"):
            check(question, mine, its)
