"""Metrics of many runs at once, as arrays: rows of the mapper would take several times as long."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from backend.contract import METRIC_NAMES, RunStatus
from backend.db.models import Epoch, Run

RunRow = tuple[int, str, dict[str, Any], int, int, int]
_METRICS = [getattr(Epoch, name) for name in METRIC_NAMES]


def heads(session: Session, run_ids: Sequence[int]) -> list[RunRow]:
    """Of each run: id, name, configuration, palette index, epochs done and first epoch; in no order."""
    columns = select(Run.id, Run.name, Run.config, Run.palette_index, Run.epochs_done, Run.start_epoch)
    return [tuple(row) for row in session.execute(columns.where(Run.id.in_(run_ids)))]


def newest(session: Session, where: ColumnElement[bool] | None, limit: int) -> tuple[list[int], int]:
    """Ids of the newest runs outside the trash that meet a condition, in the order they were made; how many do."""
    conditions = [Run.deleted_at.is_(None), *([] if where is None else [where])]
    found = session.scalars(select(Run.id).where(*conditions).order_by(Run.id.desc()).limit(limit)).all()
    total = session.scalar(select(func.count()).select_from(Run).where(*conditions)) or 0
    return sorted(found), total


def statuses(session: Session, run_ids: Sequence[int]) -> dict[int, RunStatus]:
    """Where each run is in its life."""
    rows = session.execute(select(Run.id, Run.status).where(Run.id.in_(run_ids)))
    return {run_id: RunStatus(status) for run_id, status in rows}


def descriptions(session: Session, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Of each run what stands beside its curves: configuration, tags, notes, environment, hash of the newest state."""
    newest_epoch = and_(Epoch.run_id == Run.id, Epoch.number == Run.epochs_done - 1)
    statement = select(Run, Epoch.state_hash).outerjoin(Epoch, newest_epoch).where(Run.id.in_(run_ids))
    return {
        run.id: {
            "config": run.config,
            "tags": run.tags,
            "notes": run.notes,
            "threads": run.threads,
            "environment": run.environment,
            "state_hash": state_hash,
        }
        for run, state_hash in session.execute(statement)
    }


def metrics(session: Session, first: Mapping[int, int]) -> NDArray[np.float64]:
    """Epochs of many runs, each from its own first number on.

    Args:
        first: by run id, the number of the first epoch that is wanted.

    Returns:
        [rows, 2 + metrics]: run id, epoch, then METRIC_NAMES, NaN where a value is not finite; by run, then epoch.
    """
    statement = select(Epoch.run_id, Epoch.number, *_METRICS).where(_since(first))
    rows = _raw(session, statement.order_by(Epoch.run_id, Epoch.number))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2 + len(METRIC_NAMES))


def non_finite(session: Session, first: Mapping[int, int]) -> list[tuple[int, int, dict[str, str]]]:
    """Run id, epoch and the words for its values of those epochs that have any that is not finite."""
    strange = cast(Epoch.non_finite, Text) != "{}"
    statement = select(Epoch.run_id, Epoch.number, Epoch.non_finite).where(_since(first), strange)
    return [(run_id, number, words) for run_id, number, words in session.execute(statement)]


def recorded(session: Session, run_id: int) -> NDArray[np.float64]:
    """When the run's epochs were recorded, in order: [epochs] seconds since 1970 UTC."""
    times = session.scalars(select(Epoch.recorded_at).where(Epoch.run_id == run_id).order_by(Epoch.number))
    return np.array([time.timestamp() for time in times])


def _since(first: Mapping[int, int]) -> Any:
    whole = [run_id for run_id, number in first.items() if number == 0]
    parts = [and_(Epoch.run_id == run_id, Epoch.number >= number) for run_id, number in first.items() if number > 0]
    return or_(Epoch.run_id.in_(whole), *parts) if whole else or_(*parts)


def _raw(session: Session, statement: Select[Any]) -> list[tuple[Any, ...]]:
    """The driver's own rows: numbers need no conversion, and 100,000 rows come in a third of the time."""
    result = session.connection().execute(statement)
    return list(result.cursor.fetchall()) if result.cursor is not None else []
