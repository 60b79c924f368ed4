"""The numbers that a mask file holds: as they are written, whatever a viewer would make of them."""

import io

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
