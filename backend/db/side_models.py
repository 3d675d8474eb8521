"""The tables of what is measured beside a run's training, and of work that belongs to no run."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.models import Base


class LayerStat(Base):
    """One layer on the probe batch, after so many epochs: a `LayerMeasurement`, laid flat. Written once."""

    __tablename__ = "layer_stat"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    epochs_done: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    layer: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    verdict: Mapped[str] = mapped_column(String(16))
    tape_error: Mapped[float | None]
    difference_error: Mapped[float | None]
    gradient_norm: Mapped[float | None]
    own_error: Mapped[float | None]
    own_cosine: Mapped[float | None]
    own_norm_ratio: Mapped[float | None]
    has_update: Mapped[bool]  # whether the run is dilated, and the three figures that follow have a meaning
    update_error: Mapped[float | None]
    update_cosine: Mapped[float | None]
    update_norm_ratio: Mapped[float | None]
    weight_norm: Mapped[float | None]
    update_ratio: Mapped[float | None]
    vmax_active: Mapped[float | None]


class BatchChunk(Base):
    """What came of some batches of a run, one after another: columns of float32, little-endian.

    Batches are counted through all epochs. The newest chunk of a run still grows; nothing in it ever changes.
    """

    __tablename__ = "batch_chunk"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    count: Mapped[int]
    costs: Mapped[bytes] = mapped_column(LargeBinary)
    accuracies: Mapped[bytes] = mapped_column(LargeBinary)


class AttackOutcome(Base):
    """How many attacked test images are still classified rightly after so many epochs. Written once."""

    __tablename__ = "attack_result"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    epochs_done: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attack: Mapped[str] = mapped_column(String(16), primary_key=True)
    epsilon: Mapped[float] = mapped_column(primary_key=True)  # units of the preprocessed input
    accuracy: Mapped[float | None]
    images: Mapped[int]


class Artifact(Base):
    """Something of a run that is small, is no series, and is read as a whole. Written once."""

    __tablename__ = "artifact"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    epochs_done: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SystemPoint(Base):
    """What an attempt took of its machine over some seconds. The newest one of an attempt still grows."""

    __tablename__ = "system_point"

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # a lost one leaves a hole
    started_at: Mapped[datetime]
    seconds: Mapped[float]
    cpu_cores: Mapped[float]
    cpu_cores_max: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    memory_max_bytes: Mapped[int] = mapped_column(BigInteger)
    host_free_bytes: Mapped[int] = mapped_column(BigInteger)
    gpus: Mapped[dict[str, Any]]  # by number: busy, busy_max and memory_bytes of a `GpuUse`


class DatasetJob(Base):
    """Work on a data set that a worker does for whoever asks: a download, histograms."""

    __tablename__ = "dataset_job"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)  # equal for equal work: it is done once
    kind: Mapped[str] = mapped_column(String(16))
    dataset: Mapped[str] = mapped_column(String(32), index=True)
    arguments: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(String(64))  # of the files that the result is made from
    state: Mapped[str] = mapped_column(String(16), index=True)
    attempt: Mapped[int]
    losses: Mapped[int]  # attempts that were lost since it was asked for
    lease_until: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None]
    queued_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Calibration(Base):
    """How fast a host computes a kind of network, measured without a run."""

    __tablename__ = "calibration"

    host: Mapped[str] = mapped_column(String(200), primary_key=True)
    network: Mapped[str] = mapped_column(String(16), primary_key=True)
    precision: Mapped[str] = mapped_column(String(16), primary_key=True)
    threads: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    width: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    multiply_adds_per_second: Mapped[float]
    measured_at: Mapped[datetime]
