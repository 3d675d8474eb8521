"""The whole service for a test: launcher, Valkey, web server and worker as real processes, and a client for its API."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.services import free_port

ROOT = Path(__file__).parents[1]
START_S = 60.0
T = TypeVar("T")
TINY = {"width": 4, "train_images": 100, "test_images": 50, "batch_size": 50, "epochs": 3}  # an epoch in a blink


def until(look: Callable[[], T], timeout_s: float = 60.0) -> T:
    """The first truth that `look` gives."""
    give_up_at = time.monotonic() + timeout_s
    while True:
        if seen := look():
            return seen
        assert time.monotonic() < give_up_at, f"waited {timeout_s} s in vain; last seen: {seen!r}"
        time.sleep(0.05)


@dataclass
class Service:
    """A running service over a data folder of its own."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        """Where its database is."""
        return self.settings.get("LAB_DATABASE_URL", f"sqlite:///{self.folder / 'lab.sqlite3'}")

    @contextmanager
    def running(self) -> Iterator["Service"]:
        """Start the service, and end it after the block."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
        environment |= {"LAB_DATA_DIR": str(self.folder), "LAB_PORT": str(self.port)}
        environment |= {"LAB_DEMO": "0", "LAB_CALIBRATE": "0", **self.settings}
        output = self.folder.with_suffix(".txt")
        with output.open("wb") as log:
            launcher = subprocess.Popen(
                [sys.executable, "-m", "backend.local"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            until(lambda: " is at http://" in output.read_text() or launcher.poll() is not None, START_S)
            assert launcher.poll() is None, output.read_text()
            with httpx2.Client(base_url=self.url, timeout=30) as self.client:
                yield self
        finally:
            launcher.send_signal(signal.SIGTERM)
            launcher.wait(30)

    def launch(self, **body: Any) -> list[dict[str, Any]]:
        """The runs of a launch."""
        answer = self.client.post("/api/runs", json=body)
        assert answer.status_code == 201, answer.text
        runs: list[dict[str, Any]] = answer.json()["runs"]
        return runs

    def run(self, run_id: int) -> dict[str, Any]:
        """A run as it is now."""
        run: dict[str, Any] = self.client.get(f"/api/runs/{run_id}").json()
        return run

    def metrics(self, run_id: int) -> dict[str, Any]:
        """A run's metrics."""
        metrics: dict[str, Any] = self.client.get(f"/api/runs/{run_id}/metrics").json()
        return metrics

    def history(self, run_id: int) -> list[dict[str, Any]]:
        """A run's history."""
        history: list[dict[str, Any]] = self.client.get(f"/api/runs/{run_id}/history").json()
        return history

    def wait_for(self, run_id: int, *statuses: str, timeout_s: float = 90.0) -> dict[str, Any]:
        """The run, once it is in one of the statuses."""
        return until(lambda: run if (run := self.run(run_id))["status"] in statuses else {}, timeout_s)

    def pids(self, pattern: str) -> list[int]:
        """The processes of this service whose command line matches."""
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and self._is_mine(entry) and re.search(pattern, _text(entry / "cmdline"))
        ]

    def _is_mine(self, entry: Path) -> bool:
        return f"LAB_DATA_DIR={self.folder}\0" in _text(entry / "environ", end="\0")

    def broker_pids(self) -> list[int]:
        """The Valkey server, which writes its title over its environment; its log tells whose it is."""
        log = self.folder / "logs" / "valkey.log"
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and _link(entry / "fd" / "1") == log
        ]

    def attempt_pid(self, run_id: int) -> int:
        """The process that trains a run, once there is one."""
        return until(lambda: self.pids(rf"worker\.attempt {run_id} "))[0]

    def ready_spares(self) -> list[int]:
        """The spare processes that have imported everything and wait for a run."""
        # Each is told the number of a pipe, which it closes once it is ready.
        pipes = {
            pid: int(_text(Path(f"/proc/{pid}/cmdline")).split()[-1]) for pid in self.pids(r"worker\.attempt spare ")
        }
        return [pid for pid, pipe in pipes.items() if not Path(f"/proc/{pid}/fd/{pipe}").exists()]

    def events(self, after: int, last_event_id: int | None = None) -> "EventStream":
        """The stream of what changes, from a number on."""
        return EventStream(self.url, after, last_event_id)


@dataclass
class EventStream:
    """Server-sent events as a browser would read them."""

    url: str
    after: int
    last_event_id: int | None = None

    def read(self, enough: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Events up to the one that is enough: `event`, `id` (None where it has none) and `data`."""
        headers = {} if self.last_event_id is None else {"Last-Event-ID": str(self.last_event_id)}
        seen: list[dict[str, Any]] = []
        parts: dict[str, str] = {}
        give_up_at = time.monotonic() + timeout_s
        with (
            httpx2.Client(timeout=timeout_s) as client,
            client.stream("GET", f"{self.url}/api/stream", params={"after": self.after}, headers=headers) as answer,
        ):
            for line in answer.iter_lines():
                assert time.monotonic() < give_up_at, "waited in vain"
                if line:
                    name, _, value = line.partition(": ")
                    parts[name] = value
                elif "data" in parts:
                    number = int(parts["id"]) if "id" in parts else None
                    seen.append({"event": parts.get("event"), "id": number, "data": json.loads(parts["data"])})
                    parts = {}
                    if enough(seen[-1]):
                        break
        return seen


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended: its parent may take a while to hear of its end."""
    return _text(Path(f"/proc/{pid}/stat")).rpartition(") ")[2][:1] not in ("", "Z")


def cpu_seconds_of(pid: int) -> float:
    """Processor time that a process has had, all its threads together: it tells of work on a busy machine too."""
    user, system = map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None


def _text(path: Path, end: str = "") -> str:
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", end or " ") + end
    except OSError:
        return ""
