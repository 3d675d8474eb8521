"""Small things of a run that are read as a whole: the test images that are followed through its training."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import ExampleReport
from backend.db.layer_stats import finite
from backend.db.side_models import Artifact

EXAMPLES = "examples"


@dataclass(frozen=True)
class FollowedExample:
    """An `ExampleReport` as it was stored: a probability that was not finite is None."""

    test_index: int
    label: int
    shape: tuple[int, int, int]  # height, width, channels
    image: bytes  # uint8
    adversarial: bytes  # uint8
    sign: bytes  # int8
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]


@dataclass(frozen=True)
class FollowedExamples:
    """The followed test images after so many epochs."""

    epochs_done: int
    epsilon: float | None  # units of the preprocessed input
    examples: tuple[FollowedExample, ...]


def add_examples(
    session: Session, run_id: int, epochs_done: int, examples: Sequence[ExampleReport], epsilon: float
) -> bool:
    """Store the followed images; False where there are none, or they are stored already."""
    if not examples or session.get(Artifact, (run_id, EXAMPLES, epochs_done)) is not None:
        return False
    content = _packed(examples, epsilon)
    session.add(Artifact(run_id=run_id, kind=EXAMPLES, epochs_done=epochs_done, content=content))
    return True


def examples_known(session: Session, run_id: int) -> Sequence[int]:
    """After how many epochs the followed images were stored, in order."""
    known = select(Artifact.epochs_done).where(Artifact.run_id == run_id, Artifact.kind == EXAMPLES)
    return session.scalars(known.order_by(Artifact.epochs_done)).all()


def find_examples(session: Session, run_id: int, epochs_done: int) -> FollowedExamples | None:
    """The followed images after so many epochs."""
    row = session.get(Artifact, (run_id, EXAMPLES, epochs_done))
    return None if row is None else _unpacked(row)


# Plain JSON and zlib: what is read back can be numbers and bytes only, and needs no NumPy in the backend.
def _packed(examples: Sequence[ExampleReport], epsilon: float) -> bytes:
    rows = [
        {
            "test_index": one.test_index,
            "label": one.label,
            "shape": one.shape,
            "image": b64encode(one.image).decode(),
            "adversarial": b64encode(one.adversarial).decode(),
            "sign": b64encode(one.sign).decode(),
            "before": [finite(value) for value in one.before],
            "after": [finite(value) for value in one.after],
        }
        for one in examples
    ]
    text = json.dumps({"epsilon": finite(epsilon), "examples": rows}, allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode(), 9)


def _unpacked(row: Artifact) -> FollowedExamples:
    content: dict[str, Any] = json.loads(zlib.decompress(row.content))
    examples = tuple(
        FollowedExample(
            test_index=one["test_index"],
            label=one["label"],
            shape=tuple(one["shape"]),
            image=b64decode(one["image"]),
            adversarial=b64decode(one["adversarial"]),
            sign=b64decode(one["sign"]),
            before=tuple(one["before"]),
            after=tuple(one["after"]),
        )
        for one in content["examples"]
    )
    return FollowedExamples(row.epochs_done, content["epsilon"], examples)
