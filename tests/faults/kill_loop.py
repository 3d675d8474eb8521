"""The kill loop: runs are launched without end, and processes are killed under them, until the last kill."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import LIVE_STATUSES
from backend.db.lifecycle import MAX_BARREN_ATTEMPTS
from tests.faults.kills import EventLog, Kill, Victim
from tests.faults.lab import QUICK, Facts, Lab, kill
from tests.service import until

CROWD = 3  # runs that have not ended: more than there are slots, so that there is always work
VICTIM_S = 300.0  # within which there must be somebody to kill: longer, and nothing moves any more
COSTLY = (Victim.TRAINER, Victim.WORKER)  # their death costs an attempt


class Crowd:
    """Launches runs as long as there are few, from a thread of its own, through a backend that dies now and then."""

    def __init__(self, lab: Lab, seeds: Sequence[int]) -> None:
        self._lab = lab
        self._seeds = seeds
        self.keys = 0
        self.error: Exception | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._launch_until_ended, name="crowd", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _launch_until_ended(self) -> None:
        while not self._ended.wait(0.1):
            try:
                if len(self._lab.unfinished()) < CROWD:
                    seed = self._seeds[self.keys % len(self._seeds)]
                    self._lab.launch(f"crowd-{self.keys}", QUICK | {"seed": seed})
                    self.keys += 1
            except SQLAlchemyError:
                continue
            except Exception as error:  # noqa: BLE001  (told by whoever reads the figures)
                self.error = error
                return


class KillLoop:
    """Carries out planned kills, each of a process that lives and has something to do."""

    def __init__(self, lab: Lab, log: EventLog) -> None:
        self._lab = lab
        self._log = log
        self.killed: Counter[Victim] = Counter()
        self.while_training = 0

    def carry_out(self, kills: Sequence[Kill]) -> None:
        """Kill whom the plan names, one after the other."""
        for planned in kills:
            time.sleep(planned.after_s)
            until(lambda planned=planned: self._try(planned), VICTIM_S)  # type: ignore[misc]

    def _try(self, planned: Kill) -> bool:
        """Whether the kill has been done: there was a victim, at work, and its loss fails no run."""
        try:
            facts = self._lab.facts()
            pids = self._lab.processes(planned.victim)
            trainers = self._lab.trainers()
        except SQLAlchemyError:
            return False
        if planned.victim is Victim.TRAINER:
            pids = [pid for run_id, pid in sorted(trainers.items()) if not planned.trains or _trains(facts, run_id)]
        elif not trainers or (planned.trains and not any(_trains(facts, run_id) for run_id in trainers)):
            return False
        # A run that is lost three times without an epoch has failed, as it should: that is no part of this.
        if planned.victim in COSTLY and not all(_may_be_lost(facts, run_id) for run_id in trainers):
            return False
        if not pids:
            return False
        pid = pids[int(planned.pick * len(pids))]
        if not self._kill(planned, pid):
            return False
        self.killed[planned.victim] += 1
        self.while_training += any(_trains(facts, run_id) for run_id in trainers)
        states = {run_id: [run.status, run.attempt, run.epochs_done] for run_id, run in facts.runs.items()}
        self._log.add("kill", number=planned.number, victim=planned.victim, pid=pid, trainers=trainers, runs=states)
        return True

    def _kill(self, planned: Kill, pid: int) -> bool:
        if planned.victim is not Victim.POSTGRES:
            return kill(pid)
        postgres = self._lab.postgres
        assert postgres is not None
        postgres.kill()
        time.sleep(planned.down_s)
        until(lambda: _starts(postgres.start), 30)
        return True


def _trains(facts: Facts, run_id: int) -> bool:
    """Whether the run's present attempt has stored an epoch."""
    run, rows = facts.runs[run_id], facts.epochs[run_id]
    return run.status in LIVE_STATUSES and any(fact.attempt == run.attempt for fact in rows.values())


def _may_be_lost(facts: Facts, run_id: int) -> bool:
    return facts.runs[run_id].barren_attempts + 1 < MAX_BARREN_ATTEMPTS


def _starts(start: object) -> bool:
    """Whether a server starts; after a SIGKILL its orphans may hold its memory for a moment."""
    assert callable(start)
    with suppress(RuntimeError):
        start()
        return True
    return False
