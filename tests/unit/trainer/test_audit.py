from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import AuditVerdict, LayerMeasurement, TrainConfig
from tests.unit.trainer import oracle
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import TrainingData, first_state
from worker.trainer.audit import Audit, _verdict, cost_change, deviation
from worker.trainer.dilation import dilation_lambda
from worker.trainer.layers.relu import relu_backward
from worker.trainer.networks import Network, build, mlp
from worker.trainer.networks.conv7 import Conv7
from worker.trainer.optimizers import optimizer_update
from worker.trainer.state import Learned
from worker.trainer.step import training_step
from worker.trainer.tensors import Tensor

PASSED, FAILED, NO_SIGNAL = AuditVerdict.PASSED, AuditVerdict.FAILED, AuditVerdict.NO_SIGNAL
LAYERS = {"conv7": 7, "mlp": 3}
EACH_LAYER = [(name, layer) for name, layers in LAYERS.items() for layer in range(layers)]


def changed(**changes: object) -> TrainConfig:
    """A run on images from 0 to 1."""
    width = 16 if changes.get("network") == "mlp" else 3
    return TrainConfig.model_validate(CONFIG.model_dump() | {"width": width, "epsilon": 0.02} | changes)


def start(config: TrainConfig, data: TrainingData) -> Learned:
    """A state with weights so large that a conv7 of three channels bends."""
    learned = first_state(config, data).learned
    return learned._replace(weights=tuple(6 * w for w in learned.weights)) if config.network == "conv7" else learned


def measured(
    config: TrainConfig, data: TrainingData, network: Network | None = None, learned: Learned | None = None
) -> tuple[LayerMeasurement, ...]:
    """An audit of a run, or of another network or state in its place."""
    audit = Audit(network or build(config), config, data)
    learned = learned or start(config, data)
    pieces = audit.measure(learned, dilation_lambda(config, 0))
    for _ in range(audit.pieces):
        next(pieces)
    with pytest.raises(StopIteration) as end:
        next(pieces)
    found: tuple[LayerMeasurement, ...] = end.value.value
    return found


def verdicts(found: Sequence[LayerMeasurement]) -> list[AuditVerdict]:
    return [layer.verdict for layer in found]


class WrongSign:
    """A network one of whose layers gives its gradient with the wrong sign."""

    def __init__(self, network: Any, layer: int) -> None:
        self._network = network
        self._wrong = range(*network.layers[layer].indices(100))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def backward(self, *arguments: Any) -> tuple[Tensor, ...]:
        """The gradients, one layer's negated."""
        gradients = self._network.backward(*arguments)
        return tuple(-g if place in self._wrong else g for place, g in enumerate(gradients))


def with_wrong_sign_in_call(function: Callable[..., Tensor], number: int, calls: int) -> Callable[..., Tensor]:
    """The function, but for the n-th of so many calls a backward pass makes."""
    made = 0

    def faulty(*arguments: Any) -> Tensor:
        nonlocal made
        made += 1
        return -function(*arguments) if (made - 1) % calls == number else function(*arguments)

    return faulty


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """A few images of two classes."""
    images = images_and_labels()
    return replace(images, train_images=images.train_images.astype(np.float32) / 255)


@pytest.fixture(scope="module")
def sound(data: TrainingData) -> tuple[LayerMeasurement, ...]:
    """The audit of a conv7 before its first step."""
    return measured(changed(), data)


class TestVerdict:
    @pytest.mark.parametrize("changes", [{}, {"network": "mlp"}, {"backprop": "dilated"}, {"precision": "bfloat16"}])
    def test_passes_what_is_right(self, data: TrainingData, changes: dict[str, object]) -> None:
        """Every layer of both networks passes, far within the tolerances; dilation and precision are no part of it."""
        found = measured(changed(**changes), data)
        assert verdicts(found) == [PASSED] * len(found)
        assert [layer.layer for layer in found] == list(range(1, len(found) + 1))
        assert max(layer.tape_error for layer in found if layer.tape_error is not None) < 1e-12
        assert max(layer.difference_error for layer in found if layer.difference_error is not None) < 1e-8

    @pytest.mark.parametrize(("network", "layer"), EACH_LAYER)
    def test_fails_the_layer_whose_gradient_has_the_wrong_sign(
        self, data: TrainingData, network: str, layer: int
    ) -> None:
        """A wrong sign in one layer's own gradient fails there, by both references, and nowhere else."""
        config = changed(network=network)
        found = measured(config, data, WrongSign(build(config), layer))
        assert verdicts(found) == [FAILED if k == layer else PASSED for k in range(LAYERS[network])]
        assert found[layer].tape_error == pytest.approx(2)
        assert (found[layer].difference_error or 0) > 1e-3

    def test_fails_what_can_not_be_compared(self) -> None:
        """An error that is not a number is no error of at most the limit."""
        assert _verdict(float("nan"), 0.0, has_gradient=True) is FAILED
        assert _verdict(1e-8, float("nan"), has_gradient=True) is NO_SIGNAL

    @pytest.mark.parametrize("layer", range(7))
    def test_fails_all_layers_below_a_wrong_sign_on_the_way_back(self, data: TrainingData, layer: int) -> None:
        """A wrong sign in the derivative of one CELU is handed down: that layer and all before it fail."""
        network = Conv7(3)
        network._elu_backward = with_wrong_sign_in_call(network._elu_backward, 6 - layer, 7)
        assert verdicts(measured(changed(), data, network)) == [FAILED if k <= layer else PASSED for k in range(7)]

    @pytest.mark.parametrize("layer", range(2))
    def test_fails_all_layers_below_a_wrong_sign_in_a_relu(
        self, data: TrainingData, layer: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same in mlp, whose last layer has no ReLU."""
        monkeypatch.setattr(mlp, "relu_backward", with_wrong_sign_in_call(relu_backward, 1 - layer, 2))
        found = measured(changed(network="mlp", epsilon=0), data)
        assert verdicts(found) == [FAILED if k <= layer else PASSED for k in range(3)]

    @pytest.mark.parametrize(
        ("quirk", "sound_layers"),
        [("celu_slope_2", 0), ("pool_gradient_unscaled", 1), ("cost_gradient_summed", 0)],
    )
    def test_fails_what_a_quirk_changes(self, data: TrainingData, quirk: str, sound_layers: int) -> None:
        """A quirk of the way back fails in every layer that it reaches: behind the last pool none is unscaled."""
        found = measured(changed(quirks=[quirk]), data)
        assert verdicts(found) == [FAILED] * (7 - sound_layers) + [PASSED] * sound_layers
        assert all((layer.difference_error or 0) > 1e-6 for layer in found[: 7 - sound_layers])

    @pytest.mark.parametrize("quirk", ["amsgrad_whole_tensor", "test_cost_of_softmax"])
    def test_passes_quirks_of_other_places(self, data: TrainingData, quirk: str) -> None:
        """What the scripts did to the optimizer or the test cost is no matter of gradients."""
        assert set(verdicts(measured(changed(quirks=[quirk]), data))) == {PASSED}

    def test_has_no_signal_where_the_gradient_is_zero(self, data: TrainingData) -> None:
        """Behind weights that are all zero nothing comes back, and zero is not wrong."""
        config = changed(network="mlp")
        learned = start(config, data)
        weights = [tf.zeros_like(w) if w.shape[-1] == 10 else w for w in learned.weights]
        found = measured(config, data, learned=learned._replace(weights=tuple(weights)))
        assert verdicts(found) == [NO_SIGNAL, NO_SIGNAL, PASSED]
        first = found[0]
        assert (first.tape_error, first.difference_error, first.gradient_norm) == (None, None, 0.0)
        assert (first.own.error, first.own.cosine, first.own.norm_ratio) == (None, None, None)

    def test_fails_a_gradient_that_is_wrongly_zero(self, data: TrainingData) -> None:
        """A layer whose gradient was left out is not taken for one without a signal."""
        config = changed()

        class Forgetful(WrongSign):
            def backward(self, *arguments: Any) -> tuple[Tensor, ...]:
                gradients = self._network.backward(*arguments)
                return tuple(0 * g if place in self._wrong else g for place, g in enumerate(gradients))

        found = measured(config, data, Forgetful(build(config), 2))
        assert verdicts(found) == [PASSED, PASSED, FAILED, PASSED, PASSED, PASSED, PASSED]
        assert found[2].tape_error == 1.0

    @pytest.mark.parametrize(
        ("margin", "verdict"), [(8.0, PASSED), (16.0, PASSED), (32.0, NO_SIGNAL), (800.0, NO_SIGNAL)]
    )
    def test_fails_no_network_that_knows_its_images(
        self, data: TrainingData, margin: float, verdict: AuditVerdict
    ) -> None:
        """Where every cost is small rounding does not look like an error; below what can be told there is no signal."""
        config = changed(network="mlp")
        learned = start(config, data)
        one_class = replace(data, train_labels=0 * data.train_labels)
        weights = (*learned.weights[:5], tf.one_hot(0, 10) * margin)
        small = [w / 1000 for w in weights[:5]]
        found = measured(config, one_class, learned=learned._replace(weights=(*small, weights[5])))
        assert verdicts(found)[2] is verdict

    def test_needs_no_more_than_one_image(self) -> None:
        """A run with fewer images than the probe batch holds is audited on those that it has."""
        found = measured(changed(batch_size=1), images_and_labels(1, 1))
        assert verdicts(found) == [PASSED] * 7


class TestNumbers:
    def test_norms_are_those_of_the_layer(self, data: TrainingData) -> None:
        """The norm of a layer's gradient is that of automatic differentiation; that of its weights is theirs."""
        config = changed(epsilon=0)
        weights = [tf.cast(w, tf.float64) for w in start(config, data).weights]
        x, labels = tf.constant(data.train_images[:8], tf.float64), data.train_labels[:8]
        expected = oracle.derivative(lambda weights: oracle.cost(weights, x, labels), weights)
        for layer, gradient, w in zip(measured(config, data), expected, weights, strict=True):
            assert layer.gradient_norm == pytest.approx(np.linalg.norm(gradient), rel=1e-10)
            assert layer.weight_norm == pytest.approx(np.linalg.norm(w), rel=1e-10)

    def test_own_precision_is_measured(self, data: TrainingData, sound: tuple[LayerMeasurement, ...]) -> None:
        """float32 deviates from float64 by about its rounding, bfloat16 by ten thousand times more."""
        coarse = measured(changed(precision="bfloat16"), data)
        for single, half in zip(sound, coarse, strict=True):
            assert single.own.error is not None
            assert half.own.error is not None
            assert 0 < single.own.error < 1e-5
            assert 1e-3 < half.own.error < 0.3
            assert half.own.cosine == pytest.approx(1, abs=0.05)
            assert half.own.norm_ratio == pytest.approx(1, abs=0.2)

    def test_update_of_a_dilated_run_is_held_against_the_gradient(self, data: TrainingData) -> None:
        """The last two layers are not dilated, so there the two are one; before them they differ by lambda's part."""
        config = changed(backprop="dilated", dilation_proportion=0.5, epsilon=0)
        learned = start(config, data)
        weights = [tf.cast(w, tf.float64) for w in learned.weights]
        x, labels = tf.constant(data.train_images[:8], tf.float64), data.train_labels[:8]
        dilated = oracle.dilated_gradients(weights, x, labels, 0.5)
        plain = oracle.derivative(lambda weights: oracle.cost(weights, x, labels), weights)
        for layer, d, g in zip(measured(config, data), dilated, plain, strict=True):
            assert layer.update is not None
            assert layer.update.error == pytest.approx(np.linalg.norm(d - g) / np.linalg.norm(g), rel=1e-8, abs=1e-12)
            assert layer.update.norm_ratio == pytest.approx(np.linalg.norm(d) / np.linalg.norm(g), rel=1e-8)

    def test_update_of_a_manual_run_is_the_gradient(self, sound: tuple[LayerMeasurement, ...]) -> None:
        """There is nothing to compare where the update is the gradient itself."""
        assert {layer.update for layer in sound} == {None}

    @pytest.mark.parametrize("changes", [{}, {"epsilon": 0}, {"backprop": "dilated", "quirks": ["celu_slope_2"]}])
    def test_update_ratio_is_that_of_the_runs_own_step(self, data: TrainingData, changes: dict[str, object]) -> None:
        """It is how far a training step on the probe batch would move the weights, adversarial, dilated or not."""
        config = changed(**changes)
        learned, weight = start(config, data), dilation_lambda(config, 0)
        x, labels = tf.constant(data.train_images[:8]), tf.constant(data.train_labels[:8])
        factor = None if weight is None else tf.constant(weight)
        for _ in range(2):  # the optimizer's memory counts
            found = measured(config, data, learned=learned)
            after = training_step(build(config), config, learned, x, labels, factor)
            for layer, w, moved in zip(found, learned.weights, after.weights, strict=True):
                assert layer.update_ratio == pytest.approx(np.linalg.norm(moved - w) / np.linalg.norm(w), rel=1e-5)
            learned = after

    def test_vmax_is_active_where_it_is_above_v(self, data: TrainingData) -> None:
        """The share of weights at which AMSGrad still remembers a larger square; Adam remembers none."""
        learned = start(changed(), data)
        assert [layer.vmax_active for layer in measured(changed(), data)] == [0.0] * 7
        steep, flat = (tuple(tf.ones_like(w) * size for w in learned.weights) for size in (1.0, 0.0))
        half = tuple(
            tf.where(tf.random.stateless_uniform(w.shape, (1, 2)) < 0.5, s, 0)
            for w, s in zip(learned.weights, steep, strict=True)
        )
        _, optimizer = optimizer_update(changed(), learned.weights, half, learned.optimizer)
        _, optimizer = optimizer_update(changed(), learned.weights, flat, optimizer)
        found = measured(changed(), data, learned=learned._replace(optimizer=optimizer))
        for layer, gradient in zip(found, half, strict=True):
            assert layer.vmax_active == pytest.approx(np.mean(gradient))
        assert {layer.vmax_active for layer in measured(changed(optimizer="adam"), data)} == {None}

    def test_are_equal_in_every_audit_of_a_state(self, data: TrainingData, sound: tuple[LayerMeasurement, ...]) -> None:
        """Images and directions are always the same, so the numbers of one state are too, and nothing is changed."""
        assert measured(changed(), data) == sound


class TestCostChange:
    labels = np.array([2, 0, 1], np.int32)

    def test_is_the_difference_of_two_costs(self) -> None:
        """Where both are of an ordinary size it is what their subtraction gives."""
        before, after = (oracle.normal((3, 10), seed=seed, deviation=5.0) for seed in (1, 2))
        costs = [
            float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(self.labels, logits)))
            for logits in (before, after)
        ]
        assert cost_change(before, after, self.labels) == pytest.approx(costs[1] - costs[0], rel=1e-12)

    @pytest.mark.parametrize("margin", [1.0, 40.0, 300.0])
    def test_is_exact_far_below_rounding(self, margin: float) -> None:
        """An image that beats nine classes by a margin costs log(1 + 9 exp(-margin)): its derivative comes out."""
        logits = np.full((3, 10), -margin)
        logits[np.arange(3), self.labels] = 0
        ahead, behind = logits.copy(), logits.copy()
        ahead[np.arange(3), self.labels] += 2**-20
        behind[np.arange(3), self.labels] -= 2**-20
        expected = -9 * np.exp(-margin) / (1 + 9 * np.exp(-margin))
        assert cost_change(behind, ahead, self.labels) * 2**19 == pytest.approx(expected, rel=1e-11)

    def test_stays_finite_where_costs_are_huge(self) -> None:
        """Logits whose exponentials overflow have a cost, their distance, and it changes."""
        before = np.zeros((3, 10))
        before[:, 5] = 5000.0
        after = before.copy()
        after[:, 5] += 0.25
        assert cost_change(before, after, self.labels) == pytest.approx(0.25)


class TestDeviation:
    def test_is_of_size_and_of_direction(self) -> None:
        """Twice the gradient is wrong by its size alone, one at a right angle by its direction too."""
        t = np.array([3.0, 4.0])
        double, turned = deviation(2 * t, t), deviation(np.array([4.0, -3.0]), t)
        assert (double.error, double.cosine, double.norm_ratio) == pytest.approx((1, 1, 2))
        assert (turned.error, turned.cosine, turned.norm_ratio) == pytest.approx((np.sqrt(2), 0, 1))

    def test_of_nothing_has_no_numbers(self) -> None:
        """Zero has no direction, and nothing can be relative to it; infinity is no number to tell."""
        zero, t = np.zeros(2), np.array([3.0, 4.0])
        assert deviation(zero, t).cosine is None
        assert (deviation(zero, t).error, deviation(zero, t).norm_ratio) == (1.0, 0.0)
        assert deviation(t, zero).error is None
        assert deviation(np.array([np.inf, 1.0]), t).error is None
