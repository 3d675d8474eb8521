from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
X = Literal["epoch", "step", "time", "wall"]


@dataclass(frozen=True)
class RunCurves:
    """The metrics of a run as arrays of equal length.

    Attributes:
        epochs: [points] 0-based numbers, rising; a branch begins where it left its parent.
        columns: by metric, [points]; NaN where a value is unknown or not finite.
        non_finite: by metric and epoch, which values were "NaN", "Infinity" or "-Infinity".
        wall: [points] when each epoch was recorded, seconds since 1970 UTC; empty unless it was asked for.
    """

    run_id: int
    name: str
    config: Mapping[str, Any]
    palette_index: int
    epochs: NDArray[np.int64]
    columns: Mapping[str, Floats]
    non_finite: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    wall: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def seed(self) -> int:
        """The seed, which is what tells repetitions apart."""
        return int(self.config["seed"])
