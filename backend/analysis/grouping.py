"""Which runs are repetitions of each other, and in what they differ."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.analysis.curves import RunCurves
from backend.contract import Backprop, TrainConfig

# What is measured on the side changes nothing of the training.
MEASURING = frozenset({"audit_every", "robustness_every", "robustness_epsilons", "robustness_steps"})
DILATED_ONLY = frozenset({"dilation_proportion", "dilation_decay"})
ALL_BUT_SEED = "all"
GROUP_FIELDS = (ALL_BUT_SEED, *TrainConfig.model_fields)
_SPEAKS_FOR_ITSELF = frozenset({"backprop", "dataset", "network", "optimizer", "precision", "preprocessing"})


@dataclass(frozen=True)
class Group:
    """Runs that are equal in every field they are grouped by.

    Attributes:
        key: eight hexadecimal digits made of the fields' values alone: the same whatever else is shown.
        label: the values in which the groups shown beside it differ.
        fields: the values they are grouped by.
    """

    key: str
    label: str
    fields: Mapping[str, Any]
    runs: Sequence[RunCurves]

    @property
    def backprop(self) -> Backprop | None:
        """How all its runs carry gradients back; None where they differ."""
        found = {run.config["backprop"] for run in self.runs}
        return Backprop(found.pop()) if len(found) == 1 else None


def used_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what a run of its kind never reads."""
    unused = () if config["backprop"] == Backprop.DILATED else DILATED_ONLY
    return {name: value for name, value in config.items() if name not in unused}


def differing_fields(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields that have several values among those runs that read them, in the configuration's order."""
    used = [used_config(config) for config in configs]
    names = [name for name in TrainConfig.model_fields if any(name in config for config in used)]
    return [name for name in names if len({_word(config[name]) for config in used if name in config}) > 1]


def group_fields(names: Sequence[str]) -> tuple[str, ...]:
    """The fields behind `all` (all but the seed and what is measured on the side), or the fields themselves."""
    if ALL_BUT_SEED not in names:
        return tuple(name for name in TrainConfig.model_fields if name in names)
    return tuple(name for name in TrainConfig.model_fields if name != "seed" and name not in MEASURING)


def group_runs(runs: Sequence[RunCurves], names: Sequence[str]) -> list[Group]:
    """The runs by the values of these fields, in the order in which the first of each group stands."""
    fields = group_fields(names)
    found: dict[str, list[RunCurves]] = {}
    for run in runs:
        used = used_config(run.config)
        values = {name: used.get(name) for name in fields}
        found.setdefault(json.dumps(values, sort_keys=True), []).append(run)
    values_of = {text: json.loads(text) for text in found}
    telling = [name for name in fields if _tells(name, list(values_of.values()))]
    return [
        Group(
            key=hashlib.sha256(text.encode()).hexdigest()[:8],
            label=_label(values_of[text], telling),
            fields={name: values_of[text][name] for name in fields},
            runs=members,
        )
        for text, members in found.items()
    ]


def _tells(name: str, groups: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the groups that read a field have several values of it; elsewhere null is a value like any other."""
    values = {_word(group[name]) for group in groups if not (name in DILATED_ONLY and group[name] is None)}
    return len(values) > 1


def _label(values: Mapping[str, Any], telling: Sequence[str]) -> str:
    words = [_words(name, values[name]) for name in telling if values[name] is not None]
    return ", ".join(words) or "all runs"


def _words(name: str, value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value)) or "none"
    return str(value) if name in _SPEAKS_FOR_ITSELF else f"{name.replace('_', ' ')} {value}"


def _word(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
