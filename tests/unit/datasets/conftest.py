from collections.abc import Iterator

import pytest

from tests.unit.datasets.files import pixels
from tests.unit.datasets.host import Host


@pytest.fixture
def host() -> Iterator[Host]:
    """A web server that serves 700,000 random bytes."""
    with Host(pixels(700_000).tobytes()).running() as host:
        yield host


@pytest.fixture
def second_host(host: Host) -> Iterator[Host]:
    """Another one that serves the same."""
    with Host(host.content).running() as second:
        yield second
