"""Polygons and runs of COCO JSON and polygons of labelme JSON and YOLO text become masks."""

import base64
import binascii
import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from striate.data import yolo
from striate.data.boxes import Mended, Noted, Pictures, Pieces, Thing, in_words, join, mended_box, settle
from striate.data.coco import find_coco, read_coco, runs_in
from striate.data.header import Header, Unreadable
from striate.data.labelmap import misfit
from striate.data.labelme import find_labelme, read_labelme
from striate.data.painted import runs_of
from striate.data.pixels import turned_size
from striate.data.raster import file_orientation
from striate.data.sample import BACKGROUND, IGNORE, Found, LeftOut, Mask, Runs, class_order
from striate.data.values import mask_values
from striate.errors import StriateError

CIRCLE = 180  # corners of the polygon that stands for a circle
WORKERS = 2  # processes that look at pictures and masks


def has_outlines(source: Path) -> bool:
    """Whether there are COCO or labelme files, or YOLO text with outlines."""
    folder = source.parent if source.is_file() else source
    return bool(find_coco(folder) or find_labelme(folder) or yolo.has_outlines(folder))


def read_outlines(source: Path) -> Found:
    """The pictures of a folder, or of one COCO file or data.yaml in it, with the areas that are drawn on them.

    Objects stay separate and are painted in the order of the file; what no area covers is background. COCO's crowds,
    which are painted first, and labelme's __ignore__ are unknown. Shapes without an area are listed in `mended`.
    """
    source = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
    folder = source.parent if source.is_file() else source
    pictures = Pictures.below(folder)
    notes, lost, written = _noted(source, folder, pictures)
    named, lost = join(pictures, notes, lost, "no outlines go with it")
    used = {thing.name for note in named.values() for thing in note.things if not thing.problem}
    names = (BACKGROUND, *(name for name in class_order(used - {IGNORE}) if name.strip("_").lower() != BACKGROUND))
    if len(names) < 2:
        received, remedy = f"none in {written}", "--task detection learns boxes"
        raise StriateError("outlines name at least one class", received=received, where=source, remedy=remedy)
    about = {"root": str(folder), "kind": "masks", "task": "segmentation", "labels": f"outlines in {written}"}
    return settle(named, lost, partial(_mask, names=names), WORKERS, names=names, **about)


def _noted(source: Path, folder: Path, pictures: Pictures) -> tuple[list[Noted], list[LeftOut], str]:
    """What files say of the pictures, what is of none, and which files these are, in words."""
    is_list = source.is_file() and source.suffix in yolo.LISTS
    coco = [source] if source.is_file() else find_coco(folder)
    files = [] if is_list else coco or find_labelme(folder)
    if not files:
        found = source if is_list else yolo.find_yolo(folder)
        notes, lost, *_ = yolo.read_yolo(folder, found, pictures, outlines=True)
        return [note for note in notes if note.file], lost, "YOLO text"  # of the others nothing is said
    if coco:
        return *read_coco(folder, files, _coco_thing)[:2], f"COCO JSON ({in_words(files, folder)})"
    return read_labelme(folder, files, _labelme_thing), [], f"labelme JSON ({in_words(files, folder)})"


def _mask(note: Noted, header: Header, names: tuple[str, ...]) -> tuple[Mask | str, list[Mended]]:
    """The areas on a picture, or why it cannot be used; and the shapes that are not used."""
    size, orientation, used, dropped = (header.height, header.width), 1, [], []
    if note.size and size != note.size:
        orientation = file_orientation(note.picture)
        if turned_size(*note.size, orientation) != size:
            return misfit(*note.size, *size, f"in {note.file}"), []
    for thing in sorted(note.things, key=lambda thing: not thing.ignored):  # a crowd holds objects that are known
        pieces = tuple(ring * size[::-1] for ring in thing.pieces) if note.shares else thing.pieces
        if why := thing.problem or _unseen(pieces, note.size or size):
            dropped.append((thing, why))
        else:
            used.append((thing.name if thing.name in (*names, IGNORE) else BACKGROUND, pieces))
    if note.things and not used:
        return f"{note.file}: all its outlines were dropped, so what it shows is not known", dropped
    size, painted = note.size or size, tuple(used)
    mask = Mask(kind="polygons", names=names, polygons=painted, size=size, orientation=orientation, ignore=IGNORE)
    return mask, dropped


def _unseen(pieces: Pieces, size: tuple[int, int]) -> str:
    """Why there is nothing of the pieces on a picture of that size; "" where there is."""
    if any(isinstance(piece, Runs) for piece in pieces):
        empty = not any(piece.counts[1::2].any() if isinstance(piece, Runs) else len(piece) for piece in pieces)
        return "no area, dropped" if empty else ""
    corners = np.concatenate(pieces)
    inside, why = mended_box(np.concatenate([corners.min(axis=0), corners.max(axis=0)]), size)
    return why if inside is None else ""


def _coco_thing(place: str, name: str, item: Mapping, crowd: bool, size: tuple[int, int] | None) -> Thing:
    written = item.get("segmentation")
    if not written:
        return Thing(place=place, name=name, problem="it has no outline")
    try:
        if isinstance(written, dict):
            pieces: Pieces = (runs_in(written, size),)
        else:
            pieces = tuple(_ring(np.asarray(ring, np.float64).reshape(-1, 2)) for ring in written)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        return Thing(place=place, name=name, problem=f"no outline that can be read: {problem}")
    return Thing(place=place, name=IGNORE if crowd else name, pieces=pieces, ignored=crowd)


def _ring(corners: np.ndarray) -> np.ndarray:
    if len(corners) < 3 or not np.isfinite(corners).all() or np.abs(corners).max() > 1e6:
        raise ValueError("an outline has at least three corners")
    return corners


def _labelme_thing(place: str, name: str, shape: Mapping, size: tuple[int, int] | None) -> Thing:
    try:
        return Thing(place=place, name=name, pieces=(_labelme_piece(shape, size),))
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, Unreadable, binascii.Error) as problem:
        return Thing(place=place, name=name, problem=f"no area: {problem}")


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
