from datetime import datetime
from typing import Literal

from pydantic import Field

from backend.api.schemas.base import Answer
from backend.api.schemas.runs import Metrics
from backend.contract import RunStatus


class CheckpointInfo(Answer):
    """A state of the run that is kept."""

    id: int
    epochs_done: int
    batch: int = Field(description="Batches done in the epoch after those; 0: at its beginning.")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the file.")
    state_hash: str = Field(description="SHA-256 of weights and optimizer state: equal bits, equal hash.")
    created_at: datetime


class RunEventInfo(Answer):
    """One thing that happened to a run."""

    seq: int
    at: datetime
    kind: str
    from_status: RunStatus | None
    to_status: RunStatus | None
    attempt: int
    note: str | None


class NonFinite(Answer):
    """A value that was infinite or not a number."""

    epoch: int
    name: str
    value: Literal["NaN", "Infinity", "-Infinity"]


class MetricColumns(Answer):
    """Metrics of a run as columns of equal length, in order of epoch."""

    run_id: int
    status: RunStatus
    epochs: list[int]
    columns: dict[str, list[float | None]]
    recorded_at: list[datetime]
    state_hashes: list[str | None] = Field(description="SHA-256 of weights and optimizer state after each epoch.")
    non_finite: list[NonFinite]
    seq: int = Field(description="Follow /stream from here: everything up to it is in this answer.")


class Spark(Answer):
    """A run's test accuracy, small: about 60 epochs, evenly spaced, the last one always."""

    run_id: int
    epochs: list[int]
    test_accuracy: list[float | None]


class EpochInfo(Metrics):
    """One epoch of one run."""

    run_id: int
    epoch: int
    epoch_seconds: float
    images_per_second: float
    dilation_lambda: float | None
    recorded_at: datetime
    non_finite: dict[str, str]


class Packed(Answer):
    """A column of numbers: little-endian 64-bit floats in base64, NaN where there is none."""

    dtype: Literal["f8"] = "f8"
    bdata: str


class EpochColumns(Answer):
    """Many epochs, each at one place of every column."""

    run_ids: list[int]
    epochs: list[int]
    columns: dict[str, Packed]
    recorded_at: Packed = Field(description="Seconds since 1970 UTC.")
    non_finite: dict[int, dict[str, str]] = Field(description="By place: which metrics were not finite, and what.")


class LogTail(Answer):
    """The end of an attempt's log."""

    attempt: int
    text: str
