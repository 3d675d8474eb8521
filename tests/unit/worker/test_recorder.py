from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.orm import Session

from backend.contract import BatchResults, CheckpointFile, EpochReport, Phase, Progress, RunStatus, Stopped
from backend.db import batches, checkpoints, epochs, layer_stats, lifecycle, runs
from backend.db.engine import Database
from backend.errors import AttemptSuperseded
from tests.builders import add_run, claim_run, epoch_report, measurements, start_run
from worker import recorder as recorder_module
from worker.recorder import Recorder, Retention


class FaultyDatabase(Database):
    """A real database, of which the next writes fail as they do where it is away."""

    faults = 0
    fault: type[DBAPIError] = OperationalError

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A writing session, unless a fault is due."""
        if self.faults:
            self.faults -= 1
            raise self.fault("COMMIT", {}, ConnectionRefusedError("away"))
        with super().write() as session:
            yield session


class NewsBoard:
    """A notifier that notes what could be read at the moment of each news."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self.seen: list[object] = []

    def changed(self) -> None:
        """Something changed."""
        self.seen.append(self._look())


@pytest.fixture
def database(database_url: str) -> Iterator[FaultyDatabase]:
    """A real database, of either kind, that can be made to fail."""
    database = FaultyDatabase(database_url)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "FIRST_RETRY_S", 0.01)


class Attempt:
    """A running attempt at a run of two epochs, and its recorder."""

    def __init__(self, database: FaultyDatabase, patience_s: float = 5.0) -> None:
        self.database = database
        self.run_id = add_run(database, epochs=2)
        self.number = start_run(database, self.run_id).attempt
        self.news = NewsBoard(lambda: (self.status, self.epochs))
        self.recorder = Recorder(
            database, self.news, self.run_id, self.number, 2, patience_s, Retention(last=1, every=0)
        )

    @property
    def status(self) -> RunStatus:
        """The run's state."""
        with self.database.read() as session:
            return runs.load(session, self.run_id).status

    @property
    def epochs(self) -> list[int]:
        """The epochs that are stored."""
        with self.database.read() as session:
            return [row.number for row in epochs.after(session, self.run_id, -1)]

    @property
    def audited(self) -> list[int]:
        """The finished epochs after which a layer was audited, a number a layer."""
        with self.database.read() as session:
            return [row.epochs_done for row in layer_stats.after(session, self.run_id, -1)]


class TestTheRecorder:
    def test_stores_first_and_tells_then(self, database: FaultyDatabase) -> None:
        """Whoever hears of an epoch finds it stored, and with the last one the run finished."""
        attempt = Attempt(database)
        attempt.recorder.add(epoch_report(0))
        attempt.recorder.add(epoch_report(1))
        assert attempt.news.seen == [(RunStatus.RUNNING, [0]), (RunStatus.FINISHED, [0, 1])]

    @pytest.mark.parametrize("fault", [OperationalError, InternalError])
    def test_tries_again_while_the_database_is_away(self, database: FaultyDatabase, fault: type[DBAPIError]) -> None:
        """A database that fails three times in a row costs no epoch and doubles none.

        Postgres calls it an internal error where it has ended the session of a process that was frozen.
        """
        attempt = Attempt(database)
        database.faults, database.fault = 3, fault
        attempt.recorder.add(epoch_report(0))
        assert attempt.epochs == [0]
        assert len(attempt.news.seen) == 1

    def test_gives_up_when_its_lease_is_over(self, database: FaultyDatabase) -> None:
        """It waits for the database no longer than the lease lasts, for another attempt may begin then."""
        attempt = Attempt(database, patience_s=0.05)
        database.faults = 1000
        with pytest.raises(OperationalError):
            attempt.recorder.add(epoch_report(0))
        assert database.faults > 900
        assert attempt.news.seen == []

    def test_of_an_older_attempt_changes_nothing(self, database: FaultyDatabase) -> None:
        """Once a newer attempt holds the run, every write of the older one is refused."""
        attempt = Attempt(database)
        with database.write() as session:
            lifecycle.give_back(session, attempt.run_id, attempt.number, "lost", blameless=True)
        claim_run(database, attempt.run_id)
        for report in (epoch_report(0), Progress(Phase.TRAINING, 0, 1, 2), measurements(0), Stopped(0, 1)):
            with pytest.raises(AttemptSuperseded):
                attempt.recorder.add(report)
        with pytest.raises(AttemptSuperseded):
            attempt.recorder.failed("too late")
        with pytest.raises(AttemptSuperseded):
            attempt.recorder.note("Goes on.")
        assert attempt.epochs == []
        assert attempt.status is RunStatus.STARTING

    @pytest.mark.parametrize(
        "diverged", [epoch_report(1, train_cost=float("nan")), epoch_report(1, test_cost=float("inf"))]
    )
    def test_finishes_no_run_that_diverged_at_the_end(self, database: FaultyDatabase, diverged: EpochReport) -> None:
        """A last epoch whose cost is no number is stored, and the run is not finished by it."""
        attempt = Attempt(database)
        attempt.recorder.add(epoch_report(0))
        attempt.recorder.add(diverged)
        assert attempt.epochs == [0, 1]
        assert attempt.status is RunStatus.RUNNING

    def test_ends_a_run_that_was_asked_to_stop(self, database: FaultyDatabase) -> None:
        """The trainer's word that it stopped ends a run that is stopping."""
        attempt = Attempt(database)
        with database.write() as session:
            lifecycle.ask_stop(session, attempt.run_id)
        attempt.recorder.add(Stopped(0, 1))
        assert attempt.status is RunStatus.STOPPED

    def test_tells_which_checkpoints_can_go(self, database: FaultyDatabase) -> None:
        """A newer checkpoint takes the place of an older one in the same transaction; its file's name is given back."""
        attempt = Attempt(database)
        files = [CheckpointFile(f"{number}.npz", number, 0, 1, "f" * 64, "0" * 64) for number in (1, 2)]
        assert attempt.recorder.add(epoch_report(0, test_accuracy=0.5), files[0]) == []
        assert attempt.recorder.add(epoch_report(1, test_accuracy=0.6), files[1]) == ["1.npz"]
        with database.read() as session:
            assert checkpoints.names(session, attempt.run_id) == {"2.npz"}

    def test_stores_what_was_measured_with_its_epoch(self, database: FaultyDatabase) -> None:
        """Measurements of an epoch are there whenever the epoch is: both or neither, and once."""
        attempt = Attempt(database)
        news = NewsBoard(lambda: (attempt.epochs, attempt.audited))
        attempt.recorder = Recorder(database, news, attempt.run_id, attempt.number, 2, 5.0, Retention(last=1, every=0))
        attempt.recorder.add(measurements(0))
        attempt.recorder.add(epoch_report(0, measured=measurements(1)))
        attempt.recorder.add(epoch_report(0, measured=measurements(1)))
        assert news.seen == [([], [0, 0]), ([0], [0, 0, 1, 1]), ([0], [0, 0, 1, 1])]
        attempt.recorder.add(epoch_report(1, measured=measurements(2)))
        assert attempt.audited == [0, 0, 1, 1, 2, 2]
        assert attempt.status is RunStatus.FINISHED

    @pytest.mark.parametrize(
        "report", [epoch_report(0), Progress(Phase.TRAINING, 0, 1, 2), Stopped(0, 1)], ids=["epoch", "progress", "stop"]
    )
    def test_stores_batches_with_the_report_that_brings_them(
        self, database: FaultyDatabase, report: EpochReport | Progress | Stopped
    ) -> None:
        """What came of batches is there with its report, once where that is told twice, and never of a lost attempt."""
        attempt = Attempt(database)
        brought = replace(report, results=BatchResults(0, bytes(8), bytes(8)))
        database.faults = 2
        attempt.recorder.add(brought)
        with database.read() as session:
            assert batches.extent(session, attempt.run_id) == (2, 2)
        late = replace(report, results=BatchResults(2, bytes(4), bytes(4)))
        with database.write() as session:
            if runs.load(session, attempt.run_id).status is RunStatus.RUNNING:
                lifecycle.give_back(session, attempt.run_id, attempt.number, "lost", blameless=True)
        with pytest.raises(AttemptSuperseded):
            attempt.recorder.add(late)
        with database.read() as session:
            assert batches.extent(session, attempt.run_id) == (2, 2)
