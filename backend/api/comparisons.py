from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from backend.analysis import Group, RunCurves, Summary, Verdict, differing_fields, used_config
from backend.analysis.verdict import Interval, ToTarget
from backend.api.parameters import MISSING
from backend.api.schemas.comparisons import (
    ComparedGroup,
    ComparedRun,
    Comparison,
    GroupValue,
    IntervalInfo,
    PointInfo,
    TargetInfo,
    VerdictInfo,
    ViewQuery,
)
from backend.api.selection import Selection, select
from backend.dependencies import LabDep
from frontend.labels import short_names

router = APIRouter(prefix="/comparisons", tags=["comparisons"])


@router.get("", responses=MISSING, response_model=Comparison)
def compare(lab: LabDep, query: Annotated[ViewQuery, Query()]) -> Response:
    """What differs between runs, what came of them by run and by group, and the verdict over paired seeds.

    Columns: `last` is each run's newest value, `best` its best one (chosen by looking at all of them, so it flatters),
    `at` its value at one epoch for all: as asked, or the last that every run has reached.
    """
    with lab.database.read() as session:
        found = comparison(select(session, lab.series, query))
    # The answer is made here, typed: checking it a second time would double its price.
    return Response(found.model_dump_json(), media_type="application/json")


def comparison(selection: Selection) -> Comparison:
    """A selection as the API tells it."""
    runs, query = selection.runs, selection.query
    configs = [used_config(run.config) for run in runs]
    differing, labels = differing_fields(configs), short_names([run.name for run in runs])
    pair = selection.pair
    found = selection.verdict
    group_of = {run.run_id: group.key for group in selection.groups for run in group.runs}
    base_run = next((run for run in runs if str(run.run_id) == query.baseline), None)
    base_value = None if base_run is None else selection.value(base_run, "at")
    base_center = None if pair is None else _number(float(selection.over_runs(pair[0].runs, "at").center[0]))
    return Comparison(
        seq=selection.seq,
        total=selection.total,
        metric=query.metric,
        epoch=None if selection.epoch is None else selection.epoch + 1,
        baseline=query.baseline if base_run is not None else None if pair is None else pair[0].key,
        differing=differing,
        same={name: value for name, value in configs[0].items() if name not in differing} if configs else {},
        runs=[
            _run(selection, run, label, config, differing, group_of[run.run_id], base_value)
            for run, label, config in zip(runs, labels, configs, strict=True)
        ],
        groups=[_group(selection, group, base_center) for group in selection.groups],
        verdict=None if found is None or pair is None else _verdict(found, *pair),
    )


def _run(
    selection: Selection,
    run: RunCurves,
    label: str,
    config: dict[str, Any],
    differing: list[str],
    group: str,
    base: float | None,
) -> ComparedRun:
    at = selection.point(run, "at")
    return ComparedRun(
        id=run.run_id,
        name=run.name,
        label=label,
        status=selection.statuses[run.run_id],
        group=group,
        seed=run.seed,
        differs={name: config[name] for name in differing if name in config},
        epochs_done=int(run.epochs[-1]) + 1 if len(run.epochs) else 0,
        seconds=float(run.columns["epoch_seconds"].sum()),
        non_finite=len(run.non_finite.get(selection.query.metric, {})),
        last=_point(selection.point(run, "last")),
        best=_point(selection.point(run, "best")),
        at=_point(at),
        difference=None if at is None or base is None else at[1] - base,
    )


def _group(selection: Selection, group: Group, base: float | None) -> ComparedGroup:
    at = _value(selection.over_runs(group.runs, "at"))
    return ComparedGroup(
        key=group.key,
        label=group.label,
        fields=dict(group.fields),
        runs=[run.run_id for run in group.runs],
        last=_value(selection.over_runs(group.runs, "last")),
        best=_value(selection.over_runs(group.runs, "best")),
        at=at,
        difference=None if at.value is None or base is None else at.value - base,
    )


def _verdict(found: Verdict, baseline: Group, other: Group) -> VerdictInfo:
    return VerdictInfo(
        sentence=found.sentence,
        metric=found.metric,
        baseline=found.baseline,
        other=found.other,
        baseline_key=baseline.key,
        other_key=other.key,
        epoch=None if found.epoch is None else found.epoch + 1,
        is_better=found.is_better,
        at_epoch=_interval(found.at_epoch),
        effect=_number(found.effect),
        effect_hedges=_number(found.effect_hedges),
        to_target=None if found.to_target is None else _target(found.to_target),
        pairs=list(found.pairs),
        left_out=list(found.left_out),
    )


def _target(found: ToTarget) -> TargetInfo:
    return TargetInfo(
        target=found.target,
        pairs=found.pairs,
        reached=found.reached,
        median_epochs=found.median_epochs,
        median_seconds=found.median_seconds,
        epochs=None if found.epochs is None else _interval(found.epochs),
        seconds=None if found.seconds is None else _interval(found.seconds),
    )


def _value(summary: Summary) -> GroupValue:
    center, low, high = (_number(float(column[0])) for column in (summary.center, summary.low, summary.high))
    return GroupValue(value=center, low=low, high=high, n=int(summary.n[0]))


def _interval(found: Interval) -> IntervalInfo:
    return IntervalInfo(mean=_number(found.mean), low=_number(found.low), high=_number(found.high), n=found.n)


def _point(found: tuple[int, float] | None) -> PointInfo | None:
    return None if found is None else PointInfo(epoch=found[0] + 1, value=found[1])


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
