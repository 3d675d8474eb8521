"""How much there is to compute, without TensorFlow: multiply-adds of a configuration, and what is measured beside."""

import math
from collections.abc import Iterator

from backend.contract.config import Network, TrainConfig
from backend.contract.datasets import DATASETS

CLASSES = 10
CONV7_KERNELS = (5, 3, 1, 3, 1, 2, 1)
CONV7_SIDES = (32, 32, 16, 8, 4, 2, 1)  # pixels of each layer's map
FORWARD, BACKWARD_TO_INPUT, BACKWARD = 1, 1, 2  # passes, in units of a forward pass; a backward one has two products


def forward_multiply_adds(config: TrainConfig) -> int:
    """Multiply-adds of a forward pass of one image."""
    spec = DATASETS[config.dataset]
    if config.network is Network.CONV7:
        depths = [spec.channels, *[config.width] * (len(CONV7_KERNELS) - 1), CLASSES]
        layers = zip(CONV7_KERNELS, CONV7_SIDES, depths[:-1], depths[1:], strict=True)
        return sum(kernel**2 * side**2 * fan_in * fan_out for kernel, side, fan_in, fan_out in layers)
    pixels = spec.height * spec.width * spec.channels
    return pixels * config.width + config.width**2 + config.width * CLASSES


def epoch_multiply_adds(config: TrainConfig) -> int:
    """Multiply-adds of an epoch: training on every image, with two passes where there is an adversarial gradient."""
    spec = DATASETS[config.dataset]
    training = FORWARD + BACKWARD + (FORWARD + BACKWARD_TO_INPUT if config.epsilon > 0 else 0)
    images = training * (config.train_images or spec.train_images) + FORWARD * (config.test_images or spec.test_images)
    return images * forward_multiply_adds(config)


def due_name(*, audit: bool, robustness: bool) -> str:
    """What is measured together, in a word: each kind takes a time of its own."""
    return "both" if audit and robustness else "audit" if audit else "robustness"


def measurings_due(audit_every: int, robustness_every: int, epochs: int, epochs_done: int) -> Iterator[tuple[str, int]]:
    """What a run measures after more than so many epochs, by `due_name`, and how often; its last state is among that.

    Args:
        audit_every: epochs; 0: never.
        robustness_every: epochs; 0: never.
        epochs: of the run.
        epochs_done: what was measured after these, or before, does not count.
    """
    if not (audit_every or robustness_every) or epochs_done >= epochs:
        return

    def multiples(every: int) -> int:  # before the last epoch
        return (epochs - 1) // every - epochs_done // every if every else 0

    both = multiples(math.lcm(audit_every, robustness_every))  # none where one of them is 0
    yield due_name(audit=True, robustness=False), multiples(audit_every) - both
    yield due_name(audit=False, robustness=True), multiples(robustness_every) - both
    yield due_name(audit=True, robustness=True), both
    yield due_name(audit=bool(audit_every), robustness=bool(robustness_every)), 1
