from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.contract.datasets import DATASETS, DatasetName

MAX_SEED = 2**31 - 1  # TensorFlow's stateless random operations take 32-bit signed seeds

# Hints for the form that is made from the schema: fold the field away, or show it only beside a certain choice.
_FOLDED: dict[str, Any] = {"folded": True}
_DILATED_ONLY: dict[str, Any] = {"only_if": {"backprop": "dilated"}}


class Network(StrEnum):
    """A network whose backward pass is written by hand."""

    CONV7 = "conv7"


class Backprop(StrEnum):
    """How the update's gradient is carried back."""

    MANUAL = "manual"
    DILATED = "dilated"


class Preprocessing(StrEnum):
    """What is done to the pixels before training."""

    RAW = "raw"
    UNIT = "unit"
    STANDARDIZE = "standardize"


class TrainConfig(BaseModel):
    """Everything that decides a training run. Equal configurations in an equal environment give equal bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    network: Network = Field(Network.CONV7, description="The network: conv7 has seven convolutions, CELU after each.")
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
        description="raw: pixels 0 to 255. unit: 0 to 1. standardize: per pixel, by the training set's statistics.",
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
    beta1: float = Field(
        0.9, ge=0, lt=1, description="AMSGrad's decay of the mean gradient.", json_schema_extra=_FOLDED
    )
    beta2: float = Field(
        0.9, ge=0, lt=1, description="AMSGrad's decay of the mean squared gradient.", json_schema_extra=_FOLDED
    )
    batch_size: int = Field(50, ge=1, le=4096, description="Images per step; an incomplete last batch is dropped.")
    epochs: int = Field(24, ge=1, le=10_000, description="Passes over the training images.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Decides the first weights and the order of the images.")

    @model_validator(mode="after")
    def _images_suffice(self) -> Self:
        spec = DATASETS[self.dataset]
        for name, asked, held in (
            ("train_images", self.train_images, spec.train_images),
            ("test_images", self.test_images, spec.test_images),
        ):
            if asked is not None and asked > held:
                raise ValueError(f"{name} is {asked}, but {spec.name} holds {held}; ask for at most {held}.")
        images = self.train_images or spec.train_images
        if self.batch_size > images:
            raise ValueError(
                f"batch_size is {self.batch_size}, but only {images} images are trained on; ask for at most {images}."
            )
        return self
