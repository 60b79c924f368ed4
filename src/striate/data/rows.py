"""A table of equal records in a .npy file, written row by row, whole or not at all, and mapped into memory."""

import contextlib
import errno
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from striate import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of one `shape` and `dtype`, in the file `name`."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...] = ()

    def size(self, count: int) -> int:
        """Bytes of the file with `count` rows."""
        return len(self.header(0)) + count * math.prod(self.shape) * self.dtype.itemsize

    def header(self, count: int) -> bytes:
        """A .npy header (version 1.0), of the same length for every count: NumPy leaves room for the first axis to
        grow."""
        said = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(out := io.BytesIO(), {**said, "shape": (count, *self.shape)})
        return out.getvalue()

    def mapped(self, folder: Path, count: int) -> np.ndarray:
        """The rows in `folder`, read-only; ValueError when the file is not of the size for `count` of them."""
        if (folder / self.name).stat().st_size != self.size(count):
            raise ValueError(f"{self.name} is not whole")
        return np.memmap(folder / self.name, self.dtype, "r", len(self.header(0)), (count, *self.shape))


class Rows:
    """A table that grows: in memory, or in a file of `folder` which appears when `written` ends."""

    def __init__(self, layout: Layout, folder: Path | None, file: BinaryIO) -> None:
        self.layout, self.folder, self.count, self._file = layout, folder, 0, file

    def append(self, row: np.ndarray) -> None:
        self._file.write(row.tobytes())
        self.count += 1

    @property
    def rows(self) -> np.ndarray:
        """All rows, read-only, once they are written."""
        if self.folder is not None:
            return self.layout.mapped(self.folder, self.count)
        data = self._file.getbuffer().toreadonly()
        return np.frombuffer(data, self.layout.dtype).reshape(self.count, *self.layout.shape)


@contextlib.contextmanager
def written(layout: Layout, folder: Path | None, most: int) -> Iterator[Rows]:
    """A table of at most `most` rows to append to; in memory without a folder."""
    if folder is None:
        yield Rows(layout, None, io.BytesIO())
        return
    with files.open_new(folder / layout.name) as file:
        _reserve(file, layout.size(most))
        file.write(layout.header(most))
        rows = Rows(layout, folder, file)
        yield rows
        file.truncate(layout.size(rows.count))
        file.seek(0)
        file.write(layout.header(rows.count))


def _reserve(file: BinaryIO, size: int) -> None:
    """Claim the space now, so that a full disk is noticed before an hour of decoding."""
    files.locked(file.fileno(), alone=True)  # tells others that this build is alive
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
