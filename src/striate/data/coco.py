"""COCO JSON: pictures, categories and annotations in one file, or in one per part."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.boxes import Labelled, Noted, Thing, class_name, negative, size_of
from striate.data.content import read_text, text_if_any
from striate.data.folder import PART_NAMES, visible_below
from striate.data.painted import checked_runs, painted, unpacked
from striate.data.sample import IGNORE, LeftOut, Runs
from striate.errors import StriateError

_FIELDS = ("images", "annotations", "categories")


def read_json(file: Path) -> object:
    """What a JSON file holds; StriateError where it is damaged."""
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as problem:
        what = f"damaged JSON: {problem}"
        raise StriateError("a file of labels must be whole", received=what, where=file) from None


def beside(file: Path, name: str) -> Path | None:
    """The file of that name, or path, as seen from the folder of `file`; None where there is none."""
    near = file.parent / name
    return near if "\0" not in name and len(name) < 2000 and near.is_file() else None


def find_coco(folder: Path) -> list[Path]:
    """The JSON files of `folder` and the folders in it that have a COCO file's three lists, or end before the third,
    sorted."""
    return [file for file in json_files(folder) if _is_coco(file)]


def json_files(folder: Path) -> Iterator[Path]:
    """The JSON files of `folder` and, two steps down, of the folders in it."""
    return visible_below(folder, "*.json", "*/*.json", "*/*/*.json")


def _is_coco(file: Path) -> bool:
    text = text_if_any(file)
    found = [f'"{name}"' in text for name in _FIELDS]
    return all(found) or (sum(found) == 2 and text.lstrip()[:1] == "{" and text.rstrip()[-1:] != "}")


def part_of(file: Path, files: Sequence[Path], folder: Path) -> str | None:
    """The part that the name of one of several files below a folder stands for: instances_train2017.json,
    test_labels.csv, _annotations.coco.json in valid/."""
    named = f"{file.parent.name if file.parent != folder else ''} {file.stem}".lower() if len(files) > 1 else ""
    words = "".join(letter if letter.isalpha() else " " for letter in named)
    parts = {PART_NAMES[word] for word in words.split() if word in PART_NAMES}
    return parts.pop() if len(parts) == 1 else None


def read_coco(
    folder: Path, files: Sequence[Path], make: Callable[..., Thing] | None = None
) -> tuple[list[Noted], list[LeftOut], tuple[str, ...]]:
    """What each file says of its pictures, in a part where the files are called so; what is lost; all classes.

    make(place, name, annotation, crowd, size): the thing of an annotation of a class; a box by default.
    """
    notes: list[Noted] = []
    lost: list[LeftOut] = []
    names: dict[str, None] = {}
    for file in files:
        shown, inner, held = file.relative_to(folder).as_posix(), file.parent.relative_to(folder), tables_of(file)
        part = part_of(file, files, folder)
        names |= dict.fromkeys(held.names.values())
        lost += [LeftOut(path=shown, reason=reason) for reason in held.lost]
        for number, item in held.images.items():
            size, name = size_of(item.get("height"), item.get("width")), str(item["file_name"])
            picture = beside(file, name) or (inner / name).as_posix()  # the same name may be in several parts
            things = [_thing(place, one, held, size, make or _box) for place, one in held.annotations[number]]
            notes.append(Noted(picture=picture, file=shown, things=things, size=size, part=part))
    return notes, lost, tuple(names)


@dataclass(frozen=True, slots=True)
class Tables:
    """A COCO file: names of categories, images, and the annotations of each with their places in words, all by id as
    text (some files write an id as a number here and as text there); lost: what belongs to nothing, and why.

    has_crowds: whether iscrowd means a crowd. CVAT sets it for all that was painted with a brush and has runs, so it
    does not where most annotations are such.
    """

    names: dict[str, str]
    images: dict[str, Mapping]
    annotations: dict[str, list[tuple[str, Mapping]]]
    lost: list[str]
    has_crowds: bool


def tables_of(file: Path) -> Tables:
    """What a COCO file holds; StriateError where it has not all three lists."""
    data = read_json(file)
    if not isinstance(data, dict) or not all(isinstance(data.get(name), list) for name in _FIELDS):
        rule = "a COCO file holds the lists images, annotations and categories"
        raise StriateError(rule, received=type(data).__name__, where=file)
    lost: list[str] = []
    categories, images = _by_id(data["categories"], "name", lost), _by_id(data["images"], "file_name", lost)
    annotations: dict[str, list[tuple[str, Mapping]]] = {number: [] for number in images}
    for number, item in enumerate(data["annotations"], start=1):
        known = isinstance(item, dict)
        place = f"annotation {item.get('id', number) if known else number}"
        if known and id_of(item.get("image_id")) in images:
            annotations[id_of(item["image_id"])].append((place, item))
        else:
            lost.append(f"{place}: it is of a picture that images does not list")
    items = (item for item in data["annotations"] if isinstance(item, dict))
    crowds = sum(item.get("iscrowd") == 1 and isinstance(item.get("segmentation"), dict) for item in items)
    names = {number: class_name(item["name"]) for number, item in categories.items()}
    return Tables(names, images, annotations, lost, has_crowds=2 * crowds <= len(data["annotations"]))


def id_of(value: object) -> str | None:
    """An id as text, of 3.0 too, which pandas makes of 3 in a column with a gap; None for what is none."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return str(whole) if isinstance(whole, int | str) else None


def _by_id(listed: list, name: str, lost: list[str]) -> dict[str, Mapping]:
    found: dict[str, Mapping] = {}
    for item in listed:
        if isinstance(item, dict) and id_of(item.get("id")) and id_of(item.get(name)):
            first = found.setdefault(id_of(item["id"]), item)[name]
            if first != item[name]:
                lost.append(f"{item[name]}: its id {item['id']} is also that of {first}")
    return found


def _thing(place: str, item: Mapping, held: Tables, size: tuple[int, int] | None, make: Callable[..., Thing]) -> Thing:
    kind = item.get("category_id")
    if name := held.names.get(id_of(kind), ""):
        return make(place, name, item, held.has_crowds and item.get("iscrowd") == 1, size)
    return Thing(place=place, problem=f"category {kind!r} is none of the {len(held.names)} that are listed")


def _box(place: str, name: str, item: Mapping, crowd: bool, size: tuple[int, int] | None) -> Thing:
    try:
        x, y, width, height = (float(value) for value in item.get("bbox") or _bounds(item["segmentation"], size))
    except (KeyError, TypeError, ValueError, OverflowError, IndexError):
        return Thing(place=place, name=name, problem="a box has the four numbers x, y, width, height")
    corners, problem = (x, y, x + width, y + height), negative(width, height)
    outlined = bool(item.get("segmentation"))
    return Thing(place=place, name=name, corners=corners, ignored=crowd, outlined=outlined, problem=problem)


def _bounds(written: Sequence[Sequence[float]] | Mapping, size: tuple[int, int] | None) -> tuple[float, ...]:
    """x, y, width and height of polygons or runs, where a tool writes no box beside them."""
    if isinstance(written, Mapping):
        runs = runs_in(written, size)
        inside = painted((runs,), runs.height, runs.width)
        xs, ys = (np.flatnonzero(inside.any(axis=axis))[[0, -1]] + (0, 1) for axis in (0, 1))
    else:
        xs, ys = ([value for ring in written for value in ring[first::2]] for first in (0, 1))
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def runs_in(written: Mapping, size: tuple[int, int] | None) -> Runs:
    """The runs of an outline, as counts or letters, on a picture of that (height, width); else ValueError or alike."""
    height, width = (int(side) for side in written["size"])
    if size is not None and (height, width) != size:
        raise ValueError(f"runs of {width} × {height} pixels")
    counts = written["counts"]
    if isinstance(counts, str | bytes):
        return unpacked(counts if isinstance(counts, str) else counts.decode("ascii"), height, width)
    return checked_runs(counts, height, width)


def coco_record(pictures: Sequence[Labelled], classes: Sequence[str]) -> dict:
    """One COCO file of every (path, boxes); predicted boxes have their score."""
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    images, annotations = [], []
    for number, (path, boxes) in enumerate(pictures, start=1):
        height, width = boxes.size
        images.append({"id": number, "file_name": path, "height": height, "width": width})
        for name, (x0, y0, x1, y1), crowd, confidence in boxes.each():
            box = [round(value, 3) for value in (x0, y0, x1 - x0, y1 - y0)]
            score = {} if confidence is None else {"score": round(confidence, 6)}
            for kind in numbers.values() if name == IGNORE else (numbers[name],):  # of no class: a crowd of each
                item = {"id": len(annotations) + 1, "image_id": number, "category_id": kind, "bbox": box}
                annotations.append({**item, "area": round(box[2] * box[3], 3), "iscrowd": int(crowd), **score})
    categories = [{"id": number, "name": name} for name, number in numbers.items() if name]
    return {"images": images, "annotations": annotations, "categories": categories}
