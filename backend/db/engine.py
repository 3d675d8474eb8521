import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

BUSY_TIMEOUT_MS = 30_000  # how long a writer waits for another one


# Text stays readable in the column, so that a search in it finds what was written.
_to_json = partial(json.dumps, ensure_ascii=False, allow_nan=False)


class Database:
    """The database behind a URL. A transaction either reads or writes, and commits when its block ends."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = build_engine(url)
        self._writing_engine = self._engine.execution_options(lab_writes=True)

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together, or not at all where the block raises."""
        with Session(self._writing_engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def build_engine(url: str) -> Engine:
    """The SQLAlchemy engine for a URL, with what SQLite needs to be safe under several writing processes."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, json_serializer=_to_json, pool_pre_ping=True)
    engine = create_engine(url, json_serializer=_to_json, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's own transaction handling begins deferred and too late: it is switched off, `_begin_sqlite` does it.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once under load, whatever the busy timeout
    # (89 to 96 of 100 in a trial with 8 writers); one that takes the lock first waits for its turn.
    writes = connection.get_execution_options().get("lab_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
