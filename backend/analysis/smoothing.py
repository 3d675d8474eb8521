"""Smoother curves, to be drawn before the raw ones and never instead of them."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.analysis.curves import Floats
from backend.errors import BadRequest

MAX_WEIGHT = 0.999
MAX_WINDOW = 1001  # points
_PATTERN = re.compile(r"(ema|mean):(\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})")


@dataclass(frozen=True)
class Smoothing:
    """How a curve is smoothed: `ema` with a weight in [0, 1), `mean` with an odd window of points."""

    kind: Literal["ema", "mean"]
    strength: float


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
    if smoothing.kind == "ema":
        from scipy.signal import lfilter  # noqa: PLC0415

        totals, counts = lfilter([1.0], [1.0, -smoothing.strength], np.stack([kept, weights]))
    else:
        from scipy.ndimage import convolve1d  # noqa: PLC0415

        window = np.ones(int(smoothing.strength))
        totals, counts = convolve1d(np.stack([kept, weights]), window, axis=1, mode="constant")
    return np.where(finite, totals / np.where(finite, counts, 1.0), values)
