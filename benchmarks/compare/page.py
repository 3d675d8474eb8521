"""Whether the compare page stays usable: 200 curves of 320 points while 20 points a second arrive."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from backend.db.engine import Database
from benchmarks.compare.runs import add_epochs, fill, noise
from tests.chromium import FLAGS
from tests.service import Service

RUNS, EPOCHS = 100, 320  # test and train of each run: 200 curves
EPOCHS_PER_S = 10  # each is a point of test and one of train
SECONDS = 30

# Long tasks as the browser itself reports them: what keeps the main thread for more than 50 ms.
WATCH = """
window.longTasks = []
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(duration)
}).observe({ type: "longtask", buffered: true })
"""


def main() -> None:
    """Print how busy the main thread was, its longest task, and how many redraws there were."""
    with tempfile.TemporaryDirectory() as name:
        service = Service(Path(name) / "data", {"LAB_LEASE_S": "600"})
        with service.running():
            url = f"sqlite:///{service.folder / 'lab.sqlite3'}"
            found = watch(service, fill(url, RUNS, EPOCHS), url)
    tasks = found["tasks"]
    print(f"{2 * RUNS} curves of {EPOCHS} points, {2 * EPOCHS_PER_S} points a second for {SECONDS} s:")
    print(f"main thread busy with long tasks: {sum(tasks) / 10 / SECONDS:.0f} % (bar 33)")
    print(f"longest task: {max(tasks, default=0):.0f} ms (bar 400); redraws: {found['redraws']}")


def watch(service: Service, ids: list[int], url: str) -> dict[str, Any]:
    """Feed epochs to an open page; its long tasks in milliseconds, and how often the chart was drawn."""
    database, source = Database(url), noise()
    address = f"{service.url}/compare?runs={','.join(map(str, ids))}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        page.goto(address)
        page.locator("[data-chart=accuracy][data-drawn]").wait_for(timeout=120_000)
        time.sleep(5)  # the first drawing of all parts is not what is measured
        drawn = "Number(document.querySelector('[data-chart=accuracy]').dataset.drawn)"
        before = page.evaluate(f"window.longTasks.length = 0, {drawn}")
        begun = time.monotonic()
        for step in range(EPOCHS_PER_S * SECONDS):
            epoch = EPOCHS + step // len(ids)
            add_epochs(database, ids[step % len(ids)], epoch, epoch + 1, source)
            page.wait_for_timeout(max(0.0, 1000 * (begun + (step + 1) / EPOCHS_PER_S - time.monotonic())))
        tasks, after = page.evaluate(f"[window.longTasks, {drawn}]")
        browser.close()
    database.close()
    return {"tasks": tasks, "redraws": after - before}


if __name__ == "__main__":
    main()
