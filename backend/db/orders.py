"""The sort keys of GET /api/runs, and the cursors that mark a place in an order."""

import base64
import json
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_

from backend.db.fields import ALIASES, FIELDS, Kind, RunField, since_1970
from backend.db.models import Run
from backend.errors import BadCursor, BadRequest

_UNSORTABLE = frozenset({Kind.LIST})
SORT_KEYS = tuple(field.name for field in FIELDS.values() if field.kind not in _UNSORTABLE)
_BEYOND = 1.7e308  # sorts behind every number that a run can have


class Order:
    """An order of runs. Those without a value come last, whichever way it goes."""

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._falls = sort.startswith("-")
        name = sort.removeprefix("-")
        name = ALIASES.get(name, name)
        if name not in SORT_KEYS:
            raise BadRequest(
                f"Runs can't be sorted by {sort!r}; there are {', '.join(SORT_KEYS)}, with - for downwards."
            )
        # Ids are given in the order of launch, and are indexed.
        field = FIELDS["id" if name == "created" else name]
        self.key_expression, self._key_type = self._key(field)

    def order_by(self) -> list[ColumnElement[Any]]:
        """The SQL order; the id settles ties, so that every run has one place."""
        columns = [self.key_expression, Run.id.expression]
        return [column.desc() if self._falls else column.asc() for column in columns]

    def cursor(self, key: Any, run_id: int) -> str:
        """A mark behind the run with this key."""
        return base64.urlsafe_b64encode(json.dumps([self._sort, key, run_id]).encode()).decode()

    def after(self, cursor: str) -> ColumnElement[bool]:
        """The condition that holds for what follows the mark. Raises BadCursor."""
        try:
            sort, key, run_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        except (ValueError, TypeError):
            sort = key = run_id = None
        if sort != self._sort or type(key) not in self._key_type or type(run_id) is not int:
            raise BadCursor(f"{cursor!r} is no cursor of this list; begin again without one.")
        if self._falls:
            return or_(self.key_expression < key, and_(self.key_expression == key, Run.id < run_id))
        return or_(self.key_expression > key, and_(self.key_expression == key, Run.id > run_id))

    def _key(self, field: RunField) -> tuple[ColumnElement[Any], tuple[type, ...]]:
        if field.kind is Kind.TEXT:
            return func.lower(func.coalesce(field.column, "")), (str,)
        if field.kind is Kind.FLAG:
            return case((field.column.is_(True), 1), else_=0), (int,)
        column = since_1970(field.column) if field.kind is Kind.TIME else field.column
        if not field.may_be_none:
            return column, (int, float)
        return func.coalesce(column, -_BEYOND if self._falls else _BEYOND), (int, float)
