"""A mask becomes numbers: a class for every pixel, and where objects are separate an object for every pixel."""

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import numpy as np
from PIL import Image

from striate.data.header import Pick, Unreadable
from striate.data.load import Want, load
from striate.data.painted import painted
from striate.data.pixels import turned_size, upright
from striate.data.sample import Mask, unpacked

UNKNOWN = 255  # in a label map: the class of this pixel is not known
MOST_CLASSES = 255


def read_labels(mask: Mask, height: int | None = None, width: int | None = None) -> np.ndarray:
    """Class numbers (H, W) uint8 in the order of `mask.names`, UNKNOWN where the mask says so.

    height, width: of the picture as it is displayed; None takes the size that the mask has. Raises Unreadable where
    the mask is not of that size, is damaged, or holds a value that stands for no class.
    """
    if mask.kind == "polygons":
        classes = {name: number for number, name in enumerate(mask.names)} | {mask.ignore: UNKNOWN}
        return _filled(mask, height, width, [classes[name] for name, _ in mask.polygons], np.uint8)
    if mask.kind == "objects":
        return (_values(mask, height, width) > 0).astype(np.uint8)
    values = _values(mask, height, width)
    if mask.kind == "binary":
        labels = (2 * values >= mask.values[1]).astype(np.uint8)
    elif mask.kind == "numbers":
        labels = (values > 0).astype(np.uint8)
    else:
        labels = class_numbers(values, mask.values)
    if mask.ignore is not None:
        labels[values == mask.ignore] = UNKNOWN
    elif mask.kind == "index" and (labels == UNKNOWN).any():
        raise Unreadable(strangers(np.unique(values[labels == UNKNOWN])), "values")
    return labels


def read_objects(mask: Mask, height: int, width: int) -> np.ndarray | None:
    """Object numbers (H, W) int32 from 1 on, 0 where there is none; None where the mask knows classes alone.

    A pixel of several objects belongs to the last. Raises Unreadable as `read_labels` does.
    """
    if mask.kind == "numbers":
        return _values(mask, height, width)
    if mask.kind == "polygons":
        numbers = [0 if name == mask.ignore else number for number, (name, _) in enumerate(mask.polygons, 1)]
        return _filled(mask, height, width, numbers, np.int32)
    return _values(mask, height, width) if mask.kind == "objects" else None


def _values(mask: Mask, height: int | None, width: int | None) -> np.ndarray:
    """The values (H, W) of a mask; of one with a file per object their numbers, int32."""
    if mask.packed is None:
        each = _read(mask, height, width)
        return joined_objects(each) if mask.kind == "objects" else reduce(np.maximum, each)
    values = unpacked(*mask.packed)
    if height is not None and values.shape != (height, width):
        raise Unreadable(misfit(*values.shape, height, width), "size")
    return values


def packed_values(values: np.ndarray) -> tuple[int, int, bytes]:
    """`Mask.packed` from the values (H, W), none negative, of a mask: some thousand bytes."""
    return (*values.shape, zlib.compress(values.astype(np.min_scalar_type(values.max(initial=0))).tobytes(), 1))


def joined_objects(masks: Iterable[np.ndarray]) -> np.ndarray:
    """Object numbers (H, W) int32 from the masks (H, W) of one picture, an object each: not zero where it is. Raises
    Unreadable where they are of several sizes."""
    objects = np.zeros((0, 0), np.int32)
    for number, values in enumerate(masks, 1):
        objects = np.zeros(values.shape, np.int32) if number == 1 else objects
        if values.shape != objects.shape:
            raise Unreadable("its masks are of several sizes", "size")
        objects[values > 0] = number
    return objects


def class_numbers(values: np.ndarray, known: tuple[int, ...]) -> np.ndarray:
    """The place of each value (H, W) in `known`, UNKNOWN for others, as uint8."""
    table = np.asarray(known)
    order = np.argsort(table)
    places = np.minimum(np.searchsorted(table, values, sorter=order), len(table) - 1)
    return np.where(table[order[places]] == values, order[places], UNKNOWN).astype(np.uint8)


def strangers(values: np.ndarray) -> str:
    """The reason for a mask with values that stand for no class."""
    several = "values" if len(values) > 1 else "value"
    shown = ", ".join(value_text(value) for value in values[:3].tolist()) + ("…" if len(values) > 3 else "")
    return f"its mask holds the {several} {shown}, which no class has"


def value_text(value: int) -> str:
    """A mask's value for people: 7, or #ff0000 for a colour."""
    return str(value) if value < 1 << 24 else f"#{value - (1 << 24):06x}"


def resampled(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """A label map (H, W) at another size: each pixel takes the label at its centre, so no new labels arise."""
    rows, columns = (
        ((np.arange(new) * 2 + 1) * old // (2 * new)) for new, old in zip((height, width), labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def png_of(labels: np.ndarray, colours: np.ndarray) -> bytes:
    """A label map (H, W) uint8 as a PNG of palette indices; colours (K, 3) uint8 are what viewers show."""
    image = Image.fromarray(labels, "L")
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def tiff_of(objects: np.ndarray) -> bytes:
    """Object numbers (H, W) as a packed TIFF file of 16 bits, 32 where there are more."""
    import tifffile

    out = io.BytesIO()
    deep = np.uint16 if objects.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    tifffile.imwrite(out, objects.astype(deep), compression="zlib")
    return out.getvalue()


def _filled(mask: Mask, height: int | None, width: int | None, numbers: Sequence[int], dtype: type) -> np.ndarray:
    """(H, W), upright: each polygon filled with its number, one over the other, on 0."""
    size = mask.size
    if height is not None and width is not None:
        size = turned_size(height, width, mask.orientation)  # before the picture is turned upright
        if mask.size not in (None, size):
            raise Unreadable(misfit(*mask.size, *size), "size")
    out = np.zeros(size, dtype)
    for number, (_, pieces) in zip(numbers, mask.polygons, strict=True):
        out[painted(pieces, *size)] = number
    return upright(out, mask.orientation)


def _read(mask: Mask, height: int | None, width: int | None) -> Iterator[np.ndarray]:
    wanted = Want(values=True, pick=Pick(page=mask.page))
    for source in mask.sources:
        loaded = load(source, wanted)  # in this process: the reader has had it opened in another before
        if loaded.problem:
            raise Unreadable(f"its mask: {loaded.problem.reason}", loaded.problem.code)
        values = upright(loaded.picture, mask.orientation)
        if height is not None and values.shape != (height, width):
            raise Unreadable(misfit(*values.shape, height, width), "size")
        yield values


def misfit(rows: int, columns: int, height: int, width: int, file: str = "") -> str:
    """The reason for a mask that is not as large as its picture."""
    return f"its mask {file}{' ' if file else ''}is {columns} × {rows} pixels, the picture {width} × {height}"
