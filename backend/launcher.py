"""The launcher of `make run`: starts the parts on this machine, starts again what dies, ends everything in order."""

import contextlib
import http.client
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backend import valkey
from backend.processes import Child, Signals, end_all, ending_of
from backend.settings import Settings

START_TIMEOUT_S = 120.0
SHORT_LIFE_S = 10.0  # who ends within this time has failed to start
MAX_FAILURES = 5  # in a row
RESTART_DELAY_S = 1.0  # after a short life; after a long one there is none
VALKEY_TRIES = 3
LOOK_S = 0.05  # how often a part that starts is looked at
KILLED = (-signal.SIGKILL, -signal.SIGTERM)  # from outside, which is no fault of the part itself
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to, but replaced


class LaunchFailed(Exception):
    """The service can't start or go on; the message says what to do."""


class _EndAsked(Exception):
    """Ctrl-C, SIGTERM or SIGHUP."""


@dataclass(frozen=True)
class Parts:
    """The commands that the launcher starts, apart from Valkey's."""

    prepare: Sequence[str]
    web: Sequence[str]
    worker: Sequence[str]


def real_parts(settings: Settings) -> Parts:
    """Database, page and worker as they are; they read their settings from the environment."""
    python = sys.executable
    return Parts(
        prepare=(python, "-m", "backend.prepare"),
        web=(
            *(python, "-m", "uvicorn", "backend.app:create_app", "--factory"),
            *("--host", settings.host, "--port", str(settings.port)),
            # An open event stream would keep the server from ending for as long as the browser likes.
            *("--timeout-graceful-shutdown", "3"),
            *("--no-server-header", "--no-proxy-headers", "--no-access-log", "--log-level", settings.log_level.lower()),
        ),
        worker=(python, "-m", "worker"),
    )


class Launcher:
    """Everything that one `make run` starts."""

    def __init__(self, settings: Settings, signals: Signals, parts: Parts) -> None:
        self._settings = settings
        self._signals = signals
        self._parts = parts
        self._logs = settings.data_dir / "logs"
        self._redis_url = settings.redis_url
        self._once: list[Child] = []
        self._clients: list[Child] = []
        self._servers: list[Child] = []

    def run(self) -> None:
        """Serve until Ctrl-C, SIGTERM or SIGHUP. Nothing that was started is left, however this ends.

        Raises:
            LaunchFailed: a part can't be started, or ends again and again.
        """
        try:
            self._start()
            while True:
                self._tend(starting=False)
                self._pause(self._next_restart_s())
        except _EndAsked:
            say("Ending (Ctrl-C again: at once) ...")
        finally:
            # Valkey goes last: the others still speak with it.
            for children in (self._once, self._clients, self._servers):
                end_all(children, self._signals.wait)

    def _start(self) -> None:
        say("Starting Backprop Lab ...")
        self._logs.mkdir(exist_ok=True)
        prepare = self._child("prepare", self._parts.prepare)
        self._once.append(prepare)
        prepare.start()
        if not self._redis_url:
            self._start_valkey()
        self._wait_until(prepare.has_ended)
        if prepare.collect():
            raise LaunchFailed(prepare.log_tail() or f"{prepare.command} failed without a word.")
        self._clients.append(self._child("web", self._parts.web))
        self._clients.append(self._child("worker", self._parts.worker, grace_s=self._settings.stop_grace_s + 5))
        for child in self._clients:
            child.start()
        self._wait_until(lambda: answers(self._settings))
        where = f"data in {shown(self._settings.data_dir)}"
        say(f"Backprop Lab is at {page_url(self._settings)}  ({where}, Ctrl-C ends it)")

    def _start_valkey(self) -> None:
        folder = self._settings.data_dir / "valkey"
        try:
            command = valkey.command()
        except valkey.NoValkey as error:
            raise LaunchFailed(str(error)) from error
        for number in range(1, VALKEY_TRIES + 1):
            if number == VALKEY_TRIES:
                self._set_aside(folder)
            folder.mkdir(exist_ok=True)
            endpoint = valkey.Endpoint()
            child = self._child("valkey", command, stdin=valkey.configuration(endpoint, folder))
            self._once.append(child)
            child.start()
            self._wait_until(partial(_has_ended_or_answers, child, endpoint))
            self._once.remove(child)
            if not child.has_ended():
                self._servers.append(child)
                self._redis_url = endpoint.url
                return
            code = child.collect()
        raise LaunchFailed(_obituary(child, code))

    def _set_aside(self, folder: Path) -> None:
        """Let Valkey start empty: it holds messages only, and the database knows which to send again."""
        damaged = folder.with_name(f"valkey-damaged-{time.time_ns()}")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(damaged)
            say(f"Valkey does not start on its files; they are in {shown(damaged)} now, and it starts empty.")

    def _child(self, name: str, command: Sequence[str | Path], stdin: bytes = b"", grace_s: float = 5.0) -> Child:
        environment = {
            **os.environ,
            "LAB_DATA_DIR": str(self._settings.data_dir),
            "LAB_DATABASE_URL": self._settings.resolved_database_url,
            "LAB_REDIS_URL": self._redis_url,
            "PYTHONUNBUFFERED": "1",
        }
        return Child(name, command, environment, self._logs / f"{name}.log", stdin, grace_s)

    def _tend(self, *, starting: bool) -> None:
        """Start again whoever has ended."""
        now = time.monotonic()
        for child in (*self._clients, *self._servers):
            if child.is_started and child.has_ended():
                self._note_end(child, now, starting=starting)
            if child.restart_at is not None and child.restart_at <= now:
                try:
                    child.start()
                except OSError as error:
                    raise LaunchFailed(f"The {child.name} process can't be started again: {error}") from error

    def _note_end(self, child: Child, now: float, *, starting: bool) -> None:
        lived_s = now - child.started_at
        code = child.collect()
        if code not in KILLED:
            child.failures = child.failures + 1 if lived_s < SHORT_LIFE_S else 1
            if starting or child.failures >= MAX_FAILURES:
                raise LaunchFailed(_obituary(child, code))
        child.restart_at = now + (RESTART_DELAY_S if lived_s < SHORT_LIFE_S else 0)
        say(f"The {child.name} process {ending_of(code)}; it is started again (log: {shown(child.log)}).")

    def _next_restart_s(self) -> float | None:
        times = [child.restart_at for child in (*self._clients, *self._servers) if child.restart_at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        latest = time.monotonic() + START_TIMEOUT_S
        while not condition():
            self._tend(starting=True)
            self._pause(LOOK_S)
            if time.monotonic() > latest:
                raise LaunchFailed(
                    f"Nothing answers after {START_TIMEOUT_S:.0f} s; the logs are in {shown(self._logs)}."
                )

    def _pause(self, timeout_s: float | None) -> None:
        if not self._signals.asked:
            self._signals.wait(timeout_s)
        if self._signals.asked:
            raise _EndAsked


def answers(settings: Settings) -> bool:
    """Whether the page's server answers."""
    connection = http.client.HTTPConnection(ANY_ADDRESS.get(settings.host, settings.host), settings.port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/api/health/live")
            return connection.getresponse().status < 500  # noqa: PLR2004
        except (OSError, http.client.HTTPException):
            return False


def page_url(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host = ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def shown(path: Path) -> str:
    """A path as a user in this folder would write it."""
    return f"./{path.relative_to(Path.cwd())}" if path.is_relative_to(Path.cwd()) else str(path)


def say(line: str) -> None:
    """Write a line to the terminal, if that is still there."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _has_ended_or_answers(child: Child, endpoint: valkey.Endpoint) -> bool:
    return child.has_ended() or endpoint.answers()


def _obituary(child: Child, code: int) -> str:
    tail = "".join(f"\n    {line}" for line in child.log_tail().splitlines())
    return f"The {child.name} process {ending_of(code)}. Its last words in {shown(child.log)}:{tail or ' none.'}"
