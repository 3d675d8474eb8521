"""What was measured beside the training, as a page shows it: audits, attacks, followed images, pixels."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.contract import (
    Attack,
    AttackResult,
    DatasetName,
    Deviation,
    ExampleReport,
    GpuUse,
    JobKind,
    Measurements,
    Phase,
    Progress,
    TrainConfig,
)
from backend.db import dataset_jobs, epochs, launches, lifecycle, measurements, runs, workers
from backend.db.dataset_jobs import Order
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.errors import AttemptSuperseded
from tests import builders
from tests.builders import failed_layer, layer_measurement
from tests.chromium import Chromium
from tests.service import Service, until

LAYERS = 7
SLOW_MS = 30_000.0  # until a page that a busy machine draws is there
LONG_S = 600.0  # a lease that outlives the test: nobody takes the run for lost
CONFIG = {"epochs": 4, "audit_every": 2, "robustness_every": 2, "backprop": "dilated"}


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[Database]:
    """The service's own database, into which a test writes what a trainer would measure."""
    database = Database(service.database_url)
    yield database
    database.close()


def held_run(database: Database, **config: object) -> tuple[int, Claim]:
    """A run that trains, held by a worker of the test: claimed where it is made, so that no other gets it."""
    with database.write() as session:
        launch = launches.add(session, None, "0" * 64)
        run = runs.add(session, launch, TrainConfig.model_validate(CONFIG | config), "measured <b>run</b>", [], 0)
        worker = workers.register(session, f"test worker of {run.id}", "host", builders.cpu_slots(1), 1)
        session.flush()
        claim = lifecycle.claim(session, run.id, worker, 1, LONG_S)
        assert claim is not None
        lifecycle.mark_running(session, run.id, claim.attempt, {"tensorflow": "0"})
        return run.id, claim


def measured(done: int, *, fails: bool = False) -> Measurements:
    """Seven audited layers, of which the third may fail, attacks of two sizes, and an image that is followed."""
    layers = [
        layer_measurement(layer, update=Deviation(0.5, 0.9, 1.1) if layer < 6 else Deviation(0.0, 1.0, 1.0))
        for layer in range(1, LAYERS + 1)
    ]
    if fails:
        layers[2] = failed_layer(3, update=layers[2].update)
    attacks = [AttackResult(Attack.CLEAN, 0.0, 0.9)]
    attacks += [
        AttackResult(attack, size, 0.8 - size / 20) for attack in (Attack.FGSM, Attack.PGD) for size in (2.0, 8.0)
    ]
    return builders.measurements(done, *layers, attacks=tuple(attacks), examples=(followed(done),))


def followed(done: int) -> ExampleReport:
    """An 8x8 ramp, true class 3, that the network gets right at first and wrong once it is attacked."""
    ramp = bytes(range(0, 256, 4))
    before, after = [0.05] * 10, [0.02] * 10
    before[3], after[5] = 0.5 + done / 100, 0.8
    example = builders.example_report()
    return replace(
        example,
        label=3,
        image=ramp,
        adversarial=ramp[::-1],
        sign=bytes([1, 0, 255, 1] * 16),
        shape=(8, 8, 1),
        before=tuple(before),
        after=tuple(after),
    )


@pytest.fixture
def run(database: Database) -> Iterator[tuple[int, Claim]]:
    """A dilated run that was measured before training, where its third layer failed, and after two epochs."""
    run_id, claim = held_run(database)
    with database.write() as session:
        measurements.add(session, run_id, claim.attempt, measured(0, fails=True))
        for epoch in range(2):
            epochs.append(session, run_id, claim.attempt, builders.epoch_report(epoch))
        measurements.add(session, run_id, claim.attempt, measured(2))
    yield run_id, claim
    # A machine so slow that the test's worker was taken for gone has ended the run's attempt itself.
    with suppress(AttemptSuperseded), database.write() as session:
        lifecycle.finish(session, run_id, claim.attempt)


def card(page: Page, name: str) -> Locator:
    """The card of a figure, drawn."""
    found = page.locator(f"[data-figure='{name}']").first
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("data-drawn", re.compile(r"\d+"), timeout=SLOW_MS)
    return found


def traces(found: Locator) -> list[dict[str, Any]]:
    """What a card has drawn: each trace's meta and values."""
    plot = found.locator(".js-plotly-plot")
    drawn: list[dict[str, Any]] = plot.evaluate(
        "(plot) => plot.data.map(({meta, x, y, z, opacity}) => ({...meta, x, y, z, opacity}))"
    )
    return drawn


def drawn_line(found: Locator) -> list[float | None]:
    """The values of the line of means that a card has drawn."""
    values: list[float | None] = _line(found)["y"]
    return values


class TestTheGradients:
    def test_show_what_failed_where_in_cells_words_and_numbers(
        self, chromium: Chromium, run: tuple[int, Claim]
    ) -> None:
        """One of 14 cells has failed: grid, hover box, sentence, head, table and map of deviations agree on it."""
        page = chromium.page(f"/runs/{run[0]}")
        expect(page.locator(".run-head").get_by_text("gradient audit failed")).to_be_visible()
        grid = card(page, "audit")
        cells = {trace["verdict"]: sum(value is not None for value in trace["y"]) for trace in traces(grid)}
        assert cells == {"passed": 13, "failed": 1}
        drawn = [bar.bounding_box() for bar in grid.locator(".barlayer .point path").all()]
        assert sum(box is not None and box["height"] > 10 for box in drawn) == 14
        _point_at(page, grid.locator(".barlayer .trace").nth(1).locator("path").first)
        expect(grid.locator(".hoverlayer")).to_contain_text("layer 3, before training: failed")
        findings = page.get_by_test_id("findings")
        expect(findings.locator("li")).to_have_count(1, timeout=SLOW_MS)
        expect(findings).to_contain_text("before training: The gradient of layer 3 differs by")

        button = grid.get_by_role("button", name="Audit, as a table")
        button.press("Enter")
        expect(grid.locator("tbody tr")).to_have_count(2 * LAYERS)
        assert grid.locator("tbody tr").nth(2).locator("th, td").all_text_contents()[:3] == ["0", "3", "failed"]
        button.press("Enter")
        expect(grid.locator(".chart-table")).to_be_hidden()

        heat = card(page, "deviation")
        assert traces(heat)[0]["z"][0][:2] == [0.5, 0.5]
        heat.get_by_role("button", name="cosine").click()
        expect(heat).to_have_attribute("data-drawn", "2", timeout=SLOW_MS)
        assert traces(heat)[0]["z"][0][:2] == [0.9, 0.9]

    def test_grow_while_one_looks_and_keep_the_zoom(
        self, chromium: Chromium, database: Database, run: tuple[int, Claim]
    ) -> None:
        """A new audit appears on the page as it is stored; what a reader has zoomed into stays until it is left."""
        run_id, claim = run
        page = chromium.page(f"/runs/{run_id}")
        norms = card(page, "layers")
        assert all(trace["x"] == [0, 2] for trace in traces(norms))
        _zoom_into(page, norms, 0.3, 0.8)
        whole = norms.get_by_role("button", name="Whole chart")
        expect(whole).to_be_visible()
        zoomed = _range(norms)
        assert zoomed[0] > 0.5
        with database.write() as session:
            for epoch in (2, 3):
                epochs.append(session, run_id, claim.attempt, builders.epoch_report(epoch))
            measurements.add(session, run_id, claim.attempt, measured(4))
        until(lambda: all(trace["x"] == [0, 2, 4] for trace in traces(norms)))
        assert _range(norms) == zoomed
        whole.click()
        until(lambda: _range(norms)[0] < 0)

    def test_that_nobody_asked_for_are_no_empty_charts(self, chromium: Chromium, database: Database) -> None:
        """Where nothing is measured the page says which field asks for it."""
        run_id, claim = held_run(database, audit_every=0, robustness_every=0)
        page = chromium.page(f"/runs/{run_id}")
        expect(page.get_by_test_id("section-gradients")).to_contain_text("audit_every is 0", timeout=SLOW_MS)
        expect(page.get_by_test_id("section-robustness")).to_contain_text("robustness_every is 0")
        assert page.locator("[data-figure=audit], [data-figure=robustness]").count() == 0
        with database.write() as session:
            lifecycle.finish(session, run_id, claim.attempt)


class TestTheBatches:
    def test_grow_while_one_looks_and_are_all_there_where_one_zooms(
        self, chromium: Chromium, database: Database
    ) -> None:
        """Of 20,000 batches some are drawn, of a part each; new ones come by themselves and leave the zoom alone."""
        run_id, claim = held_run(database, epochs=1000)
        builders.add_batches(database, run_id, 0, [2.0, 1.0] * 10_000)
        page = chromium.page(f"/runs/{run_id}")
        chart = card(page, "batches")
        points, asked = chart.locator(".chart-points"), list[str]()
        expect(points).to_have_text(re.compile(r"^2,\d{3} of 20,000 batches$"))
        page.on("request", lambda request: asked.append(request.url) if "/figures/batches" in request.url else None)

        _zoom_into(page, chart, 0.4, 0.44)
        expect(points).to_have_text(re.compile(r"^all 1,\d{3} batches$"))
        assert "first=" in asked[0]
        zoomed, said, drawn = _range(chart), points.text_content(), chart.get_attribute("data-drawn")
        assert len(_line(chart)["x"]) == int((said or "").split()[1].replace(",", ""))
        assert _line(chart)["x"][0] < zoomed[0] < zoomed[1] < _line(chart)["x"][-1]

        def advance(to: int) -> None:
            with database.write() as session:
                runs.set_progress(session, run_id, claim.attempt, Progress(Phase.TRAINING, to // 28, to % 28, 28))

        def is_drawn_again() -> bool:
            advance(21_000)
            return chart.get_attribute("data-drawn") != drawn

        builders.add_batches(database, run_id, 20_000, [0.5] * 1_000)
        until(is_drawn_again)
        assert (_range(chart), points.text_content()) == (zoomed, said)
        assert all("first=" in url for url in asked)

        chart.get_by_role("button", name="Whole chart").click()
        expect(points).to_have_text(re.compile(r"of 21,000 batches$"))
        assert _range(chart)[0] < 0
        builders.add_batches(database, run_id, 21_000, [0.25] * 1_000, [1.0] * 1_000)

        def has_grown() -> bool:
            advance(22_000)
            return (points.text_content() or "").endswith("of 22,000 batches")

        until(has_grown)
        chart.get_by_role("button", name="Accuracy").click()
        until(lambda: _line(chart)["measure"] == "accuracy")
        with database.write() as session:
            lifecycle.finish(session, run_id, claim.attempt)


class TestTheSystem:
    def test_shows_what_a_run_takes_while_it_trains(self, chromium: Chromium, database: Database) -> None:
        """Two attempts are two lines with a band between; a GPU has charts; new points and peaks come by themselves."""
        run_id, claim = held_run(database)
        gpu = GpuUse(0, 0.5, 0.75, 3 * 10**9)
        uses = [builders.system_use(5.0, gpu), builders.system_use(5.0, gpu, memory_bytes=550 * 10**6)]
        builders.use_system(database, run_id, claim.attempt, *uses)
        with database.write() as session:
            lifecycle.give_back(session, run_id, claim.attempt, "It was lost.", blameless=True)
            worker = workers.register(session, f"second worker of {run_id}", "host", builders.cpu_slots(1), 1)
            session.flush()
            again = lifecycle.claim(session, run_id, worker, 1, LONG_S)
            assert again is not None
            lifecycle.mark_running(session, run_id, again.attempt, {"tensorflow": "0"})
        builders.use_system(database, run_id, again.attempt, uses[0])

        page = chromium.page(f"/runs/{run_id}")
        expect(page.get_by_test_id("number-memory")).to_have_text("700", timeout=SLOW_MS)
        section = page.get_by_test_id("section-system")
        cards = {name: section.get_by_label(f"{name}, chart", exact=True) for name in ("CPU", "Memory", "GPU")}
        for found in cards.values():
            found.scroll_into_view_if_needed()
            expect(found).to_have_attribute("data-drawn", re.compile(r"\d+"), timeout=SLOW_MS)
        assert drawn_line(cards["Memory"]) == [500, 550, None, 500, 500, 500]
        assert drawn_line(cards["GPU"]) == [50, 50, None, 50, 50, 50]
        assert cards["CPU"].locator(".shapelayer path").count() == 1
        cards["CPU"].get_by_role("button", name="CPU, as a table").press("Enter")
        expect(cards["CPU"].locator("tbody tr")).to_have_count(3)

        builders.use_system(database, run_id, again.attempt, uses[0], uses[1], peak=900 * 10**6)

        def has_grown() -> bool:
            with database.write() as session:
                runs.set_progress(session, run_id, again.attempt, Progress(Phase.TRAINING, 0, 1, 9))
            return drawn_line(cards["Memory"]) == [500, 550, None, 500, 550]

        until(has_grown)
        expect(page.get_by_test_id("number-memory")).to_have_text("900")
        with database.write() as session:
            lifecycle.finish(session, run_id, again.attempt)


class TestTheAttacks:
    def test_move_with_the_slider_and_are_seen_on_images(self, chromium: Chromium, run: tuple[int, Claim]) -> None:
        """The newest lines stand out until the slider is moved; images, step and answers are those that were stored."""
        page = chromium.page(f"/runs/{run[0]}")
        chart = card(page, "robustness")
        assert _strong(chart) == {2}
        chart.get_by_role("slider").press("ArrowLeft")
        expect(chart.locator("output")).to_have_text("before training")
        until(lambda: _strong(chart) == {0})

        section = page.get_by_test_id("section-examples")
        section.scroll_into_view_if_needed()
        expect(section).to_have_attribute("data-epoch", "2", timeout=SLOW_MS)
        example = section.locator(".example")
        image, step, adversarial = (_levels(canvas) for canvas in example.locator("canvas").all())
        assert image == list(range(0, 256, 4))
        assert adversarial == image[::-1]
        assert step[:4] == [255, 128, 1, 255]
        expect(example).to_contain_text("step, amplified 16 times")
        before, after = example.locator(".answers").all()
        expect(before.locator("li").first).to_have_text(re.compile(r"true class3\s*52\.0"))
        expect(before).to_contain_text("right")
        expect(after.locator("li").first).to_have_text(re.compile(r"5\s*80\.0"))
        expect(after).to_contain_text("wrong")


class TestTheDataPage:
    def test_has_every_set_and_its_pixels(self, chromium: Chromium) -> None:
        """What is here is ready, what is not says where its files belong; a worker counts pixels for the page."""
        page = chromium.page("/data")
        expect(page.get_by_test_id("dataset-digits")).to_contain_text("ready", timeout=SLOW_MS)
        missing = page.get_by_test_id("dataset-mnist")
        expect(missing).to_contain_text("datasets/mnist")
        expect(missing.get_by_role("button", name="Download")).to_be_visible()
        after = page.locator("[data-figure=histogram]").nth(1)
        after.scroll_into_view_if_needed()
        expect(after).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=60_000)
        assert {trace["split"] for trace in traces(after)} == {"train", "test"}
        page.get_by_role("button", name="unit").click()
        expect(page).to_have_url(re.compile("preprocessing=unit"))
        expect(after.locator(".xtick").last).to_have_text("1", timeout=60_000)

    def test_follows_a_download_to_its_end(self, chromium: Chromium, database: Database) -> None:
        """While files come the card says which and how much; where that fails, why, and the button is back."""
        with database.write() as session:  # asked for and claimed at once, so that no real worker gets it
            dataset_jobs.ask(session, Order(JobKind.DOWNLOAD, DatasetName.MNIST, {}), again_after_s=None)
            claim = dataset_jobs.claim(session, JobKind.DOWNLOAD, LONG_S)
            assert claim is not None
            progress = {"file": "train-labels.gz", "number": 2, "bytes_done": 1_500_000, "bytes_total": 3_000_000}
            dataset_jobs.set_progress(session, claim.job_id, claim.attempt, progress)
        page = chromium.page("/data")
        card = page.get_by_test_id("dataset-mnist")
        expect(card).to_contain_text("File 2 of 4, train-labels.gz: 1.5 of 3.0 MB", timeout=SLOW_MS)
        expect(card.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "38")
        expect(card.get_by_role("button", name="Download")).to_be_hidden()
        with database.write() as session:
            dataset_jobs.fail(session, claim.job_id, claim.attempt, "The host is away. Put the files there.")
        expect(card).to_contain_text("The host is away.", timeout=SLOW_MS)
        expect(card).to_contain_text("download failed")
        expect(card.get_by_role("button", name="Download")).to_be_visible()


class TestNotes:
    def test_are_kept_when_the_field_is_left(
        self, chromium: Chromium, service: Service, run: tuple[int, Claim]
    ) -> None:
        """What a person writes of a run is stored as text, and there when the page is loaded again."""
        page = chromium.page(f"/runs/{run[0]}")
        notes = page.get_by_role("textbox", name="Notes")
        notes.fill("a <b>bold</b> guess")
        notes.blur()
        expect(page.get_by_test_id("notes").get_by_text("Saved.")).to_be_visible(timeout=SLOW_MS)
        assert service.run(run[0])["notes"] == "a <b>bold</b> guess"
        page.reload()
        expect(notes).to_have_value("a <b>bold</b> guess", timeout=SLOW_MS)


class TestThePages:
    @pytest.mark.parametrize("width", [1024, 390])
    def test_are_whole_at_any_width(self, chromium: Chromium, run: tuple[int, Claim], width: int) -> None:
        """Every chart is drawn as one scrolls, nothing is wider than the window, names are text, a row has its mark."""
        page = chromium.page("/", width, scheme="dark" if width == 1024 else "light")
        expect(page.locator(f"tr[data-run='{run[0]}'] .audit-failed")).to_be_visible(timeout=SLOW_MS)
        page.goto(f"{chromium.service.url}/runs/{run[0]}")
        expect(page.get_by_role("heading", name="measured <b>run</b>")).to_be_visible(timeout=SLOW_MS)
        for name in ("audit", "deviation", "layers", "robustness", "robustness-epochs"):
            card(page, name)
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0


def _point_at(page: Page, mark: Locator) -> None:
    box = mark.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def _zoom_into(page: Page, chart: Locator, begin: float, end: float) -> None:
    """Draw across the plot between two shares of its width."""
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + 0.5 * box["height"]
    page.mouse.move(box["x"] + begin * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=4)
    page.mouse.up()


def _range(chart: Locator) -> list[float]:
    """The epochs between which a chart shows its lines."""
    ends: list[float] = chart.locator(".js-plotly-plot").evaluate("(plot) => [...plot._fullLayout.xaxis.range]")
    return ends


def _line(chart: Locator) -> dict[str, Any]:
    """The line that a reader follows."""
    return next(trace for trace in traces(chart) if "measure" in trace)


def _strong(chart: Locator) -> set[int]:
    """The epochs whose lines stand out."""
    return {trace["epochs_done"] for trace in traces(chart) if trace["opacity"] == 1}


def _levels(canvas: Locator) -> list[int]:
    """The red channel of a canvas, row by row."""
    script = "(c) => JSON.stringify([...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
    levels: list[int] = json.loads(canvas.evaluate(script))
    return levels[::4]
