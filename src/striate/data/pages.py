"""The pages of a TIFF file: how many there are, and which of them are the channels of one picture.

Three dialects say so: OME-XML (Goldberg et al. 2005, Genome Biology 6:R47), ImageJ's hyperstacks and the JSON
that tifffile writes. Without them every page is a picture of its own.
"""

import json
import math
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffPage

from striate.data.header import MAX_PAGES, Unreadable

_MOST_TAGS, _MOST_NUMBERS, _MOST_BYTES = 4096, 2_000_000, 64_000_000  # of one directory
_TYPE_BYTES = np.zeros(65_536)
_TYPE_BYTES[1:19] = (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 2, 8, 8, 8, 8)
_BYTE_TYPES = (1, 2, 6, 7)


@dataclass(frozen=True, slots=True)
class Directories:
    """Where the directories of a TIFF file lie. order: of the bytes of its numbers, "little" or "big". big: whether it
    is a BigTIFF. is_whole: nothing breaks off their chain."""

    offsets: list[int]
    order: str
    big: bool
    is_whole: bool

    def require_modest(self, file: BinaryIO, number: int) -> None:
        """Libraries turn every value of a directory into a Python object, so their number has a limit."""
        file.seek(self.offsets[number])
        count, _, wide = _widths(self.big)
        entries = int.from_bytes(file.read(count), self.order)
        fields = [("tag", "u2"), ("type", "u2"), ("count", f"u{wide}"), ("value", f"u{wide}")]
        layout = np.dtype(fields).newbyteorder(self.order)
        tags = np.frombuffer(file.read(entries * layout.itemsize), layout, entries)
        counts = tags["count"].astype(np.float64)  # hostile ones would overflow
        numbers = counts[~np.isin(tags["type"], _BYTE_TYPES)].sum()
        if numbers > _MOST_NUMBERS or (counts * _TYPE_BYTES[tags["type"]]).sum() > _MOST_BYTES:
            raise Unreadable("damaged TIFF: a directory of more values than a picture needs", "size")

    def require_whole(self) -> None:
        """Raise Unreadable where the chain breaks off: half a volume is none."""
        if not self.is_whole:
            raise Unreadable(f"truncated TIFF: its pages break off after the first {len(self.offsets):,}")


def find_directories(file: BinaryIO) -> Directories:
    """The chain of directories, at most MAX_PAGES of them; a circle or a break ends it. Unreadable without any."""
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(16)
    order, big = "little" if start[:2] == b"II" else "big", 43 in start[2:4]
    count, entry, wide = _widths(big)
    offset, seen = int.from_bytes(start[wide : 2 * wide], order), {}
    while 0 < offset < size and offset not in seen and len(seen) < MAX_PAGES:
        file.seek(offset)
        entries = int.from_bytes(file.read(count), order)
        if not 0 < entries <= _MOST_TAGS or file.tell() + entries * entry > size:
            break
        file.seek(entries * entry, 1)
        seen[offset] = None
        following = file.read(wide)
        offset = int.from_bytes(following, order) if len(following) == wide else -1
    if not seen:
        raise Unreadable("truncated TIFF: the file ends before its directory")
    return Directories(list(seen), order, big, offset == 0)


def _widths(big: bool) -> tuple[int, int, int]:
    """Bytes of the number of entries of a directory, of an entry, and of an offset."""
    return (8, 20, 8) if big else (2, 12, 4)


def arrange(page: TiffPage, pages: int) -> np.ndarray:
    """(pictures, channels) of page numbers, -1 for a page that is not in this file.

    page: the first one; pages: how many directories there are. A number at or above `pages` is a plane that
    lies behind the pixels of the first page without a directory of its own.
    """
    for dialect in (_ome, _imagej, _shaped):
        try:
            planes = dialect(page, pages)
        except (ValueError, TypeError, KeyError, AttributeError, ElementTree.ParseError, RecursionError):
            continue  # words that make no sense are passed over: every page is then a picture
        if planes is not None and planes.size:
            return planes
    return np.arange(pages)[:, None]


def _grid(order: str, sizes: dict[str, int], planes: np.ndarray) -> np.ndarray:
    """(pictures, channels) of `planes` in the order of the file; order: the axes, the fastest first."""
    slow_first = order[::-1]
    grid = planes.reshape([sizes[axis] for axis in slow_first])
    return np.moveaxis(grid, slow_first.index("C"), -1).reshape(-1, sizes["C"])


def _planes(sizes: dict[str, int]) -> int:
    """How many planes these axes span; ValueError for none, and for more than are counted."""
    count = math.prod(sizes.values())
    if min(sizes.values()) < 1 or count > MAX_PAGES:
        raise ValueError("no such stack")
    return count


def _less_samples(channels: int, page: TiffPage) -> int:
    """Channels counted in planes, where each page already holds some of them (as RGB does)."""
    samples = page.samplesperpixel
    return channels // samples if channels % samples == 0 else channels


def _ome(page: TiffPage, pages: int) -> np.ndarray | None:
    if not page.is_ome or "<!ENTITY" in page.description:
        return None
    root = ElementTree.fromstring(page.description)
    image = next(element for element in root.iter() if element.tag.endswith("}Pixels"))
    order = image.attrib["DimensionOrder"][2:]
    if sorted(order) != ["C", "T", "Z"]:
        return None
    sizes = {axis: int(image.attrib[f"Size{axis}"]) for axis in order}
    sizes["C"] = _less_samples(sizes["C"], page)
    planes = np.full(_planes(sizes), -1)
    strides = {axis: math.prod(sizes[faster] for faster in order[:place]) for place, axis in enumerate(order)}
    entries = [element for element in image if element.tag.endswith("}TiffData")]
    for entry in entries:
        if _is_elsewhere(entry, root.get("UUID")):
            continue
        first = sum(int(entry.get(f"First{axis}", 0)) * strides[axis] for axis in order)
        number = int(entry.get("IFD", 0))
        count = int(entry.get("PlaneCount", 1 if "IFD" in entry.attrib else len(planes)))
        count = max(0, min(count, len(planes) - first, pages - number))
        if first >= 0 and number >= 0:
            planes[first : first + count] = np.arange(number, number + count)
    if not entries:
        planes[:pages] = np.arange(min(pages, len(planes)))
    return _grid(order, sizes, planes)


def _is_elsewhere(entry: ElementTree.Element, own: str | None) -> bool:
    """Whether a plane lies in another file of a set, which is never opened."""
    named = next((child.text for child in entry if child.tag.endswith("}UUID")), None)
    return None not in (named, own) and named != own


def _imagej(page: TiffPage, pages: int) -> np.ndarray | None:
    if not page.is_imagej:
        return None
    words = dict(line.split("=", 1) for line in page.description.splitlines() if "=" in line)
    order = words.get("order", "czt").upper()
    sizes = {"C": int(words.get("channels", 1)), "Z": int(words.get("slices", 1)), "T": int(words.get("frames", 1))}
    sizes["C"] = _less_samples(sizes["C"], page)
    if _planes(sizes) == 1:  # a plain stack: the number of images is all that it says
        sizes["Z"] = max(int(words.get("images", 1)), 1)
    if sorted(order) != ["C", "T", "Z"]:
        order = "CZT"
    return _grid(order, sizes, np.arange(_planes(sizes)))


def _shaped(page: TiffPage, pages: int) -> np.ndarray | None:
    if not page.description.startswith('{"shape":'):
        return None
    words = json.loads(page.description)
    axes, shape = words["axes"], words["shape"]
    inside = axes.index("Y")
    if math.prod(shape[inside:]) != page.size or len(set(axes)) != len(axes):
        return None
    sizes = {"C": 1, **dict(zip(axes[:inside], shape[:inside], strict=True))}
    order = axes[:inside][::-1]
    return _grid(order if "C" in order else f"C{order}", sizes, np.arange(_planes(sizes)))
