"""Pixels as every part of Striate expects them: opaque, upright, of one of three depths."""

import numpy as np

from striate.data.header import Unreadable

_LEVELS = 4096  # that float32 must leave between the least and the greatest value, unless it keeps all of them
_AS_IT_IS = (False, 1, 1)
_TURNS = {  # by EXIF orientation: whether rows and columns change places, and the step through each of them then
    2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1),
    5: (True, 1, 1), 6: (True, 1, -1), 7: (True, -1, -1), 8: (True, -1, 1),
}  # fmt: skip
_ROWS = 256  # rows blended at a time, so that a large picture needs no second copy in a wider type


def as_depth(pixels: np.ndarray) -> np.ndarray:
    """`pixels` as contiguous uint8, uint16 or float32 in the machine's byte order.

    True and False become 255 and 0. Signed, 32-bit and 64-bit integers become float32 with their values
    unchanged (exact up to 2**24), whatever these are: a choice by value would give two pictures of one
    set different scales. Raises Unreadable for NaN, infinity, anything that is not a number, and numbers that are so
    near to each other and so large that float32 would make them equal.
    """
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
        return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    if pixels.dtype.kind not in "iuf":
        raise Unreadable(f"pixel values of type {pixels.dtype} are not supported", "values")
    with np.errstate(all="ignore"):
        out = np.ascontiguousarray(pixels, np.float32)
    if out.dtype == np.float32 and not np.isfinite(out).all():
        raise Unreadable("some pixel values are NaN, infinite or beyond 3.4e38", "values")
    if pixels.dtype.itemsize > (2 if pixels.dtype.kind in "iu" else 4) and pixels.size:
        _require_apart(pixels, out)
    return out


def _require_apart(pixels: np.ndarray, out: np.ndarray) -> None:
    low, high = pixels.min().item(), pixels.max().item()
    step = float(np.spacing(np.float32(max(abs(low), abs(high)))))
    least = 0 if pixels.dtype.kind in "iu" else step  # what differs by less is the noise of float64 on one value
    if least < high - low < _LEVELS * step:
        with np.errstate(all="ignore"):
            same = np.array_equal(out.astype(pixels.dtype), pixels)
        if not same:
            said = f"pixel values from {low:,} to {high:,} are nearly the same number in the 24 bits of float32"
            raise Unreadable(f"{said}; subtract the least", "values")


def on_white(colour: np.ndarray, alpha: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    """`colour` (H, W, C) laid over white through `alpha` (H, W, 1), both of one dtype.

    White, because a transparent picture is nearly always a drawing that was made to be seen on a page.
    Float pictures are taken as 0 to 1. A fully opaque picture comes back as it is.
    """
    top = np.iinfo(colour.dtype).max if colour.dtype.kind == "u" else 1
    if (alpha >= top).all():
        return colour
    wide = {1: np.uint16, 2: np.uint32}.get(colour.dtype.itemsize, np.float32)
    out = np.empty_like(colour)
    for row in range(0, len(colour), _ROWS):
        ink, cover = colour[row : row + _ROWS].astype(wide), alpha[row : row + _ROWS].astype(wide)
        paper = wide(top) * (wide(top) - cover)
        mixed = (np.minimum(ink, cover) * wide(top) if premultiplied else ink * cover) + paper
        out[row : row + _ROWS] = (mixed + wide(top // 2)) // wide(top) if top > 1 else mixed
    return out


def upright(pixels: np.ndarray, orientation: object) -> np.ndarray:
    """`pixels` (H, W, C) turned as the EXIF orientation 1 to 8 says; anything else changes nothing."""
    turned, down, across = _TURNS.get(orientation, _AS_IT_IS)
    return (pixels.swapaxes(0, 1) if turned else pixels)[::down, ::across]


def turned_size(height: int, width: int, orientation: object) -> tuple[int, int]:
    """Height and width after `upright`."""
    return (width, height) if _TURNS.get(orientation, _AS_IT_IS)[0] else (height, width)
