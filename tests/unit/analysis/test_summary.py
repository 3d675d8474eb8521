import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from backend.analysis import Smoothing, fitting, parse_smoothing, smooth, summarize
from backend.errors import BadRequest

# Student 1908, table of additional hours of sleep: drug 1 and drug 2 in the same ten patients.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

COLUMNS = st.lists(st.floats(-1e3, 1e3) | st.just(np.nan), min_size=2, max_size=12)


def column(values: object) -> np.ndarray:
    return np.array(values, dtype=float).reshape(-1, 1)


class TestBands:
    def test_agree_with_a_published_example(self) -> None:
        """Student's patients slept 1.58 hours longer with drug 2, 95 % interval 0.70 to 2.46."""
        found = summarize(column(SLEEP_2 - SLEEP_1))
        assert (found.center[0], found.low[0], found.high[0]) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-7)

    @given(COLUMNS)
    def test_agree_with_scipy(self, values: list[float]) -> None:
        """Mean, deviation, standard error and t interval of the finite values are SciPy's."""
        known = np.array([value for value in values if np.isfinite(value)])
        matrix = column(values)
        assert summarize(matrix).n[0] == len(known)
        if len(known) < 2:
            assert np.isnan(summarize(matrix).low[0])
            return
        # SciPy itself warns of values that are nearly equal.
        assume(np.ptp(known) > 1e-3 * np.abs(known).max())
        half = {band: summarize(matrix, "mean", band) for band in ("std", "se", "ci")}
        spread = {band: found.high[0] - found.center[0] for band, found in half.items()}
        assert half["ci"].center[0] == pytest.approx(known.mean(), abs=1e-9)
        assert spread["std"] == pytest.approx(stats.tstd(known), abs=1e-9)
        assert spread["se"] == pytest.approx(stats.sem(known), abs=1e-9)
        error = stats.sem(known)
        expected = stats.t.ppf(0.975, len(known) - 1) * error
        assert spread["ci"] == pytest.approx(expected, rel=1e-9, abs=1e-9)

    @pytest.mark.parametrize("count", [5, 6, 7, 10, 25])
    def test_of_a_median_are_scipys_order_statistics(self, count: int) -> None:
        """The median's interval is the binomial one; below six values there is none."""
        values = np.random.default_rng(count).normal(size=count)
        found = summarize(column(values), "median", "ci")
        low = stats.quantile_test(values, q=0, p=0.5, alternative="less")
        high = stats.quantile_test(values, q=0, p=0.5, alternative="greater")
        expected = (high.confidence_interval(0.975).low, low.confidence_interval(0.975).high)
        assert found.center[0] == pytest.approx(np.median(values))
        np.testing.assert_allclose((found.low[0], found.high[0]), expected)
        assert np.isnan(found.low[0]) == (count < 6)

    def test_of_one_value_are_not_known(self) -> None:
        """One run has no spread; its range is itself."""
        single = column([0.5])
        assert np.isnan(summarize(single, "mean", "std").high[0])
        assert np.isnan(summarize(single, "mean", "ci").low[0])
        found = summarize(single, "median", "range")
        assert (found.low[0], found.center[0], found.high[0]) == (0.5, 0.5, 0.5)

    @pytest.mark.parametrize("statistic", ["mean", "median"])
    def test_leave_out_what_is_not_finite(self, statistic: str) -> None:
        """NaN and infinity change neither centre nor range, and n says that they are missing."""
        found = summarize(column([1.0, np.nan, 3.0, np.inf]), "median" if statistic == "median" else "mean", "range")
        assert (found.center[0], found.low[0], found.high[0], found.n[0]) == (2, 1, 3, 2)

    def test_of_nothing_are_not_known(self) -> None:
        """A column without a value has no centre, no band and n = 0."""
        for band in ("none", "std", "se", "ci", "range"):
            for statistic in ("mean", "median"):
                found = summarize(column([np.nan, np.nan]), statistic, band)
                assert np.isnan([found.center[0], found.low[0], found.high[0]]).all()
                assert found.n[0] == 0


class TestSmoothing:
    def test_by_a_weight_is_the_weighted_mean_of_the_past(self) -> None:
        """y[t] = sum of w^(t-i) x[i] over i <= t, divided by the sum of the weights."""
        values = np.array([1.0, 5.0, 2.0, 8.0])
        expected = [np.average(values[: t + 1], weights=0.6 ** np.arange(t, -1, -1)) for t in range(4)]
        np.testing.assert_allclose(smooth(values, Smoothing("ema", 0.6)), expected)

    def test_by_a_window_is_the_mean_around(self) -> None:
        """The window is cut at the ends, also where it is wider than the curve."""
        values = np.array([1.0, 5.0, 2.0, 8.0])
        np.testing.assert_allclose(smooth(values, Smoothing("mean", 3)), [3, 8 / 3, 5, 5])
        np.testing.assert_allclose(smooth(values, Smoothing("mean", 101)), [4] * 4)

    @pytest.mark.parametrize("smoothing", [Smoothing("ema", 0.9), Smoothing("mean", 5)])
    def test_keeps_gaps_and_is_not_moved_by_them(self, smoothing: Smoothing) -> None:
        """What is not finite stays so, and the values beside it are those of a curve of equal values."""
        values = np.array([2.0, np.nan, 2.0, np.inf, 2.0])
        np.testing.assert_allclose(smooth(values, smoothing), values)

    @pytest.mark.parametrize("text", ["ema:0", "ema:0.9", "ema:0.999", "mean:1", "mean:7", "mean:1001"])
    def test_of_a_long_curve_is_that_of_a_loop(self, text: str) -> None:
        """Also where the sums are doubled many times."""
        smoothing = parse_smoothing(text)
        assert smoothing is not None
        values = np.random.default_rng(0).normal(size=3_000)
        half, weight = int(smoothing.strength) // 2, smoothing.strength
        for place in (0, 1, 999, 1_000, 2_999):
            if smoothing.kind == "mean":
                expected = values[max(0, place - half) : place + half + 1].mean()
            else:
                expected = np.average(values[: place + 1], weights=weight ** np.arange(place, -1.0, -1))
            assert smooth(values, smoothing)[place] == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize("text", ["ema:0", "ema:0.9", "mean:7"])
    def test_is_moved_by_nothing_beyond_its_reach(self, text: str) -> None:
        """A part that is cut out with its reach on both sides is smoothed as the whole is, to 0.1 %."""
        smoothing = parse_smoothing(text)
        assert smoothing is not None
        values = np.random.default_rng(0).uniform(size=1_000)
        before, after = smoothing.reach
        part = smooth(values[500 - before : 600 + after], smoothing)[before : before + 100]
        np.testing.assert_allclose(part, smooth(values, smoothing)[500:600], atol=2e-3)

    def test_that_fits_takes_a_64th_together_and_changes_seldom(self) -> None:
        """From 256 points on; twice as many once the curve is twice as long."""
        assert fitting(255) is None
        spans = [smoothing.span for count in (256, 511, 512, 1_000_000) if (smoothing := fitting(count))]
        assert spans == [4, 4, 8, 8192]

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from(["ema:0.5", "ema:.99", "mean:7"]))
    def test_stays_within_the_curve(self, values: list[float], text: str) -> None:
        """A smoothed value lies between the smallest and the largest raw one."""
        smoothing = parse_smoothing(text)
        assert smoothing is not None
        smoothed = smooth(np.array(values), smoothing)
        slack = 1e-9 * max(1, np.abs(values).max())
        assert min(values) - slack <= smoothed.min() <= smoothed.max() <= max(values) + slack

    @pytest.mark.parametrize("text", ["0.6", "ema:1", "ema:-1", "mean:4", "mean:5.5", "mean:2001", "ema:", "x:1"])
    def test_refuses_what_it_can_not_read(self, text: str) -> None:
        """A wrong word, weight or window is an error that quotes it."""
        with pytest.raises(BadRequest, match="smoothing is"):
            parse_smoothing(text)
        assert parse_smoothing("") is None
