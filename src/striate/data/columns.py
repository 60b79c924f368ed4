"""A CSV or TSV table: its lines, and which column holds the path, the label, the part and the group."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.data.content import MOST_TEXT, read_text
from striate.data.folder import is_picture_name, part_named
from striate.data.sample import Asked, LeftOut, Target, text_of
from striate.data.targets import NOTHING, Meaning, are_marks, meaning_of
from striate.errors import StriateError, first_few, nearest

COLUMNS = {
    "path": ("path", "file", "filepath", "file_path", "filename", "file_name", "image", "image_path", "picture", "img"),
    "label": ("label", "class", "target", "category", "class_name", "label_name"),
    "part": ("part", "split", "set", "subset"),
    "group": ("group", "patient", "patient_id", "subject", "subject_id", "slide", "slide_id"),
}
SERIES = ("series", "series_id", "sequence", "sequence_id", "recording", "sample_id", "id")  # where a line is a time
TIMES = ("time", "timestamp", "step", "t")
csv.field_size_limit(MOST_TEXT)  # of the whole file; by itself the module refuses texts of more than 131,072 letters
_DELIMITERS = "\t;,|"
_LOOKED_AT = 100  # lines from which the separator is read
_TITLES = frozenset(word for several in COLUMNS.values() for word in several)
_COMMENTS = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n))+")  # and empty lines
_DOUBT = "there must be no doubt which column of a table holds the label"
_REMEDY = "begin it with a line of column names: path,label (and part or group if wanted)"

_KEPT = re.compile(r"(patient|subject|person|donor|animal|mouse|lesion|case|study|exam|visit|scan)(id|no|number)")

Line = tuple[int, list[str]]  # its number in the file, counted from 1, and its cells without blanks around them
FindPath = Callable[[list[str], list[list[str]]], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what it says of a picture, and in `problem` why it cannot be used ("" when it can)."""

    line: int
    name: str
    target: Target
    part: str | None = None
    group: str | None = None
    problem: str = ""

    def left_out(self, problem: str, path: str = "", part: str | None = None) -> LeftOut:
        """This line as one that is not used; path and part are those of its picture, where that is known."""
        path, reason = path or self.name.replace("\\", "/"), f"line {self.line}: {problem}"
        return LeftOut(path=path, reason=reason, label=text_of(self.target), part=self.part or part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What columns hold, by their numbers from 0; None where there is no such column.

    header: the names; None when the table has none. meaning: what the columns of the label say. perhaps: as of Found.
    """

    header: list[str] | None
    path: int
    meaning: Meaning
    part: int | None = None
    group: int | None = None
    perhaps: tuple[str, int] | None = None

    @property
    def about(self) -> dict[str, object]:
        """What it says of all samples, as fields of Found."""
        return self.meaning.about | {"perhaps": self.perhaps, "is_grouped": self.group is not None}

    def said(self, file: Path) -> str:
        """The table and the columns that are used, in words: "t.csv image_id → dx"; its name alone without names."""
        kind = {"marked": "classes", "marks": "labels"}.get(self.meaning.kind)
        label = f"{len(self.meaning.columns)} columns of {kind}" if kind else ", ".join(self.meaning.names)
        return f"{file.name} {self.header[self.path]} → {label}" if self.header else file.name


def read_lines(file: Path, columns: str | None = None) -> list[Line]:
    """Every line of a table that is not empty, from the first on that is no comment (#); separator and encoding are
    found out.

    columns: names, by commas, for the columns of a table that has none; they become line 0.
    Raises StriateError for a file that is unreadable, empty or no proper CSV.
    """
    text = read_text(file, "the table")
    told = text[4] if re.match(r"sep=.\r?\n", text[:7]) else ""  # how Excel is told the separator
    text = without_comments("\n" + text.split("\n", 1)[1] if told else text)
    lines = _parse(file, text, told or _delimiter(file, text), strict=True)
    if not lines:
        raise StriateError("the table must have lines", received="an empty table", where=file, remedy=_REMEDY)
    if columns is None:
        return lines
    names, width = [name.strip() for name in columns.split(",")], len(lines[0][1])
    if len(names) != width:
        received = f"{len(names)} names for {width} columns"
        raise StriateError("--columns names every column of the table", received=received, where=file)
    return [(0, names), *lines]


def without_comments(text: str) -> str:
    """`text` with empty lines in place of the comments (#) before its first other line; but "#filename,label", which is
    how some tools write the line of names, is such a line."""
    found = _COMMENTS.match(text)
    following = re.compile(r"[^\r\n]*").match(text, found.end())[0] if found else ""
    if not following.strip() or following.lstrip().startswith("#"):  # nothing else is there
        return text
    blank, last = re.sub(r"[^\r\n]", "", found[0]), found[0].strip().rpartition("\n")[2].rpartition("\r")[2]
    if names := _names_in(last, following):
        blank = re.sub(r"(\r\n?|\n)\Z", "", blank) + names + "\n"
    return blank + text[found.end() :]


def _names_in(comment: str, following: str) -> str:
    """A comment as a line of names, where it is one: as many cells as the next line has, with known titles or of a
    word each."""
    names = comment.lstrip("# \t")
    for mark in (*_DELIMITERS, " "):
        lines = (csv.reader([line], delimiter=mark, skipinitialspace=True) for line in (names, following))
        words, cells = ([cell.strip().casefold() for cell in next(line, [])] for line in lines)
        if len(words) == len(cells) > 1 and words != cells and not _TITLES & set(cells):
            if _TITLES & set(words):
                return names
            if mark != " " and not any(" " in word for word in words):
                return comment
    return ""


def read_layout(
    file: Path, lines: Sequence[Line], find_path: FindPath, is_path: Callable[[str], bool], asked: Asked
) -> Layout:
    """Which column is what.

    find_path(first, others): the column that names the pictures, by the first line and the others. is_path:
    whether a cell names one. A group that was asked for and is no column is left to others. Raises StriateError when
    there is no column of paths, or no telling which is the label.
    """
    rows = [cells for _, cells in lines]
    first = rows[0]
    path = find_path(first, rows[1:] or rows)
    if path is None:
        raise _no_columns(file, first)
    words = {word.casefold() for word in (*_words(asked.label_column), asked.group) if word and not word.isdecimal()}
    known = any(cell.casefold() in words | _TITLES for cell in first)
    if asked.columns is None and (is_path(first[path]) or not (known or _unlike(rows, path))):
        columns = asked_columns(file, None, len(first), asked.label_column) or _beside(file, first, path)
        names = [f"column {number}" for number in columns]
        return Layout(header=None, path=path, meaning=meaning_of(rows, columns, names, asked.task))
    return named_layout(file, lines, path, asked)


def named_layout(file: Path, lines: Sequence[Line], path: int, asked: Asked) -> Layout:
    """Which column is what in a table whose first line has names; path: the column of what is learned from."""
    rows = [cells for _, cells in lines]
    names = rows[0]
    labels, part, group, taken = titled(file, names, asked)
    group = None if group == path and not asked.group else group
    labels = labels or _label_columns(file, rows, {path, *taken})
    _require_one(file, rows, asked.label_column, *labels)
    titles = [names[number] for number in labels]
    meaning = meaning_of(rows[1:], labels, titles, asked.task, numbers=[number for number, _ in lines[1:]])
    perhaps = _perhaps(rows, {path, *labels}) if group is None else None
    return Layout(header=names, path=path, meaning=meaning, part=part, group=group, perhaps=perhaps)


def titled(file: Path, names: list[str], asked: Asked) -> tuple[tuple[int, ...], int | None, int | None, set]:
    """The columns of the label (none if no name says it), of the part and of the group, and all that these take."""
    known = {kind: find_column(names, words) for kind, words in COLUMNS.items()}
    group = find_column(names, (asked.group,)) if asked.group else known["group"]
    if group is None and re.fullmatch(r"(?!(parent|PatientID)$)[\w -]+", asked.group or ""):
        rule, remedy = "--group must be a column of the table, 'parent' or an expression", nearest(asked.group, names)
        raise StriateError(rule, received=repr(asked.group), where=file, remedy=remedy)
    labels = asked_columns(file, names, len(names), asked.label_column)
    if not labels and known["label"] is not None:
        labels = (known["label"],)
    return labels, known["part"], group, {*labels, group, known["group"], known["part"]}


def rows_of(lines: Sequence[Line], layout: Layout) -> Iterator[Row]:
    """What every line below the names says."""
    for number, cells in lines[1:] if layout.header else lines:
        name, (part, wrong) = cell_at(cells, layout.path), part_named(cell_at(cells, layout.part))
        target, problem = layout.meaning.target(cells)
        problem = (problem or wrong) if name else "no path"
        group = group_at(cells, layout.group)
        yield Row(line=number, name=name, target=target, part=part, group=group, problem=problem)


def _delimiter(file: Path, text: str) -> str:
    """The separator that cuts most lines into the same number of cells; of equals the one that cuts into more.

    Where none does, a blank, if it cuts all of them alike: other lines are words.
    """
    start = "".join(text.lstrip("\r\n").splitlines(keepends=True)[:_LOOKED_AT])
    best, score = ",", (0.0, 0)
    for candidate in _DELIMITERS:
        widths = Counter(len(cells) for _, cells in _parse(file, start, candidate))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1 and (count / widths.total(), width) > score:
            score, best = (count / widths.total(), width), candidate
    if not any(score):
        widths = {len(cells) for _, cells in _parse(file, start, " ")}
        best = " " if len(widths) == 1 and widths != {1} else best
    return best


def _parse(file: Path, text: str, delimiter: str, **how: object) -> list[Line]:
    """how: as of csv; strict refuses a quote that is never closed, which would swallow the rest of the table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, **how)
    try:
        lines = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
        return [(number, cells) for number, cells in lines if any(cells)]
    except csv.Error as error:
        lines = _parse(file, text, delimiter, quoting=csv.QUOTE_NONE) if how.get("strict") and delimiter == "\t" else []
        if len({len(cells) for _, cells in lines}) == 1:  # so that quotes are no more than marks
            return lines
        rule, where = "the table must be proper CSV", f"{file}, line {reader.line_num}"
        remedy = "write a quote inside a quoted cell twice"
        raise StriateError(rule, received=error, where=where, remedy=remedy) from None


def find_column(header: Sequence[str], words: Sequence[str]) -> int | None:
    """The number of the column that has one of these names, the earlier the better; None if none has. Capitals do not
    matter, and where no other name is the same, neither do blanks and signs: "Patient ID" is patient_id."""
    for form in (lambda word: word.strip().casefold(), _bare):
        names, asked = [form(name) for name in header], [form(word) for word in words]
        if (found := next((names.index(word) for word in asked if word and word in names), None)) is not None:
            return found
    return None


def _bare(title: str) -> str:
    return re.sub(r"[\W_]", "", title.casefold())


def _perhaps(rows: list[list[str]], taken: set[int]) -> tuple[str, int] | None:
    """The first other column whose name says what belongs together and that has values again; how many it has."""
    for number, title in enumerate(rows[0]):
        if number not in taken and _KEPT.fullmatch(_bare(title)):
            values = list(filter(None, (group_at(cells, number) for cells in rows[1:])))
            if 1 < len(set(values)) < len(values):
                return title, len(set(values))
    return None


def _unlike(rows: list[list[str]], path: int) -> bool:
    """Whether the first line is unlike the others, so that it must be one of names: no number in its path, no
    word that comes again below it in any column."""
    first, others = rows[0], rows[1:]
    again = (cell and any(cell == cell_at(cells, number) for cells in others) for number, cell in enumerate(first))
    return bool(others) and not re.search(r"\d", first[path]) and not any(again)


def _beside(file: Path, first: list[str], path: int) -> tuple[int, ...]:
    """Without names the label follows the paths; in a table whose last column holds these it stands before them."""
    others = [n for n, cell in enumerate(first) if not is_picture_name(cell)]
    label = min((n for n in others if n > path), default=path - 1)
    if label < 0:
        raise _no_columns(file, first)
    return (label,)


def _words(asked: str | None) -> list[str]:
    return [word.strip() for word in asked.split(",") if word.strip()] if asked else []


def asked_columns(file: Path, header: list[str] | None, width: int, asked: str | None) -> tuple[int, ...]:
    """The columns that --label-column names, or counts from 0; none where it is not given."""
    if asked and header and (whole := find_column(header, (asked,))) is not None:
        return (whole,)
    found = []
    for word in _words(asked):
        column = find_column(header, (word,)) if header else None
        if column is None and word.isdecimal() and int(word) < width:
            column = int(word)
        if column is None:
            known = [name for name in header or () if name]
            rule = "--label-column names a column of the table, or several with commas between them"
            remedy = nearest(word, known) if known else f"give its number, 0 to {width - 1}, or name all: --columns"
            raise StriateError(rule, received=word, where=file, remedy=remedy)
        found.append(column)
    return tuple(found)


def _label_columns(file: Path, rows: list[list[str]], taken: set[int | None]) -> tuple[int, ...]:
    """The one column that is left, or the columns of classes or labels that every line marks with 0 and 1."""
    first = rows[0]
    rest = [n for n, name in enumerate(first) if n not in taken and not re.fullmatch(r"(unnamed: \d+)?", name.lower())]
    rest = [n for n in rest if not _KEPT.fullmatch(_bare(first[n]))]
    if len(rest) == 1 or (rest and are_marks([[cell_at(cells, n) for n in rest] for cells in rows[1:]])):
        return tuple(rest)
    if not rest:
        raise _no_columns(file, first, "a table needs a column label")
    are_paths = [is_picture_name(cell_at(rows[-1], n)) for n in rest]
    raise in_doubt(file, [first[n] for _, n in sorted(zip(are_paths, rest, strict=True))])


def _require_one(file: Path, rows: list[list[str]], asked: str | None, *columns: int) -> None:
    """Refuse a title that several columns have which say different things, unless their numbers were asked for."""
    titles = [name.casefold() for name in rows[0]]
    for column in columns:
        same = [n for n, title in enumerate(titles) if title == titles[column]]
        said = {tuple(cell_at(cells, n) for cells in rows) for n in same}
        if len(said) > 1 and str(column) not in _words(asked):
            received = f"{rows[0][column]!r} as the title of the columns {first_few(same)}"
            remedy = f"give the number of one: --label-column {column}"
            raise StriateError(_DOUBT, received=received, where=file, remedy=remedy)


def in_doubt(file: Path, names: Sequence[str]) -> StriateError:
    """That any of these columns may hold the label."""
    remedy = f"name it, for example --label-column {names[0]!r}, or several with commas between them"
    return StriateError(_DOUBT, received=f"the columns {first_few(names, 10)}", where=file, remedy=remedy)


def _no_columns(
    file: Path, first: Sequence[str], rule: str = "a table needs a column path and a column label"
) -> StriateError:
    remedy = f"{_REMEDY}; {with_folder(file)}; a column of texts is named by --text"
    if find_column(first, TIMES) is not None and find_column(first, SERIES) is None:
        rule = "a table with a line for every time needs a column series beside time, and each series several lines"
        remedy = f"call the column series that says of which series a line is; for pictures, {remedy}"
    return StriateError(rule, received=f"the columns {first_few(first)}", where=file, remedy=remedy)


def with_folder(file: Path) -> str:
    """The remedy for names that are no paths as they are written."""
    return f"names without folders or endings are found in FOLDER --labels {file.name}"


def cell_at(cells: Sequence[str], number: int | None) -> str:
    """The cell of a column; "" where a line has none."""
    return cells[number] if number is not None and number < len(cells) else ""


def group_at(cells: Sequence[str], number: int | None) -> str | None:
    """The group in a column; None where the cell says that there is none: such lines do not belong together."""
    group = cell_at(cells, number)
    return None if group.lower() in NOTHING else group
