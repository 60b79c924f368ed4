"""Polygons and runs of COCO JSON and polygons of labelme JSON and YOLO text become masks."""

import base64
import binascii
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data import yolo
from striate.data.boxes import Pictures, Thing, class_name, mended_box
from striate.data.coco import Tables, beside, find_coco, id_of, part_of, read_json, tables_of
from striate.data.folder import sort_key, with_parts
from striate.data.guard import load_each
from striate.data.header import Unreadable
from striate.data.labelmap import misfit
from striate.data.labelme import IGNORE, find_labelme
from striate.data.load import Want
from striate.data.painted import checked_runs, runs_of, unpacked
from striate.data.pixels import turned_size
from striate.data.raster import file_orientation
from striate.data.sample import Found, LeftOut, Mask, Runs, Sample, class_order
from striate.data.values import mask_values
from striate.errors import StriateError

BACKGROUND = "background"
CIRCLE = 180  # corners of the polygon that stands for a circle
WORKERS = 2

Pieces = tuple[np.ndarray | Runs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What a file says of one picture: shapes (place, class name, pieces or what is wrong with it).

    shares: the corners are in shares of the picture's sides, not in pixels. problem: why nothing of it can be used.
    """

    picture: str | Path
    file: str
    shapes: Sequence[tuple[str, str, Pieces | str]]
    size: tuple[int, int] | None = None
    part: str | None = None
    shares: bool = False
    problem: str = ""


def has_outlines(source: Path) -> bool:
    """Whether there are COCO or labelme files, or YOLO text with outlines."""
    folder = source.parent if source.is_file() else source
    return bool(find_coco(folder) or find_labelme(folder) or yolo.has_outlines(folder))


def read_outlines(source: Path) -> Found:
    """The pictures of a folder, or of one COCO file or data.yaml in it, with the areas that are drawn on them.

    Objects stay separate and are painted in the order of the file; what no area covers is background. COCO's crowds and
    labelme's __ignore__ are unknown. Shapes without an area are listed in `mended`.
    """
    source = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
    folder = source.parent if source.is_file() else source
    pictures = Pictures.below(folder)
    found: dict[Path, _Drawn] = {}
    left_out: list[LeftOut] = []
    drawn, written = _drawn_in(source, folder, pictures, left_out)
    for one in drawn:
        file = pictures.find(one.picture, one.part)
        file = Path(os.path.abspath(file)) if isinstance(file, Path) else file  # noqa: PTH100 - one way to write it
        if problem := one.problem or (isinstance(file, str) and f"{one.picture}: {file}"):
            left_out.append(LeftOut(path=one.file, reason=problem))
        elif file in found:
            left_out.append(LeftOut(path=one.file, reason=f"{one.picture}: {found[file].file} has outlines for it too"))
        else:
            found[file] = one
    used = {name for one in found.values() for _, name, pieces in one.shapes if not isinstance(pieces, str)}
    names = (BACKGROUND, *(name for name in class_order(used - {IGNORE}) if name.strip("_").lower() != BACKGROUND))
    if len(names) < 2:
        received, remedy = f"none in {written}", "--task detection learns boxes"
        raise StriateError("outlines name at least one class", received=received, where=source, remedy=remedy)
    samples, wrong, mended = _settled(pictures, found, names)
    lone = set(pictures.by_path.values()) - found.keys()
    left_out += wrong + [LeftOut(path=pictures.shown(file), reason="no outlines go with it") for file in lone]
    return Found(
        root=str(pictures.root),
        kind="masks",
        task="segmentation",
        samples=with_parts(sorted(samples, key=lambda sample: sort_key(sample.path))),
        left_out=sorted(left_out, key=lambda item: sort_key(item.path)),
        labels=f"outlines in {written}",
        names=names,
        mended=mended,
    )


def _drawn_in(source: Path, folder: Path, pictures: Pictures, left_out: list[LeftOut]) -> tuple[Iterable[_Drawn], str]:
    """What files say of the pictures, and which files these are, in words."""
    if source.is_file() and source.suffix in yolo.LISTS:
        return _of_yolo(folder, source, pictures, left_out), "YOLO text"
    coco = [source] if source.is_file() else find_coco(folder)
    files = coco or find_labelme(folder)
    if not files:
        return _of_yolo(folder, yolo.find_yolo(folder), pictures, left_out), "YOLO text"
    drawn, written = (_of_coco(folder, files), "COCO JSON") if coco else (map(_of_labelme, files), "labelme JSON")
    named = files[0].relative_to(folder).as_posix() if len(files) == 1 else f"{len(files):,} files"
    return drawn, f"{written} ({named})"


def _settled(
    pictures: Pictures, found: Mapping[Path, _Drawn], names: tuple[str, ...]
) -> tuple[list[Sample], list[LeftOut], list[LeftOut]]:
    """Samples, pictures whose outlines do not fit, and shapes that are not used."""
    samples, wrong, mended = [], [], []
    for (file, one), loaded in load_each((((f, d), f) for f, d in found.items()), Want(header=True), WORKERS):
        path, orientation = pictures.shown(file), 1
        size = loaded.header and (loaded.header.height, loaded.header.width)
        if size and one.size and size != one.size:
            orientation = file_orientation(file)
            if turned_size(*one.size, orientation) != size:
                wrong.append(LeftOut(path=path, reason=misfit(*one.size, *size, f"in {one.file}"), part=one.part or ""))
                continue
        shapes = [(*shape, _scaled(pieces, size) if one.shares else pieces) for *shape, pieces in one.shapes]
        seen = [(place, name, _seen(pieces, one.size or size)) for place, name, pieces in shapes]
        used = [shape for shape in seen if not isinstance(shape[2], str)]
        lost = [shape for shape in seen if isinstance(shape[2], str)]
        mended += [LeftOut(path=path, reason=f"{one.file}, {place}: {why}", label=name) for place, name, why in lost]
        if lost and not used:
            reason = f"{one.file}: all its outlines were dropped, so what it shows is not known"
            wrong.append(LeftOut(path=path, reason=reason, part=one.part or ""))
            continue
        polygons = tuple((BACKGROUND if name not in (*names, IGNORE) else name, pieces) for _, name, pieces in used)
        mask = Mask(
            kind="polygons",
            names=names,
            polygons=polygons,
            size=one.size or size,
            orientation=orientation,
            ignore=IGNORE,
        )
        samples.append(Sample(path=path, source=file, target=mask, part=one.part))
    return samples, wrong, mended


def _scaled(pieces: Pieces | str, size: tuple[int, int] | None) -> Pieces | str:
    """Rings in shares of the sides of a picture of that size, in pixels."""
    if isinstance(pieces, str) or size is None:  # a picture without a size is left out when it is read
        return pieces
    return tuple(ring * (size[1], size[0]) for ring in pieces)


def _seen(pieces: Pieces | str, size: tuple[int, int] | None) -> Pieces | str:
    """The pieces, or why there is nothing of them on a picture of that size."""
    if isinstance(pieces, str) or size is None:
        return pieces
    if any(isinstance(piece, Runs) for piece in pieces):
        empty = not any(piece.counts[1::2].any() if isinstance(piece, Runs) else len(piece) for piece in pieces)
        return "no area, dropped" if empty else pieces
    corners = np.concatenate(pieces)
    inside, why = mended_box(np.concatenate([corners.min(axis=0), corners.max(axis=0)]), size)
    return why if inside is None else pieces


def _of_coco(folder: Path, files: Sequence[Path]) -> Iterator[_Drawn]:
    for file in files:
        held, part = tables_of(file), part_of(file.relative_to(folder)) if len(files) > 1 else None
        shown = file.relative_to(folder).as_posix()
        for reason in held.lost:
            yield _Drawn(picture="", file=shown, shapes=(), problem=reason)
        for number, item in held.images.items():
            size, name = _size(item.get("height"), item.get("width")), str(item["file_name"])
            yield _Drawn(
                picture=beside(file, name) or name,
                file=shown,
                shapes=[_coco_shape(place, one, held, size) for place, one in held.annotations[number]],
                size=size,
                part=part,
            )


def _coco_shape(place: str, item: Mapping, held: Tables, size: tuple[int, int] | None) -> tuple[str, str, Pieces | str]:
    kind = item.get("category_id")
    name = held.names.get(id_of(kind), "")
    if not name:
        return place, "", f"category {kind!r} is none of the {len(held.names)} that are listed"
    written = item.get("segmentation")
    if not written:
        return place, name, "it has no outline"
    try:
        if isinstance(written, dict):
            pieces: Pieces = (_runs(written, size),)
        else:
            pieces = tuple(_ring(np.asarray(ring, np.float64).reshape(-1, 2)) for ring in written)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        return place, name, f"no outline that can be read: {problem}"
    return place, IGNORE if held.is_crowd(item) else name, pieces


def _runs(written: Mapping, size: tuple[int, int] | None) -> Runs:
    height, width = (int(side) for side in written["size"])
    if size is not None and (height, width) != size:
        raise ValueError(f"runs of {width} × {height} pixels")
    counts = written["counts"]
    if isinstance(counts, str | bytes):
        return unpacked(counts if isinstance(counts, str) else counts.decode("ascii"), height, width)
    return checked_runs(counts, height, width)


def _ring(corners: np.ndarray) -> np.ndarray:
    if len(corners) < 3 or not np.isfinite(corners).all() or np.abs(corners).max() > 1e6:
        raise ValueError("an outline has at least three corners")
    return corners


def _of_labelme(file: Path) -> _Drawn:
    try:
        data = read_json(file)
    except StriateError as problem:
        return _Drawn(picture=file.stem, file=file.name, shapes=(), problem=str(problem.received))
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        return _Drawn(picture=file.stem, file=file.name, shapes=(), problem="it has no list of shapes")
    written = str(data.get("imagePath") or file.stem).replace("\\", "/")
    near = beside(file, written)
    size = _size(data.get("imageHeight"), data.get("imageWidth"))
    return _Drawn(
        picture=near if near and near != file else written,
        file=file.name,
        shapes=_joined(_labelme_shapes(data["shapes"], size)),
        size=size,
    )


def _labelme_shapes(
    shapes: Iterable[object], size: tuple[int, int] | None
) -> Iterator[tuple[object, tuple[str, str, Pieces | str]]]:
    """(group, shape) of each."""
    for number, shape in enumerate(shapes, 1):
        place = f"shape {number}"
        if not isinstance(shape, dict) or not shape.get("label"):
            yield None, (place, "", "it has no label")
            continue
        name = class_name(shape["label"])
        try:
            yield shape.get("group_id"), (place, name, (_labelme_piece(shape, size),))
        except (KeyError, TypeError, ValueError, OverflowError, IndexError, Unreadable, binascii.Error) as problem:
            yield None, (place, name, f"no area: {problem}")


def _labelme_piece(shape: Mapping, size: tuple[int, int] | None) -> np.ndarray | Runs:
    points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
    match kind := shape.get("shape_type") or "polygon":
        case "polygon" | "oriented_rectangle":
            return _ring(points)
        case "rectangle":
            (x0, y0), (x1, y1) = points[:2]
            return _ring(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
        case "circle":
            angles = 2 * np.pi * np.arange(CIRCLE) / CIRCLE
            return _ring(points[0] + math.dist(*points[:2]) * np.stack([np.cos(angles), np.sin(angles)], axis=1))
        case "mask" if size is not None:
            inside = np.zeros(size, bool)
            x, y = (int(value) for value in points[0])
            rows, columns = np.nonzero(mask_values(base64.b64decode(shape["mask"])))
            rows, columns = rows + y, columns + x
            here = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
            inside[rows[here], columns[here]] = True
            return runs_of(inside)
    raise ValueError(f"a {kind} has none")


def _of_yolo(folder: Path, found: Path, pictures: Pictures, left_out: list[LeftOut]) -> Iterator[_Drawn]:
    notes, lost, _ = yolo.read_yolo(folder, found, pictures, outlines=True)
    left_out += lost
    for note in notes:
        shapes = [(thing.place, thing.name, thing.problem or _yolo_pieces(thing)) for thing in note.things]
        if note.file:  # else nothing is said of the picture
            yield _Drawn(
                picture=note.picture, file=note.file, shapes=shapes, part=note.part, shares=True, problem=note.problem
            )


def _yolo_pieces(thing: Thing) -> Pieces | str:
    return (np.asarray(thing.outline).reshape(-1, 2),) if thing.outline else "a box, and no outline"


def _joined(shapes: Iterable[tuple[object, tuple[str, str, Pieces | str]]]) -> list[tuple[str, str, Pieces | str]]:
    """Shapes of one group and class as one object of several pieces."""
    out: list[tuple[str, str, Pieces | str]] = []
    first: dict[tuple[object, str], int] = {}
    for group, shape in shapes:
        key = group, shape[1]
        if not isinstance(group, int | str) or key not in first:
            first[key] = len(out)
            out.append(shape)
        else:
            place, name, pieces = out[first[key]]
            out[first[key]] = place, name, (*pieces, *shape[2])
    return out


def _size(height: object, width: object) -> tuple[int, int] | None:
    known = all(isinstance(side, int) and 0 < side < 10**6 for side in (height, width))
    return (height, width) if known else None
