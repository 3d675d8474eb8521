import math
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.api.schemas.base import MAX_ID, MAX_TAGS, Answer, CleanText, Tag
from backend.contract import TrainConfig
from backend.contract.config import MAX_SEED
from backend.submission import LaunchOrder

MAX_SEEDS = 50
MAX_RUNS = 200  # of one launch
MAX_GRID_FIELDS = 5
_NOT_IN_GRID = {"seed": "name seeds instead", "backprop": "launch a pair instead"}

GridValues = Annotated[list[Any], Field(min_length=1, max_length=MAX_RUNS)]


class LaunchRequest(BaseModel):
    """What to train: one configuration, on its own, for several seeds, as manual and dilated, or over a grid."""

    model_config = ConfigDict(extra="forbid")

    config: TrainConfig = Field(default_factory=TrainConfig)
    name: Annotated[CleanText, Field(max_length=200)] | None = Field(
        None, description="Empty: made from the configuration."
    )
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS)
    seeds: Annotated[int, Field(ge=1, le=MAX_SEEDS)] | list[Annotated[int, Field(ge=0, le=MAX_SEED)]] | None = Field(
        None, description="A count (seed, seed + 1, …) or a list of seeds; empty: the configuration's seed alone."
    )
    pair: bool = Field(False, description="Launch every seed twice: once manual, once dilated.")
    grid: dict[Annotated[str, Field(max_length=50)], GridValues] = Field(
        default_factory=dict,
        max_length=MAX_GRID_FIELDS,
        description="Fields of the configuration, each with its values: every combination of them is launched.",
    )
    parent_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = Field(
        None, description="The run whose configuration this one was made from; the new runs are its clones."
    )

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

    @model_validator(mode="after")
    def _grid_fits(self) -> Self:
        for name, values in self.grid.items():
            if name not in TrainConfig.model_fields:
                raise ValueError(f"grid names {name!r}, which is no field of the configuration; correct it.")
            if name == "seed" or (name == "backprop" and self.pair):
                raise ValueError(f"grid can't hold {name} here: {_NOT_IN_GRID[name]}, or leave pair out.")
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(
                    f"grid names a value of {name} twice; equal values give equal runs, so name each once."
                )
        sizes = {name: len(values) for name, values in self.grid.items()}
        total = math.prod(sizes.values()) * len(self.seed_list()) * (2 if self.pair else 1)
        if total > MAX_RUNS:
            counts = ", ".join(f"{size} of {name}" for name, size in sizes.items())
            raise ValueError(
                f"grid asks for {total} runs ({counts or 'no values'}, times {len(self.seed_list())} seeds"
                f"{', times a pair' if self.pair else ''}); {MAX_RUNS} can be launched at once. Take fewer values."
            )
        for changes in self.combinations():
            _check(self.config, changes)
        return self

    def seed_list(self) -> list[int]:
        """The seeds to run, one by one."""
        if self.seeds is None:
            return [self.config.seed]
        if isinstance(self.seeds, list):
            return self.seeds
        return [self.config.seed + offset for offset in range(self.seeds)]

    def combinations(self) -> list[dict[str, Any]]:
        """What each point of the grid changes; one that changes nothing where there is no grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]

    def order(self) -> LaunchOrder:
        """What is asked for, without HTTP's part of it."""
        return LaunchOrder(
            self.config, self.seed_list(), self.pair, self.name or None, self.tags, self.combinations(), self.parent_id
        )


def _check(config: TrainConfig, changes: dict[str, Any]) -> None:
    """Raise ValueError where the configuration, changed so, is none."""
    try:
        TrainConfig.model_validate(config.model_dump() | changes)
    except ValidationError as error:
        point = ", ".join(f"{name} = {value!r:.40}" for name, value in changes.items())
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"grid holds {point}, which does not fit: {reason.rstrip('.')}.") from None


class EstimateInfo(Answer):
    """How long a launch is likely to take on this machine; null: nothing of its kind was measured yet."""

    runs: int
    epoch_seconds: float | None = Field(description="Of the longest of the runs.")
    run_seconds: float | None = Field(description="Of the longest of the runs.")
    total_seconds: float | None = Field(description="From the first start to the last end, with all slots free.")
    basis: Literal["runs", "calibration"] | None = Field(
        description="runs: epochs of runs of its kind. calibration: a trial with random images, when a worker was idle."
    )
    based_on: list[int] = Field(description="The runs whose epochs were measured.")


class PresetInfo(Answer):
    """A configuration to launch as it is or to start from."""

    name: str
    group: str
    title: str
    description: str
    config: TrainConfig
    pair: bool
    runs: int
    total_seconds: float | None = Field(description="How long it is likely to take here; null: not measured yet.")
