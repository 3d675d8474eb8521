import math
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.orm import ORMExecuteState, Session

from backend.api.results import get_metrics
from backend.contract import Phase, Progress, RunStatus
from backend.db import clock, epochs, events, lifecycle, runs
from backend.db.engine import Database
from backend.db.models import Epoch, RunEvent, StreamPosition
from backend.errors import AttemptSuperseded, RunNotFound, StepNotAllowed
from tests.builders import add_run, epoch_report, start_run
from tests.services import PostgresServer


class TestAppend:
    def test_stores_an_epoch_and_shows_it_on_the_run(self, database: Database) -> None:
        """The run's newest figures are those of its last epoch, its best the best of all."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0, test_accuracy=0.9))
            epochs.append(session, run_id, claim.attempt, epoch_report(1, test_accuracy=0.8))
        with database.read() as session:
            run = runs.load(session, run_id)
            assert (run.epochs_done, run.test_accuracy, run.best_test_accuracy) == (2, 0.8, 0.9)
            assert [row.test_accuracy for row in epochs.after(session, run_id, -1)] == [0.9, 0.8]
            assert [row.number for row in epochs.after(session, run_id, 0)] == [1]

    def test_never_doubles_nor_rewrites(self, database: Database) -> None:
        """An epoch that a later attempt repeats stays as it was first written."""
        run_id = add_run(database)
        first = start_run(database, run_id)
        with database.write() as session:
            assert epochs.append(session, run_id, first.attempt, epoch_report(0, train_cost=1.0))
            lifecycle.give_back(session, run_id, first.attempt, "lost")
        second = start_run(database, run_id)
        with database.write() as session:
            assert not epochs.append(session, run_id, second.attempt, epoch_report(0, train_cost=2.0))
            assert epochs.append(session, run_id, second.attempt, epoch_report(1))
        with database.read() as session:
            rows = epochs.after(session, run_id, -1)
            assert [(row.number, row.attempt) for row in rows] == [(0, 1), (1, 2)]
            assert rows[0].train_cost == 1.0

    def test_leaves_no_gap(self, database: Database) -> None:
        """An epoch whose forerunner is missing is refused."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with pytest.raises(ValueError, match="epoch 0 was due"), database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(1))

    def test_keeps_what_is_not_finite_as_a_word(self, database: Database) -> None:
        """NaN and infinity are null in the numbers, and named beside them."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        report = epoch_report(0, train_cost=math.nan, test_cost=math.inf, test_accuracy=-math.inf)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, report)
        with database.read() as session:
            row = epochs.after(session, run_id, -1)[0]
            assert (row.train_cost, row.test_cost, row.test_accuracy) == (None, None, None)
            assert row.non_finite == {"train_cost": "NaN", "test_cost": "Infinity", "test_accuracy": "-Infinity"}


def follow(database: Database, cursor: int, done: threading.Event, seen: list[int]) -> None:
    """Read on by the last number, as the event stream does, until the writers are done and nothing is left."""
    while True:
        last_look = done.is_set()
        with database.read() as session:
            entries = events.after(session, cursor, 1000)
        if entries:
            seen.extend(entry.seq for entry in entries)
            cursor = entries[-1].seq
        elif last_look:
            return


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns every 0.01 ms. After Python's 5 ms a busy one would hold up each step of the others."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class TestTheStream:
    @pytest.mark.usefixtures("eager_threads")
    def test_numbers_follow_commits(self, database: Database) -> None:
        """Six writers at once give consecutive numbers, and a reader who goes on by the last number misses none."""
        run_ids = [add_run(database) for _ in range(6)]
        claims = [start_run(database, run_id) for run_id in run_ids]
        with database.read() as session:
            start = events.last_seq(session)
        seen: list[int] = []
        done = threading.Event()

        def write(place: int) -> None:
            for epoch in range(10):
                with database.write() as session:
                    epochs.append(session, run_ids[place], claims[place].attempt, epoch_report(epoch))

        writers = [threading.Thread(target=write, args=(place,)) for place in range(6)]
        reader = threading.Thread(target=follow, args=(database, start, done, seen))
        for thread in [*writers, reader]:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert seen == list(range(start + 1, start + 61))

    @pytest.mark.usefixtures("eager_threads")
    def test_numbers_follow_commits_of_every_kind(self, database: Database) -> None:
        """Launches, steps, epochs and notes of slow and quick writers at once are read once each and in order."""
        run_ids = [add_run(database, f"run {number}", epochs=100) for number in range(4)]
        claims = [start_run(database, run_id) for run_id in run_ids]
        with database.read() as session:
            start = events.last_seq(session)

        def train(place: int) -> None:
            for epoch in range(8):
                with database.write() as session:
                    epochs.append(session, run_ids[place], claims[place].attempt, epoch_report(epoch))
                    if place == 0:
                        time.sleep(0.005)  # holds its number while others want the next

        def steer() -> None:
            for number in range(8):
                run_id = add_run(database, f"late {number}")
                with database.write() as session:
                    events.add_note(session, run_id, "slow")
                    time.sleep(0.005)
                    lifecycle.ask_stop(session, run_id)

        done = threading.Event()
        seen: list[int] = []
        reader = threading.Thread(target=follow, args=(database, start, done, seen))
        writers = [threading.Thread(target=train, args=(place,)) for place in range(4)]
        writers += [threading.Thread(target=steer) for _ in range(2)]
        for thread in [*writers, reader]:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert seen == list(range(start + 1, start + 1 + 4 * 8 + 2 * 8 * 3))

    def test_a_rolled_back_event_leaves_no_hole_that_hides_others(self, database: Database) -> None:
        """A transaction that fails takes its number back."""
        with database.read() as session:
            before = events.last_seq(session)
        with pytest.raises(RuntimeError), database.write() as session:
            events.next_seq(session)
            raise RuntimeError
        with database.read() as session:
            assert events.last_seq(session) == before

    def test_joins_steps_and_epochs_in_order(self, database: Database) -> None:
        """What follows a number comes in the order in which it happened, cut at the limit."""
        run_id = add_run(database, epochs=1)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
            lifecycle.finish(session, run_id, claim.attempt)
        with database.read() as session:
            entries = events.after(session, 0, 100)
            assert [type(entry) for entry in entries] == [RunEvent, RunEvent, RunEvent, Epoch, RunEvent]
            assert len(events.after(session, 0, 2)) == 2
            assert [entry.seq for entry in events.after(session, entries[2].seq, 100)] == [4, 5]

    def test_passes_over_nothing_that_comes_while_it_is_read(self, database: Database) -> None:
        """A step and an epoch that are stored between its looks at steps and at epochs are told together, later."""
        run_id = add_run(database, epochs=1)
        claim = start_run(database, run_id)
        known, late = 3, 0

        def store_before_epochs_are_read(state: ORMExecuteState) -> None:
            nonlocal late
            if state.bind_mapper is not None and state.bind_mapper.class_ is Epoch and not late:
                late += 1
                with database.write() as session:
                    events.add_note(session, run_id, "A step.")
                    epochs.append(session, run_id, claim.attempt, epoch_report(0))

        with database.read() as session:
            event.listen(session, "do_orm_execute", store_before_epochs_are_read)
            assert events.after(session, known, 100) == []
        assert late
        with database.read() as session:
            assert [entry.seq for entry in events.after(session, known, 100)] == [4, 5]


class TestASnapshot:
    def test_names_no_number_beyond_what_it_shows(self, database: Database) -> None:
        """An epoch that is stored while a page's first figures are read is among them, or told by the stream."""
        run_id = add_run(database, epochs=1)
        claim = start_run(database, run_id)
        late = 0

        def store_before_the_number_is_read(state: ORMExecuteState) -> None:
            nonlocal late
            if state.bind_mapper is not None and state.bind_mapper.class_ is StreamPosition and not late:
                late += 1
                with database.write() as session:
                    epochs.append(session, run_id, claim.attempt, epoch_report(0))

        event.listen(Session, "do_orm_execute", store_before_the_number_is_read)
        try:
            shown = get_metrics(run_id, database)
        finally:
            event.remove(Session, "do_orm_execute", store_before_the_number_is_read)
        with database.read() as session:
            told = events.after(session, shown.seq, 10)
        assert shown.epochs + [entry.number for entry in told if isinstance(entry, Epoch)] == [0]


class TestProgress:
    def test_is_shown_without_an_event(self, database: Database) -> None:
        """Progress changes the run, takes no number, and is refused for an attempt that is over."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        progress = Progress(phase=Phase.TRAINING, epoch=0, batch=3, batches=9)
        with database.read() as session:
            seq, since = events.last_seq(session), clock.now(session)
        with database.write() as session:
            runs.set_progress(session, run_id, claim.attempt, progress)
        with database.read() as session:
            assert events.last_seq(session) == seq
            assert [run.id for run in runs.progressed_since(session, since)] == [run_id]
        with pytest.raises(AttemptSuperseded), database.write() as session:
            runs.set_progress(session, run_id, claim.attempt + 1, progress)


class TestTrash:
    def test_hides_and_restores(self, database: Database) -> None:
        """A run in the trash is not counted, and comes back as it was."""
        run_id = add_run(database)
        with database.write() as session:
            lifecycle.ask_stop(session, run_id)
            runs.trash(session, run_id)
        with database.read() as session:
            assert runs.count_by_status(session) == {}
        with database.write() as session:
            runs.restore(session, run_id)
        with database.read() as session:
            assert runs.count_by_status(session) == {RunStatus.STOPPED: 1}

    def test_refuses_what_is_queued_or_live(self, database: Database) -> None:
        """Only a run that has ended can be deleted."""
        queued, running = add_run(database), add_run(database)
        start_run(database, running)
        for run_id in (queued, running):
            with pytest.raises(StepNotAllowed, match="stop it first"), database.write() as session:
                runs.trash(session, run_id)

    def test_removal_leaves_history_only(self, database: Database) -> None:
        """A removed run and its epochs are gone, its id is never given again, and its history says so."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        with database.write() as session:
            epochs.append(session, run_id, claim.attempt, epoch_report(0))
            lifecycle.fail(session, run_id, claim.attempt, "why")
        with database.write() as session:
            runs.remove(session, run_id)
        with database.read() as session:
            assert epochs.after(session, run_id, -1) == []
            assert runs.removed_ids(session, [run_id]) == {run_id}
            with pytest.raises(RunNotFound):
                runs.load(session, run_id)
        assert add_run(database) > run_id


class TestTheClock:
    def test_of_leases_is_the_database_servers(self, postgres: PostgresServer) -> None:
        """Where the server's clock is an hour ahead of this host's, a lease ends by the server's."""
        url = postgres.emptied_database()
        database = Database(url)
        ahead = "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
        ahead += "$$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$"
        try:
            with database.write() as session:
                session.execute(text(ahead))
                # Looked up before the built-in one, as if the server's clock were wrong.
                session.execute(text(f"ALTER DATABASE {make_url(url).database} SET search_path = public, pg_catalog"))
            database.close()
            claim = start_run(database, add_run(database), lease_s=60)
            with database.read() as session:
                run = runs.load(session, claim.run_id)
            assert run.lease_until is not None
            left_s = (run.lease_until - datetime.now(UTC)).total_seconds()
            assert 3600 < left_s < 3600 + 61
        finally:
            with database.write() as session:
                session.execute(text("DROP FUNCTION public.clock_timestamp()"))
                session.execute(text(f"ALTER DATABASE {make_url(url).database} RESET search_path"))
            database.close()

    def test_goes_on_within_a_transaction(self, database: Database) -> None:
        """A transaction that waited for its turn does not date its events before those that it waited for."""
        with database.read() as session:
            first = clock.now(session)
            time.sleep(0.01)
            assert clock.now(session) > first
