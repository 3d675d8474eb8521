"""Fewer points for a chart that has fewer pixels, without losing what a reader would look for."""

import numpy as np
from numpy.typing import NDArray

from backend.analysis.curves import Floats

Places = NDArray[np.int64]


def reduced(values: Floats, budget: int, x: Floats | None = None) -> Places:
    """The places to draw of a curve, rising: all of them where they fit, else about `budget`.

    The x axis is cut into budget / 2 equal parts; of each part its smallest and its largest finite value are kept, and
    the first NaN, infinity and minus infinity, so that a gap stays a gap. Kept too are the first and the last point,
    the first and the last finite one, and all finite ones where they are no more than the budget. Nothing is random:
    the same curve gives the same points.

    Args:
        values: [points], not finite where there is none.
        budget: points that the chart has room for, 2 at least; a curve with gaps may get up to 2.5 times as many.
        x: [points], rising; None where points stand at equal distances.
    """
    count = len(values)
    if count <= budget:
        return np.arange(count)
    starts = _starts(count, max(1, budget // 2), x)
    part = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, count)))
    finite = np.isfinite(values)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    kept = np.zeros(count, dtype=bool)
    kept[[0, -1]] = True
    masks = [finite & (values == low[part]), finite & (values == high[part])]
    if not finite.all():
        masks += [np.isnan(values), np.isposinf(values), np.isneginf(values)]
    for mask in masks:
        places = np.flatnonzero(mask)
        parts = part[places]
        kept[places[np.append(True, parts[1:] != parts[:-1])[: len(places)]]] = True
    known = np.flatnonzero(finite)
    kept[known if len(known) <= budget else known[[0, -1]]] = True
    return np.flatnonzero(kept)


def _starts(count: int, parts: int, x: Floats | None) -> Places:
    if x is None or not x[0] < x[-1]:
        return np.unique(np.arange(parts) * count // parts)
    edges = np.linspace(x[0], x[-1], parts + 1)[:-1]
    return np.unique(np.append(0, np.searchsorted(x, edges)))
