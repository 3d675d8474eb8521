"""What a run took of its machine, in fewer points than were stored."""

from collections.abc import Sequence
from dataclasses import replace

from backend.contract import UsePoint
from backend.contract.usage import joined

_WIDER = 1.25


def thinned(points: Sequence[UsePoint], most: int) -> list[UsePoint]:
    """The points, or where they are more than `most` neighbours put together: means stay means, extremes extremes.

    A gap stays a gap: each stretch without one keeps a point at least, so there may be more than `most`.

    Args:
        points: by attempt and time.
        most: 1 at least.
    """
    found, total = list(points), sum(point.use.seconds for point in points)
    width = total / most
    while len(found) > most and width < _WIDER**2 * total:
        found, width = _together(points, width), width * _WIDER
    return found


def _together(points: Sequence[UsePoint], width: float) -> list[UsePoint]:
    """The points, each as long as it may be within a width in seconds; one that is longer stays as it is."""
    found: list[UsePoint] = []
    for point in points:
        last = found[-1] if found else None
        if last is not None and point.follows and last.use.seconds + point.use.seconds <= width:
            found[-1] = replace(last, use=joined(last.use, point.use))
        else:
            found.append(point)
    return found
