import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pyarrow.parquet
import pytest
from fastapi.testclient import TestClient

from backend.api.tables import safe_cell
from backend.db import epochs
from backend.db.engine import Database
from frontend.charts.traces import GLYPHS
from tests.builders import add_run, epoch_report, start_run

NASTY = ["<img src=x onerror=alert(1)>", "=cmd()|' /C calc'!A0", "\u202eright to left", "x" * 200]


def record(database: Database, name: str, accuracies: list[float], **config: Any) -> int:
    """The id of a run with these test accuracies."""
    run_id = add_run(database, name, **config)
    extend(database, run_id, start_run(database, run_id).attempt, 0, accuracies)
    return run_id


def extend(database: Database, run_id: int, attempt: int, first: int, accuracies: list[float]) -> None:
    """More epochs of a run."""
    with database.write() as session:
        for epoch, accuracy in enumerate(accuracies, first):
            epochs.append(session, run_id, attempt, epoch_report(epoch, test_accuracy=accuracy))


@pytest.fixture
def pairs(database: Database) -> list[int]:
    """Manual and dilated with three seeds; dilated is a point better."""
    runs = []
    for seed in range(3):
        runs.append(record(database, f"manual {seed}", [0.5, 0.7 + seed / 100], seed=seed))
        runs.append(record(database, f"dilated {seed}", [0.5, 0.71 + seed / 99], seed=seed, backprop="dilated"))
    return runs


def get(client: TestClient, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


class TestAComparison:
    def test_tells_only_what_differs(self, client: TestClient, pairs: list[int]) -> None:
        """Fields in which the runs differ stand beside each run, all others once."""
        found = get(client, f"comparisons?runs={','.join(map(str, pairs))}")
        assert found["differing"] == ["backprop", "seed"]
        assert found["runs"][1]["differs"] == {"backprop": "dilated", "seed": 0}
        assert found["same"]["width"] == 32
        assert "seed" not in found["same"]

    def test_has_last_best_and_at_epoch_of_each_run(self, client: TestClient, database: Database) -> None:
        """Each column names its epoch, counted from 1; `at` is the last that every run has, unless asked for."""
        first = record(database, "a", [0.5, 0.9, 0.7])
        second = record(database, "b", [0.4, 0.6], seed=1)
        found = get(client, f"comparisons?runs={first},{second}&baseline={first}")
        assert found["epoch"] == 2
        one, two = found["runs"]
        assert (one["last"], one["best"]) == ({"epoch": 3, "value": 0.7}, {"epoch": 2, "value": 0.9})
        assert (one["at"]["value"], two["at"]["value"]) == (0.9, 0.6)
        assert (one["difference"], two["difference"]) == (0, pytest.approx(-0.3))
        asked = get(client, f"comparisons?runs={first},{second}&epoch=3")
        assert [run["at"] for run in asked["runs"]] == [{"epoch": 3, "value": 0.7}, None]

    def test_groups_all_but_the_seed_and_says_who_is_better(self, client: TestClient, pairs: list[int]) -> None:
        """Three seeds of a pair are two groups of three, and a verdict."""
        found = get(client, f"comparisons?runs={','.join(map(str, pairs))}&group_by=all&target=0.71")
        assert [(group["label"], group["at"]["n"]) for group in found["groups"]] == [("manual", 3), ("dilated", 3)]
        verdict = found["verdict"]
        assert verdict["sentence"].startswith("dilated is 1.01 points better than manual at epoch 2, 95 % interval 0.9")
        assert verdict["sentence"].endswith("n = 3 seeds.")
        assert verdict["to_target"]["reached"] == [2, 3]
        other_way = get(
            client, f"comparisons?runs={','.join(map(str, pairs))}&group_by=all&baseline={verdict['other_key']}"
        )
        assert other_way["verdict"]["is_better"] is False

    def test_takes_a_filter_in_place_of_ids(self, client: TestClient, pairs: list[int]) -> None:
        """A filter shows what meets it now, and how many there are."""
        found = get(client, "comparisons?filter=backprop = dilated")
        assert [run["id"] for run in found["runs"]] == pairs[1::2]
        assert found["total"] == 3
        assert get(client, "comparisons?filter=nothing")["runs"] == []

    @pytest.mark.usefixtures("pairs")
    def test_says_what_it_can_not_read(self, client: TestClient) -> None:
        """Wrong words, too many runs, no runs, an unknown run, and what can't be drawn are errors with a sentence."""
        for query, status in (
            ("", 422),
            ("runs=1&group_by=colour", 422),
            ("runs=1&smoothing=ema:2", 422),
            ("runs=1&group_by=all&x=wall", 422),
            ("runs=1&statistic=median&band=se", 422),
            ("runs=1&strange=1", 422),
            (f"runs={','.join(map(str, range(1, 102)))}", 422),
            ("runs=999", 404),
        ):
            answer = client.get(f"/api/comparisons?{query}")
            assert answer.status_code == status, query
            assert len(answer.json()["error"]["message"]) > 15

    def test_sees_epochs_that_come_later(self, client: TestClient, database: Database) -> None:
        """What was read before is kept, and newer epochs are added to it, with what was not finite."""
        run_id = add_run(database, "live")
        attempt = start_run(database, run_id).attempt
        assert get(client, f"comparisons?runs={run_id}")["runs"][0]["last"] is None
        extend(database, run_id, attempt, 0, [0.5])
        assert get(client, f"comparisons?runs={run_id}")["runs"][0]["last"]["value"] == 0.5
        extend(database, run_id, attempt, 1, [0.6, float("nan")])
        found = get(client, f"comparisons?runs={run_id}")["runs"][0]
        assert found["last"] == {"epoch": 2, "value": 0.6}
        assert (found["epochs_done"], found["non_finite"]) == (3, 1)
        figure = get(client, f"figures/accuracy?runs={run_id}&splits=test")
        assert [trace["meta"].get("non_finite_of") for trace in figure["data"]] == [None, "test_accuracy"]
        assert figure["data"][0]["y"] == [50, 60, None]


class TestFigures:
    def test_are_valid_for_plotly(self, client: TestClient, pairs: list[int]) -> None:
        """What the service sends is a figure that a notebook draws, for every kind and view."""
        views = ("", "&group_by=all&members=true&smoothing=ema:0.5&x=time&log=x,y&width=300")
        for name in ("accuracy", "cost", "difference", "scatter", "parallel", "pareto"):
            for view in views:
                figure = get(client, f"figures/{name}?runs={','.join(map(str, pairs))}{view}")
                assert len(go.Figure(figure).data) > 0
                assert figure["layout"]["meta"]["seq"] > 0

    def test_of_groups_have_a_line_with_a_band(self, client: TestClient, pairs: list[int]) -> None:
        """A group is one line found by its key, behind it a band at 18 % opacity and, if asked, members at 25 %."""
        query = f"runs={','.join(map(str, pairs))}&group_by=all&splits=test&members=true&smoothing=mean:3"
        figure = get(client, f"figures/accuracy?{query}")
        roles = [min(set(trace["meta"]) - {"group", "label"}) for trace in figure["data"]]
        assert roles == ["band_of"] * 2 + (["member_of"] * 3 + ["raw_of"]) * 2 + ["metric"] * 2
        assert figure["data"][0]["fillcolor"].endswith(",0.18)")
        assert figure["data"][2]["opacity"] == 0.25
        line = figure["data"][-2]
        assert line["customdata"][0].endswith("n = 3)")
        assert line["y"][1] == pytest.approx((50 + 71) / 2)

    def test_of_long_runs_say_how_many_points_are_drawn(self, client: TestClient, database: Database) -> None:
        """With a width a line is reduced, keeps its peak, and says of how many points it is made."""
        values = [0.5] * 300
        values[123] = 0.75
        run_id = record(database, "long", values, epochs=300)
        (line,) = get(client, f"figures/accuracy?runs={run_id}&splits=test&width=50")["data"]
        assert line["meta"]["of"] == 300
        assert len(line["x"]) <= 104
        assert line["y"][line["x"].index(124)] == 75
        (whole,) = get(client, f"figures/accuracy?runs={run_id}&splits=test")["data"]
        assert "of" not in whole["meta"]
        assert len(whole["x"]) == 300

    def test_go_over_epochs_steps_and_times(self, client: TestClient, pairs: list[int]) -> None:
        """The axis is finished epochs, updates, summed seconds, or the time of day."""
        run_id = pairs[0]
        steps, seconds, days = (
            get(client, f"figures/accuracy?runs={run_id}&splits=test&x={x}")["data"][0]["x"]
            for x in ("step", "time", "wall")
        )
        assert steps == [28, 56]  # 1437 images in batches of 50
        assert seconds == [2, 4]
        assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", day) for day in days)

    def test_find_the_runs_that_no_other_beats(self, client: TestClient, database: Database) -> None:
        """The front holds the fastest, the best, and what lies between and is beaten in neither."""
        quick = record(database, "quick", [0.5])
        slow = record(database, "slow and worse", [0.3, 0.4], seed=1)
        good = record(database, "slow and good", [0.3, 0.9], seed=2)
        figure = get(client, f"figures/pareto?runs={quick},{slow},{good}")
        assert figure["data"][0]["meta"]["front"] == [quick, good]
        answer = client.get(f"/api/figures/pareto?runs={quick},{good}&fields=backprop,last_test_accuracy")
        assert answer.status_code == 422
        assert "word" in answer.json()["error"]["message"]

    def test_show_runs_by_any_result_in_any_colour(self, client: TestClient, pairs: list[int]) -> None:
        """Results at an epoch are an axis too; runs take the colour of a value, and a key says which is which."""
        runs = f"runs={','.join(map(str, pairs))}"
        figure = get(
            client, f"figures/scatter?{runs}&fields=seed,at_test_accuracy&epoch=1&color=backprop&points_log=x,y"
        )
        points, *key = figure["data"]
        assert points["y"] == [50.0] * 6
        assert [trace["name"] for trace in key] == ["dilated", "manual"]
        assert points["marker"]["color"][0] == key[1]["marker"]["color"] != points["marker"]["color"][1]
        assert figure["layout"]["yaxis"]["title"]["text"] == "test accuracy at epoch 1, %"
        assert (figure["layout"]["yaxis"]["type"], figure["layout"]["meta"]["linear"]) == ("log", ["x"])
        figure = get(client, f"figures/parallel?{runs}&fields=backprop,seed&color=last_test_accuracy")
        colors = [trace["line"]["color"] for trace in figure["data"] if "run_id" in trace["meta"]]
        bar = figure["data"][-1]["marker"]
        assert (colors[0], colors[-1]) == (bar["colorscale"][0][1], bar["colorscale"][-1][1])
        assert bar["cmax"] == pytest.approx(100 * (0.71 + 2 / 99))
        for wrong in ("color=name", "points_log=z", "fields=width,sometimes_test_cost"):
            assert client.get(f"/api/figures/scatter?{runs}&{wrong}").status_code == 422

    def test_show_names_as_text(self, client: TestClient, database: Database) -> None:
        """Markup in a name is letters in every figure."""
        ids = [record(database, name, [0.5], seed=seed) for seed, name in enumerate(NASTY)]
        for name in ("accuracy", "scatter", "parallel", "pareto"):
            figure = get(client, f"figures/{name}?runs={','.join(map(str, ids))}")
            drawn = json.dumps([[trace.get("name"), trace.get("text")] for trace in figure["data"]])
            drawn += json.dumps(figure["layout"])
            assert "&lt;img" in drawn
            assert "<img" not in drawn


class TestExports:
    def test_as_csv_hold_every_epoch_and_no_formula(self, client: TestClient, database: Database) -> None:
        """Numbers stay numbers, text that a spreadsheet would run begins with an apostrophe."""
        ids = [record(database, name, [0.5, -0.25], seed=seed) for seed, name in enumerate(NASTY)]
        answer = client.get(f"/api/exports/csv?runs={','.join(map(str, ids))}")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert len(rows) == 8
        assert [row["name"] for row in rows[::2]] == [NASTY[0], f"'{NASTY[1]}", *NASTY[2:]]
        assert [float(row["test_accuracy"]) for row in rows[:2]] == [0.5, -0.25]
        assert answer.headers["content-disposition"].startswith("attachment")

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("=1", "'=1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("  =1", "'  =1"),
            ("\u00a0=1", "'\u00a0=1"),
            ("\ufeff=1", "'\ufeff=1"),
            ("\uff1d1", "'\uff1d1"),
            ("a\n=1", "a\n'=1"),
            ("a\r\n @b\nc", "a\r\n' @b\nc"),
            ("a=1", "a=1"),
            ("", ""),
            (-1.5, -1.5),
            (None, None),
            (["=a", "b"], "'=a b"),
        ],
    )
    def test_as_csv_guard_every_line_of_text(self, cell: object, expected: object) -> None:
        """An apostrophe stands before each line that would be a formula, whatever blanks it begins with."""
        assert safe_cell(cell) == expected

    def test_as_parquet_have_typed_columns(self, client: TestClient, pairs: list[int]) -> None:
        """A data frame library reads numbers as numbers."""
        answer = client.get(f"/api/exports/parquet?runs={','.join(map(str, pairs))}")
        table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
        assert table.num_rows == 12
        assert str(table.schema.field("test_accuracy").type) == "double"
        assert table.column("backprop").to_pylist()[::4] == ["manual"] * 3
        assert table.column("test_accuracy").to_pylist()[:2] == [0.5, 0.7]

    def test_of_groups_have_their_statistics(self, client: TestClient, pairs: list[int]) -> None:
        """Where groups are shown, a row is an epoch of a group: centre, band and n of every metric."""
        found = get(client, f"exports/json?runs={','.join(map(str, pairs))}&group_by=all")
        rows = found["rows"]
        assert rows["group"] == ["manual", "manual", "dilated", "dilated"]
        assert rows["test_accuracy_n"] == [3] * 4
        assert rows["test_accuracy"][1] == pytest.approx(0.71)
        assert found["comparison"]["verdict"]["is_better"] is True

    def test_as_a_report_need_nothing_from_outside(
        self, client: TestClient, database: Database, pairs: list[int]
    ) -> None:
        """One file with verdict, charts, configurations and hashes; what users typed is text in it."""
        ids = [*pairs, *(record(database, name, [0.5], seed=9) for name in NASTY)]
        client.patch(f"/api/runs/{ids[-1]}", json={"notes": f"{NASTY[0]}</script><script>" + "n" * 9000})
        answer = client.get(f"/api/exports/html?runs={','.join(map(str, ids))}&group_by=all")
        assert answer.status_code == 200
        page = answer.text
        assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)", page.replace(_plotly(), ""))
        assert "<img" not in page.replace(_plotly(), "")
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert "points better than manual" in page
        assert f'<td><span style="color: #0072B2">{GLYPHS["test"]["circle"]}</span> {ids[0]} manual 0</td>' in page
        data = json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])
        assert data["runs"][0]["test_accuracy"] == [0.5, 0.7]
        assert page.count("</script>") - _plotly().count("</script>") == 4

    def test_as_a_report_tell_differences_in_points(self, client: TestClient, pairs: list[int]) -> None:
        """Of two accuracies in percent the difference is no percentage; it has its sign, a minus as long as a plus."""
        view = f"runs={','.join(map(str, pairs))}&group_by=all"
        keys = [group["key"] for group in get(client, f"comparisons?{view}")["groups"]]
        for baseline, told in zip(keys, ("+1.01 points", "\N{MINUS SIGN}1.01 points"), strict=True):
            page = client.get(f"/api/exports/html?{view}&baseline={baseline}").text
            assert f"<td>{told}</td>" in page

    def test_as_a_report_show_the_axes_that_were_chosen(self, client: TestClient, pairs: list[int]) -> None:
        """Axes are the seen chart's alone, which comes first of its kin; colour and logarithms are for all three."""
        view = f"runs={','.join(map(str, pairs))}&color=seed&points_log=y"
        axes = "width,seed,last_test_cost"
        figures = report_figures(client, f"{view}&chart=parallel&fields={axes}")
        assert list(figures) == ["accuracy", "cost", "difference", "parallel", "scatter", "pareto"]
        assert figures["parallel"]["layout"]["meta"]["fields"] == axes.split(",")
        assert figures["scatter"]["layout"]["meta"]["fields"] == ["backprop", "last_test_accuracy"]
        for name in ("parallel", "scatter", "pareto"):
            assert figures[name]["layout"]["meta"]["color"] == "seed"
        assert figures["pareto"]["layout"]["yaxis"]["type"] == "log"
        figures = report_figures(client, f"{view}&fields=seed,best_test_cost")
        assert figures["scatter"]["layout"]["meta"]["fields"] == ["seed", "best_test_cost"]

    def test_as_a_report_hide_what_was_hidden(self, client: TestClient, pairs: list[int]) -> None:
        """A hidden line waits in the legend, without its label; others, and the other chart, are as they were."""
        first, second = pairs[:2]
        figures = report_figures(client, f"runs={first},{second}&hidden_accuracy={first},{second}.train")
        hidden = {
            (trace["meta"]["run_id"], trace["meta"]["metric"])
            for trace in figures["accuracy"]["data"]
            if trace.get("visible") == "legendonly" and trace["showlegend"]
        }
        assert hidden == {(first, "test_accuracy"), (first, "train_accuracy"), (second, "train_accuracy")}
        shown = [label["name"] for label in figures["accuracy"]["layout"]["annotations"] if label.get("visible", True)]
        assert shown == [f"label:{second}:test_accuracy", "key"]
        assert figures["accuracy"]["layout"]["showlegend"]
        assert not any("visible" in trace for trace in figures["cost"]["data"])

    def test_as_a_report_hide_a_group_with_its_band(self, client: TestClient, pairs: list[int]) -> None:
        """What belongs to a hidden line goes with it, and is not named twice."""
        view = f"runs={','.join(map(str, pairs))}&group_by=all&members=true&splits=test"
        key = get(client, f"comparisons?{view.partition('&splits')[0]}")["groups"][1]["key"]
        data = report_figures(client, f"{view}&hidden_cost={key}")["cost"]["data"]
        assert {trace["meta"]["group"] for trace in data if "visible" in trace} == {key}
        assert [trace["showlegend"] for trace in data if "visible" in trace] == [False, False, False, False, True]

    @pytest.mark.parametrize(
        ("text", "x", "y"),
        [
            ("2,9,50,70.5", [2, 9], [50, 70.5]),
            ("2026-01-02 03:04:05,2026-01-02 03:05,1,2", ["2026-01-02 03:04:05", "2026-01-02 03:05"], [1, 2]),
        ],
    )
    def test_as_a_report_show_the_part_that_was_zoomed_into(
        self, client: TestClient, pairs: list[int], text: str, x: list[object], y: list[object]
    ) -> None:
        """Each chart has its own part; that of points is the seen chart's."""
        runs = f"runs={','.join(map(str, pairs))}&chart=pareto"
        for chart, name in (("accuracy", "accuracy"), ("difference", "difference"), ("pareto", "points")):
            figures = report_figures(client, f"{runs}&zoom_{name}={text}")
            layout = figures[chart]["layout"]
            assert (layout["xaxis"]["range"], layout["yaxis"]["range"]) == (x, y)
            assert [other for other in figures if figures[other]["layout"]["yaxis"].get("range") == y] == [chart]

    def test_as_a_report_name_the_lines_of_a_part(self, client: TestClient, pairs: list[int]) -> None:
        """A line's own label may lie beyond the part: there the legend names it."""
        figures = report_figures(client, f"runs={','.join(map(str, pairs[:2]))}&zoom_accuracy=1,1.5,40,60")
        named = {name: [trace["showlegend"] for trace in figures[name]["data"]] for name in ("accuracy", "cost")}
        assert named == {"accuracy": [True] * 4, "cost": [False] * 4}
        assert (figures["accuracy"]["layout"]["showlegend"], figures["cost"]["layout"]["showlegend"]) == (True, False)
        assert [one["name"] for one in figures["accuracy"]["layout"]["annotations"]] == ["key"]

    @pytest.mark.parametrize("text", ["1,2,3", "1,2,3,inf", "a,2,3,4", "1,2,3,4,5", "</script>,2,3,4"])
    def test_as_a_report_show_the_whole_where_a_part_means_nothing(
        self, client: TestClient, pairs: list[int], text: str
    ) -> None:
        """A part that has not four ends is none, and stands nowhere in the file."""
        figures = report_figures(client, f"runs={pairs[0]}&zoom_cost={text}&hidden_cost={text}")
        assert "range" not in figures["cost"]["layout"]["yaxis"]


def report_figures(client: TestClient, view: str) -> dict[str, Any]:
    """The figures of a view's report, in their order."""
    page = client.get(f"/api/exports/html?{view}")
    assert page.status_code == 200, page.text
    found: dict[str, Any] = json.loads(re.findall(r'id="figures">(.*?)</script>', page.text, re.DOTALL)[0])
    return found


def _plotly() -> str:
    import plotly  # noqa: PLC0415

    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


class TestViews:
    def test_are_kept_renamed_and_removed(self, client: TestClient) -> None:
        """A named state of the compare page lives until it is removed."""
        made = client.post("/api/views", json={"name": "seeds", "state": "runs=1,2&group_by=all"})
        assert made.status_code == 201
        view_id = made.json()["id"]
        changed = client.patch(f"/api/views/{view_id}", json={"name": "<b>five</b> seeds"}).json()
        assert (changed["name"], changed["state"]) == ("<b>five</b> seeds", "runs=1,2&group_by=all")
        assert [view["id"] for view in client.get("/api/views").json()] == [view_id]
        assert client.delete(f"/api/views/{view_id}").status_code == 204
        assert client.get("/api/views").json() == []
        assert client.patch(f"/api/views/{view_id}", json={"name": "x"}).status_code == 404

    def test_open_where_they_belong(self, client: TestClient) -> None:
        """A state that begins with `/?` is the table's, any other the compare page's; none leads to another site."""
        kept = {"/?filter=width+%3D+32": "runs", "/?": "runs", "runs=1,2": "compare", "": "compare"}
        for state, page in kept.items():
            view = client.post("/api/views", json={"name": "x", "state": state}).json()
            assert (view["page"], view["address"]) == (page, state if page == "runs" else f"/compare?{state}")
        for state in ("//elsewhere", "/compare?runs=1", "/"):
            assert client.post("/api/views", json={"name": "x", "state": state}).status_code == 422

    @pytest.mark.parametrize("body", [{}, {"name": "", "state": ""}, {"name": "x", "state": "\n"}, {"name": "x" * 101}])
    def test_have_a_name_and_a_state(self, client: TestClient, body: dict[str, str]) -> None:
        """A view without a name, or whose state is no address, is refused."""
        assert client.post("/api/views", json=body).status_code == 422
