from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.api.schemas.base import Answer, CleanText, Tag
from backend.contract import TrainConfig
from backend.contract.config import MAX_SEED

MAX_SEEDS = 50


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
