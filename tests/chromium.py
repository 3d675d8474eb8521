"""A real browser for a test: Playwright drives the Chromium of the system, headless."""

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from tests.service import Service, until

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Notes for each drawing of a chart when it happened and how many points a line has: name, points, milliseconds.
WATCH_DRAWINGS = """
window.drawings = []
new MutationObserver((changes) => {
  for (const { target, attributeName } of changes)
    if (attributeName.startsWith("data-run-"))
      window.drawings.push([attributeName, Number(target.getAttribute(attributeName)), Date.now()])
}).observe(document, { subtree: true, attributes: true })
"""


@dataclass
class Chromium:
    """A headless browser whose pages may not err, break the content policy, or ask anyone but the service."""

    browser: Browser
    service: Service
    mark: str  # an argument on the browser's command line, by which its processes are known
    problems: list[str] = field(default_factory=list)

    def page(self, path: str, width: int = 1440, scheme: str = "light") -> Page:
        """A page of the service, in a tab and a profile of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
        )
        return self.page_in(context, path)

    def page_in(self, context: BrowserContext, path: str) -> Page:
        """A page of the service in another tab of the same profile."""
        page = context.new_page()
        page.add_init_script(WATCH_DRAWINGS)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error.stack or error}"))
        page.on("request", lambda request: self._ask(request.url))
        page.goto(f"{self.service.url}{path}")
        return page

    def kill(self) -> None:
        """End the browser as a crash would: its processes are killed."""
        for pid in self._pids():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self._pids())

    def _pids(self) -> list[int]:
        entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [int(entry.name) for entry in entries if self.mark.encode() in _command_line(entry)]

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(f"{kind}: {text}")

    def _ask(self, url: str) -> None:
        if not url.startswith((self.service.url, "data:", "blob:")):
            self.problems.append(f"asked {url}")


@contextmanager
def launched(playwright: Playwright, service: Service) -> Iterator[Chromium]:
    """A browser of its own, which ends with the block if it has not ended before."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Needs Chromium, which is not installed: as root, `apt install chromium` (Debian, Ubuntu).")
    mark = f"--test-browser={uuid.uuid4().hex}"
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, mark])
    try:
        yield Chromium(browser, service, mark)
    finally:
        browser.close()


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
