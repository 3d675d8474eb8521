import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from benchmarks import stream
from tests.service import ROOT, until
from tests.services import free_port

SEATS = 3


class TestTheStream:
    def test_that_is_cut_again_and_again_loses_and_doubles_nothing(
        self,
        database_kind: str,
        database_url: str,
        valkey_url: str,
        tmp_path: Path,
        figure: Callable[[str], None],
    ) -> None:
        """Four clients, each cut off 20 times at any byte, hear each of 200 events once and in order."""
        figures = stream.measure(database_url, valkey_url, tmp_path, wanted=200, clients=4, cuts=20)
        figure(f"event stream over {database_kind}: {figures}")
        assert figures.is_whole, figures.errors
        assert figures.cuts == 20


class TestTooManyStreams:
    @pytest.fixture
    def url(self, database_url: str, valkey_url: str, tmp_path: Path) -> Iterator[str]:
        """A web server that serves three streams at most."""
        port = free_port()
        settings = {"LAB_DATABASE_URL": database_url, "LAB_REDIS_URL": valkey_url, "LAB_DATA_DIR": str(tmp_path)}
        settings |= {"LAB_MAX_STREAMS": str(SEATS), "LAB_DEMO": "0"}
        command = [sys.executable, "-m", "uvicorn", "backend.app:create_app", "--factory", "--port", str(port)]
        command += ["--timeout-graceful-shutdown", "1"]
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | settings) as server:
            try:
                until(lambda: stream.listens(port))
                yield f"http://127.0.0.1:{port}/api/stream"
            finally:
                server.terminate()

    def test_are_refused_until_one_ends(self, url: str) -> None:
        """Who comes when all places are taken is told so with a 429; a place that a page gives up can be taken."""
        with httpx2.Client(timeout=10) as client:
            held = [client.stream("GET", url) for _ in range(SEATS)]
            assert [seat.__enter__().status_code for seat in held] == [200] * SEATS
            refused = client.get(url)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "5"
            assert "LAB_MAX_STREAMS" in json.loads(refused.text)["error"]["message"]
            assert client.get(url.replace("stream", "health/live")).status_code == 200
            held.pop().__exit__(None, None, None)
            until(lambda: _is_let_in(client, url), 10)
            for seat in held:
                seat.__exit__(None, None, None)


def _is_let_in(client: httpx2.Client, url: str) -> bool:
    with client.stream("GET", url) as answer:
        return answer.status_code == 200
