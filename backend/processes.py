"""Child processes of the launcher: each in a session of its own, none outliving it."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

LOG_BYTES = 10_000_000  # a log that is longer at a start is set aside, and replaces the one set aside before
TAIL_LINES = 12
ONE_PRESS_S = 0.3
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Child:
    """A program that can be started again and again, its output appended to a log.

    It leads a session of its own, so a Ctrl-C in the terminal reaches the launcher only, which ends it in order.
    On Linux the kernel kills it when the launcher is gone, however that went.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    log: Path
    stdin: bytes = b""
    grace_s: float = 5.0
    started_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)
    restart_at: float | None = field(default=None, init=False)
    _log_start: int = field(default=0, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the program; whatever a program before it left in its log stays.

        Raises:
            OSError: the program or its log can't be opened.
        """
        self.restart_at = None
        self.started_at = time.monotonic()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1.log"))
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - fixed words and settings, no shell
                self.command,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_launcher(),  # noqa: PLW1509 - the launcher has one thread, so a fork is safe
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(self.stdin)
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already; whoever looks will see that

    @property
    def pid(self) -> int:
        """Number of the process, which is also that of its group and its session."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_started(self) -> bool:
        """Whether there is a process, running or ended and not yet collected."""
        return self._process is not None

    def has_ended(self) -> bool:
        """Whether the process has ended. It is not collected, so its number can't go to a stranger meanwhile."""
        if self._process is None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ask_to_end(self) -> None:
        """SIGTERM to the program itself, which ends what it has started."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGTERM)

    def collect(self) -> int:
        """Kill what is left of the program's group, and return its exit status (minus the signal that ended it)."""
        assert self._process is not None
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            pass  # macOS says this of a group whose last member has ended
        code = self._process.wait()
        self._process = None
        return code

    def log_tail(self) -> str:
        """The last lines that the program wrote since it was last started, for an error message."""
        try:
            lines = self.log.read_bytes()[self._log_start :].decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP as facts that a loop can ask for, from `with` to its end.

    Waiting ends early when one comes, and when a child process ends.
    """

    def __init__(self) -> None:
        self.asked = False
        self.hurried = False
        self._asked_at = 0.0

    def __enter__(self) -> Self:
        self._reading, writing = socket.socketpair()
        self._writing = writing
        for end in (self._reading, writing):
            end.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)
        # `nohup make run` must survive its terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        # The handlers stay: a late Ctrl-C must not cut off the end.
        signal.set_wakeup_fd(-1)
        self._reading.close()
        self._writing.close()

    def wait(self, timeout_s: float | None) -> bool:
        """Sleep until the time is over (None: for ever) or something happens; whether the end is to be hurried."""
        if select.select([self._reading], [], [], timeout_s)[0]:
            self._reading.recv(4096)
        return self.hurried

    def _note(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        # One Ctrl-C may arrive twice: from the terminal, and passed on by a program in between.
        if self.asked and number == signal.SIGINT and now - self._asked_at > ONE_PRESS_S:
            self.hurried = True
        if not self.asked:
            self.asked = True
            self._asked_at = now


def end_all(children: Sequence[Child], wait: Callable[[float], bool]) -> None:
    """End children, in the given order: SIGTERM, then SIGKILL to the group of whoever takes longer than its grace time.

    Args:
        children: those without a process are passed over.
        wait: sleeps for at most so many seconds; true when there is no more time, so that the rest is killed at once.
    """
    running = [child for child in children if child.is_started]
    for child in running:
        child.ask_to_end()
    asked_at = time.monotonic()
    hurry = False
    while running:
        for child in list(running):
            if hurry or child.has_ended() or time.monotonic() - asked_at > child.grace_s:
                child.collect()
                running.remove(child)
        if running:
            hurry = wait(0.1)


def ending_of(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _die_with_launcher() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    launcher = os.getpid()
    prctl = ctypes.CDLL(None).prctl

    def run_in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # A launcher that went before the call above sends no signal any more.
        if os.getppid() != launcher:
            os._exit(1)

    return run_in_child
