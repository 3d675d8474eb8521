from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from backend.api.trust import Access
from backend.db.engine import Database
from backend.feed import Feed
from backend.notifier import RedisNotifier
from backend.series import SeriesCache
from backend.settings import Settings
from backend.submission import Submission


@dataclass(frozen=True)
class Lab:
    """What the routes work with, built once with the app."""

    settings: Settings
    database: Database
    notifier: RedisNotifier
    submission: Submission
    feed: Feed
    access: Access | None
    series: SeriesCache


def _lab(request: Request) -> Lab:
    lab: Lab = request.app.state.lab
    return lab


def _database(lab: Annotated[Lab, Depends(_lab)]) -> Database:
    return lab.database


LabDep = Annotated[Lab, Depends(_lab)]
DatabaseDep = Annotated[Database, Depends(_database)]
