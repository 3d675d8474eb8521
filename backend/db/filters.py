"""The filter of GET /api/runs, turned into SQL. `docs/filters.md` describes it for users.

dataset = digits and test_accuracy > 95%
(backprop = dilated or epsilon in 0.1..0.5) and status not in (failed, stopped)
"my run" tag = paper created > -7d      a word alone is looked for in the name; words side by side must all hold
"""

import json
from datetime import UTC, datetime
from typing import Any

from lark import Lark, Token, Transformer, Tree, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError
from sqlalchemy import ColumnElement, and_, func, not_, or_

from backend.db import values
from backend.db.fields import FIELDS, Kind, RunField, find_field
from backend.db.models import Run
from backend.errors import BadFilter

MAX_FILTER_LENGTH = 1000  # characters
MAX_FILTER_DEPTH = 50

GRAMMAR = r"""
    ?start: either
    ?either: both (OR both)*
    ?both: negation (AND? negation)*
    ?negation: NOT negation -> negated
             | "(" either ")"
             | WORD OPERATOR value -> comparison
             | WORD (IN | NOT_IN) (value | items) -> membership
             | text -> name_holds
    value: WORD | STRING
    text: WORD | STRING
    items: "(" item (","? item)* ","? ")"
    item: ITEM | STRING

    OR.2: /or(?![^\s()])/i
    AND.2: /and(?![^\s()])/i
    NOT_IN.3: /not\s+in(?![^\s()])/i
    NOT.2: /not(?![^\s()])/i
    IN.2: /in(?![^\s()])/i
    OPERATOR: "!=" | "!~" | ">=" | "<=" | "=" | ">" | "<" | "~"
    WORD: /[^\s()=<>!~"']+/
    ITEM: /[^\s(),"']+/
    STRING: /"[^"]*"|'[^']*'/
    %ignore /\s+/
"""

_RANGE = ".."


@v_args(inline=True)
class _ToSql(Transformer[Token, ColumnElement[bool]]):
    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now = now

    def value(self, token: Token) -> Token:
        # What stands in quotes is taken as it is: it is no range and no list.
        return token.update(value=token[1:-1]) if token.type == "STRING" else token

    text = item = value

    def items(self, *items: Any) -> list[Token]:
        return [item for item in items if isinstance(item, Token)]

    def either(self, *parts: Any) -> ColumnElement[bool]:
        return or_(*(part for part in parts if not isinstance(part, Token)))

    def both(self, *parts: Any) -> ColumnElement[bool]:
        return and_(*(part for part in parts if not isinstance(part, Token)))

    def negated(self, _not: Token, part: ColumnElement[bool]) -> ColumnElement[bool]:
        return _fails(part)

    def name_holds(self, text: str) -> ColumnElement[bool]:
        return _holds(Run.name.expression, text)

    def comparison(self, name: Token, operator: Token, value: Token) -> ColumnElement[bool]:
        if operator.startswith("!"):
            return _fails(self._compare(name, operator.replace("!=", "=").removeprefix("!"), value))
        return self._compare(name, operator, value)

    def membership(self, name: Token, word: Token, value: Any) -> ColumnElement[bool]:
        if isinstance(value, Token) and value.type == "WORD":
            value = [value.update(value=part) for part in value.split(",") if part]
        items = value if isinstance(value, list) else [value]
        met = or_(*(self._is_in(name, item) for item in items))
        return met if word.type == "IN" else _fails(met)

    def _is_in(self, name: Token, item: Token) -> ColumnElement[bool]:
        if _RANGE in item and item.type != "STRING":
            return values.within(_field(name), item, self._now)
        return self._compare(name, "=", item)

    def _compare(self, name: Token, operator: str, value: Token) -> ColumnElement[bool]:
        field = _field(name)
        if field.kind is Kind.LIST:
            if operator not in ("=", "~"):
                raise BadFilter(f"{name} {operator} {value}: {name} can be compared with =, !=, ~ and `in` only.")
            return _holds(field.column, json.dumps(value, ensure_ascii=False) if operator == "=" else value)
        if operator != "~":
            return values.compare(field, operator, str(value), self._now)
        if field.kind is not Kind.TEXT:
            raise BadFilter(f"{name} ~ {value}: ~ searches in text, and {name} is a {field.kind}.")
        return _holds(field.column, value)


def _field(name: Token) -> RunField:
    field = find_field(name)
    if field is None:
        raise BadFilter(
            f"There is no field {str(name)!r} to filter by; there are {', '.join(FIELDS)}. "
            "Words of a name stand in quotes where one of them is `in`."
        )
    return field


def _fails(part: ColumnElement[bool]) -> ColumnElement[bool]:
    # A run without a value has not what is asked for: NULL counts as false, so its negation as true.
    return not_(func.coalesce(part, False))


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return func.lower(column).contains(text.lower(), autoescape=True)


def _depth(tree: Tree[Token] | Token) -> int:
    return 1 + max(map(_depth, tree.children), default=0) if isinstance(tree, Tree) else 0


_PARSER = Lark(GRAMMAR, parser="lalr")


def parse(text: str, now: datetime | None = None) -> ColumnElement[bool] | None:
    """The condition that a filter asks for; None where it asks for nothing.

    Args:
        text: the filter.
        now: the moment to which `today` and `-7d` refer; by default this one.

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
        return _ToSql(now or datetime.now(UTC)).transform(tree)
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
