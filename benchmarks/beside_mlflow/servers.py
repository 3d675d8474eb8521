"""Both services as processes on the loopback interface, each over its SQLite file."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backend.settings import Settings
from backend.valkey import free_port
from benchmarks.table import measure
from tests.services import valkey_server

ROOT = Path(__file__).resolve().parents[2]
MLFLOW = ROOT / ".venv" / "mlflow" / "bin" / "python"
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
START_S, STOP_S = 120.0, 20.0
# It looks for no plugins and reports its use to nobody: both would be the network's time.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_AGENT_HINTS": "true"}
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_WORKERS": "1"}


class Answer(NamedTuple):
    """What came back, and how long that took until its last byte."""

    body: bytes  # as it travelled
    is_packed: bool
    ms: float


class Client:
    """A connection that stays open, as a page's does, and takes packed answers, as a page does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, path: str) -> Answer:
        """The answer to a question."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: str) -> Answer:
        """The answer to an order."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Accept-Encoding": "gzip", **({"Content-Type": "application/json"} if body else {})}
        try:
            began_at = time.perf_counter()
            answer = self._ask_once(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            # A connection that was not used for a while is closed by either server.
            self._connection.close()
            began_at = time.perf_counter()
            answer = self._ask_once(method, path, body, headers)
        found = answer.read()
        ms = 1000 * (time.perf_counter() - began_at)
        if answer.status >= 300:  # noqa: PLR2004
            raise RuntimeError(f"{method} {path[:80]} was answered by {answer.status}: {found[:500]!r}")
        return Answer(found, answer.headers.get("Content-Encoding") == "gzip", ms)

    def _ask_once(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, headers)
        # MLflow's workers send head and body apart, and the body waits for Linux to acknowledge the head, which it
        # delays by 40 ms: 48 ms for any question. Neither server is to be compared by that.
        if QUICK_ACK is not None:
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
        return self._connection.getresponse()


@dataclass(frozen=True)
class Server:
    """A service that answers."""

    port: int
    roots: tuple[int, ...]  # its first processes, which have all the others for children

    def client(self) -> Client:
        """A new connection."""
        return Client(self.port)

    def memory_mb(self) -> float:
        """What all its processes hold, a page that several share counted once (PSS)."""
        return sum(map(_pss_kb, self._pids())) / 1024

    def process_count(self) -> int:
        """How many processes it has."""
        return len(self._pids())

    def _pids(self) -> list[int]:
        found = list(self.roots)
        for pid in found:  # grows meanwhile
            found += _children(pid)
        return found


@contextmanager
def ours(settings_of: Mapping[str, Any]) -> Iterator[tuple[Server, Settings]]:
    """The web server as `make run` starts it, and its Valkey."""
    with ExitStack() as stack:
        valkey = stack.enter_context(valkey_server())
        settings = Settings(redis_url=valkey.url, demo=False, **settings_of)
        port = free_port()
        stack.enter_context(measure.served(settings, port))
        web = next(pid for pid in _children(os.getpid()) if f"--port\0{port}\0" in _command(pid))
        server = Server(port, (web, valkey.pid))
        _wait(server, "/api/health/live")
        yield server, settings


@contextmanager
def mlflow(url: str, folder: Path, **settings: str) -> Iterator[Server]:
    """MLflow's server as `mlflow server` starts it, with these settings in its environment."""
    port = free_port()
    command = [str(MLFLOW), "-m", "mlflow", "server", "--backend-store-uri", url, "--port", str(port)]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=os.environ | QUIET | settings, stdout=log, stderr=log, start_new_session=True
        )
    server = Server(port, (process.pid,))
    try:
        _wait(server, "/health", process)
        yield server
    finally:
        left = server._pids()  # noqa: SLF001  (a part of this module)
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
        _end(left)


def seed(url: str, lines: Path) -> dict[int, str]:
    """Fill MLflow's empty database; its id of each run by ours."""
    command = [str(MLFLOW), "-m", "benchmarks.beside_mlflow.seed", url, str(lines)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | QUIET, check=True, stdout=subprocess.PIPE)  # noqa: S603
    return {int(mine): its for mine, its in json.loads(done.stdout.splitlines()[-1]).items()}


def version() -> str:
    """MLflow's version, of the environment that `make mlflow` fills.

    Raises:
        FileNotFoundError: there is no such environment.
    """
    code = "import importlib.metadata as found; print(found.version('mlflow'))"
    return subprocess.run([MLFLOW, "-c", code], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def _wait(server: Server, path: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    give_up_at = time.monotonic() + START_S
    while True:
        try:
            server.client().get(path)
        except (OSError, RuntimeError, http.client.HTTPException):
            if time.monotonic() > give_up_at or (process is not None and process.poll() is not None):
                raise
            time.sleep(0.1)
        else:
            return


def _end(pids: list[int]) -> None:
    """End what a server has left behind, MLflow's job runners for instance."""
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _pss_kb(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith("Pss:")), 0)
