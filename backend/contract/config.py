from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from backend.contract.datasets import DATASETS, DatasetName

MAX_SEED = 2**31 - 1  # TensorFlow's stateless random operations take 32-bit signed seeds

# Hints for the form that is made from the schema: fold the field away, or show it only beside a certain choice.
_FOLDED: dict[str, Any] = {"folded": True}
_DILATED_ONLY: dict[str, Any] = {"only_if": {"backprop": "dilated"}}


class Network(StrEnum):
    """A network whose backward pass is written by hand."""

    CONV7 = "conv7"
    MLP = "mlp"


class Backprop(StrEnum):
    """How the update's gradient is carried back."""

    MANUAL = "manual"
    DILATED = "dilated"


class Preprocessing(StrEnum):
    """What is done to the pixels before training."""

    RAW = "raw"
    UNIT = "unit"
    STANDARDIZE = "standardize"
    ZCA = "zca"


class Precision(StrEnum):
    """The floating-point type of forward and backward passes."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Device(StrEnum):
    """What kind of device trains a run."""

    ANY = "any"
    CPU = "cpu"
    GPU = "gpu"


class Optimizer(StrEnum):
    """How an update is made of gradients."""

    AMSGRAD = "amsgrad"
    ADAM = "adam"


class Quirk(StrEnum):
    """Where the arithmetic of the article's own scripts (2018) is not that of its formulas. Each is off by default."""

    CELU_SLOPE_2 = "celu_slope_2"  # CELU's derivative is 2 instead of 1 above zero
    POOL_GRADIENT_UNSCALED = "pool_gradient_unscaled"  # no /4 in the pool's backward, no /16 in the dilated term
    COST_GRADIENT_SUMMED = "cost_gradient_summed"  # the cost's gradient is not divided by the batch
    AMSGRAD_WHOLE_TENSOR = "amsgrad_whole_tensor"  # vmax is replaced as a whole, by v where v's sum is larger
    TEST_COST_OF_SOFTMAX = "test_cost_of_softmax"  # the test cost takes softmax outputs for logits
    TEST_OWN_STATISTICS = "test_own_statistics"  # test images are preprocessed by statistics of their own


CONV7_ONLY_QUIRKS = frozenset({Quirk.CELU_SLOPE_2, Quirk.POOL_GRADIENT_UNSCALED})


# One pixel value (a 255th of the range) in units of the preprocessed input; of standardize and zca only roughly.
PIXEL_VALUE: Mapping[Preprocessing, float] = MappingProxyType(
    {
        Preprocessing.RAW: 1.0,
        Preprocessing.UNIT: 1 / 255,
        Preprocessing.STANDARDIZE: 4 / 255,  # a deviation is about a quarter of the range
        Preprocessing.ZCA: 4 / 255,
    }
)
EXACT_PIXEL_VALUE = frozenset({Preprocessing.RAW, Preprocessing.UNIT})
DEFAULT_ATTACKS = (2, 4, 8, 16)  # pixel values


class TrainConfig(BaseModel):
    """Everything that decides a training run. Equal configurations in an equal environment give equal bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    network: Network = Field(
        Network.CONV7, description="conv7: seven convolutions, CELU after each. mlp: two hidden layers, ReLU."
    )
    width: int = Field(32, ge=1, le=1024, description="Channels of every hidden layer.")
    dataset: DatasetName = Field(DatasetName.DIGITS, description="The images. digits needs no download.")
    train_images: int | None = Field(
        None,
        ge=1,
        le=60_000,
        description="Use only the first n training images; empty: all.",
        json_schema_extra=_FOLDED,
    )
    test_images: int | None = Field(
        None, ge=1, le=60_000, description="Use only the first n test images; empty: all.", json_schema_extra=_FOLDED
    )
    preprocessing: Preprocessing = Field(
        Preprocessing.RAW,
        description="raw: pixels 0 to 255. unit: 0 to 1. standardize: per pixel, by the training set's statistics. "
        "zca: whitened, by the training set's covariance.",
        json_schema_extra=_FOLDED,
    )
    backprop: Backprop = Field(
        Backprop.MANUAL,
        description="manual: the exact gradient. dilated: each layer also gets that of the layer two steps later.",
    )
    dilation_proportion: float = Field(
        0.5,
        ge=0,
        le=10,
        description="p: weight of the skipping gradient at epoch 0.",
        json_schema_extra=_DILATED_ONLY,
    )
    dilation_decay: float = Field(
        0.05,
        ge=0,
        le=10,
        description="d: the weight at epoch t is p / (1 + d t).",
        json_schema_extra=_DILATED_ONLY,
    )
    epsilon: float = Field(
        8.0,
        ge=0,
        le=255,
        description="Size of the adversarial step, in units of the preprocessed input; 0 trains on clean images.",
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Step size of each update.")
    optimizer: Optimizer = Field(
        Optimizer.AMSGRAD,
        description="amsgrad: divides by the largest mean square so far. adam: by the newest.",
        json_schema_extra=_FOLDED,
    )
    beta1: float = Field(
        0.9, ge=0, lt=1, description="The optimizer's decay of the mean gradient.", json_schema_extra=_FOLDED
    )
    beta2: float = Field(
        0.9, ge=0, lt=1, description="The optimizer's decay of the mean squared gradient.", json_schema_extra=_FOLDED
    )
    bias_correction: bool = Field(
        False,
        description="Divide the means by 1 - beta^step, as Adam's paper does; the article's AMSGrad does not.",
        json_schema_extra=_FOLDED,
    )
    batch_size: int = Field(50, ge=1, le=4096, description="Images per step; an incomplete last batch is dropped.")
    epochs: int = Field(24, ge=1, le=10_000, description="Passes over the training images.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Decides the first weights and the order of the images.")

    precision: Precision = Field(
        Precision.FLOAT32,
        description="Of forward and backward passes; weights, optimizer and costs are float32 always.",
        json_schema_extra=_FOLDED,
    )
    sign_pass_precision: Precision | None = Field(
        None,
        description="Of the pass that finds the adversarial direction, by signs alone; empty: as precision.",
        json_schema_extra=_FOLDED,
    )
    xla: bool = Field(
        False,
        description="Compile the training step with XLA: on a GPU it may win, on a CPU it loses.",
        json_schema_extra=_FOLDED,
    )
    device: Device = Field(
        Device.ANY,
        description="any: a GPU where one is free, else a CPU. Bits are equal only on equal devices.",
        json_schema_extra=_FOLDED,
    )
    gpu_count: int = Field(
        1, ge=1, le=16, description="GPUs that share each batch, on one host.", json_schema_extra=_FOLDED
    )
    quirks: tuple[Quirk, ...] = Field(
        (),
        description="Arithmetic of the article's scripts of 2018 to bring back; none: its formulas, exactly.",
        json_schema_extra=_FOLDED,
    )

    audit_every: int = Field(
        5,
        ge=0,
        le=10_000,
        description="Check every layer's gradient before training and after every so many epochs; 0: never.",
        json_schema_extra=_FOLDED,
    )
    robustness_every: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Attack test images after every so many epochs; 0: never.",
        json_schema_extra=_FOLDED,
    )
    robustness_epsilons: tuple[Annotated[float, Field(gt=0, le=255)], ...] = Field(
        (),
        max_length=8,
        description="Sizes of the attacks, in units of the preprocessed input; none: 2, 4, 8 and 16 pixel values.",
        json_schema_extra=_FOLDED,
    )
    robustness_steps: int = Field(
        7,
        ge=1,
        le=100,
        description="Steps of the strong attack (PGD); the weak one (FGSM) takes one.",
        json_schema_extra=_FOLDED,
    )

    @field_validator("robustness_epsilons")
    @classmethod
    def _each_epsilon_once_in_order(cls, epsilons: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(epsilons)))

    @field_validator("quirks")
    @classmethod
    def _each_quirk_once_in_order(cls, quirks: tuple[Quirk, ...]) -> tuple[Quirk, ...]:
        return tuple(quirk for quirk in Quirk if quirk in quirks)

    @model_validator(mode="after")
    def _quirks_fit(self) -> Self:
        strange = [quirk for quirk in self.quirks if quirk in CONV7_ONLY_QUIRKS and self.network is not Network.CONV7]
        if strange:
            raise ValueError(f"quirks holds {strange[0]}, which {self.network} can't have; leave it out.")
        if Quirk.AMSGRAD_WHOLE_TENSOR in self.quirks and self.optimizer is not Optimizer.AMSGRAD:
            raise ValueError(f"quirks holds amsgrad_whole_tensor, but optimizer is {self.optimizer}; leave one out.")
        return self

    @model_validator(mode="after")
    def _images_suffice(self) -> Self:
        spec = DATASETS[self.dataset]
        for name, asked, held in (
            ("train_images", self.train_images, spec.train_images),
            ("test_images", self.test_images, spec.test_images),
        ):
            if asked is not None and asked > held:
                raise ValueError(f"{name} is {asked}, but {spec.name} holds {held}; ask for at most {held}.")
        if self.batch_size % self.gpu_count:
            raise ValueError(
                f"batch_size is {self.batch_size}, which {self.gpu_count} GPUs can't share equally; take a multiple."
            )
        if self.device is Device.CPU and self.gpu_count > 1:
            raise ValueError(f"gpu_count is {self.gpu_count}, but device is cpu; take one of them back.")
        if self.xla and self.gpu_count > 1:
            raise ValueError(f"xla compiles a step for one device, but gpu_count is {self.gpu_count}; leave one out.")
        images = self.train_images or spec.train_images
        if self.batch_size > images:
            raise ValueError(
                f"batch_size is {self.batch_size}, but only {images} images are trained on; ask for at most {images}."
            )
        return self

    @property
    def attack_epsilons(self) -> tuple[float, ...]:
        """Sizes of the attacks on test images, in units of the preprocessed input."""
        return self.robustness_epsilons or tuple(values * PIXEL_VALUE[self.preprocessing] for values in DEFAULT_ATTACKS)
