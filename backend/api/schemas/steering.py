from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.api.schemas.base import MAX_ID, MAX_TAGS, Answer, CleanText, Tag
from backend.api.schemas.runs import Priority, RunSummary

MAX_BULK = 500  # runs


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
    action: Literal[
        "stop", "force_stop", "pause", "resume", "retry", "priority", "delete", "restore", "purge", "tag", "untag"
    ]
    priority: Priority | None = Field(None, description="The new one; only with the action priority.")
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS, description="Of `tag` and `untag` alone.")

    @model_validator(mode="after")
    def _priority_belongs_to_its_action(self) -> Self:
        if (self.priority is not None) != (self.action == "priority"):
            given = "is missing" if self.priority is None else f"is given, but the action is {self.action}"
            raise ValueError(f"priority {given}; send it with the action priority, and only with that.")
        return self

    @model_validator(mode="after")
    def _tags_where_needed(self) -> Self:
        if (self.action in ("tag", "untag")) != bool(self.tags):
            raise ValueError("tags belongs to the actions `tag` and `untag`, which need at least one.")
        return self


class BulkRefusal(Answer):
    """A run with which it could not be done, and why."""

    id: int
    message: str


class BulkAnswer(Answer):
    """What became of each run: those that changed (or, for retry, that are new), and those that stayed as they were."""

    runs: list[RunSummary] = Field(description="As they are now; of a purged one, as it was.")
    refused: list[BulkRefusal]
