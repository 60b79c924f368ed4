"""Where pictures and labels come from: a folder, a table, arrays or the digits become `Found`."""

from collections import Counter
from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from striate.data.arrays import read_arrays, read_digits
from striate.data.content import START, open_file, recognise
from striate.data.folder import LAYOUT, read_folder
from striate.data.grouping import regroup
from striate.data.header import Unreadable
from striate.data.sample import Found
from striate.data.table import read_table
from striate.errors import StriateError, first_few

__all__ = ["read_digits", "read_source", "require_trainable"]

Source = Path | str | tuple[np.ndarray | Sequence[np.ndarray], Sequence[object]]

_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def read_source(source: Source, *, group: str | None = None) -> Found:
    """The samples of a folder of class folders, a CSV or TSV table, or (pictures, labels) arrays.

    group: None, "parent", a column of the table, or a regular expression (see `grouping.regroup`).
    Nothing is decoded. Raises StriateError when there is nothing to read in `source`.
    """
    if isinstance(source, tuple) and len(source) == 2:
        found = read_arrays(*source)
    elif not isinstance(source, str | PathLike):
        rule = "the data must be a folder, a table or a pair (pictures, labels)"
        raise StriateError(rule, received=type(source).__name__, where="train's source")
    else:
        path = Path(source)
        if not str(source):  # an unset variable of a shell; Path would make the current folder of it
            raise StriateError("the data must be a folder or a table", received="an empty name", where="FOLDER")
        if path.is_dir():
            found = read_folder(path)
        else:
            _require_table(path)
            found, group = read_table(path, group)
    return found if group is None else regroup(found, group)


def require_trainable(found: Found, readable: Collection[int] | None = None) -> None:
    """Raise StriateError unless a network can learn from `found`, once pictures have been decoded.

    readable: indices of the samples that could be decoded; all of them when None. At least two classes,
    two pictures in each, and one outside validation and test are needed.
    """
    rows = range(len(found.samples)) if readable is None else readable
    samples = [found.samples[row] for row in rows]
    counts = Counter(sample.target for sample in samples)
    if len(counts) < 2:
        raise StriateError(
            "training needs at least two classes" if samples else "training needs readable pictures",
            received=_what_was_found(found, counts),
            where=found.root,
            remedy=_two_classes(found),
        )
    few = sorted(name for name, count in counts.items() if count < 2)
    if few:
        raise StriateError(
            "every class needs at least two usable pictures",
            received=f"one picture of {first_few(few)}",
            where=found.root,
            remedy="add pictures to these classes or take them out",
        )
    learned = {sample.target for sample in samples if sample.part in (None, "train")}
    unseen = sorted(counts.keys() - learned)
    if unseen:
        raise StriateError(
            "every class needs pictures in the training part",
            received=f"none of {first_few(unseen)}",
            where=found.root,
            remedy="are class folders spelt alike in every part?" if learned else "give training pictures too",
        )


def _what_was_found(found: Found, counts: Counter) -> str:
    if counts:
        ((name, count),) = counts.items()
        return f"{count:,} pictures of the one class {name!r}"
    if not found.left_out:
        return "no picture"
    reasons = [f"{item.path} ({item.reason})" for item in found.left_out]
    return f"no picture; left out: {first_few(reasons)}"


def _two_classes(found: Found) -> str:
    if found.kind in ("table", "arrays"):
        return "give readable pictures of at least two labels"
    if found.kind == "classes" and found.samples:
        inner = found.samples[0].path.split("/")
        if len(inner) > 2:
            return f"if the classes are the folders inside {inner[0]!r}, give that folder instead"
    return f"arrange it as {LAYOUT}"


def _require_table(path: Path) -> None:
    """`path`, which is no folder, must be a file of text."""
    rule = "the data must be a folder of class folders or a CSV or TSV table"
    if path.suffix.lower() in _PACKED and path.is_file():
        raise StriateError(rule, received="a packed file", where=path, remedy="unpack it and give the folder")
    try:
        with open_file(path) as file:
            kind = recognise(file.read(START))
    except Unreadable as problem:
        if problem.code == "text":
            return
        if path.suffix.lower() in (".csv", ".tsv", ".txt") and problem.code == "unsupported":
            return
        raise StriateError(rule, received=problem.reason, where=path, remedy=f"for example {LAYOUT}") from None
    raise StriateError(rule, received=f"one {kind} picture", where=path, remedy=f"for example {LAYOUT}")
