import threading
from collections.abc import Callable

import pytest

from backend.contract import RunStatus, TrainConfig
from backend.db import clock, devices, events, launches, lifecycle, runs, waiting, workers
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.db.models import Run
from backend.db.workers import DeviceOffer
from backend.errors import RunNotFound, StepNotAllowed
from tests.builders import LEASE_S, add_run, cpu_slots, gpus, start_run
from tests.unit.db.leases import let_lease_pass


def add_worker(database: Database, *offered: DeviceOffer, name: str = "worker", host: str = "host") -> int:
    with database.write() as session:
        return workers.register(session, name, host, offered, 1)


def take(database: Database, worker_id: int, usable: list[int] | None = None) -> Claim | None:
    """What a worker gets when it looks at the queue once."""
    with database.read() as session:
        best = lifecycle.best_waiting(session, worker_id, usable)
    if best is None:
        return None
    run_id, kind = best
    with database.write() as session:
        return lifecycle.claim(session, run_id, worker_id, 1, LEASE_S, usable, kind)


def held(database: Database, run_id: int) -> list[tuple[str, int]]:
    with database.read() as session:
        return [(device.kind, device.number) for device in devices.held_by(session, run_id)]


def queue(database: Database) -> list[int]:
    with database.read() as session:
        return [run.id for run in waiting.first(session, 100)]


class TestDevices:
    def test_are_held_by_one_run_each(self, database: Database) -> None:
        """Two runs get the two GPUs of a worker, one each; the third waits."""
        worker = add_worker(database, *gpus(0, 1))
        ids = [add_run(database, device="gpu") for _ in range(3)]
        claims = [take(database, worker) for _ in range(3)]
        assert [claim and claim.run_id for claim in claims] == [*ids[:2], None]
        assert [held(database, run_id) for run_id in ids] == [[("gpu", 0)], [("gpu", 1)], []]

    def test_are_as_many_as_the_run_asks_for(self, database: Database) -> None:
        """A run with gpu_count 2 takes two GPUs of one worker, and none of a worker that has one."""
        small, large = add_worker(database, *gpus(0), name="small"), add_worker(database, *gpus(1, 2), name="large")
        run_id = add_run(database, gpu_count=2)
        assert take(database, small) is None
        claim = take(database, large)
        assert claim is not None
        assert [(device.kind.value, device.number) for device in claim.devices] == [("gpu", 1), ("gpu", 2)]
        assert held(database, run_id) == [("gpu", 1), ("gpu", 2)]

    @pytest.mark.parametrize("end", ["finish", "fail", "stop", "force", "give back", "reap", "pause"])
    def test_are_free_when_the_run_no_longer_lives(self, database: Database, end: str) -> None:
        """However a run's attempt ends, its device is free in the same transaction."""
        run_id = add_run(database)
        claim = start_run(database, run_id)
        assert held(database, run_id) == [("cpu", 0)]
        if end == "reap":
            let_lease_pass(database, run_id)
        with database.write() as session:
            if end in ("stop", "pause"):
                (lifecycle.ask_stop if end == "stop" else lifecycle.ask_pause)(session, run_id)
            ends: dict[str, Callable[[], object]] = {
                "finish": lambda: lifecycle.finish(session, run_id, claim.attempt),
                "fail": lambda: lifecycle.fail(session, run_id, claim.attempt, "why"),
                "force": lambda: lifecycle.force_stop(session, run_id),
                "give back": lambda: lifecycle.give_back(session, run_id, claim.attempt, "lost"),
                "reap": lambda: lifecycle.reap(session),
            }
            ends.get(end, lambda: lifecycle.end_as_asked(session, run_id, claim.attempt))()
        assert held(database, run_id) == []

    def test_on_which_a_process_still_is_are_not_given_away(self, database: Database) -> None:
        """A worker that knows a device to be busy gets another one, whatever the database says."""
        worker = add_worker(database, *cpu_slots(2))
        add_run(database)
        with database.read() as session:
            first, second = (device.id for device in workers.devices_of(session, [worker]))
        assert take(database, worker, []) is None
        claim = take(database, worker, [second])
        assert claim is not None
        assert [device.id for device in claim.devices] == [second] != [first]

    def test_of_a_dead_worker_are_its_successors_when_its_runs_are_taken_back(self, database: Database) -> None:
        """A worker that starts again on a host gets a GPU only when no lease of its predecessor is on it."""
        before = add_worker(database, *gpus(0), name="before")
        lost, other = add_run(database, device="gpu"), add_run(database, device="gpu")
        assert take(database, before) is not None
        after = add_worker(database, *gpus(0), name="after")
        elsewhere = add_worker(database, *gpus(0), name="elsewhere", host="another host")
        assert take(database, after) is None
        let_lease_pass(database, lost)
        with database.write() as session:
            lifecycle.reap(session)
        claim, last = take(database, after), take(database, elsewhere)
        assert (claim and claim.run_id, last and last.run_id) == (lost, other)

    def test_of_one_host_are_given_once_to_workers_that_look_together(self, database: Database) -> None:
        """Of two workers that offer the same GPU and claim at the same moment one gets it, the other none."""
        pair = [add_worker(database, *gpus(0), name=name) for name in ("one", "other")]
        ids = [add_run(database, device="gpu") for _ in pair]
        claims: dict[int, Claim | None] = {}
        others_turn, both = threading.Event(), threading.Event()

        def claim(place: int) -> None:
            with database.write() as session:
                claims[place] = lifecycle.claim(session, ids[place], pair[place], 1, LEASE_S)
                if place == 0:
                    others_turn.set()
                    # The claim is not committed yet: the other one must wait for it, where it could look at once.
                    both.wait(0.5)
            both.set()

        first, second = (threading.Thread(target=claim, args=(place,)) for place in (0, 1))
        first.start()
        assert others_turn.wait(10)
        second.start()
        first.join()
        second.join()
        assert [claims[0] and claims[0].run_id, claims[1]] == [ids[0], None]


class TestLocks:
    def test_of_a_parent_and_of_the_stream_make_no_circle(self, database: Database) -> None:
        """A clone is made by one who has the stream's number, while its parent is held by one who waits for that."""
        parent, other = add_run(database), add_run(database)
        numbered, held = threading.Event(), threading.Event()

        def step_of_the_parent() -> None:
            assert numbered.wait(10)
            with database.write() as session:
                run = runs.load(session, parent, to_change=True)
                held.set()
                events.add_note(session, run.id, "It waits for the number.")

        thread = threading.Thread(target=step_of_the_parent)
        thread.start()
        with database.write() as session:
            events.add_note(session, other, "It has the number.")
            numbered.set()
            held.wait(0.5)  # in SQLite the other one waits for its turn
            launch = launches.add(session, None, "0" * 64)
            origin = runs.Origin(parent, lifecycle.CLONE, 0)
            clone = runs.add(session, launch, TrainConfig(), "clone", [], 0, origin).id
        thread.join(10)
        assert not thread.is_alive()
        with database.read() as session:
            assert runs.children_of(session, parent) == [clone]
            assert [event.note for event in events.of_run(session, parent)][-1] == "It waits for the number."

    def test_of_a_removal_come_before_the_streams(self, database: Database) -> None:
        """A run is removed by one who waits for whoever makes a clone of it, and finds the clone."""
        parent = add_run(database)
        with database.write() as session:
            lifecycle.ask_stop(session, parent)
        refused: list[str] = []

        def remove() -> None:
            try:
                with database.write() as session:
                    runs.remove(session, parent)
            except StepNotAllowed as error:
                refused.append(str(error))

        thread = threading.Thread(target=remove)
        with database.write() as session:
            launch = launches.add(session, None, "0" * 64)
            session.add(
                Run(
                    launch_id=launch.id,
                    name="clone",
                    tags=[],
                    notes="",
                    config=TrainConfig().model_dump(mode="json"),
                    palette_index=0,
                    status=RunStatus.STOPPED,
                    attempt=0,
                    parent_id=parent,
                    created_at=clock.now(session),
                )
            )
            session.flush()
            thread.start()
            thread.join(0.5)
            events.next_seq(session)
        thread.join(10)
        assert not thread.is_alive()
        assert len(refused) == 1
        assert "came from it" in refused[0]


class TestADrain:
    def test_lets_no_run_in_until_it_is_taken_back(self, database: Database) -> None:
        """A draining worker claims nothing, by the queue or by name; it no longer counts as an offer."""
        worker, run_id = add_worker(database, *cpu_slots(1)), add_run(database)
        with database.write() as session:
            assert workers.set_draining(session, worker, True).draining
        assert take(database, worker) is None
        with database.write() as session:
            assert lifecycle.claim(session, run_id, worker, 1, LEASE_S) is None
            assert workers.offers(session) == []
            workers.set_draining(session, worker, False)
        assert take(database, worker) is not None


class TestTheOrder:
    def test_is_by_priority_then_by_age(self, database: Database) -> None:
        """The greatest priority is claimed first, among equals who has waited longest."""
        worker = add_worker(database, *cpu_slots(4))
        low, first, second, high = (add_run(database) for _ in range(4))
        with database.write() as session:
            waiting.set_priority(session, low, -1)
            waiting.set_priority(session, high, 5)
        expected = [high, first, second, low]
        assert queue(database) == expected
        assert [claim.run_id for _ in expected if (claim := take(database, worker))] == expected

    def test_can_be_changed_by_moving_a_run(self, database: Database) -> None:
        """A run goes to the front or before another one; what is launched later follows all of them."""
        a, b, c, d = (add_run(database) for _ in range(4))
        with database.write() as session:
            waiting.move(session, c, None)
        assert queue(database) == [c, a, b, d]
        with database.write() as session:
            waiting.move(session, d, b)
        assert queue(database) == [c, a, d, b]
        assert queue(database) == [c, a, d, b, add_run(database)][:4]
        assert queue(database)[-1] > d

    def test_a_moved_run_takes_on_the_priority_of_its_place(self, database: Database) -> None:
        """Before a run of another priority one has that priority too, or it would not stand there."""
        a, b, high, low = (add_run(database) for _ in range(4))
        with database.write() as session:
            waiting.set_priority(session, high, 3)
            waiting.set_priority(session, low, -3)
            waiting.move(session, b, high)
            waiting.move(session, high, low)
        assert queue(database) == [b, a, high, low]
        with database.read() as session:
            assert [runs.load(session, run_id).priority for run_id in (a, b, high, low)] == [0, 3, -3, -3]

    def test_knows_only_runs_that_wait(self, database: Database) -> None:
        """A run that trains, or is not there, has no place; nor does one stand before itself."""
        waits, trains = add_run(database), add_run(database)
        start_run(database, trains)
        for moved, before in ((trains, None), (waits, trains), (waits, waits)):
            with pytest.raises(StepNotAllowed), database.write() as session:
                waiting.move(session, moved, before)
        with pytest.raises(RunNotFound), database.write() as session:
            waiting.move(session, 4711, None)

    def test_has_a_lost_run_first(self, database: Database) -> None:
        """A run whose worker was lost goes on before others begin; one that a user paused and resumed waits again."""
        lost, paused, other = (add_run(database) for _ in range(3))
        claims = {run_id: start_run(database, run_id) for run_id in (lost, paused)}
        with database.write() as session:
            lifecycle.ask_pause(session, paused)
            lifecycle.end_as_asked(session, paused, claims[paused].attempt)
            lifecycle.resume(session, paused)
            lifecycle.give_back(session, lost, claims[lost].attempt, "lost")
        assert queue(database) == [lost, other, paused]


class TestTheBestRun:
    def test_is_the_first_that_suits_the_free_devices(self, database: Database) -> None:
        """A worker passes over what it can't hold: a GPU run on a CPU worker, a CPU run on a GPU worker."""
        gpu, cpu, any_run = add_run(database, device="gpu"), add_run(database, device="cpu"), add_run(database)
        on_cpu, on_gpu = add_worker(database, *cpu_slots(2)), add_worker(database, *gpus(0, 1), name="gpus")
        assert [claim.run_id for _ in range(2) if (claim := take(database, on_cpu))] == [cpu, any_run]
        claim = take(database, on_gpu)
        assert (claim and claim.run_id, take(database, on_gpu)) == (gpu, None)

    def test_leaves_gpus_to_a_run_that_needs_several(self, database: Database) -> None:
        """A run for two GPUs that is first is not overtaken for ever: the GPU that is free is kept for it."""
        worker = add_worker(database, *gpus(0, 1), *cpu_slots(1))
        holder = add_run(database, device="gpu")
        assert take(database, worker) is not None
        pair, single, any_run = add_run(database, gpu_count=2), add_run(database, device="gpu"), add_run(database)
        claim = take(database, worker)
        assert claim is not None
        assert (claim.run_id, held(database, any_run)) == (any_run, [("cpu", 0)])
        assert take(database, worker) is None
        running = _running(database, holder)
        with database.write() as session:
            lifecycle.finish(session, *running)
        claim = take(database, worker)
        assert (claim and claim.run_id, held(database, single)) == (pair, [])


class TestFailing:
    def test_tells_signal_and_last_words(self, database: Database) -> None:
        """A run that is lost too often says the last reason and how its log ends."""
        run_id = add_run(database)
        for _ in range(3):
            claim = start_run(database, run_id)
            with database.write() as session:
                reason = "Its process was ended by SIGSEGV."
                run = lifecycle.give_back(session, run_id, claim.attempt, reason, last_words="Fatal Python error")
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert run.error.endswith("Its process was ended by SIGSEGV. Its log ends:\nFatal Python error")


def _running(database: Database, run_id: int) -> tuple[int, int]:
    """Run and attempt, once its process is ready."""
    with database.write() as session:
        attempt = runs.load(session, run_id).attempt
        lifecycle.mark_running(session, run_id, attempt, {})
    return run_id, attempt
