import pytest

from frontend.charts import Histogram, histogram_figure


def histogram(split: str = "train", stage: str = "before", beyond: int = 0) -> Histogram:
    return Histogram(split, stage, [0, 4, 8], [3, 1], beyond, mean=2.5, deviation=1.5, minimum=0, maximum=7)


BOTH = (histogram("train"), histogram("test"), histogram("train", "after"), histogram("test", "after"))


class TestHistograms:
    def test_have_a_line_a_split_of_the_stage(self) -> None:
        """Each split is a line of steps, found by its meta; the other stage is not drawn."""
        figure = histogram_figure(BOTH, stage="after", log=False)
        assert [trace.meta for trace in figure.data] == [
            {"split": "train", "stage": "after"},
            {"split": "test", "stage": "after"},
        ]
        assert {trace.line.shape for trace in figure.data} == {"hv"}

    def test_count_shares_of_all_values(self) -> None:
        """A step is the share of one bin; what lies beyond the bins counts in the whole, and is told."""
        (drawn,) = histogram_figure([histogram(beyond=4)], stage="before", log=False).data
        assert list(drawn.x) == [0, 4, 8]
        assert list(drawn.y) == [37.5, 12.5, 12.5]
        assert drawn.name == "train, 50 % beyond the axis"

    def test_tell_splits_apart_without_colour(self) -> None:
        """Test is solid; train is dashed, thinner and filled."""
        train, test = histogram_figure(BOTH, stage="before", log=True).data
        assert (test.line.dash, train.line.dash) == ("solid", "5px,4px")
        assert train.line.width < test.line.width
        assert train.fill == "tozeroy"

    @pytest.mark.parametrize("log", [True, False])
    def test_leave_empty_bins_open_on_either_axis(self, log: bool) -> None:
        """A bin without a value has no step: on a logarithmic axis it would have no place."""
        empty = Histogram("test", "before", [0, 4, 8], [0, 2], 0, 5, 1, 4, 7)
        figure = histogram_figure([empty], stage="before", log=log)
        assert list(figure.data[0].y) == [None, 100, 100]
        assert (figure.layout.yaxis.type == "log") is log

    def test_tell_moments_in_words_and_as_a_table(self) -> None:
        """Mean, deviation and ends of each split are there to be read."""
        meta = histogram_figure(BOTH, stage="before", log=True).layout.meta
        assert meta["table"]["rows"] == [["train", "2.5", "1.5", "0", "7"], ["test", "2.5", "1.5", "0", "7"]]
        assert "train: mean 2.5, deviation 1.5" in meta["summary"]
