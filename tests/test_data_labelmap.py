"""Masks of every kind as class numbers and object numbers; mask files as the numbers they hold."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_files import npy, saved, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.header import Unreadable
from striate.data.labelmap import UNKNOWN, png_of, read_labels, read_objects, resampled
from striate.data.painted import runs_of
from striate.data.pixels import upright
from striate.data.sample import Mask
from striate.data.values import COLOUR, mask_values

INDEX = np.array([[0, 1, 2, 2, 0], [255, 1, 1, 0, 7]], np.uint8)
COLOURS = np.arange(768, dtype=np.uint8).reshape(256, 3)


def _palette(values: np.ndarray, kind: str, **options: object) -> bytes:
    image = Image.fromarray(values, "L").convert("L")
    image.putpalette(COLOURS.tobytes())
    return saved(image, kind, **options)


FILES = {
    "grey PNG": saved(Image.fromarray(INDEX), "PNG"),
    "palette PNG": _palette(INDEX, "PNG"),
    "palette PNG with a clear index": _palette(INDEX, "PNG", transparency=0),
    "palette BMP": _palette(INDEX, "BMP"),
    "palette TIFF": _palette(INDEX, "TIFF"),
    "16-bit PNG": saved(Image.fromarray(INDEX.astype(np.uint16)), "PNG"),
    "grey written as RGB": saved(Image.fromarray(np.repeat(INDEX[:, :, None], 3, axis=2)), "PNG"),
    "grey with a clear value": saved(Image.fromarray(INDEX), "PNG", transparency=0),
    "TIFF of 32 bits": tiff(INDEX.astype(np.int32)),
    "float TIFF": tiff(INDEX.astype(np.float32)),
    "NPY": npy(INDEX.astype(np.int64)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_mask_file_gives_the_numbers_it_holds(name: str) -> None:
    """Palette indices, grey values of any depth and whole floats come back unchanged, whatever is clear."""
    assert np.array_equal(mask_values(FILES[name]), INDEX)


def test_colours_have_numbers_that_no_grey_has() -> None:
    """Coloured pixels are COLOUR + 65536 R + 256 G + B; grey pixels of the same picture are their value."""
    pixels = np.array([[[0, 0, 0], [0, 0, 255], [255, 255, 255], [12, 0, 200]]], np.uint8)
    expected = [[0, COLOUR + 255, 255, COLOUR + 12 * 65536 + 200]]
    assert mask_values(saved(Image.fromarray(pixels), "PNG")).tolist() == expected


def test_what_only_transparency_tells_is_read_from_it() -> None:
    """A mask of one colour whose shape lies in its alpha channel is that alpha channel."""
    pixels = np.full((2, 5, 4), 90, np.uint8)
    pixels[:, :, 3] = INDEX
    assert np.array_equal(mask_values(saved(Image.fromarray(pixels), "PNG")), INDEX)


def test_a_jpeg_mask_is_black_or_white() -> None:
    """The ringing of a JPEG makes no classes of its own."""
    drawn = np.zeros((40, 40), np.uint8)
    drawn[7:29, 11:33] = 255
    assert np.array_equal(mask_values(saved(Image.fromarray(drawn), "JPEG", quality=95)), drawn)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_upright(orientation: int) -> None:
    """The EXIF orientation of the mask file, or else that of its picture, turns it."""
    exif = Image.Exif()
    exif[274] = orientation
    turned = upright(INDEX[:, :, None], orientation)[:, :, 0]
    assert np.array_equal(mask_values(_palette(INDEX, "PNG", exif=exif)), turned)
    mask = Mask(kind="index", names=("a",) * 8, values=tuple(range(8)), sources=(INDEX,), ignore=255)
    assert np.array_equal(_labels(mask, turned.shape, orientation), np.where(turned == 255, UNKNOWN, turned))


def _labels(mask: Mask, shape: tuple[int, ...], orientation: int = 1) -> np.ndarray:
    return read_labels(replace(mask, orientation=orientation), *shape)


@pytest.mark.parametrize(
    "wrong", [np.array([[0.5]]), np.array([[-1]]), np.array([[2**25]]), np.zeros((0, 3), np.uint8)]
)
def test_what_is_no_number_of_a_class_is_refused(wrong: np.ndarray) -> None:
    """Fractions, negative and huge values, and nothing at all are Unreadable, with what is wrong."""
    with pytest.raises(Unreadable, match="mask"):
        mask_values(wrong)


def test_kinds_of_masks_say_the_same() -> None:
    """Index, binary, numbered, one file per object and runs of one drawing give one label map and the same objects."""
    first, second = np.zeros((9, 7), bool), np.zeros((9, 7), bool)
    first[1:4, 2:6], second[5:8, 0:3] = True, True
    expected, objects = (first | second).astype(np.uint8), first + 2 * second
    names, both = ("background", "cell"), expected * 255
    masks = {
        "index": Mask(kind="index", names=names, sources=(both,), values=(0, 255)),
        "binary": Mask(kind="binary", names=names, sources=(np.where(both, 131, 90),), values=(0, 255)),
        "numbers": Mask(kind="numbers", names=names, sources=(objects,)),
        "objects": Mask(kind="objects", names=names, sources=(first, second)),
        "polygons": Mask(
            kind="polygons", names=names, polygons=(("cell", (runs_of(first),)), ("cell", (runs_of(second),)))
        ),
    }
    for kind, mask in masks.items():
        assert np.array_equal(read_labels(mask, 9, 7), expected), kind
        if kind in ("index", "binary"):
            assert read_objects(mask, 9, 7) is None
        else:
            assert np.array_equal(read_objects(mask, 9, 7), objects), kind


def test_polygons_are_painted_in_their_order_and_may_be_unknown() -> None:
    """A later polygon covers an earlier one; one of the class to ignore makes its pixels unknown."""
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    shapes = (("a", (square,)), ("b", (square / 2,)), ("?", (square / 4,)))
    mask = Mask(kind="polygons", names=("background", "a", "b"), polygons=shapes, ignore="?")
    labels = read_labels(mask, 5, 5)
    assert labels.tolist()[0] == [UNKNOWN, 2, 1, 1, 0]
    assert read_objects(mask, 5, 5).tolist()[0] == [0, 2, 1, 1, 0]


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    """Another size, a value without a class and a file that is no picture say so."""
    mask = Mask(kind="index", names=("a", "b", "c"), sources=(INDEX,), values=(0, 1, 2), ignore=255)
    with pytest.raises(Unreadable, match="its mask is 5 × 2 pixels, the picture 5 × 3"):
        read_labels(mask, 3, 5)
    plain = Mask(kind="index", names=("a", "b", "c"), sources=(INDEX,), values=(0, 1, 2))
    with pytest.raises(Unreadable, match="its mask holds the values 7, 255, which no class has"):
        read_labels(plain, 2, 5)
    missing = Mask(kind="index", names=("a",), sources=(Path("nowhere.png"),), values=(0,))
    with pytest.raises(Unreadable, match="its mask: no such file"):
        read_labels(missing, 2, 5)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_resampling_brings_no_new_labels(height: int, width: int, rows: int, columns: int) -> None:
    """Every pixel has the label at its centre; the same size changes nothing, twice the size repeats every pixel."""
    labels = np.arange(rows * columns).reshape(rows, columns)
    out = resampled(labels, height, width)
    for y, x in np.ndindex(height, width):
        assert out[y, x] == labels[int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)]
    assert np.array_equal(resampled(labels, rows, columns), labels)
    assert np.array_equal(resampled(labels, 2 * rows, 2 * columns), labels.repeat(2, axis=0).repeat(2, axis=1))


def test_a_written_mask_is_read_again() -> None:
    """The PNG holds the class numbers as palette indices, with the colours for viewers."""
    data = png_of(INDEX, COLOURS)
    assert np.array_equal(mask_values(data), INDEX)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(shown, COLOURS[INDEX])
