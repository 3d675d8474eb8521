"""What a browser fetches until it shows each service's first page, with nothing in its cache."""

import shutil
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from benchmarks.beside_mlflow.laboratory import EXPERIMENT
from benchmarks.beside_mlflow.servers import Server
from tests.chromium import FLAGS

PATIENCE_MS = 60_000
OURS = "/", ".js-plotly-plot"
THEIRS = f"/#/experiments/{EXPERIMENT}/runs", "[role=row], .ag-row, table tbody tr"


class Weight(NamedTuple):
    """What came."""

    bytes: float  # as they travelled, headers included
    requests: float


def weigh(server: Server, path: str, shown: str) -> Weight | None:
    """What comes until an element is shown, and shortly after; None where no Chromium is installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        tools = page.context.new_cdp_session(page)
        sizes: list[float] = []
        tools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        tools.send("Network.enable")
        page.goto(f"http://127.0.0.1:{server.port}{path}")
        page.locator(shown).first.wait_for(timeout=PATIENCE_MS)
        page.wait_for_timeout(3000)  # an event stream and polling never rest: what follows within this is counted
        browser.close()
    return Weight(sum(sizes), len(sizes))
