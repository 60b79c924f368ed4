"""The figures of the preparation, against NumPy's own mean, deviation and percentiles."""

import numpy as np
import pytest

from striate.data.measure import measure
from striate.data.prepare import Shape, fit

RANDOM = np.random.default_rng(11)


def measured(pictures: np.ndarray, rows: object = None):
    _, height, width, channels = pictures.shape
    shape = Shape(height=height, width=width, channels=channels, depth=pictures.dtype.name)
    return measure(pictures, range(len(pictures)) if rows is None else rows, shape)


def test_eight_bits_are_scaled_by_255() -> None:
    """8-bit figures are NumPy's, of the pictures named and of no other."""
    pictures = RANDOM.integers(0, 256, (20, 7, 5, 3), dtype=np.uint8)
    rows = [3, 1, 17]
    got, scaled = measured(pictures, rows), pictures[rows] / 255
    assert (got.low, got.high) == ((0, 0, 0), (255, 255, 255))
    np.testing.assert_allclose(got.mean, scaled.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(got.std, scaled.std(axis=(0, 1, 2)))
    assert got == measured(pictures, rows[::-1])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_deep_pictures_are_scaled_by_percentiles(dtype: str) -> None:
    """16-bit and float bounds are the 0.1 and 99.9 percentiles, and one hot pixel moves nothing."""
    pictures = RANDOM.normal(3000, 400, (30, 40, 40, 2)).astype(dtype)
    pictures[0, 0, 0] = 65535
    got = measured(pictures)
    low, high = np.quantile(pictures, [0.001, 0.999], axis=(0, 1, 2))
    np.testing.assert_allclose(got.low, low, atol=1)
    np.testing.assert_allclose(got.high, high, atol=1)
    scaled = np.clip((pictures.astype(float) - got.low) / (np.array(got.high) - got.low), -1, 2)
    np.testing.assert_allclose(got.mean, scaled.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(got.std, scaled.std(axis=(0, 1, 2)), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_hot_pixels_leave_the_rest_visible(dtype: str) -> None:
    """One hot pixel in two thousand changes the deviation of a faint signal by less than half, not a hundredfold."""
    pictures = RANDOM.normal(20_100, 40, (30, 40, 40, 1)).astype(dtype)
    without = measured(pictures)
    pictures.reshape(-1)[::2000] = 65535
    np.testing.assert_allclose(measured(pictures).std, without.std, rtol=0.5)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("strange", ["bar", "padding", "both", "hot", "blurred", "two", "uneven", "surround"])
def test_values_of_their_own_leave_the_rest_visible(dtype: str, strange: str) -> None:
    """A saturated scale bar, one of two values or of uneven ones, zeros around a mosaic, a dark and noisy surround, hot
    pixels and what resizing makes of a bar's edge move the bounds by less than a seventh of their distance without
    them, and stay apart from all others."""
    pictures = np.clip(RANDOM.normal(31_000, 40, (30, 40, 40, 1)), 30_850, 31_150).astype(dtype)
    without, odd = measured(pictures), np.zeros(pictures.shape, bool)
    if strange in ("bar", "both", "blurred", "two", "uneven"):
        odd[:, 35:37, 5:20] = True
    if strange == "hot":
        odd.reshape(-1)[::200] = True
    pictures[odd] = 65535
    if strange == "blurred":
        pictures[:, 36, 5:20] = 42_000
    if strange == "two":
        pictures[:, 36, 5:20] = 60_000
    if strange == "uneven":
        pictures[odd] = RANDOM.uniform(58_000, 65_535, odd.sum()).round()
    if strange == "surround":
        pictures[:, :, :12] = RANDOM.integers(0, 41, (30, 40, 12, 1))
    if strange in ("padding", "both"):
        pictures[::2, :, :12] = 0
    got, wide = measured(pictures), without.high[0] - without.low[0]
    np.testing.assert_allclose([got.low, got.high], [without.low, without.high], atol=0.15 * wide)
    assert got.high[0] + wide < 42_000
    assert got.low[0] - wide > 40


@pytest.mark.parametrize("side", [64, 80, 150])
@pytest.mark.parametrize(
    ("dtype", "least", "most", "filling"),
    [("float32", 0, 1, -9999), ("float32", 0, 1, -3.4e38), ("uint16", 100, 1000, 65535), ("uint16", 20_000, 21_000, 0)],
)
def test_edges_of_no_data_that_resizing_blurs(dtype: str, least: int, most: int, filling: float, side: int) -> None:
    """A slanted area without data, made smaller with its picture, leaves the bounds within the other values and at
    least half as far apart as the middle nine tenths of the same pictures without it."""
    rows, columns = np.mgrid[:side, :side]
    drawn = RANDOM.uniform(least, most, (8, side, side, 1)).astype(dtype)
    shape = Shape(height=64, width=64, channels=1, depth=dtype)
    plain = np.percentile([fit(picture, shape) for picture in drawn], (5, 95))
    for picture, share in zip(drawn, RANDOM.uniform(0.5, 1, len(drawn)), strict=True):
        picture[rows + columns < side * share] = filling
    got = measured(np.stack([fit(picture, shape) for picture in drawn]))
    assert least <= got.low[0] < got.high[0] <= most
    assert got.high[0] - got.low[0] > (plain[1] - plain[0]) / 2


def test_few_pixels() -> None:
    """One far pixel of a hundred is no bound; one of four that thin out is."""
    pictures = RANDOM.normal(31_000, 40, (5, 5, 4, 1)).astype(np.float32)
    pictures[0, 0, 0] = 65_535
    got = measured(pictures)
    assert got.high[0] == np.sort(pictures, axis=None)[-2]
    thinning = measured(np.array([1, 2, 4, 8], np.float32).reshape(1, 2, 2, 1))
    assert (thinning.low[0], thinning.high[0]) == (1, 8)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_blurred_spots_and_cut_values_are_what_is_to_be_seen(dtype: str) -> None:
    """Spots as a lens draws them, however few; and 12 bits in 16 of which many pixels are saturated."""
    rows, columns = np.mgrid[:64, :64]
    pictures = RANDOM.normal(100, 10, (20, 64, 64, 1))
    for picture in pictures:
        for y, x in RANDOM.uniform(0, 64, (3, 2)):
            away = (rows - y) ** 2 + (columns - x) ** 2
            picture[..., 0] += RANDOM.uniform(8_000, 30_000) * np.exp(-away / 8)
    twelve = np.minimum(RANDOM.normal(2000, 300, (20, 64, 64, 1)), 4095)
    twelve.reshape(-1)[::50] = 4095
    for drawn in (pictures.astype(dtype), twelve.astype(dtype)):
        got = measured(drawn)
        low, high = np.quantile(drawn, [0.001, 0.999], method="inverted_cdf")
        np.testing.assert_allclose((got.low[0], got.high[0]), (low, high), rtol=0.02)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("saturated", [0, 0.3])
def test_sparse_bright_spots_are_what_is_to_be_seen(dtype: str, saturated: float) -> None:
    """Spots in a hundredth of the pixels, of various brightness and some saturated, are scaled by the percentiles; so
    are zeros around objects, and lone values that are not far off."""
    pictures = np.abs(RANDOM.normal(100, 10, (30, 40, 40, 1)))
    spots = RANDOM.random(pictures.shape) < 0.01
    bright = RANDOM.uniform(300, 40_000, spots.sum())
    pictures[spots] = np.where(RANDOM.random(len(bright)) < saturated, 65_535, bright)
    objects = np.where(RANDOM.random(pictures.shape) < 0.6, 0, RANDOM.normal(900, 100, pictures.shape).clip(500, 1300))
    near = RANDOM.uniform(1000, 2000, pictures.shape)
    near.reshape(-1)[::50] = 9000
    for drawn in (pictures.astype(dtype), objects.astype(dtype), near.astype(dtype)):
        got = measured(drawn)
        low, high = np.quantile(drawn, [0.001, 0.999], method="inverted_cdf")
        np.testing.assert_allclose((got.low[0], got.high[0]), (low, high), rtol=0.02)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_constant_and_sparse_pictures(dtype: str) -> None:
    """Constant pictures divide by something, and a single bright pixel sets the range."""
    constant = measured(np.full((4, 5, 5, 1), 100, dtype))
    assert constant.high[0] > constant.low[0]
    assert constant.std[0] > 0
    sparse = np.zeros((4, 50, 50, 1), dtype)
    sparse[0, 0, 0] = 200
    got = measured(sparse)
    assert (got.low[0], got.high[0]) == (0, 255 if dtype == "uint8" else 200)


def test_sampled_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """With far more float pixels than are sampled, the bounds stay within one part in a hundred."""
    monkeypatch.setattr("striate.data.measure._SAMPLED", 20_000)
    monkeypatch.setattr("striate.data.measure._CHUNK_BYTES", 100_000)
    pictures = RANDOM.random((50, 64, 64, 1), np.float32)
    got = measured(pictures)
    np.testing.assert_allclose((got.low[0], got.high[0]), (0.001, 0.999), atol=0.01)
    with pytest.raises(ValueError, match="no pictures"):
        measured(pictures, [])
