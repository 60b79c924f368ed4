"""labelme JSON: one file per picture, with shapes. Boxes are rectangles, and the bounds of everything with an area."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from striate.data.boxes import Labelled, Noted, Thing, class_name, size_of
from striate.data.coco import beside, json_files, read_json
from striate.data.content import text_if_any
from striate.errors import StriateError

_WITH_AREA = ("rectangle", "polygon", "mask", "circle", "linestrip", "oriented_rectangle")


def find_labelme(folder: Path) -> list[Path]:
    """The JSON files of `folder` and the folders in it that hold shapes, sorted; none where no file has them whole.

    labelme writes the picture's name last, so that a file which ends too early has shapes and no name.
    """
    words = {file: _words(file) for file in json_files(folder)}
    shapes = [file for file, found in words.items() if "shapes" in found]
    return shapes if any("imagePath" in words[file] for file in shapes) else []


def _words(file: Path) -> list[str]:
    """Which of the words that mark a labelme file it holds."""
    text = text_if_any(file)
    return [word for word in ("shapes", "imagePath") if f'"{word}"' in text]


def read_labelme(folder: Path, files: Sequence[Path], make: Callable[..., Thing] | None = None) -> list[Noted]:
    """What each of `files` says of its picture.

    make(place, name, shape, size): the thing of a shape of a class; a box by default.
    """
    return [_read(file, folder, make or _box) for file in files]


def _read(file: Path, folder: Path, make: Callable[..., Thing]) -> Noted:
    shown = file.relative_to(folder).as_posix()
    try:
        data = read_json(file)
    except StriateError as problem:
        return Noted(picture=file.stem, file=shown, problem=f"{shown}: {problem.received}")
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        return Noted(picture=file.stem, file=shown, problem=f"{shown}: it has no list of shapes")
    written = str(data.get("imagePath") or file.stem).replace("\\", "/")
    near = beside(file, written)
    picture = near if near and near != file else (Path(shown).parent / written).as_posix()
    size = size_of(data.get("imageHeight"), data.get("imageWidth"))
    return Noted(picture=picture, file=shown, things=_things(data["shapes"], size, make), size=size)


def _things(shapes: Sequence[object], size: tuple[int, int] | None, make: Callable[..., Thing]) -> list[Thing]:
    """Shapes of one group and class as one object, with all their pieces and the bounds of all."""
    things: dict[object, Thing] = {}
    for number, shape in enumerate(shapes, start=1):
        thing = _thing(f"shape {number}", shape, size, make)
        group = None if thing.problem else shape.get("group_id")
        key = (group, thing.name) if isinstance(group, int | str) else number
        if first := things.get(key):
            low, high = map(min, first.corners, thing.corners), map(max, first.corners, thing.corners)
            thing = replace(first, pieces=first.pieces + thing.pieces, corners=(*[*low][:2], *[*high][2:]))
        things[key] = thing
    return list(things.values())


def _thing(place: str, shape: object, size: tuple[int, int] | None, make: Callable[..., Thing]) -> Thing:
    if not isinstance(shape, dict):
        return Thing(place=place, problem="a shape has a label and points")
    name = class_name(shape.get("label") or "")
    return make(place, name, shape, size) if name else Thing(place=place, problem="it has no label")


def _box(place: str, name: str, shape: Mapping, _size: tuple[int, int] | None) -> Thing:
    kind = shape.get("shape_type", "polygon")
    if kind not in _WITH_AREA:
        return Thing(place=place, name=name, problem=f"a {kind} has no area")
    try:
        points = [(float(x), float(y)) for x, y in shape["points"]]
        x0, y0, x1, y1 = _bounds(str(kind), points)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return Thing(place=place, name=name, problem="a shape has points of two numbers")
    flags = shape.get("flags")
    ignored = bool(isinstance(flags, Mapping) and flags.get("ignored"))
    return Thing(place=place, name=name, corners=(x0, y0, x1, y1), ignored=ignored, outlined=kind != "rectangle")


def _bounds(kind: str, points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    if kind == "circle":  # its centre, and a point on it
        (x, y), (rim_x, rim_y) = points[:2]
        radius = ((rim_x - x) ** 2 + (rim_y - y) ** 2) ** 0.5
        return x - radius, y - radius, x + radius, y + radius
    xs, ys = zip(*points, strict=True)
    last = int(kind == "mask" and len(points) > 1)  # its corners are pixels that belong to it
    return min(xs), min(ys), max(xs) + last, max(ys) + last


def labelme_records(pictures: Sequence[Labelled]) -> Iterator[tuple[str, dict]]:
    """(name of the file, what it holds) for every (path, boxes)."""
    for path, boxes in pictures:
        shapes, (height, width) = [], boxes.size
        for name, corners, ignored, _ in boxes.each():
            points = [corners[:2], corners[2:]]
            flags = {"ignored": True} if ignored else {}
            shapes.append(
                {"label": name, "points": points, "group_id": None, "shape_type": "rectangle", "flags": flags}
            )
        record = {"version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": Path(path).name, "imageData": None}
        yield Path(path).with_suffix(".json").as_posix(), {**record, "imageHeight": height, "imageWidth": width}
