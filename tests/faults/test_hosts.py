"""Two hosts that train, with Postgres, Redis and the page on a third: what a host that is cut off costs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from backend import valkey
from tests.faults import network
from tests.faults.network import Network
from tests.service import ROOT, until
from tests.services import PostgresServer

TOKEN = "a token of the hosts"
LEASE_S = 4.0
RUN = {"width": 16, "train_images": 1000, "test_images": 200, "batch_size": 50, "epochs": 40}
MISSING = network.missing()

pytestmark = [pytest.mark.long, pytest.mark.timeout(400), pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@dataclass
class Hosts:
    """A page on host 1, workers on hosts 2 and 3."""

    net: Network
    client: httpx2.Client

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self.client.get(path).raise_for_status().json()

    def workers(self) -> dict[str, dict[str, Any]]:
        """The workers that are alive, by host."""
        return {worker["host"]: worker for worker in self.get("/workers") if worker["alive"]}

    def held(self) -> dict[str, list[int]]:
        """Which runs each living worker holds."""
        return {host: worker["runs"] for host, worker in self.workers().items()}

    def trainers(self, number: int) -> list[int]:
        """The processes on a host that train, or wait for a run."""
        return [pid for pid in self.net.pids(number) if network.is_attempt(pid)]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """The three hosts, their servers and workers running, with one folder that all share."""
    with ExitStack() as stack:
        net = stack.enter_context(Network().up(3))
        servers, address = net.command(1), net.address(1)
        postgres = PostgresServer(tmp_path / "postgres", prefix=servers, address=address, clients=f"{net.prefix}.0/24")
        postgres.folder.mkdir()
        stack.callback(postgres.kill)
        tmp_path.chmod(0o755)
        for parent in tmp_path.parents[:2]:
            parent.chmod(0o755)  # Postgres runs as another user
        postgres.start()
        endpoint = valkey.Endpoint()
        settings = {
            "LAB_DATABASE_URL": postgres.url(),
            "LAB_REDIS_URL": endpoint.url.replace(valkey.HOST, address),
            "LAB_SHARED_DIR": str(tmp_path / "shared"),
            "LAB_LEASE_S": str(LEASE_S),
            "LAB_SLOTS": "1",
            "LAB_THREADS": "1",
            "LAB_DEMO": "0",
            "LAB_CALIBRATE": "0",
        }

        def start(name: str, command: list[str], own: dict[str, str] | None = None, stdin: bytes = b"") -> None:
            environment = os.environ | settings | {"LAB_DATA_DIR": str(tmp_path / name)} | (own or {})
            (tmp_path / name).mkdir()
            with (tmp_path / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
                )
            assert process.stdin is not None
            with process.stdin as pipe:
                pipe.write(stdin)
            stack.callback(process.wait)
            stack.callback(process.kill)

        configuration = valkey.configuration(endpoint, tmp_path / "valkey").replace(
            valkey.HOST.encode(), address.encode()
        )
        start("valkey", [*servers, str(valkey.program()), "-"], stdin=configuration)
        subprocess.run([sys.executable, "-m", "backend.prepare"], cwd=ROOT, env=os.environ | settings, check=True)
        web = ["-m", "uvicorn", "backend.app:create_app", "--factory", "--host", address, "--port", "8000"]
        allowed = {"LAB_HOST": address, "LAB_TOKEN": TOKEN, "LAB_ALLOWED_HOSTS": address}
        start("web", [*servers, sys.executable, *web], allowed)
        for number, name in ((2, "ada"), (3, "bob")):
            start(name, [*net.command(number, name), sys.executable, "-m", "worker"])
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=f"http://{address}:8000/api", headers=headers, timeout=30) as client:
            hosts = Hosts(net, client)
            until(lambda: _answers(hosts) and hosts.workers().keys() == {"ada", "bob"}, 90)
            yield hosts
            for number in (2, 3):
                for pid in hosts.trainers(number):
                    os.kill(pid, 9)


def _answers(hosts: Hosts) -> bool:
    try:
        return hosts.client.get("/health/ready").status_code == 200
    except httpx2.HTTPError:
        return False


class TestAHostThatIsCutOff:
    def test_costs_its_runs_a_lease_and_nothing_else(self, hosts: Hosts, figure: Callable[[str], None]) -> None:
        """Runs spread over both hosts; the run of one that is cut off goes on at the other from its checkpoint.

        The host that was cut off ends its process by itself, and takes runs again when it is back.
        """
        launched = hosts.client.post("/runs", json={"config": RUN | {"seed": 7}}).raise_for_status().json()["runs"]
        launched += hosts.client.post("/runs", json={"config": RUN | {"seed": 7}}).raise_for_status().json()["runs"]
        until(lambda: all(len(held) == 1 for held in hosts.held().values()) and len(hosts.held()) == 2, 120)
        lost, kept = (hosts.held()[host][0] for host in ("ada", "bob"))
        until(lambda: min(hosts.get(f"/runs/{run_id}")["epochs_done"] for run_id in (lost, kept)) >= 2, 120)

        trained = set(hosts.trainers(2))
        hosts.net.cut(2)
        cut_at = time.monotonic()
        hosts.client.post(f"/runs/{kept}/stop").raise_for_status()
        until(lambda: hosts.held().get("bob") == [lost], 60)
        taken_s = time.monotonic() - cut_at
        until(lambda: not trained & set(hosts.trainers(2)), 60)
        ended_s = time.monotonic() - cut_at
        until(lambda: hosts.get(f"/runs/{lost}")["finished_at"], 240)
        finished = hosts.get(f"/runs/{lost}")
        assert finished["status"] == "finished", finished["error"]
        metrics, other = hosts.get(f"/runs/{lost}/metrics"), hosts.get(f"/runs/{kept}/metrics")
        assert metrics["epochs"] == list(range(RUN["epochs"]))
        shared = len(other["epochs"])
        assert metrics["columns"]["train_cost"][:shared] == other["columns"]["train_cost"]
        notes = [event["note"] or "" for event in hosts.get(f"/runs/{lost}/history")]
        assert any(note.startswith("Goes on from its checkpoint at epoch") for note in notes), notes

        hosts.net.mend(2)
        until(lambda: hosts.workers().keys() == {"ada", "bob"}, 90)
        assert hosts.held()["ada"] == []
        figure(
            f"a host is cut off (lease {LEASE_S:.0f} s): its run was taken up elsewhere after {taken_s:.1f} s, its own "
            f"process had ended after {ended_s:.1f} s; 0 epochs lost or doubled"
        )
