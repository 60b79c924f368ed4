"""Boxes as people annotate them become boxes that can be learned: one check for every format.

A reader of a format (`voc`, `coco`, `yolo`, `labelme`, `boxtable`) says what stands in its files as `Noted`; `settle`
finds the pictures, brings corners into pixels of the picture as it is displayed, and mends, drops or leaves out what
cannot be, each with its reason.
"""

import math
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from striate.data.folder import by_path, list_pictures, parts_of, sort_key, with_parts
from striate.data.guard import load_each
from striate.data.header import Header
from striate.data.load import Want
from striate.data.raster import file_orientation
from striate.data.sample import IGNORE, Boxes, Found, LeftOut, Runs, Sample, Target
from striate.files import readable

SLIP = 0.01  # pixels: what rounding in a file may move a corner
ANOTHER_FORM = 0.02  # by which the form of a picture may differ from that of the one that was annotated
KINDS = {"voc": "VOC XML", "coco": "COCO JSON", "yolo": "YOLO text", "labelme": "labelme JSON", "table": "a table"}
Pieces = tuple[np.ndarray | Runs, ...]  # of an area: rings (corners, 2), and pixels
Labelled = tuple[str, Boxes]  # the path of a picture, and its boxes
_BESIDE = ("JPEGImages", "images", "imgs", "img")  # where pictures lie beside a folder that has only labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object as it is written. corners: x0, y0, x1, y1 in pixels, or in shares of the sides where `shares`.

    pieces: of its area, alike, where outlines are read; then the corners are not. outlined: whether it has such.
    problem: why the reader could make nothing of it. place: where it stands, in words ("line 3", "object 2").
    """

    place: str
    name: str = ""
    corners: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    pieces: Pieces = ()
    ignored: bool = False
    outlined: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What a file says of one picture.

    picture: its name as written, or its path. file: the file of labels, as it is shown. size: (height, width) of the
    picture that was annotated, where the file says so. problem: why nothing of it can be used.
    """

    picture: str | Path
    file: str
    things: Sequence[Thing] = ()
    size: tuple[int, int] | None = None
    shares: bool = False
    part: str | None = None
    problem: str = ""

    def left_out(self, path: str, reason: str, label: str = "") -> LeftOut:
        """A picture or file of this note, or something on it, as what is not used."""
        return LeftOut(path=path, reason=reason, label=label, part=self.part)


Mended = tuple[Thing, str]  # and what was done to it


@dataclass(slots=True)
class Pictures:
    """The pictures below a folder: by path, and by every end of their paths, with and without the name's ending."""

    root: Path
    by_path: dict[str, Path] = field(default_factory=dict)
    by_end: dict[str, list[str]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)  # names of those that hold pictures

    @classmethod
    def below(cls, folder: Path) -> "Pictures":
        """Those in the folder; where it has none, those of the folders beside it that are made to hold them."""
        root = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links
        pictures = cls(root)
        places = [root, *(root.parent / name for name in _BESIDE)]
        files = next((found for place in places if place.is_dir() and (found := list_pictures(place))), [])
        for file in files:
            words = _words(os.path.relpath(file, root))
            pictures.by_path["/".join(words)] = file
            pictures.folders.update(words[-2:-1])
            for end in ("/".join(words[first:]) for first in range(len(words))):
                for key in {end, os.path.splitext(end)[0]}:  # noqa: PTH122
                    pictures.by_end.setdefault(key, []).append("/".join(words))
        return pictures

    def find(self, written: str | Path, part: str | None = None) -> Path | str:
        """The file, or why there is none. A path from another machine is matched by as much of its end as fits, in no
        other folder than is written where that holds pictures; of several of one name that in the `part`'s is meant."""
        if isinstance(written, Path):
            return written if written.is_file() else "no such picture"
        if Path(written).is_absolute() and "\0" not in written and Path(written).is_file():
            return Path(written)
        words, named = _words(written), []
        for first in range(len(words)):
            end = "/".join(words[first:])
            if named := self.by_end.get(end) or self.by_end.get(os.path.splitext(end)[0], []):  # noqa: PTH122
                others = self.folders.intersection(words[first - 1 : first])
                named = [path for path in ([end] if end in named else named) if others <= {*path.split("/")}]
                break
        if len(named) > 1:
            parts = parts_of(named)
            named = [path for path in named if part and parts.get(path) == part] or named
        if len(named) > 1:
            return f"{len(named)} pictures have this name"
        return self.by_path[named[0]] if named else "no such picture"

    def shown(self, file: Path) -> str:
        """The name of a picture in every table: from the folder on, or whole where it lies somewhere else."""
        name = Path(os.path.relpath(file, self.root)).as_posix()
        return file.as_posix() if name.startswith("../..") else name


def in_words(files: Sequence[Path], folder: Path) -> str:
    """The file of labels below a folder, or how many there are."""
    return files[0].relative_to(folder).as_posix() if len(files) == 1 else f"{len(files):,} files"


def _words(path: str) -> list[str]:
    return [word for word in _plain(path).split("/") if word not in ("", ".")]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def size_of(height: object, width: object) -> tuple[int, int] | None:
    """The size that a file of labels gives its picture, as numbers or words; None where it gives none."""
    try:
        sides = int(float(height)), int(float(width))
    except (TypeError, ValueError, OverflowError):
        return None
    return sides if 0 < min(sides) <= max(sides) < 10**6 else None


def negative(width: float, height: float) -> str:
    """The problem of a box that is written with such sides; "" where there is none."""
    return f"a width and height of {width:g} and {height:g}" if width < 0 or height < 0 else ""


def class_name(written: object) -> str:
    return readable(unicodedata.normalize("NFC", str(written)).strip())


def settle(
    named: Mapping[str, Noted],
    left_out: Iterable[LeftOut],
    learned: Callable[[Noted, Header], tuple[Target | str, list[Mended]]],
    workers: int,
    **about: object,
) -> Found:
    """What can be learned from the notes of pictures: samples, what is left out, and every object mended or dropped.

    named: of `join`. learned: what is learned from a note, or why nothing, and what was done to its things. workers:
    processes that read the pictures' headers. about: more fields of Found.
    """
    sources = ((name, named[name].picture) for name in sorted(named, key=sort_key))
    samples, lost, mended = [], list(left_out), []
    for name, loaded in load_each(sources, Want(header=True), workers):
        note = named[name]
        target, done = (loaded.problem.reason, []) if loaded.problem else learned(note, loaded.header)
        if isinstance(target, str):
            lost.append(note.left_out(name, target))
        else:
            samples.append(Sample(path=name, source=note.picture, target=target, part=note.part))
        for thing, what in done:
            mended.append(note.left_out(name, f"{note.file}, {thing.place}: {what}", thing.name))
    return Found(samples=with_parts(samples), left_out=by_path(lost), mended=mended, **about)


def join(
    pictures: Pictures, notes: Iterable[Noted], left_out: Iterable[LeftOut], unlabelled: str
) -> tuple[dict[str, Noted], list[LeftOut]]:
    """The note of every picture by its name, with the path of its file, and what is left out: of both, and before.

    unlabelled: why a picture that no note names is left out; "" where it has no objects.
    """
    named, lost = {}, list(left_out)
    placed = [(note, file := pictures.find(note.picture, note.part), _way(note, file, pictures)) for note in notes]
    claims: dict[Path | str, set] = {}
    for _, file, way in placed:
        claims.setdefault(file, set()).add(way)
    for note, file, way in placed:
        if way and any(one[0] > way[0] or (one != way and one[::2] == way[::2]) for one in claims[file]):
            file = "no such picture"  # the one of its name is meant by another note, or may be
        missing = isinstance(file, str)
        name = _plain(str(note.picture)) if missing else pictures.shown(file)
        problem = note.problem or (f"{file}, and {note.file} has labels for it" if missing else "")
        first = None if problem else named.get(name)
        if problem:
            lost.append(note.left_out(name, problem))
        elif first and (first.file, first.part, first.size) == (note.file, note.part, note.size):
            named[name] = replace(first, things=(*first.things, *note.things))  # one file, two ways to write the name
        elif first:
            lost.append(note.left_out(note.file, f"not used for {name}: {first.file} gives it labels already"))
        else:
            named[name] = replace(note, picture=Path(os.path.abspath(file)))  # noqa: PTH100
    told = {item.path for item in lost} | named.keys()
    bare = [file for file in pictures.by_path.values() if pictures.shown(file) not in told]
    if unlabelled:
        lost += [LeftOut(path=pictures.shown(file), reason=unlabelled) for file in bare]
    else:
        named |= {pictures.shown(file): Noted(picture=file, file="") for file in bare}
    return named, lost


def _way(note: Noted, file: Path | str, pictures: Pictures) -> tuple[float, str, str] | None:
    """How a note means a file: by how many folders above its name (inf where either path has no more), what is written
    above these and is not the file's, and by which file of labels; None where there is no file."""
    if isinstance(file, str):
        return None
    written = "" if isinstance(note.picture, Path) else note.picture
    pairs = enumerate(zip(_words(written)[-2::-1], _words(pictures.shown(file))[-2::-1], strict=False))
    same, above = next(((same, said) for same, (said, real) in pairs if said != real), (math.inf, ""))
    return same, above, note.file


def boxes_of(note: Noted, header: Header) -> tuple[Boxes | str, list[Mended]]:
    """The boxes of a picture in pixels as it is displayed, or why it cannot be used; and what was done to them."""
    size = (header.height, header.width)
    turn = _turn(note, header)
    if turn is None:
        return f"{note.file} is for a picture of {_form(note.size)} pixels, and it has {_form(size)}", []
    kept: list[tuple[Thing, np.ndarray]] = []
    done: list[Mended] = []
    for thing in note.things:
        corners, what = (None, f"{thing.problem}, dropped") if thing.problem else mended_box(turn(thing.corners), size)
        if corners is not None and (twin := _twin(thing, corners, kept)):
            corners, what = None, f"the same box as {twin}, dropped"
        if what:
            done.append((thing, what))
        if corners is not None:
            kept.append((thing, corners))
    if note.things and not kept:
        return f"{note.file}: all its boxes were dropped, so what it shows is not known", done
    ignored = np.array([thing.ignored or thing.name == IGNORE for thing, _ in kept], bool)
    corners = np.array([corners for _, corners in kept], np.float64).reshape(-1, 4)
    names, ignored = tuple(thing.name for thing, _ in kept), ignored if ignored.any() else None
    return Boxes(names=names, corners=corners, ignored=ignored, size=size), done


def _turn(note: Noted, header: Header) -> Callable[[Sequence[float]], np.ndarray] | None:
    """From corners as written to pixels of the picture as displayed; None where the labels are of another picture.

    A tool that did not heed the EXIF orientation wrote the size that the picture has without it: then the corners
    are turned as the picture is. Labels of a picture of another size and the same form are stretched.
    """
    height, width = header.height, header.width
    written = note.size or (height, width)
    shape = np.array([written[1], written[0]] * 2, np.float64)
    turned = height != width and written == (width, height)
    orientation = file_orientation(note.picture) if turned else 1
    if turned and orientation not in (5, 6, 7, 8):
        return None
    if not turned and abs(written[1] * height / (written[0] * width) - 1) > ANOTHER_FORM:
        return None

    def turn(corners: Sequence[float]) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            x0, y0, x1, y1 = np.asarray(corners, np.float64) / (1.0 if note.shares else shape)
            if orientation in (5, 6, 7, 8):
                x0, y0, x1, y1 = y0, x0, y1, x1
            if orientation in (6, 7):
                x0, x1 = 1 - x1, 1 - x0
            if orientation in (7, 8):
                y0, y1 = 1 - y1, 1 - y0
            exact = not note.shares and orientation == 1 and written == (height, width)
            scaled = np.array([x0, y0, x1, y1]) * np.array([width, height, width, height], np.float64)
            return np.asarray(corners, np.float64) if exact else scaled

    return turn


def mended_box(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    """The corners as they can be used (None: not at all), and what was done ("" for nothing)."""
    if not np.isfinite(corners).all():
        return None, "its corners are no numbers, dropped"
    low, high = np.minimum(corners[:2], corners[2:]), np.maximum(corners[:2], corners[2:])
    what = "" if (corners[:2] <= corners[2:]).all() else "corners in the wrong order, swapped"
    if not (high > low).all():
        return None, f"no area ({_numbers(corners)}), dropped"
    limit = np.array(size[::-1], np.float64)
    if (high <= 0).any() or (low >= limit).any():
        return None, f"outside the picture ({_numbers(corners)} in {_form(size)}), dropped"
    inside = np.concatenate([np.clip(low, 0, limit), np.clip(high, 0, limit)])
    if np.abs(inside - np.concatenate([low, high])).max() > SLIP:
        what = f"reaches out of the picture ({_numbers(corners)} in {_form(size)}), cut at its edge"
    return inside, what


def _twin(thing: Thing, corners: np.ndarray, kept: list[tuple[Thing, np.ndarray]]) -> str:
    near = ((earlier, box) for earlier, box in kept if abs(box[0] - corners[0]) < SLIP)  # first: most differ in it
    alike = ((earlier, box) for earlier, box in near if (earlier.name, earlier.ignored) == (thing.name, thing.ignored))
    return next((earlier.place for earlier, box in alike if np.abs(box - corners).max() < SLIP), "")


def written_number(value: float) -> str:
    """Whole numbers without a point; others to a thousandth of a pixel."""
    return f"{round(value, 3):.10g}"


def _numbers(corners: np.ndarray) -> str:
    return ", ".join(f"{value:.6g}" for value in corners)


def _form(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"
