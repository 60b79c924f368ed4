"""Series of numbers, of one or many channels: rows of a file or an array become samples of one row of pixels."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate.data.attributes import rows_of_arff, rows_of_ts
from striate.data.content import decoded, read_text
from striate.data.folder import PART_NAMES, visible
from striate.data.measurements import LEAST, Series, is_measurements, rows_of_table
from striate.data.sample import PARTS, Asked, Found, LeftOut, Sample
from striate.data.targets import meaning_of
from striate.errors import StriateError, counted, first_few

_LARGEST = 3e38  # float32 ends here; what is beyond counts as missing
_PARTED = re.compile(r"(.+?)[_-]?(" + "|".join(PART_NAMES) + ")", re.IGNORECASE)
_READERS: dict[str, Callable[..., Iterable[Series]]] = {
    ".ts": rows_of_ts, ".arff": rows_of_arff, ".tsv": rows_of_table, ".txt": rows_of_table, ".csv": rows_of_table,
    ".data": rows_of_table,
}  # fmt: skip
_START = 1_000_000  # bytes from which it is told what a file is


def is_series(source: Path, sure: bool = False) -> bool:
    """Whether `source` is a file of series, or a folder with files such as X_TRAIN.txt and X_TEST.txt of them; sure: as
    in `measurements.is_measurements`."""
    return bool(_files(source, sure))


def read_series(source: Path, asked: Asked, *, labelled: bool = True) -> Found:
    """The series of `source`.

    Missing values (NaN, ?, an empty cell) inside a series are filled in along straight lines, those at its end are
    cut off. What cannot be used is left out with the number of its line. labelled: without a label a series is left
    out; else its target is "". Raises StriateError where nothing is to be read.
    """
    files = _files(source, asked.form == "series" or not labelled)
    if not files:
        rule = "series are rows of numbers: UCR text, CSV or TSV with a label, ARFF or .ts"
        received = "another kind of file" if source.is_file() else "no such file or folder"
        raise StriateError(rule, received=received, where=source)
    rows = []
    for part, file in files.items():
        reader = _READERS[file.suffix.lower()]
        for number, row in enumerate(reader(file, read_text(file, "the table"), asked)):
            rows.append((part or row.part, f"{part or file.stem}/{number}", row))
    root = os.path.abspath(source)  # noqa: PTH100 - resolve() would follow links
    return _found(root, rows, asked.task, labelled)


def as_series(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """(1, L, C) float32 of values (L,) or (L, C), NaN where one is missing, and whether any was filled in.

    Missing ones at the end are cut off where all channels lack them. ValueError says why they are no series.
    """
    if np.iscomplexobj(values):
        raise ValueError("complex numbers are not supported; give their parts as two channels")
    values = np.array(values, np.float64)
    values = values.reshape(len(values), -1 if values.size else 1)
    values[~(np.abs(values) < _LARGEST)] = np.nan
    known = np.isfinite(values)
    length = int(np.flatnonzero(known.any(axis=1))[-1]) + 1 if known.any() else 0
    values, known = values[:length], known[:length]
    if length < LEAST:
        raise ValueError(f"{counted(length, 'value')}, and a series has at least {LEAST}")
    empty = np.flatnonzero(~known.any(axis=0))
    if len(empty):
        raise ValueError(f"all values of channel {empty[0]} are missing (the first is 0)")
    for channel in np.flatnonzero(~known.all(axis=0)):
        there = np.flatnonzero(known[:, channel])
        values[:, channel] = np.interp(np.arange(length), there, values[there, channel])
    return values[None].astype(np.float32), not known.all()


def rows_of_array(values: np.ndarray) -> np.ndarray:
    """(N, L, C) of an array of series (N, L), (N, L, C) or (N, C, L): the longer axis is time."""
    if values.ndim == 2:
        return values[:, :, None]
    return np.moveaxis(values, 1, 2) if values.shape[1] < values.shape[2] else values


def all_series(found: Found) -> Found:
    """`found`, whose sources are values (L, C), as series that a network can learn from.

    What is none, and series of another number of channels than most, are left out.
    """
    made, left_out, mended = [], list(found.left_out), 0
    for sample in found.samples:
        try:
            series, filled = as_series(sample.source)
        except ValueError as error:
            left_out.append(sample.left_out(str(error)))
            continue
        made.append(replace(sample, source=series))
        mended += filled
    channels = Counter(sample.source.shape[2] for sample in made)
    usual = max(channels, key=lambda count: (channels[count], -count), default=1)
    left_out += [
        sample.left_out(f"{sample.source.shape[2]} channels where the others have {usual}")
        for sample in made
        if sample.source.shape[2] != usual
    ]
    samples = [sample for sample in made if sample.source.shape[2] == usual]
    lengths = {sample.source.shape[1] for sample in samples} or {0}
    gaps = f"{mended:,} series had missing values, which were filled in along straight lines."
    various = f"Series have from {min(lengths):,} to {max(lengths):,} values; each is stretched to one length."
    found = replace(found, form="series", samples=samples, left_out=left_out)
    return found.noting(gaps if mended else "", various if len(lengths) > 1 else "")


def _found(root: str, rows: Sequence[tuple[str, str, Series]], task: str | None, labelled: bool) -> Found:
    samples, left_out = [], []
    words = [tuple(row.labels.values()) for _, _, row in rows]
    names = next((tuple(row.labels) for _, _, row in rows if row.labels), ("label",))
    usable = [number for number, (_, _, row) in enumerate(rows) if not row.problem]
    lines, columns = [rows[n][2].line for n in usable], range(len(names))
    meaning = meaning_of([words[n] for n in usable], columns, names, task, numbers=lines) if labelled else None
    for (part, path, row), cells in zip(rows, words, strict=True):
        target, problem = meaning.target(cells) if meaning else ("", "")
        if problem := row.problem or problem:
            label = ", ".join(filter(None, cells))
            left_out.append(LeftOut(path=path, reason=f"line {row.line}: {problem}", label=label, part=part))
        else:
            samples.append(Sample(path=path, source=row.values, target=target, group=row.group, part=part))
    about = meaning.about if meaning else {}
    about |= {"is_grouped": any(row.group is not None for _, _, row in rows)}
    read = next((row.read for _, _, row in rows), None)
    found = Found(root=root, kind="table", samples=samples, left_out=left_out, read=read, **about)
    again = sum(row.again for _, _, row in rows)
    several = f"{again:,} series have several lines of one time, which follow each other as in the file."
    index = "The first column counts the lines and is left out." if read and read.get("index") else ""
    return all_series(found.noting(several if again else "")).noting(index)


def _files(source: Path, sure: bool) -> dict[str, Path]:
    """The files to read by their part; "" for a single file."""
    if source.is_file():
        return {"": source} if _holds_series(source, sure) else {}
    sets: defaultdict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for path in visible(source) if source.is_dir() else ():
        match = _PARTED.fullmatch(path.stem)
        if match and path.suffix.lower() in _READERS and path.is_file():
            sets[match[1].lower(), path.suffix.lower()][PART_NAMES[match[2].lower()]] = path
    sets = {key: parts for key, parts in sets.items() if "train" in parts and _holds_series(parts["train"], sure)}
    stems = {stem for stem, _ in sets}
    # Archives also keep single channels in files of their own.
    stems = stems & {source.absolute().name.lower()} or stems
    if len(stems) > 1:
        rule, names = "a folder holds one set of series", first_few(sorted(stems))
        raise StriateError(rule, received=names, where=source, remedy="give the file of one")
    # One set may be there in several formats.
    parts = next((sets[stem, suffix] for suffix in _READERS for stem in stems if (stem, suffix) in sets), {})
    return {part: parts[part] for part in PARTS if part in parts}


def _holds_series(file: Path, sure: bool) -> bool:
    suffix = file.suffix.lower()
    if suffix not in _READERS:
        return False
    try:
        with file.open("rb") as stream:
            start = stream.read(_START)
    except OSError:
        return False
    text = decoded(start) or ""
    return "@data" in text.lower() if suffix in (".ts", ".arff") else is_measurements(text, sure)
