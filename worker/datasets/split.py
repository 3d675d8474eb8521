from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.errors import DatasetDamaged

CLASSES = 10


class Split(NamedTuple):
    """The training or the test images of a data set, as they are in its files."""

    images: NDArray[np.generic]  # [images, height, width, channels], 0 to 255
    labels: NDArray[np.int32]  # [images], 0 to 9


def checked_labels(labels: NDArray[np.uint8], source: Path | str) -> NDArray[np.int32]:
    """The labels as int32.

    Raises:
        DatasetDamaged: one is no class.
    """
    if labels.size and labels.max() >= CLASSES:
        raise DatasetDamaged(f"{source} holds the label {labels.max()}; labels are 0 to {CLASSES - 1}.")
    return labels.astype(np.int32)
