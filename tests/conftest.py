import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.db import migrate
from tests.service import Service
from tests.services import PostgresServer, ValkeyServer, postgres_server, valkey_server

MEASURED = "measured"
HARDWARE = re.compile(r"\b(GPU|CUDA|CPU|cores?|memory|bfloat16|hardware)\b", re.IGNORECASE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose the database."""
    parser.addoption(
        "--database",
        choices=["sqlite", "postgres"],
        help="Run every test that uses a database on this one. Without it: what is quick on both, the rest on SQLite.",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a database one of each kind, unless the command line names one."""
    if "database_kind" in metafunc.fixturenames:
        chosen, marker = metafunc.config.getoption("database"), metafunc.definition.get_closest_marker("database")
        metafunc.parametrize("database_kind", marker.args if marker else [chosen] if chosen else ["sqlite", "postgres"])


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the newest tables, to be copied: migrating one for each test takes 50 times as long."""
    path = tmp_path_factory.mktemp("template") / "lab.sqlite3"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the newest tables and no rows, for one test, which is run with each kind."""
    if database_kind == "sqlite":
        path = tmp_path / "lab.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        yield postgres.emptied_database()


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, for one test, which is run with each kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        yield request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A real Valkey server, started on first use."""
    with valkey_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_url(valkey: ValkeyServer) -> str:
    """The address of a real Valkey server."""
    return valkey.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real Postgres server, started on first use."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty Postgres database, for one test."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def service_settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What a whole service is told of its database: nothing for SQLite, its address with `--database=postgres`."""
    if request.config.getoption("database") != "postgres":
        yield {}
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.fresh_database() as url:
        yield {"LAB_DATABASE_URL": url}


@pytest.fixture
def own_service_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The same for a service that one test starts for itself."""
    if request.config.getoption("database") != "postgres":
        return {}
    return {"LAB_DATABASE_URL": request.getfixturevalue("postgres_url")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, service_settings: dict[str, str]) -> Iterator[Service]:
    """A running service, shared by the tests of a module; leases are short, so that a loss is soon seen."""
    folder = tmp_path_factory.mktemp("service") / "data"
    with Service(folder, {"LAB_LEASE_S": "3", "LAB_STOP_GRACE_S": "5", **service_settings}).running() as service:
        yield service


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with what was measured: it stands at the end of the tests' output."""
    # A test's own properties go with its report, also where processes share the tests.
    return lambda text: request.node.user_properties.append((MEASURED, text))


def properties(terminalreporter: pytest.TerminalReporter, name: str) -> Iterator[Any]:
    """What tests have told of themselves under a name, whether they passed or failed."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.when == "call":
                yield from (value for key, value in report.user_properties if key == name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what the tests have measured."""
    for text in properties(terminalreporter, MEASURED):
        terminalreporter.write_line(f"measured: {text}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure, unless its reason names hardware that is not there."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or terminal is None:
        return
    for report in terminal.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not HARDWARE.search(reason):
            terminal.write_line(f"Skipped in CI, which counts as failed: {report.nodeid}: {reason}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
