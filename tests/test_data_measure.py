"""The figures of the preparation, against NumPy's own mean, deviation and percentiles."""

import numpy as np
import pytest

from striate.data.measure import measure
from striate.data.prepare import Shape

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
@pytest.mark.parametrize("strange", ["bar", "padding", "both", "hot", "blurred"])
def test_values_of_their_own_leave_the_rest_visible(dtype: str, strange: str) -> None:
    """A saturated scale bar, zeros around a mosaic, hot pixels and what resizing makes of a bar's edge move the bounds
    by less than a seventh of their distance without them, and stay apart from all others."""
    pictures = np.clip(RANDOM.normal(31_000, 40, (30, 40, 40, 1)), 30_850, 31_150).astype(dtype)
    without, odd = measured(pictures), np.zeros(pictures.shape, bool)
    if strange in ("bar", "both", "blurred"):
        odd[:, 35:37, 5:20] = True
    if strange == "hot":
        odd.reshape(-1)[::200] = True
    pictures[odd] = 65535
    if strange == "blurred":
        pictures[:, 36, 5:20] = 42_000
    if strange in ("padding", "both"):
        pictures[::2, :, :12] = 0
    got, wide = measured(pictures), without.high[0] - without.low[0]
    np.testing.assert_allclose([got.low, got.high], [without.low, without.high], atol=0.15 * wide)
    assert strange == "padding" or got.high[0] + wide < 42_000
    assert strange not in ("padding", "both") or got.low[0] - wide > 0


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
