"""The services of docker-compose.yml as plain processes: each with its own command, environment and health check."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import sql
from ruamel.yaml import YAML

from backend import valkey
from tests.service import TINY, until
from tests.services import PostgresServer, free_port

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
SECRETS = {"POSTGRES_PASSWORD": "letters0and1digits", "REDIS_PASSWORD": "more2letters", "LAB_TOKEN": "0123456789abcdef"}
CHOICES = {"LAB_DEMO": "false", "LAB_CALIBRATE": "false"}  # which would take the slots

# Asks as Valkey's own client does, which the wheel of the server lacks.
CLIENT = """#!/bin/sh
exec {python} - "$@" <<'END'
import os, redis, sys
client = redis.Redis("127.0.0.1", int(os.environ["TEST_PORT"]), password=os.environ["REDISCLI_AUTH"])
print({{True: "PONG"}}[client.execute_command("PING")])
END
"""


@dataclass
class Containers:
    """Starts services in folders of their own, with this machine's addresses in place of the containers'."""

    folder: Path
    places: Mapping[str, str]  # from the file's words to those of this machine
    stack: ExitStack
    programs: Path
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the file gives the service, and nothing else but where programs are."""
        given = {key: self._filled(str(value)) for key, value in SERVICES[name].get("environment", {}).items()}
        return {"PATH": f"{self.programs}:/usr/bin:/bin", **given}

    def root(self, name: str) -> Path:
        """The image's folder: what its Dockerfile copies, and nothing else of the project."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for word, rest in instructions(SERVICES[name]["build"]["dockerfile"]):
            if word == "COPY":
                source, target = rest.split()
                link = folder / target / ("" if target != "./" else source)
                if not link.exists():
                    link.symlink_to(ROOT / source)
        return folder

    def command(self, name: str) -> list[str]:
        """What the container executes."""
        words = SERVICES[name].get("command")
        if words is None:
            dockerfile = SERVICES[name]["build"]["dockerfile"]
            (words,) = [json.loads(rest) for word, rest in instructions(dockerfile) if word == "CMD"]
        return [sys.executable if word == "python" else self._filled(word) for word in words]

    def once(self, name: str) -> int:
        """Run a service that ends; its exit status."""
        done = subprocess.run(self.command(name), cwd=self.root(name), env=self.environment(name), check=False)
        return done.returncode

    def start(self, name: str, *, cwd: Path | None = None) -> None:
        """Start a service that goes on."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(name), cwd=cwd or self.root(name), env=self.environment(name), stdout=log, stderr=log
            )
        self.running[name] = process
        self.stack.callback(_end, process)

    def is_healthy(self, name: str, *, cwd: Path | None = None) -> bool:
        """Whether its health check passes."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", *words]
        words = [sys.executable if word == "python" else self._filled(word) for word in words]
        environment = self.environment(name) | {"TEST_PORT": self.places["port 6379"], "PGPORT": self.places["5432"]}
        done = subprocess.run(words, cwd=cwd or self.root(name), env=environment, check=False, capture_output=True)
        return done.returncode == 0

    def log(self, name: str) -> str:
        """What it wrote."""
        return (self.folder / f"{name}.log").read_text()

    def _filled(self, text: str) -> str:
        text = re.sub(r"(?<!\$)\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], text)
        text = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", lambda found: CHOICES.get(found[1], found[2]), text)
        text = text.replace("$$", "$")
        for word, place in self.places.items():
            text = text.replace(word, place)
        return text


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Word and arguments of each line of a Dockerfile."""
    lines = (ROOT / dockerfile).read_text().replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def containers(tmp_path: Path, postgres: PostgresServer) -> Iterator[Containers]:
    """Places for every service, of which none is started but Postgres, with the user and database that are named."""
    programs, page, broker = tmp_path / "bin", str(free_port()), str(free_port())
    programs.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "redis").mkdir()
    (programs / "valkey-server").symlink_to(valkey.program())
    (programs / "pg_isready").write_text(f'#!/bin/sh\nexec {shlex.quote(str(postgres._bin / "pg_isready"))} "$@"\n')
    (programs / "valkey-cli").write_text(CLIENT.format(python=shlex.quote(sys.executable)))
    for program in ("pg_isready", "valkey-cli"):
        (programs / program).chmod(0o755)
    places = {
        "postgres:5432": f"127.0.0.1:{postgres.port}",
        "redis:6379": f"127.0.0.1:{broker}",
        # Valkey's own default address is that of its container.
        "dir /data": f"dir {tmp_path / 'redis'}\nbind 127.0.0.1\nport {broker}",
        "/data": str(tmp_path / "data"),
        "0.0.0.0": "127.0.0.1",
        "8000": page,
        "port 6379": broker,
        "5432": str(postgres.port),
    }
    with ExitStack() as stack:
        made = Containers(tmp_path, places, stack, programs)
        environment = made.environment("postgres")
        user, password, database = (environment[f"POSTGRES_{word}"] for word in ("USER", "PASSWORD", "DB"))
        with psycopg.connect(postgres._plain_url("postgres"), autocommit=True) as connection:
            role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(user), sql.Literal(password))
            connection.execute(role)
            owned = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(owned.format(sql.Identifier(database), sql.Identifier(user)))
            yield made
            stack.close()
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


class TestTheServicesOfTheComposeFile:
    def test_work_together_as_the_file_says(self, containers: Containers) -> None:
        """In the file's order and by its words: databases healthy, tables made, page and worker healthy, a run done."""
        assert containers.is_healthy("postgres", cwd=containers.folder)
        assert not containers.is_healthy("redis", cwd=containers.folder)
        containers.start("redis", cwd=containers.folder)
        until(lambda: containers.is_healthy("redis", cwd=containers.folder), 20)
        assert containers.once("migrate") == 0
        assert not containers.is_healthy("backend")
        assert not containers.is_healthy("worker")
        for name in ("backend", "worker"):
            containers.start(name)
        for name in ("backend", "worker"):
            until(lambda name=name: containers.is_healthy(name), 60)  # type: ignore[misc]
        page = f"http://127.0.0.1:{containers.places['8000']}/api"
        assert httpx2.get(f"{page}/runs").status_code == 401
        with httpx2.Client(headers={"authorization": f"Bearer {SECRETS['LAB_TOKEN']}"}, timeout=30) as client:
            (run,) = client.post(f"{page}/runs", json={"config": TINY}).raise_for_status().json()["runs"]
            ended = until(lambda: _ended(client.get(f"{page}/runs/{run['id']}").json()), 120)
        assert ended["status"] == "finished", containers.log("worker")
        assert list((containers.folder / "data" / "runs").glob("*/checkpoints/*.npz"))

    @pytest.mark.parametrize("name", ["backend", "worker", "migrate"])
    def test_end_at_once_without_their_secrets(self, containers: Containers, name: str) -> None:
        """A service whose password is missing or wrong ends, or does not become healthy, and says why."""
        environment = containers.environment(name)
        wrong = environment | {"LAB_DATABASE_URL": environment["LAB_DATABASE_URL"].replace("letters0", "wrong")}
        if name == "backend":
            wrong = {key: value for key, value in environment.items() if key != "LAB_TOKEN"} | {"LAB_HOST": "0.0.0.0"}
        done = subprocess.run(
            containers.command(name),
            cwd=containers.root(name),
            env=wrong,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0
        assert re.search("password authentication failed|LAB_TOKEN must be set", done.stdout + done.stderr)


def _ended(run: dict[str, Any]) -> dict[str, Any]:
    return run if run["status"] in ("finished", "failed") else {}
