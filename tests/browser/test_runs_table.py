"""The table of many runs: found, ordered, chosen and changed, and left where it was by whatever happens meanwhile."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.db import runs
from frontend.charts.look import NOTHING
from tests.browser.conftest import Archive
from tests.builders import start_run
from tests.chromium import Chromium
from tests.service import until

HOSTILE = "<img src=x onerror=alert(1)> =cmd() שלום عالم " + "x" * 140
LIGHT_BYTES = 2_000_000  # of the first load, compressed
ROW = "tr[data-run]"
STATES = ("queued", "running", "finished", "failed")
LEAST = re.compile(r"^0\.20")  # the smallest epsilon from 0.2 on


def row(page: Page, run_id: int) -> Locator:
    return page.locator(f"tr[data-run='{run_id}']")


def shown_ids(page: Page) -> list[int]:
    ids: list[int] = page.locator(ROW).evaluate_all("(rows) => rows.map((row) => Number(row.dataset.run))")
    return ids


def scroll_to(page: Page, top: int) -> None:
    page.evaluate("(top) => window.scrollTo(0, top)", top)


class TestTheTable:
    def test_holds_all_runs_and_few_rows(self, reader: Chromium, archive: Archive) -> None:
        """The page is as long as all runs; those in sight are there wherever one scrolls, in order, small lines too."""
        total = archive.client.get("/api/runs?limit=1").json()["total"]
        page = reader.page("/")
        expect(page.get_by_test_id("total")).to_have_text(f"{total:,} runs")
        expect(page.locator("table")).to_have_attribute("aria-rowcount", str(total + 1))
        scroll_to(page, 10**6)
        expect(row(page, 1)).to_be_visible()
        assert len(shown_ids(page)) < 100
        assert shown_ids(page) == sorted(shown_ids(page), reverse=True)
        expect(row(page, 1).locator(".spark")).to_have_attribute("data-points", "10")
        expect(page.get_by_role("columnheader", name="state")).to_be_in_viewport()

    def test_is_filtered_sorted_and_widened_by_its_address(self, reader: Chromium, archive: Archive) -> None:
        """Filter, order and columns are in the address; who opens it, or comes back, sees the same in its place."""
        page = reader.page("/")
        expect(page.locator(ROW).first).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("epsilon in 0.2..0.8 status in (finished, failed)")
        expect(page.get_by_test_id("total")).to_contain_text("found")
        page.get_by_test_id("columns").locator("summary").click()
        for name in ("epsilon", "disk"):
            page.get_by_test_id("columns").get_by_label(name, exact=True).check()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="epsilon", exact=True).click()
        expect(page.get_by_role("columnheader", name="epsilon")).to_have_attribute("aria-sort", "ascending")
        expect(page.locator("td.col-epsilon").first).to_have_text(LEAST)
        same = reader.page(page.url.removeprefix(archive.service.url))
        expect(same.locator("td.col-epsilon").first).to_have_text(LEAST)
        assert shown_ids(same)[:10] == shown_ids(page)[:10]
        scroll_to(page, 9000)
        expect(page.locator(ROW).first).to_have_attribute("aria-rowindex", re.compile(r"\d{3}"))
        middle = page.locator(ROW).nth(20).get_attribute("data-run")
        assert middle is not None
        page.locator(f"tr[data-run='{middle}'] a").click()
        page.wait_for_url(f"**/runs/{middle}")
        page.go_back()
        expect(row(page, int(middle))).to_be_in_viewport()
        assert page.evaluate("window.scrollY") == pytest.approx(9000, abs=80)
        page.locator("#filter").fill("width >")
        expect(page.locator("#filter-problem")).to_contain_text("at its end")
        reader.problems[:] = [text for text in reader.problems if "422" not in text]

    def test_shows_and_sorts_by_peak_memory(self, reader: Chromium, archive: Archive) -> None:
        """The column has a unit that fits; the first press puts the greatest on top, the unmeasured last."""
        with archive.database.write() as session:
            for run_id, size in ((1000, 523_400_000), (1001, 1_630_000_000)):
                runs.load(session, run_id).peak_memory_bytes = size
        page = reader.page("/?filter=id%20in%20999..1001")
        expect(page.locator(ROW)).to_have_count(3)
        page.get_by_test_id("columns").locator("summary").click()
        page.get_by_test_id("columns").get_by_label("peak memory", exact=True).check()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="peak memory", exact=True).click()
        expect(page.locator("td.col-peak_memory")).to_have_text(["1.63 GB", "523.4 MB", NOTHING])
        page.get_by_role("button", name="peak memory", exact=True).click()
        expect(page.locator("td.col-peak_memory")).to_have_text(["523.4 MB", "1.63 GB", NOTHING])

    def test_leads_from_the_newest_launch_to_its_comparison(self, reader: Chromium, archive: Archive) -> None:
        """Runs of several seeds are opened as groups with bands; a pair of one seed as two runs."""
        for seeds, grouped in ((1, False), (2, True)):
            order = {"pair": True, "seeds": seeds, "config": {"width": 4}}
            ids = [run["id"] for run in archive.client.post("/api/runs", json=order).json()["runs"]]
            for run_id in ids:
                start_run(archive.database, run_id, lease_s=500)
            page = reader.page("/")
            address = f"/compare?runs={','.join(map(str, ids))}{'&group_by=all' if grouped else ''}"
            expect(page.get_by_role("link", name="Open in Compare")).to_have_attribute("href", address)
            archive.client.post("/api/runs/bulk", json={"ids": ids, "action": "force_stop"})

    def test_is_kept_as_a_named_view(self, reader: Chromium) -> None:
        """Filter, order and columns get a name, which stands beside the views of the compare page and opens here."""
        page = reader.page("/?filter=width%20%3D%2032&sort=-test_accuracy&columns=name,status,epsilon")
        expect(page.locator(ROW).first).to_be_visible()
        page.get_by_test_id("views-menu").locator("summary").click()
        page.get_by_label("Name of this view").fill("<i>wide</i> ones")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="<i>wide</i> ones")).to_be_visible()
        other = reader.page("/compare?runs=1,2")
        other.get_by_test_id("views-menu").locator("summary").click()
        expect(other.get_by_test_id("views-menu").get_by_role("heading", name="Runs")).to_be_visible()
        other.get_by_role("link", name="<i>wide</i> ones").click()
        expect(other.get_by_role("columnheader", name="epsilon")).to_be_visible()
        expect(other.get_by_role("columnheader", name="test accuracy")).to_have_count(0)
        assert other.url == page.url
        assert shown_ids(other)[:5] == shown_ids(page)[:5]

    def test_is_worked_by_keys(self, reader: Chromium) -> None:
        """J and k move, x chooses, X all up to here, c compares, e renames where the name stands."""
        page = reader.page("/?filter=status%20%3D%20finished")
        expect(page.locator(ROW).first).to_be_visible()
        for key in ("j", "x", "j", "j", "X", "k"):
            page.keyboard.press(key)
        ids = shown_ids(page)
        expect(page.get_by_test_id("chosen")).to_contain_text("3 runs chosen")
        page.keyboard.press("e")
        page.keyboard.type("renamed by key")
        page.keyboard.press("Enter")
        expect(row(page, ids[1])).to_contain_text("renamed by key")
        page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
        expect(row(page, ids[1])).not_to_contain_text("renamed by key")
        page.locator("h1").click()
        page.keyboard.press("c")
        page.wait_for_url(f"**/compare?runs={','.join(map(str, ids[:3]))}")


class TestManyRunsAtOnce:
    def test_are_tagged_deleted_and_brought_back(self, reader: Chromium, archive: Archive) -> None:
        """All that match are chosen by one box, seen or not; what is done to them can be undone."""
        client = archive.client
        page = reader.page("/?filter=id%20in%2011..170%20status%20%3D%20finished")
        expect(page.locator(ROW).first).to_be_visible()
        ids = client.get("/api/runs/ids", params={"filter": "id in 11..170 status = finished"}).json()["ids"]
        page.get_by_label("Choose all runs that match").check()
        expect(page.get_by_test_id("chosen")).to_contain_text(f"{len(ids)} runs chosen")
        page.get_by_test_id("chosen").get_by_role("button", name="Tag").click()
        page.keyboard.type("many, <b>bold</b>")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("toast")).to_contain_text(f"put on {len(ids)} runs")
        expect(page.locator(ROW).first.get_by_text("<b>bold</b>")).to_have_count(1)
        assert client.get("/api/runs", params={"filter": "tag = many"}).json()["total"] == len(ids)
        page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
        expect(page.locator(ROW).first.get_by_text("<b>bold</b>")).to_have_count(0)
        page.get_by_test_id("chosen").get_by_role("button", name="Delete").click()
        expect(page.get_by_test_id("toast")).to_contain_text("moved to the trash")
        expect(page.locator(ROW)).to_have_count(0)
        page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
        expect(row(page, ids[0])).to_be_visible()
        assert client.get("/api/runs/ids", params={"deleted": True}).json() == {"ids": []}

    def test_say_with_how_many_it_was_done_and_with_which_not(self, reader: Chromium, archive: Archive) -> None:
        """Priority, force stop and retry are offered where they can be done; who refuses is named with the reason."""
        client = archive.client
        found = [
            client.get("/api/runs/ids", params={"filter": f"status = {status}"}).json()["ids"] for status in STATES
        ]
        queued, running, finished, failed = (ids[-2:] for ids in found)
        ids = [*queued, *running, *finished, *failed]
        page = reader.page(f"/?filter=id%20in%20({','.join(map(str, ids))})")
        expect(page.locator(ROW)).to_have_count(len(ids))
        page.get_by_label("Choose all runs that match").check()
        chosen, toast = page.get_by_test_id("chosen"), page.get_by_test_id("toast")
        chosen.get_by_role("button", name="Priority").click()
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        expect(toast).to_contain_text("4 runs given priority 7; not possible with 4 runs.")
        toast.get_by_role("button", name="Which, and why").click()
        expect(page.get_by_role("dialog")).to_contain_text(f"Run {failed[0]} is failed; a priority only tells when")
        page.keyboard.press("Escape")
        assert [client.get(f"/api/runs/{run_id}").json()["priority"] for run_id in (*queued, *finished)] == [7, 7, 0, 0]
        toast.get_by_role("button", name="Undo").click()
        until(lambda: client.get(f"/api/runs/{queued[0]}").json()["priority"] == 0)
        chosen.get_by_role("button", name="Force stop").click()
        expect(toast).to_contain_text("4 runs stopped by force; not possible with 4 runs.")
        expect(row(page, running[0])).to_contain_text("stopped")
        page.get_by_label("Choose all runs that match").uncheck()
        for run_id in (running[0], finished[0]):
            row(page, run_id).get_by_role("checkbox").check()
        expect(chosen.get_by_role("button", name="Force stop")).to_be_hidden()
        chosen.get_by_role("button", name="Retry").click()
        expect(toast).to_contain_text(
            f"1 run launched again; not the other: Run {finished[0]} is finished; only a failed"
        )
        (again,) = client.get("/api/runs", params={"filter": f"parent = {running[0]}"}).json()["runs"]
        assert (again["relation"], again["status"]) == ("retry", "queued")

    def test_are_deleted_for_good_only_when_it_can_not_be_undone_any_more(
        self, reader: Chromium, archive: Archive
    ) -> None:
        """From the trash a run goes for good once the way back is closed; until then it is still there."""
        client = archive.client
        ids = client.get("/api/runs/ids", params={"filter": "id in 171..190 status = finished"}).json()["ids"][:2]
        client.post("/api/runs/bulk", json={"ids": ids, "action": "delete"})
        page = reader.page("/?deleted=true")
        for answer in ("Undo", "Close"):
            page.get_by_label("Choose all runs that match").check()
            page.get_by_test_id("chosen").get_by_role("button", name="Delete for good").click()
            expect(page.get_by_test_id("toast")).to_contain_text("gone for good")
            expect(page.locator(ROW)).to_have_count(0)
            assert client.get(f"/api/runs/{ids[0]}").status_code == 200
            page.get_by_test_id("toast").get_by_role("button", name=answer).click()
            if answer == "Undo":
                expect(page.locator(ROW)).to_have_count(2)
        expect(page.get_by_text("The trash is empty")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert [client.get(f"/api/runs/{run_id}").status_code for run_id in ids] == [404, 404]


class TestAThousandUpdates:
    def test_leave_scroll_and_choice_where_they_are(
        self, reader: Chromium, archive: Archive, running: Callable[[int], list[int]]
    ) -> None:
        """Rows change where they stand: nothing moves, nothing loses its tick, and the order waits for its button."""
        page = reader.page("/?sort=-test_accuracy&filter=status%20%3D%20running")
        expect(page.locator(ROW).first).to_be_visible()
        scroll_to(page, 1500)
        page.wait_for_timeout(300)
        ids = shown_ids(page)
        chosen = ids[len(ids) // 2 : len(ids) // 2 + 3]
        for run_id in chosen:
            row(page, run_id).get_by_role("checkbox").check()
        page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
        top = page.evaluate("window.scrollY")
        updated = running(100)
        archive.train(updated, 10, at_once=2)
        done = f"{archive.epochs_done(ids[0])}/"
        expect(row(page, ids[0]).locator(".col-epochs_done")).to_contain_text(done)
        expect(page.get_by_test_id("show-new")).to_have_text("Sort again")
        assert page.evaluate("window.scrollY") == top
        # How many are drawn above and below the window may differ; what is drawn both times stands as it stood.
        now = shown_ids(page)
        both = [place for place, run_id in enumerate(now) if run_id in ids]
        kept = now[both[0] : both[-1] + 1]
        start = ids.index(kept[0])
        assert kept == ids[start : start + len(kept)]
        assert len(kept) >= len(ids) - 8
        ticked = page.locator("tr[data-chosen]").evaluate_all("(rows) => rows.map((row) => Number(row.dataset.run))")
        assert ticked == chosen
        assert page.evaluate("getSelection().toString()") == "Runs"

    def test_leave_zoom_and_hidden_lines_as_they_are(
        self, reader: Chromium, archive: Archive, running: Callable[[int], list[int]]
    ) -> None:
        """A chart that is zoomed into, with a line hidden, grows by five hundred epochs of two runs and stays so."""
        one, other = running(100)[-2:]
        page = reader.page(f"/compare?runs={one},{other}")
        plot = page.locator("[data-chart=accuracy] .js-plotly-plot")
        expect(plot).to_be_visible()
        page.locator("[data-chart=accuracy] :is(.chart-label, .legend-entry)").first.click()
        box = plot.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 150, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 350, box["y"] + 200, steps=4)
        page.mouse.up()
        expect(page.locator("[data-chart=accuracy]").get_by_role("button", name="Whole chart")).to_be_visible()
        look = (
            "({ _fullLayout: { xaxis, yaxis }, data }) => [xaxis.range, yaxis.range, data.map((line) => line.visible)]"
        )
        before = plot.evaluate(look)
        archive.train([one, other], 500, at_once=50)
        done = str(archive.epochs_done(one))
        expect(page.locator("[data-chart=accuracy]")).to_have_attribute(f"data-run-{one}-test_accuracy", done)
        assert plot.evaluate(look) == before
        assert False in before[2]


class TestAPageThatLostItsService:
    def test_says_how_old_it_is_and_catches_up(
        self, reader: Chromium, archive: Archive, running: Callable[[int], list[int]]
    ) -> None:
        """While nothing is heard the age of what is shown is told; afterwards what was missed is there, and no gap."""
        (run_id,) = running(1)
        page = reader.page(f"/runs/{run_id}")
        line = page.locator("[data-chart=accuracy]")
        expect(line).to_have_attribute(f"data-run-{run_id}-test_accuracy", str(archive.epochs_done(run_id)))
        expect(page.get_by_test_id("age")).to_be_empty()
        archive.stop()
        expect(page.get_by_test_id("age")).to_contain_text("old")
        archive.train([run_id], 30)
        archive.start()
        expect(page.get_by_test_id("stream")).to_have_text("live", timeout=20_000)
        expect(page.get_by_test_id("age")).to_be_empty()
        expect(line).to_have_attribute(f"data-run-{run_id}-test_accuracy", str(archive.epochs_done(run_id)))
        reader.problems.clear()  # the browser itself reports each connection that was refused


class TestHostileText:
    def test_is_text_everywhere(self, reader: Chromium, archive: Archive) -> None:
        """Markup, a formula, right-to-left words and ten thousand characters are shown as they were typed."""
        client = archive.client
        run_id = 12
        notes = "<script>alert(2)</script>" + "n" * 9_900
        change = {"name": HOSTILE, "tags": ["<svg onload=alert(3)>", "=1+1"], "notes": notes}
        assert client.patch(f"/api/runs/{run_id}", json=change).status_code == 200
        page = reader.page("/?filter=id%20%3D%2012")
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        expect(row(page, run_id).locator(".run-link")).to_have_text(HOSTILE)
        expect(row(page, run_id).locator(".tag").first).to_have_text("<svg onload=alert(3)>")
        row(page, run_id).get_by_role("button", name="Notes of").click()
        expect(page.get_by_label("Notes", exact=True)).to_have_value(notes)
        page.goto(f"{archive.service.url}/runs/{run_id}")
        expect(page.locator("h1")).to_have_text(HOSTILE)
        page.goto(f"{archive.service.url}/#launch={run_id}")
        expect(page.locator("#field-name")).to_have_value(f"copy of {HOSTILE}"[:200])
        expect(page.get_by_test_id("code-curl")).to_contain_text("onerror=alert(1)")
        assert page.locator("img[src=x]").count() == 0
        with archive.database.read() as session:
            assert runs.load(session, run_id).name == HOSTILE


class TestThePhone:
    def test_shows_cards_of_one_height(self, reader: Chromium) -> None:
        """At 390 px rows are cards, none wider than the window, all as high as the table reckons."""
        page = reader.page("/", 390)
        expect(page.locator(ROW).first).to_be_visible()
        scroll_to(page, 30_000)
        page.wait_for_timeout(300)
        expect(page.locator(ROW).nth(5)).to_be_visible()
        heights = page.locator(ROW).evaluate_all("(rows) => [...new Set(rows.map((row) => row.offsetHeight))]")
        assert len(heights) == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


class TestTheFirstLoad:
    def test_is_light_and_asks_nobody_else(self, reader: Chromium, figure: Callable[[str], None]) -> None:
        """Everything that comes until the charts are drawn weighs less than 2 MB as it travels."""
        page = reader.page("/?filter=status%20%3D%20finished")
        expect(page.locator(".js-plotly-plot").first).to_be_visible()
        sizes = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map(({ transferSize }) => transferSize)"
        )
        figure(f"first load: {sum(sizes) / 1e6:.2f} MB in {len(sizes)} requests")
        assert 1_000_000 < sum(sizes) < LIGHT_BYTES
