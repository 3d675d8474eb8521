"""How a run's test images stand up to attacks."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import Attack, AttackResult
from backend.db.layer_stats import finite
from backend.db.side_models import AttackOutcome

_ORDER = {attack.value: place for place, attack in enumerate(Attack)}


def add(session: Session, run_id: int, epochs_done: int, attacks: Sequence[AttackResult], images: int) -> bool:
    """Store the results of attacks on so many images; False where there are none, or they are stored already."""
    same = (AttackOutcome.run_id == run_id, AttackOutcome.epochs_done == epochs_done)
    if not attacks or session.scalar(select(AttackOutcome.attack).where(*same).limit(1)) is not None:
        return False
    session.add_all(
        AttackOutcome(
            run_id=run_id,
            epochs_done=epochs_done,
            attack=result.attack.value,
            epsilon=result.epsilon,
            accuracy=finite(result.accuracy),
            images=images,
        )
        for result in attacks
    )
    return True


def after(session: Session, run_id: int, epochs_done: int) -> Sequence[AttackOutcome]:
    """The results after more than so many epochs, by epochs, attack (the weaker one first) and epsilon."""
    later = select(AttackOutcome).where(AttackOutcome.run_id == run_id, AttackOutcome.epochs_done > epochs_done)
    rows = session.scalars(later).all()
    return sorted(rows, key=lambda row: (row.epochs_done, _ORDER.get(row.attack, len(_ORDER)), row.epsilon))
