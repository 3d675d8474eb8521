"""The queue in a browser: put in order, and a worker that drains."""

from datetime import timedelta

from backend.db import clock, workers
from backend.db.engine import Database
from tests.chromium import Chromium
from tests.service import TINY, until

LONG = TINY | {"train_images": 1000, "epochs": 500}


class TestTheQueuePage:
    def test_changes_the_order_and_drains_a_worker(self, chromium: Chromium) -> None:
        """Who waits is moved up, to the front and by priority, and says for what; a worker drains and returns."""
        service = chromium.service
        busy = [service.launch(config=LONG)[0]["id"] for _ in range(2)]
        until(lambda: all(service.run(run_id)["status"] != "queued" for run_id in busy))
        waiting = [service.launch(config=LONG, name=name)[0]["id"] for name in ("first", "second", "third")]
        page = chromium.page("/queue")
        names = page.locator(".queue .run-link")
        page.get_by_text("Waits for a free CPU slot.").first.wait_for()

        def shows(*expected: str) -> None:
            until(lambda: names.all_inner_texts() == list(expected), 10)

        shows("first", "second", "third")
        page.get_by_role("button", name="Move third to the front").click()
        shows("third", "first", "second")
        page.get_by_role("button", name="Move second up").click()
        shows("third", "second", "first")
        priority = page.get_by_role("spinbutton", name="Priority of first")
        priority.fill("4")
        priority.press("Enter")
        shows("first", "third", "second")
        assert page.get_by_test_id("worker").locator(".slots .run-link").count() == 2
        page.get_by_role("button", name="Drain").click()
        page.get_by_test_id("worker").get_by_text("draining").wait_for()
        page.get_by_text("Waits for a worker: none is here that takes runs.").first.wait_for()
        page.get_by_role("button", name="Take runs").click()
        page.get_by_test_id("worker").get_by_text("alive").wait_for()
        service.client.post(
            "/api/runs/bulk", json={"ids": [*waiting, *busy], "action": "force_stop"}
        ).raise_for_status()

    def test_says_why_a_worker_rests_and_lets_it_go_on(self, chromium: Chromium) -> None:
        """A worker that rests shows its reason as text, and takes runs again by a button."""
        service = chromium.service
        database = Database(service.database_url)
        with database.write() as session:
            worker = workers.recent(session)[0]
            worker.rests_until = clock.now(session) + timedelta(minutes=3)
            worker.rest_reason = "It takes no run for 180 s: <b>no driver</b>"
        database.close()
        page = chromium.page("/queue")
        card = page.get_by_test_id("worker").first
        card.get_by_text("resting").wait_for()
        assert "It takes no run for 180 s: <b>no driver</b>" in card.get_by_test_id("worker-why").inner_text()
        card.get_by_role("button", name="Take runs").click()
        card.get_by_text("alive").wait_for()
        assert card.get_by_test_id("worker-why").count() == 0

    def test_shows_the_services_warnings(self, chromium: Chromium) -> None:
        """What is not as it should be, such as a SQLite that needs care, is said at the head of the page."""
        sentence = "SQLite 3.40.1 can lose a commit & <i>more</i>"
        health = chromium.service.client.get("/api/health/ready").json()
        page = chromium.page("/queue")
        warnings = page.locator(".service-warnings li")
        page.get_by_test_id("worker").first.wait_for()
        until(lambda: warnings.all_inner_texts() == health["warnings"], 10)
        page.route("**/api/health/ready", lambda route: route.fulfill(json=health | {"warnings": [sentence]}))
        page.reload()
        until(lambda: warnings.all_inner_texts() == [sentence], 10)
