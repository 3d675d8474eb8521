"""Columns of numbers as JSON: lists where they are few, packed where they are many."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 20_000  # numbers; up to here a figure is plain JSON that any script can read


def plain(value: Any) -> Any:
    """The same with lists for arrays, None where a number is not finite."""
    if isinstance(value, np.ndarray):
        return _listed(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def figure_json(figure: Mapping[str, Any]) -> str:
    """A figure's parts as JSON. Where it holds many numbers they are packed as Plotly packs them.

    A packed column is `{"dtype": "f4", "bdata": base64}`, little-endian: 32-bit floats, NaN where there is no value,
    or 16-bit integers where all are whole and fit. Plotly draws it as it is.
    """
    held = sum(len(part) for trace in figure["data"] for part in trace.values() if isinstance(part, np.ndarray))
    return json.dumps(figure, default=_listed if held <= FEW else _packed, allow_nan=False, separators=(",", ":"))


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{type(values).__name__} has no form in JSON.")
    if np.isfinite(values).all():
        return list(values.tolist())
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _packed(values: Any) -> dict[str, str]:
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{type(values).__name__} has no form in JSON.")
    kind = "i2" if _fits(values) else "f4"
    return {"dtype": kind, "bdata": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}


def _fits(values: NDArray[np.float64]) -> bool:
    limit = np.iinfo(np.int16).max
    return bool(len(values) and np.isfinite(values).all() and np.abs(values).max() <= limit and not (values % 1).any())
