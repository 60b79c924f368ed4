"""A CSV or TSV table with a path and a label per line becomes samples."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from striate.data.columns import COLUMNS, Layout, find_column, read_layout, read_lines
from striate.data.folder import is_picture_name
from striate.data.sample import Asked, Found, LeftOut, Row, Sample
from striate.data.targets import Meaning, number_words
from striate.errors import first_few

_LOOKED_AT = 100  # lines in which the column of paths is looked for
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Claims:
    """Which line of a table each picture has (the first of several), and the other lines that contradict it."""

    meaning: Meaning
    rows: dict[Hashable, Row] = field(default_factory=dict)
    clashes: defaultdict[Hashable, list[int]] = field(default_factory=lambda: defaultdict(list))

    def claim(self, picture: Hashable, row: Row) -> bool:
        """Whether the line says something of the picture that earlier ones do not: it is noted."""
        earlier = self.rows.setdefault(picture, row)
        if earlier is row:
            return True
        joined = self.meaning.joined(earlier.target, row.target)
        if joined is None:
            self.clashes[picture].append(row.line)
        else:
            self.rows[picture] = replace(earlier, target=joined)
        return joined != earlier.target

    def clash(self, picture: Hashable) -> str:
        """Why a picture with such lines is left out."""
        lines = sorted([self.rows[picture].line, *self.clashes[picture]])
        return f"lines {first_few(lines)} give it different labels"


@dataclass(slots=True, kw_only=True)
class _Reading(Claims):
    """Pictures are files. dropped: leading folders of absolute paths from another machine that are not there."""

    folder: str
    left_out: list[LeftOut] = field(default_factory=list)
    dropped: int = 0


def read_table(file: Path, asked: Asked) -> Found:
    """The samples that a table lists.

    The separator (comma, semicolon, tab or bar), the encoding and the columns are found out; without a
    line of names the column of paths is followed by the labels. Paths are relative to the table's folder,
    may lead out of it and may be Windows ones. A missing file or label, and one file with two labels, is
    left out with the number of its line. Raises StriateError for a table without paths or labels.
    """
    folder = os.path.abspath(file.parent)  # noqa: PTH100 - resolve() would follow links
    is_path = partial(_is_path, folder)
    layout = read_layout(read_lines(file, asked), partial(_path_column, is_path), is_path)
    reading, samples = _Reading(folder=folder, meaning=layout.meaning), []
    for row in layout.rows():
        _take(reading, row)
    for place, row in reading.rows.items():
        name = _shown(place, folder)
        sample = Sample(path=name, source=Path(place), target=row.target, group=row.group, part=row.part)
        if place in reading.clashes:
            reading.left_out.append(sample.left_out(reading.clash(place)))
        else:
            samples.append(sample)
    root = os.path.abspath(file)  # noqa: PTH100
    remark = number_words(layout.meaning.task, samples) + unused_words(layout)
    said = remark and layout.said + remark
    return Found(root=root, kind="table", samples=samples, left_out=reading.left_out, labels=said, **layout.about)


def unused_words(layout: Layout) -> str:
    """Which columns hold other pictures than those that are read, for people; "" where there is none."""
    names, taken = layout.table.names or (), {layout.path, *layout.meaning.columns}
    last = layout.table.lines[-1][1] if layout.table.lines else ()
    unused = [names[n] for n, cell in enumerate(last[: len(names)]) if n not in taken and is_picture_name(cell)]
    return f" (pictures in {first_few(unused)} are not used)" if unused else ""


def _path_column(is_path, first: list[str], others: list[list[str]]) -> int | None:
    known = find_column(first, COLUMNS["path"])
    if known is not None:
        return known
    votes = Counter(number for cells in others[:_LOOKED_AT] for number, cell in enumerate(cells) if is_path(cell))
    most = max(votes.values(), default=0)
    return min((number for number, count in votes.items() if count == most and number < len(first)), default=None)


def _is_path(folder: str, cell: str) -> bool:
    if is_picture_name(cell):
        return True
    return bool(cell) and "\0" not in cell and os.path.isfile(os.path.join(folder, cell))  # noqa: PTH113, PTH118


def no_path(name: str) -> str:
    """Why an address is no path; "" for what may be one."""
    if not _ADDRESS.match(name):
        return ""
    is_file = name.lower().startswith("file:")
    return "a file:// address, where a plain path is wanted" if is_file else "a web address, and nothing is downloaded"


def _take(reading: _Reading, row: Row) -> None:
    problem = row.problem or no_path(row.name)
    file = None if problem else _locate(reading, row.name)
    if file is None:
        reading.left_out.append(row.left_out(problem or "no such file"))
        return
    if not reading.claim(file, row) and file not in reading.clashes:
        reading.left_out.append(row.left_out(f"the same file as in line {reading.rows[file].line}"))


def _locate(reading: _Reading, written: str) -> str | None:
    """The absolute path of a file as a table writes it, or None."""
    if "\0" in written:
        return None
    for spelling in dict.fromkeys((written, written.replace("\\", "/"))):
        if place := _existing(reading.folder, spelling):
            return place
    parts = [part for part in written.replace("\\", "/").split("/") if part]
    above = parts and (parts[0].endswith(":") or parts[0] == Path(reading.folder).name)
    if not written.startswith(("/", "\\")) and not above:
        return None
    # a table written on another machine, or from above its folder: folders above ours are dropped, as few as needed
    order = [reading.dropped, *range(1, len(parts))] if reading.dropped else range(1, len(parts))
    for count in order:
        if count < len(parts) and (place := _existing(reading.folder, "/".join(parts[count:]))):
            reading.dropped = count
            return place
    return None


def _existing(folder: str, written: str) -> str | None:
    for form in (written, unicodedata.normalize("NFC", written), unicodedata.normalize("NFD", written)):
        place = os.path.normpath(os.path.join(folder, form))  # noqa: PTH118 - no objects for a million lines
        if os.path.lexists(place):
            return place
    return None


def _shown(file: str, folder: str) -> str:
    inside = file.startswith(folder.rstrip(os.sep) + os.sep)
    return (os.path.relpath(file, folder) if inside else file).replace(os.sep, "/")
