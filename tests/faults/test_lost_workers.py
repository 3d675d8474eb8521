"""Workers that are gone, and workers that only seem to be: killed, and stopped for longer than their lease."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.contract import FINAL_STATUSES
from tests.faults.conftest import Note
from tests.faults.kills import Victim
from tests.faults.lab import QUICK, EpochFact, Lab, kill, until, wrongs
from tests.service import Service

PATIENT = QUICK | {"epochs": 400}  # a run that is still there when everything has been seen


def _begin(tmp_path: Path, lease_s: str) -> Lab:
    settings = {"LAB_LEASE_S": lease_s, "LAB_THREADS": "1", "LAB_SLOTS": "1", "LAB_STOP_GRACE_S": "5"}
    return Lab(Service(tmp_path / "data", settings))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A service with a lease of 1 s and one slot a worker."""
    with _begin(tmp_path, "1").running() as lab:
        yield lab


def _epochs_of_attempt(lab: Lab, run_id: int, attempt: int) -> int:
    return sum(fact.attempt == attempt for fact in lab.facts().epochs[run_id].values())


class TestAKilledWorker:
    @pytest.mark.timeout(600)
    def test_is_missed_within_lease_and_sweep_and_its_run_goes_on(self, tmp_path: Path, long: bool, note: Note) -> None:
        """After SIGKILL of a worker and its trainer the run is queued in time, and trains: there, and elsewhere."""
        lease_s = 15 if long else 1
        missed_bar, moving_bar = lease_s + 5.0, 45.0
        with _begin(tmp_path, str(lease_s)).running() as lab:
            run_id = lab.launch("patient", PATIENT)
            until(lambda: _epochs_of_attempt(lab, run_id, 1) >= 1)
            for attempt, where in ((1, "restarted"), (2, "elsewhere")):
                if where == "restarted":
                    missed_s, moving_s = self._kill_and_measure(lab, run_id, attempt)
                else:
                    with lab.another_worker():
                        missed_s, moving_s = self._kill_and_measure(lab, run_id, attempt)
                what = f"worker killed, lease {lease_s} s, goes on {where}: run queued; trains again"
                note(what, f"< {missed_bar:.0f} s; {moving_bar:.0f} s", f"{missed_s:.1f} s; {moving_s:.1f} s")
                assert missed_s < missed_bar
                assert moving_s < 5 * moving_bar  # a machine that is busy otherwise

    def _kill_and_measure(self, lab: Lab, run_id: int, attempt: int) -> tuple[float, float]:
        """Seconds until the run is taken from the dead, and until its next attempt has stored an epoch."""
        trainer = lab.trainers()[run_id]
        (worker,) = [pid for pid in lab.processes(Victim.WORKER) if lab.trainer_of(pid) == (run_id, trainer)]
        kill(worker)
        kill(trainer)
        begin = time.monotonic()
        until(lambda: (run := lab.facts().runs[run_id]).status == "queued" or run.attempt > attempt)
        missed_s = time.monotonic() - begin
        until(lambda: _epochs_of_attempt(lab, run_id, attempt + 1) >= 1)
        return missed_s, time.monotonic() - begin


class TestAStoppedWorker:
    @pytest.mark.timeout(1800)
    def test_that_wakes_after_its_lease_writes_nothing(
        self, lab: Lab, twins: dict[int, list[EpochFact]], long: bool, note: Note
    ) -> None:
        """A worker and its trainer that sleep until another has their run find every write refused, and end."""
        refused = locked = 0
        times = 20 if long else 2
        with lab.another_worker() as other:
            (own,) = (pid for pid in lab.processes(Victim.WORKER) if pid != other)
            for number in range(times):
                # One run at a time: the other worker is idle, and takes it.
                if all(run.status in FINAL_STATUSES for run in lab.facts().runs.values()):
                    lab.launch(f"run-{number}", QUICK | {"seed": number % 2})
                while (saw := self._stop_and_wake(lab, (own, other))) is None:
                    locked += 1
                refused += saw
            lab.wait_until_all_ended()
            assert list(wrongs(lab.facts(), twins)) == []
        note(
            "workers stopped for longer than their lease",
            "0 stale writes",
            f"0 accepted in {times}; {refused} refused as their logs say; {locked} more froze with SQLite's write lock",
        )
        assert refused > 0

    def _stop_and_wake(self, lab: Lab, workers: tuple[int, int]) -> bool | None:
        """Whether the stopped attempt's log tells that a write was refused.

        None where it was stopped in the midst of a transaction: until it wakes, SQLite lets nobody else write.
        """
        worker = until(lambda: next((pid for pid in workers if lab.trainer_of(pid) is not None), 0))
        run_id, trainer = lab.trainer_of(worker) or (0, 0)
        attempt = lab.facts().runs[run_id].attempt
        before = _epochs_of_attempt(lab, run_id, attempt)
        until(lambda: _epochs_of_attempt(lab, run_id, attempt) > before or lab.facts().runs[run_id].attempt > attempt)
        for pid in (worker, trainer):
            kill(pid, signal.SIGSTOP)
        try:
            if not _can_write(lab):
                return None
            stored = _epochs_of_attempt(lab, run_id, attempt)
            until(lambda: (run := lab.facts().runs[run_id]).attempt > attempt or run.status in FINAL_STATUSES)
            # First the trainer alone, so that nobody but the database keeps it from writing.
            kill(trainer, signal.SIGCONT)
            until(lambda: not _runs(trainer))
        finally:
            for pid in (worker, trainer):
                kill(pid, signal.SIGCONT)
        assert _epochs_of_attempt(lab, run_id, attempt) == stored
        log = lab.service.folder / "runs" / str(run_id) / f"attempt-{attempt}.log"
        return f"Attempt {attempt} of run {run_id} no longer holds it." in log.read_text()


def _can_write(lab: Lab) -> bool:
    """Whether the database lets others write within some seconds."""

    def write() -> None:
        with lab.database.write():
            pass

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(5)
    return not writer.is_alive()


def _runs(pid: int) -> bool:
    """Whether a process has not ended, collected or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
