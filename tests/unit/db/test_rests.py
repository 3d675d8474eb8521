from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.contract import Phase, Progress, RunStatus
from backend.db import clock, epochs, events, lifecycle, runs, waiting, workers
from backend.db.engine import Database
from backend.db.lifecycle import MAX_BLAMELESS_ATTEMPTS
from backend.db.models import Run, Worker
from tests.builders import LEASE_S, add_run, add_worker, cpu_slots, epoch_report, start_run


def take(database: Database, worker_id: int) -> tuple[int, int] | None:
    """Run and attempt that the worker gets when it looks at the queue once."""
    with database.read() as session:
        best = lifecycle.best_waiting(session, worker_id)
    if best is None:
        return None
    with database.write() as session:
        claim = lifecycle.claim(session, best[0], worker_id, 1, LEASE_S)
    return None if claim is None else (claim.run_id, claim.attempt)


def lose(database: Database, held: tuple[int, int] | None) -> Run:
    assert held is not None
    with database.write() as session:
        return lifecycle.lose(session, *held, "Its process ended with exit code 1.", last_words="no driver")


def load(database: Database, worker_id: int) -> Worker:
    with database.read() as session:
        return session.get_one(Worker, worker_id)


def end_rest(database: Database, worker_id: int) -> float:
    """Let the worker's rest be over; the seconds that it would have lasted."""
    with database.write() as session:
        worker, now = session.get_one(Worker, worker_id), clock.now(session)
        assert worker.rests_until is not None
        rest_s = (worker.rests_until - now).total_seconds()
        worker.rests_until = now - timedelta(seconds=1)
    return rest_s


class TestAWorkerThatLosesRunAfterRun:
    def test_ends_one_run_at_most(self, database: Database) -> None:
        """Where every attempt ends before its first batch, one run fails; the others wait, and the rests grow."""
        worker, ids = add_worker(database, slots=1), [add_run(database) for _ in range(4)]
        pauses = []
        for _ in range(12):
            lose(database, take(database, worker))
            if load(database, worker).rests_until is not None:
                assert take(database, worker) is None
                pauses.append(end_rest(database, worker))
        with database.read() as session:
            found = runs.load_many(session, ids)
        assert [run.status for run in found] == [RunStatus.FAILED, *[RunStatus.QUEUED] * 3]
        assert [run.attempt for run in found] == [3, 3, 3, 3]
        assert pauses == pytest.approx([min(5 * 2**doublings, 300) for doublings in range(10)], abs=2)

    def test_says_why_and_offers_nothing(self, database: Database) -> None:
        """While it rests there is a sentence with the last loss, and no run counts on it."""
        worker, _ = add_worker(database, slots=1), add_run(database)
        for _ in range(3):
            lose(database, take(database, worker))
        reason = load(database, worker).rest_reason
        assert reason is not None
        assert "its last 3 attempts were lost before their first batch" in reason
        assert reason.endswith("Its process ended with exit code 1. no driver")
        with database.read() as session:
            assert workers.offers(session) == []

    @pytest.mark.parametrize("proof", ["a batch", "an epoch", "a user"])
    def test_is_trusted_again_after_a_success(self, database: Database, proof: str) -> None:
        """A batch or an epoch that it trains, or a user who lets it take runs, ends the rest."""
        worker = add_worker(database, slots=2)
        trains = add_run(database)
        held = take(database, worker)
        assert held is not None
        for _ in range(2):
            add_run(database)
        for _ in range(3):
            lose(database, take(database, worker))
        assert take(database, worker) is None
        proofs: dict[str, Callable[[Session], object]] = {
            "a batch": lambda session: runs.set_progress(session, *held, Progress(Phase.TRAINING, 0, 1, 9)),
            "an epoch": lambda session: epochs.append(session, *held, epoch_report(0)),
            "a user": lambda session: workers.set_draining(session, worker, draining=False),
        }
        with database.write() as session:
            lifecycle.mark_running(session, *held, {})
            proofs[proof](session)
        assert held[0] == trains
        assert load(database, worker).rest_reason is None
        assert take(database, worker) is not None

    def test_is_not_blamed_for_what_trained_or_was_stopped(self, database: Database) -> None:
        """A run that is lost after a batch, or while it is stopped, says nothing of its worker."""
        worker = add_worker(database, slots=1)
        for end in range(4):
            run_id = add_run(database)
            held = take(database, worker)
            assert held is not None
            with database.write() as session:
                if end % 2:
                    lifecycle.ask_stop(session, run_id)
                else:
                    runs.set_progress(session, *held, Progress(Phase.TRAINING, 0, 1, 9))
            lose(database, held)
            with database.write() as session:
                if runs.load(session, run_id).status is RunStatus.QUEUED:
                    lifecycle.ask_stop(session, run_id)
        assert load(database, worker).barren_losses == 0

    def test_leaves_a_run_that_is_itself_the_cause_to_fail(self, database: Database) -> None:
        """A run that can't be trained anywhere fails after three losses, though it is the only one there is."""
        worker, run_id = add_worker(database, slots=1), add_run(database)
        for _ in range(3):
            run = lose(database, take(database, worker))
        assert (run.id, run.status) == (run_id, RunStatus.FAILED)
        assert run.error is not None
        assert run.error.startswith("Lost 3 times in epoch 1 without finishing it. The last time: Its process ended")

    def test_tries_another_run_after_each_rest(self, database: Database) -> None:
        """What is lost on a worker in doubt waits behind its equals, so that a bad run does not keep good ones away."""
        worker, first = add_worker(database, slots=1), add_run(database)
        for _ in range(3):
            lose(database, take(database, worker))
        second, third = add_run(database), add_run(database)
        end_rest(database, worker)
        lose(database, take(database, worker))
        end_rest(database, worker)
        with database.read() as session:
            assert [run.id for run in waiting.first(session, 9)] == [third, second]
        assert take(database, worker) == (third, 1)
        assert first < second


class TestBlamelessLosses:
    def test_have_an_end(self, database: Database) -> None:
        """A run that is lost again and again without progress fails, though each time it was no fault of its own."""
        run_id = add_run(database)
        for _ in range(MAX_BLAMELESS_ATTEMPTS):
            claim = start_run(database, run_id)
            with database.write() as session:
                run = lifecycle.give_back(session, run_id, claim.attempt, "No database.", blameless=True)
        assert (run.status, run.attempt) == (RunStatus.FAILED, MAX_BLAMELESS_ATTEMPTS)
        assert run.error is not None
        assert "10 times that was no fault of its own. The last time: No database." in run.error

    def test_are_forgotten_with_progress(self, database: Database) -> None:
        """A run that finishes an epoch between them may be lost as often as it likes."""
        run_id = add_run(database)
        for epoch in range(2):
            for _ in range(MAX_BLAMELESS_ATTEMPTS - 2):
                claim = start_run(database, run_id)
                with database.write() as session:
                    lifecycle.give_back(session, run_id, claim.attempt, "No database.", blameless=True)
            claim = start_run(database, run_id)
            with database.write() as session:
                epochs.append(session, run_id, claim.attempt, epoch_report(epoch))
                run = lifecycle.give_back(session, run_id, claim.attempt, "No database.", blameless=True)
        assert run.status is RunStatus.QUEUED

    def test_come_at_a_growing_distance(self, database: Database) -> None:
        """A worker whose processes never reach the database rests between tries, longer each time."""
        worker, _ = add_worker(database, slots=1), add_run(database)
        pauses = []
        for _ in range(6):
            held = take(database, worker)
            assert held is not None
            with database.write() as session:
                lifecycle.lose(session, *held, "No database.", blameless=True)
            if load(database, worker).rests_until is not None:
                pauses.append(end_rest(database, worker))
        assert pauses == pytest.approx([5, 10, 20, 40], abs=2)


class TestAnUnreadableConfiguration:
    @pytest.mark.parametrize(
        "damage", [{"from_the_future": 1}, {"device": "tpu"}, {"gpu_count": "two"}, {"width": -3}, {"device": None}]
    )
    def test_fails_its_run_and_no_other_waits(self, database: Database, damage: dict[str, object]) -> None:
        """A row that this version can't read is failed with a sentence when its turn comes, and the next one begins."""
        worker, bad, good = add_worker(database, slots=1), add_run(database), add_run(database)
        with database.write() as session:
            session.execute(update(Run).where(Run.id == bad).values(config=runs.load(session, bad).config | damage))
        assert take(database, worker) in (None, (good, 1))  # the device null is any
        assert (take(database, worker) or (good, 1)) == (good, 1)
        with database.read() as session:
            run = runs.load(session, bad)
            notes = [event.note for event in events.of_run(session, bad)]
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert next(iter(damage)) in run.error
        assert "can't be read" in run.error
        assert run.error in notes


class TestForgotten:
    def test_are_workers_that_were_gone_for_a_week(self, database: Database) -> None:
        """Their rows and devices go; runs keep the name, and who is alive, or still has a run, stays."""
        ids = {}
        for name in ("gone", "holds", "fresh"):
            with database.write() as session:
                ids[name] = workers.register(session, name, "host", cpu_slots(1), 1)
        done, lives = add_run(database), add_run(database)
        for run_id, name in ((done, "gone"), (lives, "holds")):
            with database.write() as session:
                claim = lifecycle.claim(session, run_id, ids[name], 1, LEASE_S)
                assert claim is not None
                if name == "gone":
                    lifecycle.fail(session, run_id, claim.attempt, "why")
        with database.write() as session:
            old = clock.now(session) - timedelta(days=7, seconds=1)
            session.execute(update(Worker).where(Worker.id != ids["fresh"]).values(heartbeat_at=old))
            assert workers.forget(session) == 1
            assert workers.forget(session) == 0
        with database.write() as session:
            assert {device.worker_id for device in workers.devices_of(session, list(ids.values()))} == {
                ids["holds"],
                ids["fresh"],
            }
            run = runs.load(session, done)
            assert (run.worker_id, run.worker_name, run.status) == (None, "gone", RunStatus.FAILED)
            assert not workers.beat(session, ids["gone"])
            assert workers.beat(session, ids["fresh"])
