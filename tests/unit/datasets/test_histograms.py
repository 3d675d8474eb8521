import numpy as np
import pytest

from backend.contract import Network, Preprocessing
from tests.unit.datasets.files import Bytes, pixels
from worker.datasets import preprocess
from worker.datasets.histograms import BINS, Histogram, histograms
from worker.datasets.split import Split


def split(images: Bytes) -> Split:
    return Split(images[..., np.newaxis], np.zeros(len(images), np.int32))


def found(
    preprocessing: Preprocessing, network: Network = Network.MLP, *, own_statistics: bool = False
) -> dict[tuple[str, str], Histogram]:
    train, test = split(pixels(40, 6, 6, seed=1) // 2), split(pixels(10, 6, 6, seed=2))
    made = histograms(train, test, network, preprocessing, own_statistics=own_statistics)
    return {(one.split, one.stage): one for one in made}


class TestHistograms:
    @pytest.mark.parametrize("preprocessing", list(Preprocessing))
    @pytest.mark.parametrize(("network", "values"), [(Network.MLP, 36), (Network.CONV7, 1024)])
    def test_count_every_pixel_once(self, preprocessing: Preprocessing, network: Network, values: int) -> None:
        """Bins and what lies beyond them hold all pixels at the network's size, before and after."""
        for (name, _), one in found(preprocessing, network).items():
            images = 40 if name == "train" else 10
            assert sum(one.counts) + one.below + one.above == images * values
            assert len(one.edges) == BINS + 1 == len(one.counts) + 1
            assert one.edges == sorted(one.edges)

    def test_put_each_pixel_value_where_it_belongs(self) -> None:
        """Four pixel values share a bin, 255 among them; nothing lies beyond."""
        images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
        (one, *_) = histograms(split(images), split(images), Network.MLP, Preprocessing.RAW, own_statistics=False)
        assert one.counts == [4] * BINS
        assert (one.below, one.above, one.minimum, one.maximum) == (0, 0, 0.0, 255.0)
        assert one.mean == pytest.approx(127.5)
        assert one.deviation == pytest.approx(np.arange(256).std())

    def test_are_those_of_the_pixels_that_a_run_trains_on(self) -> None:
        """After preprocessing, mean and deviation are those of the preprocessed images."""
        train = split(pixels(40, 6, 6, seed=1) // 2)
        images = preprocess.resized(train.images)
        images = preprocess.apply(images, preprocess.fit(images, Preprocessing.STANDARDIZE))
        one = found(Preprocessing.STANDARDIZE, Network.CONV7)["train", "after"]
        assert one.mean == pytest.approx(float(images.mean(dtype=np.float64)), abs=1e-9)
        assert one.deviation == pytest.approx(float(images.std(dtype=np.float64)))
        assert (one.minimum, one.maximum) == (float(images.min()), float(images.max()))

    def test_of_the_test_images_come_from_training_data(self) -> None:
        """Test images are shifted by the training images' mean, unless by their own: then their mean is 0."""
        theirs = found(Preprocessing.STANDARDIZE)["test", "after"]
        own = found(Preprocessing.STANDARDIZE, own_statistics=True)["test", "after"]
        assert theirs.mean > 1
        assert own.mean == pytest.approx(0, abs=1e-6)
        assert theirs.edges == own.edges

    def test_of_single_pixels_far_out_stay_readable(self) -> None:
        """One pixel a thousand deviations off is counted beyond the last edge, and does not squeeze the bins."""
        train = np.full((5000, 2, 2), 100, np.uint8)
        train[::2] = 102
        test = train.copy()
        test[0] = 255
        made = histograms(split(train), split(test), Network.MLP, Preprocessing.STANDARDIZE, own_statistics=False)
        last = made[-1]
        assert (last.above, last.below) == (4, 0)
        assert last.maximum > 100
        assert last.edges[-1] < 6
