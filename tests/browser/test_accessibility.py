"""No page has a serious fault for who can't see it well, or works by keyboard alone."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Archive
from tests.chromium import Chromium

GRAVE = ("serious", "critical")
PAGES = ("/", "/?filter=width%20%3E", "/?deleted=true", "/runs/1", "/runs/1450", "/compare?runs=1,2", "/queue", "/data")


def grave_faults(page: Page) -> list[str]:
    """What axe finds to be serious or critical: the rule, and where."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


def faults_of_the_axes_menu(page: Page, archive: Archive) -> list[str]:
    """Those of the compare page while axes are chosen."""
    page.goto(f"{archive.service.url}/compare?runs=1,2&chart=parallel")
    expect(page.locator("[data-chart=parallel][data-drawn]")).to_be_visible()
    page.get_by_test_id("points-axes").locator("summary").click()
    expect(page.get_by_test_id("points-axes").get_by_label("seconds", exact=True)).to_be_visible()
    return grave_faults(page)


def faults_of_the_priority(page: Page, archive: Archive) -> list[str]:
    """Those of the form for a priority with an error in it, and of the list of runs that refuse one."""
    found = [
        archive.client.get("/api/runs/ids", params={"filter": f"status = {status}"}).json()["ids"]
        for status in ("queued", "failed")
    ]
    ids = [*found[0][:1], *found[1][:2]]
    page.goto(f"{archive.service.url}/?filter=id%20in%20({','.join(map(str, ids))})")
    expect(page.locator("tr[data-run]")).to_have_count(len(ids))
    page.get_by_label("Choose all runs that match").check()
    page.get_by_test_id("chosen").get_by_role("button", name="Priority").click()
    page.locator("#new-priority").fill("7")
    page.locator("#priority-error").evaluate("(error) => { error.textContent = 'What is wrong with it.' }")
    faults = grave_faults(page)
    page.keyboard.press("Enter")
    page.get_by_test_id("toast").get_by_role("button", name="Which, and why").click()
    expect(page.locator(".refused-list li").first).to_be_visible()
    archive.client.post("/api/runs/bulk", json={"ids": ids[:1], "action": "priority", "priority": 0})
    return faults + grave_faults(page)


class TestEveryPage:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_is_free_of_grave_faults(self, reader: Chromium, archive: Archive, scheme: str) -> None:
        """axe-core finds nothing serious or critical on any page, in the panels, or in the lists of keys and axes."""
        page = reader.page("/", scheme=scheme)
        faults = []
        for path in PAGES:
            page.goto(archive.service.url + path)
            expect(page.locator("#main > *").first).to_be_visible()
            page.wait_for_load_state("load")
            faults += grave_faults(page)
        page.goto(archive.service.url)
        page.locator("tbody .check").first.check()
        page.get_by_test_id("columns").locator("summary").click()
        faults += grave_faults(page)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        faults += grave_faults(page)
        page.keyboard.press("Escape")
        faults += faults_of_the_axes_menu(page, archive)
        faults += faults_of_the_priority(page, archive)
        page.goto(f"{archive.service.url}/#launch=1")
        expect(page.locator("#field-width")).to_be_visible()
        page.locator("#field-width").fill("3000")
        page.locator(".launch-foot button").click()
        expect(page.locator("#field-width-error")).not_to_be_empty()
        page.locator(".code").evaluate("(details) => { details.open = true }")
        page.locator(".more-fields").evaluate("(details) => { details.open = true }")
        faults += grave_faults(page)
        reader.problems[:] = [text for text in reader.problems if "422" not in text]
        assert "\n".join(faults) == ""


class TestDialogs:
    def test_hold_the_focus_and_give_it_back(self, reader: Chromium) -> None:
        """Tab stays in an open panel; Escape closes it and the focus is where it was."""
        page = reader.page("/")
        expect(page.locator("tr[data-run]").first).to_be_visible()
        for opener, title in ((".filter-help", "How to filter"), ("[data-testid=launch]", "Launch")):
            page.locator(opener).focus()
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog", name=title)).to_be_visible()
            for _ in range(8):
                page.keyboard.press("Tab")
                inside = "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
                assert page.evaluate(inside)
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)
            assert page.evaluate(f"document.activeElement === document.querySelector({opener!r})")

    def test_do_not_move_where_that_is_not_wanted(self, reader: Chromium) -> None:
        """Under reduced motion nothing is animated but at once."""
        page = reader.page("/")
        page.emulate_media(reduced_motion="reduce")
        expect(page.locator("tr[data-run]").first).to_be_visible()
        page.keyboard.press("n")
        expect(page.get_by_role("dialog", name="Launch")).to_be_visible()
        # `late` moves nothing: it lets what comes at once come without a flicker.
        moving = "document.getAnimations().filter((one) => one.animationName !== 'late')"
        assert page.evaluate(f"Math.max(0, ...{moving}.map((one) => one.effect.getComputedTiming().duration))") == 0
