"""A CSV or TSV table: its lines, and which column holds the path, the label, the part and the group."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from striate.data.content import MOST_TEXT, read_text
from striate.data.folder import is_picture_name, part_named
from striate.data.sample import Asked, Row
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
_COMMENTS = re.compile(r"((?:[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n))*)([^\r\n]*)")  # and empty lines; then the next line
_DOUBT = "there must be no doubt which column of a table holds the label"
_REMEDY = "begin it with a line of column names: path,label (and part or group if wanted)"
_KEPT = re.compile(r"(patient|subject|person|donor|animal|mouse|lesion|case|study|exam|visit|scan)(id|no|number)")
_SURPLUS = "more cells than the table has columns: quote those with commas in them"
_NOTHING_ASKED = Asked()
Line = tuple[int, list[str]]  # its number in the file, counted from 1, and its cells without blanks around them
FindPath = Callable[[list[str], list[list[str]]], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file of lines, and what a person said of it.

    lines: those that are not empty, without the line of names. names: of the columns; None where there is no such line.
    """

    file: Path
    lines: Sequence[Line]
    asked: Asked
    names: list[str] | None = None

    @property
    def width(self) -> int:
        """How many columns it has, by its first line."""
        return len(self.names or self.lines[0][1])

    @property
    def rows(self) -> list[list[str]]:
        """The cells of its lines."""
        return [cells for _, cells in self.lines]

    def column(self, number: int | None) -> list[str]:
        """The cells of a column; "" where a line has none."""
        return [cell_at(cells, number) for _, cells in self.lines]

    def meaning(self, columns: Sequence[int], names: Sequence[str]) -> Meaning:
        """What these columns, which are called so, say of all lines."""
        return meaning_of(self.rows, columns, names, self.asked.task, numbers=[number for number, _ in self.lines])

    def named(self) -> "Table":
        """The same with its first line for names, where it has none yet."""
        return self if self.names else replace(self, names=self.lines[0][1], lines=self.lines[1:])

    def titled(self) -> tuple[tuple[int, ...], int | None, int | None, set]:
        """The columns of the label (none if no name says it), of the part and of the group, and all that these take."""
        names, asked = self.names, self.asked.group
        known = {kind: find_column(names, words) for kind, words in COLUMNS.items()}
        group = find_column(names, (asked,)) if asked else known["group"]
        if group is None and re.fullmatch(r"(?!(parent|PatientID)$)[\w -]+", asked or ""):
            rule, remedy = "--group must be a column of the table, 'parent' or an expression", nearest(asked, names)
            raise StriateError(rule, received=repr(asked), where=self.file, remedy=remedy)
        labels = self.asked_columns() or (() if known["label"] is None else (known["label"],))
        return labels, known["part"], group, {*labels, group, known["group"], known["part"]}

    def asked_columns(self) -> tuple[int, ...]:
        """The columns that --label-column names, or counts from 0; none where it is not given."""
        asked, names, found = self.asked.label_column, self.names or [], []
        if asked and (whole := find_column(names, (asked,))) is not None:
            return (whole,)
        for word in filter(None, words_in(asked)):
            column = find_column(names, (word,))
            if column is None and word.isdecimal() and int(word) < self.width:
                column = int(word)
            if column is None:
                rule = "--label-column names a column of the table, or several with commas between them"
                numbers = f"give its number, 0 to {self.width - 1}, or name all: --columns"
                remedy = nearest(word, known) if (known := list(filter(None, names))) else numbers
                raise StriateError(rule, received=word, where=self.file, remedy=remedy)
            found.append(column)
        return tuple(found)

    def in_doubt(self, columns: Sequence[int]) -> StriateError:
        """That any of these columns may hold the label."""
        names = [self.names[n] for n in columns]
        remedy = f"name it, for example --label-column {names[0]!r}, or several with commas between them"
        return StriateError(_DOUBT, received=f"the columns {first_few(names, 10)}", where=self.file, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the columns of a table hold, by their numbers from 0; None where there is no such column.

    meaning: what the columns of the label say. perhaps: as of Found.
    """

    table: Table
    path: int
    meaning: Meaning
    part: int | None = None
    group: int | None = None
    perhaps: tuple[str, int] | None = None

    @property
    def about(self) -> dict[str, object]:
        """What it says of all samples, as fields of Found."""
        return self.meaning.about | {"perhaps": self.perhaps, "is_grouped": self.group is not None}

    @property
    def said(self) -> str:
        """The table and the columns that are used, in words: "t.csv image_id → dx"; its name alone without names."""
        file, names = self.table.file, self.table.names
        kind = {"marked": "classes", "marks": "labels"}.get(self.meaning.kind)
        label = f"{len(self.meaning.columns)} columns of {kind}" if kind else ", ".join(self.meaning.names)
        return f"{file.name} {names[self.path]} → {label}" if names else file.name

    def rows(self) -> Iterator[Row]:
        """What every line says."""
        for line, cells in self.table.lines:
            name, (part, odd) = cell_at(cells, self.path), part_named(cell_at(cells, self.part))
            target, wrong = self.meaning.target(cells)
            wrong = _SURPLUS if any(cells[self.table.width :]) else (wrong or odd) if name else "no path"
            yield Row(line=line, name=name, target=target, part=part, group=group_at(cells, self.group), problem=wrong)


def read_lines(file: Path, asked: Asked = _NOTHING_ASKED) -> Table:
    """Every line of a table that is not empty, from the first on that is no comment (#); separator and encoding are
    found out. The columns have names only where --columns gives them. Raises StriateError for a file that is
    unreadable, empty or no proper CSV."""
    text = read_text(file, "the table")
    told = text[4] if re.match(r"sep=.\r?\n", text[:7]) else ""  # how Excel is told the separator
    text = without_comments("\n" + text.split("\n", 1)[1] if told else text)
    mark = told or _delimiter(text)
    try:  # strict refuses a quote that is never closed, which would swallow the rest of the table
        lines = list(cut(text, mark, strict=True))
    except csv.Error as error:
        lines = list(cut(text, mark, quoting=csv.QUOTE_NONE)) if mark == "\t" else []
        if len({len(cells) for _, cells in lines}) != 1:  # else quotes are no more than marks
            (problem, line), remedy = error.args, "write a quote inside a quoted cell twice"
            where = f"{file}, line {line}"
            if text.lstrip().startswith("{"):  # JSON lines, as Hugging Face has them
                remedy = f"pandas.read_json({file.name!r}, lines=True).to_csv('labels.csv', index=False) makes one"
            raise StriateError("the table must be proper CSV", received=problem, where=where, remedy=remedy) from None
    if not lines:
        raise StriateError("the table must have lines", received="an empty table", where=file, remedy=_REMEDY)
    names, width = words_in(asked.columns), len(lines[0][1])
    if asked.columns is not None and len(names) != width:
        received = f"{len(names)} names for {width} columns"
        raise StriateError("--columns names every column of the table", received=received, where=file)
    return Table(file=file, lines=lines, asked=asked, names=names or None)


def words_in(asked: str | None) -> list[str]:
    """What an option gives with commas between; nothing where it is not given."""
    return [word.strip() for word in asked.split(",")] if asked else []


def cut(text: str, delimiter: str, **how: object) -> Iterator[Line]:
    """The lines that are not empty; how: as of csv, whose Error says what is wrong and in which line."""
    lines = io.StringIO(text, newline="")
    if delimiter == " ":  # of which several are one, and those behind the last cell none
        lines = (line.replace("\t", " ").rstrip(" \r\n") + "\n" for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, **how)
    try:
        for cells in reader:
            if any(cells := [cell.strip() for cell in cells]):
                yield reader.line_num, cells
    except csv.Error as error:
        raise csv.Error(error, reader.line_num) from None


def without_comments(text: str) -> str:
    """`text` with empty lines in place of the comments (#) before its first other line; but "#filename,label", which is
    how some tools write the line of names, is such a line."""
    comments, following = _COMMENTS.match(text).groups()
    if not following.strip() or following.lstrip().startswith("#"):  # nothing else is there
        return text
    blank, last = re.sub(r"[^\r\n]", "", comments), comments.strip().rpartition("\n")[2].rpartition("\r")[2]
    if names := _names_in(last, following):
        blank = re.sub(r"(\r\n?|\n)\Z", "", blank) + names + "\n"
    return blank + text[len(comments) :]


def _names_in(comment: str, following: str) -> str:
    """A comment as a line of names, where it is one: as many cells as the next line has, with known titles or of a
    word each."""
    names = comment.lstrip("# \t")
    for mark in (*_DELIMITERS, " "):
        words, cells = (next(cut(line.casefold(), mark), (1, []))[1] for line in (names, following))
        if len(words) == len(cells) > 1 and words != cells and not _TITLES & set(cells):
            if _TITLES & set(words):
                return names
            if mark != " " and not any(" " in word for word in words):
                return comment
    return ""


def read_layout(table: Table, find_path: FindPath, is_path: Callable[[str], bool]) -> Layout:
    """Which column is what.

    find_path(first, others): the column that names the pictures, by the first line and the others. is_path:
    whether a cell names one. A group that was asked for and is no column is left to others. Raises StriateError when
    there is no column of paths, or no telling which is the label."""
    named, asked = table.named(), table.asked
    first = named.names
    path = find_path(first, named.rows or [first])
    if path is None:
        raise _no_columns(named)
    words = {word.casefold() for word in (*words_in(asked.label_column), asked.group) if word and not word.isdecimal()}
    known = any(cell.casefold() in words | _TITLES for cell in first)
    if table.names is None and (is_path(first[path]) or not (known or _unlike(named, path))):
        columns = table.asked_columns() or _beside(named, path)
        names = [f"column {number}" for number in columns]
        return Layout(table=table, path=path, meaning=table.meaning(columns, names))
    return named_layout(named, path)


def named_layout(table: Table, path: int) -> Layout:
    """Which column is what in a table with names; path: the column of what is learned from."""
    labels, part, group, taken = table.titled()
    group = None if group == path and not table.asked.group else group
    labels = labels or _label_columns(table, {path, *taken})
    _require_one(table, labels)
    meaning = table.meaning(labels, [table.names[number] for number in labels])
    perhaps = _perhaps(table, {path, *labels}) if group is None else None
    return Layout(table=table, path=path, meaning=meaning, part=part, group=group, perhaps=perhaps)


def _delimiter(text: str) -> str:
    """The separator that cuts most lines into the same number of cells; of equals the one that cuts into more. Where
    none does, a blank, if it cuts all of them alike: other lines are words."""
    start = "".join(text.lstrip("\r\n").splitlines(keepends=True)[:_LOOKED_AT])

    def alike(mark: str) -> tuple[float, int]:
        widths = Counter(len(cells) for _, cells in cut(start, mark))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        return (count / widths.total(), width) if width > 1 else (0.0, 0)

    best = max(_DELIMITERS, key=alike)
    return best if any(alike(best)) else " " if alike(" ")[0] == 1 else ","


def find_column(header: Sequence[str], words: Sequence[str]) -> int | None:
    """The number of the column that has one of these names, the earlier the better; None if none has. Capitals do not
    matter, and where no other name is the same, neither do blanks and signs: "Patient ID" is patient_id."""
    for form in (lambda word: word.strip().casefold(), _bare):
        names, asked = [form(name) for name in header], [form(word) for word in words]
        if (found := next((names.index(word) for word in asked if word and word in names), None)) is not None:
            return found
    return None


def time_columns(names: Sequence[str]) -> tuple[int | None, int | None]:
    """The columns that say of which series and of what time a line is."""
    return find_column(names, SERIES), find_column(names, TIMES)


def _bare(title: str) -> str:
    return re.sub(r"[\W_]", "", title.casefold())


def _perhaps(table: Table, taken: set[int]) -> tuple[str, int] | None:
    """The first other column whose name says what belongs together and that has values again; how many it has."""
    for number, title in enumerate(table.names):
        if number not in taken and _KEPT.fullmatch(_bare(title)):
            values = list(filter(None, (group_at(cells, number) for cells in table.rows)))
            if 1 < len(set(values)) < len(values):
                return title, len(set(values))
    return None


def _unlike(table: Table, path: int) -> bool:
    """Whether the line taken for names is unlike the others, so that it must be one: no number in its path, no word
    that comes again below it in any column."""
    again = (name and name in table.column(number) for number, name in enumerate(table.names))
    return bool(table.lines) and not re.search(r"\d", table.names[path]) and not any(again)


def _beside(table: Table, path: int) -> tuple[int, ...]:
    """Without names the label follows the paths; in a table whose last column holds these it stands before them."""
    label = min((n for n, cell in enumerate(table.names) if n > path and not is_picture_name(cell)), default=path - 1)
    if label < 0:
        raise _no_columns(table)
    return (label,)


def _label_columns(table: Table, taken: set[int | None]) -> tuple[int, ...]:
    """The one column that is left, or the columns of classes or labels that every line marks with 0 and 1."""
    rest = [n for n, name in enumerate(table.names) if n not in taken and not _KEPT.fullmatch(_bare(name))]
    rest = [n for n in rest if not re.fullmatch(r"(unnamed: \d+)?", table.names[n].lower())]
    if len(rest) == 1 or (rest and are_marks([[cell_at(cells, n) for n in rest] for cells in table.rows])):
        return tuple(rest)
    if not rest:
        raise _no_columns(table, "a table needs a column label")
    raise table.in_doubt(sorted(rest, key=lambda n: is_picture_name(table.column(n)[-1])))


def _require_one(table: Table, columns: Sequence[int]) -> None:
    """Refuse a title that several columns have which say different things, unless their numbers were asked for."""
    titles = [name.casefold() for name in table.names]
    for column in columns:
        same = [n for n, title in enumerate(titles) if title == titles[column]]
        said = {tuple(table.column(n)) for n in same} if len(same) > 1 else ()
        if len(said) > 1 and str(column) not in words_in(table.asked.label_column):
            received = f"{table.names[column]!r} as the title of the columns {first_few(same)}"
            remedy = f"give the number of one: --label-column {column}"
            raise StriateError(_DOUBT, received=received, where=table.file, remedy=remedy)


def _no_columns(table: Table, rule: str = "a table needs a column path and a column label") -> StriateError:
    remedy = f"{_REMEDY}; {with_folder(table.file)}; a column of texts is named by --text"
    series, times = time_columns(table.names)
    if times is not None and series is None:
        rule = "a table with a line for every time needs a column series beside time, and each series several lines"
        remedy = f"call the column series that says of which series a line is; for pictures, {remedy}"
    return StriateError(rule, received=f"the columns {first_few(table.names)}", where=table.file, remedy=remedy)


def with_folder(file: Path) -> str:
    """The remedy for names that are no paths as they are written."""
    return f"names without folders or endings are found in FOLDER --labels {file.name}"


def cell_at(cells: Sequence[str], number: int | None) -> str:
    """The cell of a column; "" where a line has none."""
    return cells[number] if number is not None and number < len(cells) else ""


def group_at(cells: Sequence[str], number: int | None) -> str | None:
    """The group in a column; None where the cell says that there is none: such lines do not belong together."""
    return None if (group := cell_at(cells, number)).lower() in NOTHING else group
