"""Dilated back propagation: a layer also gets the gradient of the layer two steps later.

The skipping gradient is added before the activation's derivative. The sum is no gradient of any objective. With
proportion 0 it is the ordinary gradient.

Source: J. D. Seo, "Improving Back-Propagation by Adding an Adversarial Gradient with Interactive Code", 2018; its
scripts leave out the divisions by 4 and 16, which with an equal lambda changes no direction.
"""

from backend.contract import Backprop, TrainConfig
from worker.trainer.layers.average_pool import average_pool_backward
from worker.trainer.tensors import Tensor


def dilation_lambda(config: TrainConfig, epoch: int) -> float | None:
    """The weight of the skipping gradient in an epoch, p / (1 + d t); None where back propagation is not dilated.

    Args:
        config: p is its dilation_proportion, d its dilation_decay.
        epoch: t, 0-based.
    """
    if config.backprop is not Backprop.DILATED:
        return None
    return config.dilation_proportion / (1 + config.dilation_decay * epoch)


def dilated_pool_backward(dx1: Tensor, dx2: Tensor, weight: Tensor) -> Tensor:
    """The gradient at a layer's output, where average pools stand before the next two layers.

        dy = U_2 dx1 / 4 + weight U_4 dx2 / 16        U_r repeats each element r x r

    Args:
        dx1: [batch, height/2, width/2, channels], gradient at the input of the next layer.
        dx2: [batch, height/4, width/4, channels], gradient at the input of the layer after it.
        weight: [], lambda.

    Returns:
        dy: [batch, height, width, channels].

    Raises:
        ValueError: the two layers have unequal widths, so that their gradients can't be added.
    """
    if dx1.shape[-1] != dx2.shape[-1]:
        raise ValueError(
            f"Dilated back propagation adds gradients of layers of one width, not of {dx1.shape[-1]} and "
            f"{dx2.shape[-1]} channels."
        )
    return average_pool_backward(dx1 + weight * average_pool_backward(dx2))
