"""Runs of two groups that differ in nothing but what tells the groups apart."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from backend.analysis.curves import RunCurves
from backend.analysis.grouping import DILATED_ONLY, MEASURING, Group, used_config


@dataclass(frozen=True)
class Matched:
    """Pairs of a baseline's run and another's, and the ids of runs that found no partner or were a second copy."""

    pairs: Sequence[tuple[RunCurves, RunCurves]]
    left_out: Sequence[int]


def match(baseline: Group, other: Group) -> Matched:
    """Pair the runs whose seed, and whatever else the groups are not made by, is equal.

    Of several runs with one configuration the furthest counts, the first of equals: a copy is no new evidence.
    """
    unread = MEASURING | (DILATED_ONLY if baseline.backprop != other.backprop else frozenset())
    one, two = _by_key(baseline, unread), _by_key(other, unread)
    pairs = [(one[key], two[key]) for key in one if key in two]
    used = {run.run_id for pair in pairs for run in pair}
    everyone = [run.run_id for group in (baseline, other) for run in group.runs]
    return Matched(pairs, [run_id for run_id in everyone if run_id not in used])


def _by_key(group: Group, unread: frozenset[str]) -> dict[str, RunCurves]:
    found: dict[str, RunCurves] = {}
    for run in group.runs:
        used = used_config(run.config)
        rest = {name: value for name, value in used.items() if name not in unread and name not in group.fields}
        key = json.dumps(rest, sort_keys=True)
        if key not in found or len(run.epochs) > len(found[key].epochs):
            found[key] = run
    return found
