"""One size, one depth, one number of channels: checked against the filter's definition and by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.measure import measure
from striate.data.prepare import Preparation, Shape, fit


def shape(height: int, width: int, channels: int, depth: str = "uint8") -> Shape:
    return Shape(height=height, width=width, channels=channels, depth=depth)


def triangle(values: np.ndarray, size: int) -> np.ndarray:
    """Antialiased linear resizing of the last axis, straight from its definition.

    Output i looks at the input around (i + 0.5)·scale with a triangle of half-width max(scale, 1), whose
    weights are made to sum to 1.
    """
    length, scale = values.shape[-1], values.shape[-1] / size
    support = max(scale, 1.0)
    out = np.zeros((*values.shape[:-1], size))
    for i in range(size):
        centre = (i + 0.5) * scale
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), length)
        weights = np.maximum(0, 1 - np.abs((np.arange(first, last) + 0.5 - centre) / support))
        out[..., i] = values[..., first:last] @ (weights / weights.sum())
    return out


@pytest.mark.parametrize(("height", "width"), [(5, 7), (20, 3), (1, 1), (13, 30), (40, 40)])
@pytest.mark.parametrize(("depth", "tolerance"), [("uint8", 1.01), ("uint16", 0.51), ("float32", 1e-4)])
def test_resizing_is_the_triangle_filter(height: int, width: int, depth: str, tolerance: float) -> None:
    """Smaller and larger, in every depth: the filter's definition, axis by axis, within rounding."""
    random = np.random.default_rng(height)
    picture = random.integers(0, 200, (13, 11, 3)).astype(depth)
    planes = picture.astype(np.float64).transpose(2, 0, 1)
    expected = triangle(np.swapaxes(triangle(planes, width), 1, 2), height)  # (C, width, height)
    ours = fit(picture, shape(height, width, 3, depth))
    assert ours.shape == (height, width, 3)
    assert ours.dtype == depth
    np.testing.assert_allclose(ours, expected.transpose(2, 1, 0), atol=tolerance)


def test_sixteen_bits_survive_resizing() -> None:
    """Values that differ by 1 in 65,535 are not cut to 8 bits on the way."""
    picture = np.full((8, 8, 1), 40_001, np.uint16)
    picture[:, 4:] = 40_003
    np.testing.assert_array_equal(np.unique(fit(picture, shape(8, 4, 1, "uint16"))), [40_001, 40_003])
    assert (fit(np.full((9, 9, 1), 65_535, np.uint16), shape(4, 5, 1, "uint16")) == 65_535).all()


def test_a_picture_that_fits_is_handed_on_unchanged() -> None:
    """Same size, depth and channels: the very pixels, in one piece of memory."""
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)[::-1]
    ours = fit(picture, shape(6, 5, 3))
    np.testing.assert_array_equal(ours, picture)
    assert ours.flags.c_contiguous


def test_grey_is_the_tutorials_formula() -> None:
    """0.2989 R + 0.5870 G + 0.1140 B: pure red 76, green 150, blue 29, white 255; 16 bits likewise."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]]], np.uint8)
    assert fit(colours, shape(1, 5, 1))[0, :, 0].tolist() == [76, 150, 29, 255, 18]
    deep = fit(colours.astype(np.uint16) * 257, shape(1, 5, 1, "uint16"))[0, :, 0]
    shares = [0.2989, 0.5870, 0.1140, 0.9999, (2.989 + 11.74 + 3.42) / 255]
    np.testing.assert_allclose(deep, 65_535 * np.array(shares), atol=1)


def test_grey_becomes_colour_by_copying() -> None:
    """Three equal channels."""
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    np.testing.assert_array_equal(fit(picture, shape(2, 3, 3)), np.repeat(picture, 3, axis=2))


def test_depths_are_stretched_to_the_whole_range() -> None:
    """8 to 16 bits times 257 (so that 255 becomes 65,535), integers to floats by their largest value."""
    byte = np.array([[[0], [1], [128], [255]]], np.uint8)
    word = np.array([[[0], [257], [32_896], [65_535]]], np.uint16)
    np.testing.assert_array_equal(fit(byte, shape(1, 4, 1, "uint16")), word)
    np.testing.assert_array_equal(fit(word, shape(1, 4, 1)), byte)
    for picture in (byte, word):
        floats = fit(picture, shape(1, 4, 1, "float32"))
        np.testing.assert_allclose(floats[0, :, 0], [0, 1 / 255, 128 / 255, 1], rtol=1e-6)
        assert floats.dtype == np.float32


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(0, 255))
def test_an_even_picture_stays_even(height: int, width: int, to_height: int, to_width: int, value: int) -> None:
    """Resizing a picture of one value gives that value everywhere."""
    picture = np.full((height, width, 1), value, np.uint8)
    assert (fit(picture, shape(to_height, to_width, 1)) == value).all()


@pytest.mark.parametrize(("channels", "wanted"), [(2, 3), (4, 3), (3, 4), (1, 2), (1, 4), (2, 1)])
def test_channels_that_cannot_be_matched_are_refused(channels: int, wanted: int) -> None:
    """There is no honest way from 2 channels to 3, nor from one stain to two, so it is an error with both numbers."""
    with pytest.raises(ValueError, match=rf"^{channels} channels? where {wanted} (is|are) expected"):
        fit(np.zeros((4, 4, channels), np.uint8), shape(4, 4, wanted))


def test_float_pixels_are_never_cut_to_integers() -> None:
    """A float picture in a set of whole numbers is refused, not rounded."""
    with pytest.raises(ValueError, match="float32 pixels where whole numbers from 0 to 255 are expected"):
        fit(np.zeros((4, 4, 1), np.float32), shape(4, 4, 1))


@pytest.mark.parametrize("depth", ["float32", "uint16"])
def test_values_of_another_scale_are_told(depth: str) -> None:
    """Pictures divided by 255, or times 50, are told with both ranges; hot pixels, shade and learned ones are not."""
    pictures = np.random.default_rng(0).integers(0, 1000, (20, 8, 8, 1)).astype(depth)
    preparation = measure(pictures, range(20), shape(8, 8, 1, depth))
    hot = pictures[0].copy()
    hot[3, 3] = 60_000
    assert [preparation.strange(one) for one in (*pictures, hot, pictures[0] // 3)] == [""] * 22
    small = (pictures[0] / 255).astype(depth)
    told = f"Values {small.min():g} to {small.max():g}, where {preparation.low[0]:g} to {preparation.high[0]:g} were"
    assert preparation.strange(small).startswith(told)
    assert preparation.strange(pictures[0] * pictures.dtype.type(50)).startswith("Values ")


def test_the_preparation_goes_through_json_unchanged() -> None:
    """What the model file stores is read back to an equal record."""
    figures = {"low": (1.0, 2.0), "high": (3.5, 4.0), "mean": (0.1, 0.2), "std": (1.0, 2.0)}
    before = Preparation(shape=shape(4, 5, 2, "uint16"), **figures)
    assert Preparation.from_dict(json.loads(json.dumps(before.to_dict()))) == before
