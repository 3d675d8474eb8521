from pydantic import Field

from backend.api.schemas.base import Answer
from backend.contract import RunStatus
from backend.contract.numbers import NonFiniteWord


class NonFiniteBatch(Answer):
    """A batch's value that was infinite or not a number."""

    number: int
    name: str
    value: NonFiniteWord


class BatchColumns(Answer):
    """What came of a run's batches, as columns of equal length: each measured on x', before its update."""

    run_id: int
    status: RunStatus
    batches_per_epoch: int = Field(description="Batch 0 is the first of epoch 0; batch `batches_per_epoch` of epoch 1.")
    first: int = Field(description="As it was asked for.")
    end: int | None = Field(description="As it was asked for.")
    of: int = Field(description="Batches in that range; where they are more than was asked for, extremes are kept.")
    numbers: list[int] = Field(description="Of batches, counted through all epochs, from 0.")
    columns: dict[str, list[float | None]] = Field(
        description="`cost`: means in nats; `accuracy`: fractions. Null where a value is not finite."
    )
    non_finite: list[NonFiniteBatch]
    seq: int = Field(description="Of the newest event when this was read.")
