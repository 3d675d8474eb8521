"""The time in which a run was under way, as an axis."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from backend.contract import UsePoint
from frontend.charts.look import FONT_SIZE, Ink

_GAP_SHARE = 0.02  # of the time under way, however long a gap was
_MOST_NAMED = 20  # attempts; a page shows the names that have room
_UNITS = ((86_400 * 2, 86_400.0, "d"), (3600 * 2, 3600.0, "h"), (120, 60.0, "min"))  # from how long on, seconds, word


class Course:
    """Where points stand on an axis of the time under way, which leaves out the time between attempts."""

    def __init__(self, points: Sequence[UsePoint]) -> None:
        self.points = points
        spans = [(point.started_at.timestamp(), point.use.seconds) for point in points]
        total = sum(seconds for _, seconds in spans)
        second, self.unit = next(((size, word) for least, size, word in _UNITS if total >= least), (1.0, "s"))
        room = _GAP_SHARE * total
        self.gaps: list[float] = []
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.breaks: list[tuple[float, float]] = []
        self.begun: list[tuple[int, float]] = []  # attempt, place
        shift = 0.0
        for place, (start, seconds) in enumerate(spans):
            attempt = points[place].attempt
            end_before = spans[place - 1][0] + spans[place - 1][1] if place else start
            if not place or attempt != points[place - 1].attempt:
                # Clocks and rounding may let an attempt seem to begin a little before the one before has ended.
                gap = max(0.0, start - end_before)
                at = self.ends[-1] + room / second if place else 0.0
                shift = start - at * second
                if place:
                    self.gaps.append(round(gap, 1))
                    self.breaks.append((self.ends[-1], at))
                self.begun.append((attempt, at))
            self.starts.append((start - shift) / second)
            self.ends.append((start + seconds - shift) / second)
        self.end = self.ends[-1] if self.ends else 0.0

    def stretches(self) -> Iterator[range]:
        """The places of points that follow on each other."""
        begins = [place for place, point in enumerate(self.points) if not point.follows or not place]
        for begin, end in pairwise([*begins, len(self.points)]):
            yield range(begin, end)

    def bands(self, ink: Ink) -> list[dict[str, Any]]:
        """What stands where no process trained."""
        common = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
        return [{**common, "x0": begin, "x1": end, "fillcolor": ink.grid} for begin, end in self.breaks]

    def names(self, ink: Ink) -> list[dict[str, Any]]:
        """Which attempt begins where, above the plot, and after how long."""
        if not 1 < len(self.begun) <= _MOST_NAMED:
            return []
        after = ["", *(f", {duration_text(gap)} later" for gap in self.gaps)]
        common = {"yref": "paper", "y": 1, "yanchor": "bottom", "xanchor": "left", "showarrow": False}
        font = {"color": ink.muted, "size": FONT_SIZE - 1}
        return [
            {**common, "name": f"attempt:{attempt}", "x": at, "text": f"attempt {attempt}{words}", "font": font}
            for (attempt, at), words in zip(self.begun, after, strict=True)
        ]


def duration_text(seconds: float) -> str:
    """So many seconds in the largest unit that is not too large."""
    for least, size, word in _UNITS:
        if seconds >= least:
            return f"{seconds / size:.3g} {word}"
    return f"{seconds:.3g} s"
