"""A process that holds contenders and measures them when told to. It needs NumPy alone, besides theirs.

A request and its answer are a line of JSON each. One process computes at a time: the others wait for a line.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np

from benchmarks.speed.cases import Case, Floats


class Contender(Protocol):
    """A training program. What it is made with is taken up at once; nothing of that is measured."""

    def steps(self, count: int) -> float | None:
        """Train for some batches more; the seconds that they took, where the contender knows better than a clock."""

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """The weights, and the optimizer's means m, both in the shapes of `Case.shapes`."""


Maker: TypeAlias = Callable[[Case], Contender]


def serve(environment: dict[str, str], makers: dict[str, Maker]) -> None:
    """Obey requests until there are no more.

    Args:
        environment: versions; told in the first line.
        makers: of the contenders, by their names.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    _answer(answers, {"environment": environment, "contenders": list(makers)})
    held: dict[str, Contender] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            _answer(answers, _obeyed(request, makers, held))
        except Exception as error:  # noqa: BLE001 - one contender that can't run leaves the others their turn
            _answer(answers, {"error": f"{type(error).__name__}: {error}"})


def _obeyed(request: dict[str, Any], makers: dict[str, Maker], held: dict[str, Contender]) -> dict[str, Any]:
    if request["do"] == "drop":
        held.clear()
        return {}
    name = request["name"]
    if request["do"] == "prepare":
        held[name] = makers[name](Case(**request["case"]))
        held[name].steps(1)
        weights, means = held[name].learned()
        parts = {
            f"{kind}{k}": array for kind, arrays in (("w", weights), ("m", means)) for k, array in enumerate(arrays)
        }
        np.savez(request["path"], **parts)  # type: ignore[arg-type]
        return {}
    begin = time.perf_counter()
    seconds = held[name].steps(request["steps"])
    return {"seconds": time.perf_counter() - begin if seconds is None else seconds}


def _answer(answers: Any, words: dict[str, Any]) -> None:
    print(json.dumps(words), file=answers, flush=True)
