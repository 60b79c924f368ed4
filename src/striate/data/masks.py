"""A folder of pictures and masks becomes samples: FOLDER/images and FOLDER/masks, x.png and x_mask.png, or one folder
per picture with one mask file per object."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from striate.data.annotated import boxes_kind
from striate.data.boxes import KINDS
from striate.data.content import START, read_file, recognise
from striate.data.folder import by_path, read_flat
from striate.data.guard import load_each
from striate.data.header import Header, Pick
from striate.data.labelmap import misfit, packed_objects, strangers, value_text
from striate.data.load import Loaded, Want
from striate.data.outlines import WORKERS, has_outlines, read_outlines
from striate.data.pairs import Pairs, may_hold_masks, pair
from striate.data.pixels import turned_size, upright
from striate.data.png import palette_of
from striate.data.raster import file_orientation
from striate.data.sample import Found, LeftOut, Mask, Sample
from striate.data.voc import listed_parts
from striate.data.vocabulary import CLASS_FILE, TWO, Classes, Seen, Vocabulary, are_photographs, decide, read_classes
from striate.errors import StriateError, counted, first_few

LAYOUT = "FOLDER/images/001.png and FOLDER/masks/001.png"
PALETTES = 200  # masks whose palettes are compared
LOOKED_AT, ENOUGH = 8, 4  # pictures by which a folder is recognised, and the masks of each, of which one is not empty
FEW, MOSTLY = 8, 0.95  # values that hold most pixels of what was drawn, and not photographed
_OBJECTS = Vocabulary(kind="objects", names=TWO, values=())


def recognises(path: Path) -> bool:
    """Whether a fifth of a folder's pictures and more have masks, the first few of which are as large as they are.

    Outlines in JSON and text files are not looked for: they are boxes as well, and taken for these unless masks are
    asked for.
    """
    if not path.is_dir() or not may_hold_masks(str(path)):
        return False
    try:
        pairs = pair(read_flat(path).samples)
    except StriateError:
        return False
    first = {sample.path: pairs.masks[sample.path][:ENOUGH] for sample in pairs.pictures[:LOOKED_AT]}
    some = Pairs(pictures=pairs.pictures[:LOOKED_AT], masks=first, objects=pairs.objects)
    looked = _look(some)
    enough = 4 * len(pairs.pictures) >= len(pairs.lone) and 2 * len(looked.sources) > len(some.pictures)
    return enough and not any(are_photographs(seen.values) for seen in looked.seen.values())


def read(path: Path, page: int = 0) -> Found:
    """The samples of a folder whose pictures have masks; page: of files with several.

    Every mask is looked at once, because what its values stand for is decided over all of them (see `vocabulary`).
    Where there is no mask, outlines in COCO, labelme or YOLO files are read.
    """
    flat = read_flat(path) if path.is_dir() else None
    pairs = pair(flat.samples) if flat else Pairs()
    if not pairs.masks and has_outlines(path):
        return read_outlines(path)
    _require_one_mask(pairs, path)
    looked = _look(pairs, page)
    if flat is None or not looked.sources:
        raise _no_masks(path, flat, looked)
    _require_one_palette(looked, path)
    parts, clashes = listed_parts(path, "Segmentation")
    classes = _listed_classes(path, flat.left_out)
    vocabulary = decide(list(looked.seen.values()), classes, path, _are_objects(looked)) if looked.seen else _OBJECTS
    samples, strange = _samples(pairs, looked, vocabulary, page)
    left_out = [item for item in flat.left_out if item.path != classes.file] + looked.left_out + strange
    left_out += [sample.left_out(clashes[stem]) for sample in samples if (stem := Path(sample.path).stem) in clashes]
    samples = [
        replace(sample, part=sample.part or parts.get(stem))
        for sample in samples
        if (stem := Path(sample.path).stem) not in clashes
    ]
    if classes.names and not vocabulary.is_listed:
        left_out.append(LeftOut(path=classes.file, reason="it lists other classes than the masks have"))
    left_out += [item.left_out("no mask goes with it") for item in pairs.lone]
    left_out += [item.left_out(reason) for item, reason in pairs.over]
    return Found(
        root=flat.root, kind="masks", task="segmentation", samples=by_path(samples), left_out=by_path(left_out),
        hidden=flat.hidden, labels=_told(samples, looked, vocabulary), names=vocabulary.names,
    )  # fmt: skip


def without_masks(found: Found) -> Found:
    """Class folders without the masks of their own pictures, which names tell; some of these are looked at, and must
    be drawn in a few values."""
    classes, masks = defaultdict(list), set()
    for sample in found.samples if may_hold_masks(found.root) else ():
        classes[sample.target].append(sample)
    for pairs in map(pair, classes.values()):
        masks |= {mask.path for several in pairs.masks.values() for mask in several}
        masks |= {mask.path for mask, _ in pairs.over if pairs.masks}
    files = [sample for sample in found.samples if sample.path in masks]
    first = files[:: len(files) // LOOKED_AT + 1]
    some = load_each(((sample.path, sample.source) for sample in first), Want(values=True), WORKERS)
    counts = [np.sort(Seen.of(one.picture).counts) for _, one in some if not one.problem]
    if not counts or any(each[-FEW:].sum() < MOSTLY * each.sum() for each in counts):
        return found
    lost = [sample.left_out("a mask of a picture of its class; --task segmentation learns masks") for sample in files]
    samples = [sample for sample in found.samples if sample.path not in masks]
    return replace(found, samples=samples, left_out=by_path([*found.left_out, *lost]))


def _no_masks(path: Path, flat: Found | None, looked: "_Looked") -> StriateError:
    """Why there is nothing to learn areas from, and what else there is."""
    rule, kind = "pictures to segment have a mask of their own size, or outlines", boxes_kind(path)
    received = f"{KINDS[kind]} without an outline" if kind else "a file"
    if flat is not None and not kind:
        shown = [item.said for item in looked.left_out]
        received = first_few(shown, 3) or f"no mask for any of {len(flat.samples):,} pictures"
    remedy = f"arrange them as {LAYOUT}, or give outlines as COCO, labelme or YOLO files"
    remedy += "; --task detection learns boxes" if kind else ""
    return StriateError(rule, received=received, where=path, remedy=remedy)


@dataclass(slots=True)
class _Looked:
    """What is in the masks of every picture, by its path.

    sources: the files to use, only where all are well. seen: the values of masks that are one file. packed: the objects
    of those that are several. orientation: of the picture, where the masks lack it.
    """

    sources: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    packed: dict[str, tuple[int, int, bytes]] = field(default_factory=dict)
    orientation: dict[str, int] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def _look(pairs: Pairs, page: int = 0) -> _Looked:
    """Every mask, opened once; a picture with one that cannot be used is left out."""
    pick, pictures = Pick(page=page), ((sample.path, sample.source) for sample in pairs.pictures)
    heads = {path: loaded.header for path, loaded in load_each(pictures, Want(header=True, pick=pick), WORKERS)}
    files = (((sample, mask), mask.source) for sample in pairs.pictures for mask in pairs.masks[sample.path])
    looked, wrong = _Looked(), {}
    each = load_each(files, Want(values=True, pick=pick), WORKERS)
    for path, several in groupby(each, key=lambda item: item[0][0].path):
        are_objects = path in pairs.objects
        well = _well(several, heads[path], are_objects, looked, wrong)
        if not are_objects:
            if joined := list(well):  # of a picture that cannot be read they may have any size
                looked.seen[path] = Seen.of(reduce(np.maximum, joined if heads[path] else joined[:1]))
        elif packed := packed_objects(well):
            looked.packed[path] = packed
    bare = [sample for sample in pairs.pictures if sample.path not in looked.sources and sample.path not in wrong]
    looked.left_out += [*wrong.values(), *(sample.left_out("all its masks are empty") for sample in bare)]
    for path in wrong:
        looked.sources.pop(path, None)
        looked.seen.pop(path, None)
    return looked


def _well(
    masks: Iterable[tuple[tuple[Sample, Sample], Loaded]],
    head: Header | None,
    are_objects: bool,
    looked: _Looked,
    wrong: dict[str, LeftOut],
) -> Iterator[np.ndarray]:
    """The values of one picture's masks that can be used, turned as it is shown; what cannot is noted in `looked` or,
    for all, in `wrong`."""
    for (sample, mask), loaded in masks:
        path, values, size = sample.path, loaded.picture, head and (head.height, head.width)
        if loaded.problem:
            wrong[path] = sample.left_out(f"its mask {mask.path}: {loaded.problem.reason}")
            continue
        if head and loaded.header and loaded.header.pages not in (1, head.pages):
            wrong[path] = sample.left_out(f"its mask {mask.path} has {loaded.header.pages} pages, it has {head.pages}")
            continue
        if size and values.shape != size:
            turn = looked.orientation[path] = file_orientation(sample.source)
            if turned_size(*values.shape, turn) != size:
                wrong[path] = sample.left_out(misfit(*values.shape, *size, mask.path))
                continue
            values = upright(values, turn)  # each by its own size: objects may come from several tools
        if are_objects and not values.any():
            looked.left_out.append(mask.left_out("an empty mask: no object in it"))
            continue
        looked.sources[path] = (*looked.sources.get(path, ()), mask.source)
        yield values


def _are_objects(looked: _Looked) -> bool:
    """Whether all masks are Cellpose's or the Cell Tracking Challenge's, which number cells and know no classes."""
    names = (looked.sources[path][0].name for path in looked.seen)
    return all("_cp_masks." in name or name.startswith("man_seg") for name in names)


def _require_one_mask(pairs: Pairs, where: Path) -> None:
    """Raise where masks of one picture lie in several folders, as those of several classes do."""
    if pairs.rivals:
        remedy = "join masks of several classes into one with a value for each, or keep one of the folders"
        raise StriateError("a picture has one mask", received=pairs.rivals[0], where=where, remedy=remedy)


def _require_one_palette(looked: _Looked, where: Path) -> None:
    """Raise where a colour has several numbers, as programs write it that make a palette for each file."""
    known: dict[bytes, tuple[int, str]] = {}
    for path, seen in islice(looked.seen.items(), PALETTES):
        data = read_file(looked.sources[path][0])
        palette = palette_of(data) if recognise(data[:START]) == "PNG" else []
        for value in (value for value in seen.values.tolist() if value < len(palette)):
            colour = palette[value]
            number, first = known.setdefault(colour, (value, path)) if palette.count(colour) == 1 else (value, path)
            if number != value:
                rule = "a colour has the same number in the palettes of all masks"
                received = f"#{colour.hex()} is {number} in the mask of {first}, and {value} in that of {path}"
                raise StriateError(rule, received=received, where=where, remedy="save masks as RGB or with one palette")


def _samples(pairs: Pairs, looked: _Looked, vocabulary: Vocabulary, page: int) -> tuple[list[Sample], list[LeftOut]]:
    """The pictures with their masks, and those whose mask holds a value that no class has."""
    samples, strange = [], []
    known = [*vocabulary.values, *([] if vocabulary.ignore is None else [vocabulary.ignore])]
    for sample in pairs.pictures:
        if sample.path not in looked.sources:
            continue
        used = vocabulary
        if sample.path in pairs.objects:
            used = replace(_OBJECTS, names=vocabulary.names)
        elif vocabulary.kind == "index" and len(others := np.setdiff1d(looked.seen[sample.path].values, known)):
            strange.append(sample.left_out(strangers(others)))
            continue
        mask = Mask(
            kind=used.kind, names=used.names, sources=looked.sources[sample.path], values=used.values,
            ignore=used.ignore, orientation=looked.orientation.get(sample.path, 1),
            packed=looked.packed.get(sample.path), page=page,
        )  # fmt: skip
        samples.append(replace(sample, target=mask))
    return samples, strange


def _listed_classes(folder: Path, others: list[LeftOut]) -> Classes:
    """The classes of the first text file that lists some."""
    for item in others:
        if CLASS_FILE.fullmatch(item.path.rpartition("/")[2]):
            found = read_classes(folder / item.path, item.path)
            if found.names:
                return found
    return Classes()


def _told(samples: list[Sample], looked: _Looked, vocabulary: Vocabulary) -> str:
    """Where the classes come from, in words."""
    several = "one mask per object" if vocabulary.kind == "objects" else "masks"
    parts = [f"{several} of {first_few(vocabulary.names)}", vocabulary.note]
    if vocabulary.kind == "index" and vocabulary.values != tuple(range(len(vocabulary.values))):
        pairs = zip(vocabulary.values, vocabulary.names, strict=True)
        parts.append(first_few([f"{value_text(value)} is {name}" for value, name in pairs]))
    if vocabulary.ignore is not None:
        parts.append(f"{vocabulary.ignore} is not known")
    first = vocabulary.values[0] if vocabulary.values else 0
    empty = sum(set(looked.seen[s.path].values.tolist()) == {first} for s in samples if s.path in looked.seen)
    if empty:
        parts.append(f"nothing marked on {counted(empty, 'picture')}")
    several = sum(len(s.target.sources) > 1 for s in samples if s.path in looked.seen)
    parts += [f"several masks joined on {counted(several, 'picture')}"] if several else []
    return "; ".join(part for part in parts if part)
