"""NumPy's own file format, for a picture (H, W) or (H, W, C)."""

import math
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from striate.data.header import Header, Unreadable, require_size


def open_npy(file: BinaryIO, volume: bool) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type of the values, with the file left where they begin.

    volume: whether the first axis is that of frames. Never an array of objects, which would be a pickle.
    """
    shape, by_columns, dtype = read_header(file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise Unreadable(f"pixel values of type {dtype} are not supported", "values")
    require_axes(shape, volume)
    require_size(*shape[volume : volume + 2], math.prod(shape[:volume] + shape[volume + 2 :]) * dtype.itemsize)
    return shape, by_columns, dtype


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The same of an array of any shape and type; Unreadable, or what NumPy raises, where there is no header."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise Unreadable(f"NPY of version {version} is not supported", "unsupported")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if min(shape, default=0) < 0:
        raise Unreadable("an axis of negative length")
    return shape, by_columns, dtype


def require_axes(shape: tuple[int, ...], volume: bool) -> None:
    """Raise Unreadable unless an array of this shape is a picture, or a volume if that is asked for."""
    if len(shape) - volume not in (2, 3):
        axes = "frames, height, width" if volume else "height, width"
        raise Unreadable(f"an array of shape {shape}, not ({axes}) or ({axes}, channels)", "values")


def channels_come_first(shape: Sequence[int]) -> bool:
    """Whether a picture is (C, H, W), as PyTorch has it: no more than 4 rows would be of more than 4 channels."""
    return len(shape) == 3 and shape[0] <= 4 < min(shape[1:])


def decode_npy(file: BinaryIO, volume: bool = False) -> tuple[np.ndarray, Header]:
    """The array in the file and its header; channels that come first, as PyTorch has them, are moved last."""
    shape, by_columns, dtype = open_npy(file, volume)
    data = file.read(math.prod(shape) * dtype.itemsize)
    if len(data) < math.prod(shape) * dtype.itemsize:
        raise Unreadable("truncated NPY: the file ends before its values")
    pixels = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
    if not volume and channels_come_first(shape):
        pixels = np.moveaxis(pixels, 0, -1)
    return pixels, header_of(pixels.shape, dtype, "NPY", volume)


def look_npy(file: BinaryIO, volume: bool) -> Header:
    """Its header as that of a picture, or of a volume."""
    shape, _, dtype = open_npy(file, volume)
    shape = shape if volume or not channels_come_first(shape) else (*shape[1:], shape[0])
    return header_of(shape, dtype, "NPY", volume)


def header_of(shape: tuple[int, ...], dtype: np.dtype, name: str, volume: bool) -> Header:
    """The header of an array ([D, ]H, W[, C]) of numbers once it is a picture or volume of format `name`."""
    depth = "uint8" if dtype.kind == "b" else dtype.newbyteorder("=").name
    depth = depth if depth in ("uint8", "uint16") else "float32"
    pages, height, width, channels = (*((1,) * (not volume)), *shape, 1)[:4]
    return Header(height=height, width=width, channels=channels, depth=depth, format=name, pages=pages)
