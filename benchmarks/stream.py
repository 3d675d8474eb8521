"""Whether pages that lose their connection again and again hear of every event once, and how late they hear of it.

    python -m benchmarks.stream [--events 8000] [--clients 20] [--cuts 40] [--database URL]

The real web server stands over a SQLite file in a temporary folder (or the database of the URL, an empty one) and a
Valkey server. Writers store epochs and notes of runs; meanwhile each client follows the stream, and is cut off so many
times, at any byte, also within an event, half of the times by a reset. It comes back with the last number it has heard.
"""

import argparse
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from backend.contract import MAX_LEASE_S
from backend.db import epochs, events, migrate
from backend.db.engine import Database
from backend.notifier import RedisNotifier
from tests.builders import add_run, epoch_report, start_run
from tests.service import ROOT, until
from tests.services import free_port, valkey_server

WRITERS = 4
PAUSE_S = 0.002  # between two events of a writer
PATIENCE_S = 120.0  # without news, after which a client gives up


@dataclass
class Client:
    """A page that follows the stream and is cut off again and again."""

    port: int
    after: int
    last: int
    cuts: int
    seed: int
    heard: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    cut: int = 0  # times that it was cut off
    error: str | None = None

    def follow(self) -> None:
        """Follow until the last event, coming back after each cut."""
        chance = random.Random(self.seed)  # noqa: S311 - where a cut comes need not be a secret
        due = sorted(chance.sample(range(self.after + 1, self.last), self.cuts), reverse=True)
        try:
            while due or self.position < self.last:
                # The cut comes somewhere after this event.
                self._connection(chance, due.pop() if due else self.last + 1)
        except (OSError, ValueError) as error:
            self.error = repr(error)

    @property
    def position(self) -> int:
        """The last number that was heard in full."""
        return self.heard[-1] if self.heard else self.after

    def _connection(self, chance: random.Random, cut_after: int) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            # HTTP/1.0: the answer's body is the stream itself, until the connection ends.
            words = f"GET /api/stream?after={self.after} HTTP/1.0\r\nHost: 127.0.0.1\r\n"
            if self.heard:
                words += f"Last-Event-ID: {self.position}\r\n"
            connection.sendall(f"{words}\r\n".encode())
            rest = b""
            while self.position < self.last or cut_after < self.last:
                received = connection.recv(chance.choice([7, 100, 1000, 5000]))
                if not received:
                    raise ValueError(f"the server ended the stream after {rest!r:.200}")
                *whole, rest = (rest + received).split(b"\n\n")
                self._hear(whole)
                if self.position >= cut_after:
                    self.cut += 1
                    if chance.random() < 0.5:  # noqa: PLR2004
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def _hear(self, blocks: Sequence[bytes]) -> None:
        for block in blocks:
            for line in block.split(b"\n"):
                if line.startswith(b"id: "):
                    self.heard.append(int(line[4:]))
                    self.at.append(time.monotonic())


@dataclass(frozen=True)
class Figures:
    """What the clients heard."""

    clients: int
    events: int
    cuts: int  # that each client had
    gaps: int  # events that a client never heard
    doubles: int
    disorders: int
    errors: Sequence[str]
    median_ms: float
    p99_ms: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.clients} clients, {self.events} events, {self.cuts} cuts each: {self.gaps} gaps, {self.doubles} "
            f"doubles, {self.disorders} out of order, {len(self.errors)} errors; from commit to page median "
            f"{self.median_ms:.0f}, p99 {self.p99_ms:.0f} ms; {self.seconds:.0f} s"
        )

    @property
    def is_whole(self) -> bool:
        """Whether each client heard each event once, in order."""
        return not (self.gaps or self.doubles or self.disorders or self.errors)


def measure(url: str, redis_url: str, folder: Path, *, wanted: int, clients: int, cuts: int) -> Figures:
    """Serve a migrated database to so many clients, while so many events are written."""
    database = Database(url)
    run_ids = [add_run(database, epochs=10_000) for _ in range(WRITERS)]
    attempts = [start_run(database, run_id, lease_s=MAX_LEASE_S - 10).attempt for run_id in run_ids]
    with database.read() as session:
        start = events.last_seq(session)
    port, began = free_port(), time.monotonic()
    with (folder / "web.log").open("w") as log:
        server = _serve(url, redis_url, folder, port, log)
    written: dict[int, float] = {}
    try:
        until(lambda: listens(port))
        followers = [Client(port, start, start + wanted, cuts, seed) for seed in range(clients)]
        threads = [threading.Thread(target=client.follow, daemon=True) for client in followers]
        share = wanted // WRITERS
        threads += [
            threading.Thread(target=_write, args=(database, redis_url, run_id, attempt, share, written), daemon=True)
            for run_id, attempt in zip(run_ids, attempts, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        server.terminate()
        server.wait()
        database.close()
    return _figures(followers, start, wanted, written, time.monotonic() - began)


def _serve(url: str, redis_url: str, folder: Path, port: int, log: TextIO) -> "subprocess.Popen[bytes]":
    settings = {"LAB_DATA_DIR": str(folder), "LAB_DATABASE_URL": url, "LAB_REDIS_URL": redis_url, "LAB_DEMO": "0"}
    command = [sys.executable, "-m", "uvicorn", "backend.app:create_app", "--factory", "--port", str(port)]
    command += ["--timeout-graceful-shutdown", "1", "--no-access-log"]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=log, stderr=log)  # noqa: S603


def listens(port: int) -> bool:
    """Whether a server is at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _write(
    database: Database, redis_url: str, run_id: int, attempt: int, count: int, written: dict[int, float]
) -> None:
    notifier = RedisNotifier(redis_url)
    for number in range(count):
        with database.write() as session:
            if number % 8 == 7:  # noqa: PLR2004 - steps and notes stand among the epochs
                events.add_note(session, run_id, f"note {number}")
            else:
                epochs.append(session, run_id, attempt, epoch_report(number - number // 8))
            seq = events.last_seq(session)
        written[seq] = time.monotonic()
        notifier.changed()
        time.sleep(PAUSE_S)


def _figures(
    followers: Sequence[Client], start: int, wanted: int, written: dict[int, float], seconds: float
) -> Figures:
    expected = set(range(start + 1, start + wanted + 1))
    delays = sorted(
        at - written[seq]
        for client in followers
        for seq, at in zip(client.heard, client.at, strict=True)
        if seq in written
    )
    return Figures(
        clients=len(followers),
        events=wanted,
        cuts=min(client.cut for client in followers),
        gaps=sum(len(expected - set(client.heard)) for client in followers),
        doubles=sum(len(client.heard) - len(set(client.heard)) for client in followers),
        disorders=sum(client.heard != sorted(client.heard) for client in followers),
        errors=[client.error for client in followers if client.error is not None],
        median_ms=statistics.median(delays) * 1000,
        p99_ms=delays[int(len(delays) * 0.99)] * 1000,
        seconds=seconds,
    )


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description="Cut pages off, again and again.")
    parser.add_argument("--events", type=int, default=8000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--database", help="URL of a database to fill; an empty one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-stream-") as name, valkey_server() as valkey:
        folder = Path(name)
        url = arguments.database or f"sqlite:///{folder / 'lab.sqlite3'}"
        migrate.upgrade(url)
        figures = measure(
            url, valkey.url, folder, wanted=arguments.events, clients=arguments.clients, cuts=arguments.cuts
        )
    print(figures)
    for error in figures.errors:
        print(error)
    return 0 if figures.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
