import itertools

import pytest

from frontend.labels import LABEL_LENGTH, plain_text, short_names, spread


class TestPlainText:
    @pytest.mark.parametrize(
        ("typed", "drawn"),
        [
            ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
            ("a & b", "a &amp; b"),
            ("$x^2$", "&#36;x^2&#36;"),
            ("one\n two\tthree", "one two three"),
            ("100 % {x}", "100 % {x}"),
        ],
    )
    def test_leaves_nothing_that_plotly_would_act_on(self, typed: str, drawn: str) -> None:
        """Tags, entities, formulas and line breaks of a user are letters, not instructions."""
        assert plain_text(typed) == drawn


class TestShortNames:
    def test_leave_short_names_as_they_are(self) -> None:
        """Names that fit lose nothing, even where they begin alike."""
        assert short_names(["demo manual", "demo dilated"]) == ["demo manual", "demo dilated"]

    def test_lose_the_words_with_which_all_begin(self) -> None:
        """Where one name is too long, what all have in common in front is left out of all."""
        long = "an experiment on many images"
        assert short_names([f"{long} manual", f"{long} dilated"]) == ["manual", "dilated"]

    def test_keep_at_least_one_word(self) -> None:
        """A name that is the beginning of another keeps its last word."""
        long = "an experiment on many images"
        assert short_names([long, f"{long} again"]) == ["images", "images again"]

    def test_cut_the_middle_so_that_both_ends_stay(self) -> None:
        """A single long name keeps its beginning and its end, where the seed stands."""
        (name,) = short_names(["standardized-cifar-width-128 seed 3"])
        assert name == "standardized…28 seed 3"
        assert len(name) == LABEL_LENGTH

    def test_keep_long_equal_names_whole_words_and_all(self) -> None:
        """Names that do not differ are not emptied."""
        names = short_names(["the very same name for both of them"] * 2)
        assert names[0] == names[1]
        assert names[0].startswith("the very")


class TestSpread:
    def test_moves_nothing_that_has_room(self) -> None:
        """Positions that are far enough apart stay, in the order in which they came."""
        assert spread([50, 0, 100], gap=16) == [50, 0, 100]

    def test_parts_what_touches_around_its_middle(self) -> None:
        """Two labels at one height move by half a gap each."""
        assert spread([20, 20], gap=16) == [12, 28]

    def test_moves_neighbours_of_neighbours_together(self) -> None:
        """A group that grows into the next one takes it in; no two are nearer than the gap, and the order stays."""
        places = spread([0, 10, 20, 30, 200], gap=16)
        assert places == sorted(places)
        assert all(b - a >= 16 for a, b in itertools.pairwise(places))
        assert sum(places[:4]) / 4 == 15
        assert places[4] == 200

    def test_of_nothing_is_nothing(self) -> None:
        """No labels need no places."""
        assert spread([], gap=16) == []
