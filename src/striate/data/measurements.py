"""Tables of numbers, a series in every line: the text files of the UCR archive, and CSV or TSV with column names; these
may have a line for every time instead, with a channel in each column."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from striate.data.columns import COLUMNS, Table, cell_at, cut, find_column, group_at, time_columns, without_comments
from striate.data.folder import is_picture_name, part_named
from striate.data.sample import Asked
from striate.data.targets import MISSING, NOTHING
from striate.data.targets import number as number_in
from striate.errors import StriateError

FEWEST = 8  # numbers in a line, below which a table is none of series
WORDS = 4  # other columns in a line, above which it is none
SLIPS = 0.1  # of the cells of a column of numbers may be words: their lines are left out
LEAST = 3  # values of a series
_LOOKED_AT = 20  # lines
_PRINTED = re.compile(r"[+-]?\d\.\d+e[+-]\d+", re.IGNORECASE)  # as some files of the UCR archive have their classes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One series as a file has it.

    values: (L, C) float64, NaN where one is missing. labels: the cells of the label, "" where one is empty, by the
    names of their columns. problem: why the line cannot be used, "" if it can. read: as of Found. again: whether it is
    made of several lines with one time.
    """

    line: int
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    labels: dict[str, str] = field(default_factory=dict)
    group: str | None = None
    part: str | None = None
    problem: str = ""
    read: dict | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Columns:
    """Numbers of columns; None where there is no such column. labels: by name; -1 is the last column. values: None for
    all that are left."""

    labels: dict[str, int]
    group: int | None = None
    part: int | None = None
    values: tuple[int, ...] | None = None


def is_measurements(start: str, sure: bool = False) -> bool:
    """Whether a file that begins with `start` has a series in every line: many numbers, few words, no pictures; or
    columns that say of which series and time a line is. sure: series were asked for, so that one line of few numbers
    is enough."""
    lines = without_comments(start).lstrip("\r\n").splitlines()
    lines = lines[:-1] if len(lines) > 2 else lines  # the last may be cut
    rows = [cells for _, cells in _cells("\n".join(lines[: _LOOKED_AT + 1]))]
    least = LEAST if sure else FEWEST
    many = [sum(map(is_number, cells)) >= max(least, len(cells) - WORDS) for cells in rows]
    many = many[1:] or many[:sure]
    paths = any(is_picture_name(cell) for cells in rows[:2] for cell in cells)
    is_long = bool(rows) and None not in time_columns(rows[0]) and find_column(rows[0], COLUMNS["path"]) is None
    return bool(many) and not paths and (is_long or sum(many) >= 0.9 * len(many))


def rows_of_table(file: Path, text: str, asked: Asked) -> Iterator[Series]:
    """The series of a table. Without a line of names the label is the first column, or the last where only that one
    holds whole numbers or words, as in the UCR archive (Dau et al. 2019). A line that counts the columns has no names,
    and a column that counts the lines is no part of the series."""
    lines = list(_cells(without_comments(text)))
    if not lines:
        raise StriateError("a table of series must have lines", received="an empty table", where=file)
    table = Table(file=file, lines=lines, asked=asked)
    named = table.named()
    counted = _are_counted(named)
    if sum(not is_number(name) for name in named.names) > (0 if counted else table.width / 2):
        yield from _of_named(named)
    else:
        yield from _of_plain(named if counted else table)


def _of_named(table: Table) -> Iterable[Series]:
    """The series below a line of names."""
    places, read = time_columns(table.names), table.asked.read
    series, times = map(table.column, places)
    is_long = None not in places and LEAST * len(set(series)) <= len(series)
    columns = _named_columns(table, set(places) if is_long else set())
    apart, length = [name for n, name in enumerate(table.names) if n not in columns.values], len(columns.values)
    if read and read["length"] not in (None, length):
        rule = "a table has as many columns of values as the one that the model learned from"
        raise StriateError(rule, received=f"{length} where those were {read['length']}", where=table.file)
    read = {"labels": list(columns.labels), "apart": apart, "length": length}
    made = [_row(line, cells, columns, read) for line, cells in table.lines]
    return _joined(table.file, series, times, made) if is_long else made


def _of_plain(table: Table) -> Iterator[Series]:
    """The series of a table whose columns have no names, or numbers for names, where a line counts them."""
    rows, asked, numbers = table.rows, table.asked.read, table.asked_columns()
    is_blank = table.names is not None and not table.names[0]
    is_index = 0 not in numbers and (is_blank or _is_index(rows, numbers, asked))
    rows = [cells[is_index:] or [""] for cells in rows]
    columns = _Columns({f"column {number}": number - is_index for number in numbers})
    if not numbers:
        columns = _known_columns(table.width - is_index, asked) or _plain_columns(rows, is_index)
    labels, widths = list(columns.labels.values()), set(map(len, rows))
    length = widths.pop() - len(labels) if len(widths) == 1 else None
    read = {"labels": labels, "apart": labels, "length": length} | ({"index": True} if is_index else {})
    yield from (_row(line, cells, columns, read) for (line, _), cells in zip(table.lines, rows, strict=True))


def _are_counted(table: Table) -> bool:
    """Whether the names count the columns but for a word or two, as pandas does where they have none."""
    first, rows = table.names, table.rows[:1000]
    words = [n for n, cell in enumerate(first) if not cell or not is_number(cell)]
    whole = [cell for n, cell in enumerate(first) if n not in words]
    if not (rows and len(words) <= 2 and len(whole) >= LEAST and whole[0] in ("0", "1") and _count(whole)):
        return False
    return not any(_count(cells[-len(whole) :]) or any(cell_at(cells, n) == first[n] for n in words) for cells in rows)


def _count(cells: Sequence[str]) -> bool:
    """Whether each is a whole number and one more than that before."""
    return cells[0].isdecimal() and list(cells) == [str(int(cells[0]) + n) for n in range(len(cells))]


def _is_index(rows: Sequence[Sequence[str]], numbers: Sequence[int], read: Mapping | None) -> bool:
    """Whether the first column counts the lines, and what a model or a person says is the label or the next or last
    column, which holds classes."""
    if len(rows) < LEAST or not _count([cells[0] for cells in rows]):
        return False
    if read and read["length"]:
        return len(rows[0]) - read["length"] > (0 in read["labels"])
    others = ([cells[min(n, len(cells) - 1)] for cells in rows] for n in (1, -1))
    return bool(numbers) or any(1 < _kinds(cells) <= len(rows) / 2 for cells in others)


def _kinds(cells: Sequence[str]) -> int:
    """How many classes these cells name; 0 where one is a decimal."""
    numbers = (float(cell) for cell in cells if is_number(cell) and cell.lower() not in MISSING)
    return len(set(cells)) if all(map(float.is_integer, numbers)) else 0


def _joined(file: Path, series: Sequence[str], times: Sequence[str], rows: list[Series]) -> Iterator[Series]:
    """The series of which every line has the values of one time, in the order of their times."""
    moments = _moments(file, times, [row.line for row in rows])
    lines: dict[str, list[int]] = {name: [] for name in series}
    for place, name in enumerate(series):
        lines[name].append(place)
    for places in lines.values():
        several = [rows[place] for place in places]
        first = several[0]
        other = next((row.line for row in several if (row.labels, row.part) != (first.labels, first.part)), 0)
        problem = f"line {other} of this series has another label" if other else ""
        problem = next((f"line {row.line}: {row.problem}" for row in several if row.problem), problem)
        untimed = (f"line {rows[n].line}: {times[n]!r} is no time" for n in places if moments[n] is None)
        problem = problem or next(untimed, "")
        ordered = [] if problem else sorted(places, key=moments.__getitem__)
        values = np.concatenate([rows[n].values.T for n in ordered]) if ordered else first.values
        yield replace(first, values=values, problem=problem, again=len({moments[n] for n in ordered}) < len(ordered))


def _moments(file: Path, times: Sequence[str], lines: Sequence[int]) -> list[float | datetime | None]:
    """What is written in a column of times, all by the one way in which most are; None for a cell that is not."""
    said, best = sum(time.lower() not in MISSING for time in times), [None] * len(times)
    for read in (number_in, _date, _clock):
        best = min(best, [read(time) for time in times], key=lambda moments: moments.count(None))
        if len(times) - best.count(None) > (1 - SLIPS) * said:
            return best
    odd = next((n for n, moment in enumerate(best) if moment is None and times[n].lower() not in MISSING), 0)
    rule, remedy = "times are numbers, or dates or times of day as ISO 8601 writes them", "as in 0.5, 2026-01-31 09:30"
    where = f"{file}, line {lines[odd]}"
    raise StriateError(rule, received=repr(times[odd]), where=where, remedy=f"{remedy} or 09:30:00")


def _date(cell: str) -> datetime | None:
    for form in (cell, f"{cell}-01"):  # also of a month
        try:
            moment = datetime.fromisoformat(form)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _clock(cell: str) -> datetime | None:
    """A time of day."""
    return _date(f"1970-01-01T{cell}") if ":" in cell else None


def word_of(text: str) -> str:
    """A label as it is written, without quotes; a missing one is "", and a whole number like 1.0000000e+00 is 1."""
    text = unicodedata.normalize("NFC", text.strip().strip("'\""))
    if _PRINTED.fullmatch(text) and float(text).is_integer():
        return str(int(float(text)))
    return "" if text.lower() in NOTHING else text


def is_number(cell: str) -> bool:
    """Whether a cell is a number or says that one is missing; 1_000, which Python takes, is a word."""
    try:
        float(cell)
    except ValueError:
        return cell.lower() in MISSING
    return "_" not in cell


def numbers_of(cells: Sequence[str]) -> np.ndarray:
    """(n,) float64, NaN for what is missing; ValueError names a cell that is no number."""
    try:
        return np.array(["_" if "_" in cell else cell for cell in cells], np.float64)
    except ValueError:
        wrong = next((cell for cell in cells if not is_number(cell)), None)
        if wrong is not None:
            raise ValueError(f"{wrong[:40]!r} is no number") from None
        return np.array([np.nan if cell.lower() in MISSING else float(cell) for cell in cells], np.float64)


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    """The number of every line that is not empty, and its cells: between tabs, semicolons, commas or blanks, whichever
    leaves most numbers."""
    some = "\n".join([line for line in text[:100_000].splitlines() if line.strip()][:_LOOKED_AT])
    numbers = {mark: sum(is_number(c) for _, cells in _cut(some, mark) for c in cells if c) for mark in "\t;, "}
    return _cut(text, max(numbers, key=numbers.__getitem__))


def _cut(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, cells in cut(text, delimiter):
        yield number, cells if delimiter == "," else [_with_point(cell) for cell in cells]


def _with_point(cell: str) -> str:
    """A number with a decimal comma as one with a point; words stay as they are."""
    return point if "," in cell and is_number(point := cell.replace(",", ".")) else cell


def _known_columns(width: int, read: Mapping | None) -> _Columns | None:
    """The columns of a table without names, where its width says whether the label is there that a model learned."""
    if read and width == read["length"]:
        return _Columns({})
    labels = read["labels"] if read else ()
    is_labelled = labels and width - len(labels) == read["length"] and all(isinstance(n, int) for n in labels)
    return _Columns({f"column {number}": number for number in labels}) if is_labelled else None


def _plain_columns(rows: Sequence[Sequence[str]], index: bool) -> _Columns:
    """The label in the first or the last column, whichever holds classes where all others hold numbers.

    index: a column that counts lines has been cut off, so that the first one left is less surely the label.
    """
    fit = {}
    for label, rest in ((0, slice(1, None)), (-1, slice(None, -1))):
        kinds = _kinds([cells[label] for cells in rows])
        plain = [all(map(is_number, cells[rest])) for cells in rows[:_LOOKED_AT]]  # of a slip, one line is left out
        if kinds and 2 * sum(plain) > len(plain):
            fit[label] = kinds
    few = [label for label, kinds in fit.items() if 1 < kinds <= len(rows) / 2]
    labels = few if few == [-1] and (index or fit.get(0) == 1) else list(fit)
    return _Columns({"label": labels[0]} if labels else {})


def _named_columns(table: Table, taken: set[int]) -> _Columns:
    """Which columns hold the label, the group, the part and the values. taken: those known to be something else."""
    names, rows, asked = table.names, table.rows[:1000], table.asked
    slips = {n: _words_among(rows, n) for n in range(len(names))}
    numeric = {n for n, share in slips.items() if share <= SLIPS}
    labels, part, group, own = table.titled()
    read = asked.read or {"labels": (), "apart": ()}
    learned = tuple(n for n, name in enumerate(names) if name in read["labels"])
    if learned and not asked.label_column:
        labels, own = learned, own.difference(labels).union(learned)
    taken = {*taken, *own, *(n for n, name in enumerate(names) if name in read["apart"])}
    words = [n for n in slips if n not in numeric and n not in taken]
    if not (labels or asked.read):
        words = words or [n for n, share in slips.items() if share and n not in taken]
        if len(words) > 1:
            raise table.in_doubt(words)
    labels = labels or tuple(words)
    taken |= {*labels, *(n for n, name in enumerate(names) if name.casefold() in ("id", "index", "", "unnamed: 0"))}
    return _Columns({names[n]: n for n in labels}, group, part, tuple(sorted(numeric - taken)))


def _words_among(rows: Sequence[Sequence[str]], column: int) -> float:
    """The share of a column's cells that are words, of those that are not missing."""
    cells = [row[column] for row in rows if column < len(row) and row[column].lower() not in MISSING]
    return sum(not is_number(cell) for cell in cells) / max(len(cells), 1)


def _row(line: int, cells: list[str], columns: _Columns, read: dict) -> Series:
    labels = {name: number % len(cells) if number < 0 else number for name, number in columns.labels.items()}
    chosen = [n for n in range(len(cells)) if n not in labels.values()]
    chosen = chosen if columns.values is None else [n for n in columns.values if n < len(cells)]
    part, problem = part_named(cell_at(cells, columns.part))
    words, group = {name: word_of(cell_at(cells, n)) for name, n in labels.items()}, group_at(cells, columns.group)
    row = Series(line=line, labels=words, group=group, part=part, problem=problem, read=read)
    try:
        return replace(row, values=numbers_of([cells[n] for n in chosen])[:, None])
    except ValueError as error:
        return replace(row, problem=problem or str(error))
