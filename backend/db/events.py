"""The numbered log that pages follow: steps and changes of runs (`run_event`) and finished epochs (`epoch`)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.contract import RunStatus
from backend.db import clock
from backend.db.models import Epoch, Run, RunEvent, StreamPosition

CREATED, STEP, NOTE = "created", "step", "note"
CHANGED, TRASHED, RESTORED, REMOVED = "changed", "trashed", "restored", "removed"
MEASURED = "measured"  # there are new audits, attacks or followed images: news for open pages, no history


def next_seq(session: Session) -> int:
    """A number greater than that of every event committed before. Others that want one wait until this commits."""
    advance = update(StreamPosition).values(value=StreamPosition.value + 1).returning(StreamPosition.value)
    return session.execute(advance).scalar_one()


def last_seq(session: Session) -> int:
    """The number of the newest event, 0 before the first."""
    return session.execute(select(StreamPosition.value)).scalar_one()


def add(
    session: Session,
    run: Run,
    kind: str,
    at: datetime,
    *,
    from_status: RunStatus | None = None,
    note: str | None = None,
) -> None:
    """Log what happened to a run, in the transaction in which it happens."""
    session.add(
        RunEvent(
            seq=next_seq(session),
            run_id=run.id,
            at=at,
            kind=kind,
            from_status=from_status,
            to_status=run.status,
            attempt=run.attempt,
            note=note,
        )
    )


def add_note(session: Session, run_id: int, text: str) -> None:
    """Put a sentence into a run's history."""
    run = session.get(Run, run_id)
    if run is not None:
        add(session, run, NOTE, clock.now(session), from_status=run.status, note=text)


def after(session: Session, seq: int, limit: int) -> list[RunEvent | Epoch]:
    """The events that follow a number, in order, at most `limit` of them."""
    # On Postgres each statement sees what is committed by then: the second one could find an epoch that is newer than
    # an event which the first one came too early for, and whoever goes on after that epoch would never hear of it.
    newest = last_seq(session)
    of_runs = select(RunEvent).where(RunEvent.seq > seq, RunEvent.seq <= newest)
    of_epochs = select(Epoch).where(Epoch.seq > seq, Epoch.seq <= newest)
    run_events = session.scalars(of_runs.order_by(RunEvent.seq).limit(limit)).all()
    epochs = session.scalars(of_epochs.order_by(Epoch.seq).limit(limit)).all()
    entries: list[RunEvent | Epoch] = [*run_events, *epochs]
    return sorted(entries, key=lambda entry: entry.seq)[:limit]


def run_ids_after(session: Session, seq: int) -> set[int]:
    """The runs to which something has happened after a number."""
    of_events = session.scalars(select(RunEvent.run_id).where(RunEvent.seq > seq).distinct()).all()
    of_epochs = session.scalars(select(Epoch.run_id).where(Epoch.seq > seq).distinct()).all()
    return {*of_events, *of_epochs}


def of_run(session: Session, run_id: int) -> Sequence[RunEvent]:
    """The history of one run, oldest first."""
    history = select(RunEvent).where(RunEvent.run_id == run_id, RunEvent.kind != MEASURED)
    return session.scalars(history.order_by(RunEvent.seq)).all()
