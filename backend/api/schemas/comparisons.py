from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from backend.analysis import GROUP_FIELDS, Band, Statistic, X
from backend.api.schemas.base import Answer, CleanText
from backend.contract import METRIC_NAMES, REFERENCES, RunStatus, TrainConfig
from backend.db.filters import MAX_FILTER_LENGTH

MAX_RUNS = 100
MAX_WIDTH = 8_000  # pixels
COLUMNS = ("last", "best", "at")
RESULTS = ("epochs_done", *(f"{which}_{name}" for which in COLUMNS for name in METRIC_NAMES), "seconds")
QUANTITIES = (*TrainConfig.model_fields, *RESULTS)
Metric = Literal["train_accuracy", "train_cost", "test_accuracy", "test_cost", "epoch_seconds", "images_per_second"]


class ViewQuery(BaseModel):
    """What a comparison shows, as it stands in the page's address."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    runs: Annotated[str, Field(pattern=r"^(\d{1,18}(,\d{1,18})*)?$", max_length=4000)] = Field(
        "", description="Ids of runs, comma between."
    )
    filter: str = Field("", max_length=MAX_FILTER_LENGTH, description="Instead of ids: the newest runs that meet it.")
    group_by: str = Field(
        "",
        max_length=500,
        description="Fields of the configuration, comma between; all: all but the seed; empty: none.",
    )
    statistic: Statistic = "mean"
    band: Band = "ci"
    metric: Metric = Field("test_accuracy", description="What columns, verdict and difference are about.")
    x: X = Field("epoch", description="time: seconds of training and testing. wall: when it was recorded.")
    smoothing: str = Field("", max_length=20, description="ema:0.6 (a weight) or mean:5 (a window of points).")
    splits: str = Field("train,test", max_length=20, description="train, test or both, comma between.")
    references: str = Field("", max_length=200, description="Published curves, comma between.")
    log: str = Field("", max_length=5, description="Logarithmic axes: x, y or both, comma between.")
    members: bool = Field(False, description="Show the runs of each group behind its line.")
    epoch: int | None = Field(None, ge=1, le=10_000, description="Of the column 'at epoch' and the verdict; from 1.")
    target: float | None = Field(None, description="Of the metric: how soon was it reached?")
    baseline: str = Field(
        "", max_length=20, description="Key of the group, or id of the run, that others are held against."
    )
    against: str = Field("", max_length=20, description="Key of the group that the verdict holds against the baseline.")
    theme: Literal["light", "dark"] = "light"
    width: int = Field(
        0, ge=0, le=MAX_WIDTH, description="Pixels that a line has: it is reduced to them; 0: all points."
    )
    fields: str = Field(
        "",
        max_length=500,
        description="Of scatter and pareto x and y, of parallel the axes: fields and results (last_, best_, at_ …).",
    )
    color: str = Field(
        "", max_length=50, description="Field or result that colours the runs of these three; empty: their own colours."
    )
    points_log: str = Field("", max_length=5, description="Logarithmic axes of scatter and pareto: x, y or both.")

    @field_validator("group_by")
    @classmethod
    def _groups_are_fields(cls, text: str) -> str:
        return _known(text, GROUP_FIELDS, "group_by")

    @field_validator("splits")
    @classmethod
    def _splits_are_known(cls, text: str) -> str:
        return _known(text or "train,test", ("train", "test"), "splits")

    @field_validator("references")
    @classmethod
    def _references_are_known(cls, text: str) -> str:
        return _known(text, tuple(REFERENCES), "references")

    @field_validator("log", "points_log")
    @classmethod
    def _axes_are_known(cls, text: str, info: ValidationInfo) -> str:
        return _known(text, ("x", "y"), str(info.field_name))

    @field_validator("fields")
    @classmethod
    def _quantities_are_known(cls, text: str) -> str:
        return _known(text, QUANTITIES, "fields")

    @field_validator("color")
    @classmethod
    def _color_is_a_quantity(cls, text: str) -> str:
        if text and text not in QUANTITIES:
            raise ValueError(f"color is {text!r}; there are {', '.join(QUANTITIES)}")
        return text


Hidden = Annotated[
    str,
    Field(
        max_length=4000,
        description="Of html: lines that wait in the legend; 7: all of run or group 7, 8.train: its of training.",
    ),
]
Zoom = Annotated[str, Field(max_length=120, description="Of html: the part that is shown; two ends of x, two of y.")]


class ExportQuery(ViewQuery):
    """A view, which of its tables a file holds, and how a reader left the page's charts."""

    rows: Literal["shown", "runs", "groups"] = Field(
        "shown", description="Of csv, json and parquet: each run's epochs, each group's, or what the view draws."
    )
    chart: Literal["scatter", "parallel", "pareto"] = Field(
        "scatter", description="Of html: the chart whose axes `fields` are and whose part is `zoom_points`."
    )
    hidden_accuracy: Hidden = ""
    hidden_cost: Hidden = ""
    zoom_accuracy: Zoom = ""
    zoom_cost: Zoom = ""
    zoom_difference: Zoom = ""
    zoom_points: Zoom = ""


def _known(text: str, words: tuple[str, ...], name: str) -> str:
    for word in text.split(",") if text else ():
        if word not in words:
            raise ValueError(f"{name} holds {word[:40]!r}; there are {', '.join(words)}")
    return text


def listed(text: str) -> list[str]:
    """The words of a parameter, in order."""
    return text.split(",") if text else []


class PointInfo(Answer):
    """A value and its epoch, counted from 1."""

    epoch: int
    value: float


class ComparedRun(Answer):
    """A run beside others: only what differs, and what came of it."""

    id: int
    name: str
    label: str = Field(description="The name, as short as still tells it from the others'.")
    status: RunStatus
    group: str | None
    seed: int
    differs: dict[str, Any]
    epochs_done: int
    seconds: float = Field(description="Of training and testing, summed over its epochs.")
    non_finite: int = Field(description="How many values of the metric were NaN or infinite.")
    last: PointInfo | None = Field(description="Its newest value.")
    best: PointInfo | None = Field(description="Chosen among all its epochs, so it flatters long runs.")
    at: PointInfo | None = Field(description="Its value at `epoch`.")
    difference: float | None = Field(description="Its value at `epoch` minus the baseline run's.")


class GroupValue(Answer):
    """A statistic over the runs of a group that have a value."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class ComparedGroup(Answer):
    """Runs that are equal in all that they are grouped by."""

    key: str
    label: str
    fields: dict[str, Any]
    runs: list[int]
    last: GroupValue = Field(description="Over each run's newest value.")
    best: GroupValue = Field(description="Over each run's best value.")
    at: GroupValue = Field(description="Over the values at `epoch`.")
    difference: float | None = Field(description="Its value at `epoch` minus the baseline group's.")


class IntervalInfo(Answer):
    """A mean with its 95 % interval; null where it can't be told."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


class TargetInfo(Answer):
    """How soon both groups were as good as the target; lists hold baseline and other."""

    target: float
    pairs: int
    reached: tuple[int, int]
    median_epochs: tuple[float | None, float | None]
    median_seconds: tuple[float | None, float | None]
    epochs: IntervalInfo | None
    seconds: IntervalInfo | None


class VerdictInfo(Answer):
    """Two groups, paired by seed."""

    sentence: str
    metric: str
    baseline: str
    other: str
    baseline_key: str
    other_key: str
    epoch: int | None
    is_better: bool | None
    at_epoch: IntervalInfo
    effect: float | None = Field(description="Cohen's d of paired differences: mean / standard deviation.")
    effect_hedges: float | None = Field(description="The same, corrected for few pairs.")
    to_target: TargetInfo | None
    pairs: list[tuple[int, int]]
    left_out: list[int]


class Comparison(Answer):
    """What differs between runs, what came of them, and whether one group is better."""

    seq: int = Field(description="Up to which event this is.")
    total: int = Field(description="How many runs meet the filter; more than are shown if it is above their number.")
    metric: str
    epoch: int | None = Field(description="Of the column `at`: as asked, or the last that every run has; from 1.")
    baseline: str | None
    differing: list[str]
    same: dict[str, Any]
    runs: list[ComparedRun]
    groups: list[ComparedGroup]
    verdict: VerdictInfo | None


# A slash begins the address of the table, and of nothing else: what is kept leads to no other site.
ViewState = Annotated[
    str,
    Field(
        max_length=6000,
        pattern=r"^(/\?[\x20-\x7e]*|[\x20-\x2e\x30-\x7e][\x20-\x7e]*)?$",
        description="The query string of the compare page's address, or `/?` and that of the table of runs.",
    ),
]


class ViewBody(BaseModel):
    """A named state of the compare page or of the table of runs."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[CleanText, Field(min_length=1, max_length=100)]
    state: ViewState


class ViewChange(BaseModel):
    """What may be changed of a view."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[CleanText, Field(min_length=1, max_length=100)] | None = None
    state: ViewState | None = None


class ViewInfo(Answer):
    """A view that is kept."""

    id: int
    name: str
    state: str
    page: Literal["runs", "compare"] = Field(description="Where it opens: the table of runs, or the compare page.")
    address: str = Field(description="The page's address that shows it.")
    created_at: datetime
    changed_at: datetime
