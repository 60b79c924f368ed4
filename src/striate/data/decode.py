"""The one decoder: a picture file, its bytes or an array becomes (height, width, channels).

Formats: PNG, JPEG, TIFF, BMP, WebP and GIF (of several frames or pages the first), told apart by
content. Transparency is laid on white, palettes and CMYK become RGB, the EXIF orientation is applied,
16 bits stay 16 bits. Limits are checked on the header, before any pixel is unpacked.
"""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from striate.data import png, tiff
from striate.data.content import FORMATS, IMAGE_SUFFIXES, START, open_file, read_file, recognise
from striate.data.header import Header, Pick, Unreadable, require_size
from striate.data.pixels import as_depth, on_white, turned_size, upright
from striate.data.quiet import hush_libtiff, quiet

__all__ = ["FORMATS", "IMAGE_SUFFIXES", "VERSION", "Header", "Unreadable", "decode", "look"]

VERSION = 2  # raise it when a picture would decode to other numbers: stores built before are then rebuilt

_GREY = {"1", "L", "LA"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
_DEEP = {"I;16": "uint16", "I;16B": "uint16", "I;16L": "uint16", "I;16N": "uint16", "I": "float32", "F": "float32"}

WHOLE = Pick()  # the first page with all its channels

Source = Path | bytes | np.ndarray


def read(source: Source, enough: int = 0, pick: Pick = WHOLE) -> tuple[np.ndarray, Header]:
    """The picture as in `decode`, and what its header says (of the whole size, also where it was unpacked smaller)."""
    return decode(source, enough, pick), look(source)


def decode(source: Source, enough: int = 0, pick: Pick = WHOLE) -> np.ndarray:
    """The picture as (H, W, C) of uint8, uint16 or float32; C is 1 (grey), 3 (RGB) or more.

    8-bit and 16-bit values are as in the file; signed, 32-bit and float values become float32 unchanged.
    An array is (H, W) or (H, W, C) of numbers or bools. enough: 0, or a side in pixels; a JPEG with at least
    twice as many on both sides is unpacked at 1/2, 1/4 or 1/8 of its size, never below twice `enough`, which
    is several times faster for photographs (libjpeg leaves out the fine cosines). Raises Unreadable, and
    nothing else, for a source that is no picture, is damaged, cut short or too large.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    data = bytes(source) if isinstance(source, bytes | bytearray) else read_file(Path(source))
    kind = recognise(data[:START])
    try:
        with quiet():
            return np.ascontiguousarray(_pixels(data, kind, enough))
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("needs more memory than this machine has free", "size") from None
    except Exception as error:  # whatever a library does on hostile bytes, one bad file must not end a run
        raise _damaged(kind, error) from None


def look(source: Source) -> Header:
    """Size, channels, depth and format from the header alone; Unreadable as in `decode`.

    Damage behind the header goes unnoticed, and a TIFF of odd layout may decode deeper than said here.
    """
    if isinstance(source, np.ndarray):
        return _array_header(source)
    with io.BytesIO(source) if isinstance(source, bytes) else open_file(Path(source)) as file:
        try:
            start = file.read(START)
            kind = recognise(start)
            file.seek(0)
            with quiet():
                return _look(file, start, kind)
        except Unreadable:
            raise
        except Exception as error:
            raise _damaged(kind, error) from None


def _damaged(kind: str, error: Exception) -> Unreadable:
    if isinstance(error, Image.DecompressionBombError):
        return Unreadable("too large: more pixels than the limit", "size")
    words = " ".join(str(error).split())[:160] or type(error).__name__
    if "BytesIO" in words:  # Pillow's "cannot identify image file <_io.BytesIO ...>" says no more than this
        words = "its structure is broken"
    if words.startswith("decoder error"):
        words = "its pixels cannot be unpacked"
    cut = "truncated" if "truncated" in words.lower() else "damaged"
    return Unreadable(f"{cut} {kind}: {words}")


def _pixels(data: bytes, kind: str, enough: int) -> np.ndarray:
    if kind == "PNG":
        start = png.read_start(data)
        require_size(start.height, start.width, 4)
        if start.bits == 16:
            pixels, orientation = png.decode_deep(data)
            return upright(pixels, orientation)
        png.verify(data)
    elif kind == "TIFF":
        page = tiff.open_page(io.BytesIO(data))
        if not tiff.for_pillow(page):
            return upright(tiff.decode_page(page), tiff.orientation(page))
    image = _open(io.BytesIO(data), data[:START], kind)
    if kind == "JPEG" and enough:
        image.draft(None, (2 * enough, 2 * enough))
    image.load()
    require_size(image.height, image.width)
    pixels = _from_pillow(image)
    return pixels if kind == "TIFF" else upright(pixels, _orientation(image))  # Pillow turns TIFF itself


def _open(file: BinaryIO, start: bytes, kind: str) -> Image.Image:
    if kind == "WEBP":
        require_size(*_webp_size(start))  # Pillow allocates a WebP canvas when it opens the file
    if kind == "TIFF":
        hush_libtiff()
    image = Image.open(file, formats=[kind])
    require_size(image.height, image.width)
    if image.mode not in _GREY | _COLOUR | _DEEP.keys():
        raise Unreadable(f"{kind} with colours of kind {image.mode} is not supported", "unsupported")
    return image


def _webp_size(start: bytes) -> tuple[int, int]:
    """Height and width from the first chunk of a WebP (RFC 9649, sections 2.5 to 2.7)."""
    chunk, body = start[12:16], start[20:]
    if len(body) < 10:
        raise Unreadable("truncated WEBP: no header")
    if chunk == b"VP8X":
        return int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF


def _from_pillow(image: Image.Image) -> np.ndarray:
    if image.mode in _DEEP:
        pixels = np.asarray(image)
        return as_depth(pixels.reshape(*pixels.shape[:2], -1))
    grey = image.mode in _GREY
    clear = image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    wanted = ("LA" if clear else "L") if grey else ("RGBA" if clear else "RGB")
    pixels = np.asarray(image if image.mode == wanted else image.convert(wanted))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return on_white(pixels[:, :, :-1], pixels[:, :, -1:]) if clear else pixels


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(274)
    except Exception:  # EXIF of any kind of damage is no reason to refuse the picture
        return None


def _look(file: BinaryIO, start: bytes, kind: str) -> Header:
    if kind == "TIFF":
        page = tiff.open_page(file)
        if not tiff.for_pillow(page):
            return tiff.read_header(page)
        file.seek(0)
    image = _open(file, start, kind)
    height, width = image.height, image.width
    if kind == "PNG":  # getexif of a PNG may decode all of it, so only what comes first is used
        height, width = turned_size(height, width, png.exif_orientation(image.info.get("exif", b"")))
    elif kind != "TIFF":
        height, width = turned_size(height, width, _orientation(image))
    depth = _DEEP.get(image.mode, "uint8")
    channels = 3 if image.mode in _COLOUR else 1
    if kind == "PNG" and (first := png.read_start(start)).bits == 16:
        depth, channels = "uint16", 1 if first.colour in (0, 4) else 3
    return Header(height=height, width=width, channels=channels, depth=depth, format=kind)


def _array_header(pixels: np.ndarray) -> Header:
    if pixels.ndim not in (2, 3):
        rule = "not (height, width) or (height, width, channels)"
        raise Unreadable(f"an array of shape {pixels.shape}, {rule}", "values")
    height, width, channels = (*pixels.shape, 1)[:3]
    require_size(height, width, channels)
    if pixels.dtype.kind not in "biuf":
        raise Unreadable(f"pixel values of type {pixels.dtype} are not supported", "values")
    name = "uint8" if pixels.dtype == bool else pixels.dtype.name
    depth = name if name in ("uint8", "uint16") else "float32"
    return Header(height=height, width=width, channels=channels, depth=depth, format="array")


def _from_array(pixels: np.ndarray) -> np.ndarray:
    header = _array_header(pixels)
    return as_depth(pixels.reshape(header.height, header.width, header.channels))
