"""The other end of `serve`: a process that holds contenders."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
STAT = Path("/proc/stat")


class ContenderFailed(Exception):
    """A contender, or its whole process, can't run; the message says why."""


class Process:
    """A running server of contenders.

    Args:
        python: the interpreter, of an environment that holds what the contenders need.
        module: that serves.
        threads: that one operation is spread over.

    Raises:
        ContenderFailed: it ends at once; the message is the last line that it wrote.
    """

    def __init__(self, python: str, module: str, threads: int) -> None:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [python, "-m", module, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        facts = self._answer()
        self.environment: dict[str, str] = facts["environment"]
        self.contenders: Sequence[str] = facts["contenders"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request of `serve`.

        Raises:
            ContenderFailed: it could not be obeyed.
        """
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def turn(self, **request: Any) -> tuple[float, float]:
        """The seconds that a turn took, and the share of the CPUs that other programs took meanwhile, from 0 to 1."""
        began, other = time.perf_counter(), self._others_s()
        seconds = self.ask(do="run", **request)["seconds"]
        share = (self._others_s() - other) / (time.perf_counter() - began) / (os.cpu_count() or 1)
        return seconds, min(1.0, max(0.0, share))

    def _others_s(self) -> float:
        """The CPU seconds that all programs but this one have used so far; 0 where Linux does not tell."""
        if not STAT.exists():
            return 0.0
        user, nice, system, _idle, _wait, irq, soft_irq, steal = map(int, STAT.read_text().split()[1:9])
        # After the name in brackets, which may hold blanks, come the fields from the third on.
        own = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = user + nice + system + irq + soft_irq + steal - int(own[11]) - int(own[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._said.seek(0)
            raise ContenderFailed((self._said.read().splitlines() or [f"its process ended with status {status}."])[-1])
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContenderFailed(answer["error"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._said.close()


def has_torch(python: str) -> bool:
    """Whether an interpreter exists and its environment holds PyTorch."""
    try:
        return not subprocess.run([python, "-c", "import torch"], check=False, capture_output=True).returncode  # noqa: S603
    except OSError:
        return False


def torch_python() -> str:
    """The environment that `make bench` makes, or where there is none the running one."""
    own = ROOT / ".venv" / "benchmark" / "bin" / "python"
    return str(own) if own.exists() else sys.executable
