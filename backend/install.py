"""Makes the virtual environment and fills it from a lock file: what every target of the Makefile does first.

Runs on the Python that the user has, before anything is installed, so it needs the standard library only.
"""

# ruff: noqa: T201 - talks to the terminal, before a logger could be set up
import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(".venv")
STAMP = FOLDER / "installed.json"
RUN_LOCK = Path("requirements.lock")
DEV_LOCK = Path("requirements-dev.lock")
FETCHED = {RUN_LOCK: "about 700 MB", DEV_LOCK: "about 800 MB"}  # wheels of an empty machine, Linux x86_64, Python 3.11

# What pip's log holds, and what the user can do about it.
REMEDIES = (
    (
        ("THESE PACKAGES DO NOT MATCH THE HASHES",),
        (
            "A package is not the one that {lock} names: it was cut on its way, or the package index altered it. "
            "Nothing was installed; try again."
        ),
    ),
    (("No space left on device",), "The disk is full: make room, then try again."),
    (
        ("NewConnectionError", "NameResolutionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError"),
        "The package index can't be reached: check the network (or pip's settings, `pip config list`), then try again.",
    ),
    (
        ("No matching distribution found",),
        (
            "The package index has no file of a package for this machine ({machine}, Python {python}). "
            "TensorFlow has packages for Linux (x86_64, aarch64) and macOS (arm64)."
        ),
    ),
)


class InstallFailed(Exception):
    """The set-up can't be done; the message says what to do."""


def install(lock: Path) -> None:
    """Make `.venv` hold what a lock file names, at the price of one file's hash where it does already.

    Raises:
        InstallFailed: no virtual environment can be made here, or a package could not be fetched.
    """
    with _alone():
        fresh = not _is_sound()
        wanted = {path.name: _digest(path) for path in (RUN_LOCK, lock)}
        if not fresh and wanted.items() <= _installed().items():
            return
        if fresh:
            _make_environment()
        # Without its stamp an interrupted installation is done again.
        STAMP.unlink(missing_ok=True)
        size = FETCHED[lock] if fresh else "what is missing or has changed"
        print(f"Installing the packages of {lock}: fetches {size}, only this once.", flush=True)
        started = time.monotonic()
        _run_pip(lock)
        STAMP.write_text(json.dumps(wanted))
        print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)


@contextmanager
def _alone() -> Iterator[None]:
    # The lock is on a file that is always there: one inside .venv would be deleted with it.
    with RUN_LOCK.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is at work here: waiting for it.", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _is_sound() -> bool:
    """Whether the environment is whole, links to this version of Python, and was made where it stands."""
    try:
        lines = (FOLDER / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    facts = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return (
        facts.get("version") == platform.python_version()
        and facts.get("command", "").endswith(f" {FOLDER.absolute()}")
        and all(os.access(FOLDER / "bin" / name, os.X_OK) for name in ("python", "pip"))
    )


def _installed() -> dict[str, str]:
    """The digest of each lock file that was installed to the end."""
    try:
        installed: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return installed


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make_environment() -> None:
    # The Python behind a virtual environment, as the environment itself is about to be deleted.
    python = getattr(sys, "_base_executable", sys.executable)
    version = platform.python_version()
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        short = ".".join(version.split(".")[:2])
        raise InstallFailed(
            f"Python {version} ({python}) can't make virtual environments: its venv module is incomplete. "
            f"On Debian and Ubuntu: apt install python{short}-venv"
        )
    print(f"Making {FOLDER} with Python {version} ({python}).", flush=True)
    made = subprocess.run(  # noqa: S603 - the running Python's own path
        [python, "-m", "venv", "--clear", str(FOLDER)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        raise InstallFailed(
            f"Python {version} ({python}) could not make {FOLDER}:\n{made.stdout}{made.stderr}".rstrip()
        )


def _run_pip(lock: Path) -> None:
    log = FOLDER / "pip.log"
    log.unlink(missing_ok=True)
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--log", str(log), "install"]
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    if subprocess.run([*command, *options], check=False).returncode:  # noqa: S603 - fixed words
        text = log.read_text(errors="replace") if log.exists() else ""
        raise InstallFailed(_remedy(text, lock))


def _remedy(log: str, lock: Path) -> str:
    machine = f"{platform.system()} {platform.machine()}"
    for signs, remedy in REMEDIES:
        if any(sign in log for sign in signs):
            return remedy.format(lock=lock, machine=machine, python=platform.python_version())
    return f"pip could not install {lock}; its words are above and in {FOLDER / 'pip.log'}."


def main() -> int:
    """Install the lock file named on the command line; exit status 1 and one sentence where that fails."""
    parser = argparse.ArgumentParser(prog="python -m backend.install", description="Fill .venv from a lock file.")
    parser.add_argument("lock", type=Path, choices=[RUN_LOCK, DEV_LOCK])
    try:
        install(parser.parse_args().lock)
    except InstallFailed as error:
        print(f"Set-up failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up interrupted; the next start goes on from here.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
