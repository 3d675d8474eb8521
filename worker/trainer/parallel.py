"""One step on several devices: each takes an equal part of the batch, and their gradients are joined.

`tf.distribute` runs the passes on each device and adds the gradients up. Weights are values here and no variables, so
nothing is mirrored: every device reads the same ones, and one update follows.
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
    # Added up on one device, and not around a ring: in one order always, so that equal runs have equal bits.
    reduction = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)
    parts = list(zip(tf.split(x, len(devices)), tf.split(labels, len(devices)), strict=True))

    def passes_over_part() -> Part:
        number = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
        return passes(*parts[number])

    gradients, costs, logits = strategy.run(tf.autograph.experimental.do_not_convert(passes_over_part))
    operation = tf.distribute.ReduceOp.SUM if summed else tf.distribute.ReduceOp.MEAN
    joined = tuple(strategy.reduce(operation, gradient, axis=None) for gradient in gradients)
    costs, logits = (tf.concat(strategy.experimental_local_results(values), axis=0) for values in (costs, logits))
    return joined, costs, logits
