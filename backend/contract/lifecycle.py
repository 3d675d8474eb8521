from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class RunStatus(StrEnum):
    """Where a run is in its life.

        queued -> starting -> running -> finished
          |         |           |-> pausing -> paused -> queued
          |         |           |-> stopping -> stopped
          '---------'-----------'-> failed

    A live run whose worker is gone goes back to queued; where it was stopping or pausing, that wish is carried out.
    """

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


ALLOWED_STEPS: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        RunStatus.QUEUED: frozenset({RunStatus.STARTING, RunStatus.STOPPED, RunStatus.FAILED}),
        RunStatus.STARTING: frozenset(
            {RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.STOPPING, RunStatus.QUEUED, RunStatus.FAILED}
        ),
        RunStatus.RUNNING: frozenset(
            {RunStatus.FINISHED, RunStatus.PAUSING, RunStatus.STOPPING, RunStatus.QUEUED, RunStatus.FAILED}
        ),
        # What ends by itself while it is asked to pause has ended.
        RunStatus.PAUSING: frozenset({RunStatus.PAUSED, RunStatus.FINISHED, RunStatus.FAILED}),
        RunStatus.PAUSED: frozenset({RunStatus.QUEUED, RunStatus.STOPPED}),
        RunStatus.STOPPING: frozenset({RunStatus.STOPPED}),
        RunStatus.FINISHED: frozenset(),
        RunStatus.FAILED: frozenset(),
        RunStatus.STOPPED: frozenset(),
    }
)

# A live run is held by an attempt: it has a lease, and whoever holds the lease writes.
LIVE_STATUSES = frozenset({RunStatus.STARTING, RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.STOPPING})
FINAL_STATUSES = frozenset(status for status, following in ALLOWED_STEPS.items() if not following)
MAX_LEASE_S = 600.0  # seconds; no setting makes a longer one
