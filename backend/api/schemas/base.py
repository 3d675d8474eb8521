from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from backend.contract.text import clean_text

MAX_ID = 2**63 - 1
MAX_TAGS = 20  # of a run

CleanText = Annotated[str, AfterValidator(clean_text)]
Tag = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(clean_text)]


class Answer(BaseModel):
    """Base of every answer: nothing that the schema does not name."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Answer):
    """No data."""


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
