"""`python -m backend.local`, what `make run` starts: the whole service on this machine, in the foreground."""

import difflib
import errno
import fcntl
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from backend.launcher import Launcher, LaunchFailed, Parts, page_url, real_parts, say, shown
from backend.processes import Signals
from backend.settings import Settings

PREFIX = "LAB_"


def main(parts: Callable[[Settings], Parts] = real_parts) -> int:
    """Serve until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        parts: the commands to start; tests give others.

    Returns:
        The exit status: 0 where a user ended it, 1 where something failed, which was then said in a sentence.
    """
    try:
        with Signals() as signals:
            settings = load_settings()
            _make_folder(settings.data_dir)
            with _sole_use(settings):
                _check_port(settings)
                Launcher(settings, signals, parts(settings)).run()
    except LaunchFailed as error:
        with suppress(OSError):
            sys.stderr.write(f"{error}\n")
        return 1
    say("Ended.")
    return 0


def load_settings() -> Settings:
    """The settings from the environment, with the data folder's full path.

    Raises:
        LaunchFailed: one or more are wrong; a sentence for each.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise LaunchFailed("\n".join(_complaints(error))) from None
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        near = difflib.get_close_matches(name.upper(), known, 1, 0.8) if name.upper().startswith(PREFIX) else []
        if near and near != [name.upper()]:
            say(f"Note: {name} is no setting; is {near[0]} meant?")
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().resolve()})


def _complaints(error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        words = detail["msg"].removeprefix("Value error, ")
        if detail["loc"]:
            name = PREFIX + str(detail["loc"][0]).upper()
            # A secret that is too short is still a secret.
            value = "" if "TOKEN" in name or "URL" in name else f" is {os.environ.get(name, '')!r}"
            words = f"{name}{value}: {words}."
        yield words


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LaunchFailed(
            f"The data folder {folder} can't be written ({error.strerror}): "
            "change its rights, or choose another with LAB_DATA_DIR=/folder make run"
        ) from error


@contextmanager
def _sole_use(settings: Settings) -> Iterator[None]:
    """Keep a second launcher away from the data folder; the kernel forgets the lock with its holder."""
    with (settings.data_dir / "launcher.lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise LaunchFailed(
                f"Backprop Lab already runs on the data folder {shown(settings.data_dir)} ({held.read().strip()}): "
                "end it, or choose another folder with LAB_DATA_DIR=/folder make run"
            ) from None
        held.truncate(0)
        held.write(f"process {os.getpid()}, {page_url(settings)}\n")
        held.flush()
        yield


def _check_port(settings: Settings) -> None:
    other = settings.port + 1 if settings.port < 65535 else settings.port - 1  # noqa: PLR2004
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except socket.gaierror as error:
        raise LaunchFailed(f"LAB_HOST is {settings.host!r}, which is no address: {error.strerror}.") from error
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"Port {settings.port} is taken: end the other program",
            errno.EACCES: f"Port {settings.port} is for root only: choose one above 1023",
        }
        if error.errno in reasons:
            advice = f"{reasons[error.errno]}, or choose another with LAB_PORT={other} make run"
            if error.errno == errno.EACCES:
                advice = f"{reasons[error.errno]}, as with LAB_PORT=8000 make run"
            raise LaunchFailed(advice) from error
        raise LaunchFailed(f"LAB_HOST is {settings.host!r}, where no port can be opened: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main())
