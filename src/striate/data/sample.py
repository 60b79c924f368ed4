"""The records that pass between those who ask for data, its readers and everything after them."""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from striate.errors import StriateError

PARTS = ("train", "validation", "test")
UNKNOWN = "?"  # before the name of a label of which is not known whether the picture has it
BACKGROUND = "background"  # the class of pixels that no other has
IGNORE = "__ignore__"  # labelme's own word for regions that are neither right nor wrong, and of no class
_WHOLE = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Objects on one picture: what is known of them, or what a model says.

    names: the class of each of N objects. corners: (N, 4) float64 x0, y0, x1, y1 in pixels of the picture as it is
        displayed (EXIF applied), half-open: a box of one pixel at the upper left is 0, 0, 1, 1.
    confidence: (N,) 0 to 1 of predicted boxes, else None.
    ignored: (N,) of bool, boxes that are neither right nor wrong ("crowd", "difficult"); None for none of them.
    size: height and width of the picture.
    """

    names: tuple[str, ...]
    corners: np.ndarray
    confidence: np.ndarray | None = None
    ignored: np.ndarray | None = None
    size: tuple[int, int] = (1, 1)

    def each(self) -> Iterator[tuple[str, list[float], bool, float | None]]:
        """Name, corners, whether it is to be ignored, and confidence of one box after the other."""
        count = len(self.names)
        ignored = [False] * count if self.ignored is None else self.ignored.tolist()
        confidence = [None] * count if self.confidence is None else self.confidence.tolist()
        return zip(self.names, self.corners.tolist(), ignored, confidence, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """An area of a picture of height x width pixels: `counts` pixels outside, inside, outside, ..., column by column
    from the upper left, as COCO writes them."""

    height: int
    width: int
    counts: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mask:
    """Where the class of every pixel of one picture is written.

    names: the classes. sources: files or arrays (H, W), of which the highest value counts. kind: what they hold:
        "index" (`values` says which number stands for which class), "binary" (names[1] from half of values[1] on),
        "numbers" (0, or the number of an object of class names[1]), "objects" (not zero where it is: one file per
        object of class names[1]), or "polygons" (none: `polygons` has a class name for each object, and its rings,
        (N, 2) float64 corners x, y in pixels, or runs; painted in this order).
    values: per class, in the order of `names`; those of colours as in `mask_values`. ignore: the value, or the class
        name of polygons, that stands for "not known". size: height and width that polygons refer to.
    orientation: the EXIF orientation of the picture where the mask lacks it, else 1.
    packed: height, width and the zlib-packed values, of "objects" their numbers, upright, kept from when the files were
        read: people draw masks on while a training runs. page: of files with several, as is asked for of pictures.
    """

    kind: str
    names: tuple[str, ...]
    sources: tuple[Path | np.ndarray, ...] = ()
    values: tuple[int, ...] = ()
    ignore: int | str | None = None
    polygons: tuple[tuple[str, tuple[np.ndarray | Runs, ...]], ...] = ()
    size: tuple[int, int] | None = None
    orientation: int = 1
    packed: tuple[int, int, bytes] | None = None
    page: int = 0


# A class name; the names of all classes that are there (several labels), and after UNKNOWN of those that may be;
# numbers in the user's units; boxes; a mask.
Target = str | tuple[str, ...] | tuple[float, ...] | Boxes | Mask


def names_of(target: Target) -> tuple[str, ...]:
    """The classes that a target says are there, in its order and each once; none for numbers."""
    if isinstance(target, str):
        return (target,)
    if not isinstance(target, tuple):
        return tuple(dict.fromkeys(target.names))
    return tuple(dict.fromkeys(name for name in target if isinstance(name, str) and not name.startswith(UNKNOWN)))


def are_numbers(targets: Iterable[Target]) -> bool:
    """Whether targets are numbers."""
    return any(isinstance(target, tuple) and target and not isinstance(target[0], str) for target in targets)


def unknown_in(target: Target) -> tuple[str, ...]:
    """The labels of which a target says that it is not known whether the picture has them."""
    named = target if isinstance(target, tuple) else ()
    return tuple(name.removeprefix(UNKNOWN) for name in named if isinstance(name, str) and name.startswith(UNKNOWN))


def evenly(items: Sequence, most: int) -> Sequence:
    """At most so many of a sequence or an array, evenly spaced, with the first."""
    return items[:: max(1, -(-len(items) // most))]


def class_order(names: Iterable[str]) -> list[str]:
    """Different class names in the order of their outputs: by value where all are whole numbers, else by code point."""
    ordered = sorted(set(names))
    return sorted(ordered, key=int) if all(map(_WHOLE.fullmatch, ordered)) else ordered


def text_of(target: Target) -> str:
    """A target in one cell of a table: "cat"; "?cow; dog"; "0.25; 3"; "RBC 12, WBC 1", "0: 12, 1: 1"; "mask"."""
    if isinstance(target, str):
        return target
    if isinstance(target, tuple):
        return "; ".join(value if isinstance(value, str) else number_text(value) for value in target)
    if isinstance(target, Mask):
        return "mask"
    colon = {name: ":" * name[-1:].isdigit() for name in names_of(target)}  # of classes that are called 0, 1, ...
    return ", ".join(f"{name}{colon[name]} {target.names.count(name)}" for name in class_order(colon))


def number_text(value: float) -> str:
    """A number as tables write it, which are read again: whole ones with all digits, others with twelve."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.12g}"


def unpacked(height: int, width: int, packed: bytes) -> np.ndarray:
    """The values (height, width) int32 of `Mask.packed`."""
    data = zlib.decompress(packed)
    return np.frombuffer(data, f"u{len(data) // max(height * width, 1)}").reshape(height, width).astype(np.int32)


def bytes_of(target: object) -> Iterator[bytes]:
    """Bytes that differ where two targets do: of arrays their numbers, of files what was in them."""
    if isinstance(target, Mask) and target.packed:  # opens no file
        height, width, packed = target.packed
        values = np.frombuffer(zlib.decompress(packed), np.uint8)
        target = replace(target, sources=(values,), packed=None, size=(height, width))
    if isinstance(target, tuple):
        for one in target:
            yield from bytes_of(one)
    elif is_dataclass(target):
        yield from bytes_of(tuple(getattr(target, each.name) for each in fields(target)))
    else:
        yield target.tobytes() if isinstance(target, np.ndarray) else f"{target!r}\0".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with what is known about it.

    path: its name in every table we write: relative to the folder given, with '/' ("cat/001.png",
        "array/12" for a row of an array).
    source: what the decoder opens: an absolute file path, or the pixels themselves (H, W) or (H, W, C). A series
        is one row of pixels (1, length, C), a text one row of symbols (1, length) of uint8.
    target: the class name, or what another task is to learn (see Target).
    group: samples of one group stay in one part (a patient, a slide); None stands alone.
    part: "train", "validation" or "test" where the user's folders or table say so, else None.
    """

    path: str
    source: Path | np.ndarray
    target: Target
    group: str | None = None
    part: str | None = None

    @property
    def label(self) -> str:
        """What parts are divided by: the class, or all labels as one; "" for numbers, boxes and masks."""
        is_named = isinstance(self.target, str) or (isinstance(self.target, tuple) and names_of(self.target))
        return text_of(self.target) if is_named else ""

    def left_out(self, reason: str) -> "LeftOut":
        """This sample as one that is not used."""
        return LeftOut(path=self.path, reason=reason, label=text_of(self.target), part=self.part)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that is not used, and why, in words that a user understands."""

    path: str
    reason: str
    label: str = ""
    part: str | None = None

    @property
    def said(self) -> str:
        return f"{self.path} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: what it says of a picture, and in `problem` why it cannot be used ("" when it can)."""

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
class Asked:
    """What a person said of the data.

    task: what the targets are for; found out by default. group: None, "parent", a column of the table, or a regular
    expression (see `grouping.regroup`). labels: a table with the labels of a folder's pictures (see
    `labels.label_by_table`). label_regex: what finds the label in a picture's name (see `labels.label_by_pattern`).
    label_column: the column of the table that holds the label, or several by commas, by name or number from 0, where
    that is not plain. columns: names, by commas, for a table without a line of names. text: the column of texts.
    form: one of prepare.FORMS, where that is not plain either. read: how the series were read that a model learned
    from, as of Found. page: of stacks with masks. apart: words of channels in files of their own (see `apart`).
    """

    task: str | None = None
    group: str | None = None
    labels: str | Path | None = None
    label_regex: str | None = None
    label_column: str | None = None
    columns: str | None = None
    text: str | None = None
    form: str = "auto"
    read: Mapping | None = None
    page: int = 0
    apart: Sequence[str] = ()

    @property
    def of_labels(self) -> tuple[str | Path | None, ...]:
        """What only a table or the names of pictures can answer."""
        return self.labels, self.label_regex, self.label_column, self.columns, self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reader found in a folder, a table or arrays, before any picture is decoded.

    root: the absolute folder or file, or a word such as "digits" or "arrays".
    kind: "classes" (FOLDER/<class>), "parts" (FOLDER/<part>/<class>), "names" (--label-regex), "labels"
        (--labels), "table", "boxes", "masks", "packed" (.npz, .idx, ...), "arrays" or "digits".
    task: which task the targets are for: "classification", "multilabel", "regression", "detection", "segmentation".
    names: what the outputs are called where targets do not say: the columns of numbers; of boxes all classes
        as a file lists them, "" for a number without a name. outlined: how many boxes are those of outlines.
    mended: labels of pictures that are used which were changed or dropped, and why: one line each.
    hidden: how many hidden files and folders were passed over (.DS_Store, Thumbs.db, ...).
    labels: where the classes come from, in words, when it is neither folders nor the table given.
    form: what each sample is, one of prepare.FORMS. notes: what was done to use samples as they are, in sentences.
    read: of a table of series the columns of "labels", those "apart" from the values (by number where they have no
        names), the "length", None where lines differ, and "index" where one before all others counted the lines: for
        the model, which reads other tables so too.
    perhaps: a column that may say what belongs together, and how many values it has. is_grouped: whether samples have
        their groups from a column of a table.
    """

    root: str
    kind: str
    samples: list[Sample]
    left_out: list[LeftOut] = field(default_factory=list)
    hidden: int = 0
    labels: str = ""
    task: str = "classification"
    names: tuple[str, ...] = ()
    outlined: int = 0
    mended: list[LeftOut] = field(default_factory=list)
    form: str = "picture"
    notes: tuple[str, ...] = ()
    read: dict | None = None
    perhaps: tuple[str, int] | None = None
    is_grouped: bool = False

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their outputs."""
        names = (name for sample in self.samples for name in names_of(sample.target))
        return class_order(name for name in names if self.kind != "boxes" or name != IGNORE)

    @property
    def parts(self) -> list[str]:
        """The parts that samples have been given."""
        return [part for part in PARTS if any(sample.part == part for sample in self.samples)]

    def noting(self, *said: str) -> "Found":
        """The same with these notes too; "" is none."""
        return replace(self, notes=(*self.notes, *filter(None, said)))

    def of_part(self, part: str | None) -> "Found":
        """The same with the samples of this part alone, of which there must be one; None for all of them."""
        samples = [sample for sample in self.samples if part in (None, sample.part)]
        if self.samples and not samples:
            received = f"{part}; there {'is ' + ', '.join(self.parts) if self.parts else 'are no parts'}"
            rule, remedy = "the part asked for is there", f"without --part all {len(self.samples):,} are scored"
            raise StriateError(rule, received=received, where=self.root, remedy=remedy)
        return replace(self, samples=samples)
