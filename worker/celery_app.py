from celery import Celery

from backend.contract import TRAIN_QUEUES


def build(redis_url: str) -> Celery:
    """The Celery application of a worker."""
    app = Celery("backprop-lab", broker=redis_url)
    app.conf.update(
        task_default_queue=TRAIN_QUEUES[0],
        # The database holds the results; a result back end breaks, for good, when Redis restarts.
        task_ignore_result=True,
        # Only an id travels, and only as JSON: a message can't carry code.
        task_serializer="json",
        accept_content=["json"],
        # A message is gone once it is read; a lost run is found by its lease. Late acknowledgement would start a second
        # copy of a run that takes longer than the visibility timeout, and with it kombu 5.7 dies when the broker does.
        task_acks_late=False,
        # Hold no message that can't be worked on yet: one that is held is lost with its worker.
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        # A message only wakes the supervisor, which has threads and processes of its own.
        worker_pool="threads",
        worker_concurrency=1,
        # Stopping goes through the database. Remote control would let whoever reaches Redis shut workers down.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        # The broker may start later than the worker, and may be gone for as long as it likes.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
    )
    return app
