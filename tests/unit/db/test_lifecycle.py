import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.contract import ALLOWED_STEPS, FINAL_STATUSES, LIVE_STATUSES, RunStatus
from backend.db import clock, epochs, events, lifecycle, runs
from backend.db.engine import Database
from backend.db.models import Run
from backend.errors import AttemptSuperseded, RunNotFound, StepNotAllowed
from tests.builders import LEASE_S, add_run, add_worker, claim_run, epoch_report, start_run
from tests.unit.db.leases import let_lease_pass


def status_of(database: Database, run_id: int) -> RunStatus:
    with database.read() as session:
        return runs.load(session, run_id).status


class TestClaim:
    def test_gives_the_run_a_new_attempt_and_a_lease(self, database: Database) -> None:
        """Who claims a queued run holds it under attempt 1, with a lease that ends in the future."""
        run_id, worker_id = add_run(database, width=3), add_worker(database)
        with database.write() as session:
            claim = lifecycle.claim(session, run_id, worker_id, 2, LEASE_S)
        assert claim is not None
        assert (claim.attempt, claim.threads, claim.config.width) == (1, 2, 3)
        with database.read() as session:
            run = runs.load(session, run_id)
            assert run.status is RunStatus.STARTING
            assert run.lease_until is not None
            assert run.lease_until > clock.now(session) + timedelta(seconds=LEASE_S - 5)

    def test_is_won_once(self, database: Database) -> None:
        """Of eight workers that claim a run at the same moment one wins."""
        run_id, worker_id, won = add_run(database), add_worker(database), []
        together = threading.Barrier(8)

        def claim() -> None:
            together.wait()
            with database.write() as session:
                if lifecycle.claim(session, run_id, worker_id, 1, LEASE_S) is not None:
                    won.append(True)

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won == [True]

    def test_of_what_is_not_there_or_not_queued_gives_nothing(self, database: Database) -> None:
        """A message for a run that was removed, stopped or claimed does nothing."""
        stopped, claimed, worker_id = add_run(database), add_run(database), add_worker(database)
        claim_run(database, claimed)
        with database.write() as session:
            lifecycle.ask_stop(session, stopped)
        for run_id in (stopped, claimed, 4711):
            with database.write() as session:
                assert lifecycle.claim(session, run_id, worker_id, 1, LEASE_S) is None

    def test_keeps_the_threads_of_the_first_attempt(self, database: Database) -> None:
        """A later attempt uses as many threads as the first, for equal bits, whatever its worker would give."""
        run_id, worker_id = add_run(database), add_worker(database)
        for offered in (3, 7):
            with database.write() as session:
                claim = lifecycle.claim(session, run_id, worker_id, offered, LEASE_S)
                assert claim is not None
                assert claim.threads == 3
                lifecycle.give_back(session, run_id, claim.attempt, "lost", blameless=True)


class TestEnvironment:
    def test_of_a_later_attempt_is_held_against_the_first(self, database: Database) -> None:
        """A run that goes on elsewhere says what is another there, and keeps what it began with."""
        run_id = add_run(database)
        first = {"tensorflow": "2.21", "cpu": "one"}
        for environment in (first, first, {"tensorflow": "2.21", "cpu": "two"}):
            claim = claim_run(database, run_id)
            with database.write() as session:
                lifecycle.mark_running(session, run_id, claim.attempt, environment)
                lifecycle.give_back(session, run_id, claim.attempt, "Lost.", blameless=True)
        with database.read() as session:
            notes = [entry.note for entry in events.of_run(session, run_id) if entry.kind == events.NOTE]
            assert runs.load(session, run_id).environment == first
        assert notes == ["Environment changed: cpu two, was one. Bits are not comparable."]


class TestFencing:
    def test_an_older_attempt_writes_nothing(self, database: Database) -> None:
        """After a second claim every write of the first attempt is refused and changes nothing."""
        run_id = add_run(database)
        old = start_run(database, run_id)
        with database.write() as session:
            lifecycle.give_back(session, run_id, old.attempt, "lost")
        new = start_run(database, run_id)
        writes: list[Callable[[Session], object]] = [
            lambda session: epochs.append(session, run_id, old.attempt, epoch_report(0)),
            lambda session: lifecycle.finish(session, run_id, old.attempt),
            lambda session: lifecycle.fail(session, run_id, old.attempt, "no"),
            lambda session: lifecycle.renew(session, run_id, old.attempt, LEASE_S),
            lambda session: lifecycle.give_back(session, run_id, old.attempt, "no"),
            lambda session: lifecycle.mark_running(session, run_id, old.attempt, {}),
            lambda session: lifecycle.wish(session, run_id, old.attempt),
        ]
        for write in writes:
            with pytest.raises(AttemptSuperseded), database.write() as session:
                write(session)
        with database.read() as session:
            run = runs.load(session, run_id)
            assert (run.attempt, run.status, run.epochs_done) == (new.attempt, RunStatus.RUNNING, 0)

    def test_a_final_run_takes_no_step(self, database: Database) -> None:
        """Finished, failed and stopped runs stay what they are."""
        for error in (None, "why"):
            run_id = add_run(database)
            claim = start_run(database, run_id)
            with database.write() as session:
                if error is None:
                    lifecycle.finish(session, run_id, claim.attempt)
                else:
                    lifecycle.fail(session, run_id, claim.attempt, error)
            before = status_of(database, run_id)
            assert before in FINAL_STATUSES
            with pytest.raises(StepNotAllowed), database.write() as session:
                lifecycle.ask_stop(session, run_id)
            with pytest.raises(AttemptSuperseded), database.write() as session:
                epochs.append(session, run_id, claim.attempt, epoch_report(0))
            assert status_of(database, run_id) is before


class TestStop:
    def test_of_a_queued_run_is_done_at_once(self, database: Database) -> None:
        """A queued run that is stopped has stopped."""
        run_id = add_run(database)
        with database.write() as session:
            assert lifecycle.ask_stop(session, run_id).status is RunStatus.STOPPED

    def test_of_a_running_run_is_a_wish_that_its_holder_sees(self, database: Database) -> None:
        """A running run becomes stopping; its attempt reads the wish, and its end makes it stopped."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
        with database.read() as session:
            assert lifecycle.wish(session, run_id, claim.attempt) is RunStatus.STOPPING
        with database.write() as session:
            lifecycle.end_as_asked(session, run_id, claim.attempt)
        assert status_of(database, run_id) is RunStatus.STOPPED

    def test_asked_twice_is_one_wish(self, database: Database) -> None:
        """A second request while the run is stopping changes nothing and is no error."""
        run_id = add_run(database)
        start_run(database, run_id)
        for _ in range(2):
            with database.write() as session:
                assert lifecycle.ask_stop(session, run_id).status is RunStatus.STOPPING
        with database.read() as session:
            assert [entry.to_status for entry in events.of_run(session, run_id)].count(RunStatus.STOPPING) == 1

    def test_before_the_process_is_ready_is_kept(self, database: Database) -> None:
        """A starting run that is asked to stop does not become running."""
        run_id = add_run(database)
        claim = claim_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
            lifecycle.mark_running(session, run_id, claim.attempt, {})
        assert status_of(database, run_id) is RunStatus.STOPPING

    def test_wins_over_the_last_epoch(self, database: Database) -> None:
        """A run that was asked to stop ends as stopped, also where its last epoch came first."""
        run_id = add_run(database, epochs=1)
        claim = start_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
            lifecycle.finish(session, run_id, claim.attempt)
        assert status_of(database, run_id) is RunStatus.STOPPED

    def test_of_an_unknown_run_says_so(self, database: Database) -> None:
        """There is no run to stop under an id that was never given."""
        with pytest.raises(RunNotFound, match="no run 4711"), database.write() as session:
            lifecycle.ask_stop(session, 4711)


class TestPause:
    def test_is_a_wish_that_its_holder_obeys_and_a_resumed_run_waits_again(self, database: Database) -> None:
        """Running, pausing, paused, queued: each step by the one whose step it is."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            assert lifecycle.ask_pause(session, run_id).status is RunStatus.PAUSING
        with database.read() as session:
            assert lifecycle.wish(session, run_id, claim.attempt) is RunStatus.PAUSING
        with database.write() as session:
            lifecycle.end_as_asked(session, run_id, claim.attempt)
        assert status_of(database, run_id) is RunStatus.PAUSED
        with database.write() as session:
            resumed = lifecycle.resume(session, run_id)
            assert (resumed.status, resumed.worker_id, resumed.lease_until) == (RunStatus.QUEUED, None, None)
        assert claim_run(database, run_id).attempt == 2

    @pytest.mark.parametrize("status", ["queued", "finished"])
    def test_is_refused_where_nothing_trains(self, database: Database, status: str) -> None:
        """What waits or has ended can't be paused; only what is paused can be resumed."""
        run_id = add_run(database)
        if status == "finished":
            claim = start_run(database, run_id)
            with database.write() as session:
                lifecycle.finish(session, run_id, claim.attempt)
        for ask in (lifecycle.ask_pause, lifecycle.resume):
            with pytest.raises(StepNotAllowed, match=status), database.write() as session:
                ask(session, run_id)

    def test_that_comes_too_late_leaves_a_finished_run(self, database: Database) -> None:
        """A run whose last epoch is stored while it is asked to pause has finished."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_pause(session, run_id)
        with database.write() as session:
            lifecycle.finish(session, run_id, claim.attempt)
        assert status_of(database, run_id) is RunStatus.FINISHED

    def test_of_a_run_whose_worker_is_gone_is_carried_out(self, database: Database) -> None:
        """The reaper pauses a run that was pausing when its worker died."""
        run_id = add_run(database)
        start_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_pause(session, run_id)
        let_lease_pass(database, run_id)
        with database.write() as session:
            lifecycle.reap(session)
        assert status_of(database, run_id) is RunStatus.PAUSED


class TestAWorkerThatEnds:
    def test_gives_a_run_back_that_nobody_asked_to_stop(self, database: Database) -> None:
        """An attempt that ends with its worker leaves the run queued, and it counts as no failure of the run."""
        run_id = add_run(database)
        for _ in range(4):
            claim = start_run(database, run_id)
            with database.write() as session:
                lifecycle.end_as_asked(session, run_id, claim.attempt)
            assert status_of(database, run_id) is RunStatus.QUEUED


class TestLostAttempts:
    def test_a_run_whose_lease_is_over_is_queued_again(self, database: Database) -> None:
        """The reaper queues a run whose worker is silent, keeps its epochs, and leaves others alone."""
        silent, alive = add_run(database), add_run(database)
        claim = start_run(database, silent)
        start_run(database, alive)
        with database.write() as session:
            epochs.append(session, silent, claim.attempt, epoch_report(0))
        let_lease_pass(database, silent)
        with database.write() as session:
            assert [run.id for run in lifecycle.reap(session)] == [silent]
        with database.read() as session:
            run = runs.load(session, silent)
            assert (run.status, run.epochs_done, run.message_sent_at) == (RunStatus.QUEUED, 1, None)
        assert status_of(database, alive) is RunStatus.RUNNING

    def test_a_dead_run_that_was_to_stop_has_stopped(self, database: Database) -> None:
        """A stopping run whose lease is over becomes stopped, not queued."""
        run_id = add_run(database)
        start_run(database, run_id)
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
        let_lease_pass(database, run_id)
        with database.write() as session:
            lifecycle.reap(session)
        assert status_of(database, run_id) is RunStatus.STOPPED

    def test_three_without_a_new_epoch_fail_the_run(self, database: Database) -> None:
        """The third lost attempt in a row without an epoch fails the run with a sentence that tells the reason."""
        run_id = add_run(database)
        for _ in range(3):
            assert status_of(database, run_id) is RunStatus.QUEUED
            claim = start_run(database, run_id)
            with database.write() as session:
                lifecycle.give_back(session, run_id, claim.attempt, "Its process was ended by SIGKILL.")
        with database.read() as session:
            run = runs.load(session, run_id)
            assert run.status is RunStatus.FAILED
            assert run.error is not None
            assert "Lost 3 times in epoch 1 without" in run.error
            assert "SIGKILL" in run.error

    def test_progress_clears_the_count(self, database: Database) -> None:
        """A run that finishes an epoch between losses may be lost as often as it likes."""
        run_id = add_run(database)
        for epoch in range(5):
            claim = start_run(database, run_id)
            with database.write() as session:
                epochs.append(session, run_id, claim.attempt, epoch_report(epoch))
                lifecycle.give_back(session, run_id, claim.attempt, "lost")
        assert status_of(database, run_id) is RunStatus.QUEUED

    def test_blameless_ones_do_not_count(self, database: Database) -> None:
        """A worker that is asked to end takes no attempt from its runs."""
        run_id = add_run(database)
        for _ in range(5):
            claim = start_run(database, run_id)
            with database.write() as session:
                lifecycle.give_back(session, run_id, claim.attempt, "ended", blameless=True)
        assert status_of(database, run_id) is RunStatus.QUEUED


class TestTheMapping:
    def test_every_live_status_needs_a_lease(self, database: Database) -> None:
        """The database itself refuses a live run without a lease."""
        for status in LIVE_STATUSES:
            run_id = add_run(database)
            with pytest.raises(IntegrityError), database.write() as session:
                session.execute(update(Run).where(Run.id == run_id).values(status=status))

    def test_final_statuses_lead_nowhere(self) -> None:
        """Finished, failed and stopped are the ends, and the only ones."""
        assert {RunStatus.FINISHED, RunStatus.FAILED, RunStatus.STOPPED} == FINAL_STATUSES
        assert set(ALLOWED_STEPS) == set(RunStatus)
