"""The one decoder: a picture file, its bytes or an array becomes (height, width, channels).

Formats: PNG, JPEG, TIFF, BMP, WebP, GIF, NPY and DICOM, told apart by content. Transparency is laid on white,
palettes and CMYK become RGB, the EXIF orientation is applied, 16 bits stay 16 bits. Limits are checked on the
header, before any pixel is unpacked.
"""

import contextlib
import functools
import io
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from striate.data import png
from striate.data.content import START, open_file, read_file, recognise
from striate.data.dicom import decode_dicom, look_dicom
from striate.data.header import WHOLE, Header, Pick, Unreadable, chosen, no_memory, require_page, require_size
from striate.data.npy import decode_npy, header_of, look_npy, require_axes
from striate.data.pixels import as_depth, upright
from striate.data.prepare import Shape
from striate.data.quiet import quiet
from striate.data.raster import decode_frames, look_image, open_image, read_image, turn_of, unpacked
from striate.data.tiff import decode_all, decode_tiff, look_tiff
from striate.errors import in_short

VERSION = 5  # raise it when a picture would decode to other numbers: stores built before are then rebuilt

Source = Path | bytes | np.ndarray | list[bytes]  # the last: a file for each channel


def read(source: Source, enough: int = 0, pick: Pick = WHOLE, shape: Shape | None = None) -> tuple[np.ndarray, Header]:
    """The picture as in `decode`, and what its header says (of the whole size, also where it was unpacked smaller).

    shape: what the picture will be made to fit, where nothing else is wanted of it: it may have that size already, with
    the very numbers of `fit`, and was never copied at its own.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source, pick)
    if isinstance(source, list):
        return _stacked([_one(data, enough, pick) for data in source])
    data = bytes(source) if isinstance(source, bytes | bytearray) else read_file(Path(source))
    kind = recognise(data[:START])
    with unpacking(kind):
        joins = pick.volume or (isinstance(pick.page, str) and look(data, pick).pages > 1)
        pixels, header = _joined(data, kind, pick) if joins else _page(data, kind, enough, pick, shape)
        return np.ascontiguousarray(pixels), header


def _stacked(channels: list[tuple[np.ndarray, Header]]) -> tuple[np.ndarray, Header]:
    """One picture of channels that were read apart, or one volume: of each page all channels."""
    first, header = channels[0]
    for pixels, own in channels:
        if own.channels != 1:
            raise Unreadable(f"{own.channels} channels in a file that is to be one of them", "values")
        if pixels.shape != first.shape or pixels.dtype != first.dtype:
            kinds = (f"{one.shape[1]} × {one.shape[0]} {one.dtype}" for one in (first, pixels))
            raise Unreadable(f"its channels differ in size or depth: {' and '.join(kinds)}", "values")
    pixels = np.stack([pixels for pixels, _ in channels], axis=3).reshape(*first.shape[:2], -1)
    return pixels, replace(header, channels=len(channels))


def _one(source: bytes, enough: int, pick: Pick) -> tuple[np.ndarray, Header]:
    """The file of one channel; of one in false colour the colour that is used, of grey written as RGB one of three."""
    pixels, header = read(source, enough, pick)
    if header.channels != 3 or pick.volume:
        return pixels, header
    lit = np.flatnonzero(pixels.any(axis=(0, 1)))
    is_grey = (pixels == pixels[:, :, :1]).all()
    return (pixels[:, :, [*lit, 0][:1]], replace(header, channels=1)) if is_grey or len(lit) < 2 else (pixels, header)


def decode(source: Source, enough: int = 0, pick: Pick = WHOLE) -> np.ndarray:
    """The picture as (H, W, C) of uint8, uint16 or float32; C is 1 (grey), 3 (RGB) or more.

    8-bit and 16-bit values are as in the file; signed, 32-bit and float values become float32 unchanged.
    An array is (H, W) or (H, W, C) of numbers or bools. enough: 0, or a side in pixels; a JPEG with at least
    twice as many on both sides is unpacked at 1/2, 1/4 or 1/8 of its size, never below twice `enough`, which
    is several times faster for photographs (libjpeg leaves out the fine cosines). pick: a page or a projection, and
    channels; of a volume all pages, (H, W, pages x C), where an array is (D, H, W) or (D, H, W, C).
    Raises Unreadable, and nothing else, for a source that is no picture, is damaged, cut short or too large,
    or has no such page or channel.
    """
    return read(source, enough, pick)[0]


def look(source: Source, pick: Pick = WHOLE) -> Header:
    """Size, channels, depth, format and pages from the header alone; Unreadable as in `decode`.

    Channels are those that `pick` takes. Damage behind the header goes unnoticed.
    """
    if isinstance(source, np.ndarray):
        return _array_header(source.shape, source.dtype, pick)
    with io.BytesIO(source) if isinstance(source, bytes | bytearray) else open_file(Path(source)) as file:
        start = file.read(START)
        kind = recognise(start)
        file.seek(0)
        with unpacking(kind):
            return _look(file, start, kind, pick)


def opened(image: Image.Image) -> np.ndarray | Unreadable:
    """The upright pixels (H, W, 1 or 3) of an image that was opened or made with Pillow, or why there are none."""
    try:
        with unpacking(image.format or "image"):
            return unpacked(image, image.format or "image")
    except Unreadable as problem:
        return problem


@contextlib.contextmanager
def unpacking(kind: str) -> Iterator[None]:
    """While a library unpacks a file of this kind: it says nothing, and whatever it raises on hostile bytes becomes
    Unreadable, since one bad file must not end a run."""
    try:
        with quiet():
            yield
    except Unreadable:
        raise
    except MemoryError:
        raise no_memory() from None
    except Exception as error:
        raise _damaged(kind, error) from None


def _damaged(kind: str, error: Exception) -> Unreadable:
    if isinstance(error, Image.DecompressionBombError):
        return Unreadable("too large: more pixels than the limit", "size")
    words = in_short(error)
    if "BytesIO" in words:  # Pillow's "cannot identify image file <_io.BytesIO ...>" says no more than this
        words = "its structure is broken"
    if words.startswith("decoder error"):
        words = "its pixels cannot be unpacked"
    cut = "truncated" if "truncated" in words.lower() else "damaged"
    return Unreadable(f"{cut} {kind}: {words}")


def _page(data: bytes, kind: str, enough: int, pick: Pick, shape: Shape | None = None) -> tuple[np.ndarray, Header]:
    """The page that `pick` names, (H, W, C), and its header."""
    file = io.BytesIO(data)
    match kind:
        case "TIFF":
            return decode_tiff(file, pick)
        case "NPY":
            require_page(pick.number, 1)
            pixels, header = decode_npy(file)
        case "DICOM":
            ((pixels, header),) = decode_dicom(file, [pick.number])
        case "PNG" if _is_deep(data):
            pixels = upright(png.decode_deep(data), turn_of(file, open_image(file, kind), kind))
            return _finished(pixels, pick), _look(file, data[:START], kind, pick)
        case _:
            if kind == "PNG":
                png.verify(data)
            pixels, header = read_image(file, kind, pick.number, enough, shape)
    return _finished(pixels, pick), _narrowed(header, pick)


def _finished(pixels: np.ndarray, pick: Pick) -> np.ndarray:
    """(H, W, C) of the channels asked for, in one of three depths."""
    pixels = as_depth(pixels.reshape(*pixels.shape[:2], -1))
    return pixels[:, :, chosen(pixels.shape[2], pick)] if pick.channels else pixels


def _joined(data: bytes, kind: str, pick: Pick) -> tuple[np.ndarray, Header]:
    """All pages, (H, W, pages x C), or the projection over them, (H, W, C), and the header of the file."""
    header = _look(io.BytesIO(data), data[:START], kind, pick)
    pages = _alike(_pages(data, kind, header.pages, pick))
    if pick.volume:
        wide = np.dtype(header.depth).itemsize
        require_size(header.height, header.width, header.pages * header.channels * wide)
        return np.concatenate(list(pages), axis=2), header
    if pick.page == "max":
        return functools.reduce(np.maximum, pages), header
    mean = functools.reduce(np.add, (page.astype(np.float64) for page in pages)) / header.pages
    return (mean if header.depth == "float32" else np.rint(mean)).astype(header.depth), header


def _alike(pages: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same, as long as they are of one size and kind."""
    kinds = set()
    for page in pages:
        if len(kinds := kinds | {(page.shape, page.dtype)}) > 1:
            raise Unreadable("its pages are of different sizes or kinds, so they cannot be taken together", "values")
        yield page


def _pages(data: bytes, kind: str, count: int, pick: Pick) -> Iterator[np.ndarray]:
    """Every page as in `_page`, from one opening of the file."""
    file = io.BytesIO(data)
    match kind:
        case "TIFF":
            yield from decode_all(file, pick)
        case "NPY":
            yield from (_finished(frame, pick) for frame in decode_npy(file, volume=True)[0])
        case "DICOM":
            yield from (_finished(pixels, pick) for pixels, _ in decode_dicom(file, range(count)))
        case _ if count == 1:
            yield _page(data, kind, 0, pick)[0]
        case _:
            if kind == "PNG":
                png.verify(data)
            yield from (_finished(pixels, pick) for pixels in decode_frames(file, kind, count))


def _is_deep(data: bytes) -> bool:
    """Whether a PNG has 16 bits per channel, once its size is checked."""
    start = png.read_start(data)
    require_size(start.height, start.width, 16 if start.bits == 16 else 4)  # what unpacking takes
    return start.bits == 16


def _look(file: BinaryIO, start: bytes, kind: str, pick: Pick) -> Header:
    match kind:
        case "TIFF":
            return look_tiff(file, pick)
        case "NPY":
            require_page(pick.number, 1)
            header = look_npy(file, pick.volume)
        case "DICOM":
            header = look_dicom(file, pick.number)
        case "PNG" if _is_deep(start):
            require_page(pick.number, 1)  # Pillow would cut the frames of an animation to 8 bits
            channels = 1 if png.read_start(start).colour in (0, 4) else 3
            header = replace(look_image(file, kind), depth="uint16", channels=channels, pages=1)
        case _:
            header = look_image(file, kind, pick.number)
    return _narrowed(header, pick)


def _narrowed(header: Header, pick: Pick) -> Header:
    """`header` with as many channels as `pick` takes."""
    return replace(header, channels=len(chosen(header.channels, pick))) if pick.numbers else header


def _of_array(source: np.ndarray, pick: Pick) -> tuple[np.ndarray, Header]:
    header = _array_header(source.shape, source.dtype, pick)
    if pick.volume:
        return np.concatenate([_finished(frame, pick) for frame in source], axis=2), header
    return _finished(source, pick), header


@functools.lru_cache(maxsize=256)  # thousands are alike
def _array_header(shape: tuple[int, ...], dtype: np.dtype, pick: Pick) -> Header:
    require_axes(shape, pick.volume)
    height, width = shape[pick.volume : pick.volume + 2]
    require_size(height, width, math.prod(shape) * dtype.itemsize // max(height * width, 1))
    if dtype.kind not in "biuf":
        raise Unreadable(f"pixel values of type {dtype} are not supported", "values")
    require_page(pick.number, 1)
    return _narrowed(header_of(shape, dtype, "array", pick.volume), pick)
