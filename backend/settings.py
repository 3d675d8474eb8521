import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.contract import MAX_LEASE_S

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Every setting of the service, read from the environment once a process and handed down."""

    model_config = SettingsConfigDict(env_prefix="LAB_", frozen=True, extra="ignore")

    host: str = Field(
        "127.0.0.1", description="Address that the page listens on. Any but a loopback address needs LAB_TOKEN."
    )
    port: int = Field(8000, ge=1, le=65535, description="Port of the page.")
    data_dir: Path = Field(Path("data"), description="Folder for the database, data sets, run logs and checkpoints.")
    shared_dir: Path | None = Field(
        None,
        description="Folder for run logs and checkpoints that all hosts share; unset: the data folder.",
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL, such as postgresql+psycopg://…; empty: SQLite in the data folder."
    )
    redis_url: str = Field(
        "", description="Redis URL, such as redis://…; empty: `make run` starts its own Valkey server."
    )
    token: SecretStr | None = Field(
        None, min_length=16, description="Shared secret that every request must show; unset: none on loopback."
    )
    allowed_hosts: str = Field(
        "", description="More host names by which the page may be asked for, separated by commas."
    )
    demo: bool = Field(True, description="Launch the demonstration pair when the database is empty.")
    calibrate: bool = Field(
        True, description="Measure how fast the host trains when it is idle, for estimates of what has not run yet."
    )
    max_streams: int = Field(
        500, ge=1, le=100_000, description="Pages and scripts that can follow what changes at once; more get a 429."
    )
    slots: int = Field(2, ge=1, le=64, description="Runs that a CPU worker trains side by side.")
    devices: str = Field(
        "",
        pattern=r"^ *(gpu:\d{1,3}|cpu:[1-9]\d?)( *, *(gpu:\d{1,3}|cpu:[1-9]\d?))* *$|^$",
        description="What a worker offers, such as gpu:0,gpu:1,cpu:2; empty: all GPUs, else LAB_SLOTS CPU slots.",
    )
    threads: int = Field(
        0, ge=0, le=256, description="Threads of each run; 0: the worker's cores shared among its slots."
    )
    spare: bool = Field(
        True, description="Keep a process with TensorFlow imported for the next run: a quick start for some memory."
    )
    lease_s: float = Field(
        15.0,
        ge=1,
        le=MAX_LEASE_S,
        description="Seconds without a sign of life after which a run's worker counts as dead.",
    )
    stop_grace_s: float = Field(
        10.0, ge=0.5, le=600, description="Seconds that a run gets to stop by itself before it is killed."
    )
    stall_s: float = Field(
        900.0, ge=1, le=86_400, description="Seconds without any advance after which a run's process is replaced."
    )
    keep_checkpoints: int = Field(
        2, ge=1, le=1000, description="Newest checkpoints that each run keeps, besides the best and branches'."
    )
    keep_every: int = Field(
        10, ge=0, le=10_000, description="Also keep the checkpoint after every so many epochs; 0: none."
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")

    @field_validator("shared_dir", mode="before")
    @classmethod
    def _unset_where_empty(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _token_beyond_loopback(self) -> Self:
        if self.host not in LOOPBACK_HOSTS and self.token is None:
            raise ValueError(
                f"LAB_HOST is {self.host!r}, which others can reach, "
                "so LAB_TOKEN must be set to a secret of at least 16 characters."
            )
        return self

    @property
    def resolved_database_url(self) -> str:
        """The database's URL: the one that was set, or SQLite's in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'lab.sqlite3'}"

    def threads_of_each(self, slots: int) -> int:
        """Threads for each run of a worker on this host that trains at most so many at a time."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.threads or max(1, cores // slots)

    @property
    def datasets_dir(self) -> Path:
        """Folder with one folder a data set."""
        return self.data_dir.resolve() / "datasets"

    def checkpoints_dir(self, run_id: int) -> Path:
        """Folder with a run's checkpoints."""
        return self.runs_dir / str(run_id) / "checkpoints"

    def attempt_log(self, run_id: int, attempt: int) -> Path:
        """File that holds what an attempt of a run wrote."""
        return self.runs_dir / str(run_id) / f"attempt-{attempt}.log"

    @property
    def runs_dir(self) -> Path:
        """Folder with one folder a run: its logs and checkpoints."""
        return (self.shared_dir or self.data_dir).resolve() / "runs"
