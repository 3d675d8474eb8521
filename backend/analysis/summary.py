"""A group's line: mean or median over its members at every epoch, with a band that says how far to trust it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.analysis.curves import Floats

Statistic = Literal["mean", "median"]
Band = Literal["none", "std", "se", "ci", "range"]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """A centre and a band for every column of a matrix: each [columns], NaN where there is too little to tell.

    Attributes:
        n: how many finite values each column has; they alone count.
    """

    center: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]


def align(epochs: Sequence[NDArray[np.int64]], values: Sequence[Floats]) -> tuple[NDArray[np.int64], Floats]:
    """Curves of unequal length as one matrix: the epochs that any has, and [curves, epochs] NaN for the missing."""
    grid = np.unique(np.concatenate([np.empty(0, np.int64), *epochs]))
    matrix = np.full((len(epochs), len(grid)), np.nan)
    for row, (numbers, curve) in enumerate(zip(epochs, values, strict=True)):
        matrix[row, np.searchsorted(grid, numbers)] = curve
    return grid, matrix


def summarize(matrix: Floats, statistic: Statistic = "mean", band: Band = "ci") -> Summary:
    """Centre and band of every column over the rows.

    Bands: std: centre -/+ s, the standard deviation with n - 1. se: mean -/+ s / sqrt(n). range: smallest to largest.
    ci of the mean: mean -/+ t(0.975, n - 1) s / sqrt(n). ci of the median: the innermost order statistics that cover
    the median with at least 95 %, which needs six values. std, se and ci need two values, and are NaN with fewer.

    Args:
        matrix: [members, columns]; what is not finite counts as missing.
    Source: W. J. Conover 1999, "Practical Nonparametric Statistics", section 3.2, for the median's interval.
    """
    finite = np.isfinite(matrix)
    n = finite.sum(axis=0)
    kept = np.where(finite, matrix, 0.0)
    mean = _divided(kept.sum(axis=0), n)
    ordered = np.sort(np.where(finite, matrix, np.inf), axis=0)
    center = mean if statistic == "mean" else _median(ordered, n)
    if band == "none":
        nothing = np.full(len(n), np.nan)
        return Summary(center, nothing, nothing, n)
    if band == "range":
        return Summary(center, *_order_statistics(ordered, n, np.where(n > 0, 1, 0)), n)
    if band == "ci" and statistic == "median":
        return Summary(center, *_order_statistics(ordered, n, _median_rank(n)), n)
    squares = np.where(finite, (matrix - mean) ** 2, 0.0).sum(axis=0)
    spread = np.sqrt(_divided(squares, n - 1))
    if band in ("se", "ci"):
        spread = spread / np.sqrt(np.maximum(n, 1))
    if band == "ci":
        spread = spread * t_quantile(n - 1)
    return Summary(center, center - spread, center + spread, n)


def t_quantile(degrees: NDArray[np.int64]) -> Floats:
    """Student's t at 97.5 %, so that mean -/+ it times the standard error is a 95 % interval; NaN below one degree."""
    # SciPy is loaded at first use: a backend at rest stays small. scipy.special is a fifth of scipy.stats.
    from scipy.special import stdtrit  # noqa: PLC0415

    known = degrees >= 1
    return np.where(known, stdtrit(np.where(known, degrees, 1), 0.5 + CONFIDENCE / 2), np.nan)


def _divided(total: Floats, count: NDArray[np.int64]) -> Floats:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _median(ordered: Floats, n: NDArray[np.int64]) -> Floats:
    low, high = _order_statistics(ordered, n, (n + 1) // 2)
    return (low + high) / 2


def _order_statistics(ordered: Floats, n: NDArray[np.int64], rank: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The rank-th smallest and the rank-th largest value of each column; NaN where the rank is 0."""
    if ordered.size == 0:
        return np.full(len(n), np.nan), np.full(len(n), np.nan)
    known, columns = rank > 0, np.arange(len(n))
    low = ordered[np.where(known, rank - 1, 0), columns]
    high = ordered[np.where(known, n - rank, 0), columns]
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _median_rank(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest r for which P(fewer than r of n values lie below the median) is at most 2.5 %; 0 where none is."""
    from scipy.special import bdtr  # noqa: PLC0415

    ranks = np.arange(int(n.max(initial=0)) // 2 + 1)
    tails = bdtr(ranks[:, None].astype(float), np.maximum(n, 1).astype(int)[None, :], 0.5)
    return np.asarray((tails <= (1 - CONFIDENCE) / 2).sum(axis=0), dtype=np.int64)
