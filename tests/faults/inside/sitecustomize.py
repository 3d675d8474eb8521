"""Python runs this at its start wherever this folder is on PYTHONPATH: faults inside the service's own processes.

FAULTS_CLOCK: a file with the seconds by which this machine's clock goes wrong for the leases.
FAULTS_DISK: a file; while it is there, the disk is full for whoever trains.
"""

import errno
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType


class WrongClock:
    """A clock that is wrong by what the file says."""

    @staticmethod
    def now(tz: tzinfo | None = None) -> datetime:
        """The time that it shows."""
        return datetime.now(tz) + timedelta(seconds=float(Path(os.environ["FAULTS_CLOCK"]).read_text()))


class SetClockWrong(importlib.abc.MetaPathFinder):
    """Gives the module that tells the time to leases the wrong clock, once it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own loader, and what is done after it."""
        if name != "backend.db.clock":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            module.datetime = WrongClock  # type: ignore[attr-defined]

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def fill_disk(flag: Path) -> None:
    """Let no file be synchronised while the flag is there."""
    synchronise = os.fsync

    def fsync(descriptor: int) -> None:
        if flag.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronise(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


if "FAULTS_CLOCK" in os.environ:
    sys.meta_path.insert(0, SetClockWrong())
if "FAULTS_DISK" in os.environ and "worker.attempt" in sys.orig_argv:
    fill_disk(Path(os.environ["FAULTS_DISK"]))
