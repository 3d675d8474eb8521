from pydantic import Field

from backend.api.schemas.base import Answer
from backend.contract import Attack, AuditVerdict, Quirk, RunAudit

EPOCHS_DONE = Field(description="Finished epochs of training; 0: before it.")
PIXEL_VALUES = Field(description="epsilon in pixel values, 0 to 255; null where the preprocessing has no such unit.")


class DeviationInfo(Answer):
    """How far a gradient g lies from another one t; null: without a meaning, or not finite."""

    error: float | None = Field(description="|g - t| / |t|")
    cosine: float | None
    norm_ratio: float | None = Field(description="|g| / |t|")


class AuditEntry(Answer):
    """One layer, audited once. Only the verdict and its two errors judge; all else is information."""

    epochs_done: int = EPOCHS_DONE
    layer: int = Field(description="1-based.")
    verdict: AuditVerdict
    expected: bool = Field(description="Failed, and a quirk of the run makes it fail.")
    sentence: str = Field(description="What failed, in words; empty where nothing did.")
    tape_error: float | None = Field(description="|g - tape| / |tape|, in float64.")
    difference_error: float | None = Field(description="|directional derivative - central difference| / |g|.")
    gradient_norm: float | None
    own: DeviationInfo = Field(description="The gradient in the run's own precision, from that in float64.")
    update: DeviationInfo | None = Field(description="Of a dilated run: its dilated gradient, from the plain one.")
    weight_norm: float | None
    update_ratio: float | None = Field(description="|change of the weights| / |weights| of a step.")
    vmax_active: float | None = Field(description="Share of the weights whose vmax is above v; null for Adam.")


class AuditInfo(Answer):
    """What the gradient audits of a run found, by epochs and layer."""

    run_id: int
    verdict: RunAudit | None = Field(description="The heaviest so far; null: nothing was audited yet.")
    expected_quirks: list[Quirk] = Field(description="Quirks of the run that make an audit fail.")
    tape_limit: float
    difference_limit: float
    entries: list[AuditEntry]


class RobustnessEntry(Answer):
    """How many of the attacked test images were classified rightly."""

    epochs_done: int = EPOCHS_DONE
    attack: Attack
    epsilon: float = Field(description="Units of the preprocessed input; 0 for clean.")
    pixel_values: float | None = PIXEL_VALUES
    accuracy: float | None


class RobustnessInfo(Answer):
    """Accuracy under attack, by epochs, attack and size."""

    run_id: int
    images: int | None = Field(description="Test images that were attacked last; null: none was yet.")
    entries: list[RobustnessEntry]


class ExampleInfo(Answer):
    """A test image that is followed through training."""

    test_index: int
    label: int
    height: int
    width: int
    channels: int
    image: str = Field(description="Base64 of uint8 [height, width, channels].")


class ExamplesInfo(Answer):
    """The followed images, and when they were looked at; empty where they never were."""

    run_id: int
    epsilon: float | None = Field(description="Of the adversarial step, in units of the preprocessed input.")
    pixel_values: float | None = PIXEL_VALUES
    epochs_done: list[int]
    examples: list[ExampleInfo]


class ExampleStep(Answer):
    """What the adversarial step makes of an image."""

    test_index: int
    adversarial: str = Field(description="Base64 of uint8 [height, width, channels].")
    sign: str = Field(description="Base64 of int8: the step's direction, -1, 0 or 1.")
    before: list[float | None] = Field(description="Probabilities of the ten classes on the image.")
    after: list[float | None] = Field(description="And on the adversarial one.")


class ExampleSteps(Answer):
    """The followed images' adversarial steps after so many epochs."""

    run_id: int
    epochs_done: int = EPOCHS_DONE
    examples: list[ExampleStep]


class MeasuredNews(Answer):
    """There are new audits, attacks or followed images of a run."""

    run_id: int
    audit: RunAudit | None
