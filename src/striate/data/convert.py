"""Pictures with boxes written anew, in the layout and form that another program wants."""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from striate import files
from striate.data.annotated import box_texts
from striate.data.boxes import Labelled
from striate.data.sample import PARTS, Found, Sample
from striate.errors import StriateError

_PICTURES = {"voc": "JPEGImages", "coco": "images", "yolo": "images", "labelme": "", "table": ""}
_WORDS = {"train": "train", "validation": "val", "test": "test"}  # what other programs call the parts


def write_boxes(found: Found, kind: str, out: Path) -> None:
    """The pictures of `found` with their boxes in one of KINDS, and the parts they have, into the new folder `out`.

    Pictures are copied as they are; in a folder of its own for each part where the format wants it. Names that several
    pictures have get their folders' names before them.
    """
    if out.exists() and any(out.iterdir()):
        raise StriateError("boxes are written into a new folder", received=out, where="--out")
    if kind not in _PICTURES:
        next(box_texts(kind, [], []))
    placed = _placed(found, kind)
    for name, text in _texts(found, kind, placed):
        files.write_text(out / name, text)
    for sample, name in placed:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.source, out / name)


def _placed(found: Found, kind: str) -> list[tuple[Sample, str]]:
    """Every picture and where it goes: under a name of its own, also once its ending is another."""
    stems, placed = Counter(Path(sample.path).stem for sample in found.samples), []
    for sample in found.samples:
        name = Path(sample.path).name
        if stems[Path(name).stem] > 1:
            name = sample.path.replace("../", "").strip("/").replace("/", "_")
        part = f"{_WORDS[sample.part]}/" if kind == "yolo" and sample.part else ""
        placed.append((sample, f"{_PICTURES[kind]}/{part}{name}".lstrip("/")))
    return placed


def _texts(found: Found, kind: str, placed: Sequence[tuple[Sample, str]]) -> Iterator[tuple[str, str]]:
    """(name of a file, its text) of all labels, and of what tells parts."""

    def labelled(part: str | None = None) -> list[Labelled]:
        """In YOLO and VOC a picture's text is called as it is, below the folder of pictures."""
        cut = len(_PICTURES[kind]) + 1 if kind in ("voc", "yolo") else 0
        return [(name[cut:], s.target.size, s.target) for s, name in placed if part is None or s.part == part]

    classes, parts = found.classes, [part for part in PARTS if any(sample.part == part for sample in found.samples)]
    if kind == "coco" and parts and all(sample.part for sample in found.samples):
        for part in parts:
            ((_, text),) = box_texts(kind, labelled(part), classes)
            yield f"annotations/instances_{_WORDS[part]}.json", text
        return
    for name, text in box_texts(kind, labelled(), classes):
        if kind == "table":
            of = {name: sample.part or "" for sample, name in placed}
            head, *rows = csv.reader(io.StringIO(text, newline=""))
            text = files.csv_text([(*head, "part"), *((*row, of[row[0]]) for row in rows)])
        yield name, text
    if kind == "voc":
        for part in parts:
            stems = [Path(name).stem for sample, name in placed if sample.part == part]
            yield f"ImageSets/Main/{_WORDS[part]}.txt", "".join(f"{stem}\n" for stem in stems)
    if kind == "yolo" and parts:
        import yaml

        said = {_WORDS[part]: f"images/{_WORDS[part]}" for part in parts}
        said["names"] = dict(enumerate(classes))
        yield "data.yaml", yaml.safe_dump(said, allow_unicode=True, sort_keys=False)
