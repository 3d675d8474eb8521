"""Words beside lines: short, safe to draw, and none upon another."""

import html
from collections.abc import Sequence
from itertools import takewhile

LABEL_LENGTH = 22  # characters
_TAIL = 9  # characters of a cut name's end, where "manual" or "seed 3" stands


def plain_text(text: str) -> str:
    """Text that Plotly shows letter by letter: no tag, no entity, no formula, no line break."""
    return html.escape(" ".join(text.split()), quote=False).replace("$", "&#36;")


def short_names(names: Sequence[str]) -> list[str]:
    """Names short enough to stand beside a line.

    Where one is long, all lose the words with which all begin; what is still long loses its middle.
    """
    split = [name.split() for name in names]
    if len(set(names)) > 1 and any(len(" ".join(words)) > LABEL_LENGTH for words in split):
        common = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*split, strict=False)))
        common = min(common, *(max(0, len(words) - 1) for words in split))
        split = [words[common:] for words in split]
    return [_shortened(" ".join(words)) for words in split]


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved as little as keeps neighbours `gap` apart, in unchanged order."""
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    groups: list[list[int]] = []
    middles: list[float] = []
    for place in order:
        groups.append([place])
        middles.append(positions[place])
        # Neighbours that touch move as one, around the mean of where its members want to be.
        while len(groups) > 1 and middles[-1] - middles[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            last = groups.pop()
            middles.pop()
            groups[-1] += last
            middles[-1] = sum(positions[member] for member in groups[-1]) / len(groups[-1])
    result = list(positions)
    for group, middle in zip(groups, middles, strict=True):
        for rank, place in enumerate(group):
            result[place] = middle + gap * (rank - (len(group) - 1) / 2)
    return result


def _shortened(text: str) -> str:
    if len(text) <= LABEL_LENGTH:
        return text
    return f"{text[: LABEL_LENGTH - _TAIL - 1].rstrip()}…{text[-_TAIL:].lstrip()}"
