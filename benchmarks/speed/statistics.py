"""Medians of noisy rounds, with intervals by the bootstrap."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Speeds: TypeAlias = Sequence[float] | NDArray[np.float64]

RESAMPLES = 4000
QUANTILES = (0.025, 0.975)


class Ratio(NamedTuple):
    """A ratio of speeds, and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def paired_ratio(ours: Speeds, theirs: Speeds) -> Ratio:
    """The median over rounds of ours[round] / theirs[round]; both were measured close together in each round."""
    return geometric_mean([(ours, theirs)])


def geometric_mean(pairs: Sequence[tuple[Speeds, Speeds]]) -> Ratio:
    """The geometric mean of the median ratios of several cases; the rounds of each are resampled by themselves."""
    generator = np.random.default_rng(0)
    logarithms = [np.log(np.divide(ours, theirs)) for ours, theirs in pairs]
    values = np.mean([np.median(log) for log in logarithms])
    means = np.mean([_medians(log, generator) for log in logarithms], axis=0)
    low, high = np.quantile(means, QUANTILES)
    return Ratio(float(np.exp(values)), float(np.exp(low)), float(np.exp(high)))


def _medians(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    resampled: NDArray[np.float64] = np.median(
        values[generator.integers(0, len(values), (RESAMPLES, len(values)))], axis=1
    )
    return resampled
