"""Smoother curves, to be drawn before the raw ones and never instead of them."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.analysis.curves import Floats
from backend.errors import BadRequest

MAX_WEIGHT = 0.999
MAX_WINDOW = 1001  # points
NEGLIGIBLE = 1e-17  # a weight that no 64-bit sum of larger ones can show
PART_OF_CURVE = 64  # what `fitting` takes together: about 15 pixels of a usual chart
LEAST_SPAN = 4  # values; what takes fewer together looks like the curve itself
_PATTERN = re.compile(r"(ema|mean):(\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})")


@dataclass(frozen=True)
class Smoothing:
    """How a curve is smoothed: `ema` with a weight in [0, 1), `mean` with an odd window of points."""

    kind: Literal["ema", "mean"]
    strength: float

    @property
    def span(self) -> float:
        """About how many values a smoothed one is the mean of: 1 / (1 - w), or the window."""
        return self.strength if self.kind == "mean" else 1 / (1 - self.strength)

    @property
    def reach(self) -> tuple[int, int]:
        """How many values before and after a place bear on the smoothed value there: all others by less than 0.1 %."""
        if self.kind == "mean":
            return int(self.strength) // 2, int(self.strength) // 2
        return (math.ceil(math.log(0.001) / math.log(self.strength)) if self.strength else 0), 0


def parse_smoothing(text: str) -> Smoothing | None:
    """`ema:0.6` or `mean:5` as it stands in an address; None where it is empty.

    Raises:
        BadRequest: it is none of the two, or out of bounds.
    """
    if not text:
        return None
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise BadRequest(f"smoothing is {text[:40]!r}; write ema:0.6 (a weight) or mean:5 (a window of points).")
    strength = float(found[2])
    if found[1] == "ema":
        if strength > MAX_WEIGHT:
            raise BadRequest(f"smoothing is {text!r}; the weight is at least 0 and at most {MAX_WEIGHT}.")
        return Smoothing("ema", strength)
    if not (strength % 2 == 1 and strength <= MAX_WINDOW):
        raise BadRequest(f"smoothing is {text!r}; the window is an odd number of points, at most {MAX_WINDOW}.")
    return Smoothing("mean", strength)


def smooth(values: Floats, smoothing: Smoothing) -> Floats:
    """The curve, smoothed over its finite values; what is not finite stays as it is and weighs nothing.

    ema: y[t] = sum over i <= t of w^(t-i) x[i] / sum over i <= t of w^(t-i), so that the first values are not drawn
    towards zero. mean: the mean of the window around t, cut at the curve's ends.
    """
    finite = np.isfinite(values)
    kept, weights = np.where(finite, values, 0.0), finite.astype(np.float64)
    sums = _fading_sums if smoothing.kind == "ema" else _window_sums
    totals, counts = sums(kept, smoothing.strength), sums(weights, smoothing.strength)
    return np.where(finite, totals / np.where(finite, counts, 1.0), values)


def fitting(count: int) -> Smoothing | None:
    """What suits a curve of so many noisy points; None where it has too few to be smoothed.

    A power of two, so that it changes seldom while a curve grows.
    """
    span = 2 ** int(math.log2(max(1, count // PART_OF_CURVE)))
    return Smoothing("ema", 1 - 1 / span) if span >= LEAST_SPAN else None


# Each pass doubles how many values a sum holds: about as fast as SciPy's filters, whose import takes half a second and
# 40 MB. Nothing is subtracted, so that no value leaves an error behind.


def _fading_sums(values: Floats, weight: float) -> Floats:
    """y[t] = sum over i <= t of w^(t-i) x[i]."""
    sums, held, share = values.copy(), 1, weight
    while held < len(sums) and share > NEGLIGIBLE:
        sums[held:] += share * sums[:-held]
        held, share = 2 * held, share**2
    return sums


def _window_sums(values: Floats, window: float) -> Floats:
    """y[t] = sum of the window around t, with nothing beyond the ends."""
    size, count = int(window), len(values)
    parts, held = np.pad(values, size // 2), 1  # parts[t]: the sum of `held` values from t on
    sums, done = np.zeros(count), 0
    while True:
        if size & held:
            sums += parts[done : done + count]
            done += held
        if done == size:
            return sums
        parts, held = parts[:-held] + parts[held:], 2 * held
