import numpy as np
import pytest

from backend.analysis import RunCurves, align, differing_fields, group_runs, match, summarize
from backend.analysis.pairs import Matched
from tests.unit.analysis.builders import curves, pair_of_groups


def match_all(runs: list[RunCurves], field: str) -> Matched:
    one, two = group_runs(runs, [field])
    return match(one, two)


class TestGroups:
    def test_of_all_but_the_seed_are_repetitions(self) -> None:
        """Runs that differ in the seed alone, or in what is measured on the side, are one group."""
        runs = [curves(1, [0.1], seed=0), curves(2, [0.2], seed=1, audit_every=0), curves(3, [0.3], seed=0, width=8)]
        assert [[run.run_id for run in group.runs] for group in group_runs(runs, ["all"])] == [[1, 2], [3]]

    def test_are_made_by_any_set_of_fields(self) -> None:
        """Only the named fields tell groups apart."""
        runs = [
            curves(n, [0.1], width=width, epsilon=epsilon)
            for n, (width, epsilon) in enumerate([(8, 0), (8, 1), (4, 0)])
        ]
        assert [group.label for group in group_runs(runs, ["width"])] == ["width 8", "width 4"]
        assert [group.label for group in group_runs(runs, ["width", "epsilon"])] == [
            "width 8, epsilon 0.0",
            "width 8, epsilon 1.0",
            "width 4, epsilon 0.0",
        ]

    def test_leave_out_what_a_manual_run_never_reads(self) -> None:
        """Manual runs with different dilation are repetitions; dilated ones are not."""
        manual = [curves(1, [0.1], dilation_decay=0.1), curves(2, [0.1], dilation_decay=0.2, seed=1)]
        dilated = [curves(n, [0.1], backprop="dilated", dilation_decay=n / 10) for n in (3, 4)]
        assert len(group_runs(manual, ["all"])) == 1
        assert [group.label for group in group_runs([*manual, *dilated], ["all"])] == [
            "manual",
            "dilated, dilation decay 0.3",
            "dilated, dilation decay 0.4",
        ]

    def test_of_a_pair_are_named_by_the_method_alone(self) -> None:
        """That a manual run has no dilation is no difference worth a word."""
        assert [group.label for group in pair_of_groups([[0.1]], [[0.2]])] == ["manual", "dilated"]

    def test_have_a_key_and_figures_that_do_not_depend_on_the_others(self) -> None:
        """What else is shown changes neither a group's key nor its statistics."""
        runs = [curves(1, [0.1, 0.3], seed=0), curves(2, [0.2], seed=1), curves(3, [0.9] * 9, width=4)]
        alone, beside = group_runs(runs[:2], ["all"])[0], group_runs(runs, ["all"])[0]
        assert alone.key == beside.key
        for group in (alone, beside):
            epochs, matrix = align([run.epochs for run in group.runs], [run.columns["test_cost"] for run in group.runs])
            assert list(epochs) == [0, 1]
            assert summarize(matrix).n.tolist() == [2, 1]
            assert summarize(matrix).center.tolist() == pytest.approx([0.15, 0.3])


class TestDifferences:
    def test_are_the_fields_with_several_values(self) -> None:
        """A field is listed where the runs that read it have several values of it."""
        runs = [curves(1, [0.1]), curves(2, [0.1], seed=1, width=8), curves(3, [0.1], backprop="dilated")]
        assert differing_fields([run.config for run in runs]) == ["width", "backprop", "seed"]
        assert differing_fields([]) == []


class TestPairs:
    def test_have_equal_seeds(self) -> None:
        """Runs are matched by seed; those without a partner are named."""
        manual, dilated = pair_of_groups([[0.1], [0.2], [0.3]], [[0.4], [0.5]])
        matched = match(manual, dilated)
        assert [(one.run_id, two.run_id) for one, two in matched.pairs] == [(1, 101), (2, 102)]
        assert matched.left_out == [3]

    def test_agree_in_everything_the_groups_are_not_made_by(self) -> None:
        """Grouped by method, a run of width 8 is not paired with one of width 4."""
        runs = [curves(n, [0.1], width=width) for n, width in ((1, 8), (2, 4))]
        runs.append(curves(3, [0.1], width=4, backprop="dilated"))
        matched = match_all(runs, "backprop")
        assert [(one.run_id, two.run_id) for one, two in matched.pairs] == [(2, 3)]

    def test_count_a_repeated_run_once(self) -> None:
        """A copy with the same seed is no new evidence: the furthest counts, the other is named."""
        runs = [curves(1, [0.1]), curves(2, [0.1, 0.2]), curves(3, [0.1, 0.2], backprop="dilated")]
        matched = match_all(runs, "all")
        assert [(one.run_id, two.run_id) for one, two in matched.pairs] == [(2, 3)]
        assert matched.left_out == [1]


class TestAlignment:
    def test_keeps_what_is_missing_apart(self) -> None:
        """Runs of unequal length, a branch that begins late and a NaN leave holes, and nothing is filled in."""
        runs = [curves(1, [1, 2, 3]), curves(2, [5, np.nan], first=2)]
        epochs, matrix = align([run.epochs for run in runs], [run.columns["test_cost"] for run in runs])
        assert epochs.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(matrix, [[1, 2, 3, np.nan], [np.nan, np.nan, 5, np.nan]])
        assert summarize(matrix).n.tolist() == [1, 1, 2, 0]

    def test_of_nothing_is_nothing(self) -> None:
        """No run, or runs without an epoch, have no columns."""
        assert align([], [])[1].shape == (0, 0)
        assert summarize(align([np.empty(0, np.int64)], [np.empty(0)])[1]).center.shape == (0,)
