from typing import Any

import plotly.graph_objects as go
import pytest

from backend.contract import Attack, Backprop
from frontend.charts import AttackEntry, AttackSeries, robustness_epochs_figure, robustness_figure


def attacked(epochs_done: int, *, pixel_unit: float | None = 1.0, accuracy: float | None = 0.5) -> list[AttackEntry]:
    """Clean test images, and FGSM and PGD of two sizes."""

    def entry(attack: Attack, epsilon: float) -> AttackEntry:
        pixels = None if pixel_unit is None else epsilon / pixel_unit
        return AttackEntry(epochs_done, attack, epsilon, pixels, accuracy)

    return [
        AttackEntry(epochs_done, Attack.CLEAN, 0.0, 0.0 if pixel_unit else None, 0.9),
        *(entry(attack, size) for attack in (Attack.FGSM, Attack.PGD) for size in (2.0, 8.0)),
    ]


def series(*groups: list[AttackEntry], epochs: int = 10) -> AttackSeries:
    return AttackSeries(7, Backprop.DILATED, 0, epochs, 200, [entry for group in groups for entry in group])


def lines(figure: go.Figure) -> dict[tuple[Any, ...], Any]:
    return {
        (trace.meta["attack"], trace.meta.get("epochs_done", trace.meta.get("epsilon"))): trace for trace in figure.data
    }


class TestBySize:
    def test_has_a_line_an_attack_and_epoch_that_begins_clean(self) -> None:
        """Each line goes from clean images, at 0, to the largest attack; accuracies are in per cent."""
        found = lines(robustness_figure(series(attacked(0), attacked(2))))
        assert set(found) == {("fgsm", 0), ("pgd", 0), ("fgsm", 2), ("pgd", 2)}
        assert list(found["pgd", 2].x) == [0, 2, 8]
        assert list(found["pgd", 2].y) == [90, 50, 50]

    def test_lets_the_newest_epoch_stand_out(self) -> None:
        """What was measured before is faint, and only the newest lines have their labels shown."""
        figure = robustness_figure(series(attacked(0), attacked(2)))
        found = lines(figure)
        assert found["pgd", 0].opacity < 0.3
        assert found["pgd", 2].opacity == 1
        shown = {(note.name, note.text) for note in figure.layout.annotations if note.visible}
        assert shown == {("label:2", "FGSM"), ("label:2", "PGD")}
        assert {note.name for note in figure.layout.annotations} == {"label:0", "label:2"}

    def test_of_many_epochs_is_not_a_blot(self) -> None:
        """The more epochs were measured, the fainter are those before the newest; the page is told how faint."""
        figure = robustness_figure(series(*(attacked(epoch) for epoch in range(100))))
        assert figure.layout.meta["faint"] <= 0.03
        assert lines(figure)["pgd", 0].opacity == figure.layout.meta["faint"]

    @pytest.mark.parametrize(("accuracy", "low", "high"), [(0.895, 84, 96), (0.5, 45, 95), (0.9, 84, 96)])
    def test_shows_what_differs(self, accuracy: float, low: float, high: float) -> None:
        """The axis goes where the values are, and no closer than lets a small difference look small."""
        bottom, top = robustness_figure(series(attacked(0, accuracy=accuracy))).layout.yaxis.range
        assert low <= bottom < 100 * accuracy
        assert 90 < top <= high
        assert top - bottom >= 10

    def test_tells_attacks_apart_without_colour(self) -> None:
        """FGSM has triangles, PGD squares."""
        found = lines(robustness_figure(series(attacked(0))))
        assert found["fgsm", 0].marker.symbol != found["pgd", 0].marker.symbol

    @pytest.mark.parametrize(
        ("unit", "ticks", "words"),
        [
            (1.0, ["0", "2", "8"], "pixel values of 255"),
            (0.5, ["0<br>0", "2<br>4", "8<br>16"], "below it in pixel values"),
            (None, ["0", "2", "8"], "units of the preprocessed input"),
        ],
    )
    def test_has_sizes_in_pixel_values_too_where_they_are_defined(
        self, unit: float | None, ticks: list[str], words: str
    ) -> None:
        """Each size is on the axis, and below it what it is of 255, unless that is the same or not defined."""
        axis = robustness_figure(series(attacked(0, pixel_unit=unit))).layout.xaxis
        assert list(axis.ticktext) == ticks
        assert words in axis.title.text

    def test_tells_what_was_measured_when(self) -> None:
        """The figure lists its epochs, and has every number in its table."""
        meta = robustness_figure(series(attacked(0), attacked(2))).layout.meta
        assert meta["epochs"] == [0, 2]
        assert meta["table"]["rows"][1] == [0, "FGSM", "2", "2", "50.00"]
        assert len(meta["table"]["rows"]) == 10
        assert meta["summary"].startswith("Test accuracy after 2 epochs, of 200 images: clean 90.00 %; FGSM 2 50.00 %")

    def test_has_a_gap_where_an_accuracy_is_not_known(self) -> None:
        """An accuracy that could not be told is neither drawn nor written as a number."""
        figure = robustness_figure(series(attacked(0, accuracy=None)))
        assert list(lines(figure)["pgd", 0].y) == [90, None, None]
        assert figure.layout.meta["table"]["rows"][1][-1] == "\N{EN DASH}"

    def test_without_a_measurement_is_an_empty_frame(self) -> None:
        """Before the first attack there is no line and a sentence that says so."""
        figure = robustness_figure(series())
        assert figure.data == ()
        assert "nothing was measured yet" in figure.layout.meta["summary"]


class TestByEpoch:
    @pytest.mark.parametrize("attack", [Attack.FGSM, Attack.PGD])
    def test_has_clean_and_each_size_of_one_attack(self, attack: Any) -> None:
        """A line a size through the epochs, and clean images beside them."""
        found = lines(robustness_epochs_figure(series(attacked(0), attacked(2)), attack=attack))
        assert set(found) == {("clean", 0), (attack.value, 2), (attack.value, 8)}
        assert list(found[attack.value, 8].x) == [0, 2]
        assert list(found["clean", 0].y) == [90, 90]

    @pytest.mark.parametrize(("unit", "label"), [(1.0, "ε 8"), (0.5, "ε 16/255"), (None, "ε 8")])
    def test_names_each_size_at_the_end_of_its_line(self, unit: float | None, label: str) -> None:
        """The label is the size: in 255ths where it is defined and another number."""
        figure = robustness_epochs_figure(series(attacked(2, pixel_unit=unit)))
        assert label in [note.text for note in figure.layout.annotations]
