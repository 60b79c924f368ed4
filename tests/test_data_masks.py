"""Folders of pictures with masks become samples: every layout, what values mean, and what is wrong with which file."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from striate.data.header import Unreadable
from striate.data.labelmap import UNKNOWN, read_labels, read_objects
from striate.data.masks import read, recognises
from striate.data.sources import read_source
from striate.data.vocabulary import class_list, read_classes
from striate.errors import StriateError

SIDE = 12


def draw(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE + 2), dtype=np.uint8)


def two_values(number: int, top: int = 255) -> np.ndarray:
    """Something marked in a place of its own."""
    mask = np.zeros((SIDE, SIDE + 2), np.uint8)
    mask[number % 5 : number % 5 + 4, 2 : 5 + number % 7] = top
    return mask


LAYOUTS = {
    "images beside masks": ("images/{n}.png", "masks/{n}.png"),
    "parts above": ("train/image/{n}.png", "train/label/{n}.png"),
    "parts below": ("images/train/{n}.png", "labels/train/{n}.png"),
    "folders of parts": ("train/{n}.png", "train_masks/{n}.png"),
    "one word": ("train/{n}.png", "trainannot/{n}.png"),
    "another ending": ("img/{n}.bmp", "gt/{n}.tif"),
    "a suffix in another folder": ("images/{n}.png", "masks/{n}_mask.png"),
    "a suffix in the same folder": ("all/{n}.png", "all/{n}_segmentation.png"),
    "a word before, in the same folder": ("all/{n}.png", "all/mask_{n}.png"),
    "Cellpose's answers": ("all/{n}.tif", "all/{n}_cp_masks.png"),
    "Cellpose's training": ("train/{n}_img.png", "train/{n}_masks.png"),
    "ImageJ": ("all/{n}.tif", "all/Mask of {n}.tif"),
    "ilastik": ("all/{n}.png", "all/{n}_Simple Segmentation.png"),
    "VOC": ("JPEGImages/2007_{n:06}.png", "SegmentationClass/2007_{n:06}.png"),
    "deeper on one side": ("images/{n}.png", "annotations/trimaps/{n}.png"),
    "numbers in other words": ("training/images/{n:02}_training.png", "training/1st_manual/{n:02}_manual1.png"),
    "other words before numbers": ("images/img_{n}.png", "labels/seg-{n}.png"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_usual_layout_joins_each_picture_with_its_mask(tmp_path: Path, name: str) -> None:
    """Six pictures find their own six masks; what is marked comes back pixel by pixel; parts are as the folders say."""
    for number in range(1, 7):
        of_picture, of_mask = (place.format(n=number) for place in LAYOUTS[name])
        draw(tmp_path / of_picture, picture(number))
        draw(tmp_path / of_mask, two_values(number))
    assert recognises(tmp_path)
    found = read(tmp_path)
    assert found.task == "segmentation"
    assert found.names == ("background", "foreground")
    assert not found.left_out
    assert [sample.path for sample in found.samples] == [LAYOUTS[name][0].format(n=n) for n in range(1, 7)]
    for number, sample in enumerate(found.samples, 1):
        assert np.array_equal(np.asarray(Image.open(sample.source)), picture(number))
        assert np.array_equal(read_labels(sample.target, SIDE, SIDE + 2), two_values(number) // 255)
    part = "train" if "train" in LAYOUTS[name][0].split("/")[0] + LAYOUTS[name][0].split("/")[1] else None
    assert {sample.part for sample in found.samples} == {part}


def test_one_folder_per_picture_holds_one_mask_per_object(tmp_path: Path) -> None:
    """Objects that touch stay apart; empty masks, one of another size and a picture with empty ones are listed."""
    for number in range(3):
        folder = tmp_path / f"id{number}"
        draw(folder / "images" / f"id{number}.png", picture(number))
        for place in range(number + 1):
            mask = np.zeros((SIDE, SIDE + 2), np.uint8)
            mask[2:6, 3 * place : 3 * place + 3] = 255
            draw(folder / "masks" / f"{place}{number}abc.png", mask)
    draw(tmp_path / "id1/masks/empty.png", np.zeros((SIDE, SIDE + 2), np.uint8))
    draw(tmp_path / "id9/images/id9.png", picture(9))
    draw(tmp_path / "id9/masks/nothing.png", np.zeros((SIDE, SIDE + 2), np.uint8))
    draw(tmp_path / "id8/images/id8.png", picture(8))
    for side, name in ((SIDE, "a"), (SIDE - 1, "b"), (SIDE, "c")):
        draw(tmp_path / f"id8/masks/{name}.png", np.full((side, SIDE + 2), 255, np.uint8))
    found = read(tmp_path)
    assert [len(sample.target.sources) for sample in found.samples] == [1, 2, 3]
    for number, sample in enumerate(found.samples):
        assert sample.target.kind == "objects"
        assert np.unique(read_objects(sample.target, SIDE, SIDE + 2)).tolist() == list(range(number + 2))
        assert read_labels(sample.target, SIDE, SIDE + 2).sum() == 12 * (number + 1)
    assert {item.path: item.reason for item in found.left_out} == {
        "id1/masks/empty.png": "an empty mask: no object in it",
        "id9/masks/nothing.png": "an empty mask: no object in it",
        "id9/images/id9.png": "all its masks are empty",
        "id8/images/id8.png": f"its mask id8/masks/b.png is {SIDE + 2} × {SIDE - 1} pixels, the picture "
        f"{SIDE + 2} × {SIDE}",
    }


def test_one_mask_per_object_is_read_once_and_turned_like_its_picture(tmp_path: Path) -> None:
    """What was read is kept, so that the files may go; each mask is turned where its own size asks for it."""
    drawn = np.zeros((SIDE, SIDE + 2), int)
    drawn[:3, :4], drawn[:3, 5:9] = 1, 2
    for name, orientation, turns in (("plain", 1, (0, 0)), ("turned", 6, (0, 0)), ("either", 6, (0, -1))):
        exif = Image.Exif()
        exif[274] = orientation
        place = tmp_path / name / "images" / f"{name}.jpg"
        place.parent.mkdir(parents=True)
        Image.fromarray(picture(1)).save(place, exif=exif)
        for number, turn in enumerate(turns):
            mask = np.where(drawn == number + 1, 255, 0).astype(np.uint8)
            draw(tmp_path / name / "masks" / f"{number}.png", np.rot90(mask, turn))
    found = {sample.path.partition("/")[0]: sample.target for sample in read(tmp_path).samples}
    for mask in found.values():
        for file in mask.sources:
            file.unlink()
    assert np.array_equal(read_objects(found["plain"], SIDE, SIDE + 2), drawn)
    assert np.array_equal(read_labels(found["plain"]), drawn > 0)
    for name in ("turned", "either"):
        assert np.array_equal(read_objects(found[name], SIDE + 2, SIDE), np.rot90(drawn, -1)), name
        assert np.array_equal(read_labels(found[name]), np.rot90(drawn, -1) > 0), name
    with pytest.raises(Unreadable, match="its mask is"):
        read_labels(found["plain"], SIDE, SIDE)


def test_everything_that_is_wrong_is_listed_with_its_reason(tmp_path: Path) -> None:
    """Wrong size, unknown value, damaged, missing and left-over masks: a line each, and the rest is used."""
    for number in range(8):
        draw(tmp_path / f"images/{number}.png", picture(number))
        draw(tmp_path / f"masks/{number}.png", two_values(number, 1))
    (tmp_path / "classes.txt").write_text("tissue\nvessel\n")
    draw(tmp_path / "masks/1.png", two_values(1, 1)[:5])
    draw(tmp_path / "masks/2.png", two_values(2, 9))
    (tmp_path / "masks/3.png").write_bytes((tmp_path / "masks/0.png").read_bytes()[:60])
    (tmp_path / "masks/4.png").unlink()
    draw(tmp_path / "masks/77.png", two_values(2, 1))
    (tmp_path / "notes.docx").write_bytes(b"PK\x03\x04")
    found = read(tmp_path)
    assert found.names == ("tissue", "vessel")
    assert [sample.path for sample in found.samples] == [f"images/{n}.png" for n in (0, 5, 6, 7)]
    reasons = {item.path: item.reason for item in found.left_out}
    assert reasons["images/1.png"] == f"its mask masks/1.png is 14 × 5 pixels, the picture 14 × {SIDE}"
    assert reasons["images/2.png"] == "its mask holds the value 9, which no class has"
    assert reasons["images/3.png"].startswith("its mask masks/3.png: ")
    assert reasons["images/4.png"] == "no mask goes with it"
    assert reasons["masks/77.png"] == "a mask that goes with no picture"
    assert "notes.docx" in reasons
    assert "classes.txt" not in reasons


VALUES = {
    "two values": ([0, 255], None, ("background", "foreground"), None),
    "two small values": ([0, 1], None, ("background", "foreground"), None),
    "index": ([0, 1, 2, 3], None, ("background", "class 1", "class 2", "class 3"), None),
    "without background": ([1, 2, 3], None, ("class 1", "class 2", "class 3"), None),
    "255 is not known": ([0, 1, 2, 255], None, ("background", "class 1", "class 2"), 255),
    "three greys": ([0, 128, 255], None, ("background", "class 128", "class 255"), None),
    "listed": ([0, 1, 255], "_background_\ncell\nnucleus\n", ("background", "cell", "nucleus"), 255),
    "listed with numbers": ([0, 4, 7], "0 ground\n4: tree\n7,road\n", ("ground", "tree", "road"), None),
    "listed without background": ([0, 1, 2], "cell\nnucleus\n", ("background", "cell", "nucleus"), None),
    "two listed": ([0, 255], "skin\nmole\n", ("skin", "mole"), None),
    "Roboflow's list": ([0, 1, 2], "Pixel Value, Class\n0, back\n1, cat\n2, dog\n", ("back", "cat", "dog"), None),
    "labelme's list": ([0, 1, 2], "__ignore__\n_background_\ncat\ndog\n", ("background", "cat", "dog"), None),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_stand_for_classes(tmp_path: Path, name: str) -> None:
    """What values mean follows from all masks together and from a list of classes, where there is one."""
    values, listed, names, ignore = VALUES[name]
    if listed:
        (tmp_path / ("_classes.csv" if "," in listed else "classes.txt")).write_text(listed)
    drawn = []
    for number in range(6):
        draw(tmp_path / f"images/{number}.png", picture(number))
        drawn.append(np.random.default_rng(number).choice(np.array(values, np.uint8), (SIDE, SIDE + 2)))
        draw(tmp_path / f"masks/{number}.png", drawn[-1])
    found = read(tmp_path)
    assert found.names == names
    assert found.samples[0].target.ignore == ignore
    known = [value for value in values if value != ignore]
    order = {
        value: value if listed and "__" not in listed and len(names) > len(known) else i
        for i, value in enumerate(known)
    }
    for mask, sample in zip(drawn, found.samples, strict=True):
        expected = np.vectorize(lambda value: UNKNOWN if value == ignore else order[value])(mask)
        assert np.array_equal(read_labels(sample.target, SIDE, SIDE + 2), expected)


COLOUR_LISTS = {
    "labels.txt": "sky 0 0 255\nroad\t128 128 128\ncar 255 0 0 \n",
    "class_dict.csv": "name,r,g,b\nsky,0,0,255\nroad,128,128,128\ncar,255,0,0\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nsky:0,0,255::\nroad:128,128,128::\ncar:255,0,0::\n",
    "label_colors.txt": "0 0 255\tsky\n128 128 128\troad\n255 0 0\tcar\n",
    "": "",
}


@pytest.mark.parametrize("name", COLOUR_LISTS)
def test_colours_stand_for_classes(tmp_path: Path, name: str) -> None:
    """Colours get their names from a list, and else are named by themselves."""
    if name:
        (tmp_path / name).write_text(COLOUR_LISTS[name])
    table = np.array([[0, 0, 255], [128, 128, 128], [255, 0, 0]], np.uint8)
    numbers = np.random.default_rng(3).integers(0, 3, (4, SIDE, SIDE + 2))
    for number in range(4):
        draw(tmp_path / f"images/{number}.png", picture(number))
        draw(tmp_path / f"masks/{number}.png", table[numbers[number]])
    found = read(tmp_path)
    words = ("sky", "road", "car") if name else ("colour #0000ff", "class 128", "colour #ff0000")
    for mask, sample in zip(numbers, found.samples, strict=True):
        labels = read_labels(sample.target, SIDE, SIDE + 2)
        assert all(found.names[label] == words[k] for label, k in zip(labels.ravel(), mask.ravel(), strict=True))


@pytest.mark.parametrize("names", [("background", "red"), ("background", "0 healthy", "1 ill"), ("a", "#1", '7, "b"')])
def test_a_written_list_of_classes_is_read_as_the_same(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Names that begin with a number or like a remark keep their value and their letters."""
    (tmp_path / "classes.txt").write_text(class_list(names))
    assert read_classes(tmp_path / "classes.txt", "classes.txt").names == dict(enumerate(names))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_list_of_classes_keeps_its_letters(tmp_path: Path, encoding: str) -> None:
    """Names of classes are the same in every encoding that programs write."""
    (tmp_path / "classes.txt").write_bytes("fond\nforêt\nchâteau\n".encode(encoding))
    assert list(read_classes(tmp_path / "classes.txt", "").names.values()) == ["fond", "forêt", "château"]


def test_a_list_of_other_classes_is_left_out_and_said(tmp_path: Path) -> None:
    """Values that a list does not know are classes without names, and the list is not passed over in silence."""
    (tmp_path / "classes.txt").write_text("7 cat\n8 dog\n9 owl\n")
    for number in range(3):
        draw(tmp_path / f"images/{number}.png", picture(number))
        draw(tmp_path / f"masks/{number}.png", two_values(number, 3) + two_values(number + 1, 2))
    found = read(tmp_path)
    assert found.names[0] == "background"
    assert [item.path for item in found.left_out] == ["classes.txt"]
    assert found.left_out[0].reason == "it lists other classes than the masks have"


def test_numbers_of_objects_are_told_from_classes(tmp_path: Path) -> None:
    """1, 2, ... n with another n on every picture are objects; classes that are not all on every picture are not."""
    for number in range(5):
        draw(tmp_path / f"images/{number}.tif", picture(number))
        objects = np.zeros((SIDE, SIDE + 2), np.uint16)
        objects.ravel()[: 7 + number] = np.arange(1, 8 + number)
        draw(tmp_path / f"masks/{number}.tif", objects)
    found = read(tmp_path)
    assert found.samples[0].target.kind == "numbers"
    assert read_objects(found.samples[4].target, SIDE, SIDE + 2).max() == 11
    for number in range(5):
        draw(
            tmp_path / f"masks/{number}.tif",
            np.random.default_rng(number).choice(np.arange(number, 12, dtype=np.uint16)[::2], (SIDE, SIDE + 2)),
        )
    assert read(tmp_path).samples[0].target.kind == "index"


def cells(*numbers: int) -> np.ndarray:
    """A mask (80, 120) with an area of ten pixels for each number."""
    mask = np.zeros((80, 120), np.int32)
    for place, number in enumerate(numbers):
        row, column = divmod(place, 20)
        mask[4 * row : 4 * row + 2, 6 * column : 6 * column + 5] = number
    return mask


def draw_masks(folder: Path, masks: list[np.ndarray]) -> None:
    for number, mask in enumerate(masks):
        for place in ("images", "masks"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / f"images/{number}.tif", np.zeros(mask.shape, np.uint8))
        tifffile.imwrite(folder / f"masks/{number}.tif", mask.astype(np.uint16))


OBJECTS = {
    "few cells": [cells(*range(1, 2 + count)) for count in (2, 3, 5, 4, 2, 3)],
    "as many on every field": [cells(*range(1, 101)) for _ in range(3)],
    "tiles of one large image": [cells(*range(first, first + 40)) for first in (1, 30, 120, 300)],
    "tracks with gaps": [cells(*range(1 + number, 1200, 90)) for number in range(6)],
    "an edge that is not known": [np.where(np.arange(120) < 1, 65535, cells(*range(1, n))) for n in (9, 12, 14)],
}


@pytest.mark.parametrize("name", OBJECTS)
def test_values_that_are_one_area_each_are_objects(tmp_path: Path, name: str) -> None:
    """They had become classes such as "the second cell", or been refused as smoothed."""
    draw_masks(tmp_path, OBJECTS[name])
    found = read(tmp_path)
    assert found.names == ("background", "foreground")
    for mask, sample in zip(OBJECTS[name], found.samples, strict=True):
        objects, labels = read_objects(sample.target, 80, 120), read_labels(sample.target, 80, 120)
        assert np.array_equal(objects, mask)
        assert np.array_equal(labels, np.where(mask == 65535, UNKNOWN, mask > 0))


NO_OBJECTS = {
    "a tumour in an organ": [np.kron([[1, 1, 1], [1, 1 + n % 2, 1]], np.ones((9, 9))) for n in range(6)],
    "nuclei in cells": [np.pad(np.kron(np.eye(3) + 1 + n % 2, np.ones((9, 9))), 9) for n in range(6)],
    "layers, the last one rare": [np.repeat(np.arange(5 + (n == 3)), 9)[:, None] * np.ones(30) for n in range(6)],
    "many scattered classes": [
        np.random.default_rng(n).permutation(np.arange(9600) % 90).reshape(80, 120) for n in (1, 2)
    ],
}


@pytest.mark.parametrize("name", NO_OBJECTS)
def test_classes_stay_classes(tmp_path: Path, name: str) -> None:
    """Holes, several areas and one number of values on most masks are those of classes."""
    draw_masks(tmp_path, NO_OBJECTS[name])
    assert read(tmp_path).samples[0].target.kind == "index"


def test_a_list_says_that_values_are_objects(tmp_path: Path) -> None:
    """Nine of them on every mask may be either: it is told, and the one line `objects` decides."""
    draw_masks(tmp_path, [np.roll(cells(*range(1, 10)), number, 1) for number in range(4)])
    assert "each is one area: if every value is one object, write the line objects into" in read(tmp_path).labels
    (tmp_path / "classes.txt").write_text("objects\n")
    found = read(tmp_path)
    assert found.names == ("background", "foreground")
    assert not found.left_out
    assert read_objects(found.samples[0].target, 80, 120).max() == 9


def test_the_cell_tracking_challenge_is_read(tmp_path: Path) -> None:
    """Frames and masks of one number in each of two films, gold before silver; markers for tracking are no masks."""
    truth = {}
    for film in ("01", "02"):
        for frame in range(4):
            truth[film, frame] = np.roll(cells(3, 7, 20), (4 * frame, 9 * int(film)), (0, 1)).astype(np.uint8)
            draw(tmp_path / f"{film}/t{frame:03}.tif", np.zeros((80, 120), np.uint8))
            for place, mask in (("GT/TRA/man_track", 1), ("ST/SEG/man_seg", 5), ("GT/SEG/man_seg", truth[film, frame])):
                if frame != 2 or "GT/SEG" not in place:
                    draw(tmp_path / f"{film}_{place}{frame:03}.tif", np.full((80, 120), mask, np.uint8))
        truth[film, 2] = np.full((80, 120), 5)
    found = read_source(tmp_path)
    assert len(found.samples) == 8
    for sample in found.samples:
        film, frame = sample.path[:2], int(sample.path[-5])
        assert np.array_equal(read_objects(sample.target, 80, 120), truth[film, frame])


def test_a_folder_of_masks_beside_that_of_its_pictures_is_no_class(tmp_path: Path) -> None:
    """Few frames have masks: it is refused, where pictures had been learned against their masks."""
    for frame in range(30):
        draw(tmp_path / f"01/t{frame:03}.tif", picture(frame))
        draw(tmp_path / f"01_GT/TRA/man_track{frame:03}.tif", two_values(frame))
    for frame in range(2):
        draw(tmp_path / f"01_GT/SEG/man_seg{frame:03}.tif", two_values(frame))
    with pytest.raises(StriateError, match="01 and 01_GT that do not fit"):
        read_source(tmp_path)


def _all_but(end: int, *gone: int) -> np.ndarray:
    """A mask of the values 1 to `end` without some of them."""
    mask = np.zeros((SIDE, SIDE + 2), np.uint8)
    mask.ravel()[:end] = np.arange(1, end + 1)
    mask[np.isin(mask, gone)] = 0
    return mask


@pytest.mark.parametrize(
    ("kind", "masks"),
    [
        ("numbers", [_all_but(9, 5), _all_but(10, 5), _all_but(11, 2), _all_but(12)]),  # deleted by hand
        ("index", [_all_but(11, 8), _all_but(11, 2), _all_but(10, 3), _all_but(9)]),  # the last classes are rare
        ("index", [_all_but(9, 2, 5, 6), _all_but(10, 1, 8), _all_but(11, 2, 3), _all_but(12, 4, 7)]),
    ],
)
def test_numbers_of_objects_may_have_gaps(tmp_path: Path, kind: str, masks: list[np.ndarray]) -> None:
    """A cell that was deleted makes no class of each other one; classes of which pictures lack a few stay these."""
    for number, mask in enumerate(masks):
        draw(tmp_path / f"images/{number}.png", picture(number))
        draw(tmp_path / f"masks/{number}.png", mask)
    found = read(tmp_path)
    assert [sample.target.kind for sample in found.samples] == [kind] * 4
    objects = read_objects(found.samples[0].target, SIDE, SIDE + 2)
    assert objects is None if kind == "index" else np.array_equal(objects, masks[0])


def test_cellpose_writes_objects(tmp_path: Path) -> None:
    """Its masks number cells however few they are, and with gaps; the same values of another program are classes."""
    masks = [_all_but(3), _all_but(4, 2), _all_but(4, 1, 3)]
    for ending, kind in (("_cp_masks", "numbers"), ("_mask", "index")):
        for number, mask in enumerate(masks):
            draw(tmp_path / ending / f"{number}.png", picture(number))
            draw(tmp_path / ending / f"{number}{ending}.png", mask)
        samples = read(tmp_path / ending).samples
        assert [sample.target.kind for sample in samples] == [kind] * 3
    objects = read_objects(read(tmp_path / "_cp_masks").samples[1].target, SIDE, SIDE + 2)
    assert np.array_equal(objects, masks[1])


def test_one_stray_pixel_makes_no_class_unknown(tmp_path: Path) -> None:
    """A single pixel of another value in black-and-white masks is a class of its own; white stays one that is known."""
    for number in range(8):
        mask = np.zeros((SIDE, 100), np.uint8)
        mask[2:7, 10:60] = 255
        mask[0, 0] = 77 * (number == 3)
        draw(tmp_path / f"images/{number}.png", np.zeros((SIDE, 100), np.uint8))
        draw(tmp_path / f"masks/{number}.png", mask)
    found = read(tmp_path)
    assert (found.names, found.samples[0].target.ignore) == (("background", "class 77", "class 255"), None)
    assert (read_labels(found.samples[0].target, SIDE, 100) == 2).sum() == 250


def test_masks_of_stacks_are_of_the_page_of_their_pictures(tmp_path: Path) -> None:
    """Slice 2 had been learned against mask 0; a mask of one page is for all, one of other pages is left out."""
    random, stacks = np.random.default_rng(1), {}
    for number, pages in enumerate((4, 4, 1, 3)):
        stacks[number] = random.integers(0, 2, (pages, SIDE, SIDE), np.uint8)
        pictures = random.integers(0, 255, (4, SIDE, SIDE), np.uint8)
        for folder, stack in (("images", pictures), ("masks", stacks[number])):
            (tmp_path / folder).mkdir(exist_ok=True)
            axes = {"axes": "ZYX"}
            tifffile.imwrite(tmp_path / folder / f"{number}.tif", stack, imagej=True, metadata=axes)
    found = read_source(tmp_path, page=2)
    assert [(item.path, item.reason) for item in found.left_out] == [
        ("images/3.tif", "its mask masks/3.tif has 3 pages, it has 4")
    ]
    for number, sample in enumerate(found.samples):
        assert np.array_equal(read_labels(sample.target, SIDE, SIDE), stacks[number][2 if number < 2 else 0])
    projected = read_source(tmp_path, page="max")
    assert [sample.path for sample in projected.samples] == ["images/2.tif"]
    assert np.array_equal(read_labels(projected.samples[0].target, SIDE, SIDE), stacks[2][0])
    assert {item.reason.partition(": ")[2] for item in projected.left_out} == {
        "labels of several pages have no projection: give a mask of one"
    }


def test_blurred_edges_are_cut_at_the_middle(tmp_path: Path) -> None:
    """A black-and-white mask that was made smaller with smoothing is still two classes, and it is said."""
    for number in range(3):
        draw(tmp_path / f"images/{number}.png", np.zeros((80, 80), np.uint8))
        soft = np.zeros((80, 80), np.uint8)
        soft[20:60, 10 + number : 50] = 255
        soft[20, 10:50], soft[59, 10:50] = np.arange(40) * 3, 255 - np.arange(40) * 4
        draw(tmp_path / f"masks/{number}.png", soft)
    found = read(tmp_path)
    assert found.samples[0].target.kind == "binary"
    assert "values between 0 and 255 are cut at the middle" in found.labels
    assert np.array_equal(read_labels(found.samples[2].target, 80, 80), soft > 127)


def test_blurred_edges_on_small_pictures_are_no_classes(tmp_path: Path) -> None:
    """A seventh of the pixels lies on edges, where outlines are long; cut, they are the sharp mask but at corners."""
    sharp = np.zeros((40, 48), np.uint8)
    sharp[4:14, 4:14] = sharp[20:34, 8:20] = sharp[9:30, 30:42] = 255
    for number in range(3):
        draw(tmp_path / f"images/{number}.png", np.zeros((40, 48), np.uint8))
        mask = Image.fromarray(np.roll(sharp, number, 1)).filter(ImageFilter.GaussianBlur(1.2))
        draw(tmp_path / f"masks/{number}.png", np.asarray(mask))
    assert np.isin(np.asarray(mask), (0, 255)).mean() < 0.86
    found = read(tmp_path)
    assert found.names == ("background", "foreground")
    assert (read_labels(found.samples[0].target, 40, 48) != (sharp > 0)).sum() < 20


@pytest.mark.parametrize("top", [200, 255])
def test_small_areas_of_many_classes_are_no_blurred_edges(tmp_path: Path, top: int) -> None:
    """Twenty small classes beside a frequent one, or nearly nothing beside what is not known, stay classes: black and
    white they are for the most part, but their areas lie on no slope."""
    for number in range(2):
        mask = np.zeros((60, 100), np.uint8)
        mask[30:] = top
        step, wide = (9, 20) if top == 200 else (1, 3)  # to 189, on a tenth of it; or small numbers, and 255
        for value in range(1, 21):
            mask[3 * value - 3 : 3 * value - 1, 10 : 10 + wide] = step * (value + number)
        draw(tmp_path / f"images/{number}.png", np.zeros((60, 100), np.uint8))
        draw(tmp_path / f"masks/{number}.png", mask)
    found = read(tmp_path)
    assert len(found.names) == 22 + (top == 200)
    assert found.samples[0].target.ignore == (None if top == 200 else UNKNOWN)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_mask_drawn_on_the_unturned_picture_is_turned_with_it(tmp_path: Path, orientation: int) -> None:
    """A mask of the stored size goes the way of a picture that EXIF lays on its side; one of the shown size stays."""
    exif = Image.Exif()
    exif[274] = orientation
    draw(tmp_path / "images/a.png", picture(1), exif=exif)
    draw(tmp_path / "masks/a.png", two_values(1))
    found = read(tmp_path)
    shape = (SIDE, SIDE + 2) if orientation < 5 else (SIDE + 2, SIDE)
    expected = {6: np.rot90(two_values(1), -1), 8: np.rot90(two_values(1))}.get(orientation, two_values(1))
    assert np.array_equal(read_labels(found.samples[0].target, *shape), expected // 255)
    draw(tmp_path / "masks/a.png", expected)
    assert np.array_equal(read_labels(read(tmp_path).samples[0].target, *shape), expected // 255)


def test_folders_of_classes_are_not_taken_for_masks(tmp_path: Path) -> None:
    """Classes called mask and no_mask, or pictures without any word of masks, are none of ours."""
    for folder in ("mask", "no_mask"):
        for number in range(4):
            draw(tmp_path / "a" / folder / f"{number}.png", picture(number))
            draw(tmp_path / "b" / folder.replace("mask", "cat") / f"{number}.png", picture(number))
    assert not recognises(tmp_path / "a")
    assert not recognises(tmp_path / "b")
    with pytest.raises(StriateError, match="no mask for any of 8 pictures"):
        read(tmp_path / "b")


def test_photographs_are_no_masks(tmp_path: Path) -> None:
    """Many colours, or nothing marked anywhere, are an error when masks were asked for."""
    for number in range(3):
        draw(tmp_path / f"images/{number}.png", picture(number))
        draw(
            tmp_path / f"masks/{number}.png",
            np.random.default_rng(number).integers(0, 256, (SIDE, SIDE + 2, 3), np.uint8),
        )
    assert not recognises(tmp_path)
    with pytest.raises(StriateError, match="one value, or one colour, per class"):
        read(tmp_path)
    for number in range(3):
        draw(tmp_path / f"masks/{number}.png", np.zeros((SIDE, SIDE + 2), np.uint8))
    with pytest.raises(StriateError, match="received: the value 0 alone"):
        read(tmp_path)


def test_image_sets_for_segmentation_give_the_parts(tmp_path: Path) -> None:
    """As VOC has them; a picture that two of them list is left out."""
    for number in range(4):
        draw(tmp_path / f"JPEGImages/{number}.png", picture(number))
        draw(tmp_path / f"SegmentationClass/{number}.png", two_values(number, 1))
    sets = tmp_path / "ImageSets" / "Segmentation"
    sets.mkdir(parents=True)
    for name, stems in (("train", "0\n1\n"), ("val", "1\n2\n"), ("trainval", "3\n")):
        (sets / f"{name}.txt").write_text(stems)
    found = read(tmp_path)
    parts = {sample.path: sample.part for sample in found.samples}
    assert parts == {f"JPEGImages/{n}.png": part for n, part in ((0, "train"), (2, "validation"), (3, "train"))}
    reasons = {item.path: item.reason for item in found.left_out}
    assert reasons["JPEGImages/1.png"] == "ImageSets lists it for train, validation"


def test_many_classes_on_much_background_stay_classes(tmp_path: Path) -> None:
    """Twenty small areas on 97 % background are no blurred edges, though nearly all pixels are of two values."""
    for number in range(2):
        mask = np.zeros((60, 100), np.uint8)
        for value in range(1, 21):
            mask[(value + number) % 20 * 3, :8] = value
        draw(tmp_path / f"images/{number}.png", np.zeros((60, 100), np.uint8))
        draw(tmp_path / f"masks/{number}.png", mask)
    draw(tmp_path / "masks/1.png", np.where(mask == 7, 0, mask))  # else they could be numbers of objects
    draw(tmp_path / "masks/0.png", np.where(mask == 9, 0, mask))
    assert read(tmp_path).names[1:] == tuple(f"class {value}" for value in range(1, 21))


@pytest.mark.parametrize("places", [("masks/liver", "masks/tumour"), ("liver_masks", "tumour_masks")])
def test_masks_in_a_folder_for_each_class_are_refused(tmp_path: Path, places: tuple[str, str]) -> None:
    """The second class had been background; another form of the same mask is still passed over and listed."""
    for number in range(3):
        draw(tmp_path / f"images/{number}.png", picture(number))
        for place in places:
            draw(tmp_path / f"{place}/{number}.png", two_values(number))
    with pytest.raises(StriateError, match=rf"one mask.*{places[0]}/0.png and {places[1]}/0.png.*a value for each"):
        read(tmp_path)
    (tmp_path / "masks").mkdir(exist_ok=True)
    (tmp_path / places[1]).rename(tmp_path / "masks/objects")
    assert len(read(tmp_path).samples) == 3


def test_a_palette_for_each_file_is_refused(tmp_path: Path) -> None:
    """One colour with two numbers is no class; masks with one palette, or of other colours, are read by number."""
    colours = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0]], np.uint8)
    for number, order in enumerate(([0, 1, 2], [0, 2, 1])):
        draw(tmp_path / f"images/{number}.png", picture(number))
        values = np.resize(np.arange(3), (SIDE, SIDE + 2)).astype(np.uint8)
        for folder, palette in (("masks", colours[order]), ("others", colours + np.uint8(number))):
            image = Image.fromarray(values)
            image.putpalette(palette.tobytes())
            (tmp_path / folder).mkdir(exist_ok=True)
            image.save(tmp_path / folder / f"{number}.png")
    with pytest.raises(
        StriateError, match=r"#00c800 is 2 in the mask of images/0\.png, and 1 in that of images/1\.png"
    ):
        read(tmp_path)
    for number in range(2):
        (tmp_path / "others" / f"{number}.png").replace(tmp_path / "masks" / f"{number}.png")
    assert read(tmp_path).names == ("background", "class 1", "class 2")


@pytest.mark.parametrize("ends", [("_mask", "_mask_1"), ("_mask_1", "_mask_2"), ("_mask1", "_mask2")])
def test_numbered_masks_of_one_picture_are_one_mask(tmp_path: Path, ends: tuple[str, str]) -> None:
    """What any of the files marks is marked, where the second one had been background; the only mask of a picture
    beside is what it was."""
    for number in range(3):
        draw(tmp_path / f"a ({number}).png", picture(number))
        for place, end in enumerate(ends if number else ends[:1]):
            draw(tmp_path / f"a ({number}){end}.png", two_values(number + 3 * place))
    found = read(tmp_path)
    assert not found.left_out
    assert "several masks joined on 2 pictures" in found.labels
    for number, sample in enumerate(found.samples):
        expected = (two_values(number) > 0) | ((two_values(number + 3) > 0) & bool(number))
        assert np.array_equal(read_labels(sample.target, SIDE, SIDE + 2), expected)


@pytest.mark.parametrize(
    ("of_picture", "of_mask"),
    [("{c}/images/{n}.png", "{c}/masks/{n}.png"), ("{c}/{c} ({n}).png", "{c}/{c} ({n})_mask.png")],
)
def test_masks_are_no_pictures_of_their_class(tmp_path: Path, of_picture: str, of_mask: str) -> None:
    """Masks of other sizes beside the pictures of each class are left out; they had been learned, and scored, as half
    of the pictures. What is called a mask and is a photograph stays, and so do classes of that name."""
    for kind in ("ill", "well"):
        for number in range(3):
            draw(tmp_path / "a" / of_picture.format(c=kind, n=number), picture(number))
            draw(tmp_path / "a" / of_mask.format(c=kind, n=number), np.repeat(two_values(number), 2, axis=0))
            draw(tmp_path / "b" / of_picture.format(c=kind, n=number), picture(number))
            draw(tmp_path / "b" / of_mask.format(c=kind, n=number), np.repeat(picture(number + 5), 2, axis=0))
            draw(tmp_path / f"c/{'no ' * (kind == 'well')}mask/{number}.png", two_values(number))
    found = read_source(tmp_path / "a", task="classification")
    assert [s.path for s in found.samples] == [of_picture.format(c=k, n=n) for k in ("ill", "well") for n in range(3)]
    assert sorted(item.path for item in found.left_out) == sorted(
        of_mask.format(c=k, n=n) for k in ("ill", "well") for n in range(3)
    )
    assert {item.reason for item in found.left_out} == {
        "a mask of a picture of its class; --task segmentation learns masks"
    }
    assert len(read_source(tmp_path / "b").samples) == 12
    assert len(read_source(tmp_path / "c").samples) == 6
