"""PNG, JPEG, BMP, WebP, GIF and the kinds of TIFF that are 8-bit at heart, through Pillow."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from striate.data.content import open_file
from striate.data.header import MAX_PAGES, MAX_UNPACKED, Header, Unreadable, require_page, require_size
from striate.data.pixels import as_depth, on_white, turned_size, upright
from striate.data.png import tells_orientation
from striate.data.prepare import Shape, resized, size_in
from striate.data.quiet import hush_libtiff, quiet

_GREY = {"1", "L", "LA"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
_DEEP = {"I;16": "uint16", "I;16B": "uint16", "I;16L": "uint16", "I;16N": "uint16", "I": "float32", "F": "float32"}
_SEGMENTS, _FRAMES, _LOSSLESS = 1000, b"\xc0\xc1\xc2\xc5\xc6\xc9\xca\xcd\xce", b"\xc3\xc7\xcb\xcf\xf7"  # of JPEG
_SHALLOW = {"L;2": 85, "L;4": 17}  # how Pillow stretches grey pixels of 2 and 4 bits
_ROWS = 256  # rows converted at a time, so that a large picture needs no second copy


def open_image(file: BinaryIO, kind: str, page: int = 0) -> Image.Image:
    """The picture `page` of a file as Pillow sees it, checked against the limits and not yet unpacked."""
    file.seek(0)
    if kind == "WEBP":
        require_size(*_webp_size(file.read(32)), 4)  # Pillow allocates a WebP canvas when it opens the file
        file.seek(0)
    if kind == "TIFF":
        hush_libtiff()
    if kind == "JPEG":
        _require_plain_jpeg(file)
    image = Image.open(file, formats=[kind])
    _require(image, kind)
    if kind == "PNG" and image.tile and image.tile[0][3] in _SHALLOW and "transparency" in image.info:
        image.info["transparency"] *= _SHALLOW[image.tile[0][3]]  # Pillow stretches the pixels and not this grey
    if page:
        require_page(page, count_frames(file, image, kind))
        if kind in ("GIF", "PNG", "WEBP") and image.height * image.width * (page + 1) > MAX_UNPACKED:
            raise Unreadable(f"too large: {page + 1:,} frames have to be drawn to see the last one", "size")
        image.seek(page)
        _require(image, kind)
    return image


def _require(image: Image.Image, kind: str) -> None:
    require_size(image.height, image.width, 4)
    if image.mode not in _GREY | _COLOUR | _DEEP.keys():
        raise Unreadable(f"{kind} with colours of kind {image.mode} is not supported", "unsupported")


def count_frames(file: BinaryIO, image: Image.Image, kind: str) -> int:
    """How many frames `image` has, at most MAX_PAGES; nothing is unpacked."""
    if kind == "TIFF":
        return 1  # they are counted elsewhere
    return _gif_frames(file) if kind == "GIF" else min(getattr(image, "n_frames", 1), MAX_PAGES)


def _gif_frames(file: BinaryIO) -> int:
    """Picture blocks of a GIF (GIF89a, sections 18 to 27), counted without Pillow's walk, which has no limit."""
    place, frames = file.tell(), 0
    file.seek(10)
    _skip_table(file, file.read(3)[:1])
    while frames < MAX_PAGES and (block := file.read(1)) in (b"!", b","):
        if block == b",":
            frames += 1
            _skip_table(file, file.read(9)[-1:])
        file.read(1)  # the extension's label, or the least code size
        while (size := file.read(1)) not in (b"", b"\0"):
            file.seek(size[0], 1)
    file.seek(place)
    return max(frames, 1)


def _skip_table(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 128:
        file.seek(3 << (flags[0] & 7) + 1, 1)


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


def _require_plain_jpeg(file: BinaryIO) -> None:
    """Raise Unreadable for what is no JPEG of 8 bits with loss, by its frame header (ITU T.81, B.1.1.3; T.87)."""
    file.seek(2)
    for _ in range(_SEGMENTS):
        mark, code, length = file.read(1), file.read(1), int.from_bytes(file.read(2))
        if mark != b"\xff" or length < 2 or code == b"\xda":
            break
        if code in _LOSSLESS:
            name = "JPEG-LS" if code == _LOSSLESS[-1:] else "lossless JPEG"
            raise Unreadable(f"{name} is not supported", "unsupported")
        if code in _FRAMES and (bits := file.read(1)[0]) != 8:
            raise Unreadable(f"JPEG of {bits} bits is not supported", "unsupported")
        file.seek(length - 2 - (code in _FRAMES), 1)
    file.seek(0)


def read_image(file: BinaryIO, kind: str, page: int, enough: int, shape: Shape | None) -> tuple[np.ndarray, Header]:
    """The upright pixels (H, W, 1 or 3) of a file, and its header; enough, shape: see `decode.read`."""
    image = open_image(file, kind, page)
    header = _header(file, image, kind)
    return unpacked(image, kind, page, enough, shape), header


def decode_frames(file: BinaryIO, kind: str, count: int) -> Iterator[np.ndarray]:
    """The pixels of the first `count` frames, one after the other: some formats draw a frame on all before it."""
    image = open_image(file, kind)
    for number in range(count):
        image.seek(number)
        _require(image, kind)
        yield unpacked(image, kind)


def look_image(file: BinaryIO, kind: str, page: int = 0) -> Header:
    """What the file says about its picture, after the EXIF orientation."""
    return _header(file, open_image(file, kind, page), kind)


def unpacked(image: Image.Image, kind: str, page: int = 0, enough: int = 0, shape: Shape | None = None) -> np.ndarray:
    """The upright pixels of an image that is opened, or was made; see `decode.read`."""
    if kind == "JPEG" and enough and not page:
        image.draft(None, (2 * enough, 2 * enough))
    image.load()
    _require(image, kind)
    if shape is not None and _is_plain(image, shape):
        image = resized(image, *size_in(shape, image.height, image.width))
    pixels = _pixels(image)
    return pixels if kind == "TIFF" else upright(pixels, orientation_of(image))


def _is_plain(image: Image.Image, shape: Shape) -> bool:
    """Whether nothing but its size lies between the unpacked picture and `fit`."""
    kept = {"L": 1, "RGB": 3}.get(image.mode) == shape.channels and (shape.form, shape.depth) == ("picture", "uint8")
    return kept and not shape.picked and not image.has_transparency_data and orientation_of(image) in (None, 1)


def _header(file: BinaryIO, image: Image.Image, kind: str) -> Header:
    height, width = turned_size(image.height, image.width, turn_of(file, image, kind))
    depth, channels = _DEEP.get(image.mode, "uint8"), 3 if image.mode in _COLOUR else 1
    pages = count_frames(file, image, kind)
    tables = getattr(image, "quantization", None) if kind == "JPEG" else None
    coarse = sum(next(iter(tables.values()))) if tables else 0
    return Header(height=height, width=width, channels=channels, depth=depth, format=kind, pages=pages, coarse=coarse)


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode in _DEEP:
        pixels = np.asarray(image)
        return as_depth(pixels.reshape(*pixels.shape[:2], -1))
    grey = image.mode in _GREY
    clear = image.has_transparency_data
    wanted = ("LA" if clear else "L") if grey else ("RGBA" if clear else "RGB")
    out = np.empty((image.height, image.width, 1 if grey else 3), np.uint8)
    for top in range(0, image.height, _ROWS):
        rows = image.crop((0, top, image.width, min(top + _ROWS, image.height))) if image.height > _ROWS else image
        part = np.asarray(rows if rows.mode == wanted else rows.convert(wanted))
        part = part.reshape(*part.shape[:2], -1)
        out[top : top + _ROWS] = on_white(part[:, :, :-1], part[:, :, -1:]) if clear else part
    return out


def orientation_of(image: Image.Image) -> object:
    """The EXIF orientation of an opened picture; None when it has none or it cannot be read."""
    try:
        return image.getexif().get(274)
    except Exception:  # EXIF of any kind of damage is no reason to refuse the picture
        return None


def turn_of(file: BinaryIO, image: Image.Image, kind: str) -> object:
    """The same without unpacking it, unless a PNG needs that to know; Pillow turns TIFF itself."""
    if kind == "TIFF" or (kind == "PNG" and not tells_orientation(file)):
        return None
    return orientation_of(image)


def file_orientation(path: Path) -> int:
    """The EXIF orientation of a picture file, 1 to 8; 1 where it has none or cannot be read."""
    try:
        with open_file(path) as file, quiet(), Image.open(file) as image:
            found = orientation_of(image)
    except Exception:  # a file that is no picture is refused elsewhere
        return 1
    return found if found in range(1, 9) else 1
