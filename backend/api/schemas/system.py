from datetime import datetime

from pydantic import Field

from backend.api.schemas.base import Answer
from backend.contract import RunStatus


class GpuColumns(Answer):
    """One GPU of a run; null: its driver does not tell, or the run did not have it then."""

    number: int = Field(description="By which CUDA knows it on its host.")
    busy: list[float | None] = Field(description="Fraction of the time in which it computed.")
    busy_max: list[float | None]
    memory_bytes: list[int | None] = Field(description="The most that was taken.")


class SystemColumns(Answer):
    """What a run took of its machine, as columns of equal length, by attempt and time."""

    run_id: int
    status: RunStatus
    threads: int | None = Field(description="What all of the processor means in `cpu`; null: never begun.")
    peak_memory_bytes: int | None = Field(description="The most that any of the run's processes has held.")
    attempts: list[int]
    started_at: list[datetime] = Field(description="When the time began that each point stands for.")
    seconds: list[float] = Field(description="And how long it was.")
    columns: dict[str, list[float | None]] = Field(
        description="`cpu`, `cpu_max`: fraction of the run's threads, more than 1 where other threads computed too; "
        "`memory_bytes`, `memory_max_bytes`: resident; `host_free_bytes`: the least that the host could still give."
    )
    gpus: list[GpuColumns]
    of: int = Field(description="Points that are kept; where they are more than was asked for, neighbours are joined.")
    seq: int = Field(description="Of the newest event when this was read.")
