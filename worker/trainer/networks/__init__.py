"""The networks there are: a module each, and named once in `build`."""

from backend import contract
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.networks.mlp import Mlp
from worker.trainer.networks.network import Network

__all__ = ["Network", "build"]


def build(config: contract.TrainConfig) -> Network:
    """The network that a configuration asks for."""
    if config.network is contract.Network.CONV7:
        return Conv7(config.width, config.quirks)
    return Mlp(config.width)
