import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import lives, until
from worker.process import SPARE, TrainerProcess
from worker.spares import GENTLY, Spares

NICE = 16  # of /proc/.../stat, counted from 0 after the name


@pytest.fixture
def spares() -> Iterator[Spares]:
    spares = Spares()
    yield spares
    spares.close()


def visible_gpus(pid: int) -> str:
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return next(word.removeprefix("CUDA_VISIBLE_DEVICES=") for word in words if word.startswith("CUDA_VISIBLE"))


def priorities(pid: int) -> list[int]:
    """The nice value of each thread, the main one first."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
    return [int((task / "stat").read_text().rpartition(")")[2].split()[NICE]) for task in tasks]


class TestSpares:
    def test_are_one_for_each_kind_of_slot_that_is_free(self, spares: Spares) -> None:
        """However many slots are free, one process waits for a CPU slot, and one sees the first GPU alone."""
        for _ in range(3):
            spares.tend(4, [3, 2], others_train=False)
        assert sorted(visible_gpus(pid) for pid in spares.pids()) == ["-1", "2"]

    def test_end_when_their_slot_is_taken(self, spares: Spares) -> None:
        """Where no slot of a kind is free any more, nothing waits for one."""
        spares.tend(1, [0], others_train=False)
        before = spares.pids()
        spares.tend(0, [1], others_train=False)
        (after,) = spares.pids()
        assert visible_gpus(after) == "1"
        assert not any(lives(pid) for pid in before)

    def test_are_given_to_runs_on_just_their_devices(self, spares: Spares) -> None:
        """A run on two GPUs, or on another one, gets none; a run on the spare's own GPU gets it, once."""
        spares.tend(0, [0, 1], others_train=False)
        assert spares.take((0, 1)) is None
        assert spares.take((1,)) is None
        assert spares.take(()) is None
        process = spares.take((0,))
        assert process is not None
        assert spares.take((0,)) is None
        process.kill()

    def test_that_end_by_themselves_are_replaced_after_a_while(self, spares: Spares) -> None:
        """One that died is gone from the list, is given to no run, and is not started again in a hurry."""
        spares.tend(1, [], others_train=False)
        (pid,) = spares.pids()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not lives(pid))
        assert spares.take(()) is None
        spares.tend(1, [], others_train=False)
        spares.tend(1, [], others_train=False)
        assert spares.pids() == []

    def test_wait_with_their_import_while_runs_begin(self, spares: Spares) -> None:
        """Beside a run that has just begun no spare is made: the run's own start comes first."""
        assert spares.take(()) is None
        spares.tend(1, [], others_train=True)
        assert spares.pids() == []


class TestAGentleSpare:
    def test_leaves_the_processor_to_those_who_train(self) -> None:
        """It imports in a thread of the least priority; its main thread, which will train, has the usual one."""
        process = TrainerProcess([SPARE, GENTLY], ())
        try:
            until(lambda: 19 in priorities(process.pid))
            assert priorities(process.pid)[0] == os.getpriority(os.PRIO_PROCESS, 0)
        finally:
            process.kill()
