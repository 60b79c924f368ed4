"""Many pictures in one file: NumPy .npz and .npy, MNIST .idx and HDF5 become rows of one array.

Names tell what an array holds: "train_images" and "train_labels", "x_test" and "y_test", "images" and
"labels", also where they are names of files (train-images-idx3-ubyte.gz, X.npy).
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from striate.data.arrays import cells_of, read_rows, rows_of_form
from striate.data.columns import COLUMNS
from striate.data.folder import PART_NAMES, is_picture_name, visible
from striate.data.measurements import FEWEST
from striate.data.npy import channels_come_first
from striate.data.packs import Array, arrays_of
from striate.data.sample import Found
from striate.data.series import all_series
from striate.data.targets import meaning_of_rows
from striate.errors import StriateError, first_few

_FILE = re.compile(r"(.+?)([.-]idx\d?(-u?byte)?|-ubyte|\.npz|\.npy|\.h5|\.hdf5)(\.gz)?", re.IGNORECASE)
_WORDS = {
    **dict.fromkeys(("images", "image", "imgs", "img", "pictures", "x", "data"), "pictures"),
    **dict.fromkeys(("labels", "label", "y", "targets", "target", "classes", "class"), "labels"),
    **dict.fromkeys((*COLUMNS["group"], "groups", "patients", "subjects", "slides"), "groups"),
}
_MOST_FILES = 100


@dataclass(frozen=True)
class _Name:
    """What a name tells: what the array holds ("pictures", "labels", "groups" or ""), its part, and the rest."""

    holds: str
    part: str
    rest: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "_Name":
        plain = re.sub(r"t10k", "test", text, flags=re.IGNORECASE)
        plain = re.sub(rf"(?i)\b([xy])({'|'.join(PART_NAMES)})\b", r"\1 \2", plain)
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", plain)]
        holds = [_WORDS[word] for word in words if word in _WORDS]
        parts = [PART_NAMES[word] for word in words if word in PART_NAMES]
        rest = tuple(word for word in words if word not in (*_WORDS, *PART_NAMES, "id", "ids"))
        return cls(holds[-1] if holds else "", parts[0] if parts else "", rest)


@dataclass(frozen=True)
class _Set:
    """The pictures of one part, with what belongs to them by its name."""

    part: str
    pictures: Array
    labels: Array | None
    groups: Array | None

    @property
    def name(self) -> str:
        """What its rows are called: "test/12"."""
        return self.part or "array"

    @cached_property
    def is_sure(self) -> bool:
        """Whether these are many pictures, and not one picture of several channels or pages."""
        array = self.pictures
        return bool(self.labels or self.part) or len(array.shape) == 4 or array.kind == "idx"


def is_packed(source: Path) -> bool:
    """Whether `source` is a file of many pictures, or a folder of nothing but such files and notes.

    Raises StriateError for a damaged file and where there is no telling which array is which.
    """
    files = _files(source)
    if not files or (source.is_dir() and any(map(_is_other, visible(source)))):
        return False
    return any(one.is_sure for one in _sets(source, files))


def read_packed(source: Path, task: str | None = None, form: str = "auto") -> Found:
    """The labelled pictures of `source`, with their parts where names tell several; rows are views of one array.

    task, form: as in `arrays.read_arrays`. Raises StriateError for pictures without labels, a damaged file, one that is
    larger than the memory, and where there is no telling which array is which.
    """
    samples, left_out, sets = [], [], _sets(source, _files(source))
    if bare := [one.pictures.name for one in sets if one.labels is None]:
        raise _unclear(source, f"no labels for {bare[0]}")
    if form == "auto":
        form = "series" if len(sets[0].pictures.shape) == 2 else "picture"
    loaded = []
    for one in sets:
        pixels = _pixels(one, form)
        loaded.append((one, pixels, cells_of(one.labels.load(), len(pixels), one.name)))
    meaning = meaning_of_rows([line for *_, lines in loaded for line in lines], task)
    for one, pixels, lines in loaded:
        groups = one.groups.load() if one.groups else None
        part = one.part if one.part and len(sets) > 1 else None
        rows, bare = read_rows(pixels, lines, meaning, groups, one.name, part, form)
        samples += rows
        left_out += bare
    root = os.path.abspath(source)  # noqa: PTH100
    found = Found(root=root, kind="packed", samples=samples, left_out=left_out, form=form, **meaning.about)
    return all_series(found) if form == "series" else found


def packed_pictures(source: Path, form: str = "picture") -> Iterator[tuple[str, np.ndarray]]:
    """Every picture of `source` with its name ("test/12"), whether it has a label or not."""
    for one in _sets(source, _files(source)):
        for row, pixels in enumerate(rows_of_form(_pixels(one, form), form, one.name)):
            yield f"{one.name}/{row}", pixels


def _pixels(one: _Set, form: str) -> np.ndarray:
    """(N, H, W) or (N, H, W, C); channels that come first, as PyTorch has them, are moved last."""
    pixels = one.pictures.load()
    if form == "volume":
        return pixels
    return np.moveaxis(pixels, 1, -1) if channels_come_first(pixels.shape[1:]) else pixels


def _is_other(path: Path) -> bool:
    """Whether something in a folder speaks against it being nothing but packed files: a folder, a picture."""
    return not _FILE.fullmatch(path.name) and (path.is_dir() or is_picture_name(path.name))


def _files(source: Path) -> list[Path]:
    """The files that may hold the arrays: those in a folder, or the file with its labels in a file beside it."""
    own = _FILE.fullmatch(source.name)
    if source.is_dir():
        found = [path for path in visible(source) if _FILE.fullmatch(path.name)]
        names = {path.name for path in found}
        found = [path for path in found if path.name.removesuffix(".gz") not in names - {path.name}]
        return found if len(found) <= _MOST_FILES else []
    if own is None or not source.is_file():
        return []
    name = _Name.of(own[1])
    if source.suffix.lower() == ".npy" and name.holds != "pictures":
        return []  # one picture
    return [source] if source.suffix.lower() == ".npz" else [source, *_beside(source, name)]


def _beside(source: Path, name: _Name) -> list[Path]:
    """The files in the same folder with the labels and groups of `source`."""
    wanted = {_Name(holds, name.part, name.rest) for holds in ("labels", "groups")}
    matches = [(path, _FILE.fullmatch(path.name)) for path in reversed(visible(source.parent))]
    found = {match[1]: path for path, match in matches if match and _Name.of(match[1]) in wanted}
    return list(found.values())  # of a file and its .gz the file


def _sets(source: Path, files: list[Path]) -> list[_Set]:
    """The pictures of `files`, part by part: those for training first, then validation, then test."""
    known: defaultdict[tuple, list[Array]] = defaultdict(list)
    arrays = [array for file in files for array in arrays_of(file)]
    alone = len(arrays) == len(files)  # then the names of the files tell what they hold
    for array in arrays:
        outer = _Name.of(_FILE.fullmatch(array.file.name)[1])
        inner = _Name.of("" if array.name == array.file.name else array.name)
        holds = inner.holds or (outer.holds if alone else "")
        if holds == "pictures" and not _is_many(array, arrays):
            holds = ""  # image_ids
        known[holds, inner.part or outer.part, outer.rest + inner.rest].append(array)
    pictures = [key for key in known if key[0] == "pictures"]
    if not pictures:
        return _by_shape(source, arrays)
    if len({rest for _, _, rest in pictures}) > 1 or any(len(known[key]) > 1 for key in pictures):
        raise _unclear(source, f"pictures in {first_few([a.name for key in pictures for a in known[key]])}")
    sets = []
    for _, part, rest in sorted(pictures, key=lambda key: ["train", "", "validation", "test"].index(key[1])):
        of = {holds: known.get((holds, part, rest), []) for holds in ("pictures", "labels", "groups")}
        if max(map(len, of.values())) > 1:
            raise _unclear(source, f"several arrays of {part} labels")
        sets.append(_Set(part, *(found[0] if found else None for found in of.values())))
    return sets


def _is_many(array: Array, arrays: list[Array]) -> bool:
    """Whether an array is one of pictures or, where none of three axes is there, of series (N, L)."""
    axes = max(len(other.shape) for other in arrays)
    return len(array.shape) > 2 or (len(array.shape) == axes == 2 and array.shape[1] >= FEWEST)


def _by_shape(source: Path, arrays: list[Array]) -> list[_Set]:
    """The only array of three axes or more, with the only other one that is as long."""
    many = [array for array in arrays if _is_many(array, arrays)]
    if len(many) == 1:
        labels = [array for array in arrays if array.shape in (many[0].shape[:1], (many[0].shape[0], 1))]
        if len(labels) == 1 or len(arrays) == 1:
            return [_Set("", many[0], labels[0] if labels else None, None)]
    if source.is_dir() or len(arrays) < 2:
        return []
    raise _unclear(source, first_few([f"{array.name} {array.shape}" for array in arrays]))


def _unclear(source: Path, received: str) -> StriateError:
    rule = "names of arrays must tell pictures from labels"
    remedy = "call them images and labels, or train_images, train_labels, test_images, test_labels"
    return StriateError(rule, received=received, where=source, remedy=remedy)
