"""What was wrong where, once something in a training step is infinite or not a number."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from backend.contract import Quirk, TrainConfig
from backend.errors import TrainingDiverged
from worker.trainer.adversarial import adversarial_images, input_gradient
from worker.trainer.losses import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from worker.trainer.networks import Network
from worker.trainer.optimizers import optimizer_update
from worker.trainer.precision import sign_pass_dtype, step_dtype
from worker.trainer.program import Program
from worker.trainer.state import Learned, TrainerState, TrainingData
from worker.trainer.tensors import Tensor

SHOWN_IMAGES = 8


class _Finding(NamedTuple):
    what: str  # such as "the gradient"
    layer: int | None  # 1-based
    values: Tensor


def examine(
    network: Network,
    config: TrainConfig,
    data: TrainingData,
    program: Program,
    before: TrainerState,
    last: int,
    order: Tensor,
    dilation: float | None,
) -> TrainingDiverged:
    """The error that says what became infinite or not a number first.

    The steps are taken again one by one: a compiled call takes many, and says only that one of them went wrong.

    Args:
        network: what is trained.
        config: of the run.
        data: its images.
        program: its compiled steps.
        before: the newest state in which everything is finite.
        last: batches of the epoch that were done when something was not.
        order: of the epoch's images.
        dilation: lambda of the epoch.
    """
    learned, step = before.learned, before.batch
    for step in range(before.batch, last):
        after = program.train(learned, step, 1, order=order, dilation=dilation).learned
        if not program.is_finite(after):
            break
        learned = after
    images = order.numpy()[step * config.batch_size : (step + 1) * config.batch_size]
    x = tf.constant(data.train_images[images], learned.weights[0].dtype)
    labels = tf.constant(data.train_labels[images])
    gradients: list[Tensor] = []
    finding = _first_broken(_findings(network, config, learned, x, labels, dilation, gradients.extend))
    norms = _norms(network, learned.weights, gradients)
    return TrainingDiverged(
        _sentence(before.epoch, step, finding, images, norms),
        {
            "epoch": before.epoch,
            "step": step,
            "what": finding.what,
            "layer": finding.layer,
            "value": _value(finding.values),
            "images": images.tolist(),
            "layers": norms,
        },
    )


def _findings(
    network: Network,
    config: TrainConfig,
    learned: Learned,
    x: Tensor,
    labels: Tensor,
    dilation: float | None,
    keep_gradients: Callable[[Sequence[Tensor]], None],
) -> Iterator[_Finding]:
    """Everything that a step computes, in the order in which it is computed."""
    weights_dtype = learned.weights[0].dtype
    if config.epsilon:
        dtype = sign_pass_dtype(config, weights_dtype)
        logits, cache = network.forward([tf.cast(w, dtype) for w in learned.weights], tf.cast(x, dtype))
        yield from _outputs("the output (on clean images)", cache)
        yield _Finding("the gradient at the images", None, input_gradient(network, learned.weights, x, labels, dtype))
        x = adversarial_images(network, config, learned.weights, x, labels)
    dtype = step_dtype(config, weights_dtype)
    weights = [tf.cast(w, dtype) for w in learned.weights]
    logits, cache = network.forward(weights, tf.cast(x, dtype))
    yield from _outputs("the output", cache)
    costs, softmax = softmax_cross_entropy_forward(tf.cast(logits, weights_dtype), labels)
    yield _Finding("the cost", None, costs)
    dlogits = softmax_cross_entropy_backward(softmax, summed=Quirk.COST_GRADIENT_SUMMED in config.quirks)
    weight = None if dilation is None else tf.cast(dilation, dtype)
    gradients = [
        tf.cast(gradient, weights_dtype)
        for gradient in network.backward(weights, cache, tf.cast(dlogits, dtype), weight)
    ]
    keep_gradients(gradients)
    yield from _by_layer("the gradient", network, gradients)
    updated, optimizer = optimizer_update(config, learned.weights, gradients, learned.optimizer)
    yield from _by_layer("the optimizer's mean square", network, optimizer.square)
    yield from _by_layer("a weight", network, updated)


def _outputs(what: str, cache: Sequence[Any]) -> Iterator[_Finding]:
    for number, layer in enumerate(cache, 1):
        yield _Finding(what, number, layer.y)


def _by_layer(what: str, network: Network, tensors: Sequence[Tensor]) -> Iterator[_Finding]:
    for number, place in reversed(list(enumerate(network.layers, 1))):
        yield _Finding(what, number, _flat(tensors[place]))


def _first_broken(findings: Iterator[_Finding]) -> _Finding:
    for finding in findings:
        if not bool(tf.reduce_all(tf.math.is_finite(finding.values))):
            return finding
    # Where the sum of finite costs overflows nothing else need be wrong.
    return _Finding("the sum of the costs", None, tf.constant(np.inf))


def _norms(network: Network, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[dict[str, Any]]:
    """By layer, before the step: norm of the weights and of the gradient; a word where it is not finite."""
    return [
        {
            "layer": number,
            "weight_norm": _number(tf.norm(_flat(weights[place]))),
            "gradient_norm": _number(tf.norm(_flat(gradients[place]))) if gradients else None,
        }
        for number, place in enumerate(network.layers, 1)
    ]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)


def _number(value: Tensor) -> float | str:
    number = float(value)
    return number if np.isfinite(number) else _value(value)


def _value(values: Tensor) -> str:
    return "not a number" if bool(tf.reduce_any(tf.math.is_nan(values))) else "infinite"


def _sentence(epoch: int, step: int, finding: _Finding, images: Sequence[int], norms: Sequence[dict[str, Any]]) -> str:
    where = "" if finding.layer is None else f" of layer {finding.layer}"
    shown = ", ".join(str(image) for image in images[:SHOWN_IMAGES])
    more = "" if len(images) <= SHOWN_IMAGES else f" and {len(images) - SHOWN_IMAGES} more"
    weights = ", ".join(_short(layer["weight_norm"]) for layer in norms)
    found = f"{finding.what}{where} became {_value(finding.values)}"
    return (
        f"Training diverged in epoch {epoch + 1}, step {step + 1}: {found}. "
        f"Its batch: training images {shown}{more}. Norms of the layers' weights before it: {weights}. "
        "Try a smaller learning_rate, or a preprocessing with smaller pixel values."
    )


def _short(norm: float | str) -> str:
    return norm if isinstance(norm, str) else f"{norm:.3g}"
