"""What stands beside a field in a filter: `95%`, `10min`, `-7d`, `2026-11-25`, `0.1..0.5`; and what it means in SQL."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func

from backend.db.fields import Kind, RunField
from backend.errors import BadFilter

_UNITS: Mapping[Kind, Mapping[str, float]] = {
    Kind.DURATION: {"s": 1, "min": 60, "h": 3600, "d": 86_400},
    Kind.BYTES: {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    Kind.NUMBER: {"%": 0.01},
}
_WRITTEN = {
    Kind.DURATION: "seconds, or as in 90s, 10min, 2h, 1d",
    Kind.BYTES: "bytes, or as in 500kB, 20MB, 1.5GB",
    Kind.NUMBER: "0.95, 95% or 1e-3",
}
_AGO = re.compile(r"-(\d{1,6})(min|h|d|w)")
_AGO_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = {"today": 0, "yesterday": 1}
_LARGEST = 1e300
_FLAGS = {"yes": True, "true": True, "no": False, "false": False}
_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": lambda column, value: column == value,
    ">": lambda column, value: column > value,
    "<": lambda column, value: column < value,
    ">=": lambda column, value: column >= value,
    "<=": lambda column, value: column <= value,
}


def compare(field: RunField, operator: str, text: str, now: datetime) -> ColumnElement[bool]:
    """The condition that a field stands in this relation (`= > < >= <=`) to a value. Raises BadFilter."""
    if text.lower() == "none" and operator == "=" and field.may_be_none:
        return field.column.is_(None)
    if field.kind is Kind.TIME:
        start, end = _span(field, text, now)
        bounds = {"=": and_(field.column >= start, field.column < end), "<": field.column < start}
        bounds |= {"<=": field.column < end, ">": field.column >= end, ">=": field.column >= start}
        return bounds[operator]
    if field.kind is Kind.FLAG:
        if operator != "=" or text.lower() not in _FLAGS:
            raise BadFilter(f"{field.name} {operator} {text}: {field.name} is yes or no, as in {field.name} = yes.")
        return field.column.is_(_FLAGS[text.lower()])
    if field.kind is Kind.TEXT:
        return _COMPARE[operator](func.lower(field.column), text.lower())
    return _COMPARE[operator](field.column, _number(field, text))


def within(field: RunField, text: str, now: datetime) -> ColumnElement[bool]:
    """The condition that a field lies in a range, ends included: `0.1..0.5`, `..5`, `3..`. Raises BadFilter."""
    low, _, high = text.partition("..")
    if not (low or high):
        raise BadFilter(f"{field.name} in {text}: a range has an end at least, as in 0.1..0.5, 3.. or ..5.")
    if field.kind in (Kind.FLAG, Kind.LIST):
        raise BadFilter(f"{field.name} in {text}: a range needs numbers, times or text; {field.name} is {field.kind}.")
    if high.endswith("%") and low and not low.endswith("%"):
        low += "%"
    bounds = [compare(field, operator, end, now) for operator, end in ((">=", low), ("<=", high)) if end]
    return and_(*bounds)


def _number(field: RunField, text: str) -> float:
    found = re.fullmatch(r"(.*?)\s*(%|[A-Za-z]+)?", text)
    assert found is not None
    digits, unit = found.groups()
    if unit and unit not in _UNITS[field.kind] and field.kind is Kind.NUMBER:
        digits, unit = text, None
    try:
        number = float(digits) * (_UNITS[field.kind][unit] if unit else 1)
    except (ValueError, KeyError):
        raise BadFilter(f"{field.name} is a number, and {text!r} is none; write {_WRITTEN[field.kind]}.") from None
    if not abs(number) <= _LARGEST:
        raise BadFilter(f"{field.name} can't be compared with {text!r}; give a finite number.")
    return number


def _span(field: RunField, text: str, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a time and the first after it: a day has 24 hours, a minute 60 seconds."""
    if text.lower() == "now":
        return now, now
    if ago := _AGO.fullmatch(text):
        try:
            moment = now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise BadFilter(f"{field.name}: {text} is before all times; name a later one.") from None
        return moment, moment
    if text.lower() in _DAYS:
        text = (now - timedelta(days=_DAYS[text.lower()])).date().isoformat()
    try:
        start = datetime.fromisoformat(text)
        start = start.astimezone(UTC) if start.tzinfo else start.replace(tzinfo=UTC)
        return start, start + _length(text)
    except (ValueError, OverflowError):
        raise BadFilter(
            f"{field.name} is a time, and {text!r} is none; write 2026-11-25, 2026-11-25T14:30 (UTC), today, "
            "yesterday, or -30min, -12h, -7d, -2w for so long ago."
        ) from None


def _length(text: str) -> timedelta:
    if "T" not in text:
        return timedelta(days=1)
    return timedelta(minutes=1) if text.split("T")[1].count(":") == 1 else timedelta(seconds=1)
