import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.db import sqlite
from backend.db.turn import WritersTurn

# Text stays readable in the column, so that a search in it finds what was written.
_to_json = partial(json.dumps, ensure_ascii=False, allow_nan=False)

_POSTGRES_DISK_FULL = "53100"  # SQLSTATE

# A host that is cut off sends no farewell. Both sides then give up within seconds: here, so that who trains learns in
# time that its lease can't be renewed; on the server, so that a lock goes with whoever held it.
_POSTGRES_CLIENT = {
    "connect_timeout": 5,  # s
    "keepalives_idle": 5,  # s
    "keepalives_interval": 2,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 8_000,  # ms
}
_POSTGRES_SERVER = {
    "tcp_keepalives_idle": 5,  # s
    "tcp_keepalives_interval": 2,  # s
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 8_000,  # ms
    "idle_in_transaction_session_timeout": 30_000,  # ms; a frozen process holds no lock for longer
}


class Database:
    """The database behind a URL. A transaction either reads or writes, and commits when its block ends.

    Raises:
        DatabaseUnusable: it is SQLite's, and its file lies where that can't keep its word.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = sqlite.path_of(url)
        self._turn: WritersTurn | None = None
        if self._path is None:
            self._reader = self._writer = build_engine(url)
        else:
            # One writing connection a process, and one writing process at a time.
            self._turn = WritersTurn(self._path.with_name(self._path.name + "-turn"))
            self._reader = build_engine(url, reads_only=True)
            self._writer = build_engine(url, connections=1).execution_options(lab_writes=True)

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return make_url(self.url).get_backend_name()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together, or not at all where the block raises."""
        with (
            self._turn.taken() if self._turn is not None else nullcontext(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def checkpoint(self, least_bytes: int = 1) -> bool:
        """Move SQLite's write-ahead log into the database while nobody writes, where it is at least so long.

        Returns:
            Whether nothing of it is left to move.
        """
        if self._path is None or sqlite.log_bytes(self._path) < least_bytes:
            return True
        # The connection of this transaction holds the writer's lock; another one moves the pages.
        assert self._turn is not None
        with self._turn.taken(), self._writer.begin():
            return sqlite.move_log(self._path)

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()
        self._writer.dispose()
        if self._turn is not None:
            self._turn.close()


def is_disk_full(error: BaseException) -> bool:
    """Whether a database's error says that the disk under it is full."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.OperationalError):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return getattr(cause, "sqlstate", None) == _POSTGRES_DISK_FULL


def build_engine(url: str, *, reads_only: bool = False, connections: int | None = None) -> Engine:
    """The SQLAlchemy engine for a URL. For SQLite: one that refuses to write, or of at most so many connections."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite.build_engine(url, reads_only=reads_only, connections=connections, json_serializer=_to_json)
    arguments: dict[str, Any] = {}
    if parsed.get_backend_name() == "postgresql":
        arguments = {name: value for name, value in _POSTGRES_CLIENT.items() if name not in parsed.query}
        if "options" not in parsed.query:
            arguments["options"] = " ".join(f"-c {name}={value}" for name, value in _POSTGRES_SERVER.items())
    return create_engine(url, json_serializer=_to_json, pool_pre_ping=True, connect_args=arguments)
