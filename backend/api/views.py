from typing import Annotated

from fastapi import APIRouter, Path

from backend.api.parameters import MISSING
from backend.api.schemas.base import MAX_ID
from backend.api.schemas.comparisons import ViewBody, ViewChange, ViewInfo
from backend.db import views
from backend.db.models import View
from backend.dependencies import DatabaseDep

router = APIRouter(prefix="/views", tags=["views"])
ViewId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def list_views(database: DatabaseDep) -> list[ViewInfo]:
    """The named states of the table of runs and of the compare page, by name."""
    with database.read() as session:
        return [_info(view) for view in views.all_by_name(session)]


@router.post("", status_code=201)
def add_view(body: ViewBody, database: DatabaseDep) -> ViewInfo:
    """Name a state. It is kept as it stands in the address, and shows the runs as they are when it is opened."""
    with database.write() as session:
        return _info(views.add(session, body.name, body.state))


@router.patch("/{view_id}", responses=MISSING)
def change_view(view_id: ViewId, body: ViewChange, database: DatabaseDep) -> ViewInfo:
    """Give a view another name or another state."""
    with database.write() as session:
        return _info(views.change(session, view_id, body.name, body.state))


@router.delete("/{view_id}", status_code=204, responses=MISSING)
def delete_view(view_id: ViewId, database: DatabaseDep) -> None:
    """Remove a view; its runs stay."""
    with database.write() as session:
        views.remove(session, view_id)


def _info(view: View) -> ViewInfo:
    is_of_runs = view.state.startswith("/")
    return ViewInfo(
        id=view.id,
        name=view.name,
        state=view.state,
        page="runs" if is_of_runs else "compare",
        address=view.state if is_of_runs else f"/compare?{view.state}",
        created_at=view.created_at,
        changed_at=view.changed_at,
    )
