"""What several resources take and give alike."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query
from sqlalchemy.orm import Session

from backend.api import presenters
from backend.api.schemas.base import MAX_ID, ErrorAnswer
from backend.api.schemas.runs import RunSummary
from backend.contract import RunStatus
from backend.db import waiting
from backend.db.models import Run
from backend.errors import RunNotFound

Responses = dict[int | str, dict[str, Any]]
RunId = Annotated[int, Path(ge=1, le=MAX_ID)]
IdList = Annotated[str, Query(pattern=r"^\d{1,18}(,\d{1,18})*$", max_length=4000, description="Ids, comma between.")]
MISSING: Responses = {404: {"model": ErrorAnswer}}
FORBIDDEN: Responses = {409: {"model": ErrorAnswer}}


def summaries(session: Session, rows: Sequence[Run]) -> list[RunSummary]:
    """Runs as lists show them."""
    queue = waiting.view(session, [run.id for run in rows if run.status is RunStatus.QUEUED])
    return [presenters.run_summary(run, queue) for run in rows]


def parse_ids(ids: str) -> list[int]:
    """Distinct ids in the order in which they were named. Raises RunNotFound for one that no database can hold."""
    numbers = list(dict.fromkeys(int(run_id) for run_id in ids.split(",")))
    if 0 in numbers:
        raise RunNotFound("There is no run 0.")
    return numbers
