from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.api.schemas.base import MAX_TAGS, Answer, CleanText, Tag
from backend.contract import Phase, RunAudit, RunStatus, TrainConfig

Action = Literal["stop", "pause", "resume", "branch", "reproduce", "retry", "clone", "delete", "restore"]


MAX_PRIORITY = 1000
Priority = Annotated[
    int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY, description="Runs with the greatest begin first; 0 is usual.")
]


class RunChange(BaseModel):
    """What may be changed of a run: what it is called and when its turn is, never what it computes."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[CleanText, Field(min_length=1, max_length=200)] | None = None
    tags: list[Tag] | None = Field(None, max_length=MAX_TAGS)
    notes: Annotated[CleanText, Field(max_length=10_000)] | None = None
    priority: Priority | None = None


class RunStyle(Answer):
    """How the run is drawn, everywhere and for as long as it exists."""

    color: str
    dark_color: str
    marker: str


class Metrics(Answer):
    """The standard metrics of one epoch."""

    train_accuracy: float | None
    train_cost: float | None
    test_accuracy: float | None
    test_cost: float | None


class ProgressInfo(Answer):
    """How far the epoch under way is."""

    run_id: int
    phase: Phase
    epoch: int
    batch: int
    batches: int
    images_per_second: float | None
    note: str | None
    fraction: float = Field(description="Part of the whole run that is done, 0 to 1.")
    seconds_left: float | None = Field(description="Until the end of the run; null while it can't be told.")
    at: datetime


class ProgressColumns(Answer):
    """How far several runs are, as columns of equal length, each named as in `progress` of a run."""

    run_id: list[int]
    phase: list[Phase]
    epoch: list[int]
    batch: list[int]
    batches: list[int]
    images_per_second: list[float | None]
    note: list[str | None]
    fraction: list[float]
    seconds_left: list[float | None]
    at: datetime = Field(description="Of the newest of them.")


class RunSummary(Answer):
    """A run as lists show it."""

    id: int
    name: str
    tags: list[str]
    status: RunStatus
    recovering: bool = Field(description="Queued again because its worker was lost.")
    config: TrainConfig
    style: RunStyle
    epochs_done: int
    latest: Metrics | None = Field(description="Metrics of the last finished epoch.")
    best_test_accuracy: float | None
    audit: RunAudit | None = Field(description="What came of the gradient audits so far; null: none was made yet.")
    progress: ProgressInfo | None = Field(description="Null unless the run is live.")
    error: str | None
    actions: list[Action] = Field(description="What the run's state allows.")
    priority: Priority
    queue_position: int | None = Field(description="1: next. Null unless queued.")
    waiting_for: str | None = Field(description="What it waits for, as a sentence. Null unless queued.")
    can_start: bool | None = Field(description="Whether the workers here will ever suffice. Null unless queued.")
    launch_id: int
    parent_id: int | None = Field(description="The run that this one came from.")
    relation: Literal["branch", "reproduction", "retry", "clone"] | None = Field(
        description="What it is to its parent."
    )
    start_epoch: int = Field(description="Epochs of its parent that it began after; 0 unless it is a branch.")
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None
    disk_bytes: int = Field(description="What its files took on the disk when that was last looked at.")
    peak_memory_bytes: int | None = Field(
        description="The most memory that any of its processes has held so far; null: not measured."
    )
    has_notes: bool = Field(description="Whether something was written down about it.")


class Reproduction(Answer):
    """How a run compares with the one that it reproduces, as far as both have come."""

    epochs_compared: int
    first_difference: int | None = Field(description="The first epoch, from 0, that differs; null: none does.")
    differs_in: list[str] = Field(description="Metrics of that epoch that differ, and `state_hash`.")


class RunDetail(RunSummary):
    """A run with everything that belongs to it but its series."""

    notes: str
    threads: int | None = Field(description="Fixed when the run is first claimed.")
    environment: dict[str, str] | None = Field(description="Versions and machine of the first attempt.")
    worker: str | None
    autopsy: dict[str, Any] | None = Field(description="Of a run that diverged: what was not finite, where and when.")
    reproduction: Reproduction | None = Field(description="Of a reproduction: how it compares with its parent.")
    children: list[int] = Field(description="Runs that came from this one.")


class StatusCounts(Answer):
    """How many runs are where."""

    running: int = Field(description="In any live state.")
    queued: int
    finished: int
    failed: int
    stopped: int


class RunList(Answer):
    """A page of runs."""

    runs: list[RunSummary]
    next_cursor: str | None
    total: int = Field(description="Runs that match the filter, on all pages.")
    disk_bytes: int = Field(description="What they take on the disk, on all pages.")
    counts: StatusCounts = Field(description="Of all runs, whatever the filter.")
    seq: int = Field(description="Follow /stream from here.")


class RunIds(Answer):
    """Which runs match, and in which order, without anything else of them."""

    ids: list[int]


class Launched(Answer):
    """The runs that a launch made."""

    launch_id: int
    runs: list[RunSummary]


class Removed(Answer):
    """A run that is gone for good."""

    run_id: int
