"""Every picture decoded once, at one size, in a file that the machine maps into memory.

A store lives under FOLDER/KEY/, where KEY is a hash of every file's path, size and time and of the
shape. `pictures.npy` comes first and `index.json` last, both written whole or not at all, so a store
without a fitting index counts as absent and is built again.
"""

import contextlib
import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL

from striate import files
from striate.data.content import read_file
from striate.data.decode import VERSION, Unreadable, decode
from striate.data.prepare import DEPTHS, Shape, fit
from striate.data.quiet import quiet
from striate.data.sample import LeftOut, Sample
from striate.errors import StriateError, first_few

_PICTURES, _INDEX = "pictures.npy", "index.json"
_HEADER = 128  # bytes of the .npy header, whatever the number of pictures
_HEX = 32  # letters of a content hash
_CHUNK, _CHUNK_BYTES, _AHEAD = 32, 8_000_000, 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Pictures ready for training.

    pictures: (K, H, W, C), the K readable samples in the order of the samples; read-only.
    kept: (K,) the index of each picture's sample; contents: a hash of each file's bytes (of the pixels
        for arrays).
    left_out: the samples that could not be used, with the reason.
    shape: what the pictures are, deeper or with more channels than asked where a picture needed it.
    folder: where the store lies; None when it is in memory, as for arrays.
    """

    pictures: np.ndarray
    kept: np.ndarray
    contents: list[str]
    left_out: list[LeftOut]
    shape: Shape
    folder: Path | None


class _Wider(Exception):
    """A picture does not fit into the shape without loss; `shape` is one that holds it."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        super().__init__(str(shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of each sample, in order: a content hash and, if it is not used, why."""

    contents: list[str]
    reasons: dict[int, str]


def build_store(
    samples: Sequence[Sample],
    folder: Path,
    shape: Shape,
    *,
    workers: int = 0,
    progress: Progress | None = None,
    fixed_channels: bool = False,
) -> Store:
    """The store of `samples` under `folder`: opened if it is there, else built.

    workers: threads that decode (0 none); the result does not depend on it.
    progress: called with how many of all pictures are done.
    fixed_channels: True keeps `shape.channels` whatever turns up (RGB is made grey); otherwise one RGB
        picture in a grey set makes all of them RGB. Depth is always raised to that of the deepest.
    Raises StriateError when no picture is readable or the disk is full; nothing half-built remains.
    """
    in_memory = all(isinstance(sample.source, np.ndarray) for sample in samples)
    place = None if in_memory else folder / _key(samples, shape, fixed_channels)
    if place is not None:
        store = _opened(place, samples)
        if store is not None:
            return store
        _remove_leftovers(folder)
    while True:
        try:
            with quiet():
                return _build(samples, place, shape, workers, progress or _no_progress, fixed_channels)
        except _Wider as wider:
            shape = wider.shape
        except BaseException:
            if place is not None:
                with contextlib.suppress(OSError):
                    place.rmdir()  # succeeds only when it is empty
            raise


def _no_progress(done: int, total: int) -> None:
    return


def _key(samples: Sequence[Sample], shape: Shape, fixed_channels: bool) -> str:
    settings = f"{VERSION} {PIL.__version__} {shape} {fixed_channels}\n"
    digest = hashlib.blake2b(settings.encode(), digest_size=12)
    for sample in samples:
        if isinstance(sample.source, np.ndarray):
            line = f"{sample.path}\0{_hash_of(sample.source)}\n"
        else:
            try:
                status = os.stat(sample.source)  # noqa: PTH116 - quicker, and there may be a million
                line = f"{sample.source}\0{status.st_size}\0{status.st_mtime_ns}\n"
            except (OSError, ValueError):
                line = f"{sample.source}\0absent\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _hash_of(data: bytes | np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=_HEX // 2)
    if isinstance(data, np.ndarray):
        digest.update(f"{data.shape} {data.dtype.str} ".encode())
        data = data.tobytes()
    digest.update(data)
    return digest.hexdigest()


def _build(
    samples: Sequence[Sample], place: Path | None, shape: Shape, workers: int, progress: Progress, fixed: bool
) -> Store:
    def load(sample: Sample) -> tuple[str, np.ndarray | str]:
        return _load(sample, shape, fixed)

    results = _results(samples, load, workers, max(1, min(_CHUNK, _CHUNK_BYTES // max(1, _row_bytes(shape)))))
    with contextlib.closing(results):
        if place is None:
            pictures = np.empty((len(samples), *_row_shape(shape)), shape.depth)
            outcome = _gather(samples, results, progress, _into(pictures))
            pictures = pictures[: len(samples) - len(outcome.reasons)]
            pictures.flags.writeable = False
            return _store(samples, pictures, outcome, shape, None)
        files.require_space(place, len(samples) * _row_bytes(shape) + 1_000_000)
        with files.open_new(place / _PICTURES) as file:
            _reserve(file, _HEADER + len(samples) * _row_bytes(shape))
            file.write(_header(len(samples), shape))
            outcome = _gather(samples, results, progress, lambda row, picture: file.write(picture.data))
            kept = len(samples) - len(outcome.reasons)
            file.truncate(_HEADER + kept * _row_bytes(shape))
            file.seek(0)
            file.write(_header(kept, shape))
    _write_index(place, outcome, shape)
    return _store(samples, _mapped(place, kept, shape), outcome, shape, place)


def _into(pictures: np.ndarray) -> Callable[[int, np.ndarray], None]:
    def put(row: int, picture: np.ndarray) -> None:
        pictures[row] = picture

    return put


def _gather(
    samples: Sequence[Sample],
    results: Iterable[tuple[str, np.ndarray | str]],
    progress: Progress,
    put: Callable[[int, np.ndarray], object],
) -> _Outcome:
    """Hand every picture to `put` with its row; remember contents and reasons."""
    contents, reasons = [], {}
    for number, (content, picture) in enumerate(results):
        if isinstance(picture, str):
            reasons[number] = picture
        else:
            put(len(contents), picture)
            contents.append(content)
        progress(number + 1, len(samples))
    if not contents:
        listed = [f"{samples[number].path} ({reason})" for number, reason in list(reasons.items())[:6]]
        shown = first_few(listed + [""] * (len(reasons) - len(listed)))
        raise StriateError("at least one picture must be readable", received=shown or "no pictures")
    return _Outcome(contents=contents, reasons=reasons)


def _results(
    samples: Sequence[Sample], load: Callable[[Sample], tuple[str, np.ndarray | str]], workers: int, chunk: int
) -> Iterator[tuple[str, np.ndarray | str]]:
    """`load` of every sample, in order; with workers a bounded number of chunks ahead."""
    if workers == 0:
        yield from map(load, samples)
        return

    def several(start: int) -> list[tuple[str, np.ndarray | str]]:
        return [load(sample) for sample in samples[start : start + chunk]]

    pool, waiting = ThreadPoolExecutor(workers, thread_name_prefix="decode"), deque()
    try:
        for start in range(0, len(samples), chunk):
            waiting.append(pool.submit(several, start))
            if len(waiting) >= workers * _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _load(sample: Sample, shape: Shape, fixed: bool) -> tuple[str, np.ndarray | str]:
    """A content hash with the picture made to fit, or with the reason why there is none."""
    content = ""
    try:
        data = sample.source if isinstance(sample.source, np.ndarray) else read_file(sample.source)
        content = _hash_of(data)
        picture = decode(data, max(shape.height, shape.width))
    except Unreadable as problem:
        return content, problem.reason
    channels = picture.shape[2]
    wider = replace(shape, depth=max(shape.depth, picture.dtype.name, key=DEPTHS.index))
    if not fixed and shape.channels == 1 and channels == 3:
        wider = replace(wider, channels=3)
    if channels not in (1, wider.channels) and (channels, wider.channels) != (3, 1):
        return content, f"{channels} channels where the other pictures have {shape.channels}"
    if wider != shape:
        raise _Wider(wider)
    return content, fit(picture, shape)


def _row_shape(shape: Shape) -> tuple[int, int, int]:
    return shape.height, shape.width, shape.channels


def _row_bytes(shape: Shape) -> int:
    return shape.height * shape.width * shape.channels * np.dtype(shape.depth).itemsize


def _reserve(file: BinaryIO, size: int) -> None:
    """Claim the space now, so that a full disk is noticed before an hour of decoding."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl  # not on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # tells others that this build is alive
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def _header(count: int, shape: Shape) -> bytes:
    """A .npy header (version 1.0) of always the same length."""
    descr = np.lib.format.dtype_to_descr(np.dtype(shape.depth))
    text = repr({"descr": descr, "fortran_order": False, "shape": (count, *_row_shape(shape))})
    body = text.ljust(_HEADER - 11).encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def _mapped(place: Path, count: int, shape: Shape) -> np.memmap:
    return np.memmap(place / _PICTURES, shape.depth, "r", _HEADER, (count, *_row_shape(shape)))


def _write_index(place: Path, outcome: _Outcome, shape: Shape) -> None:
    index = {
        "shape": asdict(shape),
        "kept": len(outcome.contents),
        "contents": "".join(outcome.contents),
        "left_out": [[number, reason] for number, reason in outcome.reasons.items()],
    }
    files.write_json(place / _INDEX, index)


def _opened(place: Path, samples: Sequence[Sample]) -> Store | None:
    """The store in `place`, or None when it is absent or not whole."""
    try:
        index = files.read_json(place / _INDEX)
        shape, kept, text = Shape(**index["shape"]), index["kept"], index["contents"]
        contents = [text[start : start + _HEX] for start in range(0, len(text), _HEX)]
        outcome = _Outcome(contents=contents, reasons={int(n): str(why) for n, why in index["left_out"]})
        size = (place / _PICTURES).stat().st_size
        whole = len(contents) == kept and kept + len(outcome.reasons) == len(samples)
        if not whole or size != _HEADER + kept * _row_bytes(shape):
            return None
        return _store(samples, _mapped(place, kept, shape), outcome, shape, place)
    except (StriateError, OSError, KeyError, TypeError, ValueError):
        return None


def _store(
    samples: Sequence[Sample], pictures: np.ndarray, outcome: _Outcome, shape: Shape, folder: Path | None
) -> Store:
    left_out = [
        LeftOut(path=samples[n].path, reason=why, label=samples[n].target, part=samples[n].part or "")
        for n, why in outcome.reasons.items()
    ]
    kept = np.setdiff1d(np.arange(len(samples)), np.fromiter(outcome.reasons, np.int64, len(outcome.reasons)))
    return Store(pictures=pictures, kept=kept, contents=outcome.contents, left_out=left_out, shape=shape, folder=folder)


def _remove_leftovers(folder: Path) -> None:
    """Delete what killed builds left; one that is still being written holds a lock on its file."""
    for leftover in folder.glob("*/.*.tmp"):
        with contextlib.suppress(OSError), leftover.open("rb") as file:
            with contextlib.suppress(ImportError):
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()
