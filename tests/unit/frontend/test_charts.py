import itertools
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import pytest

from backend.contract import REFERENCES, Backprop
from frontend.charts import (
    FIGURES,
    RunSeries,
    Theme,
    accuracy_figure,
    cost_figure,
)
from frontend.charts.traces import MAX_DIRECT_LABELS, MAX_MARKS, MAX_MARKS_OF_MANY
from frontend.palette import DARK_SURFACE, LIGHT_SURFACE, TEXT_CONTRAST, contrast, run_style

SHORT = (0.1, 0.5, 0.9)


def series(
    run_id: int = 1,
    *,
    label: str = "demo manual",
    backprop: Backprop = Backprop.MANUAL,
    test: Sequence[float | None] = SHORT,
    train: Sequence[float | None] | None = None,
    non_finite: dict[str, dict[int, str]] | None = None,
) -> RunSeries:
    """A run whose accuracy and cost have the same values."""
    train = test if train is None else train
    columns = {"test_accuracy": test, "train_accuracy": train, "test_cost": test, "train_cost": train}
    return RunSeries(run_id, label, backprop, run_id - 1, range(len(test)), columns, non_finite or {})


PAIR = (series(1), series(2, label="demo dilated", backprop=Backprop.DILATED))


def line(figure: go.Figure, run_id: int, metric: str) -> Any:
    """The one line of a run and metric."""
    (found,) = (trace for trace in figure.data if trace.meta["run_id"] == run_id and trace.meta.get("metric") == metric)
    return found


def labels(figure: go.Figure) -> dict[str, Any]:
    """The direct labels by their names."""
    return {note.name: note for note in figure.layout.annotations if note.name.startswith("label:")}


class TestLines:
    @pytest.mark.parametrize("name", list(FIGURES))
    def test_are_found_by_run_and_metric(self, name: str) -> None:
        """A figure has one line for each run and split, named by its meta."""
        found = [(trace.meta["run_id"], trace.meta["metric"]) for trace in FIGURES[name](PAIR).data]
        assert sorted(found) == sorted((run, f"{split}_{name}") for run in (1, 2) for split in ("test", "train"))

    def test_count_finished_epochs_and_per_cent(self) -> None:
        """The results of epoch 0 stand at 1, and accuracies are in percent."""
        drawn = line(accuracy_figure([series()]), 1, "test_accuracy")
        assert list(drawn.x) == [1, 2, 3]
        assert list(drawn.y) == pytest.approx([10, 50, 90])

    def test_have_costs_as_they_are(self) -> None:
        """Costs stay in nats."""
        assert list(line(cost_figure([series()]), 1, "test_cost").y) == list(SHORT)

    def test_tell_test_from_train_without_colour(self) -> None:
        """Test is solid, broad and filled; train dashed, thin and hollow."""
        figure = accuracy_figure([series()])
        test, train = line(figure, 1, "test_accuracy"), line(figure, 1, "train_accuracy")
        assert test.line.color == train.line.color
        assert (test.line.dash, test.marker.symbol) == ("solid", "circle")
        assert train.line.dash != "solid"
        assert train.marker.symbol == "circle-open"
        assert train.line.width < test.line.width

    def test_tell_manual_from_dilated_without_colour(self) -> None:
        """Manual has circles, dilated diamonds, however long the run is."""
        long = [0.5] * 500
        runs = [series(1, test=long), series(2, backprop=Backprop.DILATED, test=long)]
        figure = accuracy_figure(runs)
        assert line(figure, 1, "test_accuracy").marker.symbol == "circle"
        assert line(figure, 2, "test_accuracy").marker.symbol == "diamond"
        assert "markers" in line(figure, 1, "test_accuracy").mode

    @pytest.mark.parametrize(
        ("runs", "marks"), [(2, MAX_MARKS), (MAX_DIRECT_LABELS, MAX_MARKS), (MAX_DIRECT_LABELS + 1, MAX_MARKS_OF_MANY)]
    )
    def test_are_not_hidden_by_their_marks(self, runs: int, marks: int) -> None:
        """A line shows a limited number of markers, fewer where there are many lines."""
        figure = accuracy_figure([series(run_id, test=[0.5] * 300) for run_id in range(1, runs + 1)])
        assert {trace.marker.maxdisplayed for trace in figure.data} == {marks}

    def test_have_a_gap_where_a_value_is_not_known(self) -> None:
        """A value that is missing is not bridged."""
        drawn = line(accuracy_figure([series(test=[0.1, None, 0.3])]), 1, "test_accuracy")
        assert drawn.y[1] is None
        assert drawn.connectgaps is False

    def test_draw_test_above_train_and_name_it_first(self) -> None:
        """Test lines are drawn last; in the hover box they stand before train."""
        figure = accuracy_figure(PAIR)
        assert [trace.meta["metric"] for trace in figure.data] == ["train_accuracy"] * 2 + ["test_accuracy"] * 2
        test, train = line(figure, 1, "test_accuracy"), line(figure, 1, "train_accuracy")
        assert test.legendrank < train.legendrank

    @pytest.mark.parametrize(("theme", "field"), [("light", "color"), ("dark", "dark_color")])
    def test_have_the_colour_of_their_run_in_the_theme(self, theme: Theme, field: str) -> None:
        """A run has the same colour in every figure of a theme."""
        style = run_style(Backprop.MANUAL, 0)
        for figure in (accuracy_figure(PAIR, theme=theme), cost_figure([PAIR[0]], theme=theme)):
            for trace in figure.data:
                if trace.meta["run_id"] == 1:
                    assert trace.line.color == getattr(style, field)

    @pytest.mark.parametrize("split", ["test", "train"])
    def test_are_only_those_of_the_wanted_splits(self, split: str) -> None:
        """A split that is not asked for is not drawn, and the key of the dashes is gone."""
        figure = accuracy_figure(PAIR, splits=[split])
        assert {trace.meta["metric"] for trace in figure.data} == {f"{split}_accuracy"}
        assert "key" not in [note.name for note in figure.layout.annotations]


class TestNames:
    def test_of_one_run_are_its_splits(self) -> None:
        """Where there is one run, its name would say nothing."""
        assert {trace.name for trace in accuracy_figure([series()]).data} == {"test", "train"}

    def test_of_one_split_are_its_runs(self) -> None:
        """Where there is one split, its name would say nothing."""
        assert [trace.name for trace in accuracy_figure(PAIR, splits=["test"]).data] == ["demo manual", "demo dilated"]

    def test_of_long_names_still_differ(self) -> None:
        """Two runs whose long names end differently are told apart in the hover box."""
        long = "an experiment with a name that nobody would type"
        runs = [series(1, label=f"{long} manual"), series(2, label=f"{long} dilated", backprop=Backprop.DILATED)]
        figure = accuracy_figure(runs)
        assert {trace.name for trace in figure.data} == {
            "manual, test",
            "manual, train",
            "dilated, test",
            "dilated, train",
        }
        assert line(figure, 2, "test_accuracy").meta["label"] == "dilated"

    def test_of_users_are_text(self) -> None:
        """Markup in a run's name reaches hover box, legend and labels as letters, and never the hover template."""
        runs = [series(1, label="<b>$x$</b> %{y}"), series(2)]
        figure = accuracy_figure(runs)
        for text in (line(figure, 1, "test_accuracy").name, labels(figure)["label:1:test_accuracy"].text):
            assert "&lt;b&gt;&#36;x&#36;&lt;/b&gt;" in text
            assert "<b>" not in text
        assert all("%{y}" not in trace.hovertemplate for trace in figure.data)


class TestLabels:
    def test_stand_at_the_last_point(self) -> None:
        """A label is at its line's last known value, also where the newest one is missing."""
        found = labels(accuracy_figure([series(test=[0.1, 0.5, None])]))["label:1:test_accuracy"]
        assert (found.x, found.y) == (2, 50)

    def test_have_the_marker_of_their_line(self) -> None:
        """A circle or a diamond, filled for test and hollow for train."""
        found = labels(accuracy_figure(PAIR))
        glyphs = {name: note.text[0] for name, note in found.items()}
        assert glyphs == {
            "label:1:test_accuracy": "●",
            "label:1:train_accuracy": "○",
            "label:2:test_accuracy": "◆",
            "label:2:train_accuracy": "◇",
        }

    def test_do_not_stand_upon_each_other(self) -> None:
        """Labels of lines that end together are shifted apart by their height."""
        found = labels(accuracy_figure(PAIR))
        shifts = sorted(note.yshift for note in found.values())
        assert [b - a for a, b in itertools.pairwise(shifts)] == pytest.approx([16, 16, 16])

    def test_of_more_than_four_lines_are_those_of_test(self) -> None:
        """Three runs with both splits have three labels, with the runs' names alone."""
        runs = [series(run_id, label=f"seed {run_id}") for run_id in (1, 2, 3)]
        found = labels(accuracy_figure(runs))
        assert {name: note.text for name, note in found.items()} == {
            f"label:{run_id}:test_accuracy": f"● seed {run_id}" for run_id in (1, 2, 3)
        }

    def test_give_way_to_a_legend_where_runs_are_many(self) -> None:
        """Above six runs there is a legend with one entry a run, and no label."""
        runs = [series(run_id) for run_id in range(1, MAX_DIRECT_LABELS + 2)]
        figure = accuracy_figure(runs)
        assert labels(figure) == {}
        assert figure.layout.showlegend
        assert sum(trace.showlegend for trace in figure.data) == len(runs)
        few = accuracy_figure(runs[:-1])
        assert len(labels(few)) == MAX_DIRECT_LABELS
        assert not few.layout.showlegend

    def test_of_a_line_without_points_are_kept_but_not_seen(self) -> None:
        """A run without an epoch has a label that a live page can show later."""
        found = labels(accuracy_figure([series(1), series(2, test=())]))
        assert found["label:1:test_accuracy"].visible
        assert not found["label:2:test_accuracy"].visible

    @pytest.mark.parametrize(("theme", "surface"), [("light", LIGHT_SURFACE), ("dark", DARK_SURFACE)])
    def test_can_be_read(self, theme: Theme, surface: str) -> None:
        """The words beside the lines reach 4.5:1 in both themes."""
        runs = [series(run_id) for run_id in range(1, MAX_DIRECT_LABELS + 1)]
        for note in labels(accuracy_figure(runs, theme=theme)).values():
            assert contrast(note.font.color, surface) >= TEXT_CONTRAST

    def test_have_the_room_that_the_longest_needs(self) -> None:
        """The right margin grows with the longest label and no further."""
        narrow = accuracy_figure([series()]).layout.margin.r
        wide = accuracy_figure(PAIR).layout.margin.r
        assert narrow < 80 < wide < 160


class TestNotFiniteValues:
    @pytest.mark.parametrize(
        ("word", "symbol", "is_on_top"),
        [("NaN", "x", False), ("Infinity", "triangle-up", True), ("-Infinity", "triangle-down", False)],
    )
    def test_are_marked_where_they_happened(self, word: str, symbol: str, *, is_on_top: bool) -> None:
        """A value that is not a number has a mark at its epoch: infinity at the top, the others at the foot."""
        run = series(test=[0.1, None, None], non_finite={"test_cost": {1: word}})
        (mark,) = (trace for trace in cost_figure([run]).data if trace.meta.get("non_finite_of") == "test_cost")
        assert list(mark.x) == [2]
        assert list(mark.marker.symbol) == [symbol]
        assert (mark.y[0] > 0.5) == is_on_top
        assert mark.yaxis == "y2"
        assert list(mark.text) == [word]

    def test_of_two_runs_do_not_cover_each_other(self) -> None:
        """Runs that diverge in the same epoch have marks at different heights."""
        runs = [series(run_id, non_finite={"test_cost": {1: "NaN"}}) for run_id in (1, 2)]
        heights = [trace.y[0] for trace in cost_figure(runs).data if "non_finite_of" in trace.meta]
        assert len(set(heights)) == 2

    def test_of_another_quantity_are_not_shown(self) -> None:
        """A cost that is not a number is no mark in the chart of accuracy."""
        run = series(non_finite={"test_cost": {1: "NaN"}})
        assert all("non_finite_of" not in trace.meta for trace in accuracy_figure([run]).data)


class TestReferences:
    def test_are_dotted_grey_and_marked_where_they_are_known(self) -> None:
        """A published curve has a marker at each known epoch, no colour of a run, and no label that a run has."""
        figure = accuracy_figure(PAIR, references=[REFERENCES["case-a"]])
        (found,) = (trace for trace in figure.data if trace.meta.get("reference_metric") == "test_accuracy")
        assert found.meta["reference"] == "case-a"
        assert list(found.x) == [1, 3, 10, 21, 27, 51]
        assert list(found.y) == pytest.approx([96.12, 98.17, 99.23, 99.16, 99.41, 99.33])
        assert (found.line.dash, found.mode) == ("dot", "lines+markers")
        assert found.line.color not in {trace.line.color for trace in figure.data if "run_id" in trace.meta}

    def test_show_only_what_is_known(self) -> None:
        """A curve of which no test cost is known has none; splits that are not shown are left out."""
        both = cost_figure(PAIR, references=[REFERENCES["case-b"]])
        assert [trace.meta["reference_metric"] for trace in both.data if "reference" in trace.meta] == ["train_cost"]
        test_only = cost_figure(PAIR, splits=["test"], references=[REFERENCES["case-b"]])
        assert not any("reference" in trace.meta for trace in test_only.data)


class TestAxes:
    @pytest.mark.parametrize(("name", "title"), [("accuracy", "accuracy, %"), ("cost", "cost, nats")])
    def test_say_what_they_measure(self, name: str, title: str) -> None:
        """Titles carry units, and so do the values under the pointer."""
        figure = FIGURES[name]([series()])
        assert figure.layout.yaxis.title.text == title
        assert figure.layout.xaxis.title.text == "epoch"
        assert figure.data[0].hovertemplate.split("<")[0].endswith(title.split(", ")[1])

    @pytest.mark.parametrize(("epochs", "step"), [(1, 1), (8, 1), (9, 2), (24, 5), (80, 10), (400, 50), (10_000, 2000)])
    def test_have_whole_epochs_as_ticks(self, epochs: int, step: int) -> None:
        """Ticks are 1, 2, 5, 10, ... epochs apart, at most eight of them."""
        axis = accuracy_figure([series(test=[0.5] * epochs)]).layout.xaxis
        assert (axis.tick0, axis.dtick) == (0, step)

    @pytest.mark.parametrize("epochs", [0, 1, 24, 400, 10_000])
    def test_never_reach_an_epoch_0(self, epochs: int) -> None:
        """Epochs count from 1, so no axis shows a 0; the first and the last point are inside."""
        low, high = accuracy_figure([series(test=[0.5] * epochs)]).layout.xaxis.range
        assert 0 < low < 1
        assert high > max(epochs, 1)

    def test_keep_zoom_and_hidden_lines_over_updates(self) -> None:
        """Two figures of one view have the same revision of what the reader did."""
        revisions = {accuracy_figure(runs).layout.uirevision for runs in (PAIR, PAIR[:1])}
        assert len(revisions) == 1
        assert None not in revisions

    def test_of_accuracy_stay_within_0_and_100(self) -> None:
        """An accuracy axis need not begin at 0, but never leaves what is possible; a cost axis begins at 0."""
        limits = accuracy_figure([series()]).layout.yaxis.autorangeoptions
        assert (limits.clipmin, limits.clipmax) == (0, 100)
        assert cost_figure([series()]).layout.yaxis.rangemode == "tozero"


class TestTheFigure:
    def test_of_no_run_is_empty_axes(self) -> None:
        """Nothing to show is still a figure."""
        figure = accuracy_figure([])
        assert len(figure.data) == 0
        assert not figure.layout.showlegend

    @pytest.mark.parametrize(("runs", "mode"), [(5, "x unified"), (6, "closest")])
    def test_has_one_hover_box_while_it_fits(self, runs: int, mode: str) -> None:
        """Up to ten lines share a hover box; of more, each has its own."""
        assert accuracy_figure([series(run_id) for run_id in range(1, runs + 1)]).layout.hovermode == mode

    def test_goes_through_json(self) -> None:
        """What the service sends is what a notebook draws."""
        figure = cost_figure([series(test=[0.1, None], non_finite={"test_cost": {1: "NaN"}}), *PAIR[1:]])
        assert go.Figure(go.Figure(figure).to_dict()) == figure
