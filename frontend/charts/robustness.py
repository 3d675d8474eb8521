"""How test accuracy stands up to attacks: by their size, and through training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from backend.contract import Attack, Backprop
from frontend.charts.lines import Line, ValueAxis, epoch_axis, line_figure, number_text, summary_table
from frontend.charts.look import INKS, NOTHING, Ink, Theme, axis
from frontend.palette import lightness_steps, run_style

HEIGHT = 340  # px, of the chart on a page
_FAINT = 0.16  # opacity of what was measured before
_FAINTEST = 0.03
_FAINT_TOGETHER = 1.6  # of all such lines at most: many upon each other would be as strong as the newest
_PERCENT = 100
_ACCURACY = ValueAxis("test accuracy, %", bounds=(-2, 102), least=10)
_SYMBOLS = {Attack.CLEAN: "circle", Attack.FGSM: "triangle-up", Attack.PGD: "square"}
_WORDS = {Attack.CLEAN: "clean", Attack.FGSM: "FGSM", Attack.PGD: "PGD"}


@dataclass(frozen=True)
class AttackEntry:
    """One attack on the test images.

    Attributes:
        epsilon: its size in units of the preprocessed input; 0 for clean.
        pixel_values: the same in 255ths of the pixels' range; None where that is not defined.
        accuracy: fraction; None where it could not be told.
    """

    epochs_done: int
    attack: Attack
    epsilon: float
    pixel_values: float | None
    accuracy: float | None


@dataclass(frozen=True)
class AttackSeries:
    """The attacks on a run's test images, in order; `epochs` is what the run has been asked for."""

    run_id: int
    backprop: Backprop
    palette_index: int
    epochs: int
    images: int | None
    entries: Sequence[AttackEntry]

    @property
    def known(self) -> list[int]:
        """After how many epochs the images were attacked."""
        return sorted({entry.epochs_done for entry in self.entries})

    @property
    def epsilons(self) -> dict[float, float | None]:
        """The sizes in order, each with its pixel values."""
        return {entry.epsilon: entry.pixel_values for entry in sorted(self.entries, key=lambda one: one.epsilon)}


def robustness_figure(series: AttackSeries, *, theme: Theme = "light") -> go.Figure:
    """Test accuracy by the size of the attack; a line an attack and measured epoch, the newest strong, others faint.

    Each line has `meta.attack` and `meta.epochs_done`; the labels of an epoch are named `label:<epochs done>`.
    """
    ink, known = INKS[theme], series.known
    style = run_style(series.backprop, series.palette_index)
    color = style.color if theme == "light" else style.dark_color
    faint = max(_FAINTEST, min(_FAINT, _FAINT_TOGETHER / max(1, len(known))))
    lines = []
    for epochs in known:
        is_newest = epochs == known[-1]
        for attack in (Attack.FGSM, Attack.PGD):
            points = _by_size(series, epochs, attack)
            if not points:
                continue
            lines.append(
                Line(
                    label=_WORDS[attack],
                    color=color,
                    x=[one.epsilon for one in points],
                    y=[_percent(one.accuracy) for one in points],
                    texts=[_size_words(one.epsilon, one.pixel_values) for one in points],
                    hover=f"{_WORDS[attack]}, %{{hovertext}}<br>after {epochs} epochs: %{{y:.2f}} %",
                    meta={"run_id": series.run_id, "attack": attack.value, "epochs_done": epochs},
                    symbol=_SYMBOLS[attack],
                    width=2,
                    opacity=1 if is_newest else faint,
                    group=str(epochs),
                    labelled=is_newest,
                )
            )
    figure = line_figure(lines, ink, _size_axis(series, ink), _ACCURACY, HEIGHT)
    figure.update_traces(marker_size=7)
    figure.update_layout(margin={"b": 58})
    figure.update_layout(meta={"summary": _summary(series), "table": _table(series), "epochs": known, "faint": faint})
    return figure


def robustness_epochs_figure(series: AttackSeries, *, attack: Attack = Attack.PGD, theme: Theme = "light") -> go.Figure:
    """Test accuracy by epoch: clean, and under an attack of each size, the larger the stronger its line.

    Each line has `meta.attack` and `meta.epsilon`.
    """
    ink, sizes = INKS[theme], {size: pixels for size, pixels in series.epsilons.items() if size > 0}
    style = run_style(series.backprop, series.palette_index)
    shades = lightness_steps(style.color if theme == "light" else style.dark_color, len(sizes) + 1, ink.surface)
    kinds = [(Attack.CLEAN, 0.0, None), *((attack, size, pixels) for size, pixels in sizes.items())]
    lines = []
    for (kind, size, pixels), color in zip(kinds, shades, strict=True):
        points = [one for one in series.entries if one.attack is kind and one.epsilon == size]
        if not points:
            continue
        words = "clean" if kind is Attack.CLEAN else f"{_WORDS[kind]}, {_size_words(size, pixels)}"
        lines.append(
            Line(
                label="clean" if kind is Attack.CLEAN else _size_label(size, pixels),
                color=color,
                x=[one.epochs_done for one in points],
                y=[_percent(one.accuracy) for one in points],
                hover=f"{words}<br>%{{x}} epochs done: %{{y:.2f}} %",
                meta={"run_id": series.run_id, "attack": kind.value, "epsilon": size},
                symbol=_SYMBOLS[kind],
            )
        )
    done = series.known[-1] if series.entries else 0
    figure = line_figure(lines, ink, epoch_axis(ink, series.epochs, done), _ACCURACY, HEIGHT)
    figure.update_layout(meta={"summary": _summary(series), "table": _table(series)})
    return figure


def _by_size(series: AttackSeries, epochs: int, attack: Attack) -> list[AttackEntry]:
    """What an attack of each size left, from none on."""
    kinds = (Attack.CLEAN, attack)
    found = [one for one in series.entries if one.epochs_done == epochs and one.attack in kinds]
    return sorted(found, key=lambda one: one.epsilon) if any(one.attack is attack for one in found) else []


def _percent(accuracy: float | None) -> float | None:
    return None if accuracy is None else _PERCENT * accuracy


def _size_label(epsilon: float, pixel_values: float | None) -> str:
    is_fraction = pixel_values is not None and pixel_values != epsilon
    return f"ε {number_text(pixel_values)}/255" if is_fraction else f"ε {number_text(epsilon)}"


def _size_words(epsilon: float, pixel_values: float | None) -> str:
    if pixel_values is None or pixel_values == epsilon:
        return f"epsilon {number_text(epsilon)}"
    return f"epsilon {number_text(epsilon)} ({number_text(pixel_values)} of 255)"


def _size_axis(series: AttackSeries, ink: Ink) -> dict[str, Any]:
    sizes = series.epsilons or {0.0: None}
    has_pixels = all(pixels is not None for size, pixels in sizes.items() if size > 0)
    is_pixels = has_pixels and all(pixels == size for size, pixels in sizes.items() if size > 0)
    if is_pixels:
        title = "epsilon, in pixel values of 255"
    elif has_pixels:
        title = "epsilon, in units of the preprocessed input; below it in pixel values of 255"
    else:
        title = "epsilon, in units of the preprocessed input"
    most = max(sizes) or 1.0
    shown = _far_enough(sizes, most)
    words = [
        number_text(size) + ("" if is_pixels or not has_pixels else f"<br>{number_text(sizes[size] or 0.0)}")
        for size in shown
    ]
    return {
        **axis(ink, title),
        "range": [-0.03 * most, 1.03 * most],
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": words,
    }


def _far_enough(sizes: Mapping[float, float | None], most: float) -> list[float]:
    """The sizes whose ticks do not touch: from the largest down."""
    shown: list[float] = []
    for size in sorted(sizes, reverse=True):
        if size == 0 or not shown or shown[-1] - size >= 0.07 * most:
            shown.append(size)
    if len(shown) > 2 and shown[-2] - shown[-1] < 0.07 * most:  # noqa: PLR2004
        del shown[-2]
    return shown[::-1]


def _summary(series: AttackSeries) -> str:
    if not series.entries:
        return "Test accuracy under attack: nothing was measured yet."
    last = [one for one in series.entries if one.epochs_done == series.known[-1]]
    said = [
        f"{_WORDS[one.attack]}{f' {number_text(one.epsilon)}' if one.epsilon else ''} {_percent_text(one)}"
        for one in last
    ]
    return f"Test accuracy after {series.known[-1]} epochs, of {series.images} images: {'; '.join(said)}."


def _percent_text(entry: AttackEntry) -> str:
    return NOTHING if entry.accuracy is None else f"{_PERCENT * entry.accuracy:.2f} %"


def _table(series: AttackSeries) -> dict[str, Any]:
    rows = [
        [
            one.epochs_done,
            _WORDS[one.attack],
            number_text(one.epsilon),
            number_text(one.pixel_values),
            _percent_text(one).removesuffix(" %"),
        ]
        for one in series.entries
    ]
    return summary_table(["epochs done", "attack", "epsilon", "pixel values of 255", "accuracy, %"], rows)
