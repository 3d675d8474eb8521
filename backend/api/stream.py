import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from backend.api import presenters
from backend.api.schemas.base import MAX_ID, ErrorAnswer, Nothing
from backend.api.schemas.measurements import MeasuredNews
from backend.api.schemas.runs import Removed, StatusCounts
from backend.db import events, runs, waiting
from backend.db.engine import Database
from backend.db.models import Epoch, RunEvent
from backend.db.runs import Moved
from backend.dependencies import LabDep

router = APIRouter(tags=["stream"])

BATCH = 500  # events read at once; a page far behind gets them in several goes
RETRY_MS = 1000
FEWEST_FOLDED = 8  # epochs that are told in columns; fewer are read more easily one by one
ALIVE_S = 10.0  # silence after which a page is told that there is nothing to tell
_SHARE = 4  # a page waits so many times as long as its last look took: however busy, it has a fifth of a core at most
_LONGEST_PAUSE_S = 0.4


@dataclass
class Cursor:
    """How far one page has been told."""

    seq: int
    progress_at: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))
    counts: StatusCounts | None = None


async def _seat(lab: LabDep) -> AsyncIterator[None]:
    # Asked for before the answer begins, which then can still be a 429; held until its end. No thread: one loop counts.
    with lab.feed.seat():
        yield


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    dependencies=[Depends(_seat)],
    responses={429: {"model": ErrorAnswer}},
)
async def stream(
    lab: LabDep,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="The number of the last event that is known.")] = 0,
    columns: Annotated[bool, Query(description="Many epochs at once come as one `epochs` event, in columns.")] = False,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """What changes, as it changes. Numbered events come once each, in order, and go on after `Last-Event-ID`.

    `run` (a summary: the run's state or name is another), `epoch` (its metrics), `measured`
    (there are new audits, attacks or followed images), `removed` (it is gone for good).
    With `columns`, eight epochs or more that are told together come as one `epochs` event with the last one's number.
    Without a number, the newest replacing the one before: `progress` (of all runs that have moved, as columns),
    `counts`. `reset` asks to load everything anew. `alive` comes where there was nothing else for ten seconds:
    a page that hears nothing for much longer has lost its connection, whatever its browser says.
    """
    cursor = Cursor(after if last_event_id is None else int(last_event_id))
    told_at = time.monotonic()
    yield ServerSentEvent(comment="backprop lab", retry=RETRY_MS)
    while not lab.feed.closed:
        ticket, began_at = lab.feed.ticket(), time.monotonic()
        told = await to_thread.run_sync(read, lab.database, cursor, columns)
        took_s = time.monotonic() - began_at
        if not told and began_at - told_at > ALIVE_S:
            told = [_event("alive", Nothing())]
        for event in told:
            told_at = began_at
            yield event
        if len(told) < BATCH:
            await lab.feed.wait(ticket)
            await asyncio.sleep(min(_SHARE * took_s, _LONGEST_PAUSE_S))


def read(database: Database, cursor: Cursor, in_columns: bool = False) -> list[ServerSentEvent]:
    """The events that a page does not know yet; moves its cursor on."""
    with database.read() as session:
        last = events.last_seq(session)
        if cursor.seq > last:
            # The page knows events that never were here: another database stands behind the same address now.
            cursor.seq = last
            return [_event("reset", Nothing(), last)]
        entries = events.after(session, cursor.seq, BATCH)
        run_ids = {entry.run_id for entry in entries if not isinstance(entry, Epoch)}
        removed = runs.removed_ids(session, run_ids)
        known = {run.id: run for run in runs.load_many(session, sorted(run_ids - removed))}
        queue = waiting.view(session, known)
        told = []
        for entry in _folded(entries) if in_columns else entries:
            if isinstance(entry, Epoch):
                told.append(_event("epoch", presenters.epoch_info(entry), entry.seq))
            elif isinstance(entry, list):
                told.append(_event("epochs", presenters.epoch_columns(entry), entry[-1].seq))
            elif entry.run_id in removed:
                told.append(_event("removed", Removed(run_id=entry.run_id), entry.seq))
            elif entry.kind == events.MEASURED:
                run = known[entry.run_id]
                told.append(_event("measured", MeasuredNews(run_id=run.id, audit=presenters.run_audit(run)), entry.seq))
            else:
                told.append(_event("run", presenters.run_summary(known[entry.run_id], queue), entry.seq))
            cursor.seq = entry[-1].seq if isinstance(entry, list) else entry.seq
        moved = runs.progressed_since(session, cursor.progress_at)
        counts = presenters.status_counts(runs.count_by_status(session))
    return told + _progress(moved, cursor) + _counts(counts, cursor)


def _folded(entries: Sequence[RunEvent | Epoch]) -> Iterator[RunEvent | Epoch | list[Epoch]]:
    """The entries, in which a stretch of epochs that is long enough is one list."""
    for is_epoch, stretch in groupby(entries, lambda entry: isinstance(entry, Epoch)):
        members = list(stretch)
        if is_epoch and len(members) >= FEWEST_FOLDED:
            yield [entry for entry in members if isinstance(entry, Epoch)]
        else:
            yield from members


def _progress(moved: Sequence[Moved], cursor: Cursor) -> list[ServerSentEvent]:
    if not moved:
        return []
    cursor.progress_at = moved[-1].progress_at
    return [_event("progress", presenters.progress_columns(moved))]


def _counts(counts: StatusCounts, cursor: Cursor) -> list[ServerSentEvent]:
    if counts == cursor.counts:
        return []
    cursor.counts = counts
    return [_event("counts", counts)]


def _event(name: str, data: BaseModel, seq: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=data, event=name, id=None if seq is None else str(seq))
