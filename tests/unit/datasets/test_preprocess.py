import numpy as np
import pytest

from backend.contract import Preprocessing
from tests.unit.datasets.files import pixels
from worker.datasets import preprocess
from worker.datasets.preprocess import Floats


def floats(*shape: int, seed: int = 0) -> Floats:
    return pixels(*shape, seed=seed).astype(np.float32)


def resized_by_formula(image: Floats) -> Floats:
    """One image [height, width], each of the 32 x 32 pixels by itself."""
    height, width = image.shape
    result = np.zeros((32, 32))
    for i, j in np.ndindex(32, 32):
        row, column = (i + 0.5) * height / 32 - 0.5, (j + 0.5) * width / 32 - 0.5
        for p in (int(np.floor(row)), int(np.floor(row)) + 1):
            for q in (int(np.floor(column)), int(np.floor(column)) + 1):
                weight = (1 - abs(row - p)) * (1 - abs(column - q))
                result[i, j] += weight * image[np.clip(p, 0, height - 1), np.clip(q, 0, width - 1)]
    return result.astype(np.float32)


class TestResized:
    def test_leaves_images_of_the_right_size(self) -> None:
        """At 32 x 32 every pixel stays, in a copy and as float32."""
        images = pixels(3, 32, 32, 3)
        result = preprocess.resized(images)
        assert np.array_equal(result, images)
        assert result.dtype == np.float32
        given = floats(2, 32, 32, 1)
        assert not np.shares_memory(preprocess.resized(given), given)

    @pytest.mark.parametrize("side", [8, 28, 48])
    def test_keeps_a_constant(self, side: int) -> None:
        """An image of one value stays one of that value, edges included."""
        assert np.unique(preprocess.resized(np.full((1, side, side, 1), 77, np.uint8))).tolist() == [77]

    def test_of_a_ramp_is_the_ramp_with_flat_ends(self) -> None:
        """Half-pixel centres: of 8 values in 32, a step is a quarter, and beyond the outer centres all is flat."""
        ramp = np.arange(8, dtype=np.uint8) * 10
        expected = np.clip((np.arange(32) + 0.5) / 4 - 0.5, 0, 7) * 10
        columns = preprocess.resized(np.broadcast_to(ramp[np.newaxis, np.newaxis, :, np.newaxis], (1, 8, 8, 1)))
        rows = preprocess.resized(np.broadcast_to(ramp[np.newaxis, :, np.newaxis, np.newaxis], (1, 8, 8, 1)))
        assert np.array_equal(columns[0, :, :, 0], np.tile(expected, (32, 1)))
        assert np.array_equal(rows[0, :, :, 0], np.tile(expected[:, np.newaxis], (1, 32)))

    @pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 20), (40, 33), (1, 2)])
    def test_equals_its_formula(self, height: int, width: int) -> None:
        """Each pixel is the mean of its four neighbours, weighted by nearness; each image and channel by itself."""
        images = floats(2, height, width, 2)
        result = preprocess.resized(images)
        assert result.shape == (2, 32, 32, 2)
        for n, channel in np.ndindex(2, 2):
            expected = resized_by_formula(images[n, :, :, channel])
            assert result[n, :, :, channel] == pytest.approx(expected, abs=1e-3)

    def test_of_many_is_that_of_each(self) -> None:
        """Images are worked on in chunks, and none is lost or moved between two of them."""
        images = pixels(preprocess.CHUNK + 3, 4, 4, 1)
        result = preprocess.resized(images)
        for n in (0, preprocess.CHUNK - 1, preprocess.CHUNK, preprocess.CHUNK + 2):
            assert np.array_equal(result[n], preprocess.resized(images[n : n + 1])[0])


class TestRawAndUnit:
    @pytest.mark.parametrize(("preprocessing", "scale"), [(Preprocessing.RAW, 1.0), (Preprocessing.UNIT, 255.0)])
    def test_only_scale(self, preprocessing: Preprocessing, scale: float) -> None:
        """Raw pixels are 0 to 255 and unit pixels 0 to 1, whatever the training images are."""
        images = floats(5, 32, 32, 1)
        scaling = preprocess.fit(images, preprocessing)
        assert (scaling.mean.shape, float(scaling.mean)) == ((), 0.0)
        assert (scaling.deviation.shape, float(scaling.deviation)) == ((), scale)
        assert np.array_equal(preprocess.apply(images.copy(), scaling), images / np.float32(scale))


class TestStandardize:
    def test_gives_each_pixel_mean_0_and_deviation_1(self) -> None:
        """Over the images that it was fitted to each pixel of each channel has mean 0 and deviation 1."""
        images = floats(40, 32, 32, 3)
        result = preprocess.apply(images.copy(), preprocess.fit(images, Preprocessing.STANDARDIZE))
        assert result.dtype == np.float32
        assert np.abs(result.mean(axis=0)).max() < 1e-5
        assert np.abs(result.std(axis=0) - 1).max() < 1e-5

    def test_uses_the_statistics_that_it_was_fitted_to(self) -> None:
        """Other images are shifted and scaled by the same numbers, not by their own."""
        train, test = floats(40, 32, 32, 1, seed=1), floats(7, 32, 32, 1, seed=2) // 2
        result = preprocess.apply(test.copy(), preprocess.fit(train, Preprocessing.STANDARDIZE))
        expected = (test - train.mean(axis=0, dtype=np.float64)) / train.std(axis=0, dtype=np.float64)
        assert result == pytest.approx(expected, abs=1e-5)

    def test_leaves_constant_pixels_small(self) -> None:
        """A pixel that never varies is divided by 255 and not by 0; one that hardly varies as well."""
        images = floats(10, 32, 32, 1)
        images[:, 0, 0, 0] = 200
        images[:, 0, 1, 0] = [10, 10.4] * 5  # deviation 0.2, below a thousandth of 255
        images[:, 0, 2, 0] = [10, 10.6] * 5  # deviation 0.3
        scaling = preprocess.fit(images, Preprocessing.STANDARDIZE)
        assert scaling.deviation[0, :3, 0].tolist() == [255, 255, pytest.approx(0.3, rel=1e-4)]
        other = preprocess.apply(np.zeros((1, 32, 32, 1), np.float32), scaling)
        assert np.isfinite(other).all()
        assert other[0, 0, 0, 0] == pytest.approx(-200 / 255)

    def test_of_many_images_is_that_of_all(self) -> None:
        """The deviation is taken over all images, though they are worked on in chunks."""
        images = np.zeros((preprocess.CHUNK + 1000, 1, 1, 1), np.float32)
        images[preprocess.CHUNK :] = 120
        scaling = preprocess.fit(images, Preprocessing.STANDARDIZE)
        assert float(scaling.mean[0, 0, 0]) == pytest.approx(20)
        assert float(scaling.deviation[0, 0, 0]) == pytest.approx(120 * (5 / 36) ** 0.5)


class TestUndo:
    @pytest.mark.parametrize("preprocessing", list(Preprocessing))
    @pytest.mark.parametrize("size", [(12, 12, 3), (8, 8, 1)])
    def test_gives_the_pixels_back(self, preprocessing: Preprocessing, size: tuple[int, int, int]) -> None:
        """Each preprocessing, whitening included, is undone to far less than a pixel value, and changes no argument."""
        train, images = floats(60, *size), floats(5, *size, seed=1)
        train[..., 0, :] = 7  # a column that never varies
        scaling = preprocess.fit(train, preprocessing)
        given = preprocess.apply(images.copy(), scaling)
        kept = given.copy()
        assert preprocess.undo(given, scaling) == pytest.approx(images, abs=0.02)
        assert np.array_equal(given, kept)


class TestMemory:
    @pytest.mark.parametrize("shape", [(3, 8, 8, 1), (5, 28, 28, 1), (2, 32, 32, 3)])
    def test_of_images_is_laid_out_for_the_trainer(self, shape: tuple[int, ...]) -> None:
        """Images begin at a multiple of 64 bytes and are contiguous, so that the trainer needs no copy of them."""
        for images in (preprocess.resized(floats(*shape)), preprocess.as_they_are(floats(*shape))):
            done = preprocess.apply(images, preprocess.fit(images, Preprocessing.STANDARDIZE))
            assert done.ctypes.data % 64 == 0
            assert done.flags.c_contiguous
            assert done.flags.writeable
