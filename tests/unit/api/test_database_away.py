"""What a request is answered while the database, or the disk under it, can't do its work."""

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from backend.app import create_app
from backend.db import sqlite
from backend.db.engine import Database
from backend.settings import Settings
from tests.services import free_port
from tests.unit.api.conftest import BASE_URL

# As where the server's disk is full: no row of a run has room any more.
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
CREATE TRIGGER no_room BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION no_room();
"""


@pytest.fixture
def full(database: Database) -> Iterator[None]:
    """A database under which the disk is full."""
    with database.write() as session:
        if database.dialect_name == "sqlite":
            pages = session.execute(text("PRAGMA page_count")).scalar_one()
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
        else:
            session.execute(text(NO_ROOM))
    yield
    if database.dialect_name == "postgresql":
        with database.write() as session:
            session.execute(text("DROP TRIGGER no_room ON run; DROP FUNCTION no_room()"))


class TestAFullDisk:
    @pytest.mark.usefixtures("full")
    def test_is_said_at_a_launch_that_changes_nothing(self, client: TestClient) -> None:
        """A launch that has no room is a 507 with a sentence, and leaves no run behind."""
        answer = client.post("/api/runs", json={"config": {"dataset": "digits"}, "seeds": 50})
        assert answer.status_code == 507
        error = answer.json()["error"]
        assert (error["code"], "Make room" in error["message"]) == ("disk_full", True)
        assert client.get("/api/runs").json()["total"] == 0

    def test_is_said_of_a_file_too(self, app: FastAPI, client: TestClient) -> None:
        """What has no room beside the database is the same 507; another error of a file stays the service's own."""

        @app.get("/file/{number}")
        def write(number: int) -> None:
            raise OSError(number, "no")

        assert client.get(f"/file/{errno.ENOSPC}").status_code == 507
        assert client.get(f"/file/{errno.EACCES}").status_code == 500


class TestADatabaseThatIsAway:
    def test_is_said_with_a_time_to_try_again(self, tmp_path: Path, valkey_url: str) -> None:
        """Where nobody answers at the database's address, a request is a 503 with Retry-After and a sentence."""
        url = f"postgresql+psycopg://lab@127.0.0.1:{free_port()}/lab"
        app = create_app(Settings(data_dir=tmp_path, database_url=url, redis_url=valkey_url, demo=False))
        client = TestClient(app, base_url=BASE_URL, raise_server_exceptions=False)
        for answer in (client.get("/api/runs"), client.post("/api/runs", json={"config": {}})):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["error"]["code"] == "database_away"
            assert "nothing was changed" in answer.json()["error"]["message"]
            assert answer.headers["x-content-type-options"] == "nosniff"

    def test_may_be_one_that_is_locked(
        self, tmp_path: Path, valkey_url: str, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A SQLite file in which another program writes for too long is the same 503."""
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
        path = tmp_path / "lab.sqlite3"
        path.write_bytes(migrated_file.read_bytes())
        app = create_app(Settings(data_dir=tmp_path, redis_url=valkey_url, demo=False))
        client = TestClient(app, base_url=BASE_URL, raise_server_exceptions=False)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/api/runs", json={"config": {}})
        other.close()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        app.state.lab.database.close()
