"""TIFF of any depth: tifffile where it keeps what Pillow would cut, Pillow for the rest.

Which of the two reads a file depends on the file alone, never on what is installed.
"""

import io
import zlib
from typing import BinaryIO

import numpy as np
import tifffile
from tifffile import TiffPage

from striate.data.header import Header, Unreadable, require_size
from striate.data.pixels import as_depth, on_white, turned_size

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_PLAIN, _DEFLATE = (1,), (8, 32946)
_HARMLESS = 256_000_000  # bytes that one segment may grow to without being tried first
_SLACK = 1 << 20  # bytes that a compressed segment may hold beyond what its pixels need


def open_page(file: BinaryIO) -> TiffPage:
    """The first page of a TIFF, checked against the size limits; no pixel is read."""
    page = tifffile.TiffFile(file).pages[0]
    samples, depth, height, width, inner = page.shaped
    if depth != 1:
        raise Unreadable("a volume in one TIFF page is not supported", "unsupported")
    require_size(height, width, samples * inner)
    return page


def for_pillow(page: TiffPage) -> bool:
    """Whether Pillow reads this page without loss: 8 bits or less, or one grey channel."""
    bits = page.bitspersample
    photometric, samples = int(page.photometric), page.samplesperpixel
    if not isinstance(bits, int) or bits < 8 or bits in (10, 12, 14):
        return samples == 1 or (isinstance(bits, int) and bits < 8)
    ours = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or (photometric == _PALETTE and bits == 16)
    if ours and int(page.compression) in _PLAIN + _DEFLATE and int(page.fillorder) == 1:
        return False
    return bits == 8 or (samples == 1 and photometric != _WHITE_IS_ZERO and bits in (16, 32))


def read_header(page: TiffPage) -> Header:
    """Size after orientation, channels and depth of a page that `for_pillow` says is ours."""
    samples, _, height, width, inner = page.shaped
    channels = 3 if int(page.photometric) == _PALETTE else samples * inner - (_alpha(page) is not None)
    kind = np.dtype(page.dtype)
    depth = kind.name if kind.name in ("uint8", "uint16") else "float32"
    height, width = turned_size(height, width, orientation(page))
    return Header(height=height, width=width, channels=channels, depth=depth, format="TIFF")


def orientation(page: TiffPage) -> object:
    return page.tags.valueof(274)


def decode_page(page: TiffPage) -> np.ndarray:
    """The pixels (H, W, C) of a page, not yet turned by its orientation."""
    photometric = int(page.photometric)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE):
        name = getattr(page.photometric, "name", photometric)
        what = f"TIFF of {page.bitspersample} bits with colours of kind {name}"
        raise Unreadable(f"{what} is not supported", "unsupported")
    _require_data(page)
    try:
        stack = page.asarray(squeeze=False, maxworkers=1)
    except ValueError as error:
        raise _decoder_needed(page, error) from None
    pixels = as_depth(stack[:, 0].transpose(1, 2, 0, 3).reshape(*stack.shape[2:4], -1))
    if photometric == _PALETTE:
        return _look_up(page, pixels)
    if photometric == _WHITE_IS_ZERO and pixels.dtype.kind == "u":
        pixels = (np.iinfo(pixels.dtype).max - pixels).astype(pixels.dtype)
    alpha = _alpha(page)
    if alpha is None:
        return pixels
    colour = pixels.shape[2] - 1
    return on_white(pixels[:, :, :colour], pixels[:, :, colour:], premultiplied=alpha == 1)


def _alpha(page: TiffPage) -> int | None:
    """1 for premultiplied and 2 for plain alpha as the only extra channel, None for no alpha."""
    extra = [int(kind) for kind in page.extrasamples]
    colours = 3 if int(page.photometric) == _RGB else 1
    return extra[0] if extra in ([1], [2]) and page.samplesperpixel == colours + 1 else None


def _require_data(page: TiffPage) -> None:
    """Every strip or tile must lie inside the file and must not swell beyond its pixels."""
    size = page.parent.filehandle.size
    if not page.dataoffsets or len(page.dataoffsets) != len(page.databytecounts):
        raise Unreadable("damaged TIFF: no pixel data")
    if int(page.photometric) == _PALETTE and page.colormap is None:
        raise Unreadable("damaged TIFF: no palette")
    counts = page.databytecounts
    if page.is_contiguous:  # read in one go by what the picture needs, whatever the counts claim
        counts = [page.nbytes, *[1] * (len(counts) - 1)]
    for offset, count in zip(page.dataoffsets, counts, strict=True):
        if count <= 0 or offset + count > size:
            raise Unreadable("truncated TIFF: the file ends before its pixels")
    if int(page.compression) in _DEFLATE:
        _require_honest(page)


def _require_honest(page: TiffPage) -> None:
    tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    values = min(tall, max(page.imagelength, page.tilelength)) * wide * page.samplesperpixel
    room = values * page.dtype.itemsize + _SLACK
    if wide > 4 * max(page.imagewidth, 1024) or values * page.dtype.itemsize > 2 * 10**9:
        raise Unreadable("damaged TIFF: its tiles are larger than the picture")
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count * 1032 <= max(16 * room, _HARMLESS):  # deflate packs 1,032 : 1 at most
            continue
        page.parent.filehandle.seek(offset)
        unpacker = zlib.decompressobj()
        unpacker.decompress(page.parent.filehandle.read(count), room)
        if unpacker.unconsumed_tail and not unpacker.eof:
            raise Unreadable("damaged TIFF: its pixel data swells beyond the picture", "size")


def _look_up(page: TiffPage, pixels: np.ndarray) -> np.ndarray:
    table = np.asarray(page.colormap).T  # (65536, 3) of uint16
    if len(table) <= int(pixels.max()):
        raise Unreadable("damaged TIFF: its palette is too short")
    picture = table[pixels[:, :, 0]].astype(np.uint16)
    return picture if pixels.dtype == np.uint16 else (picture >> 8).astype(np.uint8)


def _decoder_needed(page: TiffPage, error: Exception) -> Unreadable:
    if "imagecodecs" not in str(error):
        return Unreadable(f"damaged TIFF: {error}")
    name = getattr(page.compression, "name", page.compression)
    return Unreadable(
        f"TIFF of {page.bitspersample} bits with {name} compression needs: pip install 'striate[tiff]'", "package"
    )


def tiff_bytes(values: np.ndarray) -> bytes:
    """`values` (H, W) as a 32-bit float TIFF file, which keeps what an 8-bit picture would round."""
    out = io.BytesIO()
    tifffile.imwrite(out, values.astype(np.float32))
    return out.getvalue()
