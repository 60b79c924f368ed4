"""From a source to what the store keeps of it: the one step that reads, decodes, notes and fits a picture.

It runs in this process (arrays) or in one of its own (files, see `guard`), with the same result.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from striate.data.apart import files_of
from striate.data.content import read_file
from striate.data.decode import decode, look, read
from striate.data.facts import facts_of_all
from striate.data.header import WHOLE, Header, Pick, Unreadable, no_memory
from striate.data.prepare import DEPTHS, Shape, fit
from striate.data.values import mask_values

HASH = 32  # letters of a content hash
_TOGETHER = 1_000_000  # bytes of decoded pictures

Source = Path | bytes | np.ndarray | Unreadable  # the last: what is known to be none, and why
Begin = Callable[[int, Source], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What is wanted of a source: its header alone; with a shape, the picture made to fit; else as it is decoded.

    noted: its facts and the hash of its contents too; hashed: that alone. pick: page and channels, without a shape.
    values: the numbers of a mask as they are written (see `mask_values`), in place of a picture; its only page if so.
    """

    shape: Shape | None = None
    noted: bool = False
    hashed: bool = False
    header: bool = False
    pick: Pick = WHOLE
    values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of a source.

    picture: (H, W, C), None where `problem` says why there is none. channels, depth: of the picture before it was
    made to fit, 0 and "" where it could not be decoded. size: its height and width, upright; facts: a record of FACTS;
    content: a hash of the file's bytes (of the pixels for an array), "" where they could not be read.
    """

    picture: np.ndarray | None = None
    problem: Unreadable | None = None
    header: Header | None = None
    channels: int = 0
    depth: str = ""
    size: tuple[int, int] = (0, 0)
    facts: np.ndarray | None = None
    content: str = ""


def load(source: Source, want: Want) -> Loaded:
    """`source` as it is wanted; what is wrong with it is in `problem`, nothing is raised."""
    return load_all([source], want)[0]


def load_all(sources: Iterable[Source], want: Want, begin: Begin = lambda number, source: None) -> list[Loaded]:
    """`load` of each, whatever stands beside it: decoded one after the other, then noted, then made to fit.

    Step by step, because the code of one step stays in the processor's cache, which halves the time that small
    pictures take; no more than _TOGETHER bytes of decoded pictures wait for the next step. begin: called with the
    number of a source and the source whenever a step of it begins.
    """
    made: list[_Work] = []
    waiting, held = [], 0
    for number, source in enumerate(sources):
        begin(number, source)
        made.append(work := _Work(number, source))
        _step(work, want, _decoded)
        if work.loaded is None:
            waiting.append(work)
            held += work.picture.nbytes
        if held >= _TOGETHER:
            _finish(waiting, want, begin)
            waiting, held = [], 0
    _finish(waiting, want, begin)
    return [work.loaded for work in made]


@dataclass(slots=True)
class _Work:
    """A source on its way: what is known of it as fields of Loaded, its decoded picture while that is needed, the size
    of its file in bytes, and what came of it."""

    number: int
    source: Source
    known: dict = field(default_factory=dict)
    picture: np.ndarray | None = None
    header: Header | None = None
    size: int = 0
    loaded: Loaded | None = None


def _step(work: _Work, want: Want, step: Callable[[_Work, Want], None]) -> None:
    try:
        step(work, want)
    except Unreadable as problem:
        work.loaded = Loaded(problem=problem, **work.known)
    except MemoryError:
        work.loaded = Loaded(problem=no_memory(), **work.known)
    except ValueError as error:  # it does not fit
        work.loaded = Loaded(problem=Unreadable(str(error), "values"), **work.known)


def _finish(works: Sequence[_Work], want: Want, begin: Begin) -> None:
    """Note and fit what is decoded, pictures of one shape and type together."""
    alike: dict[object, list[_Work]] = {}
    for work in works:
        alike.setdefault((work.picture.shape, work.picture.dtype), []).append(work)
    for group in alike.values():
        if want.noted:
            begin(group[0].number, group[0].source)
            _note(group)
        for work in group:
            begin(work.number, work.source)
            _step(work, want, _fitted)
            work.picture = None


def _note(works: Sequence[_Work]) -> None:
    """Facts of pictures of one shape and type; where that takes too much memory, of one after the other."""
    try:
        noted = facts_of_all(*zip(*((work.picture, work.header, work.size) for work in works), strict=True))
        for work, facts in zip(works, noted, strict=True):
            work.known["facts"] = facts
    except MemoryError:
        if len(works) > 1:
            for work in works:
                _note([work])
        else:
            works[0].loaded = Loaded(problem=no_memory(), **works[0].known)


def _decoded(work: _Work, want: Want) -> None:
    if isinstance(work.source, Unreadable):
        raise work.source
    if want.header:
        work.loaded = Loaded(header=_header_of(work.source, want.pick))
        return
    data = contents_of(work.source, want.shape.pick if want.shape else want.pick)
    if isinstance(data, np.ndarray) and want.shape:
        data = _as_whole(data, want.shape)
    if want.noted or want.hashed:
        work.known["content"] = hash_of(data)
    if want.values:
        header = look(data) if want.pick.page else None
        page = want.pick.page if header and header.pages > 1 else 0
        if isinstance(page, str):
            raise Unreadable("labels of several pages have no projection: give a mask of one", "pick")
        work.loaded = Loaded(picture=mask_values(data, page), header=header)
        return
    if want.shape is None:
        work.loaded = Loaded(picture=decode(data, 0, want.pick), **work.known)
        return
    enough = max(want.shape.height, want.shape.width)
    parts = data if isinstance(data, list) else [data]
    work.size = data.nbytes if isinstance(data, np.ndarray) else sum(map(len, parts))
    work.picture, work.header = read(data, enough, want.shape.pick, None if want.noted else want.shape)
    channels = work.picture.shape[2] // (work.header.pages if want.shape.form == "volume" else 1)
    work.known |= {"channels": channels, "depth": work.picture.dtype.name}
    work.known["size"] = work.header.height, work.header.width


def _as_whole(data: np.ndarray, shape: Shape) -> np.ndarray:
    """Whole numbers of another type, such as int64, as those of the shape's depth where that has room for them all."""
    is_other = data.dtype.kind in "iu" and data.dtype.name not in DEPTHS and shape.depth != "float32" and data.size
    fits = is_other and data.min() >= 0 and data.max() <= np.iinfo(shape.depth).max
    return data.astype(shape.depth) if fits else data


def _fitted(work: _Work, want: Want) -> None:
    if work.loaded is None:
        work.loaded = Loaded(picture=fit(work.picture, want.shape, work.known["channels"]), **work.known)


def contents_of(source: Source, pick: Pick) -> bytes | np.ndarray | list[bytes]:
    """The bytes of a file, of every file where its channels lie apart, or what else the source is."""
    if not isinstance(source, Path):
        return source
    files = files_of(source, pick.words)
    return read_file(source) if len(files) == 1 else [_channel(file) for file in files]


def _channel(file: Path) -> bytes:
    try:
        return read_file(file)
    except Unreadable as problem:
        raise Unreadable(f"{file.name}, a channel of it: {problem.reason}", problem.code) from None


def _header_of(source: Source, pick: Pick) -> Header:
    header, files = look(source, pick), files_of(source, pick.words) if isinstance(source, Path) else ()
    return replace(header, channels=len(files)) if len(files) > 1 else header


def hash_of(data: bytes | np.ndarray | list[bytes]) -> str:
    """A hash of bytes, or of the pixels, shape and type of an array."""
    digest = hashlib.blake2b(digest_size=HASH // 2)
    if isinstance(data, list):
        data = b"".join(data)
    if isinstance(data, np.ndarray):
        digest.update(f"{data.shape} {data.dtype.str} ".encode())
        data = data.tobytes()
    digest.update(data)
    return digest.hexdigest()
