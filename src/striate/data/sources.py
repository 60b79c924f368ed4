"""Where pictures and labels come from: a folder, a table, packed files, arrays or the digits become `Found`."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence, ValuesView
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import ModuleType

import numpy as np

from striate.data import annotated, masks
from striate.data.apart import united
from striate.data.arrays import read_arrays, read_digits
from striate.data.columns import with_folder
from striate.data.content import START, open_file, recognise
from striate.data.folder import BESIDE_PARTS, LAYOUT, PART_NAMES, other_labels, read_folder
from striate.data.grouping import regroup
from striate.data.guard import load_each
from striate.data.header import Unreadable
from striate.data.labels import fitting_table, label_by_pattern, label_by_table, naming_table
from striate.data.load import Want
from striate.data.masks import without_masks
from striate.data.packed import is_packed, read_packed
from striate.data.pairs import are_pictures_and_masks
from striate.data.records import is_records, read_records
from striate.data.sample import Asked, Found, Sample, class_order
from striate.data.series import is_series, read_series
from striate.data.table import no_path, read_table
from striate.data.targets import LABELS, NUMBERS
from striate.data.texts import read_texts
from striate.data.wording import worded
from striate.errors import StriateError, counted, first_few

Source = Path | str | tuple[np.ndarray | Sequence[np.ndarray], Sequence[object]] | None

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_OF_PICTURES = re.compile(r"[ _-]?(images?|imgs?|pictures|photos|input)$")
_KINDS = "a folder of class folders, a CSV or TSV table or a file of many pictures"


# By task, in the order in which they are asked, the module that reads its targets. It has recognises(path): whether a
# folder or file plainly holds such, by a look at names and first lines; and read(path, page): its samples and what is
# wrong with others, with the page of files that have several.
READERS: dict[str, ModuleType] = {"detection": annotated, "segmentation": masks}


def read_source(source: Source, **said: object) -> Found:
    """The samples of a folder, a CSV or TSV table, a file of many pictures (see `packed`) or (pictures, labels)
    arrays, with a third of groups if wanted; None are the handwritten digits of scikit-learn.

    said: the fields of Asked. Raises StriateError.
    """
    source, is_given = _given(source)
    asked = Asked(**said)
    if source is None or is_given:
        if any(one is not None for one in asked.of_labels):
            where = "arrays" if is_given else "no FOLDER"
            raise StriateError("--labels and --label-regex are for the pictures of a folder", received=where)
        found = read_digits() if source is None else read_arrays(*source, task=asked.task, form=asked.form)
    elif not isinstance(source, str | PathLike):
        rule = f"the data must be {_KINDS}, or arrays as (pictures, labels) or (pictures, labels, groups)"
        raise StriateError(rule, received=type(source).__name__, where="train's source")
    else:
        found = _read_path(source, asked)
    if asked.task is not None and found.task != asked.task:
        remedy = f"leave --task out, or give targets for {asked.task}"
        raise StriateError("the data hold targets for the task", received=found.task, where="--task", remedy=remedy)
    found = _of_form(united(found, asked.apart), asked.form)
    return found if asked.group is None or found.is_grouped else regroup(found, asked.group)


def _given(source: Source) -> tuple[Source, bool]:
    """`source` with lists for what can be gone through only once, and whether it is (pictures, labels[, groups])."""
    if not isinstance(source, tuple):
        return source, False
    source = tuple(list(one) if isinstance(one, Iterator | ValuesView) else one for one in source)
    return source, len(source) in (2, 3) and all(hasattr(one, "__len__") and not isinstance(one, str) for one in source)


def _read_path(source: Path | str, asked: Asked) -> Found:
    # An empty name is an unset variable of a shell; Path would make the current folder of it.
    if reason := no_path(str(source)) if str(source) else "an empty name":
        raise StriateError(f"the data must be {_KINDS}", received=reason, where=source or "FOLDER")
    path = Path(source)
    _require_agreement(path, asked)
    if asked.text is not None:
        return read_texts(path, asked)
    is_plain = asked.form == "auto" and not any(asked.of_labels)
    for task, reader in READERS.items():
        if asked.task == task or (asked.task is None and is_plain and reader.recognises(path)):
            return reader.read(path, asked.page)
    return _found_in(path, asked)


def _of_form(found: Found, form: str) -> Found:
    """What was found, as the form that was asked for: stacks of pictures may be volumes."""
    sides = getattr(found.samples[0].source, "shape", ()) if found.samples else ()
    if (form, found.form) == ("auto", "picture") and len(sides) == 3 and 4 < sides[0] == sides[1] == sides[2]:
        return found.noting(f"{sides[2]} channels, as many as rows and columns: if they are frames, --form volume")
    if form in ("auto", found.form):
        return found
    if (form, found.form) == ("volume", "picture") and found.task not in READERS:
        return replace(found, form=form)
    rule = "series are rows of numbers: UCR text, CSV or TSV with a label, ARFF, .ts or arrays"
    rule, what = rule if form == "series" else f"this is no {form}", worded("pictures", found.form)
    raise StriateError(rule, received=f"{what} for {found.task}", where=found.root, remedy="leave --form out")


def _require_agreement(path: Path, asked: Asked) -> None:
    """Options that say where labels are must fit each other and the source."""
    options = (("--labels", asked.labels), ("--label-regex", asked.label_regex))
    given = [name for name, value in options if value is not None]
    if len(given) > 1:
        raise StriateError("labels come from one place", received=" and ".join(given), where=path)
    if given and path.exists() and not path.is_dir():
        raise StriateError(f"{given[0]} is for the pictures of a folder", received="a file", where=path)
    if asked.text is not None and path.is_dir():
        raise StriateError("--text is for a table", received="a folder", where=path, remedy="give the table itself")
    if asked.label_column is not None and (asked.label_regex is not None or is_packed(path)):
        raise StriateError("--label-column names a column of a table", received=asked.label_column, where=path)


def _found_in(path: Path, asked: Asked) -> Found:
    if asked.labels is None and asked.label_regex is None and asked.form in ("auto", "series"):
        if is_series(path, asked.form == "series"):
            return read_series(path, asked)
        if is_records(path):
            return read_records(path, asked.read)
    if path.is_dir() and asked.labels is not None:
        file = Path(asked.labels)
        return label_by_table(path, file if file.exists() else path / file, asked)
    if path.is_dir() and asked.label_regex is not None:
        return label_by_pattern(path, asked.label_regex, asked.task)
    if is_packed(path):
        return read_packed(path, asked.task, asked.form)
    if path.is_dir():
        return _of_folder(path, asked)
    _require_table(path)
    return read_table(path, asked)


def _of_folder(path: Path, asked: Asked) -> Found:
    """Class folders; where there are none, the pictures with the labels of the one table beside them."""
    try:
        found = without_masks(read_folder(path))
    except StriateError:
        if (fitting := fitting_table(path, asked)) is not None:
            return fitting
        raise
    given = (asked.label_column and "--label-column", asked.columns and "--columns")
    of_table = next(filter(None, given), f"--task {asked.task}" if asked.task in (LABELS, NUMBERS) else "")
    masked = asked.task is None and are_pictures_and_masks(found.classes)
    named_by = naming_table(path, found) if asked.task is None else None
    if len(found.classes) > 1 and not (_is_unlabelled(found) or of_table or masked or named_by):
        return found
    if (fitting := fitting_table(path, asked)) is not None:
        return fitting
    if masked:
        rule = "masks have the names and sizes of their pictures, and values that tell classes (no colours in a JPEG)"
        received = f"{' and '.join(found.classes)} that do not fit"
        remedy = "--task segmentation says what is wrong; --task classification learns them as classes"
    elif named_by:
        rule = "folders that only number what they hold are no classes beside a table that names the pictures"
        received = f"{first_few(found.classes, 3)} and {named_by}"
        remedy = f"--labels {named_by}, with --label-column; --task classification learns the folders as classes"
    elif _is_unlabelled(found):
        rule = "the folders of parts hold one folder per class"
        received = f"pictures directly in {first_few(found.classes)}"
        remedy = f"arrange it as {LAYOUT}, or {other_labels(item.path for item in found.left_out)}"
    elif of_table:
        rule, received, remedy = f"{of_table} is for a table", "a folder", "add --labels FILE"
    else:
        return found
    raise StriateError(rule, received=received, where=path, remedy=remedy)


def _is_unlabelled(found: Found) -> bool:
    """Whether folders that look like classes are parts (train, test_images) whose pictures have no class folder."""
    return len(found.classes) > 1 and all(_OF_PICTURES.sub("", name.lower()) in PART_NAMES for name in found.classes)


def require_trainable(found: Found, readable: Collection[int] | None = None) -> None:
    """Raise StriateError unless a network can learn from `found`, once pictures have been decoded.

    readable: indices of the samples that could be decoded; all of them when None. At least two classes,
    two pictures in each, and one outside validation and test are needed.
    """
    rows = range(len(found.samples)) if readable is None else readable
    samples = [found.samples[row] for row in rows]
    if found.task != "classification":
        _require_some(found, samples)
        return
    counts = Counter(sample.target for sample in samples)
    if samples and readable is None and (len(counts) < 2 or min(counts.values()) < 2):
        require_trainable(found := _looked_at(found), range(len(found.samples)))
        return
    learned = {sample.target for sample in samples if sample.part in (None, "train")}
    if len(counts) < 2:
        rule = worded(f"training needs {'at least two classes' if samples else 'readable pictures'}", found.form)
        received, remedy = worded(_what_was_found(found, counts), found.form), _two_classes(found)
    elif few := class_order(name for name, count in counts.items() if count < 2):
        rule, received = "every class needs at least two usable pictures", f"one picture of {first_few(few)}"
        remedy = f"{_unit_words(few)}add pictures to these or take them out"
    elif unseen := class_order(counts.keys() - learned):
        rule, received = "every class needs pictures in the training part", f"none of {first_few(unseen)}"
        remedy = "are class folders spelt alike in every part?" if learned else "give training pictures too"
    else:
        return
    raise StriateError(rule, received=received, where=found.root, remedy=remedy)


def _unit_words(names: Sequence[str]) -> str:
    """The beginning of a remedy for classes of a picture each that are numbers, or such as "20 years"."""
    found = [re.fullmatch(r"[+-]?\d+([.,]\d+)?( ?[^\W\d_]+| ?%)?", name) for name in names]
    unit = "write them without a unit, with " if any(match and match[2] for match in found) else ""
    return f"for numbers, {unit}--task regression; for classes, " if all(found) else ""


def _looked_at(found: Found) -> Found:
    """`found` without those of its first thousand files whose beginnings are those of no picture."""
    seen = load_each([(s, s.source) for s in found.samples[:1000] if isinstance(s.source, Path)], Want(header=True), 1)
    lost = {sample.path: sample.left_out(one.problem.reason) for sample, one in seen if one.problem}
    kept = [sample for sample in found.samples if sample.path not in lost]
    return replace(found, samples=kept, left_out=[*found.left_out, *lost.values()])


def _require_some(found: Found, samples: Sequence[Sample]) -> None:
    """What every task needs: pictures to learn from, and one more."""
    learned = [sample for sample in samples if sample.part in (None, "train")]
    if len(samples) < 2 or not learned:
        rule = "training needs at least two pictures, one of them outside validation and test"
        received = f"{len(samples):,} with a target, {len(learned):,} of them to learn from"
        remedy = "; ".join(f"{item.path}: {item.reason}" for item in found.left_out[:3])
        raise StriateError(rule, received=received, where=found.root, remedy=remedy)


def _what_was_found(found: Found, counts: Counter) -> str:
    one = (f"{counted(count, 'picture')} of the one class {name!r}" for name, count in counts.items())
    said = next(one, "no picture")
    return f"{said}; left out: {first_few([item.said for item in found.left_out])}" if found.left_out else said


def _two_classes(found: Found) -> str:
    if found.kind == "names":
        return "--label-regex must find at least two different classes"
    if found.kind == "table" and not found.samples and any("no such file" in item.reason for item in found.left_out):
        return f"write paths from the folder of the table; {with_folder(Path(found.root))}"
    if {item.reason for item in found.left_out} == {"text, not a picture"} and not found.samples:
        return f"arrange it as {LAYOUT}; series and texts are lines of a table, whose column of texts --text names"
    if found.form == "series" and not found.samples:
        return "say which column holds the label: --label-column, by name or number from 0"
    if found.kind not in ("classes", "parts"):
        return "give readable pictures of at least two labels"
    if found.kind == "classes" and found.samples:
        places = [sample.path.split("/") for sample in found.samples]
        if inner := class_order(place[1] for place in places if len(place) > 2):
            return f"if {first_few(inner)} in {places[0][0]!r} are the classes, give that folder instead"
        return f"arrange it as {LAYOUT}, or {other_labels(item.path for item in found.left_out)}"
    beside = [item.path for item in found.left_out if item.reason.startswith(BESIDE_PARTS)]
    return f"arrange it as {LAYOUT}{f'; passed over: {first_few(beside)}' if beside else ''}"


def _require_table(path: Path) -> None:
    """`path`, which is no folder, must be a file of text."""
    rule = f"the data must be {_KINDS}"
    if path.suffix.lower() in _ARCHIVES and path.is_file():
        raise StriateError(rule, received="a packed file", where=path, remedy="unpack it and give the folder")
    try:
        with open_file(path) as file:
            kind = recognise(file.read(START))
    except Unreadable as problem:
        is_named = path.suffix.lower() in (".csv", ".tsv", ".txt")
        if problem.code == "text" or (is_named and problem.code == "unsupported"):
            return
        raise StriateError(rule, received=problem.reason, where=path, remedy=f"for example {LAYOUT}") from None
    raise StriateError(rule, received=f"one {kind} picture", where=path, remedy=f"for example {LAYOUT}")
