"""From rows to the series that charts are made of. Charts and Plotly are imported with the first figure."""

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.orm import Session

from backend.analysis import batches_per_epoch, fitting, parse_smoothing, smooth, thinned
from backend.api.schemas.datasets import Histograms
from backend.api.stored import config_of
from backend.contract import FINAL_STATUSES, Attack, AuditVerdict, Deviation, LayerMeasurement
from backend.contract.audit import expected_quirks
from backend.contract.config import EXACT_PIXEL_VALUE, PIXEL_VALUE
from backend.db import attack_results, batches, layer_stats, runs, system_use
from backend.db.side_models import LayerStat

if TYPE_CHECKING:
    from frontend.charts import AttackSeries, AuditSeries, BatchSeries, Histogram, SystemSeries

MOST_POINTS = 600  # of a chart of use over time: more than it has pixels for


def audits(session: Session, run_id: int) -> "AuditSeries":
    """The gradient audits of a run. Raises RunNotFound."""
    from frontend.charts import AuditEntry, AuditSeries  # noqa: PLC0415

    run = runs.load(session, run_id)
    config = config_of(run.config)
    return AuditSeries(
        run_id=run.id,
        backprop=config.backprop,
        palette_index=run.palette_index,
        epochs=config.epochs,
        every=config.audit_every,
        entries=[
            AuditEntry(row.epochs_done, bool(expected_quirks(config, row.layer)), _measured(row))
            for row in layer_stats.after(session, run_id, -1)
        ],
    )


def attacks(session: Session, run_id: int) -> "AttackSeries":
    """The attacks on a run's test images. Raises RunNotFound."""
    from frontend.charts import AttackEntry, AttackSeries  # noqa: PLC0415

    run, rows = runs.load(session, run_id), attack_results.after(session, run_id, -1)
    config = config_of(run.config)
    unit = PIXEL_VALUE[config.preprocessing] if config.preprocessing in EXACT_PIXEL_VALUE else None
    return AttackSeries(
        run_id=run.id,
        backprop=config.backprop,
        palette_index=run.palette_index,
        epochs=config.epochs,
        images=rows[-1].images if rows else None,
        entries=[
            AttackEntry(
                epochs_done=row.epochs_done,
                attack=Attack(row.attack),
                epsilon=row.epsilon,
                pixel_values=None if unit is None else row.epsilon / unit,
                accuracy=row.accuracy,
            )
            for row in rows
        ],
    )


def system(session: Session, run_id: int) -> "SystemSeries":
    """What a run took of its machine, as many points as a chart can show. Raises RunNotFound."""
    from frontend.charts import SystemSeries  # noqa: PLC0415

    run, points = runs.load(session, run_id), system_use.of_run(session, run_id)
    config = config_of(run.config)
    return SystemSeries(
        run_id=run.id,
        backprop=config.backprop,
        palette_index=run.palette_index,
        threads=run.threads or 1,
        peak_memory_bytes=run.peak_memory_bytes,
        points=thinned(points, MOST_POINTS),
    )


def batch_results(
    session: Session, run_id: int, measure: str, first: int, end: int | None, smoothing: str
) -> "BatchSeries":
    """What came of a run's batches in a range, smoothed as asked, or as suits how many they are. Raises RunNotFound.

    Batches beside the range that bear on a smoothed value in it are read too: a zoom does not move the line.
    """
    from frontend.charts import BatchSeries  # noqa: PLC0415

    run, (_, stored_end) = runs.load(session, run_id), batches.extent(session, run_id)
    config = config_of(run.config)
    first, last = min(first, stored_end), stored_end if end is None else min(end, stored_end)
    asked = fitting(last - first) if smoothing == "auto" else parse_smoothing(smoothing)
    before, after = asked.reach if asked is not None else (0, 0)
    found = batches.load(session, run_id, max(0, first - before), last + after)
    values = (found.costs if measure == "cost" else found.accuracies).astype(np.float64)
    low, high = np.searchsorted(found.numbers, [first, last])
    return BatchSeries(
        run_id=run.id,
        backprop=config.backprop,
        palette_index=run.palette_index,
        epochs=config.epochs,
        batches_per_epoch=batches_per_epoch(config.model_dump()),
        is_live=run.status not in FINAL_STATUSES,
        numbers=found.numbers[low:high],
        values=values[low:high],
        smoothed=None if asked is None else smooth(values, asked)[low:high],
        smoothing=asked,
        first=first,
        end=end,
    )


def histograms(found: Histograms) -> "list[Histogram]":
    """The pixels of a data set."""
    from frontend.charts import Histogram  # noqa: PLC0415

    return [
        Histogram(
            split=one.split,
            stage=one.stage,
            edges=one.edges,
            counts=one.counts,
            beyond=one.below + one.above,
            mean=one.mean,
            deviation=one.deviation,
            minimum=one.minimum,
            maximum=one.maximum,
        )
        for one in found.splits
    ]


def _measured(row: LayerStat) -> LayerMeasurement:
    return LayerMeasurement(
        layer=row.layer,
        verdict=AuditVerdict(row.verdict),
        tape_error=row.tape_error,
        difference_error=row.difference_error,
        gradient_norm=row.gradient_norm,
        own=Deviation(row.own_error, row.own_cosine, row.own_norm_ratio),
        update=Deviation(row.update_error, row.update_cosine, row.update_norm_ratio) if row.has_update else None,
        weight_norm=row.weight_norm,
        update_ratio=row.update_ratio,
        vmax_active=row.vmax_active,
    )
