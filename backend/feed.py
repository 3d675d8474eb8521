"""Wakes the open streams of this process when something changed, and now and then in case the news was lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import TooManyStreams

POLL_S = 1.0  # how late a page may be when Redis is gone
QUIET_S = 0.05  # news within this time is answered together


class Feed:
    """Many waiters, though not more than `max_streams`, and one event loop; `wake` may be called from any thread."""

    def __init__(self, max_streams: int) -> None:
        self._max_streams = max_streams
        self._streams = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self.closed = False

    def open(self) -> None:
        """Belong to the running event loop."""
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def seat(self) -> Iterator[None]:
        """A place for one stream, given free at the end. Raises TooManyStreams where all are taken."""
        if self._streams >= self._max_streams:
            raise TooManyStreams(
                f"{self._max_streams} pages and scripts follow the service already, as many as LAB_MAX_STREAMS allows: "
                "close one, or try again later."
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def wake(self) -> None:
        """Something changed: let every waiter look."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake_all)

    def close(self) -> None:
        """The service ends: let every waiter go."""
        self.closed = True
        self.wake()

    def ticket(self) -> asyncio.Event:
        """To be taken before looking, and waited for after: what changes between the two is not missed."""
        return self._changed

    async def wait(self, ticket: asyncio.Event) -> None:
        """Return after the first news since the ticket was taken, or after `POLL_S`."""
        try:
            async with asyncio.timeout(POLL_S):
                await ticket.wait()
        except TimeoutError:
            return
        await asyncio.sleep(QUIET_S)

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
