"""The axis below single batches: epochs done, or within an epoch its batches."""

from typing import Any

import numpy as np

from frontend.charts.batch_series import Frame
from frontend.charts.look import axis, tick_step

_MOST_EPOCH_LINES = 40  # more would be a pattern of their own
_MOST_EPOCHS_OF_BATCHES = 1.5  # on an axis whose ticks are batches
_ROOM = 1.25  # times what is done: the axis of a live run is at least so long


def x_range(frame: Frame) -> tuple[float, float]:
    """Between what the axis stands: longer than what is done while a run is live, and twice that in time."""
    series, per_epoch = frame.series, frame.series.batches_per_epoch
    scale = per_epoch if frame.x == "batch" else 1
    low = series.first / per_epoch
    if len(series.numbers) and series.first == 0:
        low = int(series.numbers[0]) // per_epoch  # a branch begins where it left its parent
    done = (int(series.numbers[-1]) + 1) / per_epoch if len(series.numbers) else low
    if series.end is not None:
        high = series.end / per_epoch if series.is_live else done
    elif not series.is_live and done > low:
        high = done
    else:
        length = max(series.epochs - low, done - low)
        while done > low and length / 2 >= _ROOM * (done - low):
            length /= 2
        high = low + length
    return scale * low, scale * max(high, low + 1 / per_epoch)


def x_axis(frame: Frame, low: float, high: float) -> dict[str, Any]:
    """Its title and ticks: epochs, or of an axis that shows hardly more than one, that epoch's batches."""
    if frame.x == "batch":
        return {**axis(frame.ink, "batches done"), "nticks": 9}
    if high - low > _MOST_EPOCHS_OF_BATCHES:
        return {**axis(frame.ink, "epochs done"), "nticks": 9}
    per_epoch = frame.series.batches_per_epoch
    begin, end = round(low * per_epoch), round(high * per_epoch)  # batches done
    step = tick_step(end - begin)
    done = [
        epoch * per_epoch + batch
        for epoch in range(begin // per_epoch, (end - 1) // per_epoch + 1)
        for batch in range(step, per_epoch + 1, step)
        if begin <= epoch * per_epoch + batch <= end
    ]
    first, last = begin // per_epoch + 1, (end - 1) // per_epoch + 1
    return {
        **axis(frame.ink, f"batch of epoch {first}" if first == last else f"batch of epochs {first} to {last}"),
        "tickvals": [number / per_epoch for number in done],
        "ticktext": [f"{(number - 1) % per_epoch + 1:,}" for number in done],
    }


def epoch_lines(frame: Frame, low: float, high: float) -> list[dict[str, Any]]:
    """A faint line where an epoch ends; of many epochs, where every so many do."""
    per_epoch = frame.series.batches_per_epoch
    scale = per_epoch if frame.x == "batch" else 1
    first, last = int(low // scale) + 1, int(np.ceil(high / scale)) - 1
    if last < first:
        return []
    step = tick_step(last - first + 1, _MOST_EPOCH_LINES)
    first += -first % step
    return [
        {
            "type": "line",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": scale * epoch,
            "x1": scale * epoch,
            "layer": "below",
            "line": {"color": frame.ink.grid, "width": 1},
        }
        for epoch in range(first, last + 1, step)
    ]
