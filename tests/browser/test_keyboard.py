"""Each page's main job, done by keyboard alone."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect

from benchmarks.table import measure
from tests.browser.conftest import Archive
from tests.browser.test_accessibility import grave_faults
from tests.chromium import Chromium
from tests.service import until
from tests.services import free_port

TOKEN = "sixteen letters or more"
MOST_TABS = 80


@pytest.fixture(scope="module")
def locked(archive: Archive) -> Iterator[str]:
    """Where the same runs are, behind a token."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_TOKEN", TOKEN)
        with measure.served(archive.settings, port) as url:
            until(lambda: answers(archive, url))
            yield url


def answers(archive: Archive, url: str) -> bool:
    """Whether a service is there."""
    try:
        return archive.client.get(f"{url}/api/health/live").status_code == 200
    except httpx2.HTTPError:
        return False


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element that matches has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {selector}")


class TestByKeyboardAlone:
    def test_runs_are_compared(self, reader: Chromium) -> None:
        """A run is added by its name, seeds are grouped, a line is hidden."""
        page = reader.page("/compare?runs=1,2")
        expect(page.locator("[data-chart=accuracy][data-drawn]")).to_be_visible()
        tab_to(page, "[aria-label='Add a run']")
        page.keyboard.type("id = 5")
        expect(page.locator("#picker-list").get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator("tr[data-run='5']")).to_be_visible()
        tab_to(page, "[data-testid=group-by]")
        page.keyboard.press("ArrowDown")
        expect(page.locator("tr[data-group]").first).to_be_visible()
        label = "[data-chart=accuracy] :is(.chart-label, .legend-entry)"
        expect(page.locator(label).first).to_have_attribute("aria-pressed", "true")
        tab_to(page, label)
        page.keyboard.press("Enter")
        expect(page.locator(f"{label}[aria-pressed=false]").first).to_be_visible()
        assert "hidden_accuracy=" in page.url

    def test_runs_are_launched(self, reader: Chromium, archive: Archive) -> None:
        """N opens the panel, Escape closes it and the focus is where it was; preset, field, button: a run is there."""
        page = reader.page("/")
        expect(page.locator("tr[data-run]").first).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("j")
        chosen = page.locator("tr[data-run] .run-link").nth(1)
        expect(chosen).to_be_focused()
        panel = page.get_by_role("dialog", name="Launch")
        for _ in range(2):
            page.keyboard.press("n")
            expect(page.get_by_test_id("preset-demo")).to_be_focused()
            page.keyboard.press("Escape")
            expect(panel).to_have_count(0)
            expect(chosen).to_be_focused()
            assert "#" not in page.url
        page.keyboard.press("n")
        expect(page.get_by_test_id("preset-demo")).to_have_attribute("aria-pressed", "true")
        tab_to(page, ".preset:not([data-testid=preset-demo])")
        page.keyboard.press("Enter")
        expect(page.locator(".preset:focus")).to_have_attribute("aria-pressed", "true")
        tab_to(page, "[name=backprop]")
        page.keyboard.press("ArrowRight")
        expect(page.locator("[name=backprop][value=dilated]")).to_be_focused()
        tab_to(page, "#field-epochs")
        page.keyboard.type("7")
        tab_to(page, ".launch-foot .button-main")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/runs/\d+$"))
        expect(page.locator("#main")).to_be_focused()
        run_id = page.url.rpartition("/")[2]
        config = archive.client.get(f"/api/runs/{run_id}").json()["config"]
        assert (config["backprop"], config["epochs"]) == ("dilated", 7)
        archive.client.post(f"/api/runs/{run_id}/stop")

    def test_a_run_is_renamed(self, reader: Chromium, archive: Archive) -> None:
        """On its page the pencil opens the name, Enter keeps the new one."""
        page = reader.page("/runs/20")
        expect(page.locator("h1")).to_be_visible()
        tab_to(page, ".run-title .editable")
        page.keyboard.press("Enter")
        page.keyboard.type("typed, not clicked")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("typed, not clicked")
        until(lambda: archive.client.get("/api/runs/20").json()["name"] == "typed, not clicked")

    def test_the_queue_is_put_in_order(self, reader: Chromium) -> None:
        """A run that waits is moved up, and the focus stays on its button."""
        page = reader.page("/queue")
        third = page.locator(".queue li").nth(2)
        expect(third).to_be_visible()
        name = third.locator(".run-link").inner_text()
        key = third.get_by_role("button", name="up").get_attribute("data-key")
        third.locator(".run-link").focus()
        tab_to(page, f"[data-key='{key}']")
        page.keyboard.press("Enter")
        expect(page.locator(".queue .run-link").nth(1)).to_have_text(name)
        expect(page.locator(f"[data-key='{key}']")).to_be_focused()

    def test_pixels_are_shown(self, reader: Chromium) -> None:
        """On the page of data sets another preprocessing is chosen."""
        page = reader.page("/data")
        expect(page.get_by_role("button", name="unit", exact=True)).to_be_visible()
        tab_to(page, ".segments [data-value=unit]")
        page.keyboard.press("Enter")
        expect(page.locator(".segments [data-value=unit]").first).to_have_attribute("aria-pressed", "true")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_one_logs_in(self, reader: Chromium, locked: str, scheme: str) -> None:
        """The field has the focus; a wrong token is told, a right one opens the page; axe finds nothing grave."""
        reader.service.port, port = int(locked.rpartition(":")[2]), reader.service.port
        try:
            page = reader.page("/", scheme=scheme)
            expect(page.get_by_test_id("login")).to_be_visible()
            expect(page.locator("#token")).to_be_focused()
            assert grave_faults(page) == []
            page.keyboard.type("wrong")
            page.keyboard.press("Enter")
            expect(page.locator("#token-error")).not_to_be_empty()
            assert grave_faults(page) == []
            page.keyboard.type(TOKEN)
            page.keyboard.press("Enter")
            expect(page.locator("tr[data-run]").first).to_be_visible()
        finally:
            reader.service.port = port
        reader.problems[:] = [text for text in reader.problems if "401" not in text and "403" not in text]
