"""Everything that can happen to runs, in any order, on a real database, held against the model step by step."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    get_state_machine_test,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backend.contract import ALLOWED_STEPS, FINAL_STATUSES, CheckpointFile, RunStatus, Stopped, TrainConfig
from backend.db import clock, events, lifecycle, runs, workers
from backend.db.engine import Database
from backend.db.models import Base, Epoch, Run, RunEvent, StreamPosition
from backend.errors import AttemptSuperseded, BadRequest, KeyReused, StepNotAllowed
from backend.reaper import Reaper
from backend.submission import LaunchOrder, Submission
from tests.builders import add_worker, epoch_report
from tests.faults.conftest import Note
from tests.faults.lifecycle_model import ModelRun, Refused, Superseded
from tests.faults.stand_ins import MessageBag, Silence
from worker.recorder import Recorder, Retention

LEASE_S = 15.0
SLOTS = 100  # more than there ever are runs: no message is held back
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Attempt = tuple[int, int]
PLACES = st.integers(0, 20)  # in the list of runs, counted round and round


class Hands:
    """The hands of the clock, which the tests move."""

    at = NOON

    def now(self, _session: Session) -> datetime:
        """The time that they show."""
        return self.at


class RunLife(RuleBasedStateMachine):
    """Users, workers, trainers, broker, reaper and clock, each doing what it likes when it likes."""

    database: ClassVar[Database]
    hands: ClassVar[Hands]
    reached: ClassVar[Counter[RunStatus]]

    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.hands.at = NOON
        with self.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != StreamPosition.__tablename__:
                    session.execute(delete(table))
            session.execute(update(StreamPosition).values(value=0))
        self.worker_id = add_worker(self.database, slots=SLOTS)
        self.bag, notifier = MessageBag(), Silence()
        self.submission = Submission(self.database, self.bag, notifier)
        self.reaper = Reaper(self.database, self.bag, notifier, LEASE_S)
        self.model: dict[int, ModelRun] = {}
        self.orders: dict[str, tuple[LaunchOrder, list[int]]] = {}

    # Each life begins with work, whatever of the rules below it consists of

    @initialize(target=attempts, epochs=st.integers(1, 2))
    def begin(self, epochs: int) -> Any:
        """Three runs wait, and one of them has been claimed."""
        self.launch(None, epochs, 3)
        return self._claim(min(self.model))

    # Users

    @rule(
        key=st.sampled_from([None, "one", "two"]),
        epochs=st.integers(1, 2),
        seeds=st.integers(1, 2),
    )
    def launch(self, key: str | None, epochs: int, seeds: int) -> None:
        """Launch, or launch again under a key that was used."""
        order = LaunchOrder(TrainConfig(epochs=epochs), range(seeds))
        if key is not None and key in self.orders:
            known, ids = self.orders[key]
            ids = [run_id for run_id in ids if run_id in self.model]
            if known != order or not ids:
                with pytest.raises(KeyReused):
                    self.submission.launch(order, key)
                return
            again, new = self.submission.launch(order, key)
            assert ([run.id for run in again], new) == (ids, False)
            return
        launched, new = self.submission.launch(order, key)
        assert new
        ids = [run.id for run in launched]
        for run_id in ids:
            self._add(run_id, ModelRun(epochs, self.hands.at))
        if key is not None:
            self.orders[key] = (order, ids)

    @rule(place=PLACES, what=st.sampled_from(["stop", "force_stop", "pause", "resume", "trash", "restore"]))
    def steer(self, place: int, what: str) -> None:
        """Stop, pause, resume, hide, show."""
        run_id = self._pick(place)
        at, run = self.hands.at, self.model[run_id]
        actions: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "stop": (lambda: run.ask_stop(at), lambda: self.submission.stop(run_id)),
            "force_stop": (lambda: run.force_stop(at), lambda: self.submission.stop(run_id, force=True)),
            "pause": (lambda: run.ask_pause(at), lambda: self.submission.pause(run_id)),
            "resume": (lambda: run.resume(at, told=self.bag.up), lambda: self.submission.resume(run_id)),
            "trash": (run.trash, lambda: self._in_session(lambda session: runs.trash(session, run_id))),
            "restore": (run.restore, lambda: self._in_session(lambda session: runs.restore(session, run_id))),
        }
        expect, act = actions[what]
        with self._as_the_model(expect):
            act()

    @precondition(lambda self: len(self.model) > 1)
    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        """Remove a run for good."""
        run_id = self._pick(place)
        run = self.model[run_id]
        busy = run.live or run.status is RunStatus.QUEUED
        if busy or any(other.parent == run_id for other in self.model.values()):
            with pytest.raises(StepNotAllowed):
                self._in_session(lambda session: runs.remove(session, run_id))
            return
        self._in_session(lambda session: runs.remove(session, run_id))
        del self.model[run_id]

    @rule(place=PLACES, from_checkpoint=st.booleans())
    def retry(self, place: int, from_checkpoint: bool) -> None:
        """Train again what failed or was stopped."""
        run_id = self._pick(place)
        parent = self.model[run_id]
        start = parent.done if from_checkpoint else parent.start_epoch
        if parent.status not in (RunStatus.FAILED, RunStatus.STOPPED) or start == parent.wanted:
            with pytest.raises(StepNotAllowed):
                self.submission.retry(run_id, from_checkpoint=from_checkpoint)
            return
        child = self.submission.retry(run_id, from_checkpoint=from_checkpoint)
        self._add(child.id, ModelRun(parent.wanted, self.hands.at, run_id, start))

    @rule(place=PLACES, epoch=st.integers(1, 3), more=st.integers(0, 1))
    def branch(self, place: int, epoch: int, more: int) -> None:
        """Go on after an epoch of another run."""
        run_id = self._pick(place)
        parent = self.model[run_id]
        wanted = parent.wanted + more
        if not parent.start_epoch < epoch <= parent.done or wanted <= epoch:
            with pytest.raises(BadRequest):
                self.submission.branch(run_id, epoch, {"epochs": wanted}, None)
            return
        child = self.submission.branch(run_id, epoch, {"epochs": wanted}, None)
        self._add(child.id, ModelRun(wanted, self.hands.at, run_id, epoch))

    @rule(place=PLACES)
    def reproduce(self, place: int) -> None:
        """Train the same again."""
        run_id = self._pick(place)
        parent = self.model[run_id]
        child = self.submission.reproduce(run_id)
        self._add(child.id, ModelRun(parent.wanted, self.hands.at, run_id, parent.start_epoch))

    # Broker

    @rule()
    def break_or_mend_the_broker(self) -> None:
        """It goes down, or comes back, with its messages."""
        self.bag.up = not self.bag.up

    @rule()
    def empty_the_broker(self) -> None:
        """All messages are gone."""
        self.bag.messages.clear()

    @precondition(lambda self: self.bag.messages)
    @rule(place=st.integers(0, 100), double=st.booleans())
    def drop_or_double_a_message(self, place: int, double: bool) -> None:
        """One message is lost, or comes twice."""
        place %= len(self.bag.messages)
        if double:
            self.bag.messages.append(self.bag.messages[place])
        else:
            del self.bag.messages[place]

    @precondition(lambda self: self.bag.messages)
    @rule(target=attempts, place=st.integers(0, 100))
    def deliver_a_message(self, place: int) -> Any:
        """A worker reads one, and claims its run."""
        return self._claim(self.bag.messages.pop(place % len(self.bag.messages)))

    @rule(target=attempts, place=PLACES)
    def claim_without_a_message(self, place: int) -> Any:
        """A worker claims a run by itself."""
        return self._claim(self._pick(place))

    @rule(target=attempts, place=PLACES, epochs=st.integers(0, 2))
    def train_in_order(self, place: int, epochs: int) -> Any:
        """A worker claims a run, and nothing comes between before some epochs are stored."""
        attempt = self._claim(self._pick(place))
        if isinstance(attempt, tuple):
            self.be_ready(attempt)
            for _ in range(epochs):
                self.finish_an_epoch(attempt, 0, twice=False)
        return attempt

    # Trainers, of which all but the newest are taken for dead, and live on

    @rule(attempt=attempts)
    def be_ready(self, attempt: Attempt) -> None:
        """The process has loaded everything."""
        self._write(attempt, lambda run: run.ready(attempt[1], self.hands.at), lambda recorder: recorder.ready({}))

    @rule(attempt=attempts, ahead=st.sampled_from([0, 0, 0, 0, -1, 1]), twice=st.booleans())
    def finish_an_epoch(self, attempt: Attempt, ahead: int, twice: bool) -> None:
        """The process stores an epoch: the one that is due, one that is known, or one too far ahead; perhaps twice.

        It stores twice what is committed while the answer is lost.
        """
        run_id, number = attempt
        known = self.model.get(run_id)
        epoch = max(0, known.done + ahead) if known is not None else 0
        file = CheckpointFile(f"epoch-{epoch}-attempt-{number}.npz", epoch + 1, 0, 1, "f" * 64, "0" * 64)
        for _ in range(2 if twice else 1):
            self._write(
                attempt,
                lambda run: run.epoch(number, epoch, self.hands.at),
                lambda recorder: recorder.add(epoch_report(epoch), file),
            )

    @rule(attempt=attempts)
    def stop_as_asked(self, attempt: Attempt) -> None:
        """The process has saved where it is."""
        self._write(
            attempt,
            lambda run: run.obey(attempt[1], self.hands.at),
            lambda recorder: recorder.add(Stopped(0, 0)),
        )

    @rule(attempt=attempts)
    def fail(self, attempt: Attempt) -> None:
        """The process meets an error."""
        self._write(attempt, lambda run: run.fail(attempt[1], self.hands.at), lambda recorder: recorder.failed("why"))

    # Workers

    @rule(attempt=attempts)
    def renew(self, attempt: Attempt) -> None:
        """The supervisor holds the run for longer, and looks what is wished."""
        run_id, number = attempt
        self._write(
            attempt,
            lambda run: run.renew(number, self.hands.at, LEASE_S),
            lambda _: self._in_session(lambda session: lifecycle.renew(session, run_id, number, LEASE_S)),
        )
        with self._as_the_model(lambda: self._held(attempt)), self.database.read() as session:
            assert lifecycle.wish(session, run_id, number) is self.model[run_id].status

    @rule(attempt=attempts, blameless=st.booleans())
    def give_back(self, attempt: Attempt, blameless: bool) -> None:
        """The supervisor has lost its process."""
        run_id, number = attempt
        self._write(
            attempt,
            lambda run: run.give_back(number, self.hands.at, blameless=blameless),
            lambda _: self._in_session(
                lambda session: lifecycle.give_back(session, run_id, number, "lost", blameless=blameless)
            ),
        )

    @rule(attempt=consumes(attempts))
    def die(self, attempt: Attempt) -> None:
        """A process ends without a word."""

    # Time

    @rule(seconds=st.sampled_from([0.1, 4.0, 6.0, 14.0, 16.0, 3600.0, -3600.0, -5.0]))
    def move_the_clock(self, seconds: float) -> None:
        """Time passes, or jumps."""
        self.hands.at += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        """The reaper looks at leases and queue."""
        at = self.hands.at
        self._in_session(lambda session: workers.beat(session, self.worker_id))
        for run in self.model.values():
            run.forget_the_future(at, LEASE_S)
            if run.is_overdue(at):
                run.give_back(run.attempt, at, blameless=False)
        due = [run_id for run_id, run in self.model.items() if run.wants_message(at)]
        before = Counter(self.bag.messages)
        self.reaper.sweep()
        assert Counter(self.bag.messages) - before == (Counter(due) if self.bag.up else Counter())
        for run_id in due if self.bag.up else []:
            self.model[run_id].sent_at = at

    # What must hold after every step

    @invariant()
    def the_rows_are_the_model(self) -> None:
        """Each run is as the model has it, and so are its epochs, each of the attempt that held it then."""
        with self.database.read() as session:
            found = {run.id: run for run in session.scalars(select(Run))}
            rows = session.execute(select(Epoch.run_id, Epoch.number, Epoch.attempt)).all()
        assert {run_id: _row(run) for run_id, run in found.items()} == {
            run_id: _expected(run) for run_id, run in self.model.items()
        }
        assert {(run_id, number): attempt for run_id, number, attempt in rows} == {
            (run_id, number): attempt for run_id, run in self.model.items() for number, attempt in run.epochs.items()
        }
        for run in self.model.values():
            self.reached[run.status] += 1
            assert sorted(run.epochs) == list(range(run.start_epoch, run.done))
            assert run.live == (run.lease_until is not None)

    @invariant()
    def the_history_is_one_that_may_be(self) -> None:
        """Each step is an allowed one from where the run was; a final run takes none; epochs lie in their attempts."""
        with self.database.read() as session:
            entries = session.scalars(select(RunEvent).order_by(RunEvent.seq)).all()
            stored = session.scalars(select(Epoch).order_by(Epoch.seq)).all()
            last = events.last_seq(session)
        numbers = sorted([entry.seq for entry in entries] + [epoch.seq for epoch in stored])
        assert len(set(numbers)) == len(numbers)
        assert not numbers or numbers[-1] <= last
        for run_id in self.model:
            mine = [entry for entry in entries if entry.run_id == run_id]
            _check_history(mine)
            claims = [entry.seq for entry in mine if entry.to_status is RunStatus.STARTING and entry.kind == "step"]
            for epoch in stored:
                if epoch.run_id == run_id:
                    assert claims[epoch.attempt - 1] < epoch.seq < [*claims, last + 1][epoch.attempt]

    def _add(self, run_id: int, run: ModelRun) -> None:
        run.sent_at = self.hands.at if self.bag.up else None
        self.model[run_id] = run

    def _pick(self, place: int) -> int:
        return sorted(self.model)[place % len(self.model)]

    def _claim(self, run_id: int) -> Any:
        with self.database.write() as session:
            claim = lifecycle.claim(session, run_id, self.worker_id, 1, LEASE_S)
        run = self.model.get(run_id)
        number = run.claim(self.hands.at, LEASE_S) if run is not None else None
        assert (claim.attempt if claim is not None else None) == number
        return multiple() if number is None else (run_id, number)

    def _held(self, attempt: Attempt) -> None:
        run = self.model.get(attempt[0])
        if run is None:
            raise Superseded
        run.check(attempt[1])

    def _write(self, attempt: Attempt, expect: Callable[[ModelRun], object], act: Callable[[Recorder], object]) -> None:
        """Let an attempt write; what it is allowed to is what the model allows."""
        run_id, number = attempt
        run = self.model.get(run_id)
        wanted = run.wanted if run is not None else 1
        recorder = Recorder(self.database, Silence(), run_id, number, wanted, 1.0, Retention(2, 10))

        def as_expected() -> None:
            if run is None:
                raise Superseded
            expect(run)

        with self._as_the_model(as_expected):
            act(recorder)

    def _in_session(self, act: Callable[[Session], object]) -> None:
        with self.database.write() as session:
            act(session)

    @contextmanager
    def _as_the_model(self, expect: Callable[[], object]) -> Iterator[None]:
        """Do with the model what the block does with the real thing: both raise, or neither does."""
        errors = {Superseded: AttemptSuperseded, Refused: StepNotAllowed, ValueError: ValueError}
        try:
            expect()
        except tuple(errors) as error:
            with pytest.raises(errors[type(error)]):
                yield
        else:
            yield


def _row(run: Run) -> tuple[object, ...]:
    return (
        run.status,
        run.attempt,
        run.barren_attempts,
        run.blameless_attempts,
        run.epochs_done,
        run.lease_until,
        run.message_sent_at,
        run.deleted_at is not None,
    )


def _expected(run: ModelRun) -> tuple[object, ...]:
    return (run.status, run.attempt, run.barren, run.blameless, run.done, run.lease_until, run.sent_at, run.deleted)


def _check_history(entries: Sequence[RunEvent]) -> None:
    assert entries[0].kind == events.CREATED
    for before, after in pairwise(entries):
        assert before.attempt <= after.attempt
        if after.kind == events.STEP:
            assert after.from_status == before.to_status
            assert after.from_status is not None
            assert after.to_status in ALLOWED_STEPS[after.from_status]
            assert after.from_status not in FINAL_STATUSES
        else:
            assert after.to_status == before.to_status


class TestTheLifecycle:
    @pytest.mark.timeout(3600)
    def test_is_that_of_the_model(
        self,
        empty_database: Database,
        monkeypatch: pytest.MonkeyPatch,
        seed: int,
        long: bool,
        note: Note,
    ) -> None:
        """Whatever happens in whatever order, runs, epochs, messages and history are as the model has them."""
        hands = Hands()
        monkeypatch.setattr(clock, "now", hands.now)
        machine = type("RunLife", (RunLife,), {"database": empty_database, "hands": hands, "reached": Counter()})
        bounds = settings(
            max_examples=600 if long else 40,
            stateful_step_count=60 if long else 30,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        hypothesis.seed(seed)(get_state_machine_test(machine, settings=bounds))()
        reached: Counter[RunStatus] = machine.reached  # type: ignore[attr-defined]
        if long:  # a short look may pass by some states
            assert set(reached) == set(RunStatus), f"some states were never reached: {reached}"
        note(
            f"life of a run on {empty_database.dialect_name}, seed {seed}",
            "as the model",
            f"{bounds.max_examples} x {bounds.stateful_step_count} steps, {len(reached)} of {len(RunStatus)} states",
        )
