"""The numbers that a mask file holds, as they are written: a palette's indices, no colours made of them."""

import io

import numpy as np

from striate.data.content import START, recognise
from striate.data.decode import decode, unpacking
from striate.data.header import Pick, Unreadable
from striate.data.pixels import upright
from striate.data.raster import open_image, orientation_of

COLOUR = 1 << 24  # added to 65536 R + 256 G + B, so that no colour has the number of a grey
_INDEXED = ("PNG", "GIF", "BMP")
_BETWEEN, _FLAT, _FEW = 64, 8, 0.01  # from the middle; least step at an edge; share of a JPEG's pixels


def mask_values(source: bytes | np.ndarray, page: int = 0) -> np.ndarray:
    """(H, W) int32 of a mask, upright: palette indices, grey values, or COLOUR + 65536 R + 256 G + B of other pixels;
    of the page or frame of this number.

    Transparency counts only where nothing else tells pixels apart. A JPEG's values are not exact: they become 0 or
    255, whichever is nearer. Raises Unreadable for what is no picture, has fractions, or more channels than a colour,
    and for a JPEG with colours, or flat areas of other values.
    """
    if isinstance(source, np.ndarray):
        return _joined(source if source.ndim == 3 else source[:, :, None])
    kind = recognise(source[:START])
    if kind == "JPEG":
        return _black_or_white(decode(source))
    raw = _written(source, kind, page) if kind in _INDEXED else None
    return _joined(decode(source, 0, Pick(page=page, written=True)) if raw is None else raw)


def _black_or_white(pixels: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) of a JPEG, each 0 or 255: two greys with blurred edges, no area between them."""
    if (np.ptp(pixels, axis=2) > _BETWEEN).any():  # what was grey has hardly a colour, however much it was packed
        raise Unreadable("a JPEG blurs colours, so that its classes cannot be told: save masks as PNG", "values")
    values = pixels.max(axis=2)
    steps = np.abs(np.diff(values.astype(np.int16), axis=0))[:, 1:], np.abs(np.diff(values.astype(np.int16)))[1:]
    flat = (np.maximum(*steps) < _FLAT) & (np.abs(values[1:, 1:] - 127.5) < _BETWEEN)
    if flat.mean() > _FEW:
        raise Unreadable("a JPEG blurs values: it is read as black and white, and this one has other areas", "values")
    return np.where(values > 127, 255, 0).astype(np.int32)


def _written(data: bytes, kind: str, page: int) -> np.ndarray | None:
    """Pixels (H, W, C) as Pillow has them in the file; None where `decode` reads the same or more."""
    with unpacking(kind):
        image = open_image(io.BytesIO(data), kind, page)
        if image.mode != "P" and not image.has_transparency_data:
            return None
        image.load()
        pixels = np.asarray(image)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if image.mode == "PA":
            pixels = pixels[:, :, :1]
        elif pixels.shape[2] in (2, 4):
            plain, clear = pixels[:, :, :-1], pixels[:, :, -1:]
            pixels = clear if (plain == plain[0, 0]).all() else plain
        return upright(pixels, orientation_of(image))


def _joined(pixels: np.ndarray) -> np.ndarray:
    """One number for every pixel (H, W, 1 or 3)."""
    if pixels.shape[2] not in (1, 3):
        raise Unreadable(f"a mask has one channel or a colour, not {pixels.shape[2]} channels", "values")
    if pixels.dtype.kind not in "biuf":
        raise Unreadable(f"a mask of type {pixels.dtype} is not supported", "values")
    if not pixels.size:
        raise Unreadable("the mask has no pixels", "size")
    if pixels.dtype.kind == "f" and not (np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()):
        raise Unreadable("the values of a mask are whole numbers", "values")
    if not 0 <= pixels.min() <= pixels.max() < COLOUR:
        raise Unreadable("the values of a mask are from 0 to 16,777,215", "values")
    pixels = pixels.astype(np.int32)
    grey = np.ascontiguousarray(pixels[:, :, 0])
    if pixels.shape[2] == 1:
        return grey
    coloured = COLOUR + (grey << 16) + (pixels[:, :, 1] << 8) + pixels[:, :, 2]
    return np.where((pixels == pixels[:, :, :1]).all(axis=2), grey, coloured)
