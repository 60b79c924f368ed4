"""What the cells of a table say of a picture: one class, several labels or numbers; which of them is found out."""

import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from striate.data.sample import UNKNOWN, Sample, Target, class_order
from striate.errors import StriateError, first_few

_BLANK = ("", "nan")
_ERRORS = ("#nv", "#div/0!", "#value!", "#wert!", "#ref!", "#bezug!", "#name?", "#num!", "#zahl!", "#null!")  # Excel's
NOTHING = (*_BLANK, "na", "n/a", "n.a.", "<na>", "#n/a", "null", "?", *_ERRORS)  # "none" and "unknown" may be classes
MISSING = frozenset((*NOTHING, "none", "-"))  # where a number should be
CLASS, LABELS, NUMBERS = "classification", "multilabel", "regression"
MEASURES = {"age", "angle", "count", "counts", "steering", "speed", "height", "weight", "length", "temperature"}
_WHOLE = re.compile(r"([+-]?\d{1,18})(?:[.,]0*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+(\.\d{3})*,(\d{1,2}|\d{4,})")  # a decimal one for certain
_POINT = re.compile(r"[+-]?\d+\.\d{1,2}")  # as well
_SPACED = re.compile(r"[+-]?[1-9]\d{0,2}([ \u00a0\u202f'\u2019]\d{3})+([.,]\d+)?")  # 1 234,5 and 1'234.5
_WORDS = dict.fromkeys(("true", "t", "yes", "y", "x"), "1") | dict.fromkeys(("false", "f", "no", "n"), "0")
_MARKS = frozenset(("1", "0", "-1", *NOTHING))
_SEPARATORS = ("|", ";", ",")
_LOOKED_AT = 1000  # lines in which decimal commas are looked for
_MOSTLY = 0.9  # of the lines; the others are left out
_FEW_FRACTIONS, _FEW_WHOLE, _FEW_TITLED, _SINGLE = 10, 20, 5, 0.1  # distinct values that are classes; share met once

Cells = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """How the cells of a line become the target of its picture.

    kind: "word" (the class), "marked" (a column per class, one has a 1), "marks" (a column per label), "list" (labels
    in one cell) or "numbers". columns: where they stand; names: what these are called. whole: words are whole numbers,
    some written as decimals. separator: of a list; "[" for JSON. commas: what commas are in each column of numbers, as
    in `number`. blank: of each column, whether a blank mark says no; minus: whether -1 does. notes: guesses, in words.
    """

    task: str
    kind: str
    columns: tuple[int, ...]
    names: tuple[str, ...]
    whole: bool = False
    separator: str = ""
    commas: tuple[str, ...] = ()
    blank: tuple[bool, ...] = ()
    minus: bool = False
    notes: tuple[str, ...] = ()

    @property
    def about(self) -> dict[str, object]:
        """What it says of all samples, as fields of Found."""
        names = self.names if self.kind in ("numbers", "marks") else ()
        return {"task": self.task, "names": names, "notes": self.notes}

    def target(self, line: Cells) -> tuple[Target, str]:
        """The target of a line, and what is wrong with it ("" when nothing is)."""
        cells = [line[column] if column < len(line) else "" for column in self.columns]
        readers = {"word": self._word, "marked": self._marked, "marks": self._marks, "list": self._list}
        return readers.get(self.kind, self._numbers)(cells)

    def joined(self, first: Target, second: Target) -> Target | None:
        """The target of a picture with two lines; None where they contradict each other."""
        if first == second:
            return first
        return tuple(class_order({*first, *second})) if self.kind == "list" else None

    def _word(self, cells: Cells) -> tuple[Target, str]:
        word = unicodedata.normalize("NFC", cells[0])
        if word.lower() in NOTHING:
            return "", _no_label(word)
        match = _WHOLE.fullmatch(word) if self.whole else None
        return (str(int(match[1])) if match else word), ""

    def _marked(self, cells: Cells) -> tuple[Target, str]:
        names = [name for name, cell in zip(self.names, cells, strict=True) if _mark(cell) == "1"]
        if len(names) > 1:
            return "", f"marked as {' and '.join(names)}"
        return (names[0], "") if names else ("", "no label")

    def _marks(self, cells: Cells) -> tuple[Target, str]:
        told, words = [], list(map(_mark, cells))
        for name, cell, word, blank in zip(self.names, cells, words, self.blank, strict=True):
            if word not in _MARKS:
                return "", f"{cell!r} in {name} is neither yes nor no"
            is_no = word == "0" or (word in _BLANK and blank) or (word == "-1" and self.minus)
            told += [] if is_no else [name if word == "1" else UNKNOWN + name]
        if told and not {"0", "1"} & set(words):
            return "", f"no value of {first_few(self.names)}"
        return tuple(class_order(told)), ""

    def _list(self, cells: Cells) -> tuple[Target, str]:
        if cells[0] and cells[0].lower() in NOTHING:
            return "", _no_label(cells[0])
        names = listed(cells[0], self.separator)
        return (tuple(class_order(names)), "") if names is not None else ("", f"{cells[0]!r} is no list of labels")

    def _numbers(self, cells: Cells) -> tuple[Target, str]:
        values = []
        for name, cell, comma in zip(self.names, cells, self.commas, strict=True):
            value = number(cell, comma)
            if value is None:
                said = f"no number in {name}" if cell.lower() in MISSING else f"{cell!r} in {name} is no number"
                return "", said if not cell.lower().lstrip("+-").startswith("inf") else f"{name} is infinite"
            values.append(value)
        return tuple(values), ""


def meaning_of(
    lines: Sequence[Cells],
    columns: Sequence[int],
    names: Sequence[str],
    asked: str | None,
    typed: bool = False,
    numbers: Sequence[int] = (),
) -> Meaning:
    """What these columns of all lines mean; asked: the task, where a person said it; typed: cells come of an array,
    whose numbers have decimal points; numbers: of the lines in their file.

    Several columns are classes where most lines mark just one with a 1, labels where they mark any, else numbers. One
    column holds numbers where most cells are such, and more than 10 distinct with decimals, more than 20 whole ones of
    which a tenth is met only once, or more than 5 called an age, a count or the like; lists where cells are cut into
    labels met in other cells too; else the class. Raises StriateError where the task that was asked for cannot be.
    """
    columns, names = tuple(columns), tuple(unicodedata.normalize("NFC", name) for name in names)
    several = [[line[c].strip() if c < len(line) else "" for c in columns] for line in lines]
    beside = [cell for line in lines[:_LOOKED_AT] for cell in line if "," in cell or "." in cell]
    marks = (mark for mark, form in ((",", _COMMA), (".", _POINT)) if any(map(form.fullmatch, beside)))
    decimal = None if typed else next(marks, "")
    if len(columns) > 1:
        made = _of_many(several, asked, decimal)
    else:
        made = _of_one([cells[0] for cells in several], names[0], asked, decimal)
    if made is None:
        rule = f"the columns of labels fit {f'the task {asked}' if asked else 'one task'}"
        remedy = "numbers for regression; 0 and 1 for multilabel; one column of words for classification"
        place, received = _misfit(several, names, asked)
        where = f"--label-column {','.join(names)}, line {numbers[place] if numbers else place + 1}"
        raise StriateError(rule, received=received, where=where, remedy=remedy)
    notes = () if typed else map(_guess, names, zip(*several, strict=True), made.get("commas", ()))
    return Meaning(columns=columns, names=names, notes=tuple(filter(None, notes)), **made)


def meaning_of_rows(lines: Sequence[Cells], task: str | None, names: Sequence[str] = ()) -> Meaning:
    """What rows of K labels mean; without names one is called "value", several "0", "1", ..."""
    width = max(map(len, lines), default=1)
    names = names if len(names) == width else ([str(number) for number in range(width)] if width > 1 else ["value"])
    return meaning_of(lines, range(width), names, task, typed=True)


def number(cell: str, comma: str = ".") -> float | None:
    """The finite number that is written in a cell, or None. comma: what a comma stands for, "." or "" (thousands); ","
    where it is the decimal mark and points stand between thousands."""
    text = cell.replace("\u2212", "-")
    if _SPACED.fullmatch(text):
        text = re.sub(r"[^\d.,+-]", "", text)
    if comma == ",":
        text = text.replace(".", "").replace(",", ".")
    elif "," in text:
        if "." in text and text.rindex(",") > text.rindex("."):  # 1.234,5
            text = text.replace(".", "")
        text = text.replace(",", comma)
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def listed(cell: str, separator: str) -> list[str] | None:
    """The labels in a cell, cut at `separator` ("[": a JSON or Python list); None for a broken list."""
    text = unicodedata.normalize("NFC", cell).strip()
    if separator != "[" or not text:
        return [part.strip() for part in text.split(None if separator == " " else separator) if part.strip()]
    try:
        values = json.loads(text if '"' in text else text.replace("'", '"'))
    except ValueError:
        return None
    return [str(value).strip() for value in values if str(value).strip()] if isinstance(values, list) else None


def _no_label(word: str) -> str:
    return "no label" if word.lower() in _BLANK else f"{word!r} is no label"


def are_marks(lines: Sequence[Cells]) -> bool:
    """Whether the cells of most lines say yes or no."""
    return _most(all(_mark(cell) in _MARKS for cell in cells) for cells in lines)


@lru_cache(10_000)
def _mark(cell: str) -> str:
    """1, 0 or -1 as a word where a cell says so by its value, or yes or no by a word; else the cell as it is."""
    word = cell.lower()
    value = None if word in _WORDS else number(word)
    return str(int(value)) if value in (1, 0, -1) else _WORDS.get(word, word)


def _as_labels(marks: Sequence[Cells]) -> dict:
    """Columns of marks as labels. Where no 0 says no, -1 and blanks do; else these say that it is not known, blanks not
    in a column whose only mark is 1."""
    said_no = any("0" in cells for cells in marks)
    blank = tuple(not said_no or not {"0", "-1"} & set(column) for column in zip(*marks, strict=True))
    return {"task": LABELS, "kind": "marks", "blank": blank, "minus": not said_no}


def _misfit(lines: Sequence[Cells], names: Sequence[str], asked: str | None) -> tuple[int, str]:
    """The first line that fits no task, and its cell: one that is neither a number nor a mark, if there is any."""
    each = ((place, name, cell) for place, cells in enumerate(lines) for name, cell in zip(names, cells, strict=True))
    unmarked = [one for one in each if _mark(one[2]) not in _MARKS]
    if not unmarked:  # most lines have no mark or several, where one was asked for
        return 0, f"marks in {', '.join(names)}"
    place, name, cell = min(unmarked, key=lambda one: asked is None and number(one[2]) is not None)
    return place, f"{cell!r} in {name}"


def _of_many(lines: list[list[str]], asked: str | None, decimal: str | None) -> dict | None:
    marks = [[_mark(cell) for cell in cells] for cells in lines if any(cells)] if are_marks(lines) else []
    if asked in (None, CLASS) and _most(cells.count("1") == 1 for cells in marks):
        return {"task": CLASS, "kind": "marked"}
    if asked in (None, LABELS) and marks:
        return _as_labels(marks)
    commas = tuple(_comma(column, decimal) for column in zip(*lines, strict=True))
    measured = (  # lines that lack a number do not count, and are listed later
        all(number(c, comma) is not None for c, comma in zip(cells, commas, strict=True))
        for cells in lines
        if not any(cell.lower() in MISSING for cell in cells)
    )
    if asked == NUMBERS or (asked is None and _most(measured)):
        return {"task": NUMBERS, "kind": "numbers", "commas": commas}
    return None


def _of_one(cells: list[str], name: str, asked: str | None, decimal: str | None) -> dict | None:
    known = [cell for cell in cells if cell.lower() not in NOTHING]
    comma = _comma(known, decimal)
    if asked == NUMBERS or (asked is None and _are_measures(known, name, comma)):
        return {"task": NUMBERS, "kind": "numbers", "commas": (comma,)}
    if asked == LABELS and known and all(_mark(cell) in _MARKS for cell in known):
        return _as_labels([[_mark(cell)] for cell in known])
    separator = _separator(known, asked) if asked in (None, LABELS) else None
    if asked == LABELS or separator is not None:
        return {"task": LABELS, "kind": "list", "separator": separator or "|"}
    whole = all(map(_WHOLE.fullmatch, known)) and not all(cell.lstrip("+-").isdigit() for cell in known)
    return {"task": CLASS, "kind": "word", "whole": whole} if asked in (None, CLASS) else None


def _most(hits: object) -> bool:
    found = list(hits)
    return bool(found) and sum(found) > _MOSTLY * len(found)


def _comma(cells: Sequence[str], decimal: str | None) -> str:
    """What commas are in a column, as in `number`. decimal: the decimal mark of other cells, "" if none tells it; None
    where points are decimal for certain."""
    if decimal is not None and _are_thousands(cells, ".", ",", decimal == ","):
        return ","
    return "" if _are_thousands(cells, ",", ".", decimal == ".") else "."


def _are_thousands(cells: Sequence[str], mark: str, point: str, said: bool) -> bool:
    """Whether `mark` stands between thousands: all have three digits behind, and not all cells are so.

    The other mark must say so (said: it is the decimal one in another column), or a second one in one number; 7 or 900
    beside 1.137 may be a number whose zeros are not written.
    """
    form = re.compile(rf"[+-]?[1-9]\d{{0,2}}(\{mark}\d{{3}})+(\{point}\d+)?")
    held = [cell for cell in cells if mark in cell]
    plain = [cell for cell in cells if mark not in cell and number(cell) is not None]
    said = said or (plain and mark == ",") or any(point in cell for cell in plain)
    sure = said or any(point in cell or cell.count(mark) > 1 for cell in held)
    return bool(held and sure) and all(map(form.fullmatch, held))


def _guess(name: str, cells: Sequence[str], comma: str) -> str:
    """How points or commas before three digits were taken in a column that could mean the other thing too, in words."""
    known = [cell for cell in cells if number(cell, comma) is not None]
    mark = "," if comma != "," and any("," in cell for cell in known) else "."
    digits = "{1,3}" if comma == "." else "+"
    held = [cell for cell in known if mark in cell]
    form = re.compile(rf"[+-]?([1-9]\d{{0,2}}\{mark}\d{{3}}|\d{digits})")
    if not held or (len(held) == len(known) and mark == comma == ".") or not all(map(form.fullmatch, known)):
        return ""
    what = "the decimal mark" if comma == "." else "between thousands"
    return f"{mark!r} in {name} is taken as {what}: {held[0]} is {number(held[0], comma):.15g}."


def _are_measures(cells: Sequence[str], name: str, comma: str) -> bool:
    found = [number(cell, comma) for cell in cells if cell.lower() not in MISSING]
    values = Counter(value for value in found if value is not None)
    if not values or values.total() <= _MOSTLY * len(found):
        return False
    if not all(value.is_integer() for value in values):
        return len(values) > _FEW_FRACTIONS
    single = sum(count == 1 for count in values.values())
    words = {*re.findall(r"[^\W\d_]+", name.casefold())}  # "Age (years)", "cell_count"
    is_titled = words & MEASURES and not words & {"group", "class", "category", "bin", "grade", "stage", "level"}
    return len(values) > (_FEW_TITLED if is_titled else _FEW_WHOLE) and (is_titled or single >= _SINGLE * len(values))


def _separator(cells: Sequence[str], asked: str | None) -> str | None:
    """What cuts cells into labels, or None where they are no lists: labels that come in different company."""
    if cells and _most(cell.startswith("[") and cell.endswith("]") for cell in cells):
        return "["
    different = dict.fromkeys(cells)  # how often one is met does not count from here on
    for separator in _SEPARATORS if asked is None else (*_SEPARATORS, " "):
        company = defaultdict(set)
        cut = [listed(cell, separator) or [] for cell in different]
        for names in cut:
            for label in names:
                company[label].add(tuple(names))
        together = {label for names in cut if len(names) > 1 for label in names}
        known = 2 * sum(len(company[label]) > 1 for label in together) - len(together)
        sure = asked is not None and separator != " "
        if together and (sure or known > 0 or (known == 0 and separator in "|;")):
            return separator
    return None


def number_words(task: str, samples: Sequence[Sample]) -> str:
    """A remark for where whole numbers were read as many classes."""
    named = {sample.target for sample in samples} if task == CLASS else set()
    if len(named) <= _FEW_WHOLE or not all(map(_WHOLE.fullmatch, named)):
        return ""
    return f" (whole numbers as {len(named)} classes; --task regression measures them)"
