"""The news that something changed, through Redis: "look again", never what."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.contract import CHANGED_CHANNEL

log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_PUBLISH_S = 0.5  # that Redis gets to answer
_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 30.0  # without a try, after a failure
_LEAST_SHARE = 100  # the pause, in units of what the failure took
_RECONNECT_S = 1.0
_LOOK_S = 1.0


class Notifier(Protocol):
    """Who tells that something changed, after the commit."""

    def changed(self) -> None:
        """Wake whoever follows the runs."""


class RedisNotifier:
    """Publishes on Redis; a Redis that is gone is no error, and one that never answers delays nobody for long.

    After a failure nothing is sent for a while: pages look by themselves each second. The while grows, and is never
    shorter than `_LEAST_SHARE` times what the failure took: whoever tells news loses 1 % of the time at most, after the
    first `_PUBLISH_S`.
    """

    def __init__(self, redis_url: str) -> None:
        # An idle connection that was cut is made anew at once; what has not answered is not asked again.
        again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=_PUBLISH_S, socket_connect_timeout=_PUBLISH_S, retry=again
        )
        self._guard = threading.Lock()
        self._pause_s = 0.0  # 0: the last try went well
        self._quiet_until = 0.0  # monotonic time

    def changed(self) -> None:
        """Wake whoever follows the runs."""
        began = time.monotonic()
        with self._guard:
            if began < self._quiet_until:
                return
            if self._pause_s:
                # One thread tries; the others need not wait for what may not answer.
                self._quiet_until = began + 2 * _PUBLISH_S
        try:
            self._redis.publish(CHANGED_CHANNEL, "")
        except redis.RedisError as error:
            now = time.monotonic()
            with self._guard:
                self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LAST_PAUSE_S)
                quiet_s = max(self._pause_s, _LEAST_SHARE * (now - began))
                self._quiet_until = now + quiet_s
            log.warning("No news through Redis, and none is tried for %.0f s: %s", quiet_s, error)
        else:
            with self._guard:
                self._pause_s = self._quiet_until = 0.0

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
