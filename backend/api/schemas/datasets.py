from typing import Literal

from pydantic import Field

from backend.api.schemas.base import Answer
from backend.contract import DatasetName, JobState, Network, Preprocessing


class DownloadInfo(Answer):
    """How a download of a data set goes on."""

    state: JobState
    file: str | None = Field(description="The file that comes now; null before the first.")
    number: int = Field(description="Its place among the files, from 1; 0 before the first.")
    files: int
    bytes_done: int = Field(description="Of this file.")
    bytes_total: int | None = Field(description="Of this file; null while its host has not said.")
    error: str | None = Field(description="Why it failed, in a sentence.")


class DatasetInfo(Answer):
    """A data set, and whether it is here."""

    name: DatasetName
    title: str
    train_images: int
    test_images: int
    height: int
    width: int
    channels: int
    ready: bool
    folder: str | None = Field(description="Where its files belong, seen from the data folder; null: none needed.")
    missing: list[str] = Field(description="Files that are not there yet.")
    download: DownloadInfo | None = Field(description="Under way, or ended as it is shown; null: not asked for.")


class SplitHistogram(Answer):
    """The pixels of one split at the network's size, before or after preprocessing."""

    split: Literal["train", "test"]
    stage: Literal["before", "after"]
    edges: list[float] = Field(description="One more than counts.")
    counts: list[int] = Field(description="Pixels in each bin.")
    below: int = Field(description="Pixels beyond the first edge.")
    above: int = Field(description="Pixels beyond the last edge.")
    mean: float
    deviation: float
    minimum: float
    maximum: float


class Histograms(Answer):
    """How the pixels of a data set are distributed."""

    dataset: DatasetName
    preprocessing: Preprocessing
    network: Network
    own_statistics: bool = Field(description="Test images were preprocessed by statistics of their own.")
    splits: list[SplitHistogram]


class Pending(Answer):
    """A worker has not come to an end of it yet: ask again."""

    state: JobState
