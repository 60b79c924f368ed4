"""A CSV or TSV table with a path and a label per line becomes samples."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from striate.data.content import IMAGE_SUFFIXES
from striate.data.folder import PART_NAMES
from striate.data.sample import Found, LeftOut, Sample
from striate.errors import StriateError, first_few

_COLUMNS = {
    "path": ("path", "file", "filepath", "file_path", "filename", "file_name", "image", "image_path", "picture", "img"),
    "label": ("label", "class", "target", "category", "class_name", "label_name"),
    "part": ("part", "split", "set", "subset"),
    "group": ("group", "patient", "patient_id", "subject", "subject_id", "slide", "slide_id"),
}
_DELIMITERS = "\t,;|"
_LOOKED_AT = 100  # lines from which the layout is read
_REMEDY = "begin it with a line of column names: path,label (and part or group if wanted)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Column numbers; None where the table has no such column."""

    header: list[str] | None
    path: int
    label: int
    part: int | None = None
    group: int | None = None


@dataclass(slots=True)
class _Reading:
    folder: str
    layout: _Layout
    rows: dict[str, tuple[int, Sample]] = field(default_factory=dict)  # by file, with its first line
    clashes: dict[str, list[int]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    dropped: int = 0  # leading folders of absolute paths from another machine that are not there


def read_table(file: Path, group: str | None) -> tuple[Found, str | None]:
    """The samples that a table lists, and `group` again unless it named a column that was used.

    The separator (comma, semicolon, tab or bar), the encoding and the columns are found out; without a
    line of names the column of paths is followed by the labels. Paths are relative to the table's
    folder and may be Windows ones. A missing file or label, and one file with two labels, is left out
    with the number of its line. Raises StriateError for a table without paths or labels.
    """
    lines = _rows(file, _text(file))
    folder = os.path.abspath(file.parent)  # noqa: PTH100 - resolve() would follow links
    layout = _layout(file, folder, [cells for _, cells in lines[:_LOOKED_AT]], group)
    reading = _Reading(folder, layout)
    for number, cells in lines[1:] if layout.header else lines:
        _take(reading, number, cells)
    samples = [sample for key, (_, sample) in reading.rows.items() if key not in reading.clashes]
    _set_clashes_aside(reading)
    found = Found(root=os.path.abspath(file), kind="table", samples=samples, left_out=reading.left_out)  # noqa: PTH100
    used = group is not None and layout.header is not None and group in layout.header
    return found, None if used else group


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StriateError("the table must be readable", received=error.strerror or error, where=file) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what Excel writes in western Europe


def _rows(file: Path, text: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of every line that is not empty."""
    best: list[tuple[int, list[str]]] = []
    start, score = "".join(text.splitlines(keepends=True)[:_LOOKED_AT]), (0.0, 0)
    delimiter = ","
    for candidate in _DELIMITERS:
        widths = Counter(len(cells) for _, cells in _parse(file, start, candidate))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1 and (count / widths.total(), width) > score:
            score, delimiter = (count / widths.total(), width), candidate
    best = _parse(file, text, delimiter, strict=True)
    if not best:
        raise StriateError("the table must have lines", received="an empty table", where=file, remedy=_REMEDY)
    return best


def _parse(file: Path, text: str, delimiter: str, *, strict: bool = False) -> list[tuple[int, list[str]]]:
    """strict: refuse a quote that is never closed, which would swallow the rest of the table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        where = f"{file}, line {reader.line_num}"
        raise StriateError("the table must be proper CSV", received=error, where=where) from None


def _layout(file: Path, folder: str, rows: list[list[str]], group: str | None) -> _Layout:
    first = [cell.strip() for cell in rows[0]]
    names = [cell.lower() for cell in first]
    known = {kind: next((names.index(n) for n in words if n in names), None) for kind, words in _COLUMNS.items()}
    header = first if known["path"] is not None or known["label"] is not None else None
    if header is None and group in first and not _is_path(group or "", folder):
        header = first
    path = known["path"] if known["path"] is not None else _path_column(rows[1:] if header else rows, folder)
    label = known["label"]
    if path is not None and label is None and header is None:
        label = path + 1 if path + 1 < len(first) else path - 1
    if path is None or label is None or label < 0:
        what = f"the columns {first_few(first)}"
        raise StriateError("a table needs a column path and a column label", received=what, where=file, remedy=_REMEDY)
    if not header:
        return _Layout(header=None, path=path, label=label)
    column = first.index(group) if group in first else known["group"] if group is None else None
    return _Layout(header=first, path=path, label=label, part=known["part"], group=column)


def _path_column(rows: Sequence[Sequence[str]], folder: str) -> int | None:
    votes = Counter(number for cells in rows for number, cell in enumerate(cells) if _is_path(cell.strip(), folder))
    if not votes:
        return None
    most = max(votes.values())
    return min(number for number, count in votes.items() if count == most)


def _is_path(cell: str, folder: str) -> bool:
    return Path(cell.replace("\\", "/")).suffix.lower() in IMAGE_SUFFIXES or (
        bool(cell) and "\0" not in cell and os.path.isfile(os.path.join(folder, cell))  # noqa: PTH113, PTH118
    )


def _take(reading: _Reading, number: int, cells: Sequence[str]) -> None:
    layout = reading.layout

    def cell(column: int | None) -> str:
        return cells[column].strip() if column is not None and column < len(cells) else ""

    written, label = cell(layout.path), unicodedata.normalize("NFC", cell(layout.label))
    word = cell(layout.part)
    part = PART_NAMES.get(word.lower())

    def leave(reason: str) -> None:
        path = written.replace("\\", "/")
        reading.left_out.append(LeftOut(path=path, reason=f"line {number}: {reason}", label=label, part=part or ""))

    if not written:
        return leave("no path")
    if not label:
        return leave("no label")
    if word and part is None:
        return leave(f"{word!r} is not one of train, validation, test")
    file = _locate(reading, written)
    if file is None:
        return leave("no such file")
    name = _shown(file, reading.folder)
    sample = Sample(path=name, source=Path(file), target=label, group=cell(layout.group) or None, part=part)
    return _keep(reading, number, sample, leave)


def _keep(reading: _Reading, number: int, sample: Sample, leave) -> None:
    key = str(sample.source)
    if key not in reading.rows:
        reading.rows[key] = (number, sample)
        return
    line, earlier = reading.rows[key]
    if earlier.target != sample.target:
        reading.clashes.setdefault(key, [line]).append(number)
    elif key not in reading.clashes:
        leave(f"the same file as in line {line}")


def _set_clashes_aside(reading: _Reading) -> None:
    for key, lines in reading.clashes.items():
        sample = reading.rows[key][1]
        reason = f"lines {first_few(lines)} give it different labels"
        reading.left_out.append(LeftOut(path=sample.path, reason=reason, label=sample.target, part=sample.part or ""))


def _locate(reading: _Reading, written: str) -> str | None:
    """The absolute path of a file as a table writes it, or None."""
    if "\0" in written:
        return None
    for spelling in dict.fromkeys((written, written.replace("\\", "/"))):
        place = _existing(reading.folder, spelling)
        if place is not None:
            return place
    parts = [part for part in written.replace("\\", "/").split("/") if part]
    absolute = written.startswith(("/", "\\")) or bool(parts and parts[0].endswith(":"))
    if not absolute:
        return None
    # a table written on another machine: its folders above ours are dropped, as few as needed
    order = [reading.dropped, *range(1, len(parts))] if reading.dropped else range(1, len(parts))
    for count in order:
        place = _existing(reading.folder, "/".join(parts[count:])) if count < len(parts) else None
        if place is not None:
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
