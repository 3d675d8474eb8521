"""The file of a SQLite database as a whole: whether it was closed in order, whether it is sound, and copies of it."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from backend.errors import DatabaseUnusable

_MARK = ".in-use"
_MOST_COMPLAINTS = 5


def mark_in_use(path: Path) -> None:
    """Leave a mark beside the database: where it still is at the next start, the end before was without order."""
    with _mark(path).open("w") as mark:
        mark.write("The service uses the database, or was ended without order: it is checked at the next start.\n")
        mark.flush()
        os.fsync(mark.fileno())


def unmark(path: Path) -> None:
    """The database was closed in order."""
    _mark(path).unlink(missing_ok=True)


def was_left_open(path: Path) -> bool:
    """Whether the last user of the database ended without order, as by a power cut."""
    return path.exists() and _mark(path).exists()


def check(path: Path) -> None:
    """Raise DatabaseUnusable where the database's pages, rows and keys do not fit together.

    SQLite's `quick_check`: everything but that each index holds what its table does. About a second for a gigabyte.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            pragma = f"PRAGMA quick_check({_MOST_COMPLAINTS})"
            complaints = [str(row[0]) for row in connection.execute(pragma)]
            if complaints == ["ok"]:
                complaints = [f"a row of {row[0]} refers to none of {row[2]}" for row in _broken_keys(connection)]
    except sqlite3.DatabaseError as error:
        complaints = [str(error)]
    if complaints:
        said = " ".join("; ".join(complaints).split())
        raise DatabaseUnusable(
            f"The database {path} is damaged ({said}): set it and its -wal and -shm files aside, and "
            "put a back-up in its place, as docs/operation.md describes."
        )


def _broken_keys(connection: sqlite3.Connection) -> list[tuple[str, int, str, int]]:
    return connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_COMPLAINTS)


def copy(source: Path, target: Path) -> None:
    """Copy a database that may be in use, as it is at one moment, into one file; nobody waits for that.

    Raises:
        DatabaseUnusable: the copy is damaged, most likely because the original is.
        OSError, sqlite3.Error: it can't be read, or the copy not be written.
    """
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as reader,
            closing(sqlite3.connect(unfinished)) as writer,
        ):
            # All pages in one go are one read transaction: a write of another process would start steps anew.
            reader.backup(writer, pages=-1)
            # One file that can be moved about, until it is opened as the service's database again.
            writer.execute("PRAGMA journal_mode=DELETE").fetchall()
        check(unfinished)
        _write_through(unfinished)
        unfinished.replace(target)
        _write_through(target.parent)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def _write_through(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mark(path: Path) -> Path:
    return path.with_name(path.name + _MARK)
