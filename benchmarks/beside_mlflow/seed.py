"""Fill an empty database of MLflow's with the runs of a file. This runs in MLflow's own environment.

    python -m benchmarks.beside_mlflow.seed sqlite:////tmp/mlflow.db runs.jsonl

MLflow's store makes the tables, and its models write the rows, many at once. Prints a line of JSON: MLflow's id of
each run by ours.
"""

import json
import random
import sys
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert

STATUSES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "queued": "SCHEDULED"}
_RUNS_AT_ONCE = 100


def main(url: str, path: Path) -> None:
    """Fill the database."""
    store = SqlAlchemyStore(url, str(path.parent / "artifacts"))
    chance, ids = random.Random(0), {}  # noqa: S311  (ids like those that MLflow draws)
    with path.open() as file:
        lines = map(json.loads, file)
        while part := list(islice(lines, _RUNS_AT_ONCE)):
            with store.ManagedSessionMaker(read_only=False) as session:
                rows: dict[Any, list[dict[str, Any]]] = {}
                for run in part:
                    ids[run["id"]] = run_id = uuid.UUID(int=chance.getrandbits(128), version=4).hex
                    for model, row in _rows(run, run_id):
                        rows.setdefault(model, []).append(row)
                for model, found in rows.items():
                    session.execute(insert(model), found)
    print(json.dumps(ids))


def _rows(run: dict[str, Any], run_id: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    yield (
        SqlRun,
        {
            "run_uuid": run_id,
            "name": run["name"],
            "experiment_id": int(run["experiment"]),
            "user_id": "lab",
            "source_type": "LOCAL",
            "source_name": "",
            "source_version": "",
            "entry_point_name": "",
            "status": STATUSES.get(run["status"], "RUNNING"),
            "start_time": run["created_ms"],
            "end_time": run["finished_ms"],
            "lifecycle_stage": "active",
            "artifact_uri": f"mlflow-artifacts:/{run['experiment']}/{run_id}/artifacts",
        },
    )
    for key, value in {"mlflow.runName": run["name"], **dict.fromkeys(run["tags"], "true")}.items():
        yield SqlTag, {"run_uuid": run_id, "key": key, "value": value}
    for key, value in run["params"].items():
        yield SqlParam, {"run_uuid": run_id, "key": key, "value": value}
    for number, at_ms, *values in run["epochs"]:
        for key, value in zip(run["metrics"], values, strict=True):
            row = {"run_uuid": run_id, "key": key, "value": value, "timestamp": at_ms, "step": number, "is_nan": False}
            yield SqlMetric, row
            if number == run["epochs"][-1][0]:
                yield SqlLatestMetric, row


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
