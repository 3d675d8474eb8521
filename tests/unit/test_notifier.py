import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from backend import notifier as notifier_module
from backend.contract import CHANGED_CHANNEL
from backend.notifier import RedisNotifier

EPOCHS = 40


@pytest.fixture
def half_open() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


class TestARedisThatNeverAnswers:
    def test_delays_news_once(self, half_open: str) -> None:
        """Of many epochs the first waits for the time that Redis gets to answer, the others for nothing."""
        notifier = RedisNotifier(half_open)
        took = []
        for _ in range(EPOCHS):
            began = time.monotonic()
            notifier.changed()
            took.append(time.monotonic() - began)
        assert took[0] < 2 * notifier_module._PUBLISH_S
        assert sum(took[1:]) < 0.1

    def test_is_tried_again_by_one_alone_and_less_and_less(
        self, half_open: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the pause is over, of eight threads one waits for an answer; the next pause is longer."""
        monkeypatch.setattr(notifier_module, "_PUBLISH_S", 0.1)
        monkeypatch.setattr(notifier_module, "_LEAST_SHARE", 0)
        notifier = RedisNotifier(half_open)
        pauses = []
        for _ in range(3):
            notifier._quiet_until = 0.0
            took: list[float] = []

            def tell(took: list[float] = took) -> None:
                began = time.monotonic()
                notifier.changed()
                took.append(time.monotonic() - began)

            tell()
            notifier._quiet_until = 0.0
            threads = [threading.Thread(target=tell) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(seconds > 0.05 for seconds in took) == 2
            pauses.append(notifier._pause_s)
        assert pauses == [2.0, 8.0, 30.0]

    def test_costs_one_part_in_a_hundred_at_most(self, half_open: str) -> None:
        """The pause after a failure is a hundred times what that took."""
        notifier = RedisNotifier(half_open)
        notifier.changed()
        assert notifier._quiet_until - time.monotonic() > 90 * notifier_module._PUBLISH_S


class TestARedisThatComesBack:
    def test_carries_news_again(self, valkey_url: str, half_open: str) -> None:
        """After a success each news is sent, as before the failure."""
        notifier = RedisNotifier(half_open)
        notifier.changed()
        assert notifier._pause_s > 0
        notifier._redis, notifier._quiet_until = RedisNotifier(valkey_url)._redis, 0.0
        listener = redis.Redis.from_url(valkey_url)
        with listener.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(CHANGED_CHANNEL)
            channel.get_message(timeout=1)
            for _ in range(3):
                notifier.changed()
            heard = [channel.get_message(timeout=5) for _ in range(3)]
        assert all(message is not None for message in heard)
