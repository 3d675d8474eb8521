"""What a view of several runs shows: one selection behind comparison, figures and exports alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sqlalchemy.orm import Session

from backend.analysis import (
    Group,
    RunCurves,
    Summary,
    Verdict,
    at_epoch,
    best,
    group_runs,
    last,
    parse_smoothing,
    summarize,
    verdict,
)
from backend.api.schemas.comparisons import MAX_RUNS, ViewQuery, listed
from backend.contract import METRIC_NAMES, Backprop, RunStatus
from backend.db import events, filters, series
from backend.errors import BadRequest
from backend.series import SeriesCache


@dataclass(frozen=True)
class Selection:
    """The runs of a view, and the groups they are in: as asked, or all but the seed where nothing was asked."""

    query: ViewQuery
    seq: int
    total: int
    runs: Sequence[RunCurves]
    statuses: Mapping[int, RunStatus]
    groups: Sequence[Group]

    @property
    def is_grouped(self) -> bool:
        """Whether groups are drawn instead of runs."""
        return bool(self.query.group_by)

    @cached_property
    def epoch(self) -> int | None:
        """0-based epoch of the column: as asked, or the last that every run has a value at that has any."""
        if self.query.epoch is not None:
            return self.query.epoch - 1
        ends = [point.epoch for run in self.runs if (point := last(run, self.query.metric)) is not None]
        return min(ends, default=None)

    @cached_property
    def pair(self) -> tuple[Group, Group] | None:
        """The groups of the verdict: as asked, or the first manual one and the first dilated one, or the first two."""
        if len(self.groups) < 2:  # noqa: PLR2004  (a pair)
            return None
        by_key = {group.key: group for group in self.groups}
        manual = (group for group in self.groups if group.backprop is Backprop.MANUAL)
        baseline = by_key.get(self.query.baseline) or next(manual, self.groups[0])
        others = [group for group in self.groups if group is not baseline]
        dilated = (group for group in others if group.backprop is Backprop.DILATED)
        asked = by_key.get(self.query.against)
        return baseline, asked if asked is not None and asked is not baseline else next(dilated, others[0])

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the pair says of the metric; None where there are no two groups."""
        if self.pair is None:
            return None
        asked = None if self.query.epoch is None else self.query.epoch - 1
        return verdict(*self.pair, self.query.metric, asked, self.query.target)

    def over_runs(self, runs: Sequence[RunCurves], which: str) -> Summary:
        """One column: the statistic over the `last`, the `best` or the values `at` the epoch."""
        values = [self.value(run, which) for run in runs]
        column = np.array([[np.nan if value is None else value] for value in values])
        return summarize(column, self.query.statistic, self.query.band)

    def value(self, run: RunCurves, which: str) -> float | None:
        """A run's value in one of the columns."""
        point = self.point(run, which)
        return None if point is None else point[1]

    def point(self, run: RunCurves, which: str) -> tuple[int, float] | None:
        """The same with its 0-based epoch."""
        metric, epoch = self.query.metric, self.epoch
        if which == "at":
            found = None if epoch is None else at_epoch(run, metric, epoch)
        else:
            found = last(run, metric) if which == "last" else best(run, metric)
        return None if found is None else (found.epoch, found.value)


def select(session: Session, cache: SeriesCache, query: ViewQuery) -> Selection:
    """The runs of a view with their curves.

    Raises:
        BadRequest: nothing or too much was asked for, or what was asked for can't be drawn.
        RunNotFound: an id belongs to no run.
    """
    _check(query)
    seq = events.last_seq(session)  # read first: what is newer is told again by the stream
    if query.runs:
        run_ids = list(dict.fromkeys(int(run_id) for run_id in query.runs.split(",")))
        if len(run_ids) > MAX_RUNS:
            raise BadRequest(f"{len(run_ids)} runs were asked for; a comparison shows {MAX_RUNS} at most.")
        total = len(run_ids)
    else:
        run_ids, total = series.newest(session, filters.parse(query.filter), MAX_RUNS)
    runs = cache.load(session, run_ids)
    if query.x == "wall":
        walls = {run.run_id: series.recorded(session, run.run_id) for run in runs}
        runs = [replace(run, wall=walls[run.run_id][: len(run.epochs)]) for run in runs]
    groups = group_runs(runs, listed(query.group_by) or ["all"])
    return Selection(query, seq, total, runs, series.statuses(session, run_ids), groups)


def results_of(run: RunCurves, epoch: int | None) -> dict[str, float | None]:
    """Every single number of a run that charts of runs can show, by name; `at_` are those of a 0-based epoch."""
    found: dict[str, float | None] = {"epochs_done": float(len(run.epochs))}
    for metric in METRIC_NAMES:
        points = {
            "last": last(run, metric),
            "best": best(run, metric),
            "at": None if epoch is None else at_epoch(run, metric, epoch),
        }
        found |= {f"{which}_{metric}": None if point is None else point.value for which, point in points.items()}
    found["seconds"] = float(run.columns["epoch_seconds"].sum()) if len(run.epochs) else None
    return found


def _check(query: ViewQuery) -> None:
    parse_smoothing(query.smoothing)
    if not query.runs and not query.filter:
        raise BadRequest("Say which runs: runs=1,2,3, or filter=dataset = digits.")
    if query.group_by and query.x == "wall":
        raise BadRequest("The runs of a group were not at the same time of day; take x=time, or no group_by.")
    if query.statistic == "median" and query.band == "se":
        raise BadRequest("The standard error is the mean's; with the median take band=ci, std or range.")
