"""Curves of runs in memory: an epoch never changes once it is stored, so only newer ones are read again."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from backend.analysis import RunCurves
from backend.contract import METRIC_NAMES
from backend.db import series
from backend.errors import RunNotFound

MAX_EPOCHS = 500_000  # kept in all, 32 MB; the least recently shown runs go first


class SeriesCache:
    """The curves of recently shown runs. One a process; every method may be called from any thread."""

    def __init__(self, max_epochs: int = MAX_EPOCHS) -> None:
        self._max_epochs = max_epochs
        self._kept: OrderedDict[int, RunCurves] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, session: Session, run_ids: Sequence[int]) -> list[RunCurves]:
        """The curves of these runs, in this order, as the session sees them or newer.

        Raises:
            RunNotFound: there is no such run.
        """
        with self._lock:
            heads = {row[0]: row for row in series.heads(session, run_ids)}
            if missing := [run_id for run_id in run_ids if run_id not in heads]:
                raise RunNotFound(f"There is no run {missing[0]}.")
            stale = {
                run_id: max(first, self._next(run_id))
                for run_id, _, _, _, done, first in heads.values()
                if done > max(first, self._next(run_id))
            }
            if stale:
                self._extend(session, stale)
            result = []
            for run_id in run_ids:
                _, name, config, palette_index, _, _ = heads[run_id]
                curves = self._kept.get(run_id, _empty(run_id))
                if run_id in self._kept:
                    self._kept.move_to_end(run_id)
                result.append(replace(curves, name=name, config=config, palette_index=palette_index))
            self._trim()
            return result

    def clear(self) -> None:
        """Forget everything: the next reading is the first."""
        with self._lock:
            self._kept.clear()

    def _next(self, run_id: int) -> int:
        kept = self._kept.get(run_id)
        return int(kept.epochs[-1]) + 1 if kept is not None and len(kept.epochs) else 0

    def _extend(self, session: Session, first: dict[int, int]) -> None:
        rows = series.metrics(session, first)
        strange: dict[int, list[tuple[int, dict[str, str]]]] = {}
        for run_id, number, found in series.non_finite(session, first):
            strange.setdefault(run_id, []).append((number, found))
        starts = np.flatnonzero(np.append(True, np.diff(rows[:, 0]) != 0)) if len(rows) else np.empty(0, np.int64)
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            part, run_id = rows[start:end], int(rows[start, 0])
            old = self._kept.get(run_id, _empty(run_id))
            words: dict[str, dict[int, str]] = {metric: dict(known) for metric, known in old.non_finite.items()}
            for number, found in strange.get(run_id, []):
                for metric, word in found.items():
                    words.setdefault(metric, {})[number] = word
            self._kept[run_id] = replace(
                old,
                epochs=np.concatenate([old.epochs, part[:, 1].astype(np.int64)]),
                columns={
                    metric: np.concatenate([old.columns[metric], part[:, place]])
                    for place, metric in enumerate(METRIC_NAMES, 2)
                },
                non_finite=words,
            )

    def _trim(self) -> None:
        held = sum(len(curves.epochs) for curves in self._kept.values())
        while held > self._max_epochs and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            held -= len(gone.epochs)


def _empty(run_id: int) -> RunCurves:
    columns = {metric: np.empty(0) for metric in METRIC_NAMES}
    return RunCurves(run_id, "", {}, 0, np.empty(0, np.int64), columns)
