"""Arrays to pixels: ranges, colours, enlargement and PNG bytes."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from striate.draw import pixels


def test_8_bit_pictures_are_shown_as_they_are() -> None:
    """No stretch where there is nothing to gain, and a mask becomes black and white."""
    picture = np.array([[10, 20]], dtype=np.uint8)
    assert pixels.to_uint8(picture) is picture
    assert pixels.to_uint8(np.array([True, False])).tolist() == [255, 0]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_pictures_are_stretched_between_their_percentiles(dtype: type) -> None:
    """A ramp fills black to white in order, and one hot dot does not darken the rest."""
    ramp = np.linspace(1000, 3000, 10_000).reshape(100, 100).astype(dtype)
    ramp[50, 50] = 60_000
    shown = pixels.to_uint8(ramp)
    assert shown.dtype == np.uint8
    assert shown[0, 0] == 0
    assert shown[-1, -1] == 255
    assert abs(int(shown[49, 99]) - 127) <= 2


def test_strange_pictures_are_shown_all_the_same() -> None:
    """One value is grey, NaN is black, a few dots on an even ground are seen."""
    assert (pixels.to_uint8(np.full((2, 2), 7.0)) == 128).all()
    assert pixels.to_uint8(np.array([0.0, 1.0, np.nan])).tolist()[2] == 0
    assert (pixels.to_uint8(np.full((2, 2), np.nan)) == 0).all()
    dots = np.zeros((100, 100))
    dots[3, 3] = 5
    assert pixels.to_uint8(dots)[3, 3] == 255


def test_the_diverging_map_is_white_at_zero_and_even_on_both_sides() -> None:
    """Blue below, orange above, the full colour at the reach, and nothing beyond it."""
    colours = pixels.diverging(np.array([-2.0, -1.0, 0.0, 1.0]), reach=1.0)
    assert colours.tolist() == [[0, 114, 178], [0, 114, 178], [255, 255, 255], [213, 94, 0]]
    assert (pixels.diverging(np.zeros(3)) == 255).all()


def test_small_pictures_grow_by_whole_numbers_and_large_ones_shrink() -> None:
    """Each pixel of a small picture becomes a square of one colour; the longer side fits."""
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)[..., None].repeat(3, axis=2)
    grown = pixels.fitted(picture, 10)
    assert grown.shape == (6, 9, 3)
    assert np.array_equal(grown[::3, ::3], picture)
    assert pixels.fitted(np.zeros((400, 100, 3), np.uint8), 50).shape == (50, 12, 3)


def test_png_bytes_hold_the_picture() -> None:
    """Reading the bytes gives the pixels back."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pixels.picture_png(picture)))), picture)


@pytest.mark.parametrize(("channels", "hues"), [(2, ["red", "cyan"]), (4, ["red", "chartreuse", "cyan", "blueviolet"])])
def test_many_channels_get_a_hue_each(channels: int, hues: list[str]) -> None:
    """Where one channel is bright its hue is seen, where all are the sum is white, where none is it is black."""
    picture = np.zeros((1, channels + 2, channels), np.uint16)
    picture[0, :channels] = np.eye(channels) * 5000
    picture[0, channels] = 5000
    shown = pixels.visible(picture)[0].astype(int)
    for colour, name in zip(shown, hues, strict=False):
        wanted = np.array(ImageColor.getrgb(name))
        assert (colour > 100).tolist() == (wanted > 100).tolist()
    assert shown[channels:].tolist() == [[255] * 3, [0] * 3]
    assert pixels.visible(np.zeros((2, 3, 5), np.float32)).shape == (2, 3, 3)
