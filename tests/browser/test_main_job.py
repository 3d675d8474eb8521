"""What a researcher does first: launch from the form, watch the curve grow, stop it, lay two over each other."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright, expect

from backend.contract import PRESETS, TrainConfig
from tests.chromium import Chromium, launched
from tests.service import TINY, Service

LIVE = {"width": 8, "train_images": 400, "test_images": 100, "batch_size": 50, "epochs": 500, "epsilon": 8}
LINES = ("train_accuracy", "test_accuracy")


def fill(page: Page, values: dict[str, Any]) -> None:
    """Fill the launch form, whose folded fields are opened first."""
    page.locator(".more-fields").evaluate("(details) => { details.open = true }")
    for name, value in values.items():
        page.locator(f"#field-{name}").fill(str(value))


def points(page: Page, run_id: int, metric: str = "test_accuracy") -> int:
    """How many points of a run's line are drawn."""
    text = page.locator(f"[data-chart={metric.split('_')[1]}]").get_attribute(f"data-run-{run_id}-{metric}")
    return int(text or 0)


def wait_for_points(page: Page, run_id: int, number: int) -> None:
    """Wait until so many points of a run's test accuracy are drawn."""
    page.wait_for_function(
        "([run, number]) => document.querySelector('[data-chart=accuracy]')"
        "?.getAttribute(`data-run-${run}-test_accuracy`) >= number",
        arg=[run_id, number],
        timeout=60_000,
    )


def drawn(page: Page, run_id: int, chart: str = "accuracy") -> dict[str, dict[str, Any]]:
    """The lines of a run as Plotly holds them, by metric: x, y, dash, symbol and colour."""
    lines: list[dict[str, Any]] = page.locator(f"[data-chart={chart}] .js-plotly-plot").evaluate(
        "(plot) => plot.data.map(({meta, x, y, line, marker}) =>"
        " ({...meta, x: [...x], y: [...y], dash: line?.dash, symbol: marker?.symbol, color: line?.color}))"
    )
    return {line["metric"]: line for line in lines if line.get("metric") and line["run_id"] == run_id}


def assert_shows_what_is_stored(page: Page, service: Service, run_id: int) -> None:
    """The page draws every epoch that the service has stored once, with its value."""
    metrics = service.metrics(run_id)
    wait_for_points(page, run_id, len(metrics["epochs"]))
    for metric in LINES:
        line = drawn(page, run_id)[metric]
        assert line["x"] == [epoch + 1 for epoch in metrics["epochs"]]
        assert line["y"] == pytest.approx([100 * value for value in metrics["columns"][metric]])


@pytest.fixture
def live_run(service: Service) -> Iterator[int]:
    """A run that goes on until the test ends."""
    (run,) = service.launch(config=LIVE)
    yield run["id"]
    if service.client.post(f"/api/runs/{run['id']}/stop").status_code == 202:
        service.wait_for(run["id"], "stopped")


@pytest.fixture(scope="module")
def finished_run(service: Service) -> int:
    """A run that has come to its end."""
    (run,) = service.launch(config=TINY)
    return int(service.wait_for(run["id"], "finished")["id"])


class TestTheForm:
    def test_launches_a_run_whose_curve_grows_until_it_is_stopped(
        self, chromium: Chromium, service: Service, figure: Callable[[str], None]
    ) -> None:
        """From the form to a stopped run on one page, which is never loaded again; epochs appear within a second."""
        page = chromium.page("/")
        page.get_by_test_id("launch").click()
        fill(page, LIVE | {"name": "from the form"})
        page.locator("[data-field=backprop]").get_by_text("manual", exact=True).click()
        page.evaluate("window.neverReloaded = true")
        page.locator(".launch-foot button").click()
        page.wait_for_url(re.compile(r"/runs/\d+$"))
        run_id = int(page.url.rsplit("/", 1)[1])
        expect(page.get_by_role("heading", name="from the form")).to_be_visible()
        wait_for_points(page, run_id, 2)
        before = points(page, run_id)
        wait_for_points(page, run_id, before + 8)
        delays = _delays(page, service.metrics(run_id), run_id)
        figure(f"epoch on the page after its end: median {median(delays):.2f} s, most {max(delays):.2f} s")
        assert median(delays) < 1.0
        assert max(delays) < 5.0
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".run-line").get_by_text("stopped", exact=True)).to_be_visible(timeout=15_000)
        assert service.run(run_id)["status"] == "stopped"
        assert page.evaluate("window.neverReloaded")
        assert_shows_what_is_stored(page, service, run_id)

    def test_says_beside_the_field_what_is_wrong_and_keeps_the_rest(self, chromium: Chromium, service: Service) -> None:
        """A wrong value launches nothing; the service's words stand beside it, and what was typed stays."""
        count = service.client.get("/api/runs").json()["total"]
        page = chromium.page("/#launch")
        fill(page, {"width": 10**9, "epochs": 7})
        page.locator(".launch-foot button").click()
        expect(page.locator("#field-width-error")).to_contain_text("1024")
        assert page.locator("#field-epochs").input_value() == "7"
        assert service.client.get("/api/runs").json()["total"] == count
        assert [text for text in chromium.problems if "422" not in text] == []
        chromium.problems.clear()

    def test_takes_a_preset_whole(self, chromium: Chromium) -> None:
        """A preset of the article fills the form, quirks included, and the line for a terminal asks for the same."""
        page = chromium.page("/#launch")
        page.get_by_text("The article's case b").click()
        page.get_by_test_id("preset-case-b").click()
        expect(page.get_by_test_id("preset-case-b")).to_have_attribute("aria-pressed", "true")
        preset = PRESETS["case-b"].config
        assert page.locator("#field-width").input_value() == str(preset.width)
        assert page.locator("[data-field=quirks] input:checked").count() == len(preset.quirks)
        line = page.locator(".code-text").first.text_content() or ""
        sent = json.loads(line.split("-d '")[1].rsplit("'", 1)[0])
        assert TrainConfig.model_validate(sent["config"]) == preset


class TestPause:
    def test_and_resume_are_a_button_each(self, chromium: Chromium, service: Service, live_run: int) -> None:
        """A run that trains is paused and resumed on its page, and its curve goes on with no point twice."""
        page = chromium.page(f"/runs/{live_run}")
        wait_for_points(page, live_run, 2)
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".run-line").get_by_text("paused", exact=True)).to_be_visible(timeout=15_000)
        before = points(page, live_run)
        page.get_by_role("button", name="Resume").click()
        wait_for_points(page, live_run, before + 2)
        service.client.post(f"/api/runs/{live_run}/stop")
        service.wait_for(live_run, "stopped")
        assert_shows_what_is_stored(page, service, live_run)


class TestLineage:
    def test_a_reproduction_says_that_it_is_equal(
        self, chromium: Chromium, service: Service, finished_run: int
    ) -> None:
        """A finished run is trained again at a press of a button, and the new run's page says how they compare."""
        page = chromium.page(f"/runs/{finished_run}")
        expect(page.get_by_test_id("lineage").get_by_text("Download").first).to_be_visible()
        page.get_by_role("button", name="Reproduce").click()
        page.wait_for_url(lambda url: url.rsplit("/", 1)[1] not in ("", str(finished_run)))
        again = int(page.url.rsplit("/", 1)[1])
        service.wait_for(again, "finished")
        verdict = page.get_by_test_id("reproduction")
        expect(verdict).to_have_text(f"Equal to the last bit in all {TINY['epochs']} epochs compared so far.")
        assert service.run(again)["parent_id"] == finished_run


class TestCompare:
    def test_lays_two_chosen_runs_over_each_other(self, chromium: Chromium, service: Service) -> None:
        """Two rows that are ticked are drawn in one chart; manual and dilated differ by mark, not by colour alone."""
        manual, dilated = service.launch(config=TINY, pair=True, name="twins")
        for run in (manual, dilated):
            service.wait_for(run["id"], "finished")
        page = chromium.page("/")
        for run in (manual, dilated):
            page.locator(f"tr[data-run='{run['id']}'] input[type=checkbox]").check()
        page.get_by_test_id("chosen").get_by_text("Compare").click()
        page.wait_for_url(re.compile(r"/compare\?runs="))
        assert {manual["id"], dilated["id"]} == {int(text) for text in re.findall(r"\d+", page.url.split("runs=")[1])}
        for run in (manual, dilated):
            assert_shows_what_is_stored(page, service, run["id"])
        one, other = (drawn(page, run["id"])["test_accuracy"] for run in (manual, dilated))
        assert one["symbol"] != other["symbol"]
        assert one["color"] != other["color"]
        assert drawn(page, manual["id"])["train_accuracy"]["dash"] != one["dash"]


class TestTheCurve:
    def test_is_the_same_however_late_a_page_comes(
        self, playwright: Playwright, chromium: Chromium, service: Service, live_run: int
    ) -> None:
        """A page opened in the middle, one loaded again, and one after the browser was killed show every point once."""
        from_the_start = chromium.page(f"/runs/{live_run}")
        wait_for_points(from_the_start, live_run, 3)
        in_the_middle = chromium.page(f"/runs/{live_run}")
        wait_for_points(in_the_middle, live_run, 5)
        with launched(playwright, service) as doomed:
            wait_for_points(doomed.page(f"/runs/{live_run}"), live_run, 6)
            doomed.kill()
        after_the_kill = chromium.page(f"/runs/{live_run}")
        in_the_middle.reload()
        wait_for_points(in_the_middle, live_run, 9)
        service.client.post(f"/api/runs/{live_run}/stop")
        service.wait_for(live_run, "stopped")
        for page in (from_the_start, in_the_middle, after_the_kill):
            assert_shows_what_is_stored(page, service, live_run)

    def test_catches_up_after_the_service_was_away(self, chromium: Chromium, service: Service, live_run: int) -> None:
        """A page whose web server is killed says so, and follows again by itself without a gap."""
        page = chromium.page(f"/runs/{live_run}")
        wait_for_points(page, live_run, 2)
        (server,) = service.pids("uvicorn")
        os.kill(server, signal.SIGKILL)
        expect(page.get_by_test_id("stream")).not_to_have_text("live")
        expect(page.get_by_test_id("stream")).to_have_text("live", timeout=30_000)
        wait_for_points(page, live_run, service.run(live_run)["epochs_done"] + 2)
        service.client.post(f"/api/runs/{live_run}/stop")
        service.wait_for(live_run, "stopped")
        assert_shows_what_is_stored(page, service, live_run)
        chromium.problems.clear()  # the browser itself reports each connection that was refused


class TestThePages:
    @pytest.mark.parametrize("width", [1440, 1024, 390])
    def test_are_whole_at_any_width(self, chromium: Chromium, service: Service, finished_run: int, width: int) -> None:
        """No page has an error, breaks the content policy, asks another host or is wider than the window."""
        page = chromium.page("/", width, scheme="dark" if width == 1024 else "light")
        for path in ("/", f"/runs/{finished_run}", f"/compare?runs={finished_run}", "/queue", "/data", "/#launch"):
            page.goto(service.url + path)
            expect(page.locator("#main > *").first).to_be_visible()
            too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert too_wide <= 0, path


def _delays(page: Page, metrics: dict[str, Any], run_id: int) -> list[float]:
    """Seconds from the recorder's stamp of an epoch to the drawing that first shows it, of epochs that were live."""
    stamps = [datetime.fromisoformat(text).timestamp() for text in metrics["recorded_at"]]
    name = f"data-run-{run_id}-test_accuracy"
    drawings = [(number, at / 1000) for attribute, number, at in page.evaluate("window.drawings") if attribute == name]
    first_shown = [min((at for number, at in drawings if number > epoch), default=None) for epoch in range(len(stamps))]
    known_from_start = drawings[0][0]
    return [
        shown - stamp
        for epoch, (stamp, shown) in enumerate(zip(stamps, first_shown, strict=True))
        if shown is not None and epoch >= known_from_start
    ]


class TestAPageThatCannotBeLoaded:
    def test_says_so_and_offers_to_try_again(self, chromium: Chromium) -> None:
        """Where a page's modules don't come, its place says why; the others stay usable, and a second try loads it."""
        page = chromium.page("/queue")
        page.route("**/static/js/compare/**", lambda route: route.abort())
        page.reload()
        page.get_by_role("link", name="Compare").first.click()
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        page.get_by_role("link", name="Data").first.click()
        expect(page.locator("h1")).to_have_text("Data")
        page.get_by_role("link", name="Compare").first.click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.unroute("**/static/js/compare/**")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
        chromium.problems.clear()
