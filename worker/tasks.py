from celery import Celery

from backend.contract import TRAIN_RUN_TASK
from worker.supervisor import Supervisor


def register(app: Celery, supervisor: Supervisor) -> None:
    """Teach the worker its one task. A message too many finds nothing to claim and does nothing."""

    @app.task(name=TRAIN_RUN_TASK)  # type: ignore[untyped-decorator]
    def train_run(run_id: int) -> None:
        supervisor.train(run_id)
