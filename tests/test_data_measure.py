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
