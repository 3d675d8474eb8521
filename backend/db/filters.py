"""The filter of GET /api/runs, its sort keys and its cursor, turned into SQL.

dataset = digits and test_accuracy > 95%
(backprop = dilated or epsilon = 0) and not status = failed
audit = failed                  a gradient check failed; expected: only where a quirk makes it fail; or passed
"my run" tag = paper            a word alone is looked for in the name; words side by side must all hold
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from lark import Lark, Token, Transformer, Tree, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError
from sqlalchemy import ColumnElement, Text, and_, cast, func, not_, or_

from backend.contract import TrainConfig
from backend.db.models import Run
from backend.errors import BadCursor, BadFilter, BadRequest

MAX_FILTER_LENGTH = 1000  # characters
MAX_FILTER_DEPTH = 50

GRAMMAR = r"""
    ?start: either
    ?either: both (OR both)*
    ?both: negation (AND? negation)*
    ?negation: NOT negation -> negated
             | "(" either ")"
             | WORD OPERATOR value -> comparison
             | text -> name_holds
    value: WORD | STRING
    text: WORD | STRING

    OR.2: /or(?![^\s()])/i
    AND.2: /and(?![^\s()])/i
    NOT.2: /not(?![^\s()])/i
    OPERATOR: "!=" | ">=" | "<=" | "=" | ">" | "<" | "~"
    WORD: /[^\s()=<>!~"']+/
    STRING: /"[^"]*"|'[^']*'/
    %ignore /\s+/
"""

_TEXT_FIELDS: dict[str, ColumnElement[str]] = {
    "name": Run.name.expression,
    "status": cast(Run.status, Text),
    "audit": cast(Run.audit_verdict, Text),
    **{
        name: Run.config[name].as_string()
        for name, field in TrainConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, str)
    },
}
_NUMBER_FIELDS: dict[str, ColumnElement[Any]] = {
    "id": Run.id.expression,
    "epochs_done": Run.epochs_done.expression,
    **{
        name: Run.config[name].as_float()
        for name, field in TrainConfig.model_fields.items()
        if field.annotation in (int, float, int | None)
    },
    **{
        name: getattr(Run, name).expression
        for name in ("train_accuracy", "train_cost", "test_accuracy", "test_cost", "best_test_accuracy")
    },
}
_ALIASES = {"method": "backprop", "state": "status"}
FIELDS = (*_TEXT_FIELDS, *_NUMBER_FIELDS, "tag")

_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    ">": lambda column, value: column > value,
    "<": lambda column, value: column < value,
    ">=": lambda column, value: column >= value,
    "<=": lambda column, value: column <= value,
}


@v_args(inline=True)
class _ToSql(Transformer[Token, ColumnElement[bool]]):
    def value(self, token: Token) -> str:
        return token[1:-1] if token.type == "STRING" else str(token)

    text = value

    def either(self, *parts: Any) -> ColumnElement[bool]:
        return or_(*(part for part in parts if not isinstance(part, Token)))

    def both(self, *parts: Any) -> ColumnElement[bool]:
        return and_(*(part for part in parts if not isinstance(part, Token)))

    def negated(self, _not: Token, part: ColumnElement[bool]) -> ColumnElement[bool]:
        # A run without a value has not what is asked for: NULL counts as false, so its negation as true.
        return not_(func.coalesce(part, False))

    def name_holds(self, text: str) -> ColumnElement[bool]:
        return _holds(Run.name.expression, text)

    def comparison(self, name: Token, operator: Token, value: str) -> ColumnElement[bool]:
        field = _ALIASES.get(name.lower(), name.lower())
        if field == "tag":
            if operator not in ("=", "!="):
                raise BadFilter(f"tag {operator} {value}: a tag can be compared with = and != only.")
            tagged = _holds(cast(Run.tags, Text), json.dumps(value, ensure_ascii=False))
            return tagged if operator == "=" else not_(tagged)
        if field in _NUMBER_FIELDS:
            if operator == "~":
                raise BadFilter(f"{name} ~ {value}: ~ searches in text, and {name} is a number.")
            return _COMPARE[operator](_NUMBER_FIELDS[field], _number(name, value))
        if field in _TEXT_FIELDS:
            column = _TEXT_FIELDS[field]
            if operator == "~":
                return _holds(column, value)
            return _COMPARE[operator](func.lower(column), value.lower())
        raise BadFilter(f"There is no field {str(name)!r} to filter by; there are {', '.join(FIELDS)}.")


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


def _number(name: str, text: str) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise BadFilter(f"{name} is a number, and {text!r} is none; write 0.95, 95% or 1e-3.") from None
    if number != number or abs(number) > 1e300:  # noqa: PLR0124, PLR2004
        raise BadFilter(f"{name} can't be compared with {text!r}; give a finite number.")
    return number / 100 if text.endswith("%") else number


def _depth(tree: Tree[Token] | Token) -> int:
    return 1 + max(map(_depth, tree.children), default=0) if isinstance(tree, Tree) else 0


_PARSER = Lark(GRAMMAR, parser="lalr")


def parse(text: str) -> ColumnElement[bool] | None:
    """The condition that a filter asks for; None where it asks for nothing.

    Raises:
        BadFilter: the text is no filter; the message quotes the place.
    """
    if not text.strip():
        return None
    if len(text) > MAX_FILTER_LENGTH:
        raise BadFilter(f"The filter has {len(text)} characters; {MAX_FILTER_LENGTH} are the most.")
    try:
        tree = _PARSER.parse(text)
        if _depth(tree) > MAX_FILTER_DEPTH:
            raise BadFilter(f"The filter is nested more than {MAX_FILTER_DEPTH} deep; simplify it.")
        return _ToSql().transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, BadFilter):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        rest = "" if at_end else text[error.pos_in_stream or 0 :][:20]
        where = f"at {rest!r}" if rest else "at its end"
        raise BadFilter(
            f"The filter can't be read {where}; write, for example, dataset = digits and test_accuracy > 95%."
        ) from None


# What no run lacks sorts as it is; a run without the value comes after those that have one when sorted downwards.
_SORT_KEYS: dict[str, tuple[ColumnElement[Any], Any]] = {
    "created": (Run.id.expression, 0),
    "name": (func.lower(Run.name), ""),
    "status": (cast(Run.status, Text), ""),
    "epochs_done": (Run.epochs_done.expression, 0),
    "dataset": (_TEXT_FIELDS["dataset"], ""),
    "backprop": (_TEXT_FIELDS["backprop"], ""),
    **{
        name: (func.coalesce(_NUMBER_FIELDS[name], -1.0), -1.0)
        for name in ("train_accuracy", "train_cost", "test_accuracy", "test_cost", "best_test_accuracy")
    },
}
SORT_KEYS = tuple(_SORT_KEYS)


class Order:
    """An order of runs, and the cursors that mark a place in it."""

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._falls = sort.startswith("-")
        key = sort.removeprefix("-")
        if key not in _SORT_KEYS:
            raise BadRequest(
                f"Runs can't be sorted by {sort!r}; there are {', '.join(SORT_KEYS)}, with - for downwards."
            )
        self.key_expression, self._empty = _SORT_KEYS[key]

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
        if sort != self._sort or type(key) is not type(self._empty) or type(run_id) is not int:
            raise BadCursor(f"{cursor!r} is no cursor of this list; begin again without one.")
        if self._falls:
            return or_(self.key_expression < key, and_(self.key_expression == key, Run.id < run_id))
        return or_(self.key_expression > key, and_(self.key_expression == key, Run.id > run_id))
