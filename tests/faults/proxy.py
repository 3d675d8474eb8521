"""A TCP proxy that breaks what goes through it: late answers, cut and reset connections, answers that never come."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.services import free_port

CHUNK = 65_536


class Break(StrEnum):
    """What can be done to connections."""

    DELAY = "delay"  # everything arrives late
    CUT = "cut"  # both ends see an orderly end
    RESET = "reset"  # both ends see an error
    MUTE = "mute"  # requests arrive and are carried out, answers don't come; then the connection is reset
    REFUSE = "refuse"  # what is open is reset, and nobody can connect


@dataclass(eq=False)
class _Pipe:
    """One connection that goes through the proxy."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter

    def close(self, *, reset: bool) -> None:
        for writer in (self.near, self.far):
            if reset:
                # Closing with this set sends a reset in place of an orderly end.
                linger: socket.socket = writer.get_extra_info("socket")
                with suppress(OSError):
                    linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()


@dataclass
class Proxy:
    """Stands before a server on this machine. It is told from any thread what to break."""

    target: int  # port
    port: int = field(default_factory=free_port)
    delay_s: float = 0.0
    mute: bool = False
    refuse: bool = False
    connections: int = 0  # so far
    _pipes: set[_Pipe] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Listen until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        thread.start()
        try:
            server = self._call(asyncio.start_server(self._serve, "127.0.0.1", self.port))
            yield self
            server.close()
            self._call(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def through(self, url: str) -> str:
        """The server's address, by way of this proxy."""
        return url.replace(f"127.0.0.1:{self.target}", f"127.0.0.1:{self.port}")

    def do(self, what: Break, seconds: float) -> None:
        """Break something, for so many seconds where it lasts."""
        self._call(self._do(what, seconds))

    async def _do(self, what: Break, seconds: float) -> None:
        if what is Break.DELAY:
            self.delay_s = 0.1
            await asyncio.sleep(seconds)
            self.delay_s = 0.0
        elif what is Break.MUTE:
            self.mute = True
            await asyncio.sleep(seconds)
            self.mute = False
            self._close_all(reset=True)
        elif what is Break.REFUSE:
            self.refuse = True
            self._close_all(reset=True)
            await asyncio.sleep(seconds)
            self.refuse = False
        else:
            self._close_all(reset=what is Break.RESET)

    def _close_all(self, *, reset: bool) -> None:
        for pipe in self._pipes:
            pipe.close(reset=reset)

    async def _serve(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.refuse:
                raise ConnectionRefusedError
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            near.close()
            return
        pipe = _Pipe(near, far)
        self._pipes.add(pipe)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(near_reader, far, pipe, answers=False))
                both.create_task(self._carry(far_reader, near, pipe, answers=True))
        finally:
            self._pipes.discard(pipe)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pipe: _Pipe, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await asyncio.sleep(self.delay_s)
                if answers and self.mute:
                    continue
                writer.write(data)
                await writer.drain()
        pipe.close(reset=False)

    async def _end(self) -> None:
        self._close_all(reset=False)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=5) if others else None

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
