"""YOLO text: a file per picture with `class cx cy w h` in shares of its sides, as darknet and Ultralytics have it.

Which pictures there are, their parts and the names of the classes stand in a data.yaml (Ultralytics), in a *.data file
(darknet), or nowhere: then every picture counts, in the part that its folder is called by, and names come from
obj.names or classes.txt, or are the numbers.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np

from striate.data.boxes import Labelled, Noted, Pictures, Thing, class_name, negative
from striate.data.content import read_text, text_if_any
from striate.data.folder import list_pictures, parts_of, visible_below
from striate.data.sample import LeftOut
from striate.errors import StriateError, first_few

_NAME_FILES = ("obj.names", "classes.txt", "data/obj.names", "labels/classes.txt")
_PLACES = ("labels/**/*.txt", "*/labels/**/*.txt", "*.txt")  # of texts, in this order
_BELOW = ("*/*", "*/*/*")  # files in folders that may be those of classes
_SHARE, _LOOKED = 0.2, 100  # of these files that have a text, where folders are no classes; how many texts are read
_OTHER_TEXTS = {"classes.txt", "train.txt", "valid.txt", "val.txt", "test.txt", "requirements.txt", "readme.txt"}
_PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}

_MOST = 10_000  # classes
LISTS = (".yaml", ".yml", ".data")  # endings of the files that say which pictures there are
_CLASS = re.compile(rb"\d{1,9}(\.0*)?")  # some tools write a class as they write shares


def find_yolo(folder: Path) -> Path | None:
    """What tells that `folder` has YOLO labels: a data.yaml, a *.data, a file of names, the folder itself, or None."""
    for pattern in ("*.yaml", "*.yml", "*.data", "data/*.data"):
        if found := next(filter(_has_parts, visible_below(folder, pattern)), None):
            return found
    for name in _NAME_FILES:
        if (folder / name).is_file() and next(_texts(folder), None) is not None:
            return folder / name
    beside = cache(lambda place: {file.stem for file in place.glob("*") if file.suffix not in ("", ".txt")})
    texts = ((file, file.relative_to(folder).parts) for pattern in _PLACES for file in _texts(folder, pattern))
    own = (file for file, parts in texts if "labels" in parts or file.stem in beside(file.parent))
    return folder if any(map(_in_shares, own)) or any(_are_beside(folder, pattern) for pattern in _BELOW) else None


def has_outlines(folder: Path) -> bool:
    """Whether `folder` has YOLO labels of which one is an outline."""
    lines = (line.split() for file in _texts(folder) for line in text_if_any(file).splitlines())
    return any(map(is_outline, lines)) and find_yolo(folder) is not None


def _are_beside(folder: Path, pattern: str) -> bool:
    """Whether enough of the files of this pattern have a text of their name beside them, and one of these has boxes."""
    texts = {file.with_suffix("") for file in _texts(folder, f"{pattern}.txt")}
    files = [file for file in folder.glob(pattern) if file.suffix not in ("", ".txt")] if texts else []
    own = sorted({file.with_suffix("") for file in files} & texts)
    return len(own) >= max(_SHARE * len(files), 1) and any(
        _in_shares(file.with_suffix(".txt")) for file in own[:_LOOKED]
    )


def _in_shares(file: Path) -> bool:
    """Whether the first line of a text can only be a box or an outline: a number, and shares of the sides."""
    words = text_if_any(file).split("\n")[0].split()
    try:
        return bool(words) and all(0 <= float(word) <= 1 for word in words[1:])
    except ValueError:
        return False


def _has_parts(file: Path) -> bool:
    mark = ":" if file.suffix != ".data" else "="
    starts = {line.split(mark)[0].strip() for line in text_if_any(file).splitlines()}
    return "names" in starts and bool(starts & {"train", "val", "valid", "test"})


def read_yolo(
    folder: Path, found: Path, pictures: Pictures, outlines: bool = False
) -> tuple[list[Noted], list[LeftOut], str, tuple[str, ...]]:
    """The notes of every picture, what is left out, why a picture without notes is, and all classes by number.

    outlines: these are read, with `pieces`, and a box alone is none.
    """
    ending, most = "" if found == folder else found.suffix, None
    if ending == ".data":
        names, listed = _darknet(folder, found, pictures)
    elif ending in (".yaml", ".yml"):
        said = _yaml(found)
        names, listed = _ultralytics(said, found, pictures)
        most = 5 if "kpt_shape" in said else None  # key points stand behind the box
    else:
        names = [str(number) for number in range(_MOST)] if found == folder else _names(found)
        parts = parts_of(pictures.by_path)
        listed = _Listed(pictures, {picture: parts.get(path) for path, picture in pictures.by_path.items()})
    if twins := [name for name, count in Counter(filter(None, names)).items() if count > 1]:
        of_one = [number for number, name in enumerate(names) if name == twins[0]]
        received, remedy = f"{twins[0]!r} is the name of {first_few(of_one)}", "give each a name of its own"
        raise StriateError("two classes have two names", received=received, where=found, remedy=remedy)
    texts, thing = _Texts(folder, listed.parts), partial(_thing, names=names, most=most, outlines=outlines)
    notes: list[Noted] = []
    known, why = set(), "no text file has labels for it (an empty one says that it has no objects)"
    for picture, part in listed.parts.items():
        if file := texts.of(picture):
            known.add(file)
            notes.append(_read(picture, file, _shown(file, folder), thing, part))
        elif ending in (".yaml", ".yml"):  # Ultralytics: no file, no objects
            notes.append(Noted(picture=picture, file=found.name, part=part))
        else:
            notes.append(Noted(picture=picture, file="", part=part, problem=why))
    is_list = ending in LISTS  # which may leave out pictures that are there
    for file in texts.files:
        if file not in known and not (is_list and file.stem in pictures.by_end):
            listed.lost.append(LeftOut(path=_shown(file, folder), reason="labels of no picture that is here"))
    if found == folder:  # nobody says how many there are
        names = names[: max((int(thing.name) + 1 for note in notes for thing in note.things if thing.name), default=0)]
    return notes, listed.lost, f"{found.name} does not list it" if is_list else why, tuple(names)


@dataclass(slots=True)
class _Listed:
    """The pictures that a data.yaml or *.data lists, each with its part, and what it lists that cannot be used."""

    pictures: Pictures
    parts: dict[Path, str | None] = field(default_factory=dict)
    lost: list[LeftOut] = field(default_factory=list)

    def take(self, file: Path | str, written: str, part: str | None) -> None:
        """A picture, or why there is none, and how it is written."""
        reason, file = file if isinstance(file, str) else "", Path(os.path.abspath(file))  # noqa: PTH100
        if not reason and self.parts.setdefault(file, part) != part:
            reason = f"listed for {self.parts[file]} too"
        if reason:
            self.lost.append(LeftOut(path=written, reason=reason, part=part))

    def take_lines(self, file: Path, part: str | None, beside: Path | None = None) -> None:
        """The pictures of a file with one a line, which may be as it is seen from the folder `beside`."""
        for line in filter(None, map(str.strip, read_text(file).splitlines())):
            near = beside and beside / line
            self.take(near if near and near.is_file() else self.pictures.find(line), line, part)


class _Texts:
    """The text file of each of several pictures: beside it, or in labels/ where it is in images/.

    Where it is in neither, the only one of its name that is no other picture's, if no other picture lacks one of it.
    """

    def __init__(self, folder: Path, pictures: Iterable[Path]) -> None:
        self.files = list(_texts(folder))
        self.own = {picture: _own_text(picture) for picture in pictures}
        self.others: defaultdict[str, list[Path]] = defaultdict(list)
        for file in set(self.files).difference(self.own.values()):
            self.others[file.stem].append(file)
        self.lacking = Counter(picture.stem for picture, file in self.own.items() if file is None)

    def of(self, picture: Path) -> Path | None:
        others = self.others[picture.stem]
        alone = len(others) == self.lacking[picture.stem] == 1
        return self.own[picture] or (others[0] if alone else None)


def _own_text(picture: Path) -> Path | None:
    beside = picture.with_suffix(".txt")
    head, images, tail = str(beside).rpartition(f"{os.sep}images{os.sep}")
    mirrored = Path(f"{head}{os.sep}labels{os.sep}{tail}") if images else beside
    places = (place for place in (mirrored, beside) if place.is_file() and place.name not in _OTHER_TEXTS)
    return next(places, None)


def _texts(folder: Path, pattern: str = "**/*.txt") -> Iterator[Path]:
    """Every text file in `folder` whose first line is that of a box, or that is empty in a folder of labels."""
    for file in visible_below(folder, pattern):
        if file.name.lower() in _OTHER_TEXTS:
            continue
        try:
            with file.open("rb") as opened:
                words = opened.readline(2000).split()
        except OSError:
            continue
        is_empty = not words and "labels" in file.relative_to(folder).parts
        if is_empty or (len(words) >= 5 and _CLASS.fullmatch(words[0])):
            yield file


def _names(file: Path) -> list[str]:
    """The class of every line; "" for an empty one, which has its number too."""
    return [class_name(line) for line in read_text(file).rstrip().splitlines()]


def _darknet(folder: Path, found: Path, pictures: Pictures) -> tuple[list[str], _Listed]:
    pairs = (line.partition("=") for line in read_text(found).splitlines() if "=" in line)
    said = {key.strip(): value.strip() for key, _, value in pairs}

    def near(written: str) -> Path:
        places = (*_ends(written, found.parent), *_ends(written, folder))
        if place := next((place for place in places if place.is_file()), None):
            return place
        raise StriateError("a file that another one names must be there", received=written, where=found)

    names, listed = _names(near(said["names"])), _Listed(pictures)
    lists = {part: said[word] for word, part in _PARTS.items() if said.get(word)}
    if len(set(lists.values())) < len(lists):  # one list for all: darknet wants a name for each
        lists = {None: lists["train"]} if "train" in lists else {}
    for part, written in lists.items():
        listed.take_lines(near(written), part)
    return names, listed


def _ends(written: str, root: Path) -> list[Path]:
    """A path below `root`, then without its first folder, and so on."""
    words = [word for word in written.replace("\\", "/").split("/") if word not in ("", ".")]
    return [root.joinpath(*words[first:]) for first in range(len(words))]


def _ultralytics(said: Mapping, found: Path, pictures: Pictures) -> tuple[list[str], _Listed]:
    names = said["names"]
    names = names if isinstance(names, dict) else dict(enumerate(names if isinstance(names, list) else []))
    if not names or not all(str(key).isdecimal() for key in names):
        rule = "names of a data.yaml is a list, or a number and a name on each line"
        raise StriateError(rule, received=type(said["names"]).__name__, where=found)
    numbered = {int(key): class_name(name) for key, name in names.items()}
    ordered = [numbered.get(number, "") for number in range(min(max(numbered), _MOST) + 1)]
    listed = _Listed(pictures)
    for word, part in _PARTS.items():
        places = said.get(word) or []
        if word != "train" and places == said.get("train"):  # one list for all: there must be a name for each
            continue
        for written in places if isinstance(places, list) else [places]:
            place = _place(str(written), str(said.get("path") or ""), found)
            if place is None:
                reason = f"{found.name} gives it for {word}, and it is not there"
                listed.lost.append(LeftOut(path=str(written), reason=reason))
            elif place.is_dir():
                for file in list_pictures(place):
                    listed.take(file, pictures.shown(file), part)
            else:
                listed.take_lines(place, part, place.parent)
    return ordered, listed


def _yaml(found: Path) -> Mapping:
    import yaml

    try:
        text = read_text(found)
        said, written = yaml.safe_load(text), yaml.load(text, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        what = " ".join(str(problem).split())[:200]
        raise StriateError("a data.yaml must be readable", received=what, where=found) from None
    if not isinstance(said, dict) or "names" not in said:
        raise StriateError("a data.yaml names the classes", received=type(said).__name__, where=found)
    return said | {"names": written["names"]}  # as they stand there: a class may be called yes, no or 010


def _place(written: str, root: str, found: Path) -> Path | None:
    """A folder or list of a data.yaml: below `path`, beside the file, or by the end of its path."""
    # An absolute root or name stands by itself; what is relative is so to the file, not to where one happens to be.
    places = [found.parent / root / written, found.parent / written, *_ends(written, found.parent)]
    return next((place for place in places if place.exists()), None)


def _read(picture: Path, file: Path, shown: str, thing: Callable[..., Thing], part: str | None) -> Noted:
    try:
        lines = read_text(file).splitlines()
    except StriateError as problem:
        return Noted(picture=picture, file=shown, part=part, problem=f"{shown}: {problem.received}")
    things = [thing(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    return Noted(picture=picture, file=shown, things=things, shares=True, part=part)


def is_outline(words: Sequence[str]) -> bool:
    """Whether a line is not a box but a class and at least three corners."""
    return len(words) > 6 and len(words) % 2 == 1


def _thing(number: int, words: Sequence[str], names: Sequence[str], most: int | None, outlines: bool) -> Thing:
    place, words = f"line {number}", words[:most]
    try:
        kind, *values = map(float, words)
    except ValueError:
        return Thing(place=place, problem="a line is numbers: class cx cy w h")
    if not (0 <= kind < len(names) and kind.is_integer() and names[kind := int(kind)]):
        return Thing(place=place, problem=f"class {words[0]} has no name (the first is 0, the last {len(names) - 1})")
    if is_outline(words):
        xs, ys = values[::2], values[1::2]
        corners = min(xs), min(ys), max(xs), max(ys)
        pieces = (np.reshape(values, (-1, 2)),) if outlines else ()
        return Thing(place=place, name=names[kind], corners=corners, pieces=pieces, outlined=True)
    if len(values) not in (4, 5):
        problem = f"a line is class cx cy w h, or a class and x y of each corner, and this has {len(words)} words"
        return Thing(place=place, name=names[kind], problem=problem)
    x, y, width, height = values[:4]
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    problem = negative(width, height) or ("a box, and no outline" if outlines else "")
    return Thing(place=place, name=names[kind], corners=corners, problem=problem)


def _shown(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def yolo_texts(pictures: Sequence[Labelled], classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name of the file, its lines) for every (path, boxes); predicted boxes have their confidence.

    The format has no word for boxes that are to be ignored: there must be none.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    for path, boxes in pictures:
        lines, (height, width) = [], boxes.size
        for name, (x0, y0, x1, y1), _, confidence in boxes.each():
            shares = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
            words = [str(numbers[name]), *(f"{share:.6f}" for share in shares)]
            lines.append(" ".join(words + ([] if confidence is None else [f"{confidence:.6f}"])))
        yield Path(path).with_suffix(".txt").as_posix(), "".join(f"{line}\n" for line in lines)
