"""The JSON of the API: fractions, seconds, UTC; a number that is not finite is null and named in `non_finite`."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from backend.contract import DatasetName, Phase, RunStatus, TrainConfig
from backend.contract.config import MAX_SEED
from backend.contract.text import clean_text

MAX_ID = 2**63 - 1
MAX_SEEDS = 50
MAX_BULK = 500  # runs

CleanText = Annotated[str, AfterValidator(clean_text)]
Tag = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(clean_text)]
Action = Literal["stop", "pause", "resume", "branch", "reproduce", "retry", "clone", "delete", "restore"]

Relation = Literal["branch", "reproduction", "retry", "clone"]


class Answer(BaseModel):
    """Base of every answer: nothing that the schema does not name."""

    model_config = ConfigDict(extra="forbid")


class LaunchRequest(BaseModel):
    """What to train: one configuration, on its own, for several seeds, or as manual and dilated."""

    model_config = ConfigDict(extra="forbid")

    config: TrainConfig = Field(default_factory=TrainConfig)
    name: Annotated[CleanText, Field(max_length=200)] | None = Field(
        None, description="Empty: made from the configuration."
    )
    tags: list[Tag] = Field(default_factory=list, max_length=20)
    seeds: Annotated[int, Field(ge=1, le=MAX_SEEDS)] | list[Annotated[int, Field(ge=0, le=MAX_SEED)]] | None = Field(
        None, description="A count (seed, seed + 1, …) or a list of seeds; empty: the configuration's seed alone."
    )
    pair: bool = Field(False, description="Launch every seed twice: once manual, once dilated.")

    @model_validator(mode="after")
    def _seeds_fit(self) -> Self:
        seeds = self.seed_list()
        if not 1 <= len(seeds) <= MAX_SEEDS:
            raise ValueError(
                f"seeds asks for {len(seeds)} runs of each kind; 1 to {MAX_SEEDS} can be launched at once."
            )
        if len(set(seeds)) < len(seeds):
            raise ValueError("seeds names a seed twice; equal seeds give equal runs, so name each once.")
        if bad := [seed for seed in seeds if not 0 <= seed <= MAX_SEED]:
            raise ValueError(f"seeds holds {bad[0]}; a seed is 0 to {MAX_SEED}.")
        return self

    def seed_list(self) -> list[int]:
        """The seeds to run, one by one."""
        if self.seeds is None:
            return [self.config.seed]
        if isinstance(self.seeds, list):
            return self.seeds
        return [self.config.seed + offset for offset in range(self.seeds)]


class EstimateInfo(Answer):
    """How long a launch is likely to take, by runs of its kind on this machine; null: none was measured yet."""

    runs: int
    epoch_seconds: float | None = Field(description="Of the longest of the runs.")
    run_seconds: float | None = Field(description="Of the longest of the runs.")
    total_seconds: float | None = Field(description="From the first start to the last end, with all slots free.")
    based_on: list[int] = Field(description="The runs whose epochs were measured.")


class RunChange(BaseModel):
    """What may be changed of a run: what it is called, never what it computes."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[CleanText, Field(min_length=1, max_length=200)] | None = None
    tags: list[Tag] | None = Field(None, max_length=20)
    notes: Annotated[CleanText, Field(max_length=10_000)] | None = None


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
    progress: ProgressInfo | None = Field(description="Null unless the run is live.")
    error: str | None
    actions: list[Action] = Field(description="What the run's state allows.")
    queue_position: int | None = Field(description="1: next. Null unless queued.")
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


class CheckpointInfo(Answer):
    """A state of the run that is kept."""

    id: int
    epochs_done: int
    batch: int = Field(description="Batches done in the epoch after those; 0: at its beginning.")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the file.")
    state_hash: str = Field(description="SHA-256 of weights and optimizer state: equal bits, equal hash.")
    created_at: datetime


class BranchRequest(BaseModel):
    """Where a new run takes another one up, and what it does otherwise."""

    model_config = ConfigDict(extra="forbid")

    epoch: int = Field(ge=1, le=10_000, description="Finished epochs of the run after which the new one goes on.")
    config: dict[Annotated[str, Field(max_length=50)], Any] = Field(
        default_factory=dict, max_length=50, description="The fields to change."
    )
    name: Annotated[CleanText, Field(max_length=200)] | None = Field(None, description="Empty: made from the run's.")


class RetryRequest(BaseModel):
    """How a run is tried again."""

    model_config = ConfigDict(extra="forbid")

    from_checkpoint: bool = Field(False, description="Go on after its last finished epoch, not at the beginning.")


class CloneRequest(BaseModel):
    """What a copy of a run does otherwise."""

    model_config = ConfigDict(extra="forbid")

    config: dict[Annotated[str, Field(max_length=50)], Any] = Field(
        default_factory=dict, max_length=50, description="The fields to change."
    )
    name: Annotated[CleanText, Field(max_length=200)] | None = Field(None, description="Empty: made from the run's.")


class BulkRequest(BaseModel):
    """One thing to do with many runs."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=1, le=MAX_ID)]] = Field(min_length=1, max_length=MAX_BULK)
    action: Literal["stop", "pause", "resume", "delete", "restore"]


class BulkRefusal(Answer):
    """A run with which it could not be done, and why."""

    id: int
    message: str


class BulkAnswer(Answer):
    """What became of each run: those that changed, and those that stayed as they were."""

    runs: list[RunSummary]
    refused: list[BulkRefusal]


class RunEventInfo(Answer):
    """One thing that happened to a run."""

    seq: int
    at: datetime
    kind: str
    from_status: RunStatus | None
    to_status: RunStatus | None
    attempt: int
    note: str | None


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
    counts: StatusCounts = Field(description="Of all runs, whatever the filter.")
    seq: int = Field(description="Follow /stream from here.")


class Launched(Answer):
    """The runs that a launch made."""

    launch_id: int
    runs: list[RunSummary]


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


class EpochInfo(Metrics):
    """One epoch of one run."""

    run_id: int
    epoch: int
    epoch_seconds: float
    images_per_second: float
    dilation_lambda: float | None
    recorded_at: datetime
    non_finite: dict[str, str]


class PresetInfo(Answer):
    """A configuration to launch as it is or to start from."""

    name: str
    group: str
    title: str
    description: str
    config: TrainConfig
    pair: bool


class DatasetInfo(Answer):
    """A data set, and whether it is here."""

    name: DatasetName
    title: str
    train_images: int
    test_images: int
    height: int
    width: int
    channels: int
    ready: bool
    folder: str | None = Field(description="Where its files belong, seen from the data folder; null: none needed.")
    missing: list[str] = Field(description="Files that are not there yet.")


class WorkerInfo(Answer):
    """A worker process and what it does."""

    id: int
    name: str
    host: str
    slots: int
    threads_per_slot: int
    alive: bool
    heartbeat_at: datetime
    heartbeat_age_s: float
    started_at: datetime
    runs: list[int]


class Health(Answer):
    """Whether the service can do its work, and what each part says."""

    ready: bool
    version: str
    database: str
    broker: str
    slots: int = Field(description="Runs that the workers now alive can train side by side.")


class Nothing(Answer):
    """No data."""


class Removed(Answer):
    """A run that is gone for good."""

    run_id: int


class LogTail(Answer):
    """The end of an attempt's log."""

    attempt: int
    text: str


class Login(BaseModel):
    """The shared secret."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=1000)


class FieldProblem(Answer):
    """What is wrong with one field of a request."""

    field: str
    message: str
    value: str | None = Field(description="What was sent, shortened.")


class Problem(Answer):
    """What went wrong, in a sentence for the user."""

    code: str
    message: str
    fields: list[FieldProblem] = Field(default_factory=list)


class ErrorAnswer(Answer):
    """Every answer that is not a success."""

    error: Problem
