"""What every contender trains: equal first weights, images, labels and rule. It needs NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

ALPHA = 2.0  # of CELU
LEARNING_RATE = 1e-3
BETA1 = 0.9
BETA2 = 0.9
STABILIZER = 1e-8
CLASSES = 10
BATCHES = 100  # in memory; taken again and again, in the same order

KERNELS = (5, 3, 1, 3, 1, 2, 1)
POOLED = (False, False, True, True, True, True, True)  # an average pool before the layer
SIDES = (32, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True)
class Case:
    """A network with its batch, trained with epsilon or, where it is 0, on the images as they are."""

    network: str  # conv7 or mlp
    width: int
    batch: int
    epsilon: float

    @property
    def title(self) -> str:
        """As the tables name it."""
        return f"{self.network} {self.width}, epsilon {self.epsilon:g}"

    @property
    def side(self) -> int:
        """Height and width of an image: conv7 takes 32, mlp the image's own 28."""
        return 32 if self.network == "conv7" else 28

    def shapes(self) -> list[tuple[int, ...]]:
        """Of the weights: conv7's kernels [kernel, kernel, in, out], or mlp's w [in, out] and b [out] in turn."""
        depths = [1, *[self.width] * 6, CLASSES]
        if self.network == "conv7":
            return [(side, side, depths[k], depths[k + 1]) for k, side in enumerate(KERNELS)]
        sizes = [self.side**2, self.width, self.width, CLASSES]
        return [shape for k in range(3) for shape in ((sizes[k], sizes[k + 1]), (sizes[k + 1],))]

    def weights(self) -> list[Floats]:
        """The first weights: Normal(0, 0.05)."""
        generator = np.random.default_rng(0)
        return [generator.normal(0, 0.05, shape).astype(np.float32) for shape in self.shapes()]

    def images(self) -> Floats:
        """Grey noise from 0 to 255: [BATCHES * batch, side, side, 1]."""
        shape = (BATCHES * self.batch, self.side, self.side, 1)
        return np.random.default_rng(1).integers(0, 256, shape).astype(np.float32)

    def labels(self) -> NDArray[np.int32]:
        """Of the images, at random: [BATCHES * batch]."""
        return np.random.default_rng(2).integers(0, CLASSES, BATCHES * self.batch).astype(np.int32)

    def multiply_adds(self) -> int:
        """That a step needs for an image, in convolutions and matrix products written out.

        A forward pass and a way back to inputs or to weights need equally many. The first pass is a forward pass and a
        way back to the images, the second one a forward pass and both ways back, but for that to the images.
        """
        layers = [shape for shape in self.shapes() if len(shape) > 1]
        areas = [side**2 for side in SIDES] if self.network == "conv7" else [1] * len(layers)
        forward = [area * int(np.prod(shape)) for area, shape in zip(areas, layers, strict=True)]
        return (5 if self.epsilon else 3) * sum(forward) - forward[0]


def runs(count: int, first: int) -> list[tuple[int, int]]:
    """How `count` batches from the number `first` on are taken from those in memory: pieces (first, batches)."""
    pieces = []
    while count:
        first %= BATCHES
        piece = min(count, BATCHES - first)
        pieces.append((first, piece))
        first, count = first + piece, count - piece
    return pieces


def largest_difference(found: Sequence[Floats], expected: Sequence[Floats]) -> float:
    """The largest relative error |found - expected| / |expected| of any array."""
    return max(float(np.linalg.norm(a - b)) / float(np.linalg.norm(b)) for a, b in zip(found, expected, strict=True))
