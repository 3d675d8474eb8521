"""What a trainer tells whoever drains it."""

from dataclasses import dataclass
from enum import StrEnum

METRIC_NAMES = ("train_accuracy", "train_cost", "test_accuracy", "test_cost", "epoch_seconds", "images_per_second")
FLOAT32_BYTES = 4


class Phase(StrEnum):
    """What a live run is doing now."""

    STARTING = "starting"  # a fresh interpreter imports TensorFlow
    LOADING = "loading"  # images are read, or downloaded
    COMPILING = "compiling"  # the first step is traced
    TRAINING = "training"
    TESTING = "testing"
    MEASURING = "measuring"  # gradients are audited, test images attacked


@dataclass(frozen=True)
class BatchResults:
    """What came of some batches, one after another: measured on x', each before its update.

    A run's batches are counted through all epochs: its batch 0 is the first of epoch 0. A NaN or infinity stays one.
    """

    first: int  # number of the first of them
    costs: bytes  # float32 [batches], little-endian; means over a batch, in nats
    accuracies: bytes  # float32 [batches], little-endian; fractions

    def __len__(self) -> int:
        """How many batches they are of."""
        return len(self.costs) // FLOAT32_BYTES


@dataclass(frozen=True)
class Progress:
    """How far an epoch is. Sent at most once a second, and never more often than once a batch.

    An attempt's first batch is told at once. Whatever report comes next after some batches carries what came of them.
    """

    phase: Phase
    epoch: int  # 0-based, the one that is under way
    batch: int  # batches done in this phase of the epoch
    batches: int  # batches in this phase of the epoch
    images_per_second: float | None = None
    note: str | None = None  # a few words for the reader, such as how much of a file has been downloaded
    trained: bool = False  # measuring: whether this epoch's training and testing are behind it
    results: BatchResults | None = None


class AuditVerdict(StrEnum):
    """What came of holding a layer's hand-written gradient against two others."""

    PASSED = "passed"
    FAILED = "failed"
    NO_SIGNAL = "no signal"  # the gradient is zero: there is nothing to compare


@dataclass(frozen=True)
class Deviation:
    """How far a layer's gradient g lies from the true one t: both laid flat, all its weights together.

    A number that has no meaning (one of the two is zero) or is not finite is None.
    """

    error: float | None  # |g - t| / |t|
    cosine: float | None  # g . t / (|g| |t|)
    norm_ratio: float | None  # |g| / |t|


@dataclass(frozen=True)
class LayerMeasurement:
    """One layer on the probe batch. The verdict is computed in float64; all else is information without a verdict.

    The probe batch is always the same training images. The verdict and `own` are on the plain backward pass; `update`
    is what the run really trains with, where that is dilated. Numbers that can't be told are None.
    """

    layer: int  # 1-based
    verdict: AuditVerdict
    tape_error: float | None  # |g - tape| / |tape|; fails above TAPE_LIMIT
    difference_error: float | None  # |directional derivative - difference| / |g|; fails above DIFFERENCE_LIMIT
    gradient_norm: float | None  # |g|, of the plain gradient in float64
    own: Deviation  # the plain gradient in the run's own precision, against the float64 one
    update: Deviation | None  # of a dilated run: its dilated gradient in float64, against the plain one
    weight_norm: float | None  # |w|
    update_ratio: float | None  # |w' - w| / |w| of the step that the probe batch would make
    vmax_active: float | None  # share of the weights whose vmax is larger than v; None where the optimizer is Adam


class Attack(StrEnum):
    """How test images are moved against the network, within epsilon in every pixel."""

    CLEAN = "clean"  # not at all
    FGSM = "fgsm"  # one step along the sign of the input gradient
    PGD = "pgd"  # several smaller ones, each kept within epsilon


@dataclass(frozen=True)
class AttackResult:
    """How many of the attacked test images are still classified rightly."""

    attack: Attack
    epsilon: float  # units of the preprocessed input; 0 for clean
    accuracy: float  # fraction


@dataclass(frozen=True)
class ExampleReport:
    """A test image that is followed through training, and what its adversarial step does to the network's answer.

    Images are in pixel values, as they are shown; the probabilities are of the ten classes.
    """

    test_index: int  # its place among the test images
    label: int
    image: bytes  # uint8 [height, width, channels]
    adversarial: bytes  # uint8, rounded and cut to 0..255 for showing
    sign: bytes  # int8, -1, 0 or 1: the direction of the step in the preprocessed input
    shape: tuple[int, int, int]  # height, width, channels
    before: tuple[float, ...]  # probabilities on the image
    after: tuple[float, ...]  # and on the adversarial one


@dataclass(frozen=True)
class Measurements:
    """What was measured of the weights after so many epochs, on the side: it changes nothing of the training."""

    epochs_done: int
    layers: tuple[LayerMeasurement, ...] = ()  # empty: gradients were not audited then
    attacks: tuple[AttackResult, ...] = ()  # empty: test images were not attacked then
    attacked_images: int = 0
    examples: tuple[ExampleReport, ...] = ()
    example_epsilon: float = 0.0  # units of the preprocessed input
    seconds: float = 0.0  # that the measuring took


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
    measured: Measurements | None = None  # of the weights after this epoch, where it was due
    results: BatchResults | None = None


@dataclass(frozen=True)
class Stopped:
    """The trainer obeyed a wish to stop, after this many batches of this epoch. Nothing follows."""

    epoch: int
    batch: int
    results: BatchResults | None = None


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that lies in the run's folder."""

    name: str
    epochs_done: int
    batch: int  # batches done in the epoch after those
    size: int  # bytes
    sha256: str  # of the file
    state_hash: str


Report = Progress | Measurements | EpochReport | Stopped
