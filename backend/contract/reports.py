"""What a trainer tells whoever drains it."""

from dataclasses import dataclass
from enum import StrEnum

METRIC_NAMES = ("train_accuracy", "train_cost", "test_accuracy", "test_cost", "epoch_seconds", "images_per_second")


class Phase(StrEnum):
    """What a live run is doing now."""

    STARTING = "starting"  # a fresh interpreter imports TensorFlow
    LOADING = "loading"  # images are read, or downloaded
    COMPILING = "compiling"  # the first step is traced
    TRAINING = "training"
    TESTING = "testing"


@dataclass(frozen=True)
class Progress:
    """How far an epoch is. Sent at most once a second, and never more often than once a batch."""

    phase: Phase
    epoch: int  # 0-based, the one that is under way
    batch: int  # batches done in this phase of the epoch
    batches: int  # batches in this phase of the epoch
    images_per_second: float | None = None
    note: str | None = None  # a few words for the reader, such as how much of a file has been downloaded


@dataclass(frozen=True)
class EpochReport:
    """The results of one epoch. Accuracies are fractions; costs are means in nats; train is measured on x'."""

    epoch: int  # 0-based
    train_accuracy: float
    train_cost: float
    test_accuracy: float
    test_cost: float
    epoch_seconds: float  # training and testing together
    images_per_second: float  # of training alone
    dilation_lambda: float | None  # weight of the skipping gradient in this epoch; None: not dilated
    state_hash: str | None = None  # SHA-256 of weights and optimizer state after this epoch


@dataclass(frozen=True)
class Stopped:
    """The trainer obeyed a wish to stop, after this many batches of this epoch. Nothing follows."""

    epoch: int
    batch: int


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that lies in the run's folder."""

    name: str
    epochs_done: int
    batch: int  # batches done in the epoch after those
    size: int  # bytes
    sha256: str  # of the file
    state_hash: str


Report = Progress | EpochReport | Stopped
