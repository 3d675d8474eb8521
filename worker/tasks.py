from celery import Celery

from backend.contract import TRAIN_RUN_TASK
from worker.supervisor import Supervisor


def register(app: Celery, supervisor: Supervisor) -> None:
    """Teach the worker its one task: to look at the queue. A message too many finds nothing there and does nothing."""

    @app.task(name=TRAIN_RUN_TASK)  # type: ignore[untyped-decorator]
    def train_run(run_id: int) -> None:  # noqa: ARG001  (which run is best is known when one can begin)
        supervisor.heard()
