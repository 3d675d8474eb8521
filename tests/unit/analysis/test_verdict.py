import numpy as np
import pytest
from scipy import stats

from backend.analysis import group_runs, verdict
from tests.unit.analysis.builders import curves, pair_of_groups
from tests.unit.analysis.test_summary import SLEEP_1, SLEEP_2


def last(values: list[float]) -> list[list[float]]:
    """A run of one epoch for each value."""
    return [[value] for value in values]


class TestThePairedVerdict:
    def test_agrees_with_a_published_example_and_scipy(self) -> None:
        """Student's sleep data: mean 1.58, interval 0.70 to 2.46, d = 1.28; the interval is that of SciPy's test."""
        found = verdict(*pair_of_groups(last(list(SLEEP_1)), last(list(SLEEP_2))), "images_per_second")
        expected = stats.ttest_rel(SLEEP_2, SLEEP_1).confidence_interval(0.95)
        assert (found.at_epoch.low, found.at_epoch.high) == pytest.approx((expected.low, expected.high))
        assert (found.at_epoch.low, found.at_epoch.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
        assert found.effect == pytest.approx(1.2845, abs=1e-4)
        # Hedges 1981: the correction for nine degrees of freedom is close to 1 - 3 / (4 * 9 - 1).
        assert found.effect_hedges == pytest.approx(found.effect * (1 - 3 / 35), rel=2e-3)
        assert found.is_better

    def test_says_how_much_better(self) -> None:
        """Accuracies differ in points, with the interval and the number of pairs."""
        found = verdict(*pair_of_groups(last([0.90, 0.91, 0.92]), last([0.913, 0.922, 0.931])), "test_accuracy")
        assert found.sentence == (
            "dilated is 1.20 points better than manual at epoch 1, 95 % interval 0.95 to 1.45, n = 3 seeds."
        )

    def test_knows_that_less_cost_is_better(self) -> None:
        """A cost that falls is better, and one that rises is worse."""
        lower = pair_of_groups(last([0.5, 0.6, 0.7]), last([0.3, 0.41, 0.5]))
        assert "better" in verdict(*lower, "test_cost").sentence
        assert verdict(*lower, "test_cost").is_better is True
        assert verdict(*lower, "test_accuracy").is_better is False
        assert "worse" in verdict(*lower, "test_accuracy").sentence

    def test_claims_nothing_where_the_interval_holds_zero(self) -> None:
        """An interval around zero is told, and is no verdict."""
        found = verdict(*pair_of_groups(last([0.90, 0.91, 0.92]), last([0.95, 0.86, 0.92])), "test_accuracy")
        assert found.is_better is None
        assert found.sentence.startswith("No difference can be told: dilated minus manual is 0.00 points at epoch 1")

    def test_claims_nothing_of_two_pairs(self) -> None:
        """Two pairs may agree by chance, however narrow their interval."""
        found = verdict(*pair_of_groups(last([0.5, 0.6]), last([0.7, 0.80001])), "test_accuracy")
        assert found.at_epoch.low > 0
        assert found.is_better is None
        assert found.sentence.startswith("No difference can be told with n = 2: dilated minus manual is 20.00 points")

    def test_says_that_one_pair_tells_nothing(self) -> None:
        """With one pair there is a difference and no interval."""
        found = verdict(*pair_of_groups(last([0.5]), last([0.6])), "test_accuracy")
        assert found.sentence == "No difference can be told with one pair: dilated is 10.00 points better at epoch 1."
        assert np.isnan([found.at_epoch.low, found.effect, found.effect_hedges]).all()

    def test_says_that_there_is_no_variation(self) -> None:
        """Equal differences have no interval, though rounding makes them differ in the last bit; so do equal runs."""
        found = verdict(*pair_of_groups(last([0.1, 0.2, 0.3]), last([0.2, 0.3, 0.4])), "test_accuracy")
        assert "in every pair (n = 3 seeds): without variation, no interval" in found.sentence
        assert found.is_better is None
        equal = verdict(*pair_of_groups(last([0.1, 0.2]), last([0.1, 0.2])), "test_accuracy")
        assert equal.sentence == "dilated and manual are equal at epoch 1 in every pair (n = 2 seeds)."

    def test_says_that_there_is_no_pair(self) -> None:
        """Groups without a common seed can't be compared in pairs; nor can runs that have no epoch yet."""
        runs = [curves(1, [0.1], seed=1), curves(2, [0.2], seed=2, backprop="dilated")]
        one, two = group_runs(runs, ["all"])
        assert verdict(one, two, "test_cost").sentence == (
            "No run of dilated has a partner in manual: nothing can be compared in pairs."
        )
        empty = verdict(*pair_of_groups([[]], [[]]), "test_cost")
        assert empty.sentence == "No pair of manual and dilated has both results yet."
        assert empty.epoch is None

    def test_is_of_the_last_epoch_that_all_pairs_have(self) -> None:
        """Unequal lengths and NaN: the newest epoch at which no pair lacks a value, unless another is asked for."""
        groups = pair_of_groups(
            [[0.1, 0.2, 0.3], [0.1, 0.2], [0.2, 0.3, 0.4]], [[0.2, 0.3, 0.5], [0.3, np.nan], [0.4, 0.5, 0.6]]
        )
        found = verdict(*groups, "test_accuracy")
        assert (found.epoch, found.at_epoch.n) == (0, 3)
        assert found.differences.n.tolist() == [3, 2, 2]
        later = verdict(*groups, "test_accuracy", epoch=2)
        assert (later.epoch, later.at_epoch.n) == (2, 2)
        assert later.differences.center.tolist() == pytest.approx(found.differences.center.tolist())

    def test_turns_round_with_the_baseline(self) -> None:
        """What is better one way is as much worse the other way."""
        groups = pair_of_groups(last([0.1, 0.25, 0.3]), last([0.2, 0.3, 0.45]))
        one, two = verdict(*groups, "test_accuracy"), verdict(*groups[::-1], "test_accuracy")
        assert one.at_epoch.mean == pytest.approx(-two.at_epoch.mean)
        assert (one.effect, one.at_epoch.low) == pytest.approx((-two.effect, -two.at_epoch.high))


class TestTheTarget:
    def test_counts_epochs_and_seconds_of_those_that_reached_it(self) -> None:
        """Of three pairs one never gets there: both counts say so, and it is in no difference."""
        groups = pair_of_groups(
            [[0.1, 0.5, 0.9, 0.9], [0.1, 0.2, 0.3, 0.9], [0.1, 0.1, 0.1, 0.1]],
            [[0.1, 0.9, 0.9, 0.9], [0.1, 0.9, 0.9, 0.9], [0.9, 0.1, 0.1, 0.1]],
        )
        found = verdict(*groups, "test_accuracy", target=0.9).to_target
        assert found is not None
        assert found.reached == (2, 3)
        assert found.median_epochs == (3.5, 2)
        assert found.median_seconds == (7, 4)
        assert found.epochs is not None
        assert found.seconds is not None
        assert (found.epochs.mean, found.epochs.n, found.seconds.mean) == (-1.5, 2, -3)

    def test_of_a_cost_is_reached_from_above(self) -> None:
        """A cost reaches its target by falling to it; one that nobody reaches has no numbers."""
        groups = pair_of_groups([[1.0, 0.5]], [[0.5, 0.2]])
        found = verdict(*groups, "test_cost", target=0.5).to_target
        assert found is not None
        assert found.median_epochs == (2, 1)
        never = verdict(*groups, "test_cost", target=0.1).to_target
        assert never is not None
        assert (never.reached, never.median_epochs, never.epochs) == ((0, 0), (None, None), None)
