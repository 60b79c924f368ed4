"""Every picture decoded once, at one size, in a file that the machine maps into memory.

A store lives under FOLDER/KEY/, where KEY is a hash of every file's path, size and time and of the
shape. `pictures.npy` and `facts.npy` come first and `index.json` last, all written whole or not at all, so
a store without a fitting index counts as absent and is built again. So does one that left out a file which can
be read by now.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import PIL

from striate import files
from striate.data.apart import files_of
from striate.data.decode import VERSION
from striate.data.facts import FACTS
from striate.data.guard import load_each
from striate.data.header import Unreadable
from striate.data.load import HASH, Loaded, Want, hash_of
from striate.data.prepare import DEPTHS, Shape
from striate.data.rows import Layout, Rows, written
from striate.data.sample import LeftOut, Sample
from striate.errors import StriateError, counted, first_few

_INDEX = "index.json"
_UNUSED_SECONDS, _MOST_BYTES = 30 * 86_400, 50_000_000_000  # of stores that are kept
_MOMENT = 600  # seconds
_FACTS = Layout(name="facts.npy", dtype=FACTS)
_PASSING = ("permission", "package", "time", "crash", "memory")  # codes of what may end while the file stays as it is

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Pictures ready for training.

    pictures: (K, H, W, C), the K readable samples in the order of the samples; read-only.
    facts: (K,) a record of FACTS of each, as it was before it was made to fit; read-only.
    kept: (K,) the index of each picture's sample; contents: a hash of each file's bytes (of the pixels
        for arrays).
    left_out: the samples that could not be used, with the reason.
    shape: what the pictures are, deeper or with more channels than asked where a picture needed it.
    folder: where the store lies; None when it is in memory, as for arrays.
    """

    pictures: np.ndarray
    facts: np.ndarray
    kept: np.ndarray
    contents: list[str]
    left_out: list[LeftOut]
    shape: Shape
    folder: Path | None


class _Wider(Exception):
    """A picture does not fit into the shape without loss; its argument is one that holds it."""


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

    workers: processes that decode files (0: in this one, unprotected); the result does not depend on it.
    progress: called with how many of all pictures are done.
    fixed_channels: True keeps `shape.channels` whatever turns up (RGB is made grey); otherwise one RGB
        picture in a grey set makes all of them RGB. Depth is always raised to that of the deepest.
    Raises StriateError when no picture is readable or the disk is full; nothing half-built remains.
    """
    in_memory = all(isinstance(sample.source, np.ndarray) for sample in samples)
    place = None if in_memory else folder / _key(samples, shape, fixed_channels)
    if place is not None:
        store = _opened(place, samples, workers)
        if store is not None:
            return store
        _remove_leftovers(folder)
        _remove_unused(folder)
    while True:
        try:
            return _build(samples, place, shape, workers, progress or (lambda done, total: None), fixed_channels)
        except _Wider as wider:
            (shape,) = wider.args
        except BaseException:
            if place is not None:
                with contextlib.suppress(OSError):
                    for table in () if (place / _INDEX).exists() else (_layout(shape), _FACTS):
                        (place / table.name).unlink(missing_ok=True)
                    place.rmdir()  # succeeds only when it is empty
            raise


def _key(samples: Sequence[Sample], shape: Shape, fixed_channels: bool) -> str:
    settings = f"{VERSION} {PIL.__version__} {FACTS.descr} {shape} {fixed_channels}\n"
    digest = hashlib.blake2b(settings.encode(), digest_size=12)
    for sample in samples:
        if isinstance(sample.source, np.ndarray):
            line = f"{sample.path}\0{hash_of(sample.source)}\n"
        else:
            line = "".join(_state_of(file) for file in files_of(sample.source, shape.pick.words))
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _state_of(file: Path) -> str:
    try:
        status = os.stat(file)  # noqa: PTH116 - quicker, and there may be a million
        return f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n"
    except (OSError, ValueError):
        return f"{file}\0absent\n"


def _build(
    samples: Sequence[Sample], place: Path | None, shape: Shape, workers: int, progress: Progress, fixed: bool
) -> Store:
    layouts = (_layout(shape), _FACTS)
    if place is not None:
        files.require_space(place, sum(layout.size(len(samples)) for layout in layouts) + 1_000_000)
    items = ((number, sample.source) for number, sample in enumerate(samples))
    with contextlib.ExitStack() as stack:
        tables = [stack.enter_context(written(layout, place, len(samples))) for layout in layouts]
        loaded = load_each(items, Want(shape=shape, noted=True), workers)
        stack.enter_context(contextlib.closing(loaded))
        contents, problems = _gather(samples, loaded, tables, progress, shape, fixed)
    if place is not None:
        index = {"shape": asdict(shape), "kept": len(contents), "contents": "".join(contents)}
        left_out = [[number, problem.reason, problem.code] for number, problem in problems.items()]
        files.write_json(place / _INDEX, {**index, "left_out": left_out})
    return _store(samples, *(table.rows for table in tables), contents, problems, shape, place)


def _gather(
    samples: Sequence[Sample],
    loaded: Iterable[tuple[int, Loaded]],
    tables: Sequence[Rows],
    progress: Progress,
    shape: Shape,
    fixed: bool,
) -> tuple[list[str], dict[int, Unreadable]]:
    """Write every picture and its facts: their content hashes in order, and why which others are not used."""
    contents, problems = [], {}
    for number, one in loaded:
        if problem := _problem(one, shape, fixed):
            problems[number] = problem
        else:
            for table, row in zip(tables, (one.picture, one.facts), strict=True):
                table.append(row)
            contents.append(one.content)
        progress(number + 1, len(samples))
    if not contents:
        shown = first_few([samples[number].left_out(problem.reason).said for number, problem in problems.items()])
        raise StriateError("at least one picture must be readable", received=shown or "no pictures")
    return contents, problems


def _problem(one: Loaded, shape: Shape, fixed: bool) -> Unreadable | None:
    """Why a picture cannot be used, None if it can; raises _Wider when it can in another shape."""
    is_other = (one.channels, one.depth) != (shape.channels, shape.depth)
    if one.channels and is_other and shape.axes > 1:
        wider = replace(shape, depth=max(shape.depth, one.depth, key=DEPTHS.index))
        if not fixed and shape.channels == 1 and one.channels == 3:
            wider = replace(wider, channels=3)
        if one.channels != wider.channels and {one.channels, wider.channels} != {1, 3}:
            have = counted(one.channels, "channel")
            return Unreadable(f"{have} where the other pictures have {shape.channels}", "values")
        if wider != shape:
            raise _Wider(wider)
    return one.problem


def _layout(shape: Shape) -> Layout:
    return Layout(name="pictures.npy", dtype=np.dtype(shape.depth), shape=shape.stored)


def _opened(place: Path, samples: Sequence[Sample], workers: int) -> Store | None:
    """The store in `place`, or None when it is absent, not whole, or no longer what its files give."""
    try:
        index = files.read_json(place / _INDEX)
        shape, kept, text = Shape(**index["shape"]), index["kept"], index["contents"]
        contents = [text[start : start + HASH] for start in range(0, len(text), HASH)]
        problems = {int(n): Unreadable(*why) for n, *why in index["left_out"]}
        if len(contents) != kept or kept + len(problems) != len(samples):
            return None
        tables = [layout.mapped(place, kept) for layout in (_layout(shape), _FACTS)]
        with contextlib.suppress(OSError):
            os.utime(place / _INDEX)  # when it was used last
        if _has_passed(problems, samples, shape, workers):
            (place / _INDEX).unlink()
            return None
        return _store(samples, *tables, contents, problems, shape, place)
    except (StriateError, OSError, KeyError, TypeError, ValueError):
        return None


def _has_passed(problems: dict[int, Unreadable], samples: Sequence[Sample], shape: Shape, workers: int) -> bool:
    """Whether one of the files that may be readable by now gives something else than it did."""
    items = ((number, samples[number].source) for number, problem in problems.items() if problem.code in _PASSING)
    with contextlib.closing(load_each(items, Want(shape=shape, noted=True), workers)) as loaded:
        return any(one.problem is None or one.problem.reason != problems[number].reason for number, one in loaded)


def _store(
    samples: Sequence[Sample],
    pictures: np.ndarray,
    facts: np.ndarray,
    contents: list[str],
    problems: dict[int, Unreadable],
    shape: Shape,
    folder: Path | None,
) -> Store:
    return Store(
        pictures=pictures,
        facts=facts,
        kept=np.setdiff1d(np.arange(len(samples)), np.fromiter(problems, np.int64, len(problems))),
        contents=contents,
        left_out=[samples[number].left_out(problem.reason) for number, problem in problems.items()],
        shape=shape,
        folder=folder,
    )


def _remove_leftovers(folder: Path) -> None:
    """Delete what killed builds left: a table that is being written is locked, and all else written in a moment."""
    for leftover in folder.glob("*/.*.tmp"):
        with contextlib.suppress(OSError):
            if ".npy." not in leftover.name and leftover.stat().st_mtime > time.time() - _MOMENT:
                continue
        with contextlib.suppress(OSError), leftover.open("rb") as file:
            with contextlib.suppress(ImportError):
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _remove_unused(folder: Path) -> None:
    """Delete stores without an index, unopened for 30 days, and of 50 GB and more those opened longest ago.

    A process that has one open keeps what it has mapped (or, on Windows, prevents the deletion).
    """
    stores = []
    with contextlib.suppress(OSError):
        for place in (table.parent for table in folder.glob(f"*/{_FACTS.name}")):
            there = {file.name: file.stat() for file in place.iterdir()}
            used = there[_INDEX].st_mtime if _INDEX in there else 0
            changed = max(file.st_ctime for file in there.values())
            if used or (changed < time.time() - _MOMENT and not any(name.endswith(".tmp") for name in there)):
                stores.append((used, sum(file.st_size for file in there.values()), place))
    total = 0
    for used, size, place in sorted(stores, reverse=True):
        total += size
        if total > _MOST_BYTES or used < time.time() - _UNUSED_SECONDS:
            with contextlib.suppress(OSError):
                (place / _INDEX).unlink(missing_ok=True)  # first: without it the rest counts as absent
                shutil.rmtree(place)
