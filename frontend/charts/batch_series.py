"""Batches of a run as a figure takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.analysis import Smoothing, reduced
from backend.contract import Backprop
from frontend.charts.look import INKS, Ink, Theme
from frontend.charts.traces import ACCURACY, COST, Floats, Quantity
from frontend.palette import RunStyle, run_style

BATCH_MEASURES: Mapping[str, Quantity] = {"cost": COST, "accuracy": ACCURACY}
BatchX = Literal["epoch", "batch"]

_DIGITS = 6  # that a value is told with


@dataclass(frozen=True)
class BatchSeries:
    """Batches of a run, one after another.

    Attributes:
        epochs: that the run was asked for.
        batches_per_epoch: by which a batch's number tells its epoch.
        is_live: whether more will come.
        first, end: the range that is shown; `end` is None where it reaches to the newest batch.
        numbers: [batches] counted through all epochs, from 0, rising.
        values: [batches] nats, or fractions; not finite where the batch's was not.
        smoothed: [batches] the same, smoothed; None where it is not.
        smoothing: by which that was done.
    """

    run_id: int
    backprop: Backprop
    palette_index: int
    epochs: int
    batches_per_epoch: int
    is_live: bool
    numbers: NDArray[np.int64]
    values: Floats
    smoothed: Floats | None = None
    smoothing: Smoothing | None = None
    first: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no batch between the first and the last is missing."""
        return len(self.numbers) == 0 or int(self.numbers[-1] - self.numbers[0]) == len(self.numbers) - 1


@dataclass(frozen=True)
class Frame:
    """What all parts of a figure share."""

    series: BatchSeries
    measure: str
    x: BatchX
    width: int
    theme: Theme

    @property
    def quantity(self) -> Quantity:
        """What is drawn upwards."""
        return BATCH_MEASURES[self.measure]

    @property
    def style(self) -> RunStyle:
        """How the run is drawn everywhere."""
        return run_style(self.series.backprop, self.series.palette_index)

    @property
    def color(self) -> str:
        """Its colour in the theme."""
        return self.style.in_theme(self.theme)

    @property
    def ink(self) -> Ink:
        """The colours of the theme."""
        return INKS[self.theme]

    def at(self, numbers: Floats | NDArray[np.int64]) -> Floats:
        """Where batches stand: the last one of epoch 0 at 1, as its results do in the curves over epochs."""
        done = np.asarray(numbers, dtype=np.float64) + 1
        return np.round(done / self.series.batches_per_epoch, 6) if self.x == "epoch" else done

    def shown(self, values: Floats) -> Floats:
        """Values in the axis' unit, with as many digits as anybody reads."""
        return np.array([float(f"{value:.{_DIGITS}g}") for value in (values * self.quantity.factor).tolist()])

    def places(self, values: Floats, points: int) -> NDArray[np.int64]:
        """The batches to draw: parts of equal length, also where some were not recorded."""
        return reduced(values, points, None if self.series.is_whole else self.series.numbers.astype(np.float64))
