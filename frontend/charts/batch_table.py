"""What came of batches, as a table: a row a batch where they are few, else a row an epoch or some epochs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.contract.numbers import non_finite_word
from frontend.charts.lines import summary_table
from frontend.charts.look import NOTHING, tick_step
from frontend.charts.traces import Floats, Quantity

MOST_ROWS = 500


def batch_table(
    quantity: Quantity, numbers: NDArray[np.int64], values: Floats, smoothed: Floats | None, batches_per_epoch: int
) -> dict[str, Any]:
    """Each batch with its value, or of each stretch of epochs how many there were, their mean, least and greatest."""
    if len(numbers) <= MOST_ROWS:
        return _single(quantity, numbers, values, smoothed, batches_per_epoch)
    epochs = numbers // batches_per_epoch
    step = tick_step(int(epochs[-1] - epochs[0]) + 1, MOST_ROWS)
    stretch = epochs // step
    starts = np.flatnonzero(np.append(True, np.diff(stretch) > 0))
    finite = np.isfinite(values)
    counts = np.add.reduceat(finite.astype(np.int64), starts)
    sizes = np.diff(np.append(starts, len(numbers)))
    means = np.add.reduceat(np.where(finite, values, 0.0), starts) / np.maximum(counts, 1)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    rows = [
        [
            _epochs_text(int(stretch[start]) * step, step),
            f"{size:,}",
            *(_text(quantity, float(column[place])) if counts[place] else NOTHING for column in (means, low, high)),
            f"{size - counts[place]:,}",
        ]
        for place, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    return summary_table(["epoch", "batches", f"mean {quantity.title}", "least", "greatest", "not finite"], rows)


def _single(
    quantity: Quantity, numbers: NDArray[np.int64], values: Floats, smoothed: Floats | None, batches_per_epoch: int
) -> dict[str, Any]:
    columns = ["epoch", "batch", quantity.title, *([] if smoothed is None else ["smoothed"])]
    rows = []
    for place, number in enumerate(numbers.tolist()):
        told = [_text(quantity, float(column[place])) for column in (values, smoothed) if column is not None]
        rows.append([number // batches_per_epoch + 1, number % batches_per_epoch + 1, *told])
    return summary_table(columns, rows)


def _epochs_text(first: int, step: int) -> str:
    return f"{first + 1}" if step == 1 else f"{first + 1} to {first + step}"


def _text(quantity: Quantity, value: float) -> str:
    return f"{value * quantity.factor:.{quantity.decimals}f}" if np.isfinite(value) else non_finite_word(value)
