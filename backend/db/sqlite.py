"""What SQLite needs to be safe under several processes that write: its connections' settings, and its file's place."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from backend.errors import DatabaseUnusable

BUSY_TIMEOUT_MS = 30_000  # how long a process waits while another one writes
WAL_LIMIT_BYTES = 16_000_000  # what is kept of the write-ahead log's file once its pages are in the database

# Memory that processes share is how SQLite's readers and writers agree in WAL mode, and no network carries that.
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs"}
)
NETWORK_FUSE = frozenset({"cephfs", "davfs2", "gcsfuse", "juicefs", "rclone", "s3fs", "seaweedfs", "sshfs"})
MOUNTS = Path("/proc/self/mounts")
WAL_RESET_WARNING = (
    f"SQLite {sqlite3.sqlite_version} can lose a commit that races a checkpoint (repaired in 3.51.3, 3.50.7, 3.44.6). "
    "The service therefore moves the log itself, while nobody writes. A Python with a newer SQLite needs no such care."
)


def has_wal_reset_bug(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether a checkpoint that races a commit may lose it: 3.7.0 to 3.51.2, apart from two repaired branches.

    Source: sqlite.org/wal.html, "The WAL-reset bug"; repaired in 3.51.3, 3.50.7 and 3.44.6.
    """
    repaired_in = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
    if version < (3, 7, 0) or version >= (3, 52, 0):
        return False
    least = repaired_in.get((version[0], version[1]))
    return least is None or version[2] < least


def path_of(url: str) -> Path | None:
    """The file of a SQLite database; None for other databases, and for one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    assert parsed.database is not None
    return Path(parsed.database)


def build_engine(url: str, *, reads_only: bool, connections: int | None, **options: Any) -> Engine:
    """An engine over a SQLite file.

    Args:
        url: of the file.
        reads_only: a statement that would write is refused.
        connections: at most so many, for which threads wait in line; None: SQLAlchemy's own number.
        options: for SQLAlchemy.

    Raises:
        DatabaseUnusable: the file lies where SQLite can't keep its word.
    """
    path = path_of(url)
    if path is not None:
        refuse_network_file_system(path)
    if connections is not None:
        options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": BUSY_TIMEOUT_MS / 1000}
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **options)

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        _prepare(connection, reads_only=reads_only)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, *, reads_only: bool) -> None:
    # Python's own transaction handling begins deferred and too late: it is switched off, `_begin` does it.
    connection.isolation_level = None
    pragmas = ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"journal_size_limit={WAL_LIMIT_BYTES}"]
    if has_wal_reset_bug():
        # No connection may begin a checkpoint by itself while another one commits: `Database.checkpoint` does it.
        pragmas.append("wal_autocheckpoint=0")
    if reads_only:
        pragmas.append("query_only=ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once under load, whatever the busy timeout
    # (89 to 96 of 100 in a trial with 8 writers); one that takes the lock first waits for its turn.
    writes = connection.get_execution_options().get("lab_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def move_log(path: Path) -> bool:
    """Move the write-ahead log's pages into the database; the caller holds the writer's lock, and so nobody commits.

    That is why the mode is PASSIVE: TRUNCATE takes the lock itself, but where it gets none within the busy timeout it
    goes on without, which is the race that it should prevent.

    Returns:
        Whether all were moved; where a reader still looks at an older state, the rest is for the next time.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA synchronous=FULL")
        busy, in_log, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        connection.close()
    return not busy and in_log == moved


def log_bytes(path: Path) -> int:
    """The length of the write-ahead log's file."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def refuse_network_file_system(path: Path) -> None:
    """Raise DatabaseUnusable where a database's file lies on a file system that several hosts share."""
    kind = file_system_of(path)
    name = kind.removeprefix("fuse.")
    if kind in NETWORK_FILE_SYSTEMS or (kind.startswith("fuse.") and name in NETWORK_FUSE | NETWORK_FILE_SYSTEMS):
        raise DatabaseUnusable(
            f"The folder {path.parent} is on a network file system ({kind}), where SQLite loses data: give a folder on "
            "a local disk with LAB_DATA_DIR, or a Postgres server with LAB_DATABASE_URL. What hosts share, such as "
            "checkpoints, may lie there: LAB_SHARED_DIR."
        )


def file_system_of(path: Path) -> str:
    """The kind of file system on which a path lies; empty where the machine does not tell."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real, found = path.absolute().parent.resolve(), ("", "")
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        place = place.encode("latin-1", "surrogateescape").decode("unicode_escape")  # a space is \040 there
        # The last of several mounts at one place is the one that is seen.
        if real.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]
