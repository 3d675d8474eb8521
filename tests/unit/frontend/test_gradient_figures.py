import itertools
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import pytest

from backend.contract import AuditVerdict, Backprop, Deviation
from frontend.charts import LAYER_MEASURES, AuditEntry, AuditSeries, Theme, audit_figure, deviation_figure, layer_figure
from frontend.charts.layers import HEIGHT
from frontend.charts.look import INKS
from frontend.palette import LINE_CONTRAST, TEXT_CONTRAST, contrast
from tests.builders import failed_layer, layer_measurement

THEMES: tuple[Theme, Theme] = ("light", "dark")


def series(*entries: AuditEntry, epochs: int = 4, every: int = 2, backprop: Backprop = Backprop.DILATED) -> AuditSeries:
    return AuditSeries(7, backprop, 0, epochs, every, entries)


def sound(epochs_done: int, layer: int, **changes: Any) -> AuditEntry:
    return AuditEntry(epochs_done, expected=False, measured=layer_measurement(layer, **changes))


def cells(figure: go.Figure) -> dict[str, list[tuple[int, float]]]:
    """Column and layer of every cell, by verdict."""
    return {
        trace.meta["verdict"]: [(x, base + 0.5) for x, base in zip(trace.x, trace.base or (), strict=False)]
        for trace in figure.data
    }


ALL_KINDS = (
    sound(0, 1),
    AuditEntry(0, expected=False, measured=failed_layer(2)),
    AuditEntry(2, expected=True, measured=failed_layer(1)),
    sound(2, 2, verdict=AuditVerdict.NO_SIGNAL, tape_error=None, difference_error=None, gradient_norm=0.0),
)


class TestTheAuditGrid:
    def test_has_a_cell_for_every_layer_and_audit(self) -> None:
        """Each cell stands in the column of its audit and the row of its layer, among those of its verdict."""
        assert cells(audit_figure(series(*ALL_KINDS))) == {
            "passed": [(0, 1)],
            "failed": [(0, 2)],
            "expected": [(1, 1)],
            "no signal": [(1, 2)],
        }

    def test_tells_verdicts_apart_without_colour(self) -> None:
        """Each verdict has its own sign or pattern, and its words in the key."""
        figure = audit_figure(series(*ALL_KINDS))
        looks = {trace.meta["verdict"]: (trace.text[0], trace.marker.pattern.shape) for trace in figure.data}
        assert len(set(looks.values())) == 4
        assert [trace.name for trace in figure.data] == [
            "✓ passed",
            "✕ failed",
            "✕ failed, as expected",
            "\N{EN DASH} no signal",
        ]

    def test_of_many_audits_marks_what_has_failed(self) -> None:
        """Where cells are narrow, ticks would touch and are left out; a failure keeps its sign."""
        entries = [sound(epoch, 1) for epoch in range(40)]
        failed = AuditEntry(7, expected=False, measured=failed_layer(2))
        passed, failures = audit_figure(series(*entries, failed, epochs=39, every=1)).data
        assert set(passed.text) == {""}
        assert list(failures.text) == ["✕"]

    @pytest.mark.parametrize("theme", THEMES)
    def test_has_signs_that_can_be_read(self, theme: Theme) -> None:
        """A sign stands out 3:1 against its cell, as a graphic must."""
        for trace in audit_figure(series(*ALL_KINDS), theme=theme).data:
            assert contrast(trace.insidetextfont.color, trace.marker.color) >= LINE_CONTRAST

    def test_tells_the_figures_of_a_cell(self) -> None:
        """The hover box has layer, epoch, verdict and both errors; what could not be told is a dash."""
        passed, _, _, silent = audit_figure(series(*ALL_KINDS)).data
        assert passed.hovertext[0].split("<br>") == [
            "layer 1, before training: <b>passed</b>",
            "against automatic differentiation: 1e-15",
            "against a central difference: 1e-09",
            "norm of the gradient: 0.5",
        ]
        assert "layer 2, after 2 epochs: <b>no signal</b>" in silent.hovertext[0]
        assert "automatic differentiation: \N{EN DASH}" in silent.hovertext[0]

    def test_has_room_for_audits_to_come(self) -> None:
        """Columns are those of the whole run from the start: what is drawn later moves nothing."""
        early = audit_figure(series(sound(0, 1), epochs=40, every=4))
        late = audit_figure(series(*(sound(epochs, 1) for epochs in range(0, 41, 4)), epochs=40, every=4))
        assert early.layout.xaxis.range == late.layout.xaxis.range
        assert early.layout.xaxis.ticktext == late.layout.xaxis.ticktext

    def test_of_a_very_long_run_shows_what_is_there(self) -> None:
        """Thousands of audits to come are given no room before they are made."""
        figure = audit_figure(series(sound(0, 1), sound(1, 1), epochs=10_000, every=1))
        assert figure.layout.xaxis.range[1] < 20

    def test_has_its_numbers_as_a_table_and_a_sentence(self) -> None:
        """Who can't see the grid reads it row by row, and what it comes to in one sentence."""
        meta = audit_figure(series(*ALL_KINDS)).layout.meta
        assert meta["table"]["columns"][:3] == ["epochs done", "layer", "verdict"]
        assert meta["table"]["rows"][1] == [0, 2, "failed", "1", "0.5"]
        expected = "2 layers by 2 audits: 1 passed, 1 failed, 1 failed, as expected, 1 no signal."
        assert meta["summary"] == expected

    def test_without_an_audit_is_an_empty_frame(self) -> None:
        """Before the first audit there is a frame with a key, and no cell."""
        figure = audit_figure(series())
        assert cells(figure) == {"passed": [], "failed": []}
        assert figure.layout.meta["table"]["rows"] == []


class TestTheDeviationMap:
    def test_has_a_row_a_layer_and_a_column_an_audit(self) -> None:
        """Values are those of the dilated gradient against the true one; audits to come are left open."""
        update = Deviation(0.5, 0.9, 1.25)
        entries = [sound(0, layer, update=update if layer == 1 else Deviation(0.0, 1.0, 1.0)) for layer in (1, 2)]
        (drawn,) = deviation_figure(series(*entries)).data
        assert drawn.meta == {"run_id": 7, "measure": "error"}
        assert [list(row) for row in drawn.z] == [[0.5, None, None], [0.0, None, None]]
        assert list(drawn.y) == [1, 2]
        assert "relative error 0.5<br>cosine 0.9<br>ratio of norms 1.25" in drawn.customdata[0][0]

    def test_sees_half_and_twice_as_equally_far(self) -> None:
        """Ratios of norms are coloured by their logarithm, around 1, and written as they are."""
        entries = [sound(0, 1, update=Deviation(1, 1, 0.5)), sound(2, 1, update=Deviation(1, 1, 2.0))]
        (drawn,) = deviation_figure(series(*entries), measure="norm_ratio").data
        assert list(drawn.z[0])[:2] == [-1.0, 1.0]
        assert drawn.zmin == -drawn.zmax
        assert list(drawn.text[0])[:2] == ["0.5", "2"]

    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize("measure", ["error", "cosine", "norm_ratio"])
    def test_has_numbers_that_can_be_read_on_every_colour(self, theme: Theme, measure: Any) -> None:
        """The text of a cell reaches 4:1 on each colour of the scale."""
        entry = sound(0, 1, update=Deviation(0.5, 0.9, 1.25))
        (drawn,) = deviation_figure(series(entry), measure=measure, theme=theme).data
        assert min(contrast(drawn.textfont.color, color) for _, color in drawn.colorscale) >= 4

    def test_of_a_manual_run_is_empty(self) -> None:
        """A run that trains with the true gradient has no deviation from it."""
        figure = deviation_figure(series(sound(0, 1), backprop=Backprop.MANUAL))
        assert figure.data == ()
        assert figure.layout.meta["table"]["rows"] == []


class TestLayerLines:
    @pytest.mark.parametrize("measure", LAYER_MEASURES)
    def test_are_one_a_layer_found_by_their_meta(self, measure: str) -> None:
        """Every measure has a line a layer, in order, at the epochs that were done."""
        entries = [sound(epochs, layer) for epochs in (0, 2) for layer in (1, 2, 3)]
        figure = layer_figure(series(*entries), measure=measure)
        assert [trace.meta for trace in figure.data] == [
            {"run_id": 7, "layer": layer, "measure": measure} for layer in (1, 2, 3)
        ]
        assert all(list(trace.x) == [0, 2] for trace in figure.data)

    @pytest.mark.parametrize(
        ("measure", "value"),
        [
            ("gradient_norm", 0.5),
            ("weight_norm", 4.0),
            ("update_ratio", 0.01),
            ("vmax_active", 25.0),
            ("own_error", 2e-6),
        ],
    )
    def test_have_the_values_that_were_measured(self, measure: str, value: float) -> None:
        """Numbers are as they were measured; shares are in per cent."""
        (drawn,) = layer_figure(series(sound(0, 1)), measure=measure).data
        assert list(drawn.y) == [value]

    @pytest.mark.parametrize("theme", THEMES)
    def test_rise_in_lightness_and_have_labels_that_can_be_read(self, theme: Theme) -> None:
        """Later layers are stronger than earlier ones; each label reaches 4.5:1."""
        surface = INKS[theme].surface
        figure = layer_figure(series(*(sound(0, layer) for layer in range(1, 8))), theme=theme)
        contrasts = [contrast(trace.line.color, surface) for trace in figure.data]
        assert contrasts == sorted(contrasts)
        assert contrasts[0] >= LINE_CONTRAST
        assert [note.text for note in figure.layout.annotations] == [f"layer {layer}" for layer in range(1, 8)]
        assert all(contrast(note.font.color, surface) >= TEXT_CONTRAST for note in figure.layout.annotations)

    def test_put_no_label_upon_another(self) -> None:
        """Labels of lines that end at one place are moved apart."""
        figure = layer_figure(series(*(sound(0, layer) for layer in range(1, 8))))
        shifts = sorted(note.yshift for note in figure.layout.annotations)
        assert min(b - a for a, b in itertools.pairwise(shifts)) >= 13.9

    def test_keep_their_labels_within_the_plot(self) -> None:
        """Labels of lines that all end at the foot of the plot are pushed up, none below the axis."""
        figure = layer_figure(
            series(*(sound(0, layer, vmax_active=0.0) for layer in range(1, 8))), measure="vmax_active"
        )
        low, high = figure.layout.yaxis.range
        margin = figure.layout.margin
        foot = (HEIGHT - margin.t - margin.b) * (0 - low) / (high - low)
        places = sorted(foot + note.yshift for note in figure.layout.annotations)
        assert places[0] >= 7
        assert min(b - a for a, b in itertools.pairwise(places)) >= 13.9

    def test_stand_on_the_axis_that_suits_them(self) -> None:
        """Norms are on a logarithmic axis, with labels at the powers of ten where lines end; shares on a plain one."""
        entries = [sound(0, 1, gradient_norm=100.0)]
        norms = layer_figure(series(*entries), measure="gradient_norm")
        assert norms.layout.yaxis.type == "log"
        assert norms.layout.annotations[0].y == pytest.approx(2.0)
        assert layer_figure(series(*entries), measure="vmax_active").layout.yaxis.type is None

    @pytest.mark.parametrize("norms", [(2.1e-3, 9.5e-3), (0.5, 0.5), (0.011, 0.0185), (52.0, 98.0)])
    def test_that_are_close_have_two_ticks_at_least(self, norms: tuple[float, float]) -> None:
        """On a logarithmic axis of less than a power of ten one number alone would tell no scale."""
        entries = [sound(2 * place, 1, gradient_norm=norm) for place, norm in enumerate(norms)]
        axis = layer_figure(series(*entries), measure="gradient_norm").layout.yaxis
        low, high = axis.range
        assert len([tick for tick in axis.tickvals if 10**low <= tick <= 10**high]) >= 2

    def test_leave_out_what_has_no_numbers(self) -> None:
        """Adam keeps no vmax: there is no line, and the table has no row."""
        figure = layer_figure(series(sound(0, 1, vmax_active=None)), measure="vmax_active")
        assert figure.data == ()
        assert figure.layout.meta["table"]["rows"] == []

    def test_break_where_a_number_is_missing(self) -> None:
        """A layer without a signal in one audit has a gap there, which nothing bridges."""
        entries = [sound(0, 1), sound(2, 1, gradient_norm=None), sound(4, 1)]
        (drawn,) = layer_figure(series(*entries)).data
        assert list(drawn.y) == [0.5, None, 0.5]
        assert drawn.connectgaps is False

    def test_have_all_numbers_in_the_table(self) -> None:
        """A row an epoch, a column a layer."""
        entries = [sound(epochs, layer, gradient_norm=layer / 8) for epochs in (0, 2) for layer in (1, 2)]
        assert layer_figure(series(*entries)).layout.meta["table"] == {
            "columns": ["epochs done", "layer 1", "layer 2"],
            "rows": [[0, "0.125", "0.25"], [2, "0.125", "0.25"]],
        }


class TestAxes:
    @pytest.mark.parametrize(("total", "done", "end"), [(24, 0, 24), (1, 1, 1), (1000, 10, 32), (1000, 1000, 1000)])
    def test_of_epochs_have_room_to_grow(self, total: int, done: int, end: int) -> None:
        """A run's axis is as long as the run; that of a long one is not empty for the most part."""
        figure = layer_figure(series(*_every(done), epochs=total))
        low, high = figure.layout.xaxis.range
        assert -0.3 - 0.02 * end <= low < 0
        assert end <= high <= end * 1.02 + 0.3


def _every(done: int) -> Sequence[AuditEntry]:
    return [sound(0, 1), sound(done, 1)] if done else [sound(0, 1)]
