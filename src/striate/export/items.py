"""What a model is asked about: files, folders, arrays, tables of series, texts, each with a name."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from striate.data.apart import once
from striate.data.arrays import as_array
from striate.data.content import read_text
from striate.data.decode import opened
from striate.data.folder import read_any
from striate.data.header import Unreadable
from striate.data.load import Source
from striate.data.packed import is_packed, packed_pictures
from striate.data.packs import arrays_of
from striate.data.prepare import Shape
from striate.data.records import is_records, read_records
from striate.data.sample import Asked, LeftOut
from striate.data.series import as_series, is_series, read_series, rows_of_array
from striate.data.symbols import symbols_of
from striate.data.table import no_path
from striate.data.texts import list_texts
from striate.data.video import frames, is_video
from striate.errors import StriateError

_RULE = "pictures to predict are files, folders, images of Pillow's or arrays (height, width[, channels])"


def items(
    sources: object, shape: Shape, about: Mapping = MappingProxyType({}), passed: list[LeftOut] | None = None
) -> Iterator[tuple[str, Source]]:
    """(name, file, pixels or why there are none) of everything asked for; folders are walked.

    shape: what the model was trained for, whose form tells how sources are read. about: the model's, whose "text" is
    the column of texts in a table with "columns", and whose "series" says how a table of series is read.
    passed: gains the files of folders that are no pictures, empty folders, and the folders of patterns.
    """
    if hasattr(sources, "__array__"):
        sources = as_array(sources, "predict")
        sources = sources.tolist() if sources.dtype.kind in "OU" else sources  # paths, as a column of a table has them
    sources = [sources] if _is_one(sources, shape) else sources
    yield from once(_each(sources, shape, about, passed), shape.pick.words)


def _each(
    sources: Iterable, shape: Shape, about: Mapping, passed: list[LeftOut] | None
) -> Iterator[tuple[str, Source]]:
    for number, source in enumerate(sources):
        if hasattr(source, "__array__"):
            yield from _of_array(f"array/{number}", as_array(source, "predict"), shape)
        elif isinstance(source, Image.Image):
            yield f"array/{number}", opened(source)
        elif not isinstance(source, str | PathLike):
            raise StriateError(_RULE, received=type(source).__name__, where="predict")
        else:
            try:
                if shape.form == "text":
                    yield from _texts(source, f"text/{number}", about)
                else:
                    yield from _of_path(source, shape, about, [] if passed is None else passed)
            except StriateError as error:
                if isinstance(sources, list) and len(sources) == 1:
                    raise
                yield str(source), _as_reason(error)  # one bad file ends no long list


def _of_path(
    source: str | PathLike, shape: Shape, about: Mapping, passed: list[LeftOut]
) -> Iterable[tuple[str, Source]]:
    """What a path, a pattern or an address stands for."""
    if source == "":  # which would be the current folder
        return [("", Unreadable("an empty name", "missing"))]
    if shape.form == "series":
        return _series(Path(source), shape, about)
    if is_packed(Path(source)):
        return packed_pictures(Path(source), shape.form)
    if is_video(source):
        return frames(source)
    if reason := no_path(str(source)):
        return [(str(source), Unreadable(reason, "missing"))]
    if Path(source).is_dir():
        return _below(Path(source), passed)
    is_pattern = any(mark in str(source) for mark in "*?[") and not Path(source).exists()
    found = _matching(str(source)) if is_pattern else []
    if "**" not in str(source):  # which looks into folders
        passed += [LeftOut(path=str(path), reason="a folder") for path in found if path.is_dir()]
    return [(str(path), path) for path in found or [Path(source)] if not path.is_dir()]


def _as_reason(error: StriateError) -> Unreadable:
    said = f"{error.rule}; received: {error.received}" if error.received else f"{error.rule}; {error.remedy}"
    return Unreadable(said, "text")


def items_sent(
    data: bytes, name: str, shape: Shape, about: Mapping = MappingProxyType({})
) -> Iterator[tuple[str, Source]]:
    """The same of the bytes of one file with its name, at least one; what such a file lacks is said as a reason."""
    if shape.axes > 1:
        yield name, data
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (re.sub(r"[^\w.-]", "_", Path(name).name)[-100:].strip(".") or "sent")
        file.write_bytes(data)
        count = 0
        try:
            for count, (called, one) in enumerate(items(file, shape, about), 1):  # noqa: B007 - used after the loop
                yield re.sub(r"^array(?=/)", lambda _: file.stem, called), one
        except StriateError as error:
            yield name, _as_reason(error)
        else:
            if not count:
                yield name, Unreadable("empty file", "empty")


def _below(folder: Path, passed: list[LeftOut]) -> Iterator[tuple[str, Source]]:
    """Every picture in a folder, by the rule that `train` has: what its content makes one, whatever its name."""
    found = read_any(folder)
    passed += [replace(item, path=str(folder / item.path)) for item in found.left_out]
    if not (found.samples or found.left_out):
        passed.append(LeftOut(path=str(folder), reason="an empty folder"))
    yield from ((str(folder / sample.path), sample.source) for sample in found.samples)


def _matching(pattern: str) -> list[Path]:
    """What a pattern such as `cells/*.tif` stands for, where the shell has not looked."""
    anchor = Path(pattern).anchor
    return sorted(path for path in Path(anchor or ".").glob(pattern[len(anchor) :]))


def _is_one(sources: object, shape: Shape) -> bool:
    """Whether this is one sample, or one path, and not several: of arrays the number of axes decides."""
    if not isinstance(sources, np.ndarray):
        return isinstance(sources, str | bytes | PathLike) or not isinstance(sources, Iterable)
    axes = shape.axes + 1  # of one array with a last axis of channels
    if shape.form == "picture" and shape.channels == 1 and not shape.picked:  # (N, H, W) of grey pictures
        return sources.ndim < axes or (sources.ndim == axes and sources.shape[-1] <= 4)
    return sources.ndim < axes or (sources.ndim == axes and (shape.channels > 1 or shape.form == "picture"))


def _of_array(name: str, values: np.ndarray, shape: Shape) -> Iterator[tuple[str, Source]]:
    if shape.form == "series":
        if values.ndim == 2 and values.shape[1] != shape.channels:
            values = rows_of_array(values[None])[0] if shape.channels > 1 else values
        yield name, _row(values)
    else:
        yield name, values


def _row(values: np.ndarray) -> Source:
    try:
        return as_series(values)[0]
    except ValueError as error:
        return Unreadable(str(error), "values")


def _series(path: Path, shape: Shape, about: Mapping) -> Iterator[tuple[str, Source]]:
    if not is_series(path, sure=True) and path.is_file() and path.suffix.lower() in (".npy", ".npz"):
        known = arrays_of(path)
        if len(known) == 1:
            yield from items(known[0].load(), shape)
            return
    is_recorded = is_records(path)
    if not (is_recorded or is_series(path, sure=True)) and is_packed(path):
        yield from ((name, _row(values)) for name, values in packed_pictures(path, "series"))
        return
    read = about.get("series")
    found = read_records(path, read) if is_recorded else read_series(path, Asked(read=read), labelled=False)
    yield from ((sample.path, sample.source) for sample in found.samples)
    yield from ((item.path, Unreadable(item.reason, "values")) for item in found.left_out)


def _texts(source: str | PathLike, name: str, about: Mapping) -> Iterable[tuple[str, Source]]:
    """Of a table its texts, of a .txt file its lines; any other words are themselves a text, but for what is plainly
    meant as the name of a file, and a folder."""
    path, said = Path(source), str(source)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # too long for a name
        is_file = is_folder = False
    if is_folder:
        yield said, Unreadable("a folder, where texts are in a table or a .txt file", "folder")
    elif not is_file and path.suffix.lower() in (".csv", ".tsv", ".txt") and len(said.split()) == 1:
        yield said, Unreadable("no such file", "missing")
    elif not is_file:
        yield name, symbols_of(said)
    elif path.suffix.lower() == ".txt":
        lines = read_text(path, "a file of texts").splitlines()
        yield from ((f"{path.stem}/{n}", symbols_of(line)) for n, line in enumerate(lines) if line.strip())
    else:
        yield from list_texts(path, about.get("text") or "", about.get("columns") or "")
