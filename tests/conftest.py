import os
import re
from collections.abc import Callable, Iterator

import pytest

from tests.service import Service
from tests.services import PostgresServer, ValkeyServer, postgres_server, valkey_server

FIGURES = pytest.StashKey[list[str]]()
HARDWARE = re.compile(r"\b(GPU|CUDA|CPU|cores?|memory|bfloat16|hardware)\b", re.IGNORECASE)


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
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service, shared by the tests of a module; leases are short, so that a loss is soon seen."""
    folder = tmp_path_factory.mktemp("service") / "data"
    with Service(folder, {"LAB_LEASE_S": "3", "LAB_STOP_GRACE_S": "5"}).running() as service:
        yield service


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with what was measured: it stands at the end of the tests' output."""
    return request.config.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what the tests have measured."""
    for text in config.stash.get(FIGURES, []):
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
