"""What the numbers in masks mean: which value stands for which class, decided over all masks together."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import numpy as np

from striate.data.content import text_if_any
from striate.data.labelmap import MOST_CLASSES, UNKNOWN, value_text
from striate.data.sample import BACKGROUND
from striate.data.values import COLOUR, mask_values
from striate.errors import StriateError

TWO = (BACKGROUND, "foreground")
CLASS_FILE = re.compile(
    r"_?(class(es)?([_-]?(names|dict))?|labels?([_-]?(colors|names|map))?|codes|names)\.(txt|csv)", re.IGNORECASE
)
MOST_SEEN = 4096  # different values of one mask that are kept
MOST_COLOURS = 64  # of classes
_SOFT = 0.95  # of the pixels of a two-valued mask whose edges are blurred are one of the two
_LEAST_SOFT, _LEAST_NUMBERS, _FEW_NUMBERS, _LEAST_AREA, _MUCH, _WIDE = 16, 8, 3, 4, 4, 65535
_SAY = "if every value is one object, write the line objects into classes.txt"
_NEARLY = 0.9
_STRAY = 1000  # so many times the pixels of small numbers are not "not known": the small ones are slips of a pen
_COLOURED = re.compile(r"(\d{1,3})[ ,\t]+(\d{1,3})[ ,\t]+(\d{1,3})[ ,\t]+(.+)")
_NAMED_COLOUR = re.compile(r"([^#:,][^:,]*?)[:, \t][ \t]*(\d{1,3})[ ,\t]+(\d{1,3})[ ,\t]+(\d{1,3})(?:[:,].*)?[ \t]*")
_REMARK = "#"
_QUOTED = re.compile(r"^(_+|\"|')(.+)\1$")  # as labelme's _background_
_NUMBERED = re.compile(r"(\d{1,5})[ :,;\t]+(.+)")
_HEADER = re.compile(  # the second as Roboflow writes it
    r"\W*(names?|class(es)?|labels?)\W+r\w*\W+g\w*\W+b\w*\W*|pixel value\W+class", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What one mask holds: its different values in rising order (not all of many), of how many pixels each is the
    value, and of how many with a lower and a higher one beside them, as on a slope; whether each is one area."""

    values: np.ndarray
    counts: np.ndarray
    slopes: np.ndarray
    single: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Seen":
        known = np.arange(MOST_SEEN)
        if values.max() >= MOST_SEEN:
            known, places = np.unique(values, return_inverse=True)
            values = places.reshape(values.shape)
        counts = np.bincount(values.ravel())
        kinds = np.flatnonzero(counts)[:MOST_SEEN]
        between = values[1:-1, 1:-1][_on_slopes(values)] if len(kinds) > 2 else kinds[:0]
        slopes, single = np.bincount(between, minlength=len(counts)), (_areas(values) == 1) & (counts >= _LEAST_AREA)
        return cls(values=known[kinds], counts=counts[kinds], slopes=slopes[kinds], single=single[kinds])


def _on_slopes(values: np.ndarray) -> np.ndarray:
    """Which of the inner pixels of (H, W) have a lower and a higher value above, below, left or right."""
    inner, beside = values[1:-1, 1:-1], [values[:-2, 1:-1], values[2:, 1:-1], values[1:-1, :-2], values[1:-1, 2:]]
    return (reduce(np.minimum, beside) < inner) & (inner < reduce(np.maximum, beside))


def _areas(values: np.ndarray) -> np.ndarray:
    """How many areas each value has, less the holes in them: Euler's pixels, less pairs of neighbours, plus squares."""
    right, below = values[:, 1:] == values[:, :-1], values[1:] == values[:-1]
    square = right[1:] & right[:-1] & below[:, 1:]
    parts = ((values.ravel(), 1), (values[:, 1:][right], -1), (values[1:][below], -1), (values[1:, 1:][square], 1))
    return sum(sign * np.bincount(part, minlength=values.max() + 1) for part, sign in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """kind, names, values and ignore as in `Mask`. note: what was assumed, in words. is_listed: a file names them."""

    kind: str
    names: tuple[str, ...]
    values: tuple[int, ...]
    ignore: int | None = None
    note: str = ""
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes that a file lists: value (or number of the line) to name."""

    file: str = ""
    names: dict[int, str] = field(default_factory=dict)
    are_colours: bool = False


def decide(masks: Sequence[Seen], classes: Classes, where: object, are_objects: bool = False) -> Vocabulary:
    """The vocabulary of masks that are one file each; StriateError where their values cannot be classes.

    are_objects: what wrote them numbers objects, so that other values than 0 are classes only if `classes` lists them;
    its one line "objects" says the same. Two values are background and foreground. 255 beside small numbers is "not
    known", as in VOC, unless there are hardly any of these. Numbers that run from 1, nearly without a gap, to another
    end in every mask, are objects, and so are more values than classes have that are one area each. Many greys,
    nearly all of them black or white, or most and the others slopes, are two values with blurred edges.
    """
    counts: Counter[int] = Counter()
    for mask in masks:
        counts.update(dict(zip(mask.values.tolist(), mask.counts.tolist(), strict=True)))
    values = sorted(counts)
    if classes.names and _names_fit(values, classes):
        return _as_listed(values, classes)
    top, is_said = max(values, default=0), [*classes.names.values()] == ["objects"]
    are_objects = top > 0 and (are_objects or is_said)
    if not are_objects and len(values) > _LEAST_SOFT and top < COLOUR and _are_soft(masks, counts, top):
        note = f"values between 0 and {top} are cut at the middle"
        return Vocabulary(kind="binary", names=TWO, values=(0, top), note=note)
    if are_objects or _are_numbers(masks, [value for value in values if value != _WIDE]):
        note, ignore = "every value is one object", _WIDE if top == _WIDE else None
        return Vocabulary(kind="numbers", names=TWO, values=(), ignore=ignore, note=note, is_listed=is_said)
    ignore = None
    rare = _STRAY * sum(counts[value] for value in values if 0 < value < UNKNOWN) < counts[UNKNOWN]
    if UNKNOWN in values and len(values) > 2 and 1 <= values[-2] < 128 and values[-1] == UNKNOWN and not rare:
        ignore, values = UNKNOWN, values[:-1]
    if len(values) > MOST_CLASSES or are_photographs(values):
        rule = "a mask has one value, or one colour, per class"
        remedy = "save masks without smoothing, or list the classes and their colours in classes.txt; " + _SAY
        raise StriateError(rule, received=f"{len(values):,} different ones", where=where, remedy=remedy)
    if len(values) < 2:
        received = f"the value {value_text(values[0])} alone" if values else "no mask that can be read"
        raise StriateError("masks mark something in at least one picture", received=received, where=where)
    note = f"each is one area: {_SAY}" if len(values) > _FEW_NUMBERS and _are_apart(masks, values) else ""
    return Vocabulary(kind="index", names=_names(values), values=tuple(values), ignore=ignore, note=note)


def _are_soft(masks: Sequence[Seen], counts: Counter[int], top: int) -> bool:
    """Whether nearly all pixels are 0 or `top`, or most and the others lie on slopes, as classes do not; and
    `top` is no class among others like it, nor "not known" beside small numbers."""
    others = {value: count for value, count in counts.items() if value not in (0, top)}
    slopes = sum(int(mask.slopes[(mask.values > 0) & (mask.values < top)].sum()) for mask in masks)
    least, much = (_SOFT, _MUCH) if 2 * slopes < sum(others.values()) else (0.5, 1)
    is_apart = counts[top] > much * max(others.values()) and 2 * max(others) > top
    return is_apart and counts[0] + counts[top] > least * counts.total()


def are_photographs(values: Sequence[int] | np.ndarray) -> bool:
    """Whether values in rising order are of a photograph: they are coloured, and many."""
    return len(values) > MOST_COLOURS and values[-1] >= COLOUR


def _are_apart(masks: Sequence[Seen], values: Sequence[int]) -> bool:
    """Whether nearly every one of these values but 0 is one area on nearly every mask that has it."""
    single = [mask.single[(mask.values > 0) & np.isin(mask.values, values)] for mask in masks]
    return sum(map(np.sum, single)) >= _NEARLY * max(sum(map(len, single)), 1)


def _names(values: list[int]) -> tuple[str, ...]:
    """What classes without names are called."""
    if len(values) == 2 and values[0] == 0:
        return TWO
    words = (f"{'class' if value < COLOUR else 'colour'} {value_text(value)}" for value in values)
    return tuple(word if value else BACKGROUND for word, value in zip(words, values, strict=True))


def _are_numbers(masks: Sequence[Seen], values: list[int]) -> bool:
    """Whether values are numbers of objects: 1, 2, ... n in nearly every mask that marks something, with another n; or
    with one in ten deleted and an n that no more than a fourth of the masks have, as hardly any classes are. Fewer than
    8 are so only where each is one area and no n is that of most masks; more than classes have, where each is one."""
    marked = [found for mask in masks if len(found := mask.values[(mask.values > 0) & np.isin(mask.values, values)])]
    are_one = _are_apart(masks, values)
    if are_one and len(values) > MOST_COLOURS:
        return True
    if not marked or not (_FEW_NUMBERS if are_one else _LEAST_NUMBERS) <= values[-1] < COLOUR:
        return False
    ends = Counter(int(found[-1]) for found in marked)
    if sum(found[-1] == len(found) for found in marked) >= _NEARLY * len(marked):
        few = values[-1] < _LEAST_NUMBERS
        return 2 * max(ends.values()) <= len(marked) if few else len(ends) > 1 or len(marked) == 1
    is_dense = sum(map(len, marked)) >= _NEARLY * sum(found[-1] for found in marked)
    return is_dense and _MUCH * max(ends.values()) <= len(marked)


def _names_fit(values: list[int], classes: Classes) -> bool:
    """Whether a list of classes is meant for these values: most of them are on it."""
    listed = sum(value in classes.names for value in values)
    is_binary = len(classes.names) == 2 and len(values) == 2 and not classes.are_colours
    return is_binary or 2 * listed > len(values)


def _as_listed(values: list[int], classes: Classes) -> Vocabulary:
    known, first = dict(classes.names), classes.names[min(classes.names)].lower()
    if len(known) == 2 and len(values) == 2 and not set(values) <= known.keys():
        known = dict(zip(values, known.values(), strict=True))
    elif not classes.are_colours and 0 in values and len(known) in values and BACKGROUND not in first:
        known = {0: BACKGROUND} | {number + 1: name for number, name in known.items()}  # background is not listed
    ignore = UNKNOWN if UNKNOWN in values and UNKNOWN not in known else None
    ordered = sorted(known)
    names = tuple(known[value] for value in ordered)
    note = f"names from {classes.file}"
    return Vocabulary(kind="index", names=names, values=tuple(ordered), ignore=ignore, note=note, is_listed=True)


def read_classes(path: Path, name: str) -> Classes:
    """The classes that a text file lists, one a line: a name, with its number or its colour before or behind."""
    found: dict[int, str] = {}
    colours = number = 0
    for line in (row.strip().strip(",;") for row in text_if_any(path)[:200_000].splitlines()):
        if not line or line.startswith(_REMARK) or _HEADER.fullmatch(line) or line.strip("_").lower() == "ignore":
            continue
        value, label, is_colour = _listed(line, number)
        found[value] = _QUOTED.sub(r"\2", label.strip())
        colours, number = colours + is_colour, number + 1
    if not found or len(found) != number or len(set(found.values())) < number or number > MOST_CLASSES:
        return Classes()
    return Classes(name, found, colours == number)


def class_list(names: Sequence[str]) -> str:
    """The text that `read_classes` reads as these names, of the values from 0 on: a name a line, and its number before
    it where a name begins like a number or a remark itself."""
    plain = all(_listed(name, -1)[0] == -1 and not name.startswith(_REMARK) for name in names)
    return "".join(f"{name}\n" if plain else f"{number}: {name}\n" for number, name in enumerate(names))


def _listed(line: str, number: int) -> tuple[int, str, bool]:
    """Value, name and whether the value is a colour, of one line of a list; `number` is its place."""
    if match := _COLOURED.fullmatch(line):
        return _colour(*match.groups()[:3]), match[4], True
    if match := _NAMED_COLOUR.fullmatch(line):
        return _colour(*match.groups()[1:]), match[1], True
    match = _NUMBERED.fullmatch(line)
    return (int(match[1]), match[2], False) if match else (number, line, False)


def _colour(red: str, green: str, blue: str) -> int:
    """The number that `mask_values` gives a pixel of this colour."""
    return int(mask_values(np.array([[[int(red), int(green), int(blue)]]]))[0, 0])
