from pydantic import BaseModel, ConfigDict, Field

from backend.api.schemas.base import Answer


class Health(Answer):
    """Whether the service can do its work, and what each part says."""

    ready: bool
    version: str
    database: str
    broker: str
    slots: int = Field(description="Runs that the workers now alive can train side by side.")
    sqlite_version: str | None = Field(description="Of the library in use; null where the database is another one.")
    warnings: list[str] = Field(description="What is not as it should be, though the service can do its work.")


class Login(BaseModel):
    """The shared secret."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=1000)
