from collections.abc import Sequence
from typing import Any, Protocol

from worker.trainer.tensors import Tensor


class Network(Protocol):
    """A network whose backward passes are written by hand. Weights are passed, never kept."""

    @property
    def layers(self) -> tuple[slice, ...]:
        """For each layer, from the first on, the place of its weights among all weights."""

    @property
    def shares_weights(self) -> bool:
        """Whether an image meets each weight many times. Where it does not, the optimizer is much of a step."""

    def values_per_image(self, image: Sequence[int]) -> int:
        """How many numbers the largest map of one image [height, width, channels] has."""

    def initial_weights(self, image: Sequence[int], seed: int) -> tuple[Tensor, ...]:
        """The weights before training, for images [height, width, channels]; equal on every device for equal seeds."""

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Any]:
        """The logits [batch, classes] of images [batch, height, width, channels], and what the way back needs."""

    def logits_from(self, layer: int, weights: Sequence[Tensor], cache: Any) -> Tensor:
        """The logits that the weights from a 0-based layer on give for what comes into it by the cache."""

    def backward_to_input(self, weights: Sequence[Tensor], cache: Any, dlogits: Tensor) -> Tensor:
        """The loss gradient at the images, and none at the weights."""

    def backward(
        self, weights: Sequence[Tensor], cache: Any, dlogits: Tensor, dilation: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The loss gradient at the weights; with `dilation`, by the dilated rule with that lambda."""
