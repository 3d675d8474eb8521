"""Laying runs over each other: groups with bands, a verdict, and the view in the address."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from backend.db import epochs
from backend.db.engine import Database
from tests.builders import add_run, epoch_report, start_run
from tests.chromium import Chromium
from tests.service import Service, until

NASTY = "<img src=x onerror=alert(1)> =cmd() \u202eright to left"
EPOCHS = 30


Live = tuple[int, int, float]  # run id, attempt, how much better than the others


def record(database: Database, run_id: int, attempt: int, first: int, last: int, gain: float) -> None:
    """Epochs of a run, as a worker would store them."""
    with database.write() as session:
        for epoch in range(first, last):
            report = epoch_report(epoch, test_accuracy=0.5 + gain + epoch / 100, train_accuracy=0.4 + epoch / 100)
            epochs.append(session, run_id, attempt, report)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that leaves runs to this module, which trains none and renews no lease."""
    folder = tmp_path_factory.mktemp("compare") / "data"
    with Service(folder, {"LAB_LEASE_S": "600"}).running() as service:
        yield service


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[Database]:
    database = Database(service.database_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def runs(database: Database) -> list[Live]:
    """Three seeds, manual and dilated, live: as workers would train them."""
    made = []
    for seed in range(3):
        for backprop in ("manual", "dilated"):
            gain = seed / 200 + (0.02 + seed / 900 if backprop == "dilated" else 0)
            name = f"{NASTY} {backprop} seed {seed}"
            run_id = add_run(database, name, seed=seed, backprop=backprop, epochs=400)
            attempt = start_run(database, run_id, lease_s=600).attempt
            record(database, run_id, attempt, 0, EPOCHS, gain)
            made.append((run_id, attempt, gain))
    return made


def address(runs: list[Live], more: str = "") -> str:
    """The compare page of these runs."""
    return f"/compare?runs={','.join(str(run_id) for run_id, *_ in runs)}{more}"


def traces(page: Page, chart: str = "accuracy") -> list[dict[str, Any]]:
    """The traces of a chart, as Plotly holds them."""
    found: list[dict[str, Any]] = page.locator(f"[data-chart={chart}] .js-plotly-plot").evaluate(
        "(plot) => plot.data.map(({meta, x, y, opacity, visible}) =>"
        " ({meta, n: x.length, last: y.at(-1), opacity, visible}))"
    )
    return found


def wait_until_drawn(page: Page, chart: str = "accuracy") -> None:
    expect(page.locator(f"[data-chart={chart}][data-drawn] .js-plotly-plot")).to_be_visible(timeout=20_000)


class TestTheComparePage:
    def test_groups_seeds_and_says_who_is_better(self, chromium: Chromium, runs: list[Live]) -> None:
        """All but the seed: two lines with bands, a verdict over three seeds, and a table of only what differs."""
        page = chromium.page(address(runs))
        wait_until_drawn(page)
        page.get_by_test_id("group-by").select_option("all")
        expect(page.locator("[data-chart=accuracy] .chart-label")).to_have_count(4)
        roles = [next(name for name in ("band_of", "metric") if name in trace["meta"]) for trace in traces(page)]
        assert sorted(roles) == ["band_of"] * 4 + ["metric"] * 4
        verdict = page.get_by_test_id("verdict")
        expect(verdict).to_contain_text("dilated is 2.11 points better than manual at epoch 30")
        expect(verdict).to_contain_text("n = 3 seeds")
        wait_until_drawn(page, "difference")
        table = page.get_by_test_id("differences")
        expect(table.locator("tr[data-group]")).to_have_count(2)
        expect(table).to_contain_text("backprop")
        assert "learning rate" not in table.inner_text()

    def test_has_its_whole_state_in_the_address(self, chromium: Chromium, runs: list[Live]) -> None:
        """What is chosen stands in the address, and the address alone shows it again; so does a named view."""
        page = chromium.page(address(runs))
        wait_until_drawn(page)
        page.get_by_test_id("group-by").select_option("all")
        page.get_by_test_id("band").select_option("range")
        page.get_by_test_id("smoothing").select_option("mean")
        page.get_by_test_id("x").select_option("step")
        page.get_by_test_id("relation").select_option("parallel")
        page.get_by_label("log y").check()
        state = parse_qs(urlsplit(page.url).query)
        chosen = {name: state[name][0] for name in ("group_by", "band", "smoothing", "x", "chart", "log")}
        assert chosen == {
            "group_by": "all",
            "band": "range",
            "smoothing": "mean:5",
            "x": "step",
            "chart": "parallel",
            "log": "y",
        }
        page.get_by_test_id("views-menu").locator("summary").click()
        page.get_by_label("Name of this view").fill("<b>mine</b>")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("link", name="<b>mine</b>")).to_be_visible()
        page.goto(f"{chromium.service.url}/compare")
        page.get_by_test_id("views-menu").locator("summary").click()
        page.get_by_role("link", name="<b>mine</b>").click()
        wait_until_drawn(page, "parallel")
        assert page.get_by_test_id("smoothing").input_value() == "mean"
        assert any("raw_of" in trace["meta"] for trace in traces(page))

    def test_keeps_zoom_and_hidden_lines_in_the_address(self, chromium: Chromium, runs: list[Live]) -> None:
        """Who opens the address sees the same part and the same lines; there is no step more to go back."""
        page = chromium.page(address(runs[:2]))
        wait_until_drawn(page)
        steps = page.evaluate("history.length")
        page.locator("[data-chart=accuracy] .chart-label").first.click()
        for chart, part in (("accuracy", [2, 9, 50, 70]), ("scatter", [-0.4, 0.6, 60, 90])):
            wait_until_drawn(page, chart)
            page.locator(f"[data-chart={chart}] .js-plotly-plot").evaluate(
                "(plot, [a, b, c, d]) => window.Plotly.relayout(plot, {'xaxis.range': [a, b], 'yaxis.range': [c, d]})",
                part,
            )
        state = parse_qs(urlsplit(page.url).query)
        assert (state["zoom_accuracy"], state["zoom_points"]) == (["2,9,50,70"], ["-0.4,0.6,60,90"])
        assert state["hidden_accuracy"][0].startswith(tuple(str(run_id) for run_id, *_ in runs[:2]))
        assert page.evaluate("history.length") == steps
        same = chromium.page(page.url.removeprefix(chromium.service.url))
        wait_until_drawn(same)
        wait_until_drawn(same, "scatter")
        look = "({ _fullLayout: { xaxis, yaxis } }) => [...xaxis.range, ...yaxis.range]"
        for chart, part in (("accuracy", [2, 9, 50, 70]), ("scatter", [-0.4, 0.6, 60, 90])):
            assert same.locator(f"[data-chart={chart}] .js-plotly-plot").evaluate(look) == part
        assert [trace["visible"] for trace in traces(same)] == [trace["visible"] for trace in traces(page)]
        assert False in [trace["visible"] for trace in traces(same)]
        same.locator("[data-chart=accuracy]").get_by_role("button", name="Whole chart").click()
        same.locator("[data-chart=accuracy] .chart-label[aria-pressed=false]").first.click()
        assert not {"zoom_accuracy", "hidden_accuracy"} & set(parse_qs(urlsplit(same.url).query))

    def test_chooses_axes_and_colours_of_the_chart_of_runs(self, chromium: Chromium, runs: list[Live]) -> None:
        """Any field stands against any result; words have no logarithm; upright axes are chosen; all in the address."""
        page = chromium.page(address(runs))
        wait_until_drawn(page, "scatter")
        drawn = page.locator("[data-chart=scatter] .js-plotly-plot")
        page.get_by_test_id("points-x").select_option("seed")
        page.get_by_test_id("points-y").select_option("at_test_cost")
        page.get_by_test_id("points-color").select_option("best_test_accuracy")
        page.get_by_test_id("log-y").check()
        expect(drawn.locator(".cbtitle, .colorbar").first).to_be_visible()
        expect(drawn.locator(".ytitle")).to_have_text(re.compile(r"^test cost at epoch \d+, nats$"))
        axes = "({ _fullLayout: { xaxis, yaxis } }) => [xaxis.title.text, yaxis.type]"
        until(lambda: drawn.evaluate(axes) == ["seed", "log"])
        page.get_by_test_id("log-x").check()
        expect(page.locator(".chart-tools-note")).to_contain_text("Not logarithmic: seed")
        state = parse_qs(urlsplit(page.url).query)
        assert [state[name][0] for name in ("fields", "color", "points_log")] == [
            "seed,at_test_cost",
            "best_test_accuracy",
            "x,y",
        ]
        page.get_by_test_id("relation").select_option("pareto")
        wait_until_drawn(page, "pareto")
        options = page.get_by_test_id("points-x").locator("option")
        expect(page.get_by_test_id("points-x")).to_have_value("seconds")
        assert "backprop" not in options.evaluate_all("(options) => options.map(({ value }) => value)")
        page.get_by_test_id("relation").select_option("parallel")
        wait_until_drawn(page, "parallel")
        page.get_by_test_id("points-axes").locator("summary").click()
        for width in (1280, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_test_id("points-axes").get_by_label("best test cost").check()
        page.get_by_test_id("points-axes").get_by_label("seconds", exact=True).uncheck()
        fields = "backprop,seed,last_train_accuracy,last_test_accuracy,best_test_cost"
        until(lambda: parse_qs(urlsplit(page.url).query)["fields"] == [fields])
        same = chromium.page(page.url.removeprefix(chromium.service.url))
        wait_until_drawn(same, "parallel")
        ticks = "({ _fullLayout }) => _fullLayout.xaxis.ticktext.length"
        assert same.locator("[data-chart=parallel] .js-plotly-plot").evaluate(ticks) == len(fields.split(","))
        expect(same.get_by_test_id("points-color")).to_have_value("best_test_accuracy")

    def test_follows_live_runs_and_keeps_what_the_reader_did(
        self, chromium: Chromium, database: Database, runs: list[Live]
    ) -> None:
        """New epochs reach grouped and single lines; zoom, hidden lines and a selected text survive them."""
        page = chromium.page(address(runs, "&group_by=all&splits=test"))
        single = chromium.page(address(runs[:2], "&splits=test"))
        for shown in (page, single):
            wait_until_drawn(shown)
            shown.locator("[data-chart=accuracy] .chart-label").first.click()
            shown.locator("[data-chart=accuracy] .js-plotly-plot").evaluate(
                "(plot) => window.Plotly.relayout(plot, {'xaxis.range': [5, 20]})"
            )
            shown.evaluate("getSelection().selectAllChildren(document.querySelector('.verdict-sentence'))")
        selected = page.evaluate("String(getSelection())")
        assert "points better" in selected
        for run_id, attempt, gain in runs:
            record(database, run_id, attempt, EPOCHS, EPOCHS + 5, gain)
        for shown in (page, single):
            expect(shown.locator("[data-chart=accuracy] .chart-points")).to_have_text("all 70 points", timeout=20_000)
            plot = shown.locator("[data-chart=accuracy] .js-plotly-plot")
            assert plot.evaluate("(plot) => plot._fullLayout.xaxis.range") == [5, 20]
            lines = [trace for trace in traces(shown) if "metric" in trace["meta"]]
            assert sorted(trace["visible"] for trace in lines) == [False, True]
        assert page.get_by_test_id("differences").get_by_text("35/400").count() == 6

    def test_shows_what_was_asked_for_last(self, chromium: Chromium, runs: list[Live]) -> None:
        """An answer that comes after a later question's is not shown: the runs found are those of what was typed."""
        page = chromium.page(f"/compare?runs={runs[0][0]}")
        expect(page.locator("[data-chart=accuracy][data-drawn]")).to_be_visible()
        held: list[Route] = []
        page.route(lambda url: "/api/runs?" in url and "filter=" not in url, lambda route: held.append(route))  # noqa: PLW0108  (Playwright takes no built-in)
        page.get_by_label("Add a run").focus()
        page.keyboard.type(f"id = {runs[1][0]}")
        found = page.locator("#picker-list").get_by_role("option")
        expect(found).to_have_count(1)
        for route in held:
            with suppress(PlaywrightError):  # nobody waits for it any more
                route.continue_()
        page.wait_for_timeout(500)
        assert held
        assert found.count() == 1

    def test_exports_data_pictures_and_a_report(self, chromium: Chromium, runs: list[Live], tmp_path: Path) -> None:
        """Files hold what is shown; a picture is drawn under the content policy; the report needs no service."""
        page = chromium.page(address(runs, "&group_by=all"))
        wait_until_drawn(page)
        wait_until_drawn(page, "difference")

        def taken(name: str, role: str = "link") -> bytes:
            menu = page.get_by_test_id("export-menu")
            if menu.get_attribute("open") is None:
                menu.locator("summary").click()
            with page.expect_download() as download:
                menu.get_by_role("link" if role == "link" else "button", name=name).click()
            path = tmp_path / download.value.suggested_filename
            download.value.save_as(path)
            return path.read_bytes()

        rows = list(csv.DictReader(io.StringIO(taken("CSV").decode("utf-8-sig"))))
        assert {row["group"] for row in rows} == {"manual", "dilated"}
        assert json.loads(taken("JSON"))["comparison"]["verdict"]["is_better"] is True
        assert taken("Parquet").startswith(b"PAR1")
        assert taken("Accuracy as PNG", "button").startswith(b"\x89PNG")
        assert b"<svg" in taken("Cost as SVG", "button")
        taken("Report")
        asked: list[str] = []
        report = page.context.browser.new_context(offline=True).new_page()  # type: ignore[union-attr]
        report.on("request", lambda request: asked.append(request.url))
        (file,) = tmp_path.glob("*.html")
        report.goto(file.as_uri())
        expect(report.locator("#chart-accuracy .scatterlayer .trace").first).to_be_visible()
        assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
        assert report.locator("img").count() == 0
        assert NASTY in report.locator("table").last.inner_text()

    def test_takes_its_charts_into_the_report_as_they_are(
        self, chromium: Chromium, runs: list[Live], tmp_path: Path
    ) -> None:
        """Chosen axes, hidden lines and the part that is zoomed into are in the file; the legend shows a line again."""
        page = chromium.page(address(runs[:2], "&chart=scatter&fields=seed,best_test_cost&points_log=y"))
        wait_until_drawn(page)
        wait_until_drawn(page, "scatter")
        page.locator("[data-chart=accuracy] .chart-label").first.click()
        page.locator("[data-chart=cost] .js-plotly-plot").evaluate(
            "(plot) => window.Plotly.relayout(plot, {'xaxis.range': [2, 9], 'yaxis.range': [0.5, 1.5]})"
        )
        page.get_by_test_id("export-menu").locator("summary").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Report").click()
        file = tmp_path / "report.html"
        download.value.save_as(file)
        report = page.context.new_page()
        report.goto(file.as_uri())
        axes = "({ _fullLayout: { xaxis, yaxis } }) => [xaxis.title.text, yaxis.type]"
        assert report.locator("#chart-scatter").evaluate(axes) == ["seed", "log"]
        ranges = "({ _fullLayout: { xaxis, yaxis } }) => [...xaxis.range, ...yaxis.range]"
        assert report.locator("#chart-cost").evaluate(ranges) == [2, 9, 0.5, 1.5]
        lines = report.locator("#chart-accuracy .scatterlayer .trace")
        expect(lines).to_have_count(3)
        report.locator("#chart-accuracy .legendtoggle").first.click()
        expect(lines).to_have_count(4)

    def test_shows_what_users_typed_as_text(self, chromium: Chromium, runs: list[Live]) -> None:
        """Markup, formulas and right-to-left text in names are letters on every chart, on a narrow page too."""
        for chart in ("scatter", "parallel", "pareto"):
            page = chromium.page(address(runs, f"&chart={chart}"), width=390, scheme="dark")
            wait_until_drawn(page)
            wait_until_drawn(page, chart)
            page.locator(f"[data-chart={chart}]").get_by_role("button", name="Table").click()
            assert page.locator("img:not([src='/static/favicon.svg'])").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
