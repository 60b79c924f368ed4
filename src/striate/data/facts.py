"""What is noted of every picture while it is decoded, so that the checks need not open any file again."""

import functools
import math
import zlib

import numpy as np

from striate.data.content import FORMATS
from striate.data.header import Header
from striate.data.looks import SIDE, look_of
from striate.data.prepare import DEPTHS, GREY

THUMB, TINT = 32, 8  # sides in pixels
_TINT = slice(THUMB, THUMB + TINT)  # rows and columns of `_means`, and below the single ones
_FIRST, _LAST, _HEAD, _TAIL, _ALL = range(THUMB + TINT, THUMB + TINT + 5)
_AROUND = (  # top, right, bottom, left, then the corners in the same sense from the top left on
    np.array([_FIRST, _ALL, _LAST, _ALL, _HEAD, _HEAD, _TAIL, _TAIL]),
    np.array([_ALL, _LAST, _ALL, _FIRST, _HEAD, _TAIL, _TAIL, _HEAD]),
)
_LUMA, _HALF = GREY / GREY.sum(), np.float32(0.5)
_SMALL, _BAND = 64, 1 << 16  # a side, and pixels worked on at a time
_PIECE = 96  # side in pixels of the piece that is packed
FACTS = np.dtype(
    [
        ("bytes", np.int64),  # of the file
        ("height", np.int32),  # of the whole picture, upright
        ("width", np.int32),
        ("pages", np.int32),
        ("channels", np.uint8),
        ("depth", np.uint8),  # its number in DEPTHS
        ("format", np.uint8),  # its number in FORMATS, len(FORMATS) for an array
        ("low", np.float32),  # least and greatest value, and their mean and standard deviation, as stored in the file
        ("high", np.float32),
        ("mean", np.float32),
        ("std", np.float32),
        ("detail", np.float32),  # mean difference between neighbours, as stored
        ("packed", np.float32),  # bytes per pixel that packing a piece of the content takes, but for a JPEG
        ("coarse", np.int32),  # sum of a JPEG's first quantisation table
        ("border", np.float32, 4),  # mean of the outermost pixels: top, right, bottom, left
        ("corners", np.float32, 4),  # mean of the outermost tenth: top left, top right, bottom right, bottom left
        ("thumb", np.uint8, (THUMB, THUMB)),  # grey, stretched to the picture's own range
        ("tint", np.uint8, (TINT, TINT, 3)),  # colour, on the scale of the depth (of its own range, if not 8-bit)
        ("look", np.uint8, (SIDE, SIDE)),  # what varies most, for finding look-alikes
    ]
)


def facts_of(picture: np.ndarray, header: Header, size: int) -> np.ndarray:
    """One record of FACTS for a decoded picture (H, W, C), its header and the bytes of its file.

    low and high are exact. Of a picture of more than 65,536 pixels, mean, std and detail are those of 16 bands of
    rows spread over it, its corners those of its average over squares, and its tint that of every n-th pixel.
    """
    facts = np.zeros((), FACTS)
    facts["bytes"], facts["pages"], facts["channels"] = size, header.pages, min(header.channels, 255)
    facts["height"], facts["width"], facts["depth"] = header.height, header.width, DEPTHS.index(header.depth)
    facts["format"] = FORMATS.index(header.format) if header.format in FORMATS else len(FORMATS)
    grey = _grey(picture)
    low, high = float(np.minimum.reduce(grey, axis=None)), float(np.maximum.reduce(grey, axis=None))
    facts["low"], facts["high"] = low, high
    facts["packed"], facts["coarse"] = _packed(picture, header.format), header.coarse
    above = _shrunk(grey) - np.float32(low)
    means = _means(above)
    mean, facts["std"], facts["detail"] = _statistics(above[None] if above.shape == grey.shape else _bands(grey, low))
    facts["mean"] = low + mean
    around = low + means[_AROUND]
    facts["border"], facts["corners"] = around[:4] if above.shape == grey.shape else _edges(grey), around[4:]
    stretch = np.float32(255 / max(high - low, 1e-12))
    facts["thumb"] = means[:THUMB, :THUMB] * stretch + _HALF  # a mean is never out of range
    facts["tint"] = _tint(picture, means[_TINT, _TINT], low, stretch)
    facts["look"] = look_of(picture)
    return facts


def _grey(picture: np.ndarray) -> np.ndarray:
    """(H, W) of the same type: luma of a colour picture, the mean of other channels, rounded."""
    channels = picture.shape[2]
    if channels == 1:
        return picture[:, :, 0]
    weights = _LUMA if channels == 3 else np.full(channels, 1 / channels, np.float32)
    half = np.float32(0 if picture.dtype == np.float32 else 0.5)
    grey, pixels = np.empty(picture.shape[:2], picture.dtype), picture.reshape(-1, channels)
    for start in range(0, len(pixels), _BAND):  # no wide copy of the whole
        part = pixels[start : start + _BAND].astype(np.float32) @ weights
        grey.reshape(-1)[start : start + _BAND] = part + half
    return grey


def _bands(grey: np.ndarray, low: float) -> np.ndarray:
    """(16, rows, W) of float32 above `low`: bands of a large picture; all of it, if it is narrow."""
    rows = min(len(grey), max(2, _BAND // 16 // grey.shape[1]))
    starts = np.linspace(0, len(grey) - rows, 16).astype(int)
    bands = np.stack([grey[row : row + rows] for row in starts]) if grey.size > _BAND else grey[None]
    return bands.astype(np.float32) - np.float32(low)


def _statistics(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation, and mean difference between neighbours below and beside each other."""
    detail = []
    for step in (values[:, 1:] - values[:, :-1], values[:, :, 1:] - values[:, :, :-1]):
        if step.size:
            detail.append(float(np.add.reduce(np.abs(step, out=step), axis=None)) / step.size)
    mean = float(np.add.reduce(values, axis=None)) / values.size
    flat = (values - np.float32(mean)).ravel()
    return mean, math.sqrt(float(flat @ flat) / flat.size), sum(detail) / max(len(detail), 1)


def _edges(grey: np.ndarray) -> np.ndarray:
    """The means of the outermost rows and columns: top, right, bottom, left."""
    return np.array([float(edge.sum()) / edge.size for edge in (grey[0], grey[:, -1], grey[-1], grey[:, 0])])


def _packed(picture: np.ndarray, kind: str) -> float:
    """Bytes per pixel of a piece from the middle, row less row above, deflated; 0 for a JPEG (see `coarse`)."""
    if kind == "JPEG":
        return 0.0
    top, left = (max(0, side - _PIECE) // 2 for side in picture.shape[:2])
    piece = picture[top : top + _PIECE, left : left + _PIECE]
    rows = np.array(piece).view(np.uint32 if piece.dtype == np.float32 else piece.dtype)
    rows[1:] -= rows[:-1].copy()  # differences that wrap lose nothing
    return len(zlib.compress(rows.data, 1)) / piece[:, :, 0].size


def _tint(picture: np.ndarray, grey: np.ndarray, low: float, stretch: np.float32) -> np.ndarray:
    """(8, 8, 3) from the colours of every n-th pixel, or from `grey`, the means above `low`."""
    eight = picture.dtype == np.uint8
    if picture.shape[2] != 3:
        return (grey + np.float32(low + 0.5) if eight else grey * stretch + _HALF)[:, :, None]
    tall, wide = (max(1, side // _SMALL) for side in picture.shape[:2])
    planes = picture[::tall, ::wide].astype(np.float32).transpose(2, 0, 1)
    rows, columns = (_weights(side)[_TINT] for side in planes.shape[1:])
    means = rows @ planes @ columns.T
    means = means if eight else (means - np.float32(low)) * stretch
    return np.minimum(np.maximum(means + _HALF, 0), 255).transpose(1, 2, 0)


def _shrunk(grey: np.ndarray) -> np.ndarray:
    """`grey` as float32, brought down by whole factors to sides of 64 to 127 pixels by averaging."""
    (tall, wide), (height, width) = (max(1, side // _SMALL) for side in grey.shape), grey.shape
    if tall > 1:
        grey = grey[: height // tall * tall].reshape(-1, tall, width)
        grey = np.add.reduce(grey, axis=1, dtype=np.float32) / np.float32(tall)
    if wide > 1:
        grey = grey[:, : width // wide * wide].reshape(len(grey), -1, wide).mean(axis=2, dtype=np.float32)
    return grey.astype(np.float32, copy=False)


def _means(values: np.ndarray) -> np.ndarray:
    """The mean of `values` over every pair of stretches of rows and columns that `_weights` knows."""
    return _weights(values.shape[0]) @ values @ _weights(values.shape[1]).T


@functools.lru_cache(maxsize=256)
def _weights(length: int) -> np.ndarray:
    """(45, length): the weights that give the means over 32 equal stretches of `length` pixels, over 8, the first
    pixel, the last, the first tenth, the last, and all."""
    pixels, tenth = np.arange(length), max(1, length // 10)
    starts = [*np.linspace(0, length, THUMB, endpoint=False), *np.linspace(0, length, TINT, endpoint=False)]
    starts = np.array([*starts, 0, length - 1, 0, length - tenth, 0])
    lengths = np.array([length / THUMB] * THUMB + [length / TINT] * TINT + [1, 1, tenth, tenth, length])
    ends = starts + lengths
    covered = np.minimum(ends[:, None], pixels + 1) - np.maximum(starts[:, None], pixels)
    return (np.maximum(covered, 0) / lengths[:, None]).astype(np.float32)
