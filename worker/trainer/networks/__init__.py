"""The networks there are. Each is a module with the functions that `Network` lists, and is named once in NETWORKS."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backend import contract
from worker.trainer.networks import conv7
from worker.trainer.tensors import Tensor


class Network(Protocol):
    """A network whose backward passes are written by hand. Weights are passed, never kept."""

    def initial_weights(self, config: contract.TrainConfig, channels: int, seed: int) -> tuple[Tensor, ...]:
        """The weights before training, in the order of the layers."""

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Any]:
        """The logits [batch, classes] of images [batch, height, width, channels], and what the way back needs."""

    def backward_to_input(self, weights: Sequence[Tensor], cache: Any, dlogits: Tensor) -> Tensor:
        """The loss gradient at the images, and none at the weights."""

    def backward(
        self, weights: Sequence[Tensor], cache: Any, dlogits: Tensor, dilation: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The loss gradient at the weights; with `dilation`, by the dilated rule with that lambda."""


NETWORKS: Mapping[contract.Network, Network] = {contract.Network.CONV7: conv7}
