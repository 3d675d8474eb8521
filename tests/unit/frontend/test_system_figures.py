import itertools
from datetime import UTC, datetime, timedelta

import pytest

from backend.contract import Backprop, GpuUse, UsePoint
from backend.contract.usage import joined
from frontend.charts import SystemSeries, system_figure
from tests.builders import system_use

BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)


def point(attempt: int, at_s: float, *gpus: GpuUse, follows: bool = True, **changes: float) -> UsePoint:
    return UsePoint(attempt, BEGIN + timedelta(seconds=at_s), follows, system_use(10.0, *gpus, **changes))


def series(*points: UsePoint, threads: int = 2) -> SystemSeries:
    return SystemSeries(7, Backprop.MANUAL, 0, threads, 600 * 10**6, points)


class TestTheLine:
    def test_breaks_where_no_process_trained(self) -> None:
        """The hour between two attempts takes no room, is no line, and is told: a band, a name, and its seconds."""
        figure = system_figure(series(point(1, 0, follows=False), point(1, 10), point(2, 3620, follows=False)))
        (band,) = figure.layout.shapes
        line = figure.data[1]
        assert list(line.x[:3]) == [5, 15, None]
        assert line.y[2] is None
        # The last attempt is one point alone, drawn as long as the time that it stands for.
        assert (band.x0, band.x1) == (20, pytest.approx(line.x[3]))
        assert band.x1 - band.x0 < 1
        assert list(figure.layout.meta["gaps"]) == [3600]
        assert [name.text for name in figure.layout.annotations] == ["attempt 1", "attempt 2, 60 min later"]

    def test_breaks_where_points_were_lost(self) -> None:
        """A hole within an attempt keeps its room: the time went on."""
        figure = system_figure(series(point(1, 0, follows=False), point(1, 40, follows=False)))
        assert [x for x in figure.data[1].x if x is not None] == [0, 5, 10, 40, 45, 50]
        assert list(figure.layout.meta["gaps"]) == []

    def test_of_the_processor_is_a_share_of_the_threads(self) -> None:
        """Half a core of two threads is 25 %; the axis says so and begins at 0."""
        figure = system_figure(series(point(1, 0, follows=False), point(1, 10)))
        assert list(figure.data[1].y) == [25, 25]
        assert figure.layout.yaxis.title.text == "CPU, % of 2 threads"
        assert figure.layout.yaxis.range[0] == 0

    def test_of_each_gpu_has_its_own_colour_and_name(self) -> None:
        """Two GPUs are two lines, told apart by a label; one that says nothing has no value and is no zero."""
        gpus = (GpuUse(0, 0.5, 1.0, 10**9), GpuUse(1, None, None, 2 * 10**9))
        figure = system_figure(series(point(1, 0, *gpus, follows=False), point(1, 10, *gpus)), measure="gpu")
        lines = {trace.meta["gpu"]: trace for trace in figure.data if "measure" in trace.meta}
        assert (list(lines[0].y), list(lines[1].y)) == ([50, 50], [None, None])
        assert lines[0].line.color != lines[1].line.color
        assert [label.text for label in figure.layout.annotations] == ["GPU 0"]

    def test_of_gpus_alike_have_names_apart(self) -> None:
        """Where lines end at one height their names do not stand upon each other, and keep the lines' order."""
        gpus = [GpuUse(number, 0.9 + number / 1000, 1.0, 10**9) for number in range(4)]
        figure = system_figure(series(point(1, 0, *gpus, follows=False), point(1, 10, *gpus)), measure="gpu")
        top, height = figure.layout.yaxis.range[1], 220 - figure.layout.margin.t - figure.layout.margin.b
        places = [height * label.y / top + label.yshift for label in figure.layout.annotations]
        assert all(after - before >= 12 for before, after in itertools.pairwise(places))

    def test_without_points_is_empty(self) -> None:
        """A run that never began has a figure without a value."""
        figure = system_figure(series())
        assert list(figure.data[1].y) == []
        assert "nothing was measured yet" in figure.layout.meta["summary"]


class TestJoining:
    def test_keeps_means_extremes_and_time(self) -> None:
        """Means are weighted by their time; the greatest stays the greatest, free memory the least."""
        one = system_use(1.0, GpuUse(0, 0.0, 0.0, 5), cpu_cores=0.0, host_free_bytes=3)
        other = system_use(3.0, GpuUse(0, 1.0, 1.0, 4), GpuUse(1, None, None, None), cpu_cores=1.0, host_free_bytes=9)
        both = joined(one, other)
        assert (both.seconds, both.cpu_cores, both.host_free_bytes) == (4.0, 0.75, 3)
        assert both.gpus == (GpuUse(0, 0.75, 1.0, 5), GpuUse(1, None, None, None))
