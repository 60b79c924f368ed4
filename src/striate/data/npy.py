"""NumPy's own file format, for a picture (H, W) or (H, W, C)."""

import math
from typing import BinaryIO

import numpy as np

from striate.data.header import Header, Unreadable, require_size


def open_npy(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type of the values, with the file left where they begin.

    Never an array of objects, which would be a pickle.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise Unreadable(f"NPY of version {version} is not supported", "unsupported")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise Unreadable(f"pixel values of type {dtype} are not supported", "values")
    if len(shape) not in (2, 3):
        rule = "not (height, width) or (height, width, channels)"
        raise Unreadable(f"an array of shape {shape}, {rule}", "values")
    require_size(*shape[:2], math.prod(shape[2:]) * dtype.itemsize)
    return shape, by_columns, dtype


def decode_npy(file: BinaryIO) -> np.ndarray:
    """The array in the file."""
    shape, by_columns, dtype = open_npy(file)
    data = file.read(math.prod(shape) * dtype.itemsize)
    if len(data) < math.prod(shape) * dtype.itemsize:
        raise Unreadable("truncated NPY: the file ends before its values")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")


def look_npy(file: BinaryIO) -> Header:
    """Its header as that of a picture."""
    shape, _, dtype = open_npy(file)
    return header_of(shape, dtype, "NPY")


def header_of(shape: tuple[int, ...], dtype: np.dtype, name: str) -> Header:
    """The header of an array (H, W[, C]) of numbers once it is a picture of format `name`."""
    depth = "uint8" if dtype.kind == "b" else dtype.newbyteorder("=").name
    depth = depth if depth in ("uint8", "uint16") else "float32"
    height, width, channels = (*shape, 1)[:3]
    return Header(height=height, width=width, channels=channels, depth=depth, format=name)
