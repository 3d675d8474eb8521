"""Every operation, ended at every one of its points: nothing is half done, and the run goes on."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backend.contract import FINAL_STATUSES, LIVE_STATUSES, RunStatus, TrainConfig
from backend.db import checkpoints, clock, epochs, lifecycle, migrate, runs, workers
from backend.db.engine import Database
from backend.db.models import Base, Epoch, Run, RunEvent, StreamPosition
from backend.reaper import Reaper
from backend.settings import Settings
from backend.submission import LaunchOrder, Submission
from tests.builders import add_worker, epoch_report
from tests.faults.conftest import Note
from tests.faults.crash_points import CRASHED
from tests.faults.stand_ins import MessageBag, Silence
from tests.services import ValkeyServer
from worker.recorder import Recorder, Retention

ROOT = Path(__file__).parents[2]
LEASE_S = 15.0
EPOCHS = 2
TRAINS = ("launch", "claim", "be_ready")

LONG_ONLY = frozenset({"stop", "pause", "resume", "renew", "be_ready", "fail", "give_back"})  # each a single commit

# What has happened before each operation.
BEFORE: dict[str, Sequence[str]] = {
    "launch": (),
    "stop": ("launch",),
    "pause": TRAINS,
    "resume": (*TRAINS, "train_an_epoch", "pause", "obey"),
    "claim": ("launch",),
    "renew": TRAINS,
    "be_ready": ("launch", "claim"),
    "train_an_epoch": TRAINS,
    "train_the_last_epoch": (*TRAINS, "train_an_epoch"),
    "obey": (*TRAINS, "train_an_epoch", "stop"),
    "fail": (*TRAINS, "train_an_epoch"),
    "give_back": (*TRAINS, "train_an_epoch"),
    "sweep": (*TRAINS, "train_an_epoch"),
}


class Outcome(NamedTuple):
    """How an operation's process ended, and which points it reached."""

    status: int
    points: list[str]


@dataclass
class Crasher:
    """The process that forks off one process an operation."""

    _process: subprocess.Popen[str] = field(
        default_factory=lambda: subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.crash_child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    )

    def do(self, operation: str, settings: Settings, fatal: int = 0, attempt: int = 1) -> Outcome:
        """Do it, on the one run there is, up to the fatal point."""
        words = {"data_dir": str(settings.data_dir), "database_url": settings.database_url}
        words["redis_url"] = settings.redis_url
        job = {"operation": operation, "settings": words, "run_id": 1, "attempt": attempt, "fatal": fatal}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Outcome(answer["status"], answer["points"])

    def end(self) -> None:
        """Let it go."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    """Imports everything once."""
    crasher = Crasher()
    yield crasher
    crasher.end()


class Snapshot(NamedTuple):
    """All of the database that an operation changes, but for times and for what is only a hint."""

    runs: list[tuple[object, ...]]
    epochs: list[tuple[object, ...]]
    checkpoints: list[object]
    steps: list[tuple[object, ...]]
    leases: list[object]


class Stage:
    """A data folder and a database, brought before an operation again and again."""

    def __init__(self, crasher: Crasher, settings: Settings, template: Path) -> None:
        self.settings = settings
        self.crasher = crasher
        self._template = template

    def set_up(self, operation: str) -> None:
        """Bring everything to where it was before the operation."""
        self._restore(operation)
        database = self.open()
        with database.write() as session:
            workers.beat(session, 1)
        database.close()

    def _restore(self, operation: str) -> None:
        template = self._template / operation
        if template.exists():
            shutil.rmtree(self.settings.data_dir, ignore_errors=True)
            shutil.copytree(template, self.settings.data_dir)
            return
        self._empty()
        for earlier in BEFORE[operation]:
            assert self.crasher.do(earlier, self.settings).status == 0, earlier
        if operation == "sweep":
            database = self.open()
            with database.write() as session:
                session.execute(update(Run).values(lease_until=clock.now(session) - timedelta(seconds=1)))
            database.close()
        if not self.settings.database_url:
            shutil.copytree(self.settings.data_dir, template)

    def open(self) -> Database:
        """The database, as this process sees it."""
        return Database(self.settings.resolved_database_url)

    def snapshot(self) -> Snapshot:
        """What is stored."""
        database = self.open()
        with database.read() as session:
            found = session.scalars(select(Run).order_by(Run.id)).all()
            stored = session.scalars(select(Epoch).order_by(Epoch.number)).all()
            steps = session.scalars(select(RunEvent).order_by(RunEvent.seq)).all()
            rows = [sorted(checkpoints.names(session, run.id)) for run in found]
        database.close()
        return Snapshot(
            [(run.id, run.status, run.attempt, run.epochs_done, run.barren_attempts, run.error) for run in found],
            [(epoch.number, epoch.attempt) for epoch in stored],
            [*rows],
            [(step.kind, step.from_status, step.to_status, step.attempt) for step in steps],
            [run.lease_until is None for run in found],
        )

    def _empty(self) -> None:
        shutil.rmtree(self.settings.data_dir, ignore_errors=True)
        self.settings.data_dir.mkdir(parents=True)
        migrate.upgrade(self.settings.resolved_database_url)
        database = self.open()
        with database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != StreamPosition.__tablename__:
                    session.execute(delete(table))
            _restart_numbers(session)
        assert add_worker(database) == 1
        database.close()


def _restart_numbers(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        for table in ("run", "worker", "launch", "checkpoint"):
            session.connection().exec_driver_sql(f"ALTER SEQUENCE {table}_id_seq RESTART")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def stage(request: pytest.FixtureRequest, crasher: Crasher, quick_folder: Path, valkey: ValkeyServer) -> Stage:
    """A place for operations, over either database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    settings = Settings(data_dir=quick_folder / "data", database_url=url, redis_url=valkey.url)
    return Stage(crasher, settings, quick_folder / "templates")


class TestACrash:
    @pytest.mark.timeout(1800)
    @pytest.mark.parametrize(
        "operation", [pytest.param(name, marks=[pytest.mark.long] if name in LONG_ONLY else []) for name in BEFORE]
    )
    def test_at_any_point_leaves_all_or_nothing_and_the_run_goes_on(
        self, operation: str, stage: Stage, crasher: Crasher, monkeypatch: pytest.MonkeyPatch, note: Note
    ) -> None:
        """Ended at any of its points, an operation is done or not done, and what follows completes the run."""
        stage.set_up(operation)
        before = stage.snapshot()
        whole = crasher.do(operation, stage.settings)
        assert whole.status == 0
        after = stage.snapshot()
        assert any(name.endswith("COMMIT") for name in whole.points)
        left = 0
        for fatal, name in enumerate(whole.points, 1):
            stage.set_up(operation)
            crashed = crasher.do(operation, stage.settings, fatal)
            where = f"{operation}, point {fatal} of {len(whole.points)}: {name}"
            assert (crashed.status, crashed.points[-1:]) == (CRASHED, [name]), where
            assert stage.snapshot() in (before, after), where
            left += _recover(stage, operation, monkeypatch, where)
        note(
            f"{operation} crashed over {'SQLite' if not stage.settings.database_url else 'Postgres'}",
            "all or nothing",
            f"{len(whole.points)} points; {left} files without a row in runs that ended",
        )


def _recover(stage: Stage, operation: str, monkeypatch: pytest.MonkeyPatch, where: str) -> int:
    """Let everything go on an hour later, and complete the run; how many files are left that no row names."""
    database, bag = stage.open(), MessageBag()
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda _session: datetime.now(UTC) + timedelta(hours=1))
        submission = Submission(database, bag, Silence())
        if operation == "launch":  # the client has had no answer, and asks again
            submission.launch(LaunchOrder(TrainConfig(epochs=EPOCHS, width=1), [0]), "once")
        with database.write() as session:
            workers.beat(session, 1)
        Reaper(database, bag, Silence(), LEASE_S).sweep()
        with database.read() as session:
            (run,) = session.scalars(select(Run)).all()
        assert run.status not in LIVE_STATUSES, where
        assert (run.status is RunStatus.QUEUED) == (run.id in bag.messages), where
        if run.status is RunStatus.PAUSED:
            submission.resume(run.id)
        extra = _check_files(stage, database, run.id, where)
        if extra and run.status is RunStatus.QUEUED:
            extra -= _tidy(stage, database, run.id, where)
        _complete(database, run.id, where)
    database.close()
    return extra


def _tidy(stage: Stage, database: Database, run_id: int, where: str) -> int:
    """Let the next attempt delete what no row names, and give the run back; how many files went."""
    with database.write() as session:
        claim = lifecycle.claim(session, run_id, 1, 1, LEASE_S)
    assert claim is not None
    before = _check_files(stage, database, run_id, where)
    assert stage.crasher.do("tidy", stage.settings, attempt=claim.attempt).status == 0
    assert _check_files(stage, database, run_id, where) == 0, where
    with database.write() as session:
        lifecycle.give_back(session, run_id, claim.attempt, "It has only tidied up.", blameless=True)
    return before


def _check_files(stage: Stage, database: Database, run_id: int, where: str) -> int:
    """Whether each checkpoint that counts is whole; how many files do not count."""
    with database.read() as session:
        rows = checkpoints.newest_first(session, run_id)
    folder = stage.settings.checkpoints_dir(run_id)
    for row in rows:
        content = (folder / row.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (row.size, row.sha256), where
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    return len(there - {row.name for row in rows})


def _complete(database: Database, run_id: int, where: str) -> None:
    """Train what is left in a new attempt, where something is; then all epochs are there, once."""
    with database.write() as session:
        claim = lifecycle.claim(session, run_id, 1, 1, LEASE_S)
        rows = checkpoints.newest_first(session, run_id)
    if claim is not None:
        recorder = Recorder(database, Silence(), run_id, claim.attempt, EPOCHS, 1.0, Retention(1, 0))
        recorder.ready({})
        for epoch in range(rows[0].epochs_done if rows else 0, EPOCHS):
            recorder.add(epoch_report(epoch))
    with database.read() as session:
        run = runs.load(session, run_id)
        numbers = [epoch.number for epoch in epochs.after(session, run_id, -1)]
    assert run.status in FINAL_STATUSES, where
    assert numbers == list(range(run.epochs_done)), where
    assert run.status is not RunStatus.FINISHED or len(numbers) == EPOCHS, where
    if claim is not None:
        assert run.status is RunStatus.FINISHED, where
