import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from backend.backup import BackupFailed, back_up
from backend.db import epochs, events, migrate, runs, sqlite, sqlite_files
from backend.db.engine import Database
from backend.errors import DatabaseUnusable
from backend.maintenance import Maintenance
from backend.prepare import NotReady, prepare
from backend.settings import Settings
from benchmarks import writers
from tests.builders import add_run, epoch_report, start_run
from tests.service import until


@pytest.fixture
def path(migrated_file: Path, tmp_path: Path) -> Path:
    """A SQLite file with the newest tables."""
    path = tmp_path / "lab.sqlite3"
    shutil.copyfile(migrated_file, path)
    return path


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """The database in that file."""
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def pragma(database: Database, name: str, *, writes: bool) -> object:
    with database.write() if writes else database.read() as session:
        return session.execute(text(f"PRAGMA {name}")).scalar()


class TestConnections:
    @pytest.mark.parametrize("writes", [True, False])
    @pytest.mark.parametrize(
        ("name", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)]
    )
    def test_are_safe_ones(self, database: Database, name: str, value: object, writes: bool) -> None:
        """Every connection has a write-ahead log, flushes at each commit, checks keys, and waits 30 s for a writer."""
        assert pragma(database, name, writes=writes) == value

    @pytest.mark.parametrize("writes", [True, False])
    def test_begin_no_checkpoint_where_that_may_lose_a_commit(self, database: Database, writes: bool) -> None:
        """With a SQLite that has the WAL-reset bug, no connection moves the log by itself."""
        expected = 0 if sqlite.has_wal_reset_bug() else 1000
        assert pragma(database, "wal_autocheckpoint", writes=writes) == expected

    def test_that_read_refuse_to_write(self, database: Database) -> None:
        """A reading session changes nothing, also by mistake."""
        with pytest.raises(OperationalError, match="readonly"), database.read() as session:
            events.next_seq(session)

    def test_take_the_lock_when_they_begin(self, database: Database, path: Path) -> None:
        """A session that will write holds the lock from its first look on, so that reading first can't make it fail."""
        with database.write() as session, sqlite3.connect(path, timeout=0) as other:
            events.last_seq(session)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            assert other.execute("SELECT value FROM stream_position").fetchone() == (0,)
        other.close()

    def test_threads_wait_in_line_for_the_one_that_writes(self, database: Database) -> None:
        """Sixteen threads share one writing connection: at no time are two in a transaction, and all come to be."""
        inside, most, done = [0], [0], []

        def write() -> None:
            for _ in range(20):
                with database.write() as session:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    done.append(events.next_seq(session))
                    inside[0] -= 1

        threads = [threading.Thread(target=write) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1]
        assert done == list(range(1, 321))

    def test_that_write_are_never_asked_for_twice_by_one_thread(self, database: Database) -> None:
        """A write within a write is an error at once, and not after a wait for itself."""
        with database.write() as session:
            with pytest.raises(RuntimeError, match="write within a write"), database.write():
                pass
            events.next_seq(session)
        with database.read() as session:
            assert events.last_seq(session) == 1


class TestTheBug:
    @pytest.mark.parametrize(
        ("version", "has_it"),
        [
            ((3, 6, 23), False),
            ((3, 7, 0), True),
            ((3, 40, 1), True),
            ((3, 44, 5), True),
            ((3, 44, 6), False),
            ((3, 45, 0), True),
            ((3, 50, 6), True),
            ((3, 50, 7), False),
            ((3, 51, 2), True),
            ((3, 51, 3), False),
            ((3, 53, 0), False),
        ],
    )
    def test_is_in_these_versions(self, version: tuple[int, int, int], has_it: bool) -> None:
        """3.7.0 to 3.51.2 may lose a commit, apart from the repaired 3.44.6 and 3.50.7."""
        assert sqlite.has_wal_reset_bug(version) is has_it


class TestTheLog:
    def test_is_moved_while_nobody_writes(self, database: Database, path: Path) -> None:
        """A checkpoint waits for the writer, moves everything, and the next commit begins the log anew."""
        for _ in range(300):
            add_run(database)
        held, released, order = threading.Event(), threading.Event(), []

        def write() -> None:
            with database.write() as session:
                events.next_seq(session)
                held.set()
                released.wait(10)
                order.append("commit")

        def checkpoint() -> None:
            assert database.checkpoint()
            order.append("checkpoint")

        threads = [threading.Thread(target=write), threading.Thread(target=checkpoint)]
        threads[0].start()
        held.wait(10)
        threads[1].start()
        released.set()
        for thread in threads:
            thread.join()
        assert order == ["commit", "checkpoint"]
        with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as alone:  # the database's file without its log
            assert alone.execute("SELECT count(*) FROM run").fetchone() == (300,)
        alone.close()
        grown = sqlite.log_bytes(path)
        add_run(database)
        assert sqlite.log_bytes(path) == grown

    def test_waits_for_who_still_reads_an_older_state(self, database: Database) -> None:
        """A reader keeps its state, and is not waited for: the rest of the log is moved the next time."""
        add_run(database)
        with database.read() as session:
            before = events.last_seq(session)
            add_run(database)
            assert not database.checkpoint()
            assert events.last_seq(session) == before
        assert database.checkpoint()

    def test_stays_short_while_the_service_runs(
        self, database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The backend's maintenance moves the log again and again, and the rest of it at the end."""
        monkeypatch.setattr("backend.maintenance.CHECKPOINT_EVERY_S", 0.02)
        monkeypatch.setattr("backend.maintenance.LEAST_LOG_BYTES", 100_000)
        maintenance = Maintenance(database)
        maintenance.start()
        longest = 0
        for _ in range(200):
            add_run(database)
            longest = max(longest, sqlite.log_bytes(path))
            time.sleep(0.002)
        maintenance.stop()
        with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as alone:
            assert alone.execute("SELECT count(*) FROM run").fetchone() == (200,)
        alone.close()
        assert 100_000 < longest < 2_000_000

    def test_is_tended_on_after_a_failure(
        self, database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk, which is no error of SQLAlchemy's, does not end the maintenance: the log is moved after it."""
        monkeypatch.setattr("backend.maintenance.CHECKPOINT_EVERY_S", 0.01)
        monkeypatch.setattr("backend.maintenance.LEAST_LOG_BYTES", 1)
        tries, move = [], sqlite.move_log

        def move_when_there_is_room(place: Path) -> bool:
            tries.append(place)
            if len(tries) < 3:
                raise sqlite3.OperationalError("database or disk is full")
            return move(place)

        monkeypatch.setattr(sqlite, "move_log", move_when_there_is_room)
        add_run(database)
        maintenance = Maintenance(database)
        maintenance.start()
        assert until(lambda: len(tries) >= 3)
        maintenance.stop()
        assert not sqlite_files.was_left_open(path)


class TestManyWriters:
    def test_lose_nothing_and_are_never_locked_out(self, path: Path, figure: Callable[[str], None]) -> None:
        """Eight processes that write without a pause for two seconds: none fails, and every epoch is stored once."""
        figures = writers.measure(f"sqlite:///{path}", writers=8, seconds=2)
        figure(f"SQLite, 8 writers: {figures}")
        assert figures.is_whole


class TestAnEndWithoutOrder:
    def test_is_known_by_a_mark(self, database: Database, path: Path) -> None:
        """The mark stands while the service runs, and goes with an end in order."""
        maintenance = Maintenance(database)
        maintenance.start()
        assert sqlite_files.was_left_open(path)
        maintenance.stop()
        assert not sqlite_files.was_left_open(path)

    def test_lets_a_sound_database_start(self, database: Database, path: Path, tmp_path: Path) -> None:
        """After it, a database that is whole is used as before."""
        run_id = add_run(database)
        sqlite_files.mark_in_use(path)
        prepare(Settings(data_dir=tmp_path))
        with database.read() as session:
            assert runs.load(session, run_id).id == run_id

    @pytest.mark.parametrize("kind", ["pages", "keys", "header"])
    def test_refuses_a_damaged_database(self, database: Database, path: Path, tmp_path: Path, kind: str) -> None:
        """After it, a database with overwritten pages, lost rows or no header is refused with the way out."""
        for _ in range(200):
            add_run(database)
        database.checkpoint()
        database.close()
        damage(path, kind)
        sqlite_files.mark_in_use(path)
        with pytest.raises(NotReady, match=r"is damaged .* back-up in its place"):
            prepare(Settings(data_dir=tmp_path))


def damage(path: Path, kind: str) -> None:
    """Do to a database what a disk may do."""
    if kind == "keys":
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM launch WHERE id = 7")
        connection.close()
        return
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_run_launch_id'").fetchone()
    connection.close()
    with path.open("r+b") as file:
        if kind == "pages":
            file.seek((page - 1) * 4096)
        file.write(b"\xff" * 100)


class TestAnUpgrade:
    def test_copies_the_database_first(self, tmp_path: Path) -> None:
        """Before older tables are changed, the database is copied; where they are new nothing is."""
        path = tmp_path / "lab.sqlite3"
        migrate.upgrade(f"sqlite:///{path}", "0001")
        for _ in range(2):
            prepare(Settings(data_dir=tmp_path))
        copies = sorted(found.name for found in tmp_path.glob("*before*"))
        assert copies == ["lab-before-upgrade-from-0001.sqlite3"]
        assert migrate.revision(f"sqlite:///{tmp_path / copies[0]}") == "0001"
        assert migrate.is_current(f"sqlite:///{path}")


class TestNetworkFileSystems:
    @pytest.mark.parametrize(
        ("kind", "refused"),
        [
            ("nfs4", True),
            ("cifs", True),
            ("9p", True),
            ("fuse.sshfs", True),
            ("fuse.glusterfs", True),
            ("ext4", False),
            ("overlay", False),
            ("tmpfs", False),
            ("fuse.ntfs-3g", False),
        ],
    )
    def test_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool) -> None:
        """A database on a file system that hosts share is not opened; the sentence names it and the ways out."""
        mounts, folder = tmp_path / "mounts", tmp_path / "a disk"
        folder.mkdir()
        place = str(folder).replace(" ", "\\040")
        mounts.write_text(
            f"/dev/vda / ext4 rw 0 0\nserver:/x {place} {kind} rw 0 0\n/dev/b {place}/deeper nfs rw 0 0\n"
        )
        monkeypatch.setattr(sqlite, "MOUNTS", mounts)
        url = f"sqlite:///{folder / 'lab.sqlite3'}"
        if refused:
            with pytest.raises(
                DatabaseUnusable, match=rf"network file system \({kind}\).*LAB_DATA_DIR.*LAB_DATABASE_URL"
            ):
                Database(url)
            with pytest.raises(NotReady, match="network file system"):
                prepare(Settings(data_dir=folder))
        else:
            Database(url).close()

    def test_of_this_machine_are_told_from_local_ones(self, tmp_path: Path) -> None:
        """What the kernel says of real mounts is understood."""
        assert sqlite.file_system_of(Path("/proc/version")) in ("proc", "")
        assert sqlite.file_system_of(tmp_path / "x") != "proc"


class TestABackUp:
    def test_made_while_others_write_is_whole(self, database: Database, tmp_path: Path) -> None:
        """A copy made amid commits is one moment of the database: its numbers fit its events, and it can be used."""
        run_id = add_run(database, epochs=10_000)
        attempt = start_run(database, run_id).attempt
        ended = threading.Event()

        def write() -> None:
            number = 0
            while not ended.is_set():
                with database.write() as session:
                    epochs.append(session, run_id, attempt, epoch_report(number))
                number += 1

        folder = tmp_path / "runs" / str(run_id) / "checkpoints"
        folder.mkdir(parents=True)
        (folder / "one.npz").write_bytes(b"weights")
        writer = threading.Thread(target=write)
        writer.start()
        try:
            said = [back_up(Settings(data_dir=tmp_path), tmp_path / f"copy {number}") for number in range(3)]
        finally:
            ended.set()
            writer.join()
        assert all("was checked" in sentence for sentence in said)
        for number in range(3):
            restored = Settings(data_dir=tmp_path / f"copy {number}")
            prepare(restored)
            copy = Database(restored.resolved_database_url)
            with copy.read() as session:
                stored = epochs.after(session, run_id, -1)
                assert runs.load(session, run_id).epochs_done == len(stored)
                assert [entry.seq for entry in events.after(session, 0, 10**6)] == list(
                    range(1, events.last_seq(session) + 1)
                )
            copy.close()
            assert (restored.checkpoints_dir(run_id) / "one.npz").read_bytes() == b"weights"

    @pytest.mark.usefixtures("path")
    def test_never_writes_over_anything(self, tmp_path: Path) -> None:
        """A folder that holds something is refused, and so are a file and a missing database."""
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "thesis.txt").write_text("years")
        for target in (tmp_path / "full", tmp_path / "full" / "thesis.txt"):
            with pytest.raises(BackupFailed, match="new or empty"):
                back_up(Settings(data_dir=tmp_path), target)
        with pytest.raises(BackupFailed, match="There is no database"):
            back_up(Settings(data_dir=tmp_path / "full"), tmp_path / "copy")
        with pytest.raises(BackupFailed, match="pg_dump"):
            back_up(Settings(database_url="postgresql+psycopg://h/x"), tmp_path / "copy")
