"""What a run took of its machine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from backend.analysis import thinned
from backend.api.parameters import MISSING, RunId
from backend.api.schemas.system import GpuColumns, SystemColumns
from backend.contract import GpuUse, SystemUse, UsePoint
from backend.db import events, runs, system_use
from backend.dependencies import DatabaseDep
from backend.errors import BadRequest

router = APIRouter(prefix="/runs", tags=["runs"])

# Of a point, with the number of the run's threads.
_COLUMNS: Mapping[str, Callable[[SystemUse, int], float]] = {
    "cpu": lambda use, threads: round(use.cpu_cores / threads, 4),
    "cpu_max": lambda use, threads: round(use.cpu_cores_max / threads, 4),
    "memory_bytes": lambda use, _: use.memory_bytes,
    "memory_max_bytes": lambda use, _: use.memory_max_bytes,
    "host_free_bytes": lambda use, _: use.host_free_bytes,
}


@router.get("/{run_id}/system", responses=MISSING)
def get_system(
    run_id: RunId,
    database: DatabaseDep,
    names: Annotated[str, Query(max_length=500, description="Columns, comma between; empty: all.")] = "",
    points: Annotated[int, Query(ge=10, le=5000, description="About the most that come; gaps stay gaps.")] = 1000,
) -> SystemColumns:
    """Processor, memory and GPUs that the run's processes took over time, as columns."""
    wanted = names.split(",") if names else list(_COLUMNS)
    if unknown := [name for name in wanted if name not in _COLUMNS]:
        raise BadRequest(f"There is no column {unknown[0]!r}; there are {', '.join(_COLUMNS)}.")
    with database.read() as session:
        seq = events.last_seq(session)
        run, stored = runs.load(session, run_id), system_use.of_run(session, run_id)
    shown, threads = thinned(stored, points), run.threads or 1
    return SystemColumns(
        run_id=run_id,
        status=run.status,
        threads=run.threads,
        peak_memory_bytes=run.peak_memory_bytes,
        attempts=[point.attempt for point in shown],
        started_at=[point.started_at for point in shown],
        seconds=[round(point.use.seconds, 3) for point in shown],
        columns={name: [_COLUMNS[name](point.use, threads) for point in shown] for name in wanted},
        gpus=_gpu_columns(shown),
        of=len(stored),
        seq=seq,
    )


def _gpu_columns(points: Sequence[UsePoint]) -> list[GpuColumns]:
    known = [{gpu.number: gpu for gpu in point.use.gpus} for point in points]
    numbers = sorted({number for found in known for number in found})
    columns = []
    for number in numbers:
        uses = [found.get(number, GpuUse(number, None, None, None)) for found in known]
        columns.append(
            GpuColumns(
                number=number,
                busy=[use.busy for use in uses],
                busy_max=[use.busy_max for use in uses],
                memory_bytes=[use.memory_bytes for use in uses],
            )
        )
    return columns
