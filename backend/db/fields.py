"""What runs can be filtered and sorted by: each field's name, kind, SQL and meaning."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import UnionType
from typing import Any, get_args

from sqlalchemy import ColumnElement, Float, Text, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from backend.contract import METRIC_NAMES, TrainConfig
from backend.db.models import Run, UtcDateTime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a field holds, which decides how its values are written."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "yes or no"
    TIME = "time"
    DURATION = "seconds"
    BYTES = "bytes"
    LIST = "list of words"


@dataclass(frozen=True)
class RunField:
    """One thing that a run has."""

    name: str
    kind: Kind
    column: ColumnElement[Any]
    meaning: str
    may_be_none: bool = False


class _Seconds(FunctionElement[float]):
    """Seconds from one time to another."""

    type = Float()
    inherit_cache = True
    name = "seconds"


@compiles(_Seconds, "sqlite")
def _seconds_in_sqlite(element: _Seconds, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(part, **options) for part in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"


@compiles(_Seconds, "postgresql")
def _seconds_in_postgres(element: _Seconds, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM {end}) - EXTRACT(EPOCH FROM {start}) AS double precision)"


def since_1970(column: ColumnElement[Any]) -> ColumnElement[float]:
    """A time as seconds, by which both databases sort alike and which JSON can hold."""
    return _Seconds(literal(_EPOCH, UtcDateTime()), column)


def _config_fields() -> list[RunField]:
    """The fields of the configuration that hold one value, or a list of words."""
    found = []
    for name, field in TrainConfig.model_fields.items():
        options = get_args(field.annotation) if isinstance(field.annotation, UnionType) else (field.annotation,)
        kind, may_be_none, value = options[0], type(None) in options, Run.config[name]
        meaning = field.description or ""
        if kind is bool:
            found.append(RunField(name, Kind.FLAG, value.as_boolean(), meaning))
        elif kind in (int, float):
            found.append(RunField(name, Kind.NUMBER, value.as_float(), meaning, may_be_none))
        elif isinstance(kind, type) and issubclass(kind, str):
            found.append(RunField(name, Kind.TEXT, value.as_string(), meaning, may_be_none))
    return found


def _metric_fields() -> list[RunField]:
    last = [
        RunField(name, Kind.NUMBER, getattr(Run, name).expression, "Of the last finished epoch.", may_be_none=True)
        for name in METRIC_NAMES
        if name not in ("epoch_seconds", "images_per_second")
    ]
    best = Run.best_test_accuracy.expression
    return [*last, RunField("best_test_accuracy", Kind.NUMBER, best, "The highest so far.", may_be_none=True)]


_OWN_FIELDS = [
    RunField("id", Kind.NUMBER, Run.id.expression, "The run's number."),
    RunField("name", Kind.TEXT, Run.name.expression, "What it is called."),
    RunField("tag", Kind.LIST, cast(Run.tags, Text), "Its tags: = has it, ~ has one that contains it."),
    RunField("notes", Kind.TEXT, Run.notes.expression, "What was written down about it."),
    RunField("status", Kind.TEXT, cast(Run.status, Text), "queued, starting, running, paused, finished, and so on."),
    RunField("error", Kind.TEXT, Run.error.expression, "Why it failed.", may_be_none=True),
    RunField(
        "audit",
        Kind.TEXT,
        cast(Run.audit_verdict, Text),
        "Of its gradient checks: failed, expected (only a quirk makes it fail) or passed.",
        may_be_none=True,
    ),
    RunField("priority", Kind.NUMBER, Run.priority.expression, "Of those that wait the greatest begins first."),
    RunField("launch", Kind.NUMBER, Run.launch_id.expression, "The launch that made it."),
    RunField("parent", Kind.NUMBER, Run.parent_id.expression, "The run that it came from.", may_be_none=True),
    RunField("relation", Kind.TEXT, Run.relation.expression, "clone, retry, branch or reproduction.", may_be_none=True),
    RunField("attempt", Kind.NUMBER, Run.attempt.expression, "How often it was begun."),
    RunField("epochs_done", Kind.NUMBER, Run.epochs_done.expression, "Finished epochs."),
    RunField("created", Kind.TIME, Run.created_at.expression, "When it was launched."),
    RunField("started", Kind.TIME, Run.started_at.expression, "When it was first begun.", may_be_none=True),
    RunField("finished", Kind.TIME, Run.finished_at.expression, "When it ended, however it did.", may_be_none=True),
    RunField(
        "duration",
        Kind.DURATION,
        _Seconds(Run.started_at.expression, Run.finished_at.expression),
        "From its start to its end.",
        may_be_none=True,
    ),
    RunField("epoch_seconds", Kind.DURATION, Run.epoch_seconds.expression, "Of the last epoch.", may_be_none=True),
    RunField("disk", Kind.BYTES, Run.disk_bytes.expression, "What its files take on the disk."),
    RunField(
        "peak_memory",
        Kind.BYTES,
        Run.peak_memory_bytes.expression,
        "The most that a process of it has held.",
        may_be_none=True,
    ),
    RunField("quirk", Kind.LIST, cast(Run.config["quirks"], Text), "The article's quirks that it has."),
]

OWN_FIELDS = [*_OWN_FIELDS, *_metric_fields()]  # those that `docs/filters.md` lists
FIELDS = {field.name: field for field in [*OWN_FIELDS, *_config_fields()]}
ALIASES = {"method": "backprop", "state": "status", "tags": "tag", "quirks": "quirk", "note": "notes"}


def find_field(name: str) -> RunField | None:
    """The field of this name, in any case, or of one that people say for it."""
    return FIELDS.get(ALIASES.get(name.lower(), name.lower()))
