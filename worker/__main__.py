"""The worker process: `python -m worker`. It takes messages and watches the processes that train; it never trains."""

import logging
import os
import secrets
import socket
import threading

from celery.signals import worker_shutting_down

from backend.contract import TRAIN_QUEUE
from backend.db import workers
from backend.db.engine import Database
from backend.notifier import RedisNotifier
from backend.settings import Settings
from worker import celery_app, tasks
from worker.dataset_jobs import DatasetJobs
from worker.heartbeat import Heartbeat
from worker.supervisor import Supervisor


def main() -> None:
    """Work until SIGTERM or SIGINT; runs under way are then given back, to go on with the next worker."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database(settings.resolved_database_url)
    host = socket.gethostname()
    name = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
    with database.write() as session:
        worker_id = workers.register(session, name, host, settings.slots, settings.threads_per_slot)
    heartbeat = Heartbeat(database, worker_id)
    heartbeat.start()
    ending = threading.Event()
    worker_shutting_down.connect(lambda **_: ending.set(), weak=False)
    app = celery_app.build(settings.redis_url, settings.slots)
    notifier = RedisNotifier(settings.redis_url)
    tasks.register(app, Supervisor(database, notifier, settings, worker_id, ending))
    dataset_jobs = DatasetJobs(database, notifier, settings)
    dataset_jobs.start()
    try:
        app.worker_main(
            [
                "worker",
                f"--queues={TRAIN_QUEUE}",
                f"--hostname={name}",
                f"--loglevel={settings.log_level}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )
    finally:
        dataset_jobs.stop()
        heartbeat.stop()
        database.close()


if __name__ == "__main__":
    main()
