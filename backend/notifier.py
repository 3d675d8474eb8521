"""The news that something changed, through Redis: "look again", never what."""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Protocol

import redis

from backend.contract import CHANGED_CHANNEL

log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_RECONNECT_S = 1.0
_LOOK_S = 1.0


class Notifier(Protocol):
    """Who tells that something changed, after the commit."""

    def changed(self) -> None:
        """Wake whoever follows the runs."""


class RedisNotifier:
    """Publishes on Redis; a Redis that is gone is no error."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)

    def changed(self) -> None:
        """Wake whoever follows the runs."""
        try:
            self._redis.publish(CHANGED_CHANNEL, "")
        except redis.RedisError as error:
            log.warning("No news through Redis: %s", error)

    def ping(self) -> str:
        """`ok`, or why Redis does not answer."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            return str(error)
        return "ok"


class ChangeListener:
    """Calls back, from a thread of its own, whenever something changed."""

    def __init__(self, redis_url: str, wake: Callable[[], None]) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=_TIMEOUT_S)
        self._wake = wake
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="change-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._ended.set()
        # News of its own, so that the thread need not wait for somebody else's to see that it shall end.
        with contextlib.suppress(redis.RedisError):
            self._redis.publish(CHANGED_CHANNEL, "")
        self._thread.join(timeout=2 * _TIMEOUT_S)
        self._redis.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CHANGED_CHANNEL)
                    while not self._ended.is_set():
                        if channel.get_message(timeout=_LOOK_S) is not None:
                            self._wake()
            except redis.RedisError as error:
                log.warning("Not listening for news: %s", error)
                self._ended.wait(_RECONNECT_S)
