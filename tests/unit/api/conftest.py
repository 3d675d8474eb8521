from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.app import create_app
from backend.db.engine import Database
from backend.settings import Settings

BASE_URL = "http://127.0.0.1"


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    """A service without a demonstration, over a folder and a database of its own, of either kind."""
    return Settings(data_dir=tmp_path, database_url=database_url, redis_url=valkey_url, demo=False)


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    """The application over a database without rows."""
    app = create_app(settings)
    yield app
    app.state.lab.database.close()


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A script that asks the running application."""
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def database(app: FastAPI) -> Database:
    """The application's database, for what a worker would write."""
    database: Database = app.state.lab.database
    return database
