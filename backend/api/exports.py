from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from backend.api import report
from backend.api.comparisons import comparison
from backend.api.parameters import MISSING
from backend.api.schemas.comparisons import ExportQuery
from backend.api.selection import Selection, select
from backend.api.tables import Table, group_table, run_table, spreadsheet_text
from backend.dependencies import LabDep

router = APIRouter(prefix="/exports", tags=["exports"])

Kind = Literal["csv", "json", "parquet", "html"]


@router.get(
    "/{kind}", responses=MISSING | {200: {"content": {"application/octet-stream": {}}}}, response_class=Response
)
def export(kind: Kind, lab: LabDep, query: Annotated[ExportQuery, Query()]) -> Response:
    """What a view shows, as a file: every epoch as it was measured, never smoothed nor reduced.

    csv: safe to open in a spreadsheet: text that one would take for a formula begins with an apostrophe.
    html: a report that opens without this service and without a network, with charts as the page's address has them.
    """
    with lab.database.read() as session:
        selection = select(session, lab.series, query)
        notes = report.notes(session, selection) if kind == "html" else {}
    if kind == "html":
        body: str | bytes = report.page(selection, query, notes)
    else:
        grouped = query.rows == "groups" or (query.rows == "shown" and selection.is_grouped)
        table = group_table(selection) if grouped else run_table(selection)
        body = _WRITE[kind](table, selection)
    name = f"comparison-{'-'.join(str(run.run_id) for run in selection.runs[:6])}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=_TYPES[kind], headers=headers)


def _csv(table: Table, _selection: Selection) -> str:
    return spreadsheet_text(table)


def _json(table: Table, selection: Selection) -> str:
    found = comparison(selection).model_dump_json()
    return f'{{"comparison":{found},"rows":{table.to_json()}}}'


def _parquet(table: Table, _selection: Selection) -> bytes:
    return table.to_parquet()


_WRITE: dict[str, Callable[[Table, Selection], str | bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html; charset=utf-8",
}
