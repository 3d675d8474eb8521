from collections.abc import Iterator

import pytest

from backend.db.engine import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database without rows, of either kind."""
    database = Database(database_url)
    yield database
    database.close()
