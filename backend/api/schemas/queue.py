from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.api.schemas.base import MAX_ID, Answer
from backend.api.schemas.runs import RunSummary
from backend.contract import Device

WorkerState = Literal["alive", "resting", "draining", "gone"]


class QueueEntry(Answer):
    """A run that waits."""

    position: int = Field(description="1: next.")
    run: RunSummary
    waiting_since: datetime
    expected_start_at: datetime | None = Field(description="A guess from measured epochs; null: it can't be told.")
    waiting_for: str
    can_start: bool = Field(description="Whether the workers that are here will ever suffice.")


class QueueInfo(Answer):
    """The runs that wait, in the order in which they begin where devices suffice."""

    entries: list[QueueEntry]
    total: int = Field(description="Runs that wait, those beyond the first ones included.")


class QueueMove(BaseModel):
    """Where a queued run shall stand."""

    model_config = ConfigDict(extra="forbid")

    run_id: int = Field(ge=1, le=MAX_ID)
    before: int | None = Field(None, ge=1, le=MAX_ID, description="The run that it shall precede; null: all.")


class DeviceInfo(Answer):
    """A GPU of a worker's host, or one of its CPU slots."""

    id: int
    kind: Device
    number: int
    name: str
    memory_bytes: int | None
    run_id: int | None = Field(description="The run that holds it.")


class WorkerInfo(Answer):
    """A worker process and what it does."""

    id: int
    name: str
    host: str
    slots: int = Field(description="Its devices, CPU slots and GPUs together.")
    threads_per_slot: int
    alive: bool
    draining: bool = Field(description="It finishes the runs that it has, and takes no more.")
    state: WorkerState = Field(
        description="Resting: it takes no run for a while, since run after run was lost there before its first batch."
    )
    state_sentence: str | None = Field(description="Why it rests, or what the state means; null: it takes runs.")
    rests_until: datetime | None = Field(description="It takes no run before; null: it does not rest.")
    heartbeat_at: datetime
    heartbeat_age_s: float
    started_at: datetime
    memory_bytes: int | None = Field(description="Resident, of the worker itself.")
    children_bytes: int | None = Field(description="Resident, of the processes that train for it or wait to do so.")
    devices: list[DeviceInfo]
    runs: list[int]
