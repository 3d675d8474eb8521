"""What the gradient audit found, a row a layer."""

import math
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import Deviation, LayerMeasurement
from backend.db.side_models import LayerStat


def add(session: Session, run_id: int, epochs_done: int, layers: Sequence[LayerMeasurement]) -> bool:
    """Store an audit; False where there is none, or that of these weights is stored already."""
    known = select(LayerStat.layer).where(LayerStat.run_id == run_id, LayerStat.epochs_done == epochs_done).limit(1)
    if not layers or session.scalar(known) is not None:
        return False
    session.add_all(_row(run_id, epochs_done, measured) for measured in layers)
    return True


def after(session: Session, run_id: int, epochs_done: int) -> Sequence[LayerStat]:
    """The run's layers as they were audited after more than so many epochs, by epochs and layer."""
    later = select(LayerStat).where(LayerStat.run_id == run_id, LayerStat.epochs_done > epochs_done)
    return session.scalars(later.order_by(LayerStat.epochs_done, LayerStat.layer)).all()


def _row(run_id: int, epochs_done: int, measured: LayerMeasurement) -> LayerStat:
    own, update = measured.own, measured.update or Deviation(None, None, None)
    return LayerStat(
        run_id=run_id,
        epochs_done=epochs_done,
        layer=measured.layer,
        verdict=measured.verdict.value,
        tape_error=finite(measured.tape_error),
        difference_error=finite(measured.difference_error),
        gradient_norm=finite(measured.gradient_norm),
        own_error=finite(own.error),
        own_cosine=finite(own.cosine),
        own_norm_ratio=finite(own.norm_ratio),
        has_update=measured.update is not None,
        update_error=finite(update.error),
        update_cosine=finite(update.cosine),
        update_norm_ratio=finite(update.norm_ratio),
        weight_norm=finite(measured.weight_norm),
        update_ratio=finite(measured.update_ratio),
        vmax_active=finite(measured.vmax_active),
    )


def finite(value: float | None) -> float | None:
    """The number, or None where it is infinite or not a number."""
    return value if value is not None and math.isfinite(value) else None
