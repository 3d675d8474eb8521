from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.db import migrate
from backend.db.engine import Database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the newest tables, of either kind."""
    url = (
        f"sqlite:///{tmp_path / 'lab.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    migrate.upgrade(url)
    database = Database(url)
    yield database
    database.close()
