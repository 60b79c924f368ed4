"""Pascal VOC: one XML file per picture, and lists of the pictures of each part in ImageSets/Main.

Corners are taken as they are written, in pixels from 0 at the upper left edge, as the tools that people draw boxes
with write them today. (The challenge of 2007 counted pixels from 1; that is half a pixel, and no file says which.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, indent, tostring
from xml.parsers import expat

from striate.data.boxes import Labelled, Noted, Pictures, Thing, class_name, size_of, written_number
from striate.data.content import read_file, text_if_any
from striate.data.folder import PART_NAMES, visible_below
from striate.data.header import Unreadable
from striate.data.sample import LeftOut
from striate.errors import first_few

_SIDES = ("xmin", "ymin", "xmax", "ymax")
MOST_DEEP = 100  # elements inside each other


def find_voc(folder: Path) -> list[Path]:
    """The XML files below `folder` that describe a picture, sorted; those of Annotations/ where it has one."""
    inner = folder / "Annotations"
    return list(filter(_starts_well, visible_below(inner if inner.is_dir() else folder, "**/*.xml")))


def _starts_well(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            start = opened.read(1000)
    except OSError:
        return True  # listed as unreadable, not passed over
    text = start.replace(b"\0", b"").lower()
    return b"<annotation" in text or b"<" not in text or b"<!doctype" in text or not start


def read_voc(folder: Path, pictures: Pictures, files: Sequence[Path]) -> tuple[list[Noted], list[LeftOut]]:
    """What each of `files` says of its picture, with the part that ImageSets gives it."""
    parts, clashes = listed_parts(folder, "Main")
    notes = []
    for file in files:
        note = _read(file, file.relative_to(folder).as_posix(), pictures)
        problem = note.problem or clashes.get(file.stem, "")
        notes.append(replace(note, part=parts.get(file.stem), problem=problem))
    known = {file.stem for file in files}
    lost = [
        LeftOut(path=stem, reason=f"ImageSets lists it for {part}, and no XML file has this name", part=part)
        for stem, part in parts.items()
        if stem not in known
    ]
    return notes, lost


def listed_parts(folder: Path, purpose: str) -> tuple[dict[str, str], dict[str, str]]:
    """The part of every stem in ImageSets/PURPOSE/train.txt, val.txt, test.txt, and those that two of them claim.

    What trainval.txt alone has is for training; the lists of single classes beside them are not looked at.
    """
    found: dict[str, set[str]] = {}
    rest: dict[str, str] = {}
    for file in sorted((folder / "ImageSets" / purpose).glob("*.txt")):
        part = PART_NAMES.get(file.stem.lower())
        if part is None and file.stem.lower() != "trainval":
            continue
        for words in filter(None, map(str.split, text_if_any(file).splitlines())):
            stem = Path(words[0]).name
            if part is None:
                rest[stem] = "train"
            else:
                found.setdefault(stem, set()).add(part)
    clashes = {
        stem: f"ImageSets lists it for {first_few(sorted(parts))}" for stem, parts in found.items() if len(parts) > 1
    }
    return {**rest, **{stem: min(parts) for stem, parts in found.items()}}, clashes


def _read(file: Path, shown: str, pictures: Pictures) -> Noted:
    try:
        root = parse_xml(read_file(file))
    except Unreadable as problem:
        return Noted(picture=file.stem, file=shown, problem=f"{shown}: {problem.reason}")
    if root.tag == "annotations":
        why = "the XML of CVAT for images is not read: export as COCO 1.0 or Pascal VOC 1.1"
        return Noted(picture=file.stem, file=shown, problem=f"{shown}: {why}")
    written = (root.findtext("filename") or "").strip()
    both = (written, file.stem) if Path(written).stem == file.stem else (file.stem, written)  # of a renamed file's two
    places = [(Path(shown).parent / name).as_posix() for name in both if name]  # as folders may share names
    picture = next((place for place in places if isinstance(pictures.find(place), Path)), places[0])
    things = [_thing(number, element) for number, element in enumerate(root.iter("object"), start=1)]
    size = size_of(root.findtext("size/height"), root.findtext("size/width"))
    return Noted(picture=picture, file=shown, things=things, size=size)


def _thing(number: int, element: Element) -> Thing:
    place, name = f"object {number}", class_name(element.findtext("name") or "")
    written = [element.findtext(f"bndbox/{side}") for side in _SIDES]
    try:
        corners = tuple(float(value or "") for value in written)
    except ValueError:
        said = ", ".join(str(value) for value in written)
        return Thing(place=place, name=name, problem=f"a box has the numbers {', '.join(_SIDES)}, and this has {said}")
    ignored = (element.findtext("difficult") or "").strip() in ("1", "true")
    return Thing(place=place, name=name, corners=corners, ignored=ignored, problem="" if name else "it has no name")


def parse_xml(data: bytes) -> Element:
    """The tree of an XML file; Unreadable where it is damaged, or declares entities or a document type.

    Nothing that a file declares is expanded or fetched: no annotation needs that, and a few lines of it can fill the
    memory.
    """
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(), 0

    def refuse(*_: object) -> None:
        raise Unreadable("XML with a document type of its own is not read", "unsupported")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEEP:
            raise Unreadable(f"XML with more than {MOST_DEEP} elements inside each other")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as problem:
        raise Unreadable(f"damaged XML: {problem}") from None


def voc_texts(pictures: Sequence[Labelled]) -> Iterator[tuple[str, str]]:
    """(name of the file, its XML) for every (path, boxes); whole numbers where corners are whole."""
    for path, boxes in pictures:
        root = Element("annotation")
        _add(root, folder=Path(path).parent.as_posix(), filename=Path(path).name)
        _add(SubElement(root, "size"), width=boxes.size[1], height=boxes.size[0], depth=3)
        for name, corners, is_ignored, confidence in boxes.each():
            thing = SubElement(root, "object")
            _add(thing, name=name, difficult=int(is_ignored))
            if confidence is not None:
                _add(thing, confidence=f"{confidence:.6g}")
            _add(SubElement(thing, "bndbox"), **dict(zip(_SIDES, map(written_number, corners), strict=True)))
        indent(root, "\t")
        yield Path(path).with_suffix(".xml").as_posix(), tostring(root, encoding="unicode") + "\n"


def _add(parent: Element, **texts: object) -> None:
    """Elements with these names and texts inside of another one."""
    for name, text in texts.items():
        SubElement(parent, name).text = str(text)
