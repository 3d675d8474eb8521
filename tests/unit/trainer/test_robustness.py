from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import AttackResult, EpochReport, TrainConfig
from tests.unit.trainer import oracle
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import Training, TrainingData
from worker.trainer.robustness import PGD_STEP, Robustness, moved
from worker.trainer.tensors import Tensor

EPSILONS = (4.0, 24.0, 60.0)


def changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(CONFIG.model_dump() | {"robustness_epsilons": EPSILONS, "width": 8} | changes)


def attacked(config: TrainConfig, data: TrainingData, weights: tuple[Tensor, ...]) -> dict[tuple[str, float], float]:
    """The accuracy by attack and epsilon."""
    robustness = Robustness(config, data)
    pieces = robustness.measure(weights)
    for _ in range(robustness.pieces):
        next(pieces)
    with pytest.raises(StopIteration) as end:
        next(pieces)
    found: tuple[AttackResult, ...] = end.value.value
    return {(result.attack.value, result.epsilon): result.accuracy for result in found}


@pytest.fixture(scope="module")
def trained() -> tuple[TrainingData, tuple[Tensor, ...], float]:
    """Images of two classes, a network that tells them apart, and its accuracy on 64 test images."""
    data = images_and_labels(44, 64)
    training = Training(changed(epochs=16, epsilon=0), data)
    accuracy = [report.test_accuracy for report in training.reports(lambda: False) if isinstance(report, EpochReport)]
    assert accuracy[-1] > 0.9
    return data, training.state.learned.weights, accuracy[-1]


@pytest.fixture(scope="module")
def found(trained: tuple[TrainingData, tuple[Tensor, ...], float]) -> dict[tuple[str, float], float]:
    """All attacks on that network."""
    data, weights, _ = trained
    return attacked(changed(), data, weights)


class TestRobustness:
    def test_of_clean_images_is_the_test_accuracy(self, trained: Any, found: dict[tuple[str, float], float]) -> None:
        """Without an attack it is what the epoch's report says of the same images."""
        assert found["clean", 0.0] == trained[2]

    def test_falls_with_epsilon(self, found: dict[tuple[str, float], float]) -> None:
        """A larger step does more harm, and at the largest the network is fooled almost always."""
        for attack in ("fgsm", "pgd"):
            accuracies = [found["clean", 0.0], *(found[attack, epsilon] for epsilon in EPSILONS)]
            assert accuracies == sorted(accuracies, reverse=True)
            assert accuracies[-1] < accuracies[0] - 0.4

    def test_is_less_against_the_strong_attack(self, found: dict[tuple[str, float], float]) -> None:
        """PGD does at least the harm of FGSM at every epsilon."""
        assert all(found["pgd", epsilon] <= found["fgsm", epsilon] for epsilon in EPSILONS)

    def test_tells_every_attack_in_order(self, found: dict[tuple[str, float], float]) -> None:
        """First the clean images, then each attack by epsilon."""
        expected = [("clean", 0.0), *(("fgsm", epsilon) for epsilon in EPSILONS), *(("pgd", e) for e in EPSILONS)]
        assert list(found) == expected

    def test_pgd_of_one_step_is_fgsm(self, trained: Any) -> None:
        """One step of 2.5 epsilon, kept within epsilon, is one of epsilon."""
        data, weights, _ = trained
        once = attacked(changed(robustness_steps=1), data, weights)
        assert [once["pgd", epsilon] for epsilon in EPSILONS] == [once["fgsm", epsilon] for epsilon in EPSILONS]

    def test_uses_the_true_gradient_in_a_run_with_quirks(
        self, trained: Any, found: dict[tuple[str, float], float]
    ) -> None:
        """Quirks make a wrong gradient, and a wrong gradient a weak attack: the attack has none of them."""
        data, weights, _ = trained
        assert attacked(changed(quirks=["celu_slope_2", "pool_gradient_unscaled"]), data, weights) == found

    def test_batches_change_nothing(
        self, trained: Any, found: dict[tuple[str, float], float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Images attacked in batches, the last one smaller, fall as they do all at once."""
        data, weights, _ = trained
        monkeypatch.setattr("worker.trainer.program.MAP_BYTES", 20 * 4 * 32 * 32 * 8)
        assert Robustness(changed(), data)._batch == 20
        in_batches = attacked(changed(), data, weights)
        assert in_batches == pytest.approx(found, abs=1 / 64 + 1e-9)  # rounding may decide one image on the border

    def test_attacks_a_fixed_number_of_images(self) -> None:
        """The first 500 test images are attacked, or all where there are fewer."""
        data = images_and_labels(8, 520)
        assert Robustness(changed(), data).images == 500
        few = replace(data, test_images=data.test_images[:3], test_labels=data.test_labels[:3])
        assert Robustness(changed(), few).images == 3

    @pytest.mark.parametrize("network", ["conv7", "mlp"])
    def test_is_that_of_a_second_implementation(self, network: str) -> None:
        """Accuracies are those of an attack composed of automatic derivatives in float64."""
        data = images_and_labels(8, 12)
        config = changed(network=network, robustness_epsilons=[6.0], robustness_steps=3)
        weights = Training(config, data).state.learned.weights
        exact = [tf.cast(w, tf.float64) for w in weights]
        x0, labels = tf.constant(data.test_images, tf.float64), data.test_labels
        cost = oracle.cost if network == "conv7" else oracle.mlp_cost

        def logits(x: Tensor) -> oracle.Floats:
            found = oracle.logits(exact, x) if network == "conv7" else oracle.mlp_layers(exact, x)[-1]
            return np.asarray(found)

        def sign(x: Tensor) -> oracle.Floats:
            (dx,) = oracle.derivative(lambda x: cost(exact, x, labels), x)
            return np.sign(dx)

        x = x0.numpy()
        for _ in range(3):
            x = np.clip(x + PGD_STEP * 6 / 3 * sign(tf.constant(x)), x0 - 6, x0 + 6)
        found = attacked(config, data, weights)
        assert found["clean", 0.0] == np.mean(logits(x0).argmax(axis=1) == labels)
        assert found["fgsm", 6.0] == np.mean(logits(x0 + 6 * sign(x0)).argmax(axis=1) == labels)
        assert found["pgd", 6.0] == np.mean(logits(tf.constant(x)).argmax(axis=1) == labels)


class TestMoved:
    def test_stays_within_epsilon(self) -> None:
        """However the signs fall, no pixel is ever further than epsilon from where it began, and no step too long."""
        start = tf.constant(oracle.normal((3, 4, 4, 1), seed=1, deviation=50.0))
        x = start
        for number in range(7):
            before = x
            x = moved(x, tf.sign(oracle.normal((3, 4, 4, 1), seed=number)), start, 2.0, 7)
            assert np.abs(x - start).max() <= 2.0 + 1e-12
            assert np.abs(x - before).max() <= 2.5 * 2.0 / 7 + 1e-12

    def test_reaches_epsilon_and_leaves_pixels_without_gradient(self) -> None:
        """Steps of one sign end at epsilon exactly, even outside the range of pixels; sign 0 moves nothing."""
        start = x = tf.constant([[0.0, 255.0, 7.0]])
        for _ in range(7):
            x = moved(x, tf.constant([[-1.0, 1.0, 0.0]]), start, 8.0, 7)
        assert x.numpy().tolist() == [[-8.0, 263.0, 7.0]]
