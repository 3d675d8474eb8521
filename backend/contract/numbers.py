"""How a number that is not finite is named where JSON has none."""

import math
from typing import Literal

NonFiniteWord = Literal["NaN", "Infinity", "-Infinity"]


def non_finite_word(value: float) -> NonFiniteWord:
    """The word for NaN, infinity or minus infinity."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
