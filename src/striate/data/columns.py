"""A CSV or TSV table: its lines, and which column holds the path, the label, the part and the group."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from striate.data.content import IMAGE_SUFFIXES
from striate.data.folder import PART_NAMES
from striate.errors import StriateError, first_few, nearest

COLUMNS = {
    "path": ("path", "file", "filepath", "file_path", "filename", "file_name", "image", "image_path", "picture", "img"),
    "label": ("label", "class", "target", "category", "class_name", "label_name"),
    "part": ("part", "split", "set", "subset"),
    "group": ("group", "patient", "patient_id", "subject", "subject_id", "slide", "slide_id"),
}
_DELIMITERS = "\t;,|"
_LOOKED_AT = 100  # lines from which the separator is read
_REMEDY = "begin it with a line of column names: path,label (and part or group if wanted)"
_WHOLE = re.compile(r"([+-]?\d{1,18})(?:[.,]0*)?")
_MARKS = {"0": 0, "0.0": 0, "false": 0, "": 0, "1": 1, "1.0": 1, "true": 1}

Line = tuple[int, list[str]]  # its number in the file, counted from 1, and its cells without blanks around them
FindPath = Callable[[list[str], list[list[str]]], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what it says of a picture, and in `problem` why it cannot be used ("" when it can)."""

    line: int
    name: str
    label: str
    part: str | None = None
    group: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Numbers of columns; None where there is no such column.

    header: the names; None when the table has none. classes: one column per class, where no column holds
    the label. whole: labels are whole numbers, some of them written as decimals ("1.0").
    """

    header: list[str] | None
    path: int
    label: int | None
    classes: dict[int, str] = field(default_factory=dict)
    part: int | None = None
    group: int | None = None
    whole: bool = False

    def say(self) -> str:
        """The columns that are used, in words: "image_id → dx"; "" without a line of names."""
        if not self.header:
            return ""
        label = self.header[self.label] if self.label is not None else f"{len(self.classes)} columns of classes"
        return f"{self.header[self.path]} → {label}"


def read_lines(file: Path) -> list[Line]:
    """Every line of a table that is not empty; separator and encoding are found out.

    Raises StriateError for a file that is unreadable, empty or no proper CSV.
    """
    text = read_text(file)
    delimiter = _delimiter(file, text)
    if re.match(r"sep=.\r?\n", text[:7]):  # how Excel is told the separator
        delimiter, text = text[4], "\n" + text.split("\n", 1)[1]
    lines = _parse(file, text, delimiter, strict=True)
    if not lines:
        raise StriateError("the table must have lines", received="an empty table", where=file, remedy=_REMEDY)
    return lines


def read_layout(
    file: Path,
    lines: Sequence[Line],
    find_path: FindPath,
    is_path: Callable[[str], bool],
    group: str | None,
    label_column: str | None,
) -> Layout:
    """Which column is what.

    find_path(first, others): the column that names the pictures, by the first line and the others. is_path:
    whether a cell names one. group, label_column: names of columns, where given (a `group` that is none is
    left to others). Raises StriateError when there is no column of paths, or no telling which is the label.
    """
    rows = [cells for _, cells in lines]
    first = rows[0]
    path = find_path(first, rows[1:] or rows)
    named = {kind: find_column(first, words) for kind, words in COLUMNS.items()}
    if path is None:
        raise _no_columns(file, first)
    asked = {name.strip().casefold() for name in (label_column, group) if name}
    known = any(column is not None for column in named.values()) or any(cell.casefold() in asked for cell in first)
    if is_path(first[path]) or not (known or _unlike(rows, path)):
        return _without_names(file, rows, path, label_column)
    column = find_column(first, (group,)) if group else named["group"]
    taken = {path, named["part"], column, named["group"]}
    label, classes = _label_column(file, rows, taken, named["label"], label_column)
    whole = label is not None and _are_whole(rows[1:], label)
    return Layout(header=first, path=path, label=label, classes=classes, part=named["part"], group=column, whole=whole)


def rows_of(lines: Sequence[Line], layout: Layout) -> Iterator[Row]:
    """What every line below the names says."""
    for number, cells in lines[1:] if layout.header else lines:
        name, word = _cell(cells, layout.path), _cell(cells, layout.part)
        label, problem = _label(cells, layout)
        part = PART_NAMES.get(word.lower())
        if word and part is None:
            problem = problem or f"{word!r} is not one of train, validation, test"
        problem = problem if name else "no path"
        yield Row(
            line=number, name=name, label=label, part=part, group=_cell(cells, layout.group) or None, problem=problem
        )


def read_text(file: Path) -> str:
    """All of a file of text, in whatever encoding it is."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StriateError("the table must be readable", received=error.strerror or error, where=file) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:2]:  # two bytes per letter, without the mark that says so
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what Excel writes in western Europe


def _delimiter(file: Path, text: str) -> str:
    """The separator that cuts most lines into the same number of cells; of equals the one that cuts into more."""
    start, best, score = "".join(text.splitlines(keepends=True)[:_LOOKED_AT]), ",", (0.0, 0)
    for candidate in _DELIMITERS:
        widths = Counter(len(cells) for _, cells in _parse(file, start, candidate))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1 and (count / widths.total(), width) > score:
            score, best = (count / widths.total(), width), candidate
    return best


def _parse(file: Path, text: str, delimiter: str, *, strict: bool = False) -> list[Line]:
    """strict: refuse a quote that is never closed, which would swallow the rest of the table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict)
    try:
        lines = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
        return [(number, cells) for number, cells in lines if any(cells)]
    except csv.Error as error:
        where = f"{file}, line {reader.line_num}"
        raise StriateError("the table must be proper CSV", received=error, where=where) from None


def find_column(header: Sequence[str], words: Sequence[str]) -> int | None:
    """The number of the column that has one of these names, the earlier the better; None if none has."""
    names = [name.casefold() for name in header]
    return next((names.index(word.strip().casefold()) for word in words if word.strip().casefold() in names), None)


def _unlike(rows: list[list[str]], path: int) -> bool:
    """Whether the first line is unlike the others, so that it must be one of names: no number in its path, no
    word that comes again below it in any column."""
    first, others = rows[0], rows[1:]
    again = (cell and any(cell == _cell(cells, number) for cells in others) for number, cell in enumerate(first))
    return bool(others) and not re.search(r"\d", first[path]) and not any(again)


def _without_names(file: Path, rows: list[list[str]], path: int, label_column: str | None) -> Layout:
    """The labels follow the paths; in a table whose last column holds the paths they stand before them."""
    others = [n for n, cell in enumerate(rows[0]) if Path(cell.replace("\\", "/")).suffix.lower() not in IMAGE_SUFFIXES]
    label = min((n for n in others if n > path), default=path - 1)
    if label_column or label < 0:
        raise _no_columns(file, rows[0])
    return Layout(header=None, path=path, label=label, whole=_are_whole(rows, label))


def _label_column(
    file: Path, rows: list[list[str]], taken: set[int | None], known: int | None, asked: str | None
) -> tuple[int | None, dict[int, str]]:
    """The column of labels, or None and the columns of classes of which every line marks one with a 1."""
    first = rows[0]
    if asked:
        column = find_column(first, (asked,))
        if column is None:
            raise StriateError(
                "--label-column names a column of the table",
                received=asked,
                where=file,
                remedy=nearest(asked, [name for name in first if name]),
            )
        return column, {}
    if known is not None:
        return known, {}
    rest = [n for n, name in enumerate(first) if n not in taken and not re.fullmatch(r"(unnamed: \d+)?", name.lower())]
    if len(rest) == 1:
        return rest[0], {}
    marked = [[_MARKS.get(_cell(cells, n).lower(), 9) for n in rest] for cells in rows[1:]]
    if rest and sum(sum(marks) == 1 for marks in marked) > 0.9 * len(marked):
        return None, {n: unicodedata.normalize("NFC", first[n]) for n in rest}
    if not rest:
        raise _no_columns(file, first)
    raise StriateError(
        "there must be no doubt which column of a table holds the label",
        received=f"the columns {first_few([first[n] for n in rest], 10)}",
        where=file,
        remedy=f"name it, for example --label-column {first[rest[0]]!r}",
    )


def _no_columns(file: Path, first: Sequence[str]) -> StriateError:
    what = f"the columns {first_few(first)}"
    return StriateError("a table needs a column path and a column label", received=what, where=file, remedy=_REMEDY)


def _are_whole(rows: Sequence[Sequence[str]], label: int) -> bool:
    cells = [cell for row in rows if (cell := _cell(row, label)) and cell.lower() != "nan"]
    return all(map(_WHOLE.fullmatch, cells)) and not all(cell.lstrip("+-").isdigit() for cell in cells)


def _label(cells: Sequence[str], layout: Layout) -> tuple[str, str]:
    """The label of a line, and what is wrong with it."""
    if layout.label is None:
        marks = [name for number, name in layout.classes.items() if _MARKS.get(_cell(cells, number).lower())]
        if len(marks) > 1:
            return "", f"marked as {' and '.join(marks)}"
        return (marks[0], "") if marks else ("", "no label")
    label = unicodedata.normalize("NFC", _cell(cells, layout.label))
    if not label or label.lower() == "nan":
        return "", "no label"
    match = _WHOLE.fullmatch(label) if layout.whole else None
    return (str(int(match[1])) if match else label), ""


def _cell(cells: Sequence[str], number: int | None) -> str:
    return cells[number] if number is not None and number < len(cells) else ""
