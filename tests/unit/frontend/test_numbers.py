import base64
import json

import numpy as np
import pytest

from frontend.charts.numbers import FEW, figure_json, plain

MANY = FEW + 1


def sent(*columns: np.ndarray) -> list[object]:
    """What a script reads of columns that were sent."""
    figure = {"data": [{"y": column} for column in columns], "layout": {}}
    return [trace["y"] for trace in json.loads(figure_json(figure))["data"]]


def unpacked(column: object) -> np.ndarray:
    assert isinstance(column, dict)
    return np.frombuffer(base64.b64decode(column["bdata"]), dtype=f"<{column['dtype']}")


class TestColumns:
    def test_of_few_numbers_are_lists(self) -> None:
        """A script reads a small figure without decoding; null stands where there is no value."""
        assert sent(np.array([1.5, np.nan, np.inf])) == [[1.5, None, None]]
        assert plain({"x": [np.array([1.0, np.nan])]}) == {"x": [[1.0, None]]}

    def test_of_many_numbers_are_packed(self) -> None:
        """Whole numbers become 16-bit integers where they fit, others 32-bit floats, NaN included."""
        whole, broken = np.arange(MANY, dtype=float), np.linspace(0, 1, MANY)
        broken[3] = np.nan
        first, second = sent(whole, broken)
        assert (unpacked(first).dtype.name, unpacked(second).dtype.name) == ("int16", "float32")
        np.testing.assert_array_equal(unpacked(first), whole)
        np.testing.assert_allclose(unpacked(second), broken, rtol=1e-7)

    def test_that_do_not_fit_into_integers_are_floats(self) -> None:
        """Numbers above 32,767 are not cut."""
        (column,) = sent(np.arange(MANY, dtype=float) + 20_000)
        np.testing.assert_array_equal(unpacked(column), np.arange(MANY) + 20_000)

    def test_refuse_what_json_can_not_hold(self) -> None:
        """Anything but numbers, words and arrays is an error."""
        with pytest.raises(TypeError, match="set has no form in JSON"):
            figure_json({"data": [{"y": {1}}], "layout": {}})
