"""A folder of pictures and masks becomes samples: FOLDER/images and FOLDER/masks, x.png and x_mask.png, or one folder
per picture with one mask file per object."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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
from striate.data.header import Header, Pick, Unreadable
from striate.data.labelmap import joined_objects, misfit, packed_values, strangers, value_text
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
    used, _ = _look(some)
    enough = 4 * len(pairs.pictures) >= len(pairs.lone) and 2 * len(used) > len(some.pictures)
    return enough and not any(are_photographs(seen.values) for seen in _seen(used).values())


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
    used, lost = _look(pairs, page)
    if flat is None or not used:
        raise _no_masks(path, flat, lost)
    _require_one_palette(used, path)
    classes = _listed_classes(path, flat.left_out)
    seen = list(_seen(used).values())
    vocabulary = decide(seen, classes, path, _are_objects(used)) if seen else _OBJECTS
    samples, strange = _samples(path, pairs, used, vocabulary, page)
    left_out = [item for item in flat.left_out if item.path != classes.file] + lost + strange
    if classes.names and not vocabulary.is_listed:
        left_out.append(LeftOut(path=classes.file, reason="it lists other classes than the masks have"))
    left_out += [item.left_out("no mask goes with it") for item in pairs.lone]
    left_out += [item.left_out(reason) for item, reason in pairs.over]
    return Found(
        root=flat.root, kind="masks", task="segmentation", samples=by_path(samples), left_out=by_path(left_out),
        hidden=flat.hidden, labels=_told(samples, used, vocabulary), names=vocabulary.names,
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


def _no_masks(path: Path, flat: Found | None, lost: list[LeftOut]) -> StriateError:
    """Why there is nothing to learn areas from, and what else there is."""
    rule, kind = "pictures to segment have a mask of their own size, or outlines", boxes_kind(path)
    received = f"{KINDS[kind]} without an outline" if kind else "a file"
    if flat is not None and not kind:
        received = first_few([item.said for item in lost], 3) or f"no mask for any of {len(flat.samples):,} pictures"
    remedy = f"arrange them as {LAYOUT}, or give outlines as COCO, labelme or YOLO files"
    remedy += "; --task detection learns boxes" if kind else ""
    return StriateError(rule, received=received, where=path, remedy=remedy)


@dataclass(slots=True)
class _Used:
    """The masks of one picture.

    files: those to use. seen: of one mask, not of several objects. packed: as of Mask. orientation: of the picture,
    where the masks lack it. empty: those of no object.
    """

    files: tuple[Path, ...] = ()
    seen: Seen | None = None
    packed: tuple[int, int, bytes] | None = None
    orientation: int = 1
    empty: list[LeftOut] = field(default_factory=list)


def _look(pairs: Pairs, page: int = 0) -> tuple[dict[str, _Used], list[LeftOut]]:
    """The masks of every picture by its path, each opened once; and what is left out, as a picture with one that cannot
    be used."""
    pick, pictures = Pick(page=page), ((sample.path, sample.source) for sample in pairs.pictures)
    heads = {path: loaded.header for path, loaded in load_each(pictures, Want(header=True, pick=pick), WORKERS)}
    files = (((sample, mask), mask.source) for sample in pairs.pictures for mask in pairs.masks[sample.path])
    used, left_out = {}, []
    each = load_each(files, Want(values=True, pick=pick), WORKERS)
    for sample, several in groupby(each, key=lambda item: item[0][0]):
        one, head, are_objects = _Used(), heads[sample.path], sample.path in pairs.objects
        well = _well(several, head, are_objects, one)
        try:
            well = well if head else islice(well, 1)  # of a picture that cannot be read they may have any size
            whole = joined_objects(well) if are_objects else reduce(np.maximum, well)
            one.seen, one.packed = None if are_objects else Seen.of(whole), packed_values(whole)
            problem = "" if one.files else "all its masks are empty"
        except Unreadable as error:
            problem = error.reason
        left_out += one.empty
        if problem:
            left_out.append(sample.left_out(problem))
        else:
            used[sample.path] = one
    return used, left_out


def _well(
    masks: Iterable[tuple[tuple[Sample, Sample], Loaded]], head: Header | None, are_objects: bool, one: _Used
) -> Iterator[np.ndarray]:
    """The values of one picture's masks, turned as it is shown, and noted in `one`. Raises Unreadable."""
    for (sample, mask), loaded in masks:
        values, size = loaded.picture, head and (head.height, head.width)
        if loaded.problem:
            raise Unreadable(f"its mask {mask.path}: {loaded.problem.reason}")
        if head and loaded.header and loaded.header.pages not in (1, head.pages):
            raise Unreadable(f"its mask {mask.path} has {loaded.header.pages} pages, it has {head.pages}")
        if size and values.shape != size:
            one.orientation = file_orientation(sample.source)
            if turned_size(*values.shape, one.orientation) != size:
                raise Unreadable(misfit(*values.shape, *size, mask.path))
            values = upright(values, one.orientation)  # each by its own size: objects may come from several tools
        if are_objects and not values.any():
            one.empty.append(mask.left_out("an empty mask: no object in it"))
        else:
            one.files += (mask.source,)
            yield values


def _seen(used: Mapping[str, _Used]) -> dict[str, Seen]:
    """The values of masks that are one file, by the paths of their pictures."""
    return {path: one.seen for path, one in used.items() if one.seen is not None}


def _are_objects(used: Mapping[str, _Used]) -> bool:
    """Whether all masks are Cellpose's or the Cell Tracking Challenge's, which number cells and know no classes."""
    names = (used[path].files[0].name for path in _seen(used))
    return all("_cp_masks." in name or name.startswith("man_seg") for name in names)


def _require_one_mask(pairs: Pairs, where: Path) -> None:
    """Raise where masks of one picture lie in several folders, as those of several classes do."""
    if pairs.rivals:
        remedy = "join masks of several classes into one with a value for each, or keep one of the folders"
        raise StriateError("a picture has one mask", received=pairs.rivals[0], where=where, remedy=remedy)


def _require_one_palette(used: Mapping[str, _Used], where: Path) -> None:
    """Raise where a colour has several numbers, as programs write it that make a palette for each file."""
    known: dict[bytes, tuple[int, str]] = {}
    for path, seen in islice(_seen(used).items(), PALETTES):
        data = read_file(used[path].files[0])
        palette = palette_of(data) if recognise(data[:START]) == "PNG" else []
        for value in (value for value in seen.values.tolist() if value < len(palette)):
            colour = palette[value]
            number, first = known.setdefault(colour, (value, path)) if palette.count(colour) == 1 else (value, path)
            if number != value:
                rule = "a colour has the same number in the palettes of all masks"
                received = f"#{colour.hex()} is {number} in the mask of {first}, and {value} in that of {path}"
                raise StriateError(rule, received=received, where=where, remedy="save masks as RGB or with one palette")


def _samples(
    folder: Path, pairs: Pairs, used: Mapping[str, _Used], vocabulary: Vocabulary, page: int
) -> tuple[list[Sample], list[LeftOut]]:
    """The pictures with their masks, and those whose mask holds a value that no class has or that two parts claim."""
    samples, strange = [], []
    parts, clashes = listed_parts(folder, "Segmentation")
    known = [*vocabulary.values, *([] if vocabulary.ignore is None else [vocabulary.ignore])]
    for sample in pairs.pictures:
        if (one := used.get(sample.path)) is None:
            continue
        how, stem = vocabulary, Path(sample.path).stem
        if stem in clashes:
            strange.append(sample.left_out(clashes[stem]))
            continue
        if one.seen is None:
            how = replace(_OBJECTS, names=vocabulary.names)
        elif vocabulary.kind == "index" and len(others := np.setdiff1d(one.seen.values, known)):
            strange.append(sample.left_out(strangers(others)))
            continue
        mask = Mask(
            kind=how.kind, names=how.names, sources=one.files, values=how.values, ignore=how.ignore,
            orientation=one.orientation, packed=one.packed, page=page,
        )  # fmt: skip
        samples.append(replace(sample, target=mask, part=sample.part or parts.get(stem)))
    return samples, strange


def _listed_classes(folder: Path, others: list[LeftOut]) -> Classes:
    """The classes of the first text file that lists some."""
    for item in others:
        if CLASS_FILE.fullmatch(item.path.rpartition("/")[2]):
            found = read_classes(folder / item.path, item.path)
            if found.names:
                return found
    return Classes()


def _told(samples: list[Sample], used: Mapping[str, _Used], vocabulary: Vocabulary) -> str:
    """Where the classes come from, in words."""
    several = "one mask per object" if vocabulary.kind == "objects" else "masks"
    parts = [f"{several} of {first_few(vocabulary.names)}", vocabulary.note]
    if vocabulary.kind == "index" and vocabulary.values != tuple(range(len(vocabulary.values))):
        pairs = zip(vocabulary.values, vocabulary.names, strict=True)
        parts.append(first_few([f"{value_text(value)} is {name}" for value, name in pairs]))
    if vocabulary.ignore is not None:
        parts.append(f"{vocabulary.ignore} is not known")
    first = vocabulary.values[0] if vocabulary.values else 0
    single = [used[sample.path] for sample in samples if used[sample.path].seen is not None]
    empty = sum(one.seen.values.tolist() == [first] for one in single)
    if empty:
        parts.append(f"nothing marked on {counted(empty, 'picture')}")
    several = sum(len(one.files) > 1 for one in single)
    parts += [f"several masks joined on {counted(several, 'picture')}"] if several else []
    return "; ".join(part for part in parts if part)
