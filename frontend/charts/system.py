"""What a run took of its machine over time: processor, memory, GPUs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from backend.contract import Backprop, GpuUse, UsePoint
from frontend.charts.course import Course, duration_text
from frontend.charts.lines import number_text, summary_table
from frontend.charts.look import FONT_SIZE, INKS, NOTHING, Theme, axis, layout
from frontend.charts.traces import BAND_OPACITY, transparent
from frontend.labels import plain_text, spread
from frontend.palette import lightness_steps, readable, run_style

_MARGIN = {"l": 56, "r": 16, "t": 22, "b": 42}  # px; attempts are named above the plot
_ROOM_FOR_LABELS = 48  # px more, right of the plot
_LABEL_GAP = 13  # px between the middles of two labels
_PLOT_HEIGHT = 156  # px, of the page's small charts: labels are kept apart for that
_PERCENT = 100
_GB, _MB = 1e9, 1e6
_HEADROOM = 1.06


@dataclass(frozen=True)
class SystemSeries:
    """What a run took, by attempt and time; `threads` is what all of the processor is to it."""

    run_id: int
    backprop: Backprop
    palette_index: int
    threads: int
    peak_memory_bytes: int | None
    points: Sequence[UsePoint]

    @property
    def gpus(self) -> list[int]:
        """Numbers of the GPUs that any of its attempts had."""
        return sorted({gpu.number for point in self.points for gpu in point.use.gpus})


Value = tuple[float | None, float | None]  # mean and greatest; one number alone has itself for both


@dataclass(frozen=True)
class _Measure:
    """A number of a point: what it is, its axis without the unit, and whether it is of a GPU, in bytes or a share."""

    words: str
    title: str
    value: Callable[[UsePoint, SystemSeries, int], Value]
    is_of_gpus: bool = False
    is_bytes: bool = False


def _gpu(point: UsePoint, number: int) -> GpuUse:
    found = [gpu for gpu in point.use.gpus if gpu.number == number]
    return found[0] if found else GpuUse(number, None, None, None)


def _cpu(point: UsePoint, series: SystemSeries, _: int) -> Value:
    scale = _PERCENT / series.threads
    return scale * point.use.cpu_cores, scale * point.use.cpu_cores_max


def _busy(point: UsePoint, _: SystemSeries, number: int) -> Value:
    gpu = _gpu(point, number)
    return (
        None if gpu.busy is None else _PERCENT * gpu.busy,
        None if gpu.busy_max is None else _PERCENT * gpu.busy_max,
    )


SYSTEM_MEASURES: Mapping[str, _Measure] = {
    "cpu": _Measure("processor", "CPU", _cpu),
    "memory": _Measure("memory", "memory", lambda p, *_: (p.use.memory_bytes, p.use.memory_max_bytes), is_bytes=True),
    "host_free": _Measure(
        "memory free on the host",
        "free on the host",
        lambda p, *_: (p.use.host_free_bytes, p.use.host_free_bytes),
        is_bytes=True,
    ),
    "gpu": _Measure("use of the GPU", "GPU", _busy, is_of_gpus=True),
    "gpu_memory": _Measure(
        "memory of the GPU",
        "GPU memory",
        lambda p, _, number: (_gpu(p, number).memory_bytes, _gpu(p, number).memory_bytes),
        is_of_gpus=True,
        is_bytes=True,
    ),
}


def system_figure(series: SystemSeries, *, measure: str = "cpu", theme: Theme = "light") -> go.Figure:
    """A number over the time under way: a line of means, a shade up to the greatest value, a break where none trained.

    A line has `meta.run_id`, `meta.measure` and, of a GPU, `meta.gpu`; its shade `meta.most_of` in place of `measure`.
    Time in which no process trained takes no room: a grey band stands for it, and `layout.meta.gaps` says how long
    each was, in seconds. `layout.meta` also has `peak_memory_bytes` and `gpus`.

    Raises:
        KeyError: there is no such measure in SYSTEM_MEASURES.
    """
    wanted, ink = SYSTEM_MEASURES[measure], INKS[theme]
    course = Course(series.points)
    numbers = series.gpus if wanted.is_of_gpus else [-1]
    values = {number: [wanted.value(point, series, number) for point in series.points] for number in numbers}
    scale, unit = _value_unit(wanted, series, values)
    most = max((value for found in values.values() for pair in found for value in pair if value is not None), default=0)
    least_top = _PERCENT if not wanted.is_bytes else 0.0
    figure = go.Figure(
        layout={
            **layout(ink),
            "margin": {**_MARGIN, "r": _ROOM_FOR_LABELS} if len(numbers) > 1 else _MARGIN,
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": {**axis(ink, f"time under way, {course.unit}"), "range": [0, course.end or 1], "showgrid": False},
            "yaxis": {
                **axis(ink, f"{wanted.title}, {unit}"),
                "range": [0, _HEADROOM * max(most / scale, least_top) or 1],
                "nticks": 5,
            },
            "shapes": course.bands(ink),
            "annotations": course.names(ink),
        }
    )
    style = run_style(series.backprop, series.palette_index)
    colors = lightness_steps(style.color if theme == "light" else style.dark_color, len(numbers), ink.surface)
    ends = {}
    if len(numbers) == 1:
        colors = [style.color if theme == "light" else style.dark_color]
    for number, color in zip(numbers, colors, strict=True):
        scaled = [(_over(mean, scale), _over(top, scale)) for mean, top in values[number]]
        meta = {"run_id": series.run_id, **({"gpu": number} if wanted.is_of_gpus else {})}
        figure.add_scatter(**_shade(course, scaled, color), meta={**meta, "most_of": measure})
        line = _line(course, scaled, color, style.marker, f"{wanted.words} %{{y:.3~g}} {unit.split(' ')[0]}")
        figure.add_scatter(**line, meta={**meta, "measure": measure})
        if len(numbers) > 1 and (end := next((y for y in reversed(line["y"]) if y is not None), None)) is not None:
            ends[number] = (end, readable(color, ink.surface))
    figure.layout.annotations += tuple(_labels(ends, course.end, figure.layout.yaxis.range[1]))
    figure.update_layout(
        meta={
            "summary": _summary(wanted, values, scale, unit, course),
            "table": _table(wanted, series, values, scale, unit),
            "gaps": course.gaps,
            "gpus": series.gpus,
            "peak_memory_bytes": series.peak_memory_bytes,
        }
    )
    return figure


def _labels(ends: Mapping[int, tuple[float, str]], x: float, top: float) -> list[go.layout.Annotation]:
    """The names of GPUs at their lines' ends, none upon another; `ends` holds a line's last value and its colour."""
    pixels = [_PLOT_HEIGHT * y / top for y, _ in ends.values()]
    return [
        go.layout.Annotation(
            name="label:gpu",  # a page spreads those of one name by its own height
            text=f"GPU {number}",
            x=x,
            y=y,
            xanchor="left",
            yshift=place - pixel,
            showarrow=False,
            font={"color": color, "size": FONT_SIZE - 1},
        )
        for (number, (y, color)), pixel, place in zip(ends.items(), pixels, spread(pixels, _LABEL_GAP), strict=True)
    ]


def _line(course: Course, values: Sequence[Value], color: str, marker: str, hover: str) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for stretch in course.stretches():
        if x:
            x, y, texts = [*x, None], [*y, None], [*texts, ""]
        for place in stretch:
            middle = (course.starts[place] + course.ends[place]) / 2
            # A stretch of one point is as long as the time that it stands for.
            at = [course.starts[place], middle, course.ends[place]] if len(stretch) == 1 else [middle]
            x += at
            y += [values[place][0]] * len(at)
            texts += [_words(course.points[place])] * len(at)
    return {
        "x": x,
        "y": y,
        "mode": "lines+markers",
        "line": {"color": color, "width": 1.75},
        "marker": {"color": color, "symbol": marker, "size": 5, "maxdisplayed": 24},
        "connectgaps": False,
        "hovertext": texts,
        "hovertemplate": f"{hover}<br>%{{hovertext}}<extra></extra>",
    }


def _shade(course: Course, values: Sequence[Value], color: str) -> dict[str, Any]:
    """From the mean up to the greatest value: a closed line around each stretch."""
    x: list[float | None] = []
    y: list[float | None] = []
    for stretch in course.stretches():
        known = [place for place in stretch if None not in values[place]]
        if not known:
            continue
        ends = {place: (course.starts[place] + course.ends[place]) / 2 for place in known}
        there = [ends[place] for place in known]
        if len(known) == 1:
            known, there = known * 2, [course.starts[known[0]], course.ends[known[0]]]
        x += [*there, *there[::-1], None]
        y += [*(values[place][0] for place in known), *(values[place][1] for place in known[::-1]), None]
    return {
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": transparent(color, BAND_OPACITY),
        "hoverinfo": "skip",
    }


def _words(point: UsePoint) -> str:
    return plain_text(
        f"attempt {point.attempt}, {point.started_at:%d %b %H:%M:%S} UTC, {duration_text(point.use.seconds)}"
    )


def _over(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale


def _value_unit(wanted: _Measure, series: SystemSeries, values: Mapping[int, Sequence[Value]]) -> tuple[float, str]:
    if not wanted.is_bytes:
        threads = f"{series.threads} thread{'' if series.threads == 1 else 's'}"
        return 1.0, "%" if wanted.is_of_gpus else f"% of {threads}"
    most = max((value for found in values.values() for pair in found for value in pair if value), default=0.0)
    return (_GB, "GB") if most >= _GB else (_MB, "MB")


def _summary(wanted: _Measure, values: Mapping[int, Sequence[Value]], scale: float, unit: str, course: Course) -> str:
    said = []
    for number, found in values.items():
        means = [mean / scale for mean, _ in found if mean is not None]
        tops = [top / scale for _, top in found if top is not None]
        if means:
            name = f"GPU {number}: " if wanted.is_of_gpus else ""
            said.append(f"{name}last {number_text(means[-1])}, greatest {number_text(max(tops))}")
    if not said:
        return f"{wanted.title} over time: nothing was measured yet."
    gaps = f" {len(course.gaps)} gaps without a process." if course.gaps else ""
    return f"{wanted.title}, {unit}, over {number_text(course.end)} {course.unit}: {'; '.join(said)}.{gaps}"


def _table(
    wanted: _Measure, series: SystemSeries, values: Mapping[int, Sequence[Value]], scale: float, unit: str
) -> dict[str, Any]:
    columns = ["attempt", "from, UTC", "seconds"]
    for number in values:
        name = f"GPU {number}, " if wanted.is_of_gpus else ""
        columns += [f"{name}mean, {unit}", f"{name}greatest, {unit}"]
    rows = [
        [
            point.attempt,
            f"{point.started_at:%Y-%m-%d %H:%M:%S}",
            number_text(point.use.seconds),
            *(
                NOTHING if value is None else number_text(value / scale)
                for found in values.values()
                for value in found[place]
            ),
        ]
        for place, point in enumerate(series.points)
    ]
    return summary_table(columns, rows)
