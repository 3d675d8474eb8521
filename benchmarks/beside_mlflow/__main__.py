"""This service beside MLflow's server: equal data, both over SQLite, in turns on one machine.

python -m benchmarks.beside_mlflow
python -m benchmarks.beside_mlflow --runs 1000 --rounds 3
"""

import argparse
import logging
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backend.db.engine import Database
from benchmarks.beside_mlflow import ingest, laboratory, page, servers
from benchmarks.beside_mlflow.questions import Question, check, questions
from benchmarks.beside_mlflow.report import Row, table
from benchmarks.beside_mlflow.servers import LEAN, Client, Server
from benchmarks.table.fill import renew

ROUNDS = 9
Turn = tuple[Callable[[], float], Callable[[], float]]
BARS_MS = (300.0, None, 200.0)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside_mlflow", description="Beside MLflow's server.")
    parser.add_argument("--runs", type=int, default=10_000, help="of ten epochs, besides 100 of a thousand (10,000)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each ({ROUNDS})")
    arguments = parser.parse_args()
    try:
        version = servers.version()
    except (OSError, subprocess.CalledProcessError):
        print("MLflow is not there: `make mlflow` installs it into .venv/mlflow.", file=sys.stderr)
        return 1
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="lab-mlflow-") as name:
        measure(Path(name), arguments.runs, arguments.rounds)
    facts = [f"mlflow {version}", f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    print(f"\n{', '.join([*facts, platform.platform()])}")
    return 0


def measure(folder: Path, count: int, rounds: int) -> None:
    """Fill both, ask both, and print the table."""
    url, lines = f"sqlite:///{folder / 'mlflow.db'}", folder / "runs.jsonl"
    with servers.ours({"data_dir": folder}) as (mine, settings):
        ids = laboratory.fill(settings, count)
        database = Database(settings.resolved_database_url)
        points = laboratory.export(database, lines)
        names = servers.seed(url, lines)
        print(f"{len(names):,} runs and {points:,} points in both; {rounds} rounds.", end=" ", flush=True)
        with servers.mlflow(url, folder, **LEAN) as its:
            lean = its.memory_mb()
        with servers.mlflow(url, folder) as its:
            rest = [Row("memory at rest", "MB", [mine.memory_mb()], [its.memory_mb()], bar=150)]
            rest += [Row("the same, MLflow with 1 worker and no job runners", "MB", rest[0].ours, [lean])]
            asked = questions(ids, [names[run_id] for run_id in ids])
            answers = _questions(asked, mine, its, rounds, database)
            writing = _ingest(database, settings.redis_url, its, rounds)
            used = Row("memory after all this", "MB", [mine.memory_mb()], [its.memory_mb()])
            print(f"MLflow's server has {its.process_count()} processes.\n")
            print(table([*writing, *answers, *rest, used, *_weights(mine, its)]))
        database.close()


def _ingest(database: Database, redis_url: str, its: Server, rounds: int) -> list[Row]:
    ours, theirs = ingest.Ours(database, redis_url), ingest.Theirs(its)
    print(f"{theirs.clients} clients write into MLflow's at once.", end=" ")
    live, batched = [], []
    for chance in _rounds(rounds):
        live.append(_in_turn((ours.live, theirs.live), chance))
        batched.append(_in_turn((ours.batched, theirs.batched), chance))
    titles = ("ingest, an epoch of 6 points at a time", "ingest, 1,000 points at a time")
    bars = (None, 50_000.0)
    return [
        Row(title, "points/s", [one for one, _ in found], [other for _, other in found], is_speed=True, bar=bar)
        for title, found, bar in zip(titles, (live, batched), bars, strict=True)
    ]


def _questions(asked: list[Question], mine: Server, its: Server, rounds: int, database: Database) -> list[Row]:
    rows = []
    ours, theirs = mine.client(), its.client()
    for question, bar in zip(asked, BARS_MS, strict=True):
        renew(database)  # nobody takes back the runs that seem to train
        first, other = question.ours(ours), question.theirs(theirs)
        check(question, first, other)
        rows += [Row(f"{question.name}: the first time", "ms", [first.ms], [other.ms])]
        turns = [_in_turn(_asking(question, ours, theirs), chance) for chance in _rounds(rounds)]
        rows += [Row("the same again", "ms", [one for one, _ in turns], [another for _, another in turns], bar=bar)]
        sizes = [len(answer.body) / 1e6 for answer in (first, other)]
        rows += [Row("its bytes, as they travel", "MB", sizes[:1], sizes[1:], bar=1.0 if bar == BARS_MS[0] else None)]
    return rows


def _asking(question: Question, ours: Client, theirs: Client) -> Turn:
    return lambda: question.ours(ours).ms, lambda: question.theirs(theirs).ms


def _rounds(count: int) -> list[random.Random]:
    chance = random.Random(0)  # noqa: S311  (an order, no secret)
    return [chance] * count


def _in_turn(turn: Turn, chance: random.Random) -> tuple[float, float]:
    """What both came to, begun by either."""
    if chance.random() < 0.5:  # noqa: PLR2004
        mine = turn[0]()
        return mine, turn[1]()
    its = turn[1]()
    return turn[0](), its


def _weights(mine: Server, its: Server) -> list[Row]:
    ours, theirs = page.weigh(mine, *page.OURS), page.weigh(its, *page.THEIRS)
    if ours is None or theirs is None:
        return []
    return [
        Row("first load of the page, as it travels", "MB", [ours.bytes / 1e6], [theirs.bytes / 1e6], bar=2.0),
        Row("its requests", "", [ours.requests], [theirs.requests]),
    ]


if __name__ == "__main__":
    sys.exit(main())
