"""Which mask goes with which picture: by folders that are called so, by suffixes, by what tells their names apart."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from striate.data.folder import PART_NAMES
from striate.data.sample import Sample

_PICTURES = re.compile(r"images?|imgs?|inputs?|pictures?|photos?|frames?|jpegimages|leftimg8bit|raw")
_MASKS = re.compile(
    r"masks?|labels?|labelmaps?|annotations?|annots?|groundtruths?|gts?|segs?|segmentations?|segmentationclass(?:png)?|"
    r"segmentationobject|trimaps?|(?:1st)?manual|targets?|gtfine"
)
_MASK_FOLDER = re.compile(r"(.+?)[ _.-]*(?:masks?|labels?|annot(?:ation)?s?|ground_?truth|gt|seg(?:mentation)?s?)")
_PICTURE_FOLDER = re.compile(r"(.+?)[ _.-]*(?:images?|imgs?|pictures?)")
_MASK_NAME = re.compile(  # a picture's name with what Cellpose, ilastik and others put behind it, or ImageJ before it
    r"(.+?)[ _.-]+(?:(?:cp_)?masks?|labels?|labelids|seg|(?:simple )?segmentation|gt|gtfine_labelids|ground_?truth|"
    r"annot(?:ation)?|manual)[ _.-]?\d*|(?:masks?|labels?|seg|gt)(?: of)?[ _.-]+(.+)",
    re.IGNORECASE,
)
_PICTURE_NAME = re.compile(r"(.+?)[ _.-]+(?:image|img|raw)", re.IGNORECASE)
_MAY_BE_CLASSES = re.compile(r"raw|inputs?|photos?|frames?|(?:1st)?[ _]?manual|targets?", re.IGNORECASE)
_SECOND_CHOICE = re.compile(r"object|instance|colou?r|\d_ST/", re.IGNORECASE)
_BESIDE = re.compile(r"(.+)[ _.-](?:gt|st|segs?|masks|labels)")  # a folder of masks, by the name of its pictures
_NUMBER = re.compile(r"[ _.-]?\d+$")


@dataclass(slots=True)
class Pairs:
    """pictures: those with masks, with their part. masks: the files of each, by path: one mask together or, of those
    in objects, one object each. lone: pictures without a mask. over: masks not used, with the reason. rivals: two masks
    of one picture that lie in folders of which none is to be preferred, as those of two classes."""

    pictures: list[Sample] = field(default_factory=list)
    masks: dict[str, list[Sample]] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)
    lone: list[Sample] = field(default_factory=list)
    over: list[tuple[Sample, str]] = field(default_factory=list)
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """folders: without those that only say what the file is. bare: the stem without what says that it is a mask;
    plain: without what says that it is a picture."""

    sample: Sample
    folders: tuple[str, ...]
    stem: str
    bare: str
    plain: str
    in_masks: bool


def are_pictures_and_masks(folders: Sequence[str]) -> bool:
    """Whether these are two folders, one of whose names says pictures and nothing else, and the other masks; or one of
    them is called as another with _GT, _masks or the like behind it."""
    lower = {folder.lower() for folder in folders}
    beside = any((found := _BESIDE.fullmatch(folder)) and found[1] in lower for folder in lower)
    sure = not any(map(_MAY_BE_CLASSES.fullmatch, folders))
    return beside or (sure and sorted(map(_folder_words, folders)) == [("", False), ("", True)])


def may_hold_masks(folder: str) -> bool:
    """Whether a name below `folder` speaks of masks; nothing is opened, and one is enough."""
    for _, folders, files in os.walk(folder):
        if any(_folder_words(name)[1] for name in folders):
            return True
        if any(_MASK_NAME.fullmatch(os.path.splitext(name)[0]) for name in files):  # noqa: PTH122 - maybe a million
            return True
    return False


def pair(samples: Sequence[Sample]) -> Pairs:
    """Which of the files are masks, and of which pictures.

    First by folder and name; a folder with one picture and other masks has one mask per object. Where nothing of a
    folder finds its partner like this, its numbers count, then names alone, and at last what tells names apart.
    """
    files = [_file(sample) for sample in samples]
    stems = {(file.folders, name) for file in files if not file.in_masks for name in (file.stem, file.plain)}
    masks = [file for file in files if file.in_masks or (file.bare != file.stem and (file.folders, file.bare) in stems)]
    taken = {id(file) for file in masks}
    join = _Join([file for file in files if id(file) not in taken], masks)
    for of_picture, of_mask in (("stem", "stem"), ("stem", "bare"), ("plain", "bare")):
        join.by(attrgetter("folders", of_picture), attrgetter("folders", of_mask))
    join.by(attrgetter("folders"), lambda file: file.folders or None, objects=True)
    lone, join.pictures = _apart(join.pictures, join.met)
    over, join.masks = _apart(join.masks, join.met)
    join.by(_numbered, _numbered)
    more, join.pictures = _apart(join.pictures, join.met)
    for of_mask in ("stem", "bare"):
        join.by(attrgetter("stem"), attrgetter(of_mask))
    join.by(_trimmer(join.pictures), _trimmer(join.masks))
    pairs = join.pairs
    pairs.pictures = [file.sample for file in files if file.sample.path in pairs.masks]
    pairs.lone = [file.sample for file in lone + more + join.pictures]
    pairs.over += [(file.sample, "a mask that goes with no picture") for file in over + join.masks]
    return pairs


_Key = Callable[[_File], Hashable]


class _Join:
    """Pictures and masks without a partner, the pairs made so far, and the folders that have met in them."""

    def __init__(self, pictures: list[_File], masks: list[_File]) -> None:
        self.pictures, self.masks, self.pairs = pictures, masks, Pairs()
        self.met: set[tuple[str, ...]] = set()
        self._counts = Counter(file.folders for file in pictures)
        self._gone: set[int] = set()

    def by(self, of_picture: _Key, of_mask: _Key, objects: bool = False) -> None:
        """Join each picture with the masks that have its key, unless two pictures have it.

        objects: the masks are one object each, and only a picture that is alone in its folder is joined.
        """
        pictures, masks = defaultdict(list), defaultdict(list)
        for found, files, key_of in ((pictures, self.pictures, of_picture), (masks, self.masks, of_mask)):
            for file in files:
                found[key_of(file)].append(file)
        for key in sorted(pictures.keys() & masks.keys() - {None}):
            picture, *others = pictures[key]
            partners = [mask for mask in masks[key] if len({mask.sample.part, picture.sample.part} - {None}) < 2]
            if partners and not others and (not objects or self._counts[picture.folders] == 1):
                self._take(picture, partners, objects)
        self.pictures = [file for file in self.pictures if id(file) not in self._gone]
        self.masks = [file for file in self.masks if id(file) not in self._gone]

    def _take(self, picture: _File, masks: list[_File], objects: bool) -> None:
        masks.sort(key=lambda mask: (bool(_SECOND_CHOICE.search(mask.sample.path)), mask.sample.path))
        path, first = picture.sample.path, masks[0].sample
        self.pairs.objects |= {path} if objects else set()
        plain = {(mask.folders, _NUMBER.sub("", mask.stem)) for mask in masks}  # x_mask and x_mask_1 are one mask
        are_all = objects or (len(plain) == 1 and len({mask.stem for mask in masks}) == len(masks))
        if not are_all:
            reason = f"another mask of its picture is used: {first.path}"
            self.pairs.over += [(mask.sample, reason) for mask in masks[1:]]
            equal = (m for m in masks if m.folders != masks[0].folders and not _SECOND_CHOICE.search(m.sample.path))
            self.pairs.rivals = self.pairs.rivals or tuple(f"{first.path} and {mask.sample.path}" for mask in equal)
        self.pairs.masks[path] = [mask.sample for mask in masks] if are_all else [first]
        self.met |= {file.folders for file in (picture, *masks)}
        self._gone |= {id(file) for file in (picture, *masks)}


def _apart(files: list[_File], met: set[tuple[str, ...]]) -> tuple[list[_File], list[_File]]:
    """Files of folders in which others have found their partners, and the rest."""
    return [file for file in files if file.folders in met], [file for file in files if file.folders not in met]


def _file(sample: Sample) -> _File:
    *folders, name = sample.path.split("/")
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    kept, in_masks, part = [], False, None
    for folder in folders:
        left, speaks_of_masks = _folder_words(folder)
        in_masks |= speaks_of_masks
        part = part or PART_NAMES.get(left or "")
        kept += [left] if left else []
    found = _MASK_NAME.fullmatch(stem)
    bare, shown = found[found.lastindex] if found else stem, _PICTURE_NAME.fullmatch(stem)
    return _File(replace(sample, part=part), tuple(kept), stem, bare, shown[1] if shown else stem, in_masks)


def _folder_words(name: str) -> tuple[str, bool]:
    """A folder's name without the word that says what is in it, and whether that word is "masks"."""
    low = re.sub(r"(?<=\d)_st$", "_gt", name.lower())  # the Cell Tracking Challenge's "silver truth"
    plain = re.sub(r"[ _.-]+", "", low)
    is_mask = _MASKS.fullmatch(plain) is not None
    if is_mask or _PICTURES.fullmatch(plain):
        return "", is_mask
    if found := _MASK_FOLDER.fullmatch(low):
        return found[1], True
    found = _PICTURE_FOLDER.fullmatch(low)
    return (found[1] if found else low), False


def _numbered(file: _File) -> Hashable:
    """The folder, where it has a name of its own, and the number that the name ends in."""
    found = _NUMBER.search(file.stem)
    return (file.folders, found[0]) if found and file.folders else None


def _trimmer(files: list[_File]) -> _Key:
    """A name without what all of these names begin and end with; no digit is cut off."""
    stems = [file.stem for file in files]
    if len(stems) < 2:
        return lambda file: None
    start = re.sub(r"\d+$", "", os.path.commonprefix(stems))  # noqa: RUF071
    end = re.sub(r"^\d+", "", os.path.commonprefix([stem[::-1] for stem in stems])[::-1])  # noqa: RUF071
    return lambda file: file.stem[len(start) : len(file.stem) - len(end)] or None
