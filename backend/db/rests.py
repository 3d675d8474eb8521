"""Workers that take no run for a while, since run after run was lost on them before its first batch.

A host with a broken driver or a bad installation is the quickest to fail: without a rest it would take, and end, every
run of the queue.
"""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.contract import Phase, RunStatus
from backend.db import clock
from backend.db.models import Epoch, Run, Worker

PATIENCE = 3  # losses in a row before the first rest
FIRST_REST_S, LAST_REST_S = 5.0, 300.0
_SHOWN = 400  # characters of what a lost attempt said
TRAINS = frozenset({Phase.TRAINING, Phase.TESTING, Phase.MEASURING})


def rests(session: Session, worker: Worker) -> bool:
    """Whether the worker takes no run now."""
    return worker.rests_until is not None and worker.rests_until > clock.now(session)


def lost(session: Session, run: Run, reason: str, last_words: str) -> bool:
    """Note that a run, which its attempt still holds, is lost on its worker.

    Args:
        session: writes.
        run: locked; as it was when it was lost.
        reason: a sentence.
        last_words: the end of its log.

    Returns:
        Whether the worker is to blame: several runs in a row were lost there before they had trained a batch.
    """
    wished = run.status in (RunStatus.STOPPING, RunStatus.PAUSING)
    if run.worker_id is None or wished or _has_trained(session, run):
        return False
    # Locked after its run and before the stream, as a claim does it.
    locked = select(Worker).where(Worker.id == run.worker_id).with_for_update(key_share=True)
    worker = session.scalars(locked.execution_options(populate_existing=True)).one()
    worker.barren_losses += 1
    worker.barren_runs += worker.last_lost_run_id != run.id
    worker.last_lost_run_id = run.id
    if worker.barren_losses >= PATIENCE:
        doublings = min(worker.barren_losses - PATIENCE, 30)
        rest_s = min(FIRST_REST_S * 2**doublings, LAST_REST_S)
        worker.rests_until = clock.now(session) + timedelta(seconds=rest_s)
        worker.rest_reason = (
            f"It takes no run for {rest_s:.0f} s: its last {worker.barren_losses} attempts were lost before their "
            f"first batch. The last one, of run {run.id}: {reason} {last_words[-_SHOWN:]}".strip()
        )
    session.flush()
    return worker.barren_losses >= PATIENCE and worker.barren_runs > 1


def proved(session: Session, worker_id: int | None) -> None:
    """A run trains on the worker, which is therefore trusted again."""
    doubted = update(Worker).where(Worker.id == worker_id, Worker.barren_losses > 0)
    session.execute(doubted.values(barren_losses=0, barren_runs=0, rests_until=None, rest_reason=None))


def end_rest(worker: Worker) -> None:
    """Somebody has mended it: it takes runs at once, and rests again with the next loss only."""
    worker.rests_until = worker.rest_reason = None


def _has_trained(session: Session, run: Run) -> bool:
    if run.progress is not None and run.progress["phase"] in TRAINS:
        return True
    of_this = select(Epoch.number).where(Epoch.run_id == run.id, Epoch.attempt == run.attempt).limit(1)
    return session.scalar(of_this) is not None
