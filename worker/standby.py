"""What a spare process does until it has a run: it imports, says that it is ready, and waits."""

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from backend.settings import Settings
from worker.leash import Leash
from worker.spares import GENTLY

log = logging.getLogger(__name__)

_LEAST_PRIORITY = 19
_ARG_START, _ARG_END = 47, 48  # of /proc/self/stat, counted from 0: where the command line lies in memory


def stand_by(leash: Leash, settings: Settings, arguments: Sequence[str]) -> tuple[int, int]:
    """Import what a run needs, wait for one, and take its log and its name.

    Args:
        leash: says which run it is.
        settings: say where its log is.
        arguments: of this process: the word `spare`, how to import, and the pipe on which to say that it is ready.

    Returns:
        Run and attempt.
    """
    _, how, ready = arguments
    if how == GENTLY:
        # Of Linux's threads each has a priority of its own, and no way back: this one ends with the import.
        importing = threading.Thread(target=_import_gently, name="import")
        importing.start()
        importing.join()
    else:
        _import()
    os.write(int(ready), b"\n")
    os.close(int(ready))
    run_id, attempt = leash.assignment()
    with settings.attempt_log(run_id, attempt).open("wb") as log_file:
        for standard in (1, 2):
            os.dup2(log_file.fileno(), standard)
    _rename([str(run_id), str(attempt)], len(arguments), sum(map(len, arguments)))
    return run_id, attempt


def _import_gently() -> None:
    if sys.platform.startswith("linux"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_PRIORITY)
    _import()


def _import() -> None:
    import sklearn.datasets  # noqa: F401, PLC0415

    import worker.checkpoints  # noqa: PLC0415
    import worker.datasets  # noqa: PLC0415
    import worker.trainer  # noqa: F401, PLC0415


def _rename(arguments: Sequence[str], replaced: int, characters: int) -> None:
    """Show other last arguments in lists of processes: who looks there wants to know which run this is."""
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return
    end, room = int(after_name[_ARG_END - 2]), replaced + characters  # each ends with a zero
    line = "".join(f"{word}\0" for word in arguments).encode()
    if len(line) <= room and end - room > int(after_name[_ARG_START - 2]):
        ctypes.memmove(end - room, line.ljust(room, b"\0"), room)
