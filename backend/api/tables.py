"""Results as tables, for spreadsheets, scripts and data frames."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.analysis import align, differing_fields, summarize, used_config, x_values
from backend.api.selection import Selection
from backend.contract import METRIC_NAMES

# What a spreadsheet runs in a cell or a line of it: = + - @, wide ones too, after any blanks, or a tab or a carriage
# return first.
_LINE_STARTS = r"(?:^|(?<=[\n\r\v\f\x85\u2028\u2029]))"
_FORMULA = re.compile(_LINE_STARTS + r"(?!\n)(?=[\s\u200b\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])")


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name: numbers (NaN where there is none), integers or words."""

    columns: dict[str, Any]

    def rows(self) -> Sequence[tuple[Any, ...]]:
        """The rows, None where a number is missing."""
        return list(zip(*(_plain(column) for column in self.columns.values()), strict=True))

    def to_json(self) -> str:
        """The columns by name."""
        return json.dumps({name: _plain(column) for name, column in self.columns.items()}, allow_nan=False)

    def to_parquet(self) -> bytes:
        """The columns with their types; null where a number is missing."""
        # Arrow takes tens of megabytes: it is loaded with the first export.
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        arrays = {
            name: pa.array(column, from_pandas=True) if isinstance(column, np.ndarray) else pa.array(_words(column))
            for name, column in self.columns.items()
        }
        sink = io.BytesIO()
        parquet.write_table(pa.table(arrays), sink, compression="zstd")
        return sink.getvalue()


def run_table(selection: Selection) -> Table:
    """A row for each epoch of each run: who it is, in what it differs, and all its metrics as they were measured."""
    runs = [run for run in selection.runs if len(run.epochs)]
    configs = [used_config(run.config) for run in runs]
    group_of = {run.run_id: group.label for group in selection.groups for run in group.runs}
    lengths = [len(run.epochs) for run in runs]

    def repeated(values: Sequence[Any]) -> list[Any]:
        return [value for value, length in zip(values, lengths, strict=True) for _ in range(length)]

    columns: dict[str, Any] = {
        "run_id": np.repeat(np.array([run.run_id for run in runs], dtype=np.int64), lengths),
        "name": repeated([run.name for run in runs]),
        "group": repeated([group_of[run.run_id] for run in runs]),
        "seed": np.repeat(np.array([run.seed for run in runs], dtype=np.int64), lengths),
    }
    for name in differing_fields(configs):
        if name != "seed":
            columns[name] = repeated([config.get(name) for config in configs])
    columns["epoch"] = np.concatenate([np.empty(0, np.int64), *(run.epochs + 1 for run in runs)])
    columns["step"] = _joined([x_values(run, "step") for run in runs])
    columns["seconds"] = _joined([x_values(run, "time") for run in runs])
    for metric in METRIC_NAMES:
        columns[metric] = _joined([run.columns[metric] for run in runs])
    columns["not_finite"] = [
        " ".join(f"{metric}={words[epoch]}" for metric, words in run.non_finite.items() if epoch in words)
        for run in runs
        for epoch in run.epochs.tolist()
    ]
    return Table(columns)


def group_table(selection: Selection) -> Table:
    """A row for each epoch of each group: of each metric centre, low, high and how many runs they are made of."""
    keys: list[str] = []
    labels: list[str] = []
    numbers: list[Any] = []
    metrics: dict[str, list[Any]] = {}
    for group in selection.groups:
        epochs = np.empty(0, np.int64)
        for metric in METRIC_NAMES:
            epochs, matrix = align([run.epochs for run in group.runs], [run.columns[metric] for run in group.runs])
            found = summarize(matrix, selection.query.statistic, selection.query.band)
            metrics.setdefault(metric, []).append(found.center)
            metrics.setdefault(f"{metric}_low", []).append(found.low)
            metrics.setdefault(f"{metric}_high", []).append(found.high)
            metrics.setdefault(f"{metric}_n", []).append(found.n)
        keys += [group.key] * len(epochs)
        labels += [group.label] * len(epochs)
        numbers.append(epochs + 1)
    columns: dict[str, Any] = {"group": labels, "key": keys, "epoch": np.concatenate([np.empty(0, np.int64), *numbers])}
    for name, parts in metrics.items():
        columns[name] = np.concatenate(parts) if parts else np.empty(0)
    return Table(columns)


def spreadsheet_text(table: Table) -> str:
    """The table as CSV (RFC 4180, UTF-8 with a mark that spreadsheets look for), in which no text is a formula."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow([safe_cell(name) for name in table.columns])
    writer.writerows([safe_cell(value) for value in row] for row in table.rows())
    return "\N{BYTE ORDER MARK}" + sink.getvalue()


def safe_cell(value: Any) -> Any:
    """The value, with an apostrophe before every line of text that a spreadsheet would take for a formula."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate([np.empty(0), *parts])


def _plain(column: Any) -> list[Any]:
    if not isinstance(column, np.ndarray):
        return list(column)
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124  (NaN)


def _words(column: Sequence[Any]) -> list[Any]:
    """A column of one type: lists, and words beside numbers, as text."""
    plain = [" ".join(map(str, value)) if isinstance(value, list) else value for value in column]
    kinds = {type(value) for value in plain if value is not None}
    return plain if len(kinds) <= 1 or kinds == {int, float} else [None if v is None else str(v) for v in plain]
