"""One step on several devices: each takes an equal part of the batch, and their gradients are joined.

Weights are values here and no variables, so every device reads the same ones, and one update follows: the strategies of
`tf.distribute`, which keep a copy of each variable on each device, have nothing to hold.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from backend.contract import TrainConfig
from backend.errors import RunFailure
from worker.trainer.tensors import Tensor

Part = tuple[tuple[Tensor, ...], Tensor, Tensor]  # gradients, costs [images], logits [images, classes]


def devices_for(config: TrainConfig, kind: str = "GPU") -> list[str]:
    """The devices that a run takes: as many GPUs as it asks for; none by name where it asks for one.

    Raises:
        RunFailure: it asks for more than there are.
    """
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if config.gpu_count > max(1, len(found)):
        raise RunFailure(
            f"gpu_count is {config.gpu_count}, but this worker has {len(found)} {kind}s; ask for at most "
            f"{max(1, len(found))}."
        )
    return found[: config.gpu_count] if config.gpu_count > 1 else []


def over_devices(
    devices: Sequence[str], passes: Callable[[Tensor, Tensor], Part], x: Tensor, labels: Tensor, *, summed: bool
) -> Part:
    """What `passes` gives for a batch, computed in equal parts on the devices.

    Args:
        devices: names; fewer than two leave everything to TensorFlow.
        passes: gradients, costs and logits of some images and labels.
        x: [batch, height, width, channels]; batch is a multiple of the number of devices.
        labels: [batch].
        summed: gradients are those of the sum of the costs, and not of their mean.
    """
    if len(devices) < 2:  # noqa: PLR2004
        return passes(x, labels)
    parts = []
    for device, some_x, some_labels in zip(
        devices, tf.split(x, len(devices)), tf.split(labels, len(devices)), strict=True
    ):
        with tf.device(device):
            parts.append(passes(some_x, some_labels))
    gradients, costs, logits = zip(*parts, strict=True)
    scale = 1 if summed else len(devices)
    joined = tuple(tf.add_n(layer) / scale for layer in zip(*gradients, strict=True))
    return joined, tf.concat(costs, axis=0), tf.concat(logits, axis=0)
