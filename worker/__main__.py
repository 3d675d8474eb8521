"""The worker process: `python -m worker`. It takes messages and watches the processes that train; it never trains."""

import logging
import os
import secrets
import signal
import socket
import threading

from celery.signals import worker_shutting_down

from backend.contract import Device
from backend.db import workers
from backend.db.engine import Database
from backend.db.lifecycle import HeldDevice
from backend.notifier import RedisNotifier
from backend.settings import Settings
from worker import celery_app, devices, tasks
from worker.calibration import Calibrator
from worker.dataset_jobs import DatasetJobs
from worker.heartbeat import Heartbeat
from worker.supervisor import Supervisor
from worker.usage import UsageMonitor


def main() -> None:
    """Work until SIGTERM or SIGINT; runs under way are then given back, to go on with the next worker."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database(settings.resolved_database_url)
    host = socket.gethostname()
    name = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
    offered = devices.offered(settings.devices, settings.slots)
    threads = settings.threads_of_each(len(offered))
    with database.write() as session:
        worker_id = workers.register(session, name, host, offered, threads)
        held = [HeldDevice(row.id, Device(row.kind), row.number) for row in workers.devices_of(session, [worker_id])]
    ending = threading.Event()
    worker_shutting_down.connect(lambda **_: ending.set(), weak=False)
    notifier = RedisNotifier(settings.redis_url)
    supervisor = Supervisor(database, notifier, settings, worker_id, held, threads, ending)
    heartbeat = Heartbeat(database, worker_id, supervisor.pids, lambda: os.kill(os.getpid(), signal.SIGTERM))
    usage = UsageMonitor(database, supervisor.trainers, has_gpus=any(one.kind is Device.GPU for one in held))
    app = celery_app.build(settings.redis_url)
    tasks.register(app, supervisor)
    dataset_jobs = DatasetJobs(database, notifier, settings)
    heartbeat.start()
    supervisor.start()
    usage.start()
    dataset_jobs.start()
    calibrator = Calibrator(database, host, threads, [one.number for one in held if one.kind is Device.GPU])
    if settings.calibrate:
        calibrator.start()
    try:
        app.worker_main(
            [
                "worker",
                f"--queues={','.join(sorted({device.kind.value for device in offered}))}",
                f"--hostname={name}",
                f"--loglevel={settings.log_level}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )
    finally:
        ending.set()
        if settings.calibrate:
            calibrator.stop()
        dataset_jobs.stop()
        supervisor.join()
        usage.stop()
        heartbeat.stop()
        database.close()


if __name__ == "__main__":
    main()
