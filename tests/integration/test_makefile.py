"""The Makefile's set-up, in a small project of its own with one small package, and without a network."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = """
import signal, sys, time
import tiny
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("started with", tiny.VERSION, sys.version_info[:2], flush=True)
time.sleep({stay})
"""


class Project:
    """A folder with the real Makefile and set-up, a lock file of one package, and a page that says its version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        (folder / "backend").mkdir(parents=True)
        self.wheels.mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        for name in ("__init__.py", "install.py"):
            shutil.copy(ROOT / "backend" / name, folder / "backend")
        self.write_page(stay=0)
        self.publish("1.0")

    def write_page(self, stay: int) -> None:
        """The program that `make run` starts; it stays for so many seconds."""
        (self.folder / "backend" / "local.py").write_text(PAGE.format(stay=stay))

    def publish(self, version: str) -> None:
        """Make a wheel of the package, and lock it."""
        wheel = self.wheels / f"tiny-{version}-py3-none-any.whl"
        info = f"tiny-{version}.dist-info"
        files = {
            "tiny.py": f'VERSION = "{version}"\n',
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = [f"{name},sha256={_record_hash(text)},{len(text)}" for name, text in files.items()]
        files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"])
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        for name in ("requirements.lock", "requirements-dev.lock"):
            (self.folder / name).write_text(f"tiny=={version} --hash=sha256:{digest}\n")

    def environment(self, **more: str) -> dict[str, str]:
        """An environment without the settings of whoever runs the tests, in which pip knows the wheels only."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "LAB_", "MAKE"))}
        for name in ("PYTHON", "ARGS", "DATA"):  # what an outer make was given
            mine.pop(name, None)
        return mine | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)} | more

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call make; its words, errors among them, are in `stdout`."""
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def python(self, name: str, body: str) -> Path:
        """A program that pretends to be a Python."""
        path = self.folder / "pythons" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


OLD = 'case "$2" in *exit*) exit 1;; *) echo 3.10.2;; esac'
THIS = f'exec {sys.executable} "$@"'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that was never set up."""
    return Project(tmp_path / "project")


class TestPython:
    """Which Python is taken, and what is said where there is none."""

    def test_one_that_is_too_old_is_named(self, project: Project) -> None:
        """A Python that was asked for and is too old is named with its version and a way out."""
        old = project.python("python3", OLD)
        done = project.make("run", f"PYTHON={old}")
        assert done.returncode != 0
        first, second, *_ = done.stdout.splitlines()
        assert first == f"Backprop Lab needs Python 3.11, 3.12 or 3.13: {old} is 3.10.2;"
        assert second.endswith("make run PYTHON=/path/to/python3.12")
        assert not (project.folder / ".venv").exists()

    def test_none_at_all(self, project: Project) -> None:
        """Where there is no Python, the sentence says what was looked for."""
        done = project.make("test", "PYTHON=/nonexistent/python")
        assert done.returncode != 0
        assert 'needs Python 3.11, 3.12 or 3.13: none was found at "/nonexistent/python".' in done.stdout

    def test_a_later_name_is_tried(self, project: Project) -> None:
        """Where python3 is too old, python3.12 and its like are tried."""
        project.python("python3", OLD)
        taken = project.python("python3.12", f"echo taken >&2; {THIS}")
        done = project.make("run", PATH=f"{taken.parent}:{os.environ['PATH']}")
        assert done.returncode == 0, done.stdout
        assert "taken" in done.stdout
        assert "started with 1.0" in done.stdout

    def test_without_ensurepip_the_package_is_named(self, project: Project) -> None:
        """Debian's Python without its venv package is told to the user, with the package's name."""
        code = "import sys; sys.modules['ensurepip'] = None; from backend import install; sys.exit(install.main())"
        done = subprocess.run(
            [sys.executable, "-c", code, "requirements.lock"],
            cwd=project.folder,
            env=project.environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        short = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert done.stderr.rstrip().endswith(f"On Debian and Ubuntu: apt install python{short}-venv")
        assert len(done.stderr.splitlines()) == 1


class TestInstallation:
    """When packages are installed, and when not."""

    def test_the_life_of_an_environment(self, project: Project) -> None:
        """It is made once, kept while nothing changes, and mended where it is incomplete, outdated or moved."""
        first = project.make("run", f"PYTHON={sys.executable}")
        assert first.returncode == 0, first.stdout
        assert re.search(r"Installing the packages of requirements.lock: fetches about \d+ MB", first.stdout)
        assert "started with 1.0" in first.stdout

        started = time.monotonic()
        again = project.make("run")
        assert time.monotonic() - started < 1
        assert again.stdout.startswith("started with 1.0")

        (project.folder / ".venv" / "installed.json").unlink()
        interrupted = project.make("run")
        assert "Installing the packages" in interrupted.stdout
        assert "Making .venv" not in interrupted.stdout

        project.publish("2.0")
        changed = project.make("run")
        assert "fetches what is missing or has changed" in changed.stdout
        assert "started with 2.0" in changed.stdout

        project.folder = project.folder.rename(project.folder.with_name("moved"))
        project.wheels = project.folder / "wheels"
        moved = project.make("run")
        assert "Making .venv" in moved.stdout
        assert "started with 2.0" in moved.stdout

        settings = project.folder / ".venv" / "pyvenv.cfg"
        settings.write_text(re.sub(r"version = .*", "version = 3.10.2", settings.read_text()))
        other = project.make("run")
        assert "Making .venv" in other.stdout

    def test_an_interrupted_making_is_made_again(self, project: Project) -> None:
        """An environment that was cut off before it had pip is made anew, although its Python works."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", project.folder / ".venv"], check=True)
        done = project.make("run")
        assert "Making .venv" in done.stdout
        assert "started with 1.0" in done.stdout

    def test_the_tests_packages_are_enough_to_run(self, project: Project) -> None:
        """The lock file for tests holds all of the other: after it, `make run` installs nothing."""
        subprocess.run(
            [sys.executable, "-m", "backend.install", "requirements-dev.lock"],
            cwd=project.folder,
            env=project.environment(),
            check=True,
            capture_output=True,
        )
        assert set(json.loads((project.folder / ".venv" / "installed.json").read_text())) == {
            "requirements.lock",
            "requirements-dev.lock",
        }
        assert project.make("run").stdout.startswith("started with 1.0")

    def test_a_package_that_was_altered_is_refused(self, project: Project) -> None:
        """A file with another hash than the lock's is not installed, and the sentence says so."""
        lock = project.folder / "requirements.lock"
        lock.write_text(re.sub(r"sha256:\w{4}", "sha256:0000", lock.read_text()))
        done = project.make("run")
        assert done.returncode != 0
        assert "Set-up failed. A package is not the one that requirements.lock names" in done.stdout
        assert not (project.folder / ".venv" / "installed.json").exists()

    def test_no_network_is_said_to_be_that(self, project: Project) -> None:
        """Without a way to the package index the sentence speaks of the network, not of a missing package."""
        done = project.make(
            "run", PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:1/simple", PIP_RETRIES="0"
        )
        assert done.returncode != 0
        assert "Set-up failed. The package index can't be reached" in done.stdout

    def test_a_machine_without_a_package(self, project: Project) -> None:
        """Where the index has no file for this machine, the supported ones are named."""
        next(project.wheels.glob("*.whl")).unlink()
        done = project.make("run")
        assert done.returncode != 0
        assert "no file of a package for this machine" in done.stdout


class TestTargets:
    """What the targets do besides."""

    def test_make_alone_lists_every_target(self) -> None:
        """`make` lists each target with a word on it."""
        done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True)
        listed = re.findall(r"^make (\w+) +\S", done.stdout, re.MULTILINE)
        phony = re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        targets = ["help", "run", "test", "check", "faults", "backup", "results", "bench", "mlflow", "lock", "clean"]
        assert listed == phony == targets

    def test_results_need_a_folder(self, project: Project) -> None:
        """`make results` without DATA says what is missing, before it installs anything."""
        done = project.make("results")
        assert done.returncode != 0
        assert "make results DATA=folder" in done.stdout
        assert not (project.folder / ".venv").exists()

    def test_ctrl_c_is_no_error(self, project: Project) -> None:
        """After Ctrl-C, which reaches make and the service alike, make prints no error."""
        project.write_page(stay=100)
        running = subprocess.Popen(
            ["make", "run"],
            cwd=project.folder,
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert running.stdout is not None
        try:
            said = ""
            while "started with" not in said:
                said = running.stdout.readline()
                assert said
            os.killpg(running.pid, signal.SIGINT)
            rest, _ = running.communicate(timeout=10)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
        assert rest == ""
