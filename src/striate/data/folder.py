"""A folder of class folders, with or without part folders above them, becomes samples."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from striate.data.content import IMAGE_SUFFIXES, START, open_file, recognise
from striate.data.header import Unreadable
from striate.data.sample import PARTS, Found, LeftOut, Sample
from striate.errors import StriateError, first_few
from striate.files import is_ours, readable

Item = TypeVar("Item", Sample, LeftOut)
PART_NAMES = {
    **dict.fromkeys(("train", "training", "training_set", "train_set"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "val_set", "validation_set"), "validation"),
    "evaluation": "validation",
    **dict.fromkeys(("test", "testing", "test_set", "testing_set", "holdout"), "test"),
}
_YEAR = re.compile(r"(?<=[a-z])(19|20)\d\d$")
BESIDE_PARTS = "a folder beside the parts"
LAYOUT = "FOLDER/cat/001.png, FOLDER/dog/002.png or FOLDER/train/cat/001.png, FOLDER/test/cat/002.png"
_HIDDEN = {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "@eadir"}


@dataclass(slots=True)
class _Place:
    """A folder to walk: `where` on the disk, `name` in our tables; link: it was reached by one."""

    where: str
    name: str
    target: str
    part: str | None
    link: bool = False


@dataclass(slots=True)
class _Walk:
    """What a walk has gathered so far. named: pictures are told by their names alone, and nothing else matters."""

    root: str
    named: bool = False
    samples: list[Sample] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    hidden: int = 0
    links: list[_Place] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def leave(self, name: str, reason: str, place: _Place | None = None) -> None:
        label, part = (place.target, place.part) if place else ("", None)
        self.left_out.append(LeftOut(path=name, reason=reason, label=label, part=part))


def read_folder(folder: Path) -> Found:
    """The samples of FOLDER/<class>/… or FOLDER/{train,val,test}/<class>/…, sorted by path.

    Folders below a class are part of it. Everything that is no picture is in `left_out` with its
    reason. Links to files are followed; a linked folder is read once, and only if it is not already
    read under its own name. Raises StriateError when there is no class folder.
    """
    walk = _Walk(os.path.realpath(folder))
    walk.seen.add(walk.root)
    folders, files = _entries(walk, str(folder), "")
    if walk.left_out:
        raise StriateError("the folder must be readable", received=walk.left_out[0].reason, where=folder)
    parts = _part_folders(walk, folders)
    for entry in files:
        walk.leave(entry.name, _reason(entry, "beside the class folders, so it has no class"))
    places = [place for entry in folders for place in _places(walk, entry, parts)]
    if not places:
        raise _no_classes(folder, files)
    return _walked(walk, places, "parts" if parts else "classes")


def read_flat(folder: Path) -> Found:
    """Every picture anywhere in `folder`, sorted by path, with "" for its class: others know what it shows.

    Raises StriateError where there is none.
    """
    found = read_any(folder)
    if not found.samples:
        reasons = first_few([item.said for item in found.left_out], 3)
        raise StriateError("a folder to learn from holds pictures", received=reasons or "none", where=folder)
    return found


def read_any(folder: Path) -> Found:
    """The same, also where there is no picture. Links and what is no picture are treated as in `read_folder`."""
    walk = _Walk(os.path.realpath(folder))
    return _walked(walk, [_Place(str(folder), "", "", None)], "labels")


def sort_key(path: str) -> tuple[str, str]:
    """Order by code point of the NFC form: the same on every machine and file system."""
    return unicodedata.normalize("NFC", path), path


def by_path(items: Iterable[Item]) -> list[Item]:
    """Samples, or what is left out, in the order of their paths."""
    return sorted(items, key=lambda item: sort_key(item.path))


def number_key(path: str) -> list[str | int]:
    """The same with numbers by their values: frame2 before frame10."""
    return [int(word) if word.isdecimal() else word for word in re.split(r"(\d+)", sort_key(path)[0])]


def part_named(word: str) -> tuple[str | None, str]:
    """The part that a word stands for, and what is wrong with the word ("" when nothing is)."""
    part = PART_NAMES.get(word.lower())
    return part, f"{word!r} is not one of {', '.join(PARTS)}" if word and part is None else ""


def parts_of(paths: Iterable[str]) -> dict[str, str]:
    """The part of every path whose first folder, or first one in images/, is called so, perhaps with a year as in
    train2017; none where no one trains."""
    parts = {}
    for path in paths:
        names = pairwise(["images", *(_YEAR.sub("", name) for name in path.lower().split("/")[:-1])])
        if part := next((PART_NAMES[name] for above, name in names if above == "images" and name in PART_NAMES), None):
            parts[path] = part
    return parts if "train" in parts.values() else {}


def with_parts(samples: list[Sample]) -> list[Sample]:
    """Samples in the parts that their folders are called by, unless one has a part already."""
    parts = {} if any(sample.part for sample in samples) else parts_of(sample.path for sample in samples)
    return [replace(sample, part=parts.get(sample.path)) for sample in samples] if parts else samples


def is_picture_name(name: str) -> bool:
    """Whether a name or path, perhaps of Windows, ends as those of pictures do."""
    return os.path.splitext(name.replace("\\", "/"))[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - maybe a million


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN


def _entries(
    walk: _Walk, where: str, name: str, place: _Place | None = None
) -> tuple[list[os.DirEntry], list[os.DirEntry]]:
    """The folders and the other visible entries of one folder, each sorted by name; our runs are hidden."""
    folders, others = [], []
    try:
        with os.scandir(where) as listing:
            for entry in listing:
                is_folder = _is(entry.is_dir)
                if is_hidden(entry.name) or (is_folder and is_ours(entry.path)):
                    walk.hidden += 1
                elif is_folder:
                    folders.append(entry)
                else:
                    others.append(entry)
    except OSError as error:
        if walk.named:
            raise StriateError("a folder must be readable", received=error.strerror, where=where) from error
        walk.leave(name or where, f"this folder cannot be read: {error.strerror or error}", place)
    return sorted(folders, key=lambda e: sort_key(e.name)), sorted(others, key=lambda e: sort_key(e.name))


def _is(kind: Callable[[], bool]) -> bool:
    """Whether an entry is of a kind, by its own method."""
    try:
        return kind()
    except OSError:  # a link to itself
        return False


def _part_folders(walk: _Walk, folders: list[os.DirEntry]) -> dict[str, str]:
    """Folder name → part, or nothing when these are classes that only happen to be called so: a lone part beside
    other folders, with pictures directly in it or no two classes."""
    found, flat = {}, 0
    for entry in folders:
        part = PART_NAMES.get(entry.name.lower())
        inner, files = _entries(_Walk(walk.root), entry.path, "") if part else ([], [])  # a look that counts nothing
        if inner:
            found[entry.name] = part
            flat += len(inner) < 2 or any(is_picture_name(file.name) for file in files)
    return {} if len(found) == 1 and flat and len(folders) > 1 else found


def _places(walk: _Walk, entry: os.DirEntry, parts: dict[str, str]) -> Iterator[_Place]:
    """The class folders under one entry of the top folder."""
    if not parts:
        yield _Place(entry.path, entry.name, _class_name(entry.name), None, entry.is_symlink())
        return
    part = PART_NAMES.get(entry.name.lower())
    if part is None:
        walk.leave(entry.name, f"{BESIDE_PARTS} that is not one of {', '.join(PARTS)}")
        return
    if entry.is_symlink() and not _is_new(walk, entry.path):
        walk.leave(entry.name, "a link to a folder that is read already")
        return
    folders, files = _entries(walk, entry.path, entry.name)
    for file in files:
        walk.leave(f"{entry.name}/{file.name}", _reason(file, "beside the class folders, so it has no class"))
    for inner in folders:
        name = f"{entry.name}/{inner.name}"
        yield _Place(inner.path, name, _class_name(inner.name), part, inner.is_symlink())


def _walked(walk: _Walk, places: list[_Place], kind: str) -> Found:
    """What is in the places. Real folders first, so that a link to one of them is known to be a second way to it."""
    for place in places:
        before = len(walk.samples) + len(walk.links) + len(walk.left_out)
        _walk_place(walk, place)
        if len(walk.samples) + len(walk.links) + len(walk.left_out) == before and place.name:
            walk.leave(place.name, "empty class folder", place)
    while walk.links:
        walk.links.sort(key=lambda link: sort_key(link.name), reverse=True)
        link = walk.links.pop()
        if _is_new(walk, link.where):
            link.link = False
            _walk_place(walk, link)
        else:
            walk.leave(link.name, "a link to a folder that is read already", link)
    samples, left_out = by_path(walk.samples), by_path(walk.left_out)
    return Found(root=walk.root, kind=kind, samples=samples, left_out=left_out, hidden=walk.hidden)


def _is_new(walk: _Walk, where: str) -> bool:
    real = os.path.realpath(where)
    return real not in walk.seen and not f"{walk.root}{os.sep}".startswith(real.rstrip(os.sep) + os.sep)


def _walk_place(walk: _Walk, top: _Place) -> None:
    stack = [top]
    while stack:
        place = stack.pop()
        if place.link:
            walk.links.append(place)
            continue
        walk.seen.add(os.path.realpath(place.where))
        folders, files = _entries(walk, place.where, place.name, place)
        if not folders and not files and is_picture_name(place.name):
            walk.leave(place.name, "directory, not a picture", place)
        for entry in files:
            _take_file(walk, place, entry)
        for entry in folders:
            name = _below(place, entry)
            stack.append(_Place(entry.path, name, place.target, place.part, entry.is_symlink()))


def _take_file(walk: _Walk, place: _Place, entry: os.DirEntry) -> None:
    name = _below(place, entry)
    is_named = is_picture_name(entry.name)
    if walk.named and not is_named:
        return
    is_sure = is_named and (walk.named or _is(entry.is_file))
    if reason := "" if is_sure else _reason(entry, ""):
        walk.leave(name, reason, place)
        return
    source = Path(os.path.abspath(entry.path))  # noqa: PTH100 - quicker than Path.absolute, and there may be a million
    walk.samples.append(Sample(path=name, source=source, target=place.target, part=place.part))


def _below(place: _Place, entry: os.DirEntry) -> str:
    return f"{place.name}/{entry.name}" if place.name else entry.name


def _reason(entry: os.DirEntry, otherwise: str) -> str:
    """Why a file is not a picture by its content, or `otherwise` when it is one."""
    try:
        with open_file(Path(entry.path)) as file:
            start = file.read(START)
            if recognise(start) == "NPY" and b"'|O'" in start:
                return "a NumPy file of objects, not a picture"  # a cache that another library left
    except Unreadable as problem:
        return problem.reason
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return otherwise


def _class_name(folder: str) -> str:
    return readable(unicodedata.normalize("NFC", folder))


def _no_classes(folder: Path, files: list[os.DirEntry]) -> StriateError:
    pictures = sum(is_picture_name(entry.name) for entry in files)
    what = f"{len(files):,} files and no folder" if files else "an empty folder"
    what = f"{pictures:,} pictures directly in it" if pictures else what
    rule, remedy = "a folder to learn from has one folder per class", other_labels(entry.name for entry in files)
    return StriateError(rule, received=what, where=folder, remedy=f"arrange it as {LAYOUT}, or {remedy}")


def other_labels(names: Iterable[str]) -> str:
    """How to say the classes of pictures that are in no class folders; names: of the files beside them."""
    table = next((name for name in names if "/" not in name and name.lower().endswith((".csv", ".tsv"))), "FILE.csv")
    return f"give their classes with --labels {table} or, from their names, --label-regex '^([a-z]+)'"


def visible(folder: Path) -> list[Path]:
    """What lies directly in a folder, sorted by name, without what is hidden and our runs; nothing if it is locked."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: sort_key(entry.name))
    except OSError:
        return []
    shown = (entry for entry in entries if not is_hidden(entry.name))
    return [folder / entry.name for entry in shown if not (_is(entry.is_dir) and is_ours(entry.path))]


def tables_in(folder: Path) -> list[Path]:
    """The CSV and TSV tables directly in a folder, sorted by name."""
    return [path for path in visible(folder) if path.suffix.lower() in (".csv", ".tsv") and path.is_file()]


def visible_below(folder: Path, *patterns: str) -> Iterator[Path]:
    """The files below `folder` that are called so, sorted by path; hidden ones, and those in hidden folders, apart."""
    files = sorted((f for pattern in patterns for f in folder.glob(pattern)), key=lambda f: sort_key(f.as_posix()))
    return (f for f in files if not any(map(is_hidden, f.relative_to(folder).parts)) and f.is_file())


def list_pictures(folder: Path) -> list[Path]:
    """Every file below `folder` whose name ends like a picture's, sorted, hidden ones passed over. Links are followed
    as in `read_folder`."""
    found = _walked(_Walk(os.path.realpath(folder), named=True), [_Place(str(folder), "", "", None)], "labels")
    return [sample.source for sample in found.samples]
