"""The service itself: health, logging in."""

import sqlite3

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from backend import __version__
from backend.api.error_table import problem
from backend.api.schemas.base import ErrorAnswer
from backend.api.schemas.service import Health, Login
from backend.api.trust import SESSION_COOKIE
from backend.db import migrate, sqlite, workers
from backend.dependencies import LabDep

router = APIRouter(tags=["service"])


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready", responses={503: {"model": Health}})
def ready(lab: LabDep, response: Response) -> Health:
    """Whether the database is there with its newest tables; broker and workers are told, and may come later."""
    slots = 0
    try:
        database = "ok" if migrate.is_current(lab.settings.resolved_database_url) else "its tables are not up to date"
        with lab.database.read() as session:
            slots = workers.alive_slots(session)
    except SQLAlchemyError as error:
        database = str(error).splitlines()[0]
    is_ready = database == "ok"
    response.status_code = 200 if is_ready else 503
    uses_sqlite = lab.database.dialect_name == "sqlite"
    return Health(
        ready=is_ready,
        version=__version__,
        database=database,
        broker=lab.notifier.ping(),
        slots=slots,
        sqlite_version=sqlite3.sqlite_version if uses_sqlite else None,
        warnings=[sqlite.WAL_RESET_WARNING] if uses_sqlite and sqlite.has_wal_reset_bug() else [],
    )


@router.post("/session", status_code=204, responses={401: {"model": ErrorAnswer}, 429: {"model": ErrorAnswer}})
def log_in(body: Login, lab: LabDep) -> Response:
    """Exchange the token for a cookie that scripts in a page can't read."""
    answer = Response(status_code=204)
    if lab.access is None:
        return answer
    if not lab.access.may_try():
        return problem(429, "too_many_logins", "Too many logins have failed; wait a minute.")
    if not lab.access.holds_token(body.token):
        lab.access.note_failure()
        return problem(401, "wrong_token", "This is not the service's token (LAB_TOKEN); try again.")
    answer.set_cookie(SESSION_COOKIE, lab.access.cookie_value, httponly=True, samesite="strict")
    return answer
