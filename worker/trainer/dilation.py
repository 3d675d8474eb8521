from backend.contract import Backprop, TrainConfig


def dilation_weight(config: TrainConfig, epoch: int) -> float | None:
    """The weight of the gradient that skips a layer.

        lambda(t) = p / (1 + d t)

    Args:
        config: names p and d.
        epoch: t, from 0.

    Returns:
        lambda(t); None where back propagation is not dilated.
    """
    if config.backprop is not Backprop.DILATED:
        return None
    return config.dilation_proportion / (1 + config.dilation_decay * epoch)
