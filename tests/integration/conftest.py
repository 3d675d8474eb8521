from collections.abc import Iterator

import pytest

from tests.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service, shared by the tests of a module; leases are short, so that a loss is soon seen."""
    folder = tmp_path_factory.mktemp("service") / "data"
    with Service(folder, {"LAB_LEASE_S": "3", "LAB_STOP_GRACE_S": "5"}).running() as service:
        yield service
