"""The contenders of the speed benchmark: they must all compute the same step, else their speeds say nothing."""

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.speed.cases import BATCHES, Case, largest_difference, runs
from benchmarks.speed.keras_fit import KerasFit
from benchmarks.speed.ours import MAKERS
from benchmarks.speed.report import Measured, bar_lines
from benchmarks.speed.serve import Maker
from benchmarks.speed.statistics import geometric_mean, paired_ratio
from benchmarks.speed.tape import BestTape, ObviousTape
from tests.unit.trainer import oracle
from worker.trainer.tensors import Tensor

CASES = [Case(network, 4, 3, epsilon) for network in ("conv7", "mlp") for epsilon in (0.5, 0.0)]
FLOAT32: dict[str, Maker] = {"ours": MAKERS["ours"], "obvious": ObviousTape, "best": BestTape, "Keras": KerasFit}
MAKERS_BY_NAME = FLOAT32 | MAKERS


def oracle_gradients(case: Case) -> list[NDArray[np.float64]]:
    """The gradients of the first step in float64, by automatic differentiation."""
    weights = [np.asarray(w, np.float64) for w in case.weights()]
    x, labels = case.images()[: case.batch].astype(np.float64), case.labels()[: case.batch]

    def cost(weights: list[Tensor], x: Tensor) -> Tensor:
        if case.network == "conv7":
            return oracle.cost(weights, x, labels)
        return oracle.mlp_cost(weights, x, labels)

    if case.epsilon:
        (dx,) = oracle.derivative(lambda x: cost(weights, x), x)
        x += case.epsilon * np.sign(dx)
    return oracle.derivative(lambda weights: cost(weights, x), weights)


@cache
def after(name: str, case: Case, count: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """A contender's weights and means after some steps in one call."""
    contender = MAKERS_BY_NAME[name](case)
    contender.steps(count)
    return contender.learned()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
class TestContenders:
    @pytest.mark.parametrize("name", FLOAT32)
    def test_compute_the_gradient_of_the_rule(self, case: Case, name: str) -> None:
        """The first step's means are a tenth of the gradients that automatic differentiation finds in float64."""
        _, means = after(name, case, 1)
        for mean, gradient in zip(means, oracle_gradients(case), strict=True):
            assert oracle.relative_error(mean / 0.1, gradient) < 1e-4

    @pytest.mark.parametrize("name", FLOAT32)
    def test_update_by_amsgrad(self, case: Case, name: str) -> None:
        """The first update is 1e-3 m / (sqrt(0.1 g^2) + 1e-8), m a tenth of g."""
        weights, means = after(name, case, 1)
        for w, first, m in zip(weights, case.weights(), means, strict=True):
            expected = first - 1e-3 * m / (math.sqrt(0.1) * np.abs(m / 0.1) + 1e-8)
            assert np.allclose(w, expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("name", FLOAT32)
    def test_take_the_same_batches(self, case: Case, name: str) -> None:
        """Three steps at once or one by one end alike, and near to where ours do."""
        at_once, _ = after(name, case, 3)
        ours, _ = after("ours", case, 3)
        assert largest_difference(at_once, ours) < 0.02

    def test_in_bfloat16_are_near(self, case: Case) -> None:
        """bfloat16 passes give the gradient of float32 to two digits or so."""
        _, means = after("ours, bfloat16", case, 1)
        assert largest_difference([10 * m for m in means], [g.astype(np.float32) for g in oracle_gradients(case)]) < 0.2


class TestCase:
    def test_counts_multiply_adds(self) -> None:
        """Width 128 needs 168.4 million forward; an adversarial step five times that, less one layer's way back."""
        case = Case("conv7", 128, 50, 0.5)
        assert case.multiply_adds() == pytest.approx(5 * 168.4e6, rel=5e-3)
        assert Case("conv7", 128, 50, 0.0).multiply_adds() == pytest.approx(3 * 168.4e6, rel=8e-3)

    def test_batches_go_round(self) -> None:
        """What follows the last batch in memory is the first one."""
        assert runs(7, BATCHES - 3) == [(BATCHES - 3, 3), (0, 4)]


class TestRatios:
    def test_are_paired(self) -> None:
        """Rounds in which everything is slower change nothing: the ratio is taken round by round."""
        noise = np.exp(np.random.default_rng(0).normal(size=12))
        found = paired_ratio(2 * noise, noise)
        assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))

    def test_of_several_cases_have_a_geometric_mean(self) -> None:
        """Twice as fast in one case and eight times in another is four times."""
        assert geometric_mean([([2.0] * 10, [1.0] * 10), ([8.0] * 10, [1.0] * 10)]).value == pytest.approx(4)

    def test_interval_holds_the_median(self) -> None:
        """Noise in the rounds widens the interval around the median ratio."""
        ratios = np.linspace(0.8, 1.3, 11)
        found = paired_ratio(ratios, np.ones(11))
        assert 0.8 <= found.low < found.value == pytest.approx(1.05)
        assert found.value < found.high <= 1.3


class TestBars:
    def test_are_met_or_missed(self) -> None:
        """A bar is held against PyTorch's fastest contender of a precision; what was not measured says so."""
        speeds = {"ours": [120.0] * 10, "PyTorch": [90.0] * 10, "PyTorch compiled": [100.0] * 10}
        speeds |= {"obvious tape": [80.0] * 10, "PyTorch, bfloat16": [500.0] * 10}
        text = "\n".join(bar_lines([Measured(Case("conv7", 32, 50, 0.5), speeds)]))
        assert "| float32 / PyTorch's best | at least 1.25 | 1.20 (1.20 to 1.20) | MISSED |" in text
        assert "| float32 / obvious tape | at least 1.3 | 1.50 (1.50 to 1.50) | met |" in text
        assert "| float32 / best tape | interval reaches 1 | not measured | |" in text
