"""The process of an attempt, seen from its supervisor: started, assigned a run, told to stop, ended."""

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from worker import devices

log = logging.getLogger(__name__)

STOP_WORD = b"stop\n"
TRAIN_WORD = b"train"  # run, attempt
EXIT_DATABASE_AWAY = 5  # the database did not answer for longer than a lease lasts
SPARE = "spare"  # in place of run and attempt: there are none yet
KILL_S = 10.0  # that the kernel gets to end a process for sure
DUMP_S = 1.0  # that a process gets to write down where its threads are


class TrainerProcess:
    """A fresh interpreter in a session of its own.

    A forked one would hang in TensorFlow, and only the end of a process surely gives a GPU's memory back. It reads its
    standard input, its leash, and ends itself at the end of it: that comes when this process is gone, however it went.

    Start it from a thread that lives as long as it: on Linux it also ends with the thread that started it.
    """

    def __init__(self, arguments: Sequence[str], gpus: Sequence[int], log_file: Path | None = None) -> None:
        self.gpus = tuple(gpus)
        self.started_at = time.monotonic()
        self._ready, ready_end = os.pipe()
        is_spare = log_file is None
        # Padded, so that the numbers of a run have room there: see `worker.standby`.
        words = [*arguments, f"{ready_end:024}"] if is_spare else arguments
        try:
            with nullcontext() if log_file is None else log_file.open("wb") as output:
                self._popen = subprocess.Popen(  # noqa: S603  (words and numbers of our own)
                    [sys.executable, "-m", "worker.attempt", *words],
                    env=os.environ | devices.environment(gpus),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output and subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[ready_end] if is_spare else [],
                )
        except BaseException:
            os.close(self._ready)
            raise
        finally:
            os.close(ready_end)

    @property
    def pid(self) -> int:
        """Its number, which is also that of its group and its session."""
        return self._popen.pid

    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._popen.poll() is not None

    def is_ready(self) -> bool:
        """Whether a spare has said that it waits for a run."""
        return bool(select.select([self._ready], [], [], 0)[0]) and not self.has_ended()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit status (minus the signal that ended it), or None where it has not ended by then."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def assign(self, run_id: int, attempt: int) -> None:
        """Give a spare its run."""
        self._tell(b"%s %d %d\n" % (TRAIN_WORD, run_id, attempt))

    def ask_to_stop(self) -> None:
        """Ask it to save where it is, and to end."""
        self._tell(STOP_WORD)

    def terminate(self) -> None:
        """End it without asking."""
        self._popen.terminate()

    def dump(self) -> None:
        """Let it write into its log where each of its threads is; one that is stopped can't."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGQUIT)
            self.wait(DUMP_S)

    def kill(self) -> bool:
        """End its whole group for sure, and wait for it, though not for ever.

        Returns:
            Whether it has ended. One that the kernel holds, over a GPU or a network's folder, ends when it lets go.
        """
        if not self.has_ended():
            os.killpg(self.pid, signal.SIGKILL)
        if self.wait(KILL_S) is None:
            log.error("Process %d has not ended %.0f s after SIGKILL: the kernel holds it.", self.pid, KILL_S)
            return False
        if self._popen.stdin is not None and not self._popen.stdin.closed:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()
            os.close(self._ready)
        return True

    def _tell(self, words: bytes) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(words)
            self._popen.stdin.flush()
        except BrokenPipeError:
            log.info("Process %d has ended already.", self.pid)


def ending_of(code: int) -> str:
    """How a process ended, in a sentence."""
    if code == EXIT_DATABASE_AWAY:
        return "The database did not answer its process."
    if code >= 0:
        return f"Its process ended with exit code {code} and left the run behind."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " A machine that runs out of memory does so." if name == "SIGKILL" else ""
    return f"Its process was ended by {name}.{hint}"


def last_words(path: Path, lines: int = 5, characters: int = 800) -> str:
    """The end of a log: at most so many lines and characters; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4 * characters))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])[-characters:]
