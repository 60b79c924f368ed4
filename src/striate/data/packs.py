"""Arrays in files of several kinds, with their shape read before their contents.

Pickled objects are never read. What a header declares is checked against the size of the file and of the
memory before anything is unpacked.
"""

import gzip
import importlib.util
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from striate.data.content import open_file
from striate.data.npy import read_header
from striate.errors import StriateError, in_short

_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_ARRAYS = 1000
_BOMB_BYTES, _BOMB_RATIO = 100_000_000, 200  # more than the first, and so many times the file, is a bomb


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """An array that is not read yet. name: within its file, or the file's. kind: "npz", "npy", "idx" or "hdf5"."""

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    def load(self) -> np.ndarray:
        """The array; StriateError when it is damaged, holds pickled objects or is larger than half the memory."""
        if self.dtype.hasobject:
            raise _refused(self.file, f"{self.name} holds pickled objects, never read", "save it with .astype(str)")
        size, packed = math.prod(self.shape) * self.dtype.itemsize, self.file.stat().st_size
        if size > _BOMB_BYTES and size > _BOMB_RATIO * packed:
            raise _refused(self.file, f"{size:,} bytes of {self.name} in a file of {packed:,}: a decompression bomb")
        if self.kind != "npy" and size > _memory() // 2:  # an .npy file stays on the disk
            raise _refused(self.file, f"{self.name} needs {size / 1e9:,.1f} GB", "save its pictures as .npy files")
        with _told(self.file):
            return self.read()


def arrays_of(file: Path) -> list[Array]:
    """The arrays in `file`, by what its first bytes say it is; StriateError when it is none of the kinds."""
    with _told(file):
        with open_file(file) as stream:
            start = stream.read(8)
        if start.startswith(b"PK"):
            return _npz(file)
        if start.startswith(b"\x93NUMPY"):
            return [_npy(file)]
        if start.startswith(b"\x89HDF"):
            return _hdf5(file)
        return [_idx(file)]


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """What goes wrong with a file becomes one error that names it."""
    try:
        yield
    except StriateError:
        raise
    except MemoryError:
        raise _refused(file, "needs more memory than this machine has free") from None
    except Exception as error:  # whatever a library does on hostile bytes
        raise _refused(file, in_short(error)) from None


def _refused(file: Path, problem: str, remedy: str = "") -> StriateError:
    return StriateError("a file of many pictures must be readable", received=problem, where=file, remedy=remedy)


def _memory() -> int:
    """Bytes of the machine; 16 GB where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**34


def _npz(file: Path) -> list[Array]:
    arrays = []
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if not members:
            raise ValueError("a ZIP file without NumPy arrays; unpack it and give the folder")
        if len(members) > _MOST_ARRAYS:
            raise ValueError(f"{len(members):,} arrays in one file")
        for member in members:
            with archive.open(member) as stream:
                shape, _, dtype = read_header(stream)
                size = stream.tell() + math.prod(shape) * dtype.itemsize
            if size != member.file_size and not dtype.hasobject:
                raise ValueError(f"{member.filename} declares {size:,} bytes and has {member.file_size:,}")
            read, name = partial(_npz_array, file, member.filename), member.filename.removesuffix(".npy")
            arrays.append(Array(name=name, file=file, kind="npz", shape=shape, dtype=dtype, read=read))
    return arrays


def _npz_array(file: Path, member: str) -> np.ndarray:
    with zipfile.ZipFile(file) as archive, archive.open(member) as stream:
        return np.lib.format.read_array(stream)  # which reads no pickle unless asked


def _npy(file: Path) -> Array:
    with file.open("rb") as stream:
        shape, _, dtype = read_header(stream)
    name, read = file.name, lambda: np.asarray(np.load(file, mmap_mode="r"))
    return Array(name=name, file=file, kind="npy", shape=shape, dtype=dtype, read=read)


def _idx(file: Path) -> Array:
    """The format of MNIST: two zeros, a type, the number of axes, their lengths as 32 bits, then the values."""
    with _unpacked(file) as stream:
        start = stream.read(4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES or not 1 <= start[3] <= 4:
            raise ValueError("neither .npz, .npy, .idx nor HDF5")
        lengths = stream.read(4 * start[3])
        if len(lengths) < 4 * start[3]:
            raise ValueError("cut short")
    shape, dtype = tuple(np.frombuffer(lengths, ">u4").tolist()), np.dtype(_IDX_TYPES[start[2]])
    read = partial(_idx_array, file, shape, dtype)
    return Array(name=file.name, file=file, kind="idx", shape=shape, dtype=dtype, read=read)


@contextmanager
def _unpacked(file: Path) -> Iterator[BinaryIO]:
    with open_file(file) as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        yield gzip.GzipFile(fileobj=stream) if packed else stream


def _idx_array(file: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    wanted = math.prod(shape) * dtype.itemsize
    with _unpacked(file) as stream:
        stream.read(4 + 4 * len(shape))
        data = stream.read(wanted + 1)
    if len(data) != wanted:
        there = "more" if len(data) > wanted else f"{len(data):,}"
        raise ValueError(f"{wanted:,} bytes are declared, {there} are there")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _hdf5(file: Path) -> list[Array]:
    if importlib.util.find_spec("h5py") is None:
        remedy = "pip install 'striate[hdf5]'"
        raise StriateError("HDF5 files need one more package", received="h5py is missing", where=file, remedy=remedy)
    import h5py

    arrays = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape and len(arrays) < _MOST_ARRAYS:
            words = h5py.check_string_dtype(item.dtype)
            dtype = np.dtype("U1") if words else item.dtype
            read, name = partial(_hdf5_array, file, name, bool(words)), os.fsdecode(name)
            arrays.append(Array(name=name, file=file, kind="hdf5", shape=item.shape, dtype=dtype, read=read))

    with h5py.File(file, "r") as opened:
        opened.visititems(visit)
    return arrays


def _hdf5_array(file: Path, name: str, words: bool) -> np.ndarray:
    import h5py

    with h5py.File(file, "r") as opened:
        dataset = opened[name]
        if dataset.external or dataset.is_virtual:
            raise ValueError(f"{name} lies in other files")
        return dataset.asstr()[()] if words else dataset[()]
