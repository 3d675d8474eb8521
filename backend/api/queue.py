"""Who waits, who trains: the queue and the workers."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from backend.api import presenters
from backend.api.expectation import Expectation
from backend.api.parameters import FORBIDDEN, MISSING
from backend.api.schemas.base import MAX_ID
from backend.api.schemas.queue import DeviceInfo, QueueEntry, QueueInfo, QueueMove, WorkerInfo, WorkerState
from backend.api.stored import config_of
from backend.contract import Device
from backend.db import clock, runs, waiting, workers
from backend.db.models import Device as DeviceRow
from backend.db.models import Run, Worker
from backend.dependencies import DatabaseDep, LabDep
from backend.schedule import Held, Waiting, expected_starts

router = APIRouter(tags=["queue"])

MOST = 500  # queued runs told at once; the start is guessed for these

WorkerId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/queue")
def get_queue(database: DatabaseDep, limit: Annotated[int, Query(ge=1, le=MOST)] = 200) -> QueueInfo:
    """The runs that wait: since when, for what, and when each is likely to begin."""
    with database.read() as session:
        return _queue(session, limit)


@router.post("/queue/order", responses=MISSING | FORBIDDEN)
def move_in_queue(body: QueueMove, lab: LabDep) -> QueueInfo:
    """Move a queued run before another one, or to the front. It takes on that place's priority."""
    with lab.database.write() as session:
        waiting.move(session, body.run_id, body.before)
    lab.notifier.changed()
    with lab.database.read() as session:
        return _queue(session, MOST)


@router.get("/workers")
def list_workers(database: DatabaseDep) -> list[WorkerInfo]:
    """The workers that are alive or were within the last hour, and what each does."""
    with database.read() as session:
        return _worker_infos(session, workers.recent(session))


@router.post("/workers/{worker_id}/drain", responses=MISSING)
def drain_worker(worker_id: WorkerId, lab: LabDep) -> WorkerInfo:
    """Let a worker finish the runs that it has, and take no more."""
    return _set_draining(lab, worker_id, draining=True)


@router.post("/workers/{worker_id}/undrain", responses=MISSING)
def undrain_worker(worker_id: WorkerId, lab: LabDep) -> WorkerInfo:
    """Let a worker take runs again."""
    return _set_draining(lab, worker_id, draining=False)


def _set_draining(lab: LabDep, worker_id: int, *, draining: bool) -> WorkerInfo:
    with lab.database.write() as session:
        (info,) = _worker_infos(session, [workers.set_draining(session, worker_id, draining)])
    lab.notifier.changed()
    return info


def _queue(session: Session, limit: int) -> QueueInfo:
    queued, at = waiting.first(session, limit), clock.now(session)
    view = waiting.view(session, [run.id for run in queued])
    starts = _expected_starts(session, view, queued)
    entries = []
    for run in queued:
        sentence, can_start = view.waiting_for(run)
        entries.append(
            QueueEntry(
                position=view.positions[run.id],
                run=presenters.run_summary(run, view),
                waiting_since=run.queued_at or run.created_at,
                expected_start_at=at + timedelta(seconds=starts[run.id]) if run.id in starts else None,
                waiting_for=sentence,
                can_start=can_start,
            )
        )
    return QueueInfo(entries=entries, total=runs.count(session, waiting.is_queued()))


def _expected_starts(session: Session, view: waiting.QueueView, queued: Sequence[Run]) -> Mapping[int, float]:
    expectation = Expectation(session)
    held_devices = workers.devices_of(session, [offer.worker_id for offer in view.offers])
    live = {run.id: run for run in runs.load_many(session, _held_runs(held_devices))}
    held = [
        Held(device.worker_id, Device(device.kind), 1, _seconds_left(live[device.run_id], expectation))
        for device in held_devices
        if device.run_id is not None
    ]
    queue = [
        Waiting(run.id, waiting.need_of(run), expectation.seconds(config_of(run.config), run.epochs_done))
        for run in queued
    ]
    return expected_starts(queue, held, view.offers)


def _seconds_left(run: Run, expectation: Expectation) -> float | None:
    progress = presenters.progress_info(run)
    if progress is not None and progress.seconds_left is not None:
        return progress.seconds_left
    return expectation.seconds(config_of(run.config), run.epochs_done)


def _held_runs(devices: Sequence[DeviceRow]) -> list[int]:
    return sorted({device.run_id for device in devices if device.run_id is not None})


def _state_of(worker: Worker, *, is_alive: bool, rests: bool) -> tuple[WorkerState, str | None]:
    if not is_alive:
        return "gone", "It gave no sign of life for a while." if worker.ended_at is None else "It has ended."
    if worker.draining:
        return "draining", "It finishes the runs that it has, and takes no more."
    return ("resting", worker.rest_reason) if rests else ("alive", None)


def _worker_infos(session: Session, rows: Sequence[Worker]) -> list[WorkerInfo]:
    at, devices = clock.now(session), workers.devices_of(session, [worker.id for worker in rows])
    infos = []
    for worker in rows:
        age_s = (at - worker.heartbeat_at).total_seconds()
        mine = [device for device in devices if device.worker_id == worker.id]
        is_alive = worker.ended_at is None and age_s < workers.ALIVE_S
        rests_until = worker.rests_until if worker.rests_until is not None and worker.rests_until > at else None
        state, sentence = _state_of(worker, is_alive=is_alive, rests=rests_until is not None)
        infos.append(
            WorkerInfo(
                id=worker.id,
                name=worker.name,
                host=worker.host,
                slots=worker.slots,
                threads_per_slot=worker.threads_per_slot,
                alive=is_alive,
                draining=worker.draining,
                state=state,
                state_sentence=sentence,
                rests_until=rests_until,
                heartbeat_at=worker.heartbeat_at,
                heartbeat_age_s=max(0.0, age_s),
                started_at=worker.started_at,
                memory_bytes=worker.memory_bytes,
                children_bytes=worker.children_bytes,
                devices=[
                    DeviceInfo(
                        id=device.id,
                        kind=Device(device.kind),
                        number=device.number,
                        name=device.name,
                        memory_bytes=device.memory_bytes,
                        run_id=device.run_id,
                    )
                    for device in mine
                ],
                runs=list(runs.live_of_worker(session, worker.id)),
            )
        )
    return infos
