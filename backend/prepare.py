"""`python -m backend.prepare`: what must hold before backend and worker start.

The database answers and has the newest tables, and Redis answers. Where not: one sentence, and exit status 1.
A SQLite database that was not closed in order is checked first, and copied before its tables change.
"""

import sqlite3
import sys
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from backend.db import migrate, sqlite, sqlite_files
from backend.errors import DatabaseUnusable
from backend.settings import Settings

REDIS_TIMEOUT_S = 10.0


class NotReady(Exception):
    """Something that every part needs is missing; the message says what, and which setting names it."""


def prepare(settings: Settings) -> None:
    """Bring the database to the newest form of the tables, and ask Redis for an answer.

    Raises:
        NotReady: one of them can't be reached or used.
    """
    _prepare_database(settings.resolved_database_url)
    if settings.redis_url:
        _ask_redis(settings.redis_url)


def _prepare_database(url: str) -> None:
    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise NotReady(
            "LAB_DATABASE_URL is no database URL; write postgresql+psycopg://user:password@host/name."
        ) from None
    try:
        path = sqlite.path_of(url)
        if path is not None:
            _prepare_file(path, url)
        migrate.upgrade(url)
    except DatabaseUnusable as error:
        raise NotReady(str(error)) from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise NotReady(
            f"LAB_DATABASE_URL is {shown}, which needs a driver that is not here ({_first_line(error)}); "
            "write postgresql+psycopg://user:password@host/name."
        ) from error
    except CommandError as error:
        raise NotReady(
            f"The database {shown} (LAB_DATABASE_URL) was made by another version of Backprop Lab, most likely a newer "
            f"one ({_first_line(error)}): start that one, or choose another database."
        ) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise NotReady(f"The database {shown} (LAB_DATABASE_URL) can't be used: {_first_line(error)}") from error


def _prepare_file(path: Path, url: str) -> None:
    sqlite.refuse_network_file_system(path)
    if not path.exists():
        return
    if sqlite_files.was_left_open(path):
        sqlite_files.check(path)
    if (before := migrate.revision(url)) is not None and not migrate.is_current(url):
        sqlite_files.copy(path, path.with_name(f"{path.stem}-before-upgrade-from-{before}{path.suffix}"))


def _ask_redis(url: str) -> None:
    import redis  # noqa: PLC0415 - costs 0.15 s, which `make run` with its own Valkey does not spend

    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=REDIS_TIMEOUT_S, socket_timeout=REDIS_TIMEOUT_S
        ) as client:
            client.ping()
    except ValueError as error:
        raise NotReady(f"LAB_REDIS_URL is no Redis URL: {_first_line(error)}") from error
    except redis.RedisError as error:
        raise NotReady(f"The Redis server of LAB_REDIS_URL can't be used: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    # SQLAlchemy adds the statement and a link in further lines.
    return str(error).strip().split("\n", 1)[0]


def main() -> int:
    """Prepare what the settings name."""
    try:
        prepare(Settings())
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
