"""The tables. Other modules of this package hold all the SQL that reads and writes them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.contract import LIVE_STATUSES, RunStatus

_LIVE = ", ".join(f"'{status}'" for status in sorted(LIVE_STATUSES))


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on the Python side in both databases; SQLite keeps it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone, and give SQLite one without."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Put the zone back on."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RunStatusType(TypeDecorator[RunStatus]):
    """A status as its word."""

    impl = String(16)
    cache_ok = True

    def process_bind_param(self, value: RunStatus | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Give the word."""
        return None if value is None else RunStatus(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> RunStatus | None:  # noqa: ARG002
        """Give the status."""
        return None if value is None else RunStatus(value)


class Base(DeclarativeBase):
    """Common naming and types, so that migrations name what they change."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it as it is)
        datetime: UtcDateTime,
        RunStatus: RunStatusType,
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        dict[str, str]: JSON().with_variant(JSONB(), "postgresql"),
        list[str]: JSON().with_variant(JSONB(), "postgresql"),
    }


class StreamPosition(Base):
    """The one row that numbers events: its lock makes the order of commits the order of numbers."""

    __tablename__ = "stream_position"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


class Launch(Base):
    """One request to train, and the key by which a repeated request is known."""

    __tablename__ = "launch"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Worker(Base):
    """A worker process that has reported itself."""

    __tablename__ = "worker"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    host: Mapped[str] = mapped_column(String(200))
    slots: Mapped[int]
    threads_per_slot: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    draining: Mapped[bool] = mapped_column(default=False)  # it finishes what it has, and takes no more
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)  # resident, of the worker itself
    children_bytes: Mapped[int | None] = mapped_column(BigInteger)  # and of the processes that train for it
    barren_losses: Mapped[int] = mapped_column(default=0)  # attempts lost here since one last trained a batch
    barren_runs: Mapped[int] = mapped_column(default=0)  # how often the run changed among them
    last_lost_run_id: Mapped[int | None]
    rests_until: Mapped[datetime | None]  # it takes no run before
    rest_reason: Mapped[str | None] = mapped_column(Text)


class Device(Base):
    """A place for a run: a GPU of a worker's host, or one of the shares in which it gives away its processor."""

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("worker_id", "kind", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("worker.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))  # "cpu" or "gpu"
    number: Mapped[int]  # of a GPU: by which CUDA knows it
    name: Mapped[str] = mapped_column(String(200))
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"), index=True)  # that holds it


class Run(Base):
    """A training run: its configuration, where it is in its life, and its newest figures."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(f"status NOT IN ({_LIVE}) OR lease_until IS NOT NULL", name="live_has_lease"),
        CheckConstraint("status <> 'queued' OR queued_at IS NOT NULL", name="queued_has_time"),
        Index("ix_run_status_lease_until", "status", "lease_until"),
        {"sqlite_autoincrement": True},  # an id is never given twice, also after the newest run was removed for good
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    launch_id: Mapped[int] = mapped_column(ForeignKey("launch.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    tags: Mapped[list[str]]
    notes: Mapped[str] = mapped_column(Text, default="")
    config: Mapped[dict[str, Any]]
    palette_index: Mapped[int]

    status: Mapped[RunStatus]
    priority: Mapped[int] = mapped_column(default=0)  # the greatest is claimed first
    queue_order: Mapped[int] = mapped_column(default=0)  # among equal priorities: the least first, then the oldest
    attempt: Mapped[int] = mapped_column(default=0)
    barren_attempts: Mapped[int] = mapped_column(default=0)  # attempts lost by the run since its last progress
    blameless_attempts: Mapped[int] = mapped_column(default=0)  # and those of them that were no fault of the run's
    lease_until: Mapped[datetime | None]
    message_sent_at: Mapped[datetime | None]
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    worker_name: Mapped[str | None] = mapped_column(String(200))  # kept when the worker's row is gone
    threads: Mapped[int | None]
    environment: Mapped[dict[str, str] | None]
    error: Mapped[str | None] = mapped_column(Text)
    autopsy: Mapped[dict[str, Any] | None]  # what was not finite where, of a run that diverged
    audit_verdict: Mapped[str | None] = mapped_column(String(16))  # the heaviest of contract.RunAudit so far

    parent_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"), index=True)
    relation: Mapped[str | None] = mapped_column(String(16))  # to its parent: "branch" or "reproduction"
    start_epoch: Mapped[int] = mapped_column(default=0)  # epochs of its parent that a branch begins after

    epochs_done: Mapped[int] = mapped_column(default=0)
    train_accuracy: Mapped[float | None]
    train_cost: Mapped[float | None]
    test_accuracy: Mapped[float | None]
    test_cost: Mapped[float | None]
    epoch_seconds: Mapped[float | None]
    best_test_accuracy: Mapped[float | None]
    progress: Mapped[dict[str, Any] | None]
    progress_at: Mapped[datetime | None]
    disk_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # of its folder, when last seen
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)  # resident, the most of any of its processes
    measuring_seconds: Mapped[dict[str, Any] | None]  # by what was due together: what measuring it took, the last time

    created_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)


class Epoch(Base):
    """The results of one epoch of one run. Written once, never changed."""

    __tablename__ = "epoch"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    attempt: Mapped[int]
    train_accuracy: Mapped[float | None]
    train_cost: Mapped[float | None]
    test_accuracy: Mapped[float | None]
    test_cost: Mapped[float | None]
    epoch_seconds: Mapped[float]
    images_per_second: Mapped[float]
    measuring_seconds: Mapped[float | None]  # after it, beside epoch_seconds; None: nothing was measured then
    dilation_lambda: Mapped[float | None]
    state_hash: Mapped[str | None] = mapped_column(String(64))  # SHA-256 of weights and optimizer state after it
    non_finite: Mapped[dict[str, str]]  # the metrics that were infinite or not a number, and which of them
    recorded_at: Mapped[datetime]


class Checkpoint(Base):
    """A state that lies in the run's folder. Its row is written after the file is on the disk, with its epoch."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    epochs_done: Mapped[int]
    batch: Mapped[int]  # batches done in the epoch after those
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    sha256: Mapped[str] = mapped_column(String(64))  # of the file
    state_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class RunEvent(Base):
    """What happened to a run, in order. It outlives a run that was removed, so that pages learn of that too."""

    __tablename__ = "run_event"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    from_status: Mapped[RunStatus | None]
    to_status: Mapped[RunStatus | None]
    attempt: Mapped[int]
    note: Mapped[str | None] = mapped_column(Text)


class View(Base):
    """A state of the compare page that somebody has named."""

    __tablename__ = "view"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(Text)  # the address's query string
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
