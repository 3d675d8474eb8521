from dataclasses import replace

import numpy as np
import pytest

from backend.analysis import Smoothing
from backend.contract import Backprop
from frontend.charts import BatchSeries, batches_figure
from frontend.charts.batch_series import BatchX
from frontend.charts.look import NOTHING, Theme
from frontend.charts.traces import Floats
from frontend.palette import run_style

PER_EPOCH = 100


def series(
    values: Floats, first: int = 0, *, smoothed: Floats | None = None, per_epoch: int = PER_EPOCH, **changes: object
) -> BatchSeries:
    smoothing = None if smoothed is None else Smoothing("ema", 0.75)
    fields: dict[str, object] = {"epochs": 20, "is_live": False, "first": first}
    numbers = np.arange(first, first + len(values))
    return BatchSeries(
        7,
        Backprop.MANUAL,
        0,
        batches_per_epoch=per_epoch,
        numbers=numbers,
        values=values,
        smoothed=smoothed,
        smoothing=smoothing,
        **(fields | changes),  # type: ignore[arg-type]
    )


class TestTheLines:
    def test_are_each_batch_and_a_smoothed_one_over_them(self) -> None:
        """The smoothed line is drawn last and names epoch, batch and the batch's own value; a key tells them apart."""
        raw = np.array([2.0, 1.0, 3.0])
        behind, line = batches_figure(series(raw, 100, smoothed=raw + 0.5)).data
        assert (behind.meta, line.meta) == ({"run_id": 7, "raw_of": "cost"}, {"run_id": 7, "measure": "cost"})
        assert (list(behind.y), list(line.y)) == ([2, 1, 3], [2.5, 1.5, 3.5])
        assert behind.opacity < 1
        assert list(line.customdata) == [[2, 1, 2.0], [2, 2, 1.0], [2, 3, 3.0]]
        assert f"batch %{{customdata[1]}} of {PER_EPOCH}" in line.hovertemplate
        (key,) = batches_figure(series(raw, smoothed=raw)).layout.annotations
        assert key.text == "pale: each batch; line: mean of about 4"

    def test_of_few_batches_are_these_alone(self) -> None:
        """What is not smoothed is one line, with nothing behind it and no key."""
        figure = batches_figure(series(np.array([0.5, 0.75])), measure="accuracy")
        assert [list(trace.y) for trace in figure.data] == [[50, 75]]
        assert figure.layout.yaxis.title.text == "accuracy, %"
        assert not figure.layout.annotations

    def test_keep_extremes_of_what_has_no_room(self) -> None:
        """Of 100,000 batches two a pixel are drawn: first, last, the one peak and the one dip among them."""
        values = np.ones(100_000)
        values[[33_333, 66_666]] = 9, 0.1
        figure = batches_figure(series(values, smoothed=np.ones(100_000)), width=500)
        behind = figure.data[0]
        meta = figure.layout.meta
        assert (meta["points"], meta["of"]) == (len(behind.x), 100_000)
        assert len(behind.x) <= 1010
        assert (behind.x[0], behind.x[-1], max(behind.y), min(behind.y)) == (0.01, 1000, 9, 0.1)

    def test_break_where_batches_were_not_recorded(self) -> None:
        """Between batch 1 and batch 50, which follows it, there is no line."""
        holed = replace(series(np.array([1.0, 2.0, 3.0])), numbers=np.array([0, 1, 50]))
        assert list(batches_figure(holed).data[0].y) == [1, 2, None, 3]

    def test_are_in_the_colour_of_their_run(self) -> None:
        """Hue and marker are those that the run has everywhere, in both themes."""
        found = series(np.ones(3))
        themes: list[Theme] = ["light", "dark"]
        for theme in themes:
            (line,) = batches_figure(found, theme=theme).data
            assert line.line.color == run_style(Backprop.MANUAL, 0).in_theme(theme)


class TestValuesThatAreNotFinite:
    def test_are_marked_where_they_are(self) -> None:
        """Infinity stands at the top, NaN at the foot, each once for those close to each other; the line has a gap."""
        values = np.ones(600)
        values[300:310], values[590:] = np.inf, np.nan
        figure = batches_figure(series(values))
        marks = figure.data[-1]
        assert marks.meta["non_finite_of"] == "cost"
        assert [(x, y > 0.5) for x, y in zip(marks.x, marks.y, strict=True)] == [(3.01, True), (5.91, False)]
        assert marks.text[0] == "epoch 4, batch 1 of 100<br>cost is Infinity, and of 9 more from here on"
        assert figure.data[0].y[300] is None
        assert "20 of them are not finite" in figure.layout.meta["summary"]

    def test_alone_are_a_figure_too(self) -> None:
        """A run all of whose batches are NaN has marks, a table, and no number made up."""
        figure = batches_figure(series(np.full(3, np.nan)))
        assert figure.data[-1].meta["non_finite_of"] == "cost"
        assert [row[2] for row in figure.layout.meta["table"]["rows"]] == ["NaN"] * 3


class TestTheAxis:
    @pytest.mark.parametrize(("done", "end"), [(10, 0.15625), (100, 1.25), (130, 2.5), (1000, 20), (2000, 20)])
    def test_of_a_live_run_has_room_and_moves_seldom(self, done: int, end: float) -> None:
        """It is 20 epochs, a half, a quarter … of them, but at least a quarter longer than what is done."""
        low, high = batches_figure(series(np.ones(done), is_live=True)).layout.xaxis.range
        assert (low, high) == (pytest.approx(-0.01 * end), pytest.approx(1.01 * end))

    def test_of_an_ended_run_ends_with_it(self) -> None:
        """Nothing more will come; a branch begins with the epoch at which it left its parent."""
        figure = batches_figure(replace(series(np.ones(300)), numbers=np.arange(500, 800)))
        assert list(figure.layout.xaxis.range) == [pytest.approx(4.97), pytest.approx(8.03)]

    def test_has_faint_lines_where_epochs_end(self) -> None:
        """Three epochs have two ends between them; over batches the lines stand at the same."""
        found = series(np.ones(300))
        cases: list[tuple[BatchX, list[int]]] = [("epoch", [1, 2]), ("batch", [100, 200])]
        for x, ends in cases:
            assert [line.x0 for line in batches_figure(found, x=x).layout.shapes] == ends
        assert len(batches_figure(series(np.ones(100_000))).layout.shapes) <= 40

    def test_within_an_epoch_counts_its_batches(self) -> None:
        """Zoomed into epoch 5, ticks are its batches; over more epochs they are epochs."""
        part = batches_figure(series(np.ones(40), first=440, end=480)).layout.xaxis
        assert part.title.text == "batch of epoch 5"
        assert list(zip(part.tickvals, part.ticktext, strict=True)) == [
            (pytest.approx(4 + batch / 100), str(batch)) for batch in range(40, 81, 5)
        ]
        assert batches_figure(series(np.ones(400))).layout.xaxis.title.text == "epochs done"

    def test_of_values_of_a_part_does_not_reach_to_zero(self) -> None:
        """All of the cost is seen from 0 on; of a part what is in it."""
        assert batches_figure(series(np.ones(40))).layout.yaxis.rangemode == "tozero"
        assert batches_figure(series(np.ones(40), first=10, end=50)).layout.yaxis.rangemode is None


class TestTheTable:
    def test_of_few_batches_has_each(self) -> None:
        """A row a batch: epoch, batch, value, smoothed value."""
        values = np.array([1.0, 2.0])
        table = batches_figure(series(values, 199, smoothed=values / 2)).layout.meta["table"]
        assert table["columns"] == ["epoch", "batch", "cost, nats", "smoothed"]
        assert table["rows"] == [[2, 100, "1.0000", "0.5000"], [3, 1, "2.0000", "1.0000"]]

    def test_of_many_has_a_row_an_epoch(self) -> None:
        """Mean, least and greatest are of the finite ones; an epoch without any has none."""
        values = np.tile([1.0, 3.0], 300)
        values[100], values[200:300] = np.nan, np.inf
        rows = batches_figure(series(values)).layout.meta["table"]["rows"]
        assert rows[0] == ["1", "100", "2.0000", "1.0000", "3.0000", "0"]
        assert rows[1][5] == "1"
        assert rows[2] == ["3", "100", NOTHING, NOTHING, NOTHING, "100"]

    def test_of_very_many_epochs_joins_them(self) -> None:
        """A thousand epochs are 500 rows of two."""
        rows = batches_figure(series(np.ones(2000), per_epoch=2)).layout.meta["table"]["rows"]
        assert (len(rows), rows[1][:2]) == (500, ["3 to 4", "4"])


def test_without_batches_it_is_an_empty_frame() -> None:
    """A run that has just been launched has the axis of all its epochs, and a sentence."""
    figure = batches_figure(series(np.empty(0), is_live=True))
    assert list(figure.data[0].x) == []
    assert list(figure.layout.xaxis.range) == [pytest.approx(-0.2), pytest.approx(20.2)]
    assert "none is recorded yet" in figure.layout.meta["summary"]
    assert figure.layout.meta["of"] == 0
