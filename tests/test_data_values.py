"""The numbers that a mask file holds: as they are written, whatever a viewer would make of them."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from striate.data.header import Unreadable
from striate.data.values import mask_values


def drawn(top: int = 2) -> np.ndarray:
    mask = np.zeros((40, 50), np.uint8)
    mask[4:20, 5:21], mask[22:36, 9:40] = 1, top
    return mask


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "int64", "float32", "float64"])
def test_label_images_of_any_depth(dtype: str) -> None:
    """NumPy's own whole numbers have 64 bits, which Pillow does not open."""
    out = io.BytesIO()
    tifffile.imwrite(out, drawn().astype(dtype))
    assert np.array_equal(mask_values(out.getvalue()), drawn())


def test_white_that_is_zero_is_a_matter_of_display() -> None:
    """ImageJ writes 255 for what is marked also where it shows that as black."""
    out = io.BytesIO()
    tifffile.imwrite(out, 255 * (drawn() > 0).astype(np.uint8), photometric="miniswhite")
    assert np.array_equal(mask_values(out.getvalue()), 255 * (drawn() > 0))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32"])
def test_labels_are_what_tifffile_wrote(dtype: str) -> None:
    """It calls zero white in two-valued files, which had been turned round, as deeper ones had."""
    labels = drawn(200).astype(dtype)
    out = io.BytesIO()
    tifffile.imwrite(out, labels, photometric="miniswhite")
    assert np.array_equal(mask_values(out.getvalue()), labels * (255 if dtype == "bool" else 1))


def test_two_values_that_others_wrote_are_as_they_are_shown() -> None:
    """libtiff's programs turn the bits round where they call zero white."""
    out = io.BytesIO()
    tifffile.imwrite(out, drawn() == 0, photometric="miniswhite", software=False, metadata=None)
    assert np.array_equal(mask_values(out.getvalue()), 255 * (drawn() > 0))


@pytest.mark.parametrize(("bits", "top"), [(1, 1), (4, 9), (8, 200)])
def test_a_tiff_with_a_palette_has_its_indices(bits: int, top: int) -> None:
    """Of any depth, and not the colours, which are alike here."""
    image, out = Image.fromarray(np.where(drawn() > 0, top, 0).astype(np.uint8), "P"), io.BytesIO()
    image.putpalette(bytes(768))
    image.save(out, "TIFF") if bits == 8 else out.write(palette_tiff(np.where(drawn() > 0, top, 0), bits))
    assert np.array_equal(mask_values(out.getvalue()), np.where(drawn() > 0, top, 0))


def palette_tiff(values: np.ndarray, bits: int) -> bytes:
    """A TIFF of few bits with a palette, written by hand."""
    height, width = values.shape
    each = (values[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    pixels = np.packbits(each.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    colours = 6 << bits
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 3)]
    start = 8 + 2 + 12 * 9 + 4
    tags += [(273, 4, 1, start + colours), (277, 3, 1, 1), (279, 4, 1, len(pixels)), (320, 3, 3 << bits, start)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, 9) + entries + bytes(4) + bytes(colours) + pixels


def test_a_jpeg_is_black_and_white_or_refused() -> None:
    """Soft edges are cut at the middle; a third value would be lost without a word."""
    steps = {0: 0, 1: 255, 2: 120}
    for levels, is_well in (((0, 1), True), ((0, 1, 2), False)):
        mask = np.vectorize(steps.get)(np.where(np.isin(drawn(), levels), drawn(), 0)).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(np.kron(mask, np.ones((4, 4), np.uint8))).resize((170, 130), Image.BILINEAR).save(out, "JPEG")
        if is_well:
            values = mask_values(out.getvalue())
            assert np.abs((values == 255).mean() - (mask == 255).mean()) < 0.01
        else:
            with pytest.raises(Unreadable, match="a JPEG blurs values"):
                mask_values(out.getvalue())


@pytest.mark.parametrize("quality", [30, 95])
def test_a_coloured_jpeg_is_no_black_and_white(quality: int) -> None:
    """Red and blue had both become white; the same areas in white, saved as colours, are still read."""
    for colours, is_well in (([[0, 0, 0], [255, 0, 0], [0, 0, 255]], False), ([[0] * 3, [255] * 3, [255] * 3], True)):
        out = io.BytesIO()
        Image.fromarray(np.array(colours, np.uint8)[drawn()]).save(out, "JPEG", quality=quality)
        if is_well:
            assert np.array_equal(mask_values(out.getvalue()), 255 * (drawn() > 0))
        else:
            with pytest.raises(Unreadable, match=r"a JPEG blurs colours.*save masks as PNG"):
                mask_values(out.getvalue())
