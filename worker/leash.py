"""The leash of a process that trains: its standard input, whose other end its supervisor holds."""

import ctypes
import logging
import os
import queue
import signal
import sys
import threading

from worker.process import STOP_WORD, TRAIN_WORD

log = logging.getLogger(__name__)

EXIT_LEASH_CUT = 4
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Leash:
    """Hears what the supervisor says, from a thread of its own, and ends this process when the supervisor is gone."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._assignments: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        threading.Thread(target=self._hold, name="leash", daemon=True).start()

    def assignment(self) -> tuple[int, int]:
        """Run and attempt, once they are known."""
        return self._assignments.get()

    def _hold(self) -> None:
        # Not sys.stdin's own buffer: an interpreter that ends while a thread reads that one is aborted over its lock.
        for line in open(sys.stdin.fileno(), "rb", closefd=False):  # noqa: SIM115  (read to the process's end)
            word, *numbers = line.split()
            if line == STOP_WORD:
                self.stop.set()
            elif word == TRAIN_WORD:
                run_id, attempt = map(int, numbers)
                self._assignments.put((run_id, attempt))
        # Nobody renews the lease any more: another attempt will own the run, and this one must not waste the machine.
        os._exit(EXIT_LEASH_CUT)


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it is gone. Elsewhere the leash does, a little later.

    A parent that went before this call sends no signal; its end of the leash is closed then.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
