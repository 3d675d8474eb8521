"""The table of both: medians, how far they spread, and how many times better ours is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.speed.statistics import Ratio, paired_ratio

HEAD = ["| what | Backprop Lab | MLflow | ratio | our bar |", "|---|---|---|---|---|"]


@dataclass(frozen=True)
class Row:
    """A quantity of both, measured in turns: the n-th of ours just before or after the n-th of theirs."""

    name: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    is_speed: bool = False  # more of it is better; else less is
    bar: float | None = None  # what ours has to reach, in the same unit

    @property
    def ratio(self) -> Ratio:
        """How many times better ours is: above 1, ours is."""
        return paired_ratio(self.ours, self.theirs) if self.is_speed else paired_ratio(self.theirs, self.ours)

    @property
    def is_missed(self) -> bool:
        """Whether ours stays behind its bar."""
        if self.bar is None:
            return False
        mine = float(np.median(self.ours))
        return mine < self.bar if self.is_speed else mine > self.bar

    def __str__(self) -> str:
        one = len(self.ours) == 1
        value, low, high = map(_number, self.ratio)
        ratio = value if one else f"{value} ({low} to {high})"
        bar = "" if self.bar is None else f"{_number(self.bar)} {self.unit}{', MISSED' if self.is_missed else ''}"
        return f"| {self.name} | {self._spread(self.ours)} | {self._spread(self.theirs)} | {ratio} | {bar} |"

    def _spread(self, values: Sequence[float]) -> str:
        low, middle, high = (_number(value) for value in np.quantile(values, [0.25, 0.5, 0.75]))
        return f"{middle} {self.unit}".rstrip() if len(values) == 1 else f"{middle} {self.unit} ({low} to {high})"


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    return "\n".join([*HEAD, *map(str, rows)])


def _number(value: float) -> str:
    """Three digits that mean something, or whole numbers."""
    if value >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004
