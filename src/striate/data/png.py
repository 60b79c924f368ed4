"""PNG: what Pillow leaves out, which is checksums of the pixel data and 16 bits per channel."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from striate.data.header import Unreadable
from striate.data.pixels import on_white

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class PngStart:
    """The IHDR chunk: size in pixels, bits per channel, colour type, interlaced or not."""

    height: int
    width: int
    bits: int
    colour: int
    interlaced: int


def read_start(data: bytes) -> PngStart:
    """The header of a PNG from its first 33 bytes."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise Unreadable("damaged PNG: no header")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    return PngStart(height=height, width=width, bits=bits, colour=colour, interlaced=interlaced)


def verify(data: bytes) -> None:
    """Raise Unreadable unless every critical chunk is whole, with the right checksum, up to IEND."""
    for _ in _chunks(data):
        pass


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, place = memoryview(data), 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data):
            break
        critical = not kind[0] & 32  # upper-case first letter; what is not critical may be broken
        if critical and zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise Unreadable(f"damaged PNG: wrong checksum of {kind.decode('latin-1')!r}")
        yield kind, view[place + 8 : end - 4]
        if kind == b"IEND":
            return
        place = end
    raise Unreadable("truncated PNG: the file ends too early")


def palette_of(data: bytes) -> list[bytes]:
    """The colours of a palette, three bytes each; none where pixels are no numbers of a palette."""
    chunks = _chunks(data) if read_start(data).colour == 3 else ()
    body = next((bytes(body) for kind, body in chunks if kind == b"PLTE"), b"")
    return [body[place : place + 3] for place in range(0, len(body), 3)]


def tells_orientation(file: BinaryIO) -> bool:
    """Whether any chunk may say how the picture is turned; no pixel is read, and the file is left where it was."""
    begun, place = file.tell(), 8
    while True:
        file.seek(place)
        start = file.read(8 + 24)
        kind, body = start[4:8], start[8:]
        found = kind == b"eXIf" or (kind in _TEXTS and body.startswith((b"Raw profile type exif", b"XML:com.adobe")))
        if found or len(start) < 12 or kind == b"IEND":
            file.seek(begun)
            return found
        place += 12 + int.from_bytes(start[:4])


def decode_deep(data: bytes) -> np.ndarray:
    """A PNG of 16 bits per channel as (H, W, 1 or 3) uint16 on white, not yet turned.

    Pillow alone keeps the upper byte of each colour only. Its raw decoder is used here twice, for the
    upper and for the lower bytes ("16L" takes for the upper byte what in a PNG is the lower one).
    """
    start, packed, clear = read_start(data), bytearray(), None
    if start.colour not in _CHANNELS:
        raise Unreadable("damaged PNG: 16 bits with a palette")
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            packed += body
        elif kind == b"tRNS" and start.colour in (0, 2) and len(body) >= 2 * _CHANNELS[start.colour]:
            clear = np.frombuffer(body, ">u2", _CHANNELS[start.colour]).astype(np.uint16)
    pixels = _unpack(bytes(packed), start)
    if start.colour in (4, 6):
        pixels = on_white(pixels[:, :, :-1], pixels[:, :, -1:])
    elif clear is not None:
        pixels[(pixels == clear).all(axis=2)] = 65535
    return pixels


def _unpack(packed: bytes, start: PngStart) -> np.ndarray:
    size = (start.width, start.height)

    def raw(mode: str, layout: str) -> np.ndarray:
        image = Image.frombytes(mode, size, packed, "zip", layout, start.interlaced)
        return np.asarray(image)

    if start.colour in (0, 4):  # two or four bytes per pixel: taken as they are
        mode = "LA" if start.colour == 0 else "RGBA"
        return np.ascontiguousarray(raw(mode, mode)).view(">u2").astype(np.uint16)
    mode = "RGB" if start.colour == 2 else "RGBA"
    upper = raw(mode, f"{mode};16B").astype(np.uint16)
    return (upper << np.uint16(8)) | raw(mode, f"{mode};16L")
