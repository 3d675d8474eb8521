"""The states that lie in runs' folders: which there are, and which need no longer be there."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.contract import CheckpointFile
from backend.db import clock
from backend.db.lifecycle import held
from backend.db.models import Checkpoint, Epoch, Run
from backend.errors import NotFound

NEWEST_FIRST = (Checkpoint.epochs_done.desc(), Checkpoint.batch.desc(), Checkpoint.id.desc())


def add(session: Session, run_id: int, attempt: int, file: CheckpointFile) -> None:
    """Note a checkpoint that is complete on the disk; noted already, it stays as it is.

    Raises:
        AttemptSuperseded: the attempt no longer holds the run.
    """
    run = held(session, run_id, attempt)
    # A commit whose answer was lost on the way is tried again.
    if session.scalar(select(Checkpoint.id).where(Checkpoint.run_id == run_id, Checkpoint.name == file.name)):
        return
    furthest = newest_first(session, run_id)[:1]
    if not furthest or (file.epochs_done, file.batch) > (furthest[0].epochs_done, furthest[0].batch):
        # What is saved within an epoch is progress too: a run that makes some may be lost as often as it likes.
        run.barren_attempts = run.blameless_attempts = 0
    session.add(
        Checkpoint(
            run_id=run_id,
            name=file.name,
            epochs_done=file.epochs_done,
            batch=file.batch,
            size=file.size,
            sha256=file.sha256,
            state_hash=file.state_hash,
            created_at=clock.now(session),
        )
    )
    session.flush()


def newest_first(session: Session, run_id: int, most_epochs: int | None = None) -> Sequence[Checkpoint]:
    """A run's checkpoints, or those at most so many finished epochs old in training; the furthest one first."""
    found = select(Checkpoint).where(Checkpoint.run_id == run_id)
    if most_epochs is not None:
        at_its_end = (Checkpoint.epochs_done == most_epochs) & (Checkpoint.batch == 0)
        found = found.where((Checkpoint.epochs_done < most_epochs) | at_its_end)
    return session.scalars(found.order_by(*NEWEST_FIRST)).all()


def load(session: Session, run_id: int, checkpoint_id: int) -> Checkpoint:
    """One checkpoint of a run."""
    checkpoint = session.get(Checkpoint, checkpoint_id)
    if checkpoint is None or checkpoint.run_id != run_id:
        raise NotFound(f"Run {run_id} has no checkpoint {checkpoint_id} (any more).")
    return checkpoint


def prune(session: Session, run_id: int, keep_last: int, keep_every: int) -> list[str]:
    """Forget the checkpoints that need not be kept; the names of their files, to delete once this is committed.

    Kept are the last ones, the one after the epoch with the best test accuracy, that after every so many epochs, and
    those that branches began with. One from the midst of an epoch is kept only while it is the furthest.

    Args:
        session: writes.
        run_id: whose.
        keep_last: at least 1.
        keep_every: 0 for none.
    """
    rows = newest_first(session, run_id)
    best = select(Epoch.number).where(Epoch.run_id == run_id, Epoch.test_accuracy.is_not(None))
    best_epoch = session.scalar(best.order_by(Epoch.test_accuracy.desc(), Epoch.number).limit(1))
    named = set(session.scalars(select(Run.start_epoch).where(Run.parent_id == run_id, Run.start_epoch > 0)))
    kept_epochs = named | ({best_epoch + 1} if best_epoch is not None else set())
    whole = [row for row in rows if row.batch == 0]
    kept = {row.id for row in [*rows[:1], *whole[:keep_last]]}
    kept |= {row.id for row in whole if row.epochs_done in kept_epochs or _is_due(row.epochs_done, keep_every)}
    dropped = [row for row in rows if row.id not in kept]
    session.execute(delete(Checkpoint).where(Checkpoint.id.in_([row.id for row in dropped])))
    return [row.name for row in dropped]


def names(session: Session, run_id: int) -> Collection[str]:
    """The names of the files that a run's checkpoints are."""
    return set(session.scalars(select(Checkpoint.name).where(Checkpoint.run_id == run_id)))


def _is_due(epochs_done: int, keep_every: int) -> bool:
    return keep_every > 0 and epochs_done % keep_every == 0


def everywhere(session: Session) -> Sequence[tuple[int, str]]:
    """Run and file name of every checkpoint there is."""
    return [(run_id, name) for run_id, name in session.execute(select(Checkpoint.run_id, Checkpoint.name))]
