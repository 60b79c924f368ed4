"""TIFF of any depth and layout: tifffile where it keeps what Pillow would cut, Pillow for what is 8-bit at heart.

Which of the two reads a page depends on the page alone.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import BinaryIO

import numpy as np
import tifffile
from PIL import UnidentifiedImageError
from tifffile import TiffPage

from striate.data.content import MAX_BYTES
from striate.data.header import MAX_UNPACKED, Header, Pick, Unreadable, chosen, require_page, require_size
from striate.data.pages import arrange, find_directories
from striate.data.pixels import as_depth, on_white, turned_size, upright
from striate.data.raster import look_image, open_image, unpacked

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_JPEG_2000 = (33004, 33005, 34712)
_BYTES = (1, 5, 8, 32946, 32773, 34925, 34926, 50000)  # none, LZW, deflate twice, packbits, LZMA, Zstandard twice
_PILLOWS = (2, 3, 4, 6, 7, 32771)  # fax of three kinds, JPEG old and new, none in words of 16 bits
_MOST_SEGMENTS = 200_000
_MOST_CHANNELS = 4  # of the only frame of a volume; more are slices
_BUFFER = 16_000_000  # bytes of packed pixels read at a time


def decode_tiff(file: BinaryIO, pick: Pick) -> tuple[np.ndarray, Header]:
    """The upright picture (H, W, C) that `pick` names, with the channels of its planes one after the other, and what
    the file says about it."""
    stack = _Stack(file, pick)
    return stack.pixels(), stack.header


def decode_all(file: BinaryIO, pick: Pick) -> Iterator[np.ndarray]:
    """The pixels of every picture in the file, from one opening; Unreadable where some are missing."""
    stack = _Stack(file, pick)
    stack.directories.require_whole()
    for number in range(len(stack.planes)):
        stack.turn_to(number)
        yield stack.pixels()


def look_tiff(file: BinaryIO, pick: Pick) -> Header:
    """What the file says about the picture that `pick` names; no pixel is read."""
    return _Stack(file, pick).header


class _Stack:
    """One picture of a TIFF file: the planes that hold its channels.

    planes: (pictures, planes) of page numbers. head: what its first plane is. wanted: channels, counted through.
    """

    def __init__(self, file: BinaryIO, pick: Pick) -> None:
        self.file, self.directories = file, find_directories(file)
        self.directories.require_modest(file, 0)
        file.seek(0)
        self.tif = tifffile.TiffFile(file, is_ndpi=False, is_scanimage=False)  # their pages are found by other rules
        self.planes = arrange(self.tif.pages[0], len(self.directories.offsets))
        if pick.volume and not pick.channels and len(self.planes) == 1 and self.planes.size > _MOST_CHANNELS:
            self.planes = self.planes.T  # writers that are not told call the slices of a stack channels
        self.pick = pick
        self.turn_to(pick.number)

    def turn_to(self, number: int) -> None:
        require_page(number, len(self.planes))
        self.numbers = self.planes[number].tolist()
        self.head = self.page(self.numbers[0]).header
        self.wanted = chosen(len(self.numbers) * self.head.channels, self.pick)
        values = {"uint8": 1, "uint16": 2}.get(self.head.depth, 4) * len(self.wanted)
        require_size(self.head.height, self.head.width, values)

    @property
    def header(self) -> Header:
        return replace(self.head, channels=len(self.wanted), pages=len(self.planes))

    def page(self, number: int) -> "_Page":
        if number < 0:
            raise Unreadable("this plane of the TIFF is in another file or was never written", "missing")
        count = len(self.directories.offsets)
        apart = number if number >= count else 0
        if apart and count > 1:
            raise Unreadable("truncated TIFF: it has fewer pages than it says")
        index = 0 if apart else number
        self.directories.require_modest(self.file, index)
        return _Page(self.file, self.tif.pages[index], index, apart, self.pick.written)

    def decode(self, place: int) -> np.ndarray:
        page, head = self.page(self.numbers[place]), self.head
        if replace(page.header, pages=head.pages) != head:  # which also checks its size, before it is unpacked
            raise Unreadable("the planes of this TIFF are of different sizes or kinds", "unsupported")
        return page.decode()

    def pixels(self) -> np.ndarray:
        each, wanted = self.head.channels, self.wanted
        planes = {number: self.decode(number) for number in sorted({place // each for place in wanted})}
        if wanted == list(range(each)):
            return planes[0]
        return np.stack([planes[place // each][:, :, place % each] for place in wanted], axis=2)


@dataclass(frozen=True)
class _Page:
    """One page. number: its own; apart: how many pictures its pixels lie behind those of its directory; written: as of
    Pick."""

    file: BinaryIO
    page: TiffPage
    number: int
    apart: int
    written: bool = False

    @property
    def bits(self) -> int:
        bits = self.page.bitspersample
        return bits if isinstance(bits, int) else max(bits)

    @cached_property
    def for_pillow(self) -> bool:
        page, photometric, compression = self.page, int(self.page.photometric), int(self.page.compression)
        ours = photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE) and compression in _BYTES + _JPEG_2000
        least = 2 - self.written if photometric == _PALETTE else 8
        if ours and isinstance(page.bitspersample, int) and self.bits >= least:
            return False
        if self.bits > 8 or compression not in _BYTES + _PILLOWS:
            raise self._unsupported()
        return True

    @cached_property
    def header(self) -> Header:
        page = self.page
        samples, depth, height, width, inner = page.shaped
        if depth != 1:
            raise Unreadable("a volume in one TIFF page is not supported", "unsupported")
        require_size(height, width, samples * inner * max(self.bits // 8, 1))
        if self.for_pillow:
            colours = {_RGB: 3, _SEPARATED: 4, _YCBCR: 3, _LAB: 3}.get(int(page.photometric), 1)
            if page.samplesperpixel - (list(page.extrasamples) in ([1], [2])) != colours:  # others Pillow would drop
                raise self._unsupported()
            try:
                return replace(look_image(self._alone(), "TIFF"), coarse=int(page.compression))
            except UnidentifiedImageError:
                raise self._unsupported() from None
        if page.dtype is None or page.dtype.kind not in "buif" or (page.dtype.kind != "f" and self.bits == 24):
            raise self._unsupported()
        coloured = int(page.photometric) == _PALETTE and not self.written
        channels = 3 if coloured else samples * inner - (self._alpha is not None)
        name = page.dtype.name if page.dtype.name in ("uint8", "uint16") else "float32"
        height, width = turned_size(height, width, page.tags.valueof(274))
        coarse = int(page.compression)
        return Header(height=height, width=width, channels=channels, depth=name, format="TIFF", coarse=coarse)

    def decode(self) -> np.ndarray:
        """The upright pixels (H, W, C)."""
        page = self.page
        if self.for_pillow:
            pixels = unpacked(open_image(self._alone(), "TIFF"), "TIFF")
            # tifffile calls zero white in two-valued files and turns nothing round; others do both.
            plain = self.bits > 1 or page.is_shaped or page.software.startswith("tifffile")
            return ~pixels if self.written and plain and int(page.photometric) == _WHITE_IS_ZERO else pixels
        if int(page.photometric) == _PALETTE and page.colormap is None:
            raise Unreadable("damaged TIFF: no palette")
        stack = self._behind() if self.apart else self._unpacked()
        pixels = stack[:, 0].transpose(1, 2, 0, 3).reshape(*stack.shape[2:4], -1)
        return upright(self._on_black(pixels), page.tags.valueof(274))

    def _alone(self) -> BinaryIO:
        """The file with this page as its first, so that Pillow, which reads all that it passes, passes none."""
        if not self.number:
            return self.file
        self.file.seek(0)
        data, order = bytearray(self.file.read(MAX_BYTES)), "little" if self.page.parent.byteorder == "<" else "big"
        place = slice(8, 16) if self.page.parent.is_bigtiff else slice(4, 8)
        data[place] = self.page.offset.to_bytes(place.stop - place.start, order)
        return io.BytesIO(data)

    def _on_black(self, pixels: np.ndarray) -> np.ndarray:
        """Opaque, with black as zero and colours in place of numbers of a palette."""
        photometric = int(self.page.photometric)
        if photometric == _PALETTE and self.written:
            return pixels.astype(np.uint16)
        if photometric == _PALETTE:
            colours = np.asarray(self.page.colormap, np.uint16).T
            colours = colours * np.uint16(257) if colours.max() < 256 else colours  # some write 8-bit values
            return (colours >> 8).astype(np.uint8)[pixels[:, :, 0]] if self.bits <= 8 else colours[pixels[:, :, 0]]
        if photometric == _WHITE_IS_ZERO and pixels.dtype.kind in "iu" and not self.written:
            pixels = pixels.copy()
            inks = pixels[:, :, : pixels.shape[2] - (self._alpha is not None)]
            inks ^= pixels.dtype.type(-1 if pixels.dtype.kind == "i" else 2**self.bits - 1)
        pixels = as_depth(pixels)
        if self._alpha is None:
            return pixels
        return on_white(pixels[:, :, :-1], pixels[:, :, -1:], premultiplied=self._alpha == 1)

    @property
    def _alpha(self) -> int | None:
        """1 for premultiplied and 2 for plain alpha as the only extra channel, None for no alpha."""
        page, extra = self.page, [int(kind) for kind in self.page.extrasamples]
        colours = 3 if int(page.photometric) == _RGB else 1
        if extra not in ([1], [2]) or page.samplesperpixel != colours + 1:
            return None
        if page.dtype.itemsize * 8 != self.bits or (page.dtype.kind != "f" and page.dtype not in ("uint8", "uint16")):
            raise Unreadable(f"transparency in a TIFF of {self.bits} bits is not supported", "unsupported")
        return extra[0]

    def _behind(self) -> np.ndarray:
        page = self.page
        if not page.is_contiguous or page.dtype.itemsize * 8 != self.bits:
            raise Unreadable("truncated TIFF: it has fewer pages than it says")
        self.file.seek(page.dataoffsets[0] + self.apart * page.nbytes)
        data = self.file.read(page.nbytes)
        if len(data) < page.nbytes:
            raise Unreadable("truncated TIFF: the file ends before its pixels")
        return np.frombuffer(data, page.dtype.newbyteorder(page.parent.byteorder)).reshape(page.shaped)

    def _unpacked(self) -> np.ndarray:
        self._require_segments()
        try:
            return self.page.asarray(squeeze=False, maxworkers=1, buffersize=_BUFFER).reshape(self.page.shaped)
        except RuntimeError as error:
            if "INSUFFICIENT_SPACE" in str(error) or "too small" in str(error).lower().replace("_", " "):
                raise Unreadable("damaged TIFF: its pixel data swells beyond the picture", "size") from None
            raise

    def _require_segments(self) -> None:
        """Every strip or tile must lie inside the file, be no larger than the picture, and not be one too many."""
        page, size = self.page, self.page.parent.filehandle.size
        offsets, counts = page.dataoffsets, page.databytecounts
        if not offsets or len(offsets) != len(counts):
            raise Unreadable("damaged TIFF: no pixel data")
        if page.is_contiguous:  # read in one go by what the picture needs, whatever the counts claim
            offsets, counts = offsets[:1], [page.nbytes]
        elif not (len(offsets) >= math.prod(page.chunked) <= _MOST_SEGMENTS):
            raise Unreadable("damaged TIFF: too few or too many strips or tiles")
        for offset, count in zip(offsets, counts, strict=True):
            if count <= 0 or offset + count > size:
                raise Unreadable("truncated TIFF: the file ends before its pixels")
        tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        values = tall * wide * page.samplesperpixel
        if wide > 4 * max(page.imagewidth, 1024) or values * page.dtype.itemsize > MAX_UNPACKED:
            raise Unreadable("damaged TIFF: its tiles are larger than the picture", "size")
        if int(page.compression) in _JPEG_2000:
            for offset in offsets:
                page.parent.filehandle.seek(offset)
                self._require_codestream(page.parent.filehandle.read(4096), tall, wide)

    def _require_codestream(self, data: bytes, tall: int, wide: int) -> None:
        """JPEG 2000 tells its own size and depth (ISO 15444-1, A.5.1), which must be those of the segment."""
        start = data.find(b"\xff\x4f\xff\x51")
        fields = np.frombuffer(data[start + 8 : start + 24], ">u4") if start >= 0 else []
        if len(fields) < 4 or len(data) < start + 43:
            raise Unreadable("damaged TIFF: JPEG 2000 data without a header")
        width, height = int(fields[0]) - int(fields[2]), int(fields[1]) - int(fields[3])
        depth, samples = (data[start + 42] & 127) + 1, int.from_bytes(data[start + 40 : start + 42], "big")
        planes = self.page.samplesperpixel if int(self.page.planarconfig) == 1 else 1
        if not (0 < width <= wide and 0 < height <= tall and depth <= self.bits and samples == planes):
            raise Unreadable("damaged TIFF: its JPEG 2000 data is not of the size of the picture", "size")

    def _unsupported(self) -> Unreadable:
        page = self.page
        colours, packed = (getattr(value, "name", value) for value in (page.photometric, page.compression))
        dtype = f" ({page.dtype.name})" if page.dtype is not None else ""
        each = f" in {page.samplesperpixel} channels" if page.samplesperpixel > 1 else ""
        what = f"TIFF of {page.bitspersample} bits{dtype}{each}, colours {colours}, compression {packed}"
        return Unreadable(f"{what} is not supported", "unsupported")


def tiff_bytes(values: np.ndarray) -> bytes:
    """`values` (H, W) as a 32-bit float TIFF file, which keeps what an 8-bit picture would round."""
    out = io.BytesIO()
    tifffile.imwrite(out, values.astype(np.float32))
    return out.getvalue()
