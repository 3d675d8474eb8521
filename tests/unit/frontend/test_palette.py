import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from backend.contract import Backprop
from frontend.palette import (
    DARK_SURFACE,
    LIGHT_SURFACE,
    LINE_CONTRAST,
    TEXT_CONTRAST,
    contrast,
    lightness_steps,
    readable,
    run_style,
    text_color,
)

COLORS = 6  # of each kind, before the first comes again
TOKENS = Path(__file__).resolve().parents[3] / "frontend" / "css" / "tokens.css"
KINDS = list(Backprop)


@pytest.fixture(scope="module")
def tokens() -> dict[str, tuple[str, str]]:
    """Each colour of tokens.css, for light and dark."""
    found = re.findall(r"--color-([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", TOKENS.read_text())
    return {name: (light, dark) for name, light, dark in found}


class TestContrast:
    @pytest.mark.parametrize(
        ("first", "second", "expected"),
        [("#000000", "#FFFFFF", 21.0), ("#777777", "#FFFFFF", 4.48), ("#0072B2", "#0072B2", 1.0)],
    )
    def test_is_that_of_wcag(self, first: str, second: str, expected: float) -> None:
        """Black on white is 21, a colour on itself 1, and which of the two is first does not matter."""
        assert contrast(first, second) == pytest.approx(expected, abs=0.005)
        assert contrast(second, first) == contrast(first, second)


class TestRunStyle:
    def test_tells_manual_from_dilated_by_more_than_colour(self) -> None:
        """Manual runs are circles, dilated ones diamonds, and no colour belongs to both."""
        manual, dilated = ([run_style(kind, place) for place in range(COLORS)] for kind in KINDS)
        assert {style.marker for style in manual} == {"circle"}
        assert {style.marker for style in dilated} == {"diamond"}
        assert not {style.color for style in manual} & {style.color for style in dilated}

    def test_begins_with_the_two_colours_of_the_house(self) -> None:
        """The first manual run is blue, the first dilated one vermilion."""
        assert run_style(Backprop.MANUAL, 0).color == "#0072B2"
        assert run_style(Backprop.DILATED, 0).color == "#D55E00"

    @pytest.mark.parametrize("kind", KINDS)
    def test_gives_each_run_a_colour_of_its_own_until_all_are_taken(self, kind: Backprop) -> None:
        """Six runs of a kind have six colours on either surface; the seventh has the first again."""
        styles = [run_style(kind, place) for place in range(COLORS + 1)]
        assert Counter(style.color for style in styles) == Counter(
            {style.color: 1 for style in styles[1:COLORS]} | {styles[0].color: 2}
        )
        assert len({style.dark_color for style in styles}) == COLORS
        assert styles[COLORS] == styles[0]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("place", range(COLORS))
    def test_can_be_seen_on_both_surfaces(self, kind: Backprop, place: int) -> None:
        """A line stands out 3:1 on white and 4.5:1 on the dark surface, where its label has the same colour."""
        style = run_style(kind, place)
        assert contrast(style.color, LIGHT_SURFACE) >= LINE_CONTRAST
        assert contrast(style.dark_color, DARK_SURFACE) >= TEXT_CONTRAST


class TestTextColor:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("place", range(COLORS))
    def test_can_be_read_on_white(self, kind: Backprop, place: int) -> None:
        """A label at the end of a line reaches 4.5:1, however light the line is."""
        assert contrast(text_color(run_style(kind, place).color, LIGHT_SURFACE), LIGHT_SURFACE) >= TEXT_CONTRAST

    def test_leaves_a_colour_that_can_be_read(self) -> None:
        """What is dark enough stays the colour of its line."""
        assert text_color("#0072B2", LIGHT_SURFACE) == "#0072B2"

    def test_ends_at_black_where_nothing_would_do(self) -> None:
        """On a surface too dark for any darkening it gives black instead of going on for ever."""
        assert text_color("#505050", "#404040") == "#000000"


class TestTheColoursOfThePage:
    @pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
    @pytest.mark.parametrize("ground", ["page", "surface", "raised", "sunken", "hover", "chosen", "danger-surface"])
    @pytest.mark.parametrize("ink", ["text", "muted", "accent", "running", "success", "danger", "warning"])
    def test_can_be_read(self, tokens: dict[str, tuple[str, str]], ink: str, ground: str, theme: int) -> None:
        """Every colour of text reaches 4.5:1 on every ground."""
        assert contrast(tokens[ink][theme], tokens[ground][theme]) >= TEXT_CONTRAST

    @pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
    def test_show_where_a_field_is_and_where_the_focus_is(self, tokens: dict[str, tuple[str, str]], theme: int) -> None:
        """The edge of a field and the ring of the focus stand out 3:1; words on the main button reach 4.5:1."""
        for ground in ("page", "surface"):
            for edge in ("border-strong", "focus"):
                assert contrast(tokens[edge][theme], tokens[ground][theme]) >= LINE_CONTRAST
        for button in ("accent", "accent-hover"):
            assert contrast(tokens["on-accent"][theme], tokens[button][theme]) >= TEXT_CONTRAST

    def test_are_those_of_the_figures(self, tokens: dict[str, tuple[str, str]]) -> None:
        """A figure reckons its contrasts with the surface that the page has."""
        assert tokens["surface"] == (LIGHT_SURFACE, DARK_SURFACE)


class TestLightnessSteps:
    @pytest.mark.parametrize("surface", [LIGHT_SURFACE, DARK_SURFACE])
    @pytest.mark.parametrize("color", ["#0072B2", "#D55E00", "#84FDCD", "#004F38"])
    def test_are_told_from_each_other_and_from_the_surface(self, color: str, surface: str) -> None:
        """Seven steps begin at 3:1 against the surface, and each stands out a fifth more than the one before."""
        contrasts = [contrast(step, surface) for step in lightness_steps(color, 7, surface)]
        assert contrasts[0] >= LINE_CONTRAST
        assert all(later / earlier > 1.2 for earlier, later in itertools.pairwise(contrasts))

    @pytest.mark.parametrize("surface", [LIGHT_SURFACE, DARK_SURFACE])
    def test_are_as_many_as_are_asked_for(self, surface: str) -> None:
        """One step, or none, is no special case."""
        assert [len(lightness_steps("#0072B2", count, surface)) for count in (0, 1, 2)] == [0, 1, 2]


class TestReadable:
    @pytest.mark.parametrize("surface", [LIGHT_SURFACE, DARK_SURFACE])
    def test_is_a_shade_that_can_be_read(self, surface: str) -> None:
        """A colour too faint for text becomes one that reaches 4.5:1; another stays as it is."""
        faint = lightness_steps("#0072B2", 7, surface)[0]
        assert contrast(readable(faint, surface), surface) >= TEXT_CONTRAST
        strong = lightness_steps("#0072B2", 7, surface)[-1]
        assert readable(strong, surface) == strong
