"""How much there is to compute: multiply-adds of a configuration, without TensorFlow."""

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
