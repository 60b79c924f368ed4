"""What is noted of every picture while it is decoded, so that the checks need not open any file again."""

import functools
import zlib
from collections.abc import Sequence

import numpy as np

from striate.data.content import FORMATS
from striate.data.header import Header
from striate.data.looks import SIDE, looks_of
from striate.data.prepare import DEPTHS, GREY

THUMB, TINT = 32, 8  # sides in pixels
_TINT = slice(THUMB, THUMB + TINT)  # rows and columns of `_means`, and below the single ones
_FIRST, _LAST, _HEAD, _TAIL, _ALL, _THIRD, _OTHER, _INNER = range(THUMB + TINT, THUMB + TINT + 8)
_AROUND = (  # top, right, bottom, left, the same within, then the corners in the same sense from the top left on
    np.array([_FIRST, _ALL, _LAST, _ALL, _THIRD, _INNER, _OTHER, _INNER, _HEAD, _HEAD, _TAIL, _TAIL]),
    np.array([_ALL, _LAST, _ALL, _FIRST, _INNER, _OTHER, _INNER, _THIRD, _HEAD, _TAIL, _TAIL, _HEAD]),
)
_LUMA, _HALF = GREY / GREY.sum(), np.float32(0.5)
_SMALL, _BAND = 64, 1 << 16  # a side, and pixels worked on at a time
_PACKED = 1 << 14  # pixels, of rows spread over the picture, that are packed
_OTHERWISE = ("JPEG", "WEBP", "GIF", "array")  # formats that pack by other means than we can, or not in a file
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
        ("pixels", np.uint32),  # a checksum of them, as decoded
        ("packed", np.float32),  # bytes per pixel that packing the content takes; 0 where files are packed otherwise
        ("coarse", np.int32),  # sum of a JPEG's first quantisation table, or the number of a TIFF's compression
        ("patient", np.int64),  # a hash of who a DICOM file says is on it, 0 where none says so
        ("border", np.float32, 4),  # mean of the outermost pixels: top, right, bottom, left
        ("within", np.float32, 4),  # of the like rows and columns a third further in, without their outer eighths
        ("corners", np.float32, 4),  # mean of the outermost tenth: top left, top right, bottom right, bottom left
        ("thumb", np.uint8, (THUMB, THUMB)),  # grey, stretched to the picture's own range
        ("tint", np.uint8, (TINT, TINT, 3)),  # colour, on the scale of the depth (of its own range, if not 8-bit)
        ("look", np.uint8, (SIDE, SIDE)),  # what varies most, for finding look-alikes
    ]
)


def facts_of_all(pictures: Sequence[np.ndarray], headers: Sequence[Header], sizes: Sequence[int]) -> np.ndarray:
    """(N,) of FACTS for decoded pictures (H, W, C) of one shape and type, their headers and the bytes of their files.

    low and high are exact. Of a picture of more than 65,536 pixels, mean, std and detail are those of 16 bands of
    rows spread over it, its corners those of its average over squares, and its tint that of every n-th pixel.
    Facts are the same whatever stands beside a picture: no sum runs over two, and none is cut up otherwise for there
    being several.
    """
    facts = np.zeros(len(pictures), FACTS)
    for name, values in _known(headers, sizes).items():
        facts[name] = values
    stack = np.stack(pictures) if len(pictures) > 1 else pictures[0][None]  # no copy of a single one, maybe large
    facts["packed"] = _packed(stack, headers)
    facts["pixels"] = [zlib.crc32(np.ascontiguousarray(picture)) for picture in stack]
    greys = _grey(stack)
    flat = greys.reshape(len(greys), -1)
    facts["low"], facts["high"] = np.minimum.reduce(flat, axis=1), np.maximum.reduce(flat, axis=1)
    low = facts["low"][:, None, None]
    above = _shrunk(greys) - low
    means, whole = _means(above), above.shape == greys.shape
    measured = above[:, None] if whole else np.stack(list(map(_bands, greys, facts["low"])))
    mean, facts["std"], facts["detail"] = _statistics(measured)
    facts["mean"] = facts["low"] + mean
    around = low[:, 0] + means[:, *_AROUND]
    lines = around[:, :8] if whole else np.stack([_lines(grey) for grey in greys])
    facts["border"], facts["within"], facts["corners"] = lines[:, :4], lines[:, 4:], around[:, 8:]
    stretch = np.float32(255) / np.maximum(facts["high"] - facts["low"], np.float32(1e-12))[:, None, None]
    facts["thumb"] = means[:, :THUMB, :THUMB] * stretch + _HALF  # a mean is never out of range
    facts["tint"] = _tint(stack, means[:, _TINT, _TINT], low, stretch)
    facts["look"] = looks_of(stack)
    return facts


def _known(headers: Sequence[Header], sizes: Sequence[int]) -> dict[str, Sequence[int]]:
    """What the files say."""
    return {
        "bytes": sizes,
        "pages": [header.pages for header in headers],
        "channels": [min(header.channels, 255) for header in headers],
        "height": [header.height for header in headers],
        "width": [header.width for header in headers],
        "depth": [DEPTHS.index(header.depth) for header in headers],
        "format": [FORMATS.index(one.format) if one.format in FORMATS else len(FORMATS) for one in headers],
        "coarse": [header.coarse for header in headers],
        "patient": [header.patient for header in headers],
    }


def _grey(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W) of the same type: luma of colour pictures, the mean of other channels, rounded."""
    count, channels = len(pictures), pictures.shape[3]
    if channels == 1:
        return pictures[..., 0]
    weights = _LUMA if channels == 3 else np.full(channels, 1 / channels, np.float32)
    half = np.float32(0 if pictures.dtype == np.float32 else 0.5)
    grey, pixels = np.empty(pictures.shape[:3], pictures.dtype), pictures.reshape(count, -1, channels)
    for start in range(0, pixels.shape[1], _BAND):  # no wide copy of a large one
        part = pixels[:, start : start + _BAND].astype(np.float32) @ weights
        grey.reshape(count, -1)[:, start : start + _BAND] = part + half
    return grey


def _bands(grey: np.ndarray, low: np.float32) -> np.ndarray:
    """(16, rows, W) of float32 above `low`: bands of a large picture; all of it, if it is narrow."""
    rows = min(len(grey), max(2, _BAND // 16 // grey.shape[1]))
    starts = np.linspace(0, len(grey) - rows, 16).astype(int)
    bands = np.stack([grey[row : row + rows] for row in starts]) if grey.size > _BAND else grey[None]
    return bands.astype(np.float32) - low


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) mean, standard deviation, and mean difference between neighbours below and beside each other, of (N, bands,
    rows, columns)."""
    detail, flat = [], values.reshape(len(values), -1)
    for step in (values[:, :, 1:] - values[:, :, :-1], values[..., 1:] - values[..., :-1]):
        if step.size:
            step = np.abs(step, out=step).reshape(len(step), -1)
            detail.append(np.add.reduce(step, axis=1) / np.float32(step.shape[1]))
    mean = np.add.reduce(flat, axis=1) / np.float32(flat.shape[1])
    flat = flat - mean[:, None]
    flat *= flat
    return mean, np.sqrt(np.add.reduce(flat, axis=1) / np.float32(flat.shape[1])), sum(detail) / max(len(detail), 1)


def _lines(grey: np.ndarray) -> np.ndarray:
    """The means of the outermost rows and columns, top, right, bottom, left, and of such within."""
    height, width = grey.shape
    rows, columns = (slice(side // 8, side - side // 8) for side in grey.shape)
    outer = grey[0], grey[:, -1], grey[-1], grey[:, 0]
    inner = grey[height // 3, columns], grey[rows, -(width // 3)], grey[-(height // 3), columns], grey[rows, width // 3]
    return np.array([float(line.sum()) / line.size for line in outer + inner])


def _packed(pictures: np.ndarray, headers: Sequence[Header]) -> list[float]:
    """Bytes per pixel of rows from all over the picture, each less the row above or less the pixels before, whichever
    is nearer to zero, as PNG does, deflated; 0 for files that are packed by other means."""
    height, width = pictures.shape[1:3]
    count = min(height - 1, max(16, _PACKED // width))
    at = np.linspace(min(1, height - 1), height - 1, max(count, 1)).astype(int)
    values = pictures.view(np.uint32) if pictures.dtype == np.float32 else pictures
    rows = values[:, at]
    up, left = rows - values[:, at - 1], rows.copy()  # differences that wrap lose nothing
    left[:, :, 1:] -= rows[:, :, :-1]
    sums = [np.minimum(less, 0 - less).sum(axis=(2, 3), dtype=np.int64) for less in (up, left)]
    least = np.where((sums[0] <= sums[1])[:, :, None, None], up, left)
    return [
        0.0 if one.format in _OTHERWISE or (one.format == "TIFF" and one.coarse > 1)
        else len(zlib.compress(packed, 1)) / (width * len(at))
        for packed, one in zip(least, headers, strict=True)
    ]  # fmt: skip


def _tint(pictures: np.ndarray, grey: np.ndarray, low: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """(N, 8, 8, 3 or 1) from the colours of every n-th pixel, or from `grey`, the means above `low`."""
    eight = pictures.dtype == np.uint8
    if pictures.shape[3] != 3:
        return (grey + (low + _HALF) if eight else grey * stretch + _HALF)[..., None]
    tall, wide = (max(1, side // _SMALL) for side in pictures.shape[1:3])
    planes = np.ascontiguousarray(pictures[:, ::tall, ::wide].transpose(0, 3, 1, 2), np.float32)
    rows, columns = (_weights(side)[_TINT] for side in planes.shape[2:])
    means = rows @ planes @ columns.T
    means = means if eight else (means - low[:, None]) * stretch[:, None]
    return np.minimum(np.maximum(means + _HALF, 0), 255).transpose(0, 2, 3, 1)


def _shrunk(grey: np.ndarray) -> np.ndarray:
    """`grey` (N, H, W) as float32, brought down by whole factors to sides of 64 to 127 pixels by averaging."""
    count, height, width = grey.shape
    tall, wide = max(1, height // _SMALL), max(1, width // _SMALL)
    if tall > 1:
        grey = grey[:, : height // tall * tall].reshape(count, -1, tall, width)
        grey = np.add.reduce(grey, axis=2, dtype=np.float32) / np.float32(tall)
    if wide > 1:
        grey = grey[:, :, : width // wide * wide].reshape(*grey.shape[:2], -1, wide).mean(axis=3, dtype=np.float32)
    return grey.astype(np.float32, copy=False)


def _means(values: np.ndarray) -> np.ndarray:
    """The mean of `values` (N, H, W) over every pair of stretches of rows and columns that `_weights` knows."""
    return _weights(values.shape[1]) @ values @ _weights(values.shape[2]).T


@functools.lru_cache(maxsize=256)
def _weights(length: int) -> np.ndarray:
    """(48, length): the weights that give the means over 32 equal stretches of `length` pixels, over 8, the first
    pixel, the last, the first tenth, the last, all, a pixel after a third, one after two, all but the outer eighths."""
    pixels, tenth = np.arange(length), max(1, length // 10)
    starts = [*np.linspace(0, length, THUMB, endpoint=False), *np.linspace(0, length, TINT, endpoint=False)]
    starts = np.array([*starts, 0, length - 1, 0, length - tenth, 0, length // 3, 2 * length // 3, length / 8])
    lengths = [length / THUMB] * THUMB + [length / TINT] * TINT + [1, 1, tenth, tenth, length, 1, 1, 0.75 * length]
    lengths = np.array(lengths)
    ends = starts + lengths
    covered = np.minimum(ends[:, None], pixels + 1) - np.maximum(starts[:, None], pixels)
    return (np.maximum(covered, 0) / lengths[:, None]).astype(np.float32)
