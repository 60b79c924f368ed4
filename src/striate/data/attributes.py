"""Series in files whose head names what follows: Weka's ARFF, and .ts of the UEA archive (Bagnall et al. 2018)."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate.data.measurements import Series, numbers_of, word_of
from striate.data.sample import Asked
from striate.errors import StriateError

_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.+)", re.IGNORECASE)
_LABELS = ("class", "target", "label", "classes")
_COLON = re.compile(r":(?![^()]*\))")  # none of the time of day in a pair
_PAIR = re.compile(r"\(([^()]*)\)")


def rows_of_arff(file: Path, text: str, asked: Asked) -> Iterator[Series]:
    """Series of an ARFF file: a number per attribute, or one relational attribute with a line per channel."""
    attributes, relational, inside, label = [], False, False, None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        word = line.split(None, 1)[0].lower()
        if label is not None:
            yield _of_channels(number, line) if relational else _of_numbers(number, line, attributes, label)
        elif word == "@end":
            inside = False
        elif word == "@data":
            label = _label(file, attributes, relational, asked.read)
        elif (match := _ATTRIBUTE.match(line)) and not inside:
            inside = match[2].strip().lower() == "relational"
            relational |= inside
            attributes.append((match[1].strip("'\""), match[2].strip()))


def _label(file: Path, attributes: list[tuple[str, str]], relational: bool, read: Mapping | None) -> int:
    """The number of the last attribute of classes, or of one called class or target; else, as is the custom, of the
    last attribute, or of none where all are values that a model was trained for (see `Found`)."""
    for number in reversed(range(len(attributes))):
        name, kind = attributes[number]
        if kind.startswith("{") or name.lower() in _LABELS:
            return number
    if attributes and not relational:
        return len(attributes) - (not read or read["length"] != len(attributes))
    rule = "an ARFF file of series has an attribute of classes, as in @attribute target {1,2}"
    raise StriateError(rule, received=f"..., {', '.join(name for name, _ in attributes[-3:])}", where=file)


def _of_channels(line: int, text: str) -> Series:
    r"""'1,2,3\n4,5,6',walking : the channels apart by \n, then the class."""
    quoted = re.match(r"(['\"])(.*)\1\s*,(.*)", text)
    if quoted is None:
        return Series(line=line, problem="it is not written as 'numbers', class")
    parts = quoted[2].replace("\\r", "").split("\\n")
    return _stacked(line, [part.split(",") for part in parts if part.strip()], quoted[3])


def _of_numbers(line: int, text: str, attributes: list[tuple[str, str]], label: int) -> Series:
    if text.startswith("{"):
        return Series(line=line, problem="sparse ARFF is not read")
    quote = '"' if re.search(r'(^|,)\s*"', text) else "'"
    cells = next(csv.reader([text], quotechar=quote, skipinitialspace=True))
    if len(cells) != len(attributes):
        return Series(line=line, problem=f"{len(cells)} values for {len(attributes)} attributes")
    values = [cell.strip() for n, cell in enumerate(cells) if n != label]
    names = [name for name, _ in attributes[label : label + 1]]
    row = _stacked(line, [values], "".join(cells[label : label + 1]), *names)
    return replace(row, read={"labels": names, "apart": names, "length": len(values)})


def rows_of_ts(file: Path, text: str, asked: Asked) -> Iterator[Series]:
    """Series of a .ts file: channels apart by colons, the class behind the last; of pairs (time, value) the values."""
    head, data = {}, False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if not data:
            name, _, rest = line.partition(" ")
            head[name.lower()] = rest.strip().lower()
            data = name.lower() == "@data"
            if data and not head.get("@classlabel", "true").startswith("true"):
                raise StriateError("a .ts file to learn from has classes", received="@classLabel false", where=file)
            continue
        *parts, label = _COLON.split(line) if "(" in line else line.split(":")
        if not parts or ("," in label and label.strip().lower() not in head.get("@classlabel", "").split()):
            yield Series(line=number, problem="no class behind the last colon")
            continue
        pairs = [[pair.rpartition(",")[2] for pair in _PAIR.findall(part)] for part in parts]
        yield _stacked(number, [pair or part.split(",") for pair, part in zip(pairs, parts, strict=True)], label)


def _stacked(line: int, channels: list[list[str]], label: str, name: str = "label") -> Series:
    """Channels of numbers side by side; one that ends before the others lacks its last values."""
    try:
        made = [numbers_of([cell.strip() for cell in cells]) for cells in channels]
    except ValueError as error:
        return Series(line=line, problem=str(error))
    values = np.full((max(map(len, made), default=0), len(made)), np.nan)
    for number, channel in enumerate(made):
        values[: len(channel), number] = channel
    return Series(line=line, values=values, labels={name: word_of(label)})
