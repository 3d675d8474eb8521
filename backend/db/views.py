"""Named states of the table of runs and of the compare page."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import clock
from backend.db.models import View
from backend.errors import NotFound


def add(session: Session, name: str, state: str) -> View:
    """A new view. Names need not differ: they are for people."""
    at = clock.now(session)
    view = View(name=name, state=state, created_at=at, changed_at=at)
    session.add(view)
    session.flush()
    return view


def all_by_name(session: Session) -> Sequence[View]:
    """Every view, by name, then age."""
    return session.scalars(select(View).order_by(View.name, View.id)).all()


def load(session: Session, view_id: int) -> View:
    """The view with this id. Raises NotFound."""
    view = session.get(View, view_id)
    if view is None:
        raise NotFound(f"There is no view {view_id}.")
    return view


def change(session: Session, view_id: int, name: str | None, state: str | None) -> View:
    """The view with another name or state; None keeps it."""
    view = load(session, view_id)
    view.name = view.name if name is None else name
    view.state = view.state if state is None else state
    view.changed_at = clock.now(session)
    return view


def remove(session: Session, view_id: int) -> None:
    """Remove a view for good; the runs that it shows stay."""
    session.delete(load(session, view_id))
