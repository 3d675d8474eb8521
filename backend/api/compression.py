"""The event stream, compressed as it flows: each piece can be read as soon as it comes."""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEVEL = 5
_GZIP_WINDOW = 16 + 14  # 16 KiB: several ticks of a busy page, and 100 kB of memory a connection


class StreamCompression:
    """Compresses answers of type `text/event-stream` for those who can read that; starlette's own leaves them out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            send = _Compressing(send)
        await self._app(scope, receive, send)


class Packer:
    """Compresses a stream piece by piece."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def pack(self, piece: bytes, *, is_last: bool = False) -> bytes:
        """What travels for this piece: with it, all of it can be read."""
        return self._packer.compress(piece) + self._packer.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)


class _Compressing:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._packer: Packer | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/event-stream"):
                self._packer = Packer()
                headers["content-encoding"] = "gzip"
                headers.add_vary_header("accept-encoding")
        elif message["type"] == "http.response.body" and self._packer is not None:
            is_last = not message.get("more_body", False)
            message["body"] = self._packer.pack(message.get("body", b""), is_last=is_last)
        await self._send(message)
