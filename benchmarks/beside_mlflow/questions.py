"""What the pages ask of each service: a hundred curves, and the best of ten thousand runs."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.beside_mlflow.laboratory import EXPERIMENT
from benchmarks.beside_mlflow.servers import Answer, Client

METRIC = "test_accuracy"
SAMPLED = 320  # points of a curve that MLflow's own page asks for
EVERY = 1000
WIDTH = 700  # pixels of a chart on our page
AT_LEAST, ROWS = 0.9, 100


@dataclass(frozen=True)
class Question:
    """The same question to both.

    `ours` and `theirs` ask it; `found` tells from the two answers what they must agree in.
    """

    name: str
    ours: Callable[[Client], Answer]
    theirs: Callable[[Client], Answer]
    found: Callable[[dict[str, Any], dict[str, Any]], tuple[object, object]]


def questions(run_ids: Sequence[int], theirs: Sequence[str]) -> list[Question]:
    """Every question, about the long runs by their ids in both."""
    figure = {"runs": ",".join(map(str, run_ids)), "splits": "test"}
    history = [("run_ids", run_id) for run_id in theirs] + [("metric_key", METRIC)]
    return [
        Question(
            "100 curves of 1,000 points, as each page draws them",
            lambda client: client.get(f"/api/figures/accuracy?{urlencode({**figure, 'width': WIDTH})}"),
            lambda client: client.get(_history(history, SAMPLED)),
            lambda mine, its: (len(mine["data"]), len({point["run_id"] for point in its["metrics"]})),
        ),
        Question(
            "100 curves, every one of their 1,000 points",
            lambda client: client.get(f"/api/figures/accuracy?{urlencode(figure)}"),
            lambda client: client.get(_history(history, EVERY)),
            lambda mine, its: (len(mine["data"]) * EVERY, len(its["metrics"])),
        ),
        Question(
            f"search: {METRIC} > {AT_LEAST}, the best first, {ROWS} rows",
            lambda client: client.get(
                "/api/runs?" + urlencode({"filter": f"{METRIC} > {AT_LEAST}", "sort": f"-{METRIC}", "limit": ROWS})
            ),
            lambda client: client.post("/ajax-api/2.0/mlflow/runs/search", json.dumps(_SEARCH)),
            lambda mine, its: (
                [run["name"] for run in mine["runs"]],
                [run["info"]["run_name"] for run in its["runs"]],
            ),
        ),
    ]


def check(question: Question, mine: Answer, its: Answer) -> None:
    """Raise AssertionError where the two have not answered the same."""
    ours, theirs = question.found(_read(mine), _read(its))
    if ours != theirs:
        raise AssertionError(f"The answers differ: {question.name}\nours   {ours}\ntheirs {theirs}")


_SEARCH = {
    "experiment_ids": [EXPERIMENT],
    "filter": f"metrics.{METRIC} > {AT_LEAST}",
    "order_by": [f"metrics.{METRIC} DESC"],
    "max_results": ROWS,
    "run_view_type": "ACTIVE_ONLY",
}


def _history(query: Sequence[tuple[str, str]], points: int) -> str:
    asked = urlencode([*query, ("max_results", str(points))])
    return f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?{asked}"


def _read(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(answer.body) if answer.is_packed else answer.body)
    return found
