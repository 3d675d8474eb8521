import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def closed_address(name: str) -> str:
    """The address of a file at a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/{name}"


class Host:
    """A web server on a free port of this machine; what it answers can be changed between two requests.

    It serves one content under every path.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges = True  # whether it can begin in the middle
        self.break_after: int | None = None  # bytes of an answer, after which it hangs up
        self.status = 200
        self.length_told = True
        self.raw: bytes | None = None  # sent in place of any answer
        self.before: Callable[[], object] = lambda: None  # called before it answers
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each request
        self.port = 0

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"http://127.0.0.1:{self.port}/{name}"

    def block(self) -> threading.Event:
        """Let every request wait until the event is set."""
        event = threading.Event()
        self.before = event.wait
        return event

    @contextmanager
    def running(self) -> Iterator["Host"]:
        """The server, answering."""
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host._answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        self.before()
        if self.raw is not None:
            request.wfile.write(self.raw)
            return
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "") if self.ranges else None
        start = int(match[1]) if match else 0
        if self.status != 200 or start >= len(self.content):
            request.send_error(self.status if self.status != 200 else 416)
            return
        request.send_response(206 if match else 200)
        body = self.content[start:]
        if self.length_told:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.break_after])
