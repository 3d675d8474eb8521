"""The machine's clock, an hour wrong from one moment to the next."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from backend.contract import RunStatus
from backend.db import clock, lifecycle, runs, workers
from backend.db.engine import Database
from backend.reaper import Reaper
from tests.builders import LEASE_S, add_run, add_worker, start_run
from tests.faults.conftest import Note
from tests.faults.kills import Victim
from tests.faults.lab import QUICK, EpochFact, Lab, Witness, kill, until, wrongs
from tests.faults.stand_ins import MessageBag, Silence
from tests.service import Service
from tests.services import PostgresServer

INSIDE = Path(__file__).parent / "inside"
HOUR = 3600


class TestAJumpOfTheClock:
    @pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
    def lab(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
        """A service all of whose processes believe a clock that we set."""
        settings = {"LAB_LEASE_S": "2", "LAB_THREADS": "1", "LAB_STOP_GRACE_S": "5"}
        settings |= {"PYTHONPATH": str(INSIDE), "FAULTS_CLOCK": str(tmp_path / "clock")}
        _set_clock(tmp_path, 0)
        with ExitStack() as stack:
            server: PostgresServer | None = None
            if request.param == "postgres":
                server = request.getfixturevalue("postgres")
                settings["LAB_DATABASE_URL"] = stack.enter_context(server.fresh_database())
            yield stack.enter_context(Lab(Service(tmp_path / "data", settings), server).running())

    @pytest.mark.timeout(600)
    def test_loses_nothing_and_leaves_nothing_waiting(
        self, lab: Lab, tmp_path: Path, twins: dict[int, list[EpochFact]], note: Note
    ) -> None:
        """An hour ahead in the midst of runs, then back while their worker dies: all end soon, with equal bits."""
        with Witness(lab) as witness:
            ids = [lab.launch(f"run-{number}", QUICK | {"seed": number % 2}) for number in range(3)]
            until(lambda: any(lab.facts().epochs[run_id] for run_id in ids))
            _set_clock(tmp_path, HOUR)
            done = sum(map(len, lab.facts().epochs.values()))
            until(lambda: sum(map(len, lab.facts().epochs.values())) >= done + 3)
            trainers = lab.trainers().values()
            for pid in (*lab.processes(Victim.WORKER), *trainers):
                kill(pid)
            _set_clock(tmp_path, 0)
            ended_s = lab.wait_until_all_ended()
            facts = witness.look()
        assert list(wrongs(facts, twins)) == []
        assert witness.changed == []
        attempts = [run.attempt for run in facts.runs.values()]
        where = "Postgres" if lab.postgres is not None else "SQLite"
        note(
            f"clock + 1 h, then - 1 h as the worker dies, {where}",
            "same bits, soon",
            f"3 of 3 runs, all ended after {ended_s:.1f} s; attempts {attempts}",
        )


class TestTheHostsClock:
    def test_is_that_of_leases_only_where_no_server_has_one(
        self, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Postgres all hosts read the server's clock, whatever their own shows; SQLite has one host."""

        class AnHourLater:
            @staticmethod
            def now(tz: tzinfo) -> datetime:
                return datetime.now(tz) + timedelta(hours=1)

        monkeypatch.setattr(clock, "datetime", AnHourLater)
        with empty_database.read() as session:
            ahead = clock.now(session) - datetime.now(UTC)
        expected = timedelta(hours=1) if empty_database.dialect_name == "sqlite" else timedelta(0)
        assert abs(ahead - expected) < timedelta(seconds=5)

    def test_set_back_keeps_no_dead_run_and_no_lost_message_for_an_hour(
        self, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Leases and messages that seem to lie an hour ahead are taken for what they are: from before the jump."""
        at = [datetime.now(UTC) + timedelta(hours=1)]
        monkeypatch.setattr(clock, "now", lambda _session: at[0])
        dead, lost, worker = add_run(empty_database), add_run(empty_database), add_worker(empty_database)
        start_run(empty_database, dead)
        bag = MessageBag()
        reaper = Reaper(empty_database, bag, Silence(), LEASE_S)
        with empty_database.write() as session:
            workers.beat(session, worker)
        at[0] += timedelta(seconds=6)
        reaper.sweep()
        bag.messages.clear()
        for later in (-3600, LEASE_S + 1, 0):
            at[0] += timedelta(seconds=later)
            with empty_database.write() as session:
                workers.beat(session, worker)
            reaper.sweep()
        with empty_database.read() as session:
            assert runs.load(session, dead).status is RunStatus.QUEUED
        assert {dead, lost} <= set(bag.messages)

    def test_set_back_costs_no_run_that_lives_its_attempt(
        self, empty_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who renews the lease after the jump keeps the run."""
        at = [datetime.now(UTC)]
        monkeypatch.setattr(clock, "now", lambda _session: at[0])
        run_id = add_run(empty_database)
        claim = start_run(empty_database, run_id)
        reaper = Reaper(empty_database, MessageBag(), Silence(), LEASE_S)
        at[0] -= timedelta(hours=1)
        for _ in range(20):
            reaper.sweep()
            with empty_database.write() as session:
                lifecycle.renew(session, run_id, claim.attempt, LEASE_S)
            at[0] += timedelta(seconds=LEASE_S / 4)
        with empty_database.read() as session:
            run = runs.load(session, run_id)
            assert (run.status, run.attempt) == (RunStatus.RUNNING, claim.attempt)


def _set_clock(folder: Path, seconds: int) -> None:
    """Let all processes see it at once, and none a file that is half written."""
    new = folder / "clock.new"
    new.write_text(str(seconds))
    new.replace(folder / "clock")
