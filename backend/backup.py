"""`python -m backend.backup FOLDER`: a copy of database, checkpoints and logs, made while the service runs.

The copy is a data folder itself: `LAB_DATA_DIR=FOLDER make run` starts the service as it was. Data sets are left out.
"""

import argparse
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from backend.db import checkpoints, sqlite, sqlite_files
from backend.db.engine import Database
from backend.errors import LabError
from backend.settings import Settings

DATABASE_NAME = "lab.sqlite3"
MOST_ROUNDS = 5


class BackupFailed(LabError):
    """There is no whole copy; the message says why and what to do."""


def back_up(settings: Settings, target: Path) -> str:
    """Copy what can't be made again into a folder that is new or empty; a sentence about the copy.

    Raises:
        BackupFailed: it could not be made whole; what was copied is left there.
    """
    path = sqlite.path_of(settings.resolved_database_url)
    if path is None:
        raise BackupFailed(
            "The database (LAB_DATABASE_URL) is no SQLite file: copy it with Postgres's own pg_dump, and then the "
            f"folder {settings.runs_dir}. docs/operation.md has both commands."
        )
    if not path.exists():
        raise BackupFailed(f"There is no database {path}: is LAB_DATA_DIR the folder of the service?")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupFailed(f"{target} is there already: name a folder that is new or empty.")
    try:
        target.mkdir(parents=True, exist_ok=True)
        held, gone = _copy_all(path, settings.runs_dir, target)
        size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise BackupFailed(f"The back-up to {target} failed: {error}") from error
    said = f"{target} holds the database and {held} checkpoints, {size / 1e6:.1f} MB; the database was checked."
    if gone:
        said += f" {gone} checkpoints were deleted meanwhile: their runs go on from an earlier one, or train again."
    return said


def _copy_all(path: Path, runs_dir: Path, target: Path) -> tuple[int, int]:
    """Copy files and database until each checkpoint that the copy names is there; how many are, and are not.

    A run that trains meanwhile writes new checkpoints and deletes old ones.
    """
    database = target / DATABASE_NAME
    for _ in range(MOST_ROUNDS):
        _copy_new(runs_dir, target / "runs")
        sqlite_files.copy(path, database)
        # What was written between the two copies.
        _copy_new(runs_dir, target / "runs")
        there = [(target / "runs" / name).exists() for name in _checkpoints_of(database)]
        if all(there):
            break
    return there.count(True), there.count(False)


def _copy_new(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        copied = target / file.relative_to(source)
        # A checkpoint's file never changes under its name, a log grows.
        if not file.is_file() or (file.suffix == ".npz" and copied.exists()):
            continue
        copied.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(file, copied)
        except FileNotFoundError:
            continue  # it went meanwhile; the database's copy tells whether it is still needed


def _checkpoints_of(path: Path) -> Sequence[str]:
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as session:
            return [f"{run_id}/checkpoints/{name}" for run_id, name in checkpoints.everywhere(session)]
    finally:
        database.close()


def main() -> int:
    """Copy the data folder of the settings into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m backend.backup", description=back_up.__doc__)
    parser.add_argument("folder", type=Path)
    try:
        sys.stdout.write(f"{back_up(Settings(), parser.parse_args().folder)}\n")
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
