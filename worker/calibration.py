import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import Network, Precision
from backend.db import calibrations, runs
from backend.db.calibrations import Speed
from backend.db.engine import Database
from worker import devices

log = logging.getLogger(__name__)

WIDTHS: Mapping[Network, tuple[int, ...]] = MappingProxyType({Network.CONV7: (16, 64), Network.MLP: (100, 400)})
BATCH, IMAGES, EPOCHS = 50, 200, 3
IDLE_S = 5.0  # nothing has been queued or under way for so long before measuring begins
POLL_S = 0.5  # how soon measuring ends when a run is queued
TIMEOUT_S = 120.0  # bfloat16 without the processor's help is slow beyond use
STOP_S = 5.0
COMMAND = (sys.executable, "-m", "worker.calibration_task")
KINDS = tuple((network, precision) for precision in Precision for network in Network)


class Calibrator:
    """Measures, once a host and while nothing else is to be done, how fast it trains each kind of network.

    A run that is queued waits for nothing: the measuring process is killed, and begins again when all is quiet.

    Args:
        database: says whether there is anything to do, and keeps what was measured.
        host: the name of this one.
        threads: of each run on it.
        gpus: that it offers; the first one is measured, and the processor where there is none.
        command: starts the process; network, precision and threads follow.
    """

    def __init__(
        self,
        database: Database,
        host: str,
        threads: int,
        gpus: Sequence[int] = (),
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._database = database
        self._host = host
        self._threads = threads
        self._environment = {**os.environ, **devices.environment(gpus[:1])}
        self._command = command
        self._given_up: set[tuple[Network, Precision]] = set()
        self._ending = threading.Event()
        self.child: subprocess.Popen[bytes] | None = None  # that measures now
        self._thread = threading.Thread(target=self._measure_until_known, name="calibration", daemon=True)

    def start(self) -> None:
        """Begin to look for a quiet time."""
        self._thread.start()

    def stop(self) -> None:
        """Measure no more."""
        self._ending.set()
        self._thread.join(timeout=STOP_S)

    def _measure_until_known(self) -> None:
        while not self._ending.wait(POLL_S):
            try:
                missing = self._missing()
                if not missing:
                    return
                if self._is_quiet_for(IDLE_S):
                    self._measure(*missing[0])
            except (SQLAlchemyError, OSError) as error:
                log.warning("The speed of this host could not be measured, trying again: %s", error)

    def _missing(self) -> list[tuple[Network, Precision]]:
        with self._database.read() as session:
            known = calibrations.known_kinds(session, self._host, self._threads)
        return [kind for kind in KINDS if kind not in known | self._given_up]

    def _is_quiet_for(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._is_quiet():
            if time.monotonic() >= until:
                return True
            if self._ending.wait(POLL_S):
                return False
        return False

    def _is_quiet(self) -> bool:
        with self._database.read() as session:
            return not runs.any_to_train(session)

    def _measure(self, network: Network, precision: Precision) -> None:
        self.child = child = subprocess.Popen(  # noqa: S603  (words and a number of our own)
            [*self._command, network, precision, str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        give_up_at = time.monotonic() + TIMEOUT_S
        interrupted = False
        try:
            while child.poll() is None and not interrupted and time.monotonic() < give_up_at:
                interrupted = self._ending.wait(POLL_S) or not self._is_quiet()
        finally:
            output = _end(child)
            self.child = None
        if interrupted:
            return
        speeds = [Speed(int(width), float(speed)) for width, speed in map(bytes.split, output.splitlines())]
        if not speeds:
            self._given_up.add((network, precision))
            log.warning("How fast %s trains in %s could not be measured.", network, precision)
            return
        with self._database.write() as session:
            calibrations.store(session, self._host, network, precision, self._threads, speeds)
        log.info("Measured how fast %s trains in %s: %s", network, precision, speeds)


def _end(child: subprocess.Popen[bytes]) -> bytes:
    """End the process, and give what it has printed."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    output, _ = child.communicate()
    return output
