"""What both services hold: a year's runs and 100 long ones, in our database and as lines to fill MLflow's from."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import METRIC_NAMES
from backend.db.engine import Database
from backend.db.models import Epoch, Run
from backend.settings import Settings
from benchmarks.compare import runs
from benchmarks.table import measure

LONG_RUNS, LONG_EPOCHS = 100, 1000
EXPERIMENT = "0"  # the one that MLflow makes itself: it holds all runs


def fill(settings: Settings, count: int, long_count: int = LONG_RUNS, long_epochs: int = LONG_EPOCHS) -> list[int]:
    """Put `count` runs of ten epochs and some long ones into an empty database; the ids of the long ones."""
    measure.prepare(settings, count)
    return runs.fill(settings.resolved_database_url, long_count, long_epochs)


def export(database: Database, path: Path) -> int:
    """Write a line of JSON for each run, with its parameters and all its points; how many points these are."""
    points = 0
    with database.read() as session, path.open("w") as file:
        for line in _lines(session):
            points += len(METRIC_NAMES) * len(line["epochs"])
            print(json.dumps(line), file=file)
    return points


def _lines(session: Session) -> Iterator[dict[str, Any]]:
    columns = [getattr(Epoch, name) for name in METRIC_NAMES]
    every = select(Epoch.run_id, Epoch.number, Epoch.recorded_at, *columns).order_by(Epoch.run_id, Epoch.number)
    epochs = {
        run_id: [[number, int(1000 * at.timestamp()), *values] for _, number, at, *values in rows]
        for run_id, rows in groupby(session.execute(every), key=lambda row: row.run_id)
    }
    for run in session.scalars(select(Run).order_by(Run.id)):
        found = epochs.get(run.id, [])
        if found:  # what the run shows as its newest is what it is searched by
            found[-1][2:] = [
                last if (shown := getattr(run, name, None)) is None else shown
                for name, last in zip(METRIC_NAMES, found[-1][2:], strict=True)
            ]
        yield {
            "id": run.id,
            "experiment": EXPERIMENT,
            "name": run.name,
            "status": run.status.value,
            "tags": run.tags,
            "params": {name: json.dumps(value) for name, value in run.config.items()},
            "created_ms": int(1000 * run.created_at.timestamp()),
            "finished_ms": None if run.finished_at is None else int(1000 * run.finished_at.timestamp()),
            "metrics": list(METRIC_NAMES),
            "epochs": found,
        }
