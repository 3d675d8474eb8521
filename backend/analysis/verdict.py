"""Whether one group is better than another, as far as runs that were paired by their seeds can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.analysis.curves import Floats, RunCurves
from backend.analysis.grouping import Group
from backend.analysis.pairs import match
from backend.analysis.points import falls, reached
from backend.analysis.summary import Summary, align, summarize, t_quantile

FEWEST_PAIRS = 3  # with two, the interval has one degree of freedom: it says next to nothing either way


@dataclass(frozen=True)
class Interval:
    """A mean over pairs with its 95 % interval; NaN where n is too small, or the values do not vary."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class ToTarget:
    """How soon both groups were as good as a target.

    Attributes:
        reached: how many runs of the baseline and of the other group got there, of how many pairs.
        epochs, seconds: other minus baseline, over the pairs of which both got there; None where there is none.
    """

    target: float
    pairs: int
    reached: tuple[int, int]
    median_epochs: tuple[float | None, float | None]
    median_seconds: tuple[float | None, float | None]
    epochs: Interval | None
    seconds: Interval | None


@dataclass(frozen=True)
class Verdict:
    """Two groups, paired.

    Attributes:
        epochs: [epochs] 0-based, at which at least one pair has both values.
        differences: other minus baseline at each of them, in the metric's unit. Each interval holds for its epoch
            alone: where many are looked at, some miss by chance.
        epoch: the one that the sentence is about; None where no pair has both values there.
        effect: Cohen's d of paired differences, mean / s; its small-sample form by Hedges is `effect_hedges`.
        left_out: ids of runs without a partner, and of second copies.
    """

    metric: str
    baseline: str
    other: str
    epochs: NDArray[np.int64]
    differences: Summary
    epoch: int | None
    at_epoch: Interval
    effect: float
    effect_hedges: float
    is_better: bool | None
    sentence: str
    to_target: ToTarget | None
    pairs: Sequence[tuple[int, int]]
    left_out: Sequence[int]


def verdict(
    baseline: Group, other: Group, metric: str, epoch: int | None = None, target: float | None = None
) -> Verdict:
    """What the pairs say of the metric at an epoch; without one, at the last that every pair has.

    d[i] = other[i] - baseline[i] over pairs i, interval: mean(d) -/+ t(0.975, n - 1) s(d) / sqrt(n).
    Cohen's d = mean(d) / s(d); Hedges multiplies by G(m / 2) / (sqrt(m / 2) G((m - 1) / 2)) with m = n - 1.
    Source: J. Cohen 1988, section 2.3 (d_z); L. V. Hedges 1981, equation 6e.
    """
    matched = match(baseline, other)
    curves = [_differences(one, two, metric) for one, two in matched.pairs]
    epochs, matrix = align([numbers for numbers, _ in curves], [values for _, values in curves])
    known = np.isfinite(matrix).any(axis=0)
    epochs, matrix = epochs[known], matrix[:, known]
    chosen = _last_common(epochs, matrix) if epoch is None else epoch
    values = _at(epochs, matrix, chosen)
    at_epoch, effect, hedges = _interval(values), *_effects(values)
    is_better = _is_better(at_epoch, metric)
    return Verdict(
        metric=metric,
        baseline=baseline.label,
        other=other.label,
        epochs=epochs,
        differences=summarize(matrix),
        epoch=chosen if len(values) else None,
        at_epoch=at_epoch,
        effect=effect,
        effect_hedges=hedges,
        is_better=is_better,
        sentence=_sentence(baseline, other, metric, chosen, at_epoch, values, matched.pairs, is_better),
        to_target=None if target is None else _to_target(matched.pairs, metric, target),
        pairs=[(one.run_id, two.run_id) for one, two in matched.pairs],
        left_out=matched.left_out,
    )


def _unit_of_n(pairs: Sequence[tuple[RunCurves, RunCurves]]) -> str:
    """Seeds, where each pair has one of its own."""
    return "seeds" if len({one.seed for one, _ in pairs}) == len(pairs) else "pairs"


def _differences(one: RunCurves, two: RunCurves, metric: str) -> tuple[NDArray[np.int64], Floats]:
    both, first, second = np.intersect1d(one.epochs, two.epochs, assume_unique=True, return_indices=True)
    return both, two.columns[metric][second] - one.columns[metric][first]


def _last_common(epochs: NDArray[np.int64], matrix: Floats) -> int | None:
    full = np.flatnonzero(np.isfinite(matrix).all(axis=0))
    if len(full):
        return int(epochs[full[-1]])
    return int(epochs[-1]) if len(epochs) else None


def _at(epochs: NDArray[np.int64], matrix: Floats, epoch: int | None) -> Floats:
    column = matrix[:, epochs == epoch].ravel()
    return column[np.isfinite(column)]


def _interval(values: Floats) -> Interval:
    if len(values) == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    if not _varies(values):
        return Interval(mean, np.nan, np.nan, len(values))
    half = values.std(ddof=1) / np.sqrt(len(values)) * float(t_quantile(np.array([len(values) - 1]))[0])
    return Interval(mean, mean - half, mean + half, len(values))


def _effects(values: Floats) -> tuple[float, float]:
    from scipy.special import gammaln  # noqa: PLC0415

    if not _varies(values):
        return np.nan, np.nan
    effect, degrees = float(values.mean() / values.std(ddof=1)), len(values) - 1
    # With one degree of freedom the correction is 0 / inf: there is no unbiased form.
    shrink = np.exp(gammaln(degrees / 2) - gammaln((degrees - 1) / 2)) / np.sqrt(degrees / 2) if degrees > 1 else np.nan
    return effect, float(effect * shrink)


def _varies(values: Floats) -> bool:
    """Whether values differ by more than rounding: differences of equal numbers may not come out bit for bit equal."""
    return len(values) > 1 and float(np.ptp(values)) > 1e-12 * max(1.0, float(np.abs(values).max()))


def _is_better(interval: Interval, metric: str) -> bool | None:
    """Whether the other group is better; None where that can't be told."""
    if interval.n < FEWEST_PAIRS or not (interval.low > 0 or interval.high < 0):
        return None
    return (interval.mean > 0) != falls(metric)


def _sentence(  # noqa: PLR0911  (a sentence for each case)
    baseline: Group,
    other: Group,
    metric: str,
    epoch: int | None,
    interval: Interval,
    values: Floats,
    pairs: Sequence[tuple[RunCurves, RunCurves]],
    is_better: bool | None,
) -> str:
    one, two = baseline.label, other.label
    if not pairs:
        return f"No run of {two} has a partner in {one}: nothing can be compared in pairs."
    if epoch is None or interval.n == 0:
        return f"No pair of {one} and {two} has both results yet."
    unit = _Unit(metric)
    where = f"at epoch {epoch + 1}"
    n = f"n = {interval.n} {_unit_of_n(pairs)}"
    if interval.n == 1:
        return f"No difference can be told with one pair: {two} is {unit.change(interval.mean)} {where}."
    if not _varies(values):
        if abs(interval.mean) < 1e-12:  # noqa: PLR2004
            return f"{two} and {one} are equal {where} in every pair ({n})."
        return f"{two} is {unit.change(interval.mean)} {where} in every pair ({n}): without variation, no interval."
    if is_better is None:
        why = f" with n = {interval.n}" if interval.n < FEWEST_PAIRS else ""
        return (
            f"No difference can be told{why}: {two} minus {one} is {unit.signed(interval.mean)} {where}, "
            f"95 % interval {unit.number(interval.low)} to {unit.number(interval.high)}, {n}."
        )
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return (
        f"{two} is {unit.size(interval.mean)} {'better' if is_better else 'worse'} than {one} {where}, "
        f"95 % interval {unit.number(low)} to {unit.number(high)}, {n}."
    )


class _Unit:
    """Words for sizes of a metric: points for accuracies, nats for costs, seconds for times."""

    def __init__(self, metric: str) -> None:
        self._factor = 100.0 if metric.endswith("accuracy") else 1.0
        self._decimals = 4 if metric.endswith("cost") else 2
        self._falls = falls(metric)
        self._name = {"accuracy": "points", "cost": "nats", "seconds": "s"}.get(metric.rsplit("_", 1)[-1], "images/s")

    def number(self, value: float) -> str:
        # The sum takes the sign from a zero.
        rounded = round(value * self._factor, self._decimals) + 0.0
        return f"{rounded:.{self._decimals}f}".replace("-", "\N{MINUS SIGN}")

    def size(self, value: float) -> str:
        return f"{self.number(abs(value))} {self._name}"

    def signed(self, value: float) -> str:
        return f"{self.number(value)} {self._name}"

    def change(self, value: float) -> str:
        if value == 0:
            return "equal"
        return f"{self.size(value)} {'better' if (value > 0) != self._falls else 'worse'}"


def _to_target(pairs: Sequence[tuple[RunCurves, RunCurves]], metric: str, target: float) -> ToTarget:
    found = [(reached(one, metric, target), reached(two, metric, target)) for one, two in pairs]
    firsts = [one for one, _ in found if one is not None]
    seconds = [two for _, two in found if two is not None]
    both = [(one, two) for one, two in found if one is not None and two is not None]
    epochs = np.array([float(two[0] - one[0]) for one, two in both])
    times = np.array([two[1] - one[1] for one, two in both])
    return ToTarget(
        target=target,
        pairs=len(pairs),
        reached=(len(firsts), len(seconds)),
        median_epochs=(_median([epoch + 1 for epoch, _ in firsts]), _median([epoch + 1 for epoch, _ in seconds])),
        median_seconds=(_median([time for _, time in firsts]), _median([time for _, time in seconds])),
        epochs=_interval(epochs) if both else None,
        seconds=_interval(times) if both else None,
    )


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
