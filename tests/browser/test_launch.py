"""The launch panel: what it says before the button is pressed is what is launched, and what was changed is marked."""

import json
import re

from playwright.sync_api import Page, expect

from backend.contract import PRESETS
from tests.browser.conftest import Archive
from tests.chromium import Chromium


def sent(page: Page) -> dict[str, object]:
    """The body of the line for a terminal."""
    line = page.get_by_test_id("code-curl").text_content() or ""
    body: dict[str, object] = json.loads(line.split("-d '")[1].rsplit("'", 1)[0])
    return body


class TestAGrid:
    def test_is_counted_estimated_shown_as_code_and_launched(self, reader: Chromium, archive: Archive) -> None:
        """Two fields with values, two seeds and a pair: the total, the time and the lines say so, and so many come."""
        page = reader.page("/#launch")
        page.get_by_role("button", name="Vary a field").click()
        page.keyboard.type("0, 4")
        page.get_by_role("button", name="Vary a field").click()
        page.get_by_label("Field to vary").nth(1).select_option("width")
        page.get_by_label("Its values, comma between").nth(1).fill("4, 8, 9999")
        page.locator("#field-seeds").fill("2")
        page.locator("#field-name").fill("sweep")
        expect(page.get_by_test_id("launch-total")).to_have_text(
            "24 runs: 2 of epsilon, 3 of width, 2 seeds, each manual and dilated"
        )
        page.locator(".launch-foot button").click()
        expect(page.locator("#grid-error")).to_contain_text("9999")
        page.get_by_label("Its values, comma between").nth(1).fill("4, 8")
        expect(page.locator("#grid-error")).to_be_empty()
        expect(page.get_by_test_id("estimate")).to_contain_text("about")
        assert sent(page)["grid"] == {"epsilon": [0, 4], "width": [4, 8]}
        expect(page.get_by_test_id("code-python")).to_contain_text('"grid": {"epsilon": [0, 4], "width": [4, 8]}')
        page.locator(".launch-foot button").click()
        expect(page.get_by_test_id("toast")).to_contain_text("16 runs launched")
        found = archive.client.get("/api/runs?filter=name ~ sweep&limit=100").json()
        assert found["total"] == 16
        assert {run["config"]["epsilon"] for run in found["runs"]} == {0, 4}
        archive.client.post("/api/runs/bulk", json={"ids": [run["id"] for run in found["runs"]], "action": "stop"})
        reader.problems[:] = [text for text in reader.problems if "422" not in text]


class TestAPreset:
    def test_says_what_it_reproduces_and_how_long_here(self, reader: Chromium) -> None:
        """Each card has its words and its time on this machine; of a kind that was never measured it says that."""
        page = reader.page("/#launch")
        for group in page.locator(".preset-group:not([open]) > summary").all():
            group.click()
        for name, preset in PRESETS.items():
            card = page.get_by_test_id(f"preset-{name}")
            expect(card).to_contain_text(preset.description)
            expect(card).to_contain_text(re.compile("about .* here|not measured yet"))
        expect(page.get_by_test_id("preset-demo")).to_contain_text("2 runs, about")
        expect(page.get_by_test_id("preset-paper-mlp")).to_contain_text("not measured yet")


class TestACloneWithChanges:
    def test_marks_what_is_changed_with_what_it_was(self, reader: Chromium, archive: Archive) -> None:
        """A changed field is marked and has the way back beside it; the new run is a clone with exactly the change."""
        original = archive.client.get("/api/runs/1").json()
        width, epochs = original["config"]["width"], original["config"]["epochs"]
        page = reader.page("/#launch=1")
        expect(page.get_by_test_id("changes")).to_contain_text("nothing is changed yet")
        page.locator("#field-width").fill("5")
        page.locator("#field-epochs").fill("77")
        expect(page.locator("[data-field=width]")).to_contain_text(f"was {width}")
        expect(page.get_by_test_id("changes")).to_contain_text(f"epochs {epochs} → 77")
        page.get_by_role("button", name="epochs: back to what it was").click()
        expect(page.locator("#field-epochs")).to_have_value(str(epochs))
        expect(page.locator("[data-changed]")).to_have_count(1)
        assert sent(page)["parent_id"] == 1
        page.locator(".launch-foot button").click()
        page.wait_for_url(re.compile(r"/runs/\d+$"))
        clone = archive.client.get(f"/api{page.url.removeprefix(archive.service.url)}").json()
        assert (clone["parent_id"], clone["relation"]) == (1, "clone")
        assert clone["config"] == original["config"] | {"width": 5}
        archive.client.post(f"/api/runs/{clone['id']}/stop")
