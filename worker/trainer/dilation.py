"""Dilated back propagation: a layer also gets the gradient of the layer two steps later.

The skipping gradient is added before the activation's derivative. The sum is no gradient of any objective. With
proportion 0 it is the ordinary gradient.

Source: J. D. Seo, "Improving Back-Propagation by Adding an Adversarial Gradient with Interactive Code", 2018.
"""

from collections.abc import Callable

from backend.contract import Backprop, TrainConfig
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


def dilated_sum(dx1: Tensor, dx2: Tensor, weight: Tensor, between: Callable[[Tensor], Tensor]) -> Tensor:
    """What goes back to a layer's output in the place of the gradient at the next layer's input.

        dy = T(dx1) + weight T(T(dx2)) = T(dx1 + weight T(dx2)), of which this is what stands in the brackets

    Args:
        dx1: gradient at the input of the next layer.
        dx2: gradient at the input of the layer after it.
        weight: [], lambda.
        between: T, the linear way back over what stands between two layers, such as an average pool.

    Returns:
        The shape of dx1.

    Raises:
        ValueError: the two layers have unequal widths, so that their gradients can't be added.
    """
    if dx1.shape[-1] != dx2.shape[-1]:
        raise ValueError(
            f"Dilated back propagation adds gradients of layers of one width, not of {dx1.shape[-1]} and "
            f"{dx2.shape[-1]} channels."
        )
    return dx1 + weight * between(dx2)
