import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from backend.contract import TRAIN_RUN_TASK

log = logging.getLogger(__name__)

# A request must not wait for a broker that is gone: the run is safe in the database, and the re-sender tries again.
_BROKER_TIMEOUT_S = 2


class Message(NamedTuple):
    """The hint that a run waits, and the queue in which it is heard."""

    run_id: int
    queue: str


class Queue(Protocol):
    """Where messages to workers are left. They are hints: losing one loses no run."""

    def send_train_run(self, messages: Sequence[Message]) -> bool:
        """Tell the workers of queued runs; whether the broker took the messages."""


class CeleryQueue:
    """Messages by task name, so that no worker code is imported here."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("backprop-lab", broker=redis_url, set_as_current=False)
        self._app.conf.update(
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            broker_connection_timeout=_BROKER_TIMEOUT_S,
            broker_transport_options={
                "socket_timeout": _BROKER_TIMEOUT_S,
                "socket_connect_timeout": _BROKER_TIMEOUT_S,
                "retry_on_timeout": False,
            },
        )

    def send_train_run(self, messages: Sequence[Message]) -> bool:
        """Tell the workers of queued runs; whether the broker took the messages."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=_BROKER_TIMEOUT_S)
                producer = self._app.amqp.Producer(connection, auto_declare=False)
                for run_id, queue in messages:
                    self._app.send_task(TRAIN_RUN_TASK, args=(run_id,), queue=queue, producer=producer, retry=False)
        except (OperationalError, OSError, RedisError) as error:
            # What fails between the connection and the message comes as Redis's own error: one that is full, say.
            log.warning("The broker took no message for runs %s: %s", [run_id for run_id, _ in messages], error)
            return False
        return True
