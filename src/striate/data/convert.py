"""Pictures with boxes written anew, in the layout and form that another program wants."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate import files
from striate.data.annotated import box_texts, require_kind
from striate.data.boxes import KINDS, Labelled
from striate.data.boxtable import HEADER, box_rows
from striate.data.sample import Found, LeftOut, Sample
from striate.errors import StriateError, counted, first_few

_PICTURES = {"voc": "JPEGImages", "coco": "images", "yolo": "images", "labelme": "", "table": ""}
_WORDS = {"train": "train", "validation": "val", "test": "test"}  # what other programs call the parts
LOST = "left-out.csv"  # what is not in the result as it was in the source, where there is such
_FOR_ALL = ("coco", "yolo", "labelme")  # whose parts are files or folders, so that no picture can be without


def write_boxes(found: Found, kind: str, out: Path) -> Found:
    """Write the pictures of `found` with their boxes in one of KINDS, and their parts, into the new folder `out`.

    Pictures are copied as they are; in a folder of its own for each part where the format wants it. Names that several
    pictures have get their folders' names before them, and a number where that is the name of another. Returns what
    was written, with what the format has no word for in `left_out`, `mended` and `notes`; LOST has the first two.
    """
    if out.exists() and any(out.iterdir()):
        raise StriateError("boxes are written into a new folder", received=out, where="--out")
    require_kind(kind)
    found = _with_classes(found, kind)
    found = _with_parts(_without_ignored(found) if kind == "yolo" else found, kind)
    placed = _placed(found, kind)
    for name, text in _texts(found, kind, placed):
        files.write_text(out / name, text)
    for sample, name in placed:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.source, out / name)
    told = (("left out", found.left_out), ("mended", found.mended))
    rows = [(item.path, item.label, item.part, status, item.reason) for status, items in told for item in items]
    if rows:
        files.write_csv(out / LOST, ("path", "label", "part", "status", "reason"), rows)
    return found


def _with_classes(found: Found, kind: str) -> Found:
    """The same with all classes in `names`, where the format lists them, and with notes of what is not written."""
    used, notes = found.classes, []
    names = found.names or tuple(used)
    if kind not in ("coco", "yolo") and (bare := [name for name in names if name and name not in used]):
        notes.append(f"{KINDS[kind]} has no list of classes, and these have no box: {first_few(bare)}")
    if found.outlined:
        notes.append(f"{counted(found.outlined, 'object')} with an outline, of which the box alone is written")
    return replace(found, names=names).noting(*notes)


def _without_ignored(found: Found) -> Found:
    """The same without boxes that are neither right nor wrong, and without pictures that have no others: written as
    empty they would say that there is no object."""
    samples, left_out, mended = [], list(found.left_out), list(found.mended)
    for sample in found.samples:
        boxes = sample.target
        if boxes.ignored is not None and boxes.ignored.all():
            left_out.append(sample.left_out("YOLO has no word for boxes that are to be ignored, and it has no others"))
            continue
        if boxes.ignored is not None:
            rows = np.flatnonzero(~boxes.ignored)
            why = f"{counted(len(boxes.names) - len(rows), 'object')} to be ignored, for which YOLO has no word"
            mended.append(LeftOut(path=sample.path, reason=f"{why}, dropped", part=sample.part))
            names = tuple(boxes.names[row] for row in rows)
            boxes = replace(boxes, names=names, corners=boxes.corners[rows], ignored=None)
        samples.append(replace(sample, target=boxes))
    return replace(found, samples=samples, left_out=left_out, mended=mended)


def _with_parts(found: Found, kind: str) -> Found:
    """The same with a part for every picture where the format needs it: for training, as a training takes them."""
    bare = sum(sample.part is None for sample in found.samples)
    if kind not in _FOR_ALL or bare in (0, len(found.samples)):
        return found
    samples = [replace(sample, part=sample.part or "train") for sample in found.samples]
    return replace(found, samples=samples).noting(f"{counted(bare, 'picture')} without a part: written for training")


def _placed(found: Found, kind: str) -> list[tuple[Sample, str]]:
    """Every picture and where it goes: under a name of its own, also once its ending is another, and where a disk does
    not tell A from a."""
    stems, taken, placed = Counter(Path(sample.path).stem.casefold() for sample in found.samples), set(), []
    for sample in found.samples:
        own = Path(Path(sample.path).name)
        if stems[own.stem.casefold()] > 1:
            own = Path(sample.path.replace("../", "").strip("/").replace("/", "_"))
        stem = files.free_name(own.stem, lambda stem: stem.casefold() in taken)
        taken.add(stem.casefold())
        part = f"{_WORDS[sample.part]}/" if kind in ("yolo", "labelme") and sample.part else ""
        placed.append((sample, f"{_PICTURES[kind]}/{part}{stem}{own.suffix}".lstrip("/")))
    return placed


def _texts(found: Found, kind: str, placed: Sequence[tuple[Sample, str]]) -> Iterator[tuple[str, str]]:
    """(name of a file, its text) of all labels, and of what tells parts."""

    def labelled(part: str | None = None) -> list[Labelled]:
        """In YOLO and VOC a picture's text is called as it is, below the folder of pictures."""
        cut = len(_PICTURES[kind]) + 1 if kind in ("voc", "yolo") else 0
        return [(name[cut:], s.target) for s, name in placed if part is None or s.part == part]

    classes, parts = found.names, found.parts
    if kind == "coco" and parts:
        for part in parts:
            ((_, text),) = box_texts(kind, labelled(part), classes)
            yield f"annotations/instances_{_WORDS[part]}.json", text
        return
    if kind == "table":
        of = {name: sample.part or "" for sample, name in placed}
        rows = ((*row, of[row[0]]) for row in box_rows(labelled()))
        yield "boxes.csv", files.csv_text([(*HEADER, "ignored", "part"), *rows])
        return
    yield from box_texts(kind, labelled(), classes)
    if kind == "voc":
        for part in parts:
            stems = [Path(name).stem for sample, name in placed if sample.part == part]
            yield f"ImageSets/Main/{_WORDS[part]}.txt", "".join(f"{stem}\n" for stem in stems)
    if kind == "yolo" and parts:
        import yaml

        said = {_WORDS[part]: f"images/{_WORDS[part]}" for part in parts}
        said["names"] = dict(enumerate(classes))
        yield "data.yaml", yaml.safe_dump(said, allow_unicode=True, sort_keys=False)
