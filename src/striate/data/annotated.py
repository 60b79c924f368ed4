"""Folders and files with boxes: which format they have, how they are read, and how boxes are written in each."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from striate.data.boxes import KINDS, Labelled, Pictures, boxes_of, in_words, join, settle
from striate.data.boxtable import HEADER, box_rows, find_box_tables, is_box_table, read_box_table
from striate.data.coco import coco_record, find_coco, part_of, read_coco
from striate.data.guard import rest
from striate.data.labelme import find_labelme, labelme_records, read_labelme
from striate.data.sample import Found
from striate.data.voc import find_voc, read_voc, voc_texts
from striate.data.yolo import LISTS, find_yolo, read_yolo, yolo_texts
from striate.errors import StriateError, nearest
from striate.files import csv_text

_LAYOUTS = (
    "give XML files, a JSON file with images, annotations and categories, text files with their class names in "
    "classes.txt or, beside train and val, in data.yaml, or a table with path, label, x0, y0, x1, y1"
)


def boxes_kind(source: Path) -> str | None:
    """Which of KINDS the labels of a folder or file are, or None where it has no boxes."""
    return _labels_of(source)[0]


def _labels_of(source: Path) -> tuple[str | None, list[Path]]:
    """The kind, and the files that hold the labels.

    A data.yaml or *.data says so itself; then Annotations with XML, then JSON, then a table, then text files.
    """
    if source.is_file():
        return _kind_of_file(source), [source]
    yolo = find_yolo(source)
    if yolo is not None and yolo.suffix in LISTS:
        return "yolo", [yolo]
    looks = (("voc", find_voc), ("coco", find_coco), ("labelme", find_labelme), ("table", find_box_tables))
    found = ((kind, files) for kind, find in looks if (files := find(source)))
    return next(found, (None, []) if yolo is None else ("yolo", [yolo]))


def _kind_of_file(file: Path) -> str | None:
    if file.suffix.lower() == ".json" and file in find_coco(file.parent):
        return "coco"
    if is_box_table(file):
        return "table"
    return "yolo" if file.suffix in LISTS and find_yolo(file.parent) is not None else None


def read_boxes(source: Path, *, workers: int = 0) -> Found:
    """The pictures of a folder (or a COCO file, a table, a data.yaml) with their boxes.

    workers: processes that read the pictures' headers. Raises StriateError where there are no boxes.
    """
    source = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
    kind, files = _labels_of(source)
    folder = source.parent if source.is_file() else source
    pictures = Pictures.below(folder)
    if kind is None:
        rule = f"boxes are read from {', '.join(KINDS.values())}"
        raise StriateError(rule, received="none of them", where=source, remedy=_LAYOUTS)
    unlabelled = f"no {'line of a table' if kind == 'table' else KINDS[kind]} for this picture"
    lost, names = [], ()
    match kind:
        case "voc":
            notes, lost = read_voc(folder, pictures, files)
        case "coco":
            notes, lost, names = read_coco(folder, files)
        case "labelme":
            notes = read_labelme(folder, files)
        case "table":
            noted = ((note, part_of(file, files, folder)) for file in files for note in read_box_table(file))
            notes = [replace(note, part=note.part or part) for note, part in noted]
        case "yolo":
            notes, lost, unlabelled, names = read_yolo(folder, files[0], pictures)
    said = "its classes have numbers alone" if files[0] == folder else in_words(files, folder)
    about = {"root": str(source), "kind": "boxes", "task": "detection", "labels": f"{KINDS[kind]} ({said})"}
    about |= {"names": names, "outlined": sum(thing.outlined for note in notes for thing in note.things)}
    found = settle(*join(pictures, notes, lost, unlabelled), boxes_of, workers, **about)
    if workers:
        rest()
    return found


def recognises(path: Path) -> bool:
    """As sources.READERS have it."""
    return boxes_kind(path) is not None


def read(path: Path, page: int = 0) -> Found:
    """As sources.READERS have it; the pages of a file are of one size."""
    return read_boxes(path)


def require_kind(kind: str) -> None:
    """Raise unless boxes are written in this format."""
    if kind not in KINDS:
        rule, remedy = "boxes are written in a format by its word", nearest(kind, [*KINDS])
        raise StriateError(rule, received=kind, remedy=remedy)


def box_texts(kind: str, pictures: Sequence[Labelled], classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name of a file, its text) for all files that hold the boxes of `pictures` in one of KINDS.

    classes: every class in order; what numbers stand for in COCO and YOLO.
    """
    require_kind(kind)
    match kind:
        case "voc":
            yield from ((f"Annotations/{name}", text) for name, text in voc_texts(pictures))
        case "coco":
            yield "annotations.json", json.dumps(coco_record(pictures, classes), ensure_ascii=False, indent=1) + "\n"
        case "labelme":
            for name, record in labelme_records(pictures):
                yield name, json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        case "yolo":
            yield "classes.txt", "".join(f"{' '.join(name.splitlines())}\n" for name in classes)  # a line is a name
            yield from ((f"labels/{name}", text) for name, text in yolo_texts(pictures, classes))
        case "table":
            is_predicted = any(boxes.confidence is not None for _, boxes in pictures)
            header = (*HEADER, "confidence" if is_predicted else "ignored")
            yield "boxes.csv", csv_text((header, *box_rows(pictures)))
