"""The results of epochs: written once, by the attempt that holds the run."""

import math
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import EpochReport, RunStatus
from backend.contract.numbers import non_finite_word
from backend.db import clock, events, rests
from backend.db.lifecycle import held
from backend.db.models import Epoch, Run

_NUMBERS = ("train_accuracy", "train_cost", "test_accuracy", "test_cost", "dilation_lambda")
COMPARED = ("state_hash", "train_accuracy", "train_cost", "test_accuracy", "test_cost", "non_finite")
_WRITABLE = frozenset({RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.PAUSING})


def append(session: Session, run_id: int, attempt: int, report: EpochReport) -> bool:
    """Store an epoch and show it as the run's newest; False where an earlier attempt had stored it already.

    An attempt that begins anew repeats epochs whose results are known: they stay as they were first written.

    Raises:
        AttemptSuperseded: the attempt no longer holds the run.
        ValueError: an epoch before this one is missing.
    """
    run = held(session, run_id, attempt, _WRITABLE)
    rests.proved(session, run.worker_id)
    if report.epoch < run.epochs_done:
        return False
    if report.epoch > run.epochs_done:
        raise ValueError(f"Epoch {report.epoch} of run {run_id} came when epoch {run.epochs_done} was due.")
    numbers = {name: getattr(report, name) for name in _NUMBERS}
    finite = {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}
    non_finite = {
        name: non_finite_word(value)
        for name, value in numbers.items()
        if value is not None and not math.isfinite(value)
    }
    session.add(
        Epoch(
            run_id=run_id,
            number=report.epoch,
            seq=events.next_seq(session),
            attempt=attempt,
            epoch_seconds=report.epoch_seconds,
            images_per_second=report.images_per_second,
            measuring_seconds=report.measured and report.measured.seconds,
            state_hash=report.state_hash,
            non_finite=non_finite,
            recorded_at=clock.now(session),
            **finite,
        )
    )
    run.epochs_done = report.epoch + 1
    run.barren_attempts = run.blameless_attempts = 0
    run.train_accuracy, run.train_cost = finite["train_accuracy"], finite["train_cost"]
    run.test_accuracy, run.test_cost = finite["test_accuracy"], finite["test_cost"]
    run.epoch_seconds = report.epoch_seconds
    known = [value for value in (run.best_test_accuracy, finite["test_accuracy"]) if value is not None]
    run.best_test_accuracy = max(known, default=None)
    return True


def after(session: Session, run_id: int, number: int) -> Sequence[Epoch]:
    """The run's epochs with a greater number, in order."""
    later = select(Epoch).where(Epoch.run_id == run_id, Epoch.number > number)
    return session.scalars(later.order_by(Epoch.number)).all()


def load(session: Session, run_id: int, number: int) -> Epoch | None:
    """One epoch of a run."""
    return session.get(Epoch, (run_id, number))


def test_accuracies(session: Session, run_ids: Collection[int], points: int) -> list[tuple[int, int, float | None]]:
    """Run, epoch and test accuracy, in order: about so many epochs of each run, evenly spaced, the last one always."""
    spacing = Run.epochs_done // points + 1
    shown = (Epoch.number % spacing == 0) | (Epoch.number == Run.epochs_done - 1)
    columns = select(Epoch.run_id, Epoch.number, Epoch.test_accuracy).join(Run, Run.id == Epoch.run_id)
    found = columns.where(Epoch.run_id.in_(run_ids), shown).order_by(Epoch.run_id, Epoch.number)
    return [(row.run_id, row.number, row.test_accuracy) for row in session.execute(found)]


def first_difference(session: Session, run_id: int, other_id: int) -> tuple[int, Epoch | None, Epoch | None]:
    """Compare the states and results of two runs, epoch by epoch, as far as both have come.

    Returns:
        How many epochs both have, and the first two that are not equal, None where all are.
    """
    mine, theirs = after(session, run_id, -1), after(session, other_id, -1)
    known = {epoch.number: epoch for epoch in theirs}
    both = [(epoch, known[epoch.number]) for epoch in mine if epoch.number in known]
    for one, other in both:
        if any(getattr(one, name) != getattr(other, name) for name in COMPARED):
            return len(both), one, other
    return len(both), None, None
