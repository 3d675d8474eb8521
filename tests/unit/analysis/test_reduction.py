import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.analysis import reduced

VALUES = st.lists(
    st.floats(-100, 100) | st.sampled_from([np.nan, np.inf, -np.inf]) | st.sampled_from([0.0, 1.0]), max_size=400
).map(np.array)
BUDGETS = st.integers(2, 120)


class TestReduction:
    @given(VALUES, BUDGETS)
    def test_keeps_what_a_reader_would_look_for(self, values: np.ndarray, budget: int) -> None:
        """First, last, smallest, largest, and NaN and both infinities where there are any; rising, none twice."""
        kept = reduced(values, budget)
        assert (np.diff(kept) > 0).all()
        if len(values) == 0:
            assert len(kept) == 0
            return
        assert (kept[0], kept[-1]) == (0, len(values) - 1)
        drawn, finite = values[kept], np.isfinite(values)
        for is_kind in (np.isnan, np.isposinf, np.isneginf):
            assert is_kind(drawn).any() == is_kind(values).any()
        if finite.any():
            shown = drawn[np.isfinite(drawn)]
            assert (shown.min(), shown.max()) == (values[finite].min(), values[finite].max())
            assert (shown[0], shown[-1]) == (values[finite][0], values[finite][-1])

    @given(VALUES, BUDGETS)
    def test_draws_no_more_than_there_is_room_for(self, values: np.ndarray, budget: int) -> None:
        """All points where they fit; of a finite curve the budget and its two ends, with gaps 2.5 times as many."""
        kept = reduced(values, budget)
        if len(values) <= budget:
            assert len(kept) == len(values)
        elif np.isfinite(values).all():
            assert len(kept) <= budget + 4
        else:
            assert len(kept) <= 2.5 * budget + 4

    @given(VALUES, BUDGETS)
    def test_keeps_a_sparse_series_whole(self, values: np.ndarray, budget: int) -> None:
        """A few values between many missing ones are all drawn."""
        sparse = np.full(5 * len(values), np.nan)
        sparse[::5] = values
        finite = np.flatnonzero(np.isfinite(sparse))
        if len(finite) <= budget:
            assert set(finite) <= set(reduced(sparse, budget))

    @given(VALUES.filter(lambda values: len(values) > 1), BUDGETS, st.randoms(use_true_random=False))
    def test_keeps_the_extremes_of_every_part_of_the_axis(
        self, values: np.ndarray, budget: int, random: object
    ) -> None:
        """Cut by x, every part that has a finite value shows its smallest and its largest one."""
        rng = np.random.default_rng(random.randint(0, 2**32))  # type: ignore[attr-defined]
        x = np.cumsum(rng.exponential(size=len(values)) + 1e-3)
        kept = reduced(values, budget, x)
        parts = max(1, budget // 2)
        edges = np.linspace(x[0], x[-1], parts + 1)[:-1]
        part = np.searchsorted(edges, x, side="right") - 1
        for number in np.unique(part):
            inside = values[part == number]
            inside = inside[np.isfinite(inside)]
            shown = values[[place for place in kept if part[place] == number]]
            if len(inside):
                assert np.nanmin(shown[np.isfinite(shown)]) == inside.min()
                assert np.nanmax(shown[np.isfinite(shown)]) == inside.max()

    @given(VALUES, BUDGETS)
    def test_gives_the_same_points_every_time(self, values: np.ndarray, budget: int) -> None:
        """Nothing is sampled at random."""
        np.testing.assert_array_equal(reduced(values, budget), reduced(values.copy(), budget))

    def test_keeps_one_strange_value_among_a_million(self) -> None:
        """A single NaN, a single infinity and a single peak are drawn, wherever they stand."""
        values = np.zeros(1_000_000)
        values[[123_456, 555_555, 777_777]] = np.nan, -np.inf, 3.0
        kept = reduced(values, 1400)
        assert {123_456, 555_555, 777_777} <= set(kept)
        assert len(kept) < 1500

    def test_takes_an_axis_that_does_not_move(self) -> None:
        """Points that all stand at one place are cut by their number instead."""
        assert len(reduced(np.arange(1000.0), 10, np.zeros(1000))) <= 14
