"""Boxes of every format become the same boxes, in pixels of the picture as it is shown; bad ones are listed."""

import io
import json
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_files import coco_letters
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from striate import cli
from striate.data import content
from striate.data.annotated import box_texts, boxes_kind, read_boxes
from striate.data.boxes import KINDS
from striate.data.coco import read_json
from striate.data.columns import read_lines
from striate.data.convert import write_boxes
from striate.data.decode import decode
from striate.data.header import Unreadable
from striate.data.outlines import read_outlines
from striate.data.painted import runs_of
from striate.data.sample import Boxes, Found, Sample, text_of
from striate.data.sources import read_source
from striate.data.targets import NOTHING
from striate.data.voc import parse_xml
from striate.errors import StriateError
from striate.tasks.classification import Classification
from striate.tasks.detection import Detection
from striate.tasks.multilabel import Multilabel
from striate.train.doctor import check


def draw(file: Path, width: int = 40, height: int = 30, **options: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 150)).save(file, **options)
    return file


def write(file: Path, text: str | dict) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return file


def voc(*objects: tuple[str, object, object, object, object], name: str = "a.jpg", size: str = "") -> str:
    things = "".join(
        f"<object><name>{kind}</name><difficult>0</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for kind, x0, y0, x1, y1 in objects
    )
    return f"<annotation><filename>{name}</filename>{size}{things}</annotation>"


def boxes_of(found: Found) -> dict[str, list[tuple]]:
    return {
        sample.path: [
            (name, *map(float, box)) for name, box in zip(sample.target.names, sample.target.corners, strict=True)
        ]
        for sample in found.samples
    }


def reasons(found: Found) -> dict[str, str]:
    return {item.path: item.reason for item in found.left_out}


def mended(found: Found) -> list[str]:
    return [item.reason for item in found.mended]


def test_voc_with_its_image_sets(tmp_path: Path) -> None:
    """ImageSets/Main gives the parts, corners are as written, and a stem without XML is listed."""
    for stem in ("a", "b", "c"):
        draw(tmp_path / f"JPEGImages/{stem}.jpg")
        write(tmp_path / f"Annotations/{stem}.xml", voc(("cell", 2, 3, 12.5, 23), name=f"{stem}.jpg"))
    for part, stems in (
        ("train", "a\n"),
        ("val", "b\n"),
        ("test", "c\nd\n"),
        ("trainval", "a\nb\n"),
        ("cell_train", "c 1"),
    ):
        write(tmp_path / f"ImageSets/Main/{part}.txt", stems)
    found = read_boxes(tmp_path)
    assert boxes_kind(tmp_path) == "voc"
    assert found.task == "detection"
    assert {s.path: s.part for s in found.samples} == {
        "JPEGImages/a.jpg": "train", "JPEGImages/b.jpg": "validation", "JPEGImages/c.jpg": "test"
    }  # fmt: skip
    assert boxes_of(found)["JPEGImages/a.jpg"] == [("cell", 2, 3, 12.5, 23)]
    assert reasons(found) == {"d": "ImageSets lists it for test, and no XML file has this name"}


def test_every_bad_box_is_told_and_the_good_ones_stay(tmp_path: Path) -> None:
    """No area, outside, twice, wrong order, no number: each has its line, and nothing else is lost."""
    draw(tmp_path / "a.jpg")
    things = [
        ("good", 1, 1, 9, 9), ("flat", 5, 5, 5, 9), ("far", 50, 5, 60, 9), ("edge", -4, 5, 8, 33),
        ("good", 1, 1, 9, 9), ("turned", 20, 20, 10, 10), ("word", "x", 1, 2, 3), ("nan", "nan", 1, 2, 3),
        ("", 1, 1, 2, 2),
    ]  # fmt: skip
    write(tmp_path / "a.xml", voc(*things))
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {"a.jpg": [("good", 1, 1, 9, 9), ("edge", 0, 5, 8, 30), ("turned", 10, 10, 20, 20)]}
    assert mended(found) == [
        "a.xml, object 2: no area (5, 5, 5, 9), dropped",
        "a.xml, object 3: outside the picture (50, 5, 60, 9 in 40 × 30), dropped",
        "a.xml, object 4: reaches out of the picture (-4, 5, 8, 33 in 40 × 30), cut at its edge",
        "a.xml, object 5: the same box as object 1, dropped",
        "a.xml, object 6: corners in the wrong order, swapped",
        "a.xml, object 7: a box has the numbers xmin, ymin, xmax, ymax, and this has x, 1, 2, 3, dropped",
        "a.xml, object 8: its corners are no numbers, dropped",
        "a.xml, object 9: it has no name, dropped",
    ]


def test_a_renamed_xml_file_is_of_the_picture_that_is_called_like_it(tmp_path: Path) -> None:
    """The name inside is that of before: it counts only where no picture has the file's own."""
    for name in ("a", "b", "c"):
        draw(tmp_path / f"{name}.jpg")
    for file, inside, kind in (("a", "b.jpg", "cat"), ("b", "b.jpg", "dog"), ("other", "c.jpg", "owl")):
        write(tmp_path / f"{file}.xml", voc((kind, 1, 1, 9, 9), name=inside))
    found = read_boxes(tmp_path)
    assert {path: rows[0][0] for path, rows in boxes_of(found).items()} == {
        "a.jpg": "cat",
        "b.jpg": "dog",
        "c.jpg": "owl",
    }
    assert not found.left_out


@pytest.mark.parametrize("names", ["xmin,ymin,width,height", "x,y,w,h", "left,top,width,height"])
def test_a_table_may_have_sides_for_the_second_corner(tmp_path: Path, names: str) -> None:
    """They had been passed over, and the table learned as classes; beside four corners they are the picture's."""
    for name in "ab":
        draw(tmp_path / f"{name}.png")
    text = f"path,label,{names}\na.png,cell,1,2,10,20\na.png,dot,30,20,5,5\nb.png,cell,3,4,-5,6\nb.png,dot,0,0,8,9\n"
    write(tmp_path / "boxes.csv", text)
    found = read_source(tmp_path)
    assert boxes_of(found) == {
        "a.png": [("cell", 1, 2, 11, 22), ("dot", 30, 20, 35, 25)],
        "b.png": [("dot", 0, 0, 8, 9)],
    }
    assert mended(found) == ["boxes.csv, line 4: a width and height of -5 and 6, dropped"]
    both = "path,label,xmin,ymin,xmax,ymax,width,height\na.png,cell,2,4,22,44,80,60\n"
    write(tmp_path / "boxes.csv", both)
    assert boxes_of(read_boxes(tmp_path)) == {"a.png": [("cell", 1, 2, 11, 22)]}


def test_thousands_of_boxes_on_one_picture(tmp_path: Path) -> None:
    """The same box twice is found among 1,500 in the time of a few comparisons for each, not of one with all others."""
    draw(tmp_path / "a.png", 600, 600)
    places = [(x, y) for x in range(0, 500, 10) for y in range(0, 300, 10)]
    rows = [f"a.png,cell,{x},{y},{x + 9},{y + 9}\n" for x, y in (*places, places[7])]
    write(tmp_path / "boxes.csv", "path,label,x0,y0,x1,y1\n" + "".join(rows))
    begun = time.process_time()
    found = read_boxes(tmp_path)
    assert time.process_time() - begun < 2  # 5 s where each is compared with all
    assert len(found.samples[0].target.names) == 1500
    assert mended(found) == ["boxes.csv, line 1502: the same box as line 9, dropped"]


def test_a_picture_whose_boxes_were_all_dropped_is_not_empty(tmp_path: Path) -> None:
    """It is left out, beside the reason of every box; one that never had a box stays as an empty picture."""
    for name, text in (("a", "0 0.5 0.5 0 0\n0 9 9 1 1\n"), ("b", "0 0.5 0.5 1 1\n0 0.5 0.5 0 0\n"), ("c", "")):
        draw(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "labels" / f"{name}.txt", text)
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {"images/b.jpg": [("0", 0, 0, 40, 30)], "images/c.jpg": []}
    assert reasons(found) == {"images/a.jpg": "labels/a.txt: all its boxes were dropped, so what it shows is not known"}
    assert [item.path for item in found.mended] == ["images/a.jpg", "images/a.jpg", "images/b.jpg"]


def test_pictures_and_labels_without_each_other_are_left_out(tmp_path: Path) -> None:
    """A picture without XML, XML without a picture, damaged XML and a damaged picture each have their reason."""
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "alone.jpg")
    draw(tmp_path / "broken.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    write(tmp_path / "a.xml", voc(("cell", 1, 1, 9, 9)))
    write(tmp_path / "gone.xml", voc(("cell", 1, 1, 9, 9), name="gone.jpg"))
    write(tmp_path / "broken.xml", "<annotation><object>")
    write(tmp_path / "bad.xml", voc(("cell", 1, 1, 9, 9), name="bad.jpg"))
    found = read_boxes(tmp_path)
    assert [s.path for s in found.samples] == ["a.jpg"]
    told = reasons(found)
    assert told["alone.jpg"] == "no VOC XML for this picture"
    assert told["gone.jpg"] == "no such picture, and gone.xml has labels for it"
    assert told["broken.jpg"].startswith("broken.xml: damaged XML: no element found")
    assert "damaged JPEG" in told["bad.jpg"]


def test_a_labelme_file_that_ends_too_early_is_named(tmp_path: Path) -> None:
    """Its end, where labelme writes the picture's name, is missing; the reason says so."""
    record = {"shapes": [{"label": "cell", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}]}
    for name in "ab":
        draw(tmp_path / f"{name}.jpg")
        text = json.dumps({**record, "imagePath": f"{name}.jpg"})
        write(tmp_path / f"{name}.json", text if name == "a" else text[:50])
    found = read_boxes(tmp_path)
    assert [s.path for s in found.samples] == ["a.jpg"]
    assert reasons(found)["b.jpg"].startswith("b.json: damaged JSON")
    outlined = read_outlines(tmp_path)
    assert [s.path for s in outlined.samples] == ["a.jpg"]
    assert [(item.path, item.reason) for item in outlined.left_out] == [("b.jpg", reasons(found)["b.jpg"])]


def test_a_picture_named_twice_has_all_boxes_of_one_table(tmp_path: Path) -> None:
    """Two ways to write its name in one table are one picture; another table for it is not used, and that is said."""
    for name in "ab":
        draw(tmp_path / f"{name}.jpg")
    write(tmp_path / "1.csv", "path,label,x0,y0,x1,y1\nC:\\x\\a.jpg,cell,1,1,9,9\na.jpg,dot,2,2,8,8\n")
    write(tmp_path / "2.csv", "path,label,x0,y0,x1,y1\na.jpg,cat,3,3,9,9\n")
    found = read_boxes(tmp_path)
    assert [s.target.names for s in found.samples] == [("cell", "dot")]
    assert reasons(found) == {
        "2.csv": "not used for a.jpg: 1.csv gives it labels already",
        "b.jpg": "no line of a table for this picture",
    }


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>',
        "<annotation>" * 101,
        "<annotation>&b;</annotation>",
        "no XML at all",
        "",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_hostile_xml_is_refused(text: str, encoding: str) -> None:
    """Nothing that a file declares is expanded or fetched, whatever its encoding."""
    with pytest.raises(Unreadable):
        parse_xml(text.encode(encoding))


def test_labels_without_regard_for_exif_are_turned_with_the_picture(tmp_path: Path) -> None:
    """For orientations 5 to 8 with the size of the untouched pixels, the box still holds the white patch."""
    for orientation in range(5, 9):
        pixels = np.zeros((30, 40, 3), np.uint8)
        pixels[4:10, 3:15] = 255
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
        size = "<size><width>40</width><height>30</height></size>"
        write(tmp_path / "a.xml", voc(("patch", 3, 4, 15, 10), name="a.png", size=size))
        ((_, x0, y0, x1, y1),) = boxes_of(read_boxes(tmp_path))["a.png"]
        shown = decode(tmp_path / "a.png")[:, :, 0]
        assert shown.shape == (40, 30)
        rows, columns = np.nonzero(shown)
        assert (x0, y0, x1, y1) == pytest.approx((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))


def test_labels_of_another_size_are_stretched_and_of_another_form_refused(tmp_path: Path) -> None:
    """Twice the size: half the corners. Another form: left out, with both sizes."""
    draw(tmp_path / "a.jpg")
    twice = "<size><width>80</width><height>60</height></size>"
    write(tmp_path / "a.xml", voc(("cell", 10, 20, 30, 40), size=twice))
    assert boxes_of(read_boxes(tmp_path)) == {"a.jpg": [("cell", 5, 10, 15, 20)]}
    write(tmp_path / "a.xml", voc(("cell", 10, 20, 30, 40), size=twice.replace("80", "50")))
    assert reasons(read_boxes(tmp_path)) == {"a.jpg": "a.xml is for a picture of 50 × 60 pixels, and it has 40 × 30"}
    (tmp_path / "a.xml").unlink()
    record = {"imagePath": "a.jpg", "imageHeight": "60", "imageWidth": 80.0, "shapes": [
        {"label": "cell", "shape_type": "rectangle", "points": [[10, 20], [30, 40]]},
    ]}  # fmt: skip
    write(tmp_path / "a.json", record)
    assert boxes_of(read_boxes(tmp_path)) == {"a.jpg": [("cell", 5, 10, 15, 20)]}


def test_coco_of_several_parts(tmp_path: Path) -> None:
    """A file per part gives the parts; crowds are ignored; unknown categories and pictures are told."""
    for part in ("train", "valid"):
        draw(tmp_path / part / "a.jpg")
        record = {
            "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 30}],
            "categories": [{"id": 3, "name": "cell"}],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20], "iscrowd": 0},
                {"id": 2, "image_id": 7, "category_id": 3, "bbox": [1, 2, 4.5, 5], "iscrowd": 1},
                {"id": 3, "image_id": 7, "category_id": 9, "bbox": [1, 2, 10, 20]},
                {"id": 4, "image_id": 8, "category_id": 3, "bbox": [1, 2, 10, 20]},
                {"id": 5, "image_id": 7, "category_id": 3, "bbox": [1, 2, -10, 20]},
                {"id": 6, "image_id": 7, "category_id": 3, "bbox": "none"},
            ],
        }
        write(tmp_path / part / "_annotations.coco.json", record)
    found = read_boxes(tmp_path)
    assert {s.path: s.part for s in found.samples} == {"train/a.jpg": "train", "valid/a.jpg": "validation"}
    assert boxes_of(found)["train/a.jpg"] == [("cell", 1, 2, 11, 22), ("cell", 1, 2, 5.5, 7)]
    assert found.samples[0].target.ignored.tolist() == [False, True]
    told = "\n".join(mended(found))
    assert "annotation 3: category 9 is none of the 1 that are listed, dropped" in told
    assert "annotation 5: a width and height of -10 and 20, dropped" in told
    assert "annotation 6: a box has the four numbers" in told
    assert (
        "annotation 4: it is of a picture that images does not list" in reasons(found)["train/_annotations.coco.json"]
    )


def test_names_that_parts_share_are_of_the_part_of_the_labels(tmp_path: Path) -> None:
    """instances_train.json means train/1.jpg where val/1.jpg has the name too; a file of no part is in doubt."""
    for part, place in (("train", "train"), ("val", "images/val2017")):
        draw(tmp_path / place / "1.jpg")
        record = {
            "images": [{"id": 1, "file_name": "1.jpg", "width": 40, "height": 30}],
            "categories": [{"id": 1, "name": part}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20]}],
        }
        write(tmp_path / f"annotations/instances_{part}.json", record)
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {
        "train/1.jpg": [("train", 1, 2, 11, 22)],
        "images/val2017/1.jpg": [("val", 1, 2, 11, 22)],
    }
    assert [sample.part for sample in found.samples] == ["validation", "train"]
    assert not found.left_out
    (tmp_path / "annotations/instances_val.json").unlink()
    assert "2 pictures have this name" in str(reasons(read_boxes(tmp_path)))


def test_coco_outlines_without_boxes(tmp_path: Path) -> None:
    """Where a tool writes polygons or runs alone, an object's box is around all of them; empty runs have none."""
    for name in "abc":
        draw(tmp_path / f"{name}.jpg")
    area = np.zeros((30, 40), bool)
    area[5:15, 12:30] = area[20, 3] = True  # of its first pixels the box has the edge before, of its last that behind
    letters = {"size": [30, 40], "counts": coco_letters(runs_of(area))}
    rings = [[2, 3, 12, 3, 12, 9.5], [20, 1, 22, 4, 21, 4]]
    runs = {"size": [30, 40], "counts": [31, 2, 1167]}
    record = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in "abc"],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [
            {"id": 1, "image_id": "a", "category_id": 1, "segmentation": rings, "bbox": []},
            {"id": 2, "image_id": "a", "category_id": 1, "segmentation": [[5, 5, 9, 5, 9, 9]]},
            {"id": 3, "image_id": "b", "category_id": 1, "segmentation": runs},
            {"id": 4, "image_id": "b", "category_id": 1, "segmentation": letters},
            {"id": 5, "image_id": "c", "category_id": 1, "segmentation": {"size": [30, 40], "counts": [1200]}},
        ],
    }
    write(tmp_path / "all.json", json.dumps(record))
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {
        "a.jpg": [("cell", 2, 1, 22, 9.5), ("cell", 5, 5, 9, 9)],
        "b.jpg": [("cell", 1, 1, 2, 3), ("cell", 3, 5, 30, 21)],
    }
    assert [item.path for item in found.left_out] == ["c.jpg"]
    assert mended(found) == ["all.json, annotation 5: a box has the four numbers x, y, width, height, dropped"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_crowd_is_no_twin_of_an_object(tmp_path: Path, first: int) -> None:
    """An object stays although a crowd has the same corners, whichever comes first; two of either are one."""
    draw(tmp_path / "a.jpg")
    crowds = [first, 1 - first, 0, 1]
    things = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": [5, 5, 9, 9], "iscrowd": c} for n, c in enumerate(crowds)
    ]
    images, categories = [{"id": 1, "file_name": "a.jpg"}], [{"id": 1, "name": "cell"}]
    write(tmp_path / "all.json", {"images": images, "annotations": things, "categories": categories})
    found = read_boxes(tmp_path)
    assert found.samples[0].target.ignored.tolist() == [bool(first), not first]
    assert len(mended(found)) == 2


@pytest.mark.parametrize("kind", ["voc", "coco", "labelme", "table"])
def test_pictures_behind_a_link_have_their_boxes(tmp_path: Path, kind: str) -> None:
    """A linked folder of pictures is one like others, unless it is read already under its own name."""
    pictures, folder = tmp_path / "elsewhere", tmp_path / "labelled"
    draw(pictures / "deep/a.jpg")
    draw(folder / "own/b.jpg")
    (folder / "own/deep").mkdir()
    for link, place in (("images", pictures), ("images/deep/up", pictures), ("own/deep/again", folder / "own")):
        (folder / link).symlink_to(place)
    boxes = Boxes(names=("x",), corners=np.array([[1.0, 2.0, 3.0, 4.0]]), size=(30, 40))
    listed = [(path, boxes) for path in ("images/deep/a.jpg", "own/b.jpg")]
    for path, text in box_texts(kind, listed, ["x"]):
        write(folder / path, text)
    found = read_boxes(folder)
    assert {sample.path for sample in found.samples} == {"images/deep/a.jpg", "own/b.jpg"}
    assert not found.left_out


def test_ids_of_coco_may_be_text_here_and_numbers_there(tmp_path: Path) -> None:
    """An annotation finds its picture and category either way; a second picture or category of one id is told."""
    for name in ("a.jpg", "b.jpg"):
        draw(tmp_path / name)
    record = {
        "images": [
            {"id": "007", "file_name": "a.jpg"},
            {"id": 8, "file_name": "b.jpg"},
            {"id": "8", "file_name": "c.jpg"},
        ],
        "categories": [{"id": 3, "name": "cell"}, {"id": "3", "name": "dust"}, {"id": 3, "name": "cell"}],
        "annotations": [
            {"image_id": "007", "category_id": "3", "bbox": [1, 2, 10, 20]},
            {"image_id": "8", "category_id": 3, "bbox": [5, 6, 10, 20]},
        ],
    }
    write(tmp_path / "all.json", record)
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {"a.jpg": [("cell", 1, 2, 11, 22)], "b.jpg": [("cell", 5, 6, 15, 26)]}
    told = [item.reason for item in found.left_out if item.path == "all.json"]
    assert told == ["dust: its id 3 is also that of cell", "c.jpg: its id 8 is also that of b.jpg"]


def test_ids_of_coco_may_be_whole_floats(tmp_path: Path) -> None:
    """pandas writes 3.0 for 3 where a column has a gap; such boxes had been lost, their pictures empty."""
    record = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2)],
        "categories": [{"id": 1.0, "name": "cell"}],
        "annotations": [{"image_id": n, "category_id": 1, "bbox": [1, 2, 10, 20]} for n in (1.0, 2, 2.5)],
    }
    for number in (1, 2):
        draw(tmp_path / f"{number}.jpg")
    found = read_boxes(write(tmp_path / "all.json", record))
    assert boxes_of(found) == {f"{n}.jpg": [("cell", 1, 2, 11, 22)] for n in (1, 2)}
    assert reasons(found) == {"all.json": "annotation 3: it is of a picture that images does not list"}


def test_a_training_without_boxes_says_where_they_are(tmp_path: Path) -> None:
    """Annotations that belong to no picture are named in the refusal."""
    record = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"image_id": "a.jpg", "category_id": 1, "bbox": [1, 2, 10, 20]}],
    }
    draw(tmp_path / "a.jpg")
    found = read_boxes(write(tmp_path / "all.json", record))
    told = r"no box on any picture; not used: all\.json \(annotation 1: it is of a picture that images does not list\)"
    with pytest.raises(StriateError, match=told):
        Detection.of(found, [sample.target for sample in found.samples], {})


def test_broken_json_is_an_error_with_its_file(tmp_path: Path) -> None:
    """One file holds all labels, so a damaged one ends the reading, in words, wherever it ends."""
    draw(tmp_path / "a.jpg")
    for lists in ('"annotations": [], "categories": [', '"annotations": [{"image_id": 1}, '):
        write(tmp_path / "all.json", f'{{"images": [], {lists}')
        assert boxes_kind(tmp_path) == "coco"
        with pytest.raises(StriateError, match=r"damaged JSON.*all\.json"):
            read_boxes(tmp_path)


def test_darknet_lists(tmp_path: Path) -> None:
    """obj.data's lists from another machine are found by the end of their paths; a picture that is gone is told."""
    draw(tmp_path / "img/a.jpg")
    draw(tmp_path / "img/b.jpg")
    draw(tmp_path / "img/c.jpg")
    write(tmp_path / "img/a.txt", "1 0.5 0.5 0.5 0.5\n2 0.5 0.5 0.1 0.1\n0 0.5 0.5\nx\n")
    write(tmp_path / "img/b.txt", "")
    write(tmp_path / "obj.names", "air\nbird\n")
    write(tmp_path / "obj.data", "classes= 2\ntrain = data/train.txt\nvalid = data/train.txt\nnames = data/obj.names\n")
    write(tmp_path / "train.txt", "data/img/a.jpg\ndata/img/b.jpg\n/home/me/img/gone.jpg\n")
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {"img/a.jpg": [("bird", 10, 7.5, 30, 22.5)], "img/b.jpg": []}
    assert {s.part for s in found.samples} == {None}
    told = reasons(found)
    assert told["/home/me/img/gone.jpg"] == "no such picture"
    assert told["img/c.jpg"] == "obj.data does not list it"
    assert len(mended(found)) == 3


def test_ultralytics_yaml(tmp_path: Path) -> None:
    """Parts and names come from data.yaml; a picture without text has no objects; outlines become their bounds."""
    for part in ("train", "val"):
        draw(tmp_path / f"images/{part}/a.jpg")
    draw(tmp_path / "images/train/empty.jpg")
    write(tmp_path / "labels/train/a.txt", "0 0.25 0.2 0.5 0.2 0.5 0.8 0.25 0.8\n")
    write(tmp_path / "labels/val/a.txt", "4 0.5 0.5 1 1\n")
    names = "names:\n  0: cell\n  4: 'white cell'\n"
    write(
        tmp_path / "data.yaml", f"path: ../datasets/x\ntrain: images/train\nval: images/val\ntest: images/test\n{names}"
    )
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {
        "images/train/a.jpg": [("cell", 10, 6, 20, 24)], "images/train/empty.jpg": [],
        "images/val/a.jpg": [("white cell", 0, 0, 40, 30)],
    }  # fmt: skip
    assert [s.part for s in found.samples] == ["train", "train", "validation"]
    assert reasons(found) == {"images/test": "data.yaml gives it for test, and it is not there"}


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("[yes, 'no', on, null]", ["yes", "no", "on", "null"]),
        ("\n- 010\n- 8\n- 1e3\n- 2020-01-01", ["010", "8", "1e3", "2020-01-01"]),
        ("{3: off, 1: 1_0, 0: ~, 2: 'a b'}", ["~", "1_0", "a b", "off"]),
    ],
)
def test_names_of_a_data_yaml_are_as_written(tmp_path: Path, written: str, names: list[str]) -> None:
    """Words that YAML takes for truth values, numbers or days are the names of four classes."""
    draw(tmp_path / "images/a.jpg")
    write(tmp_path / "labels/a.txt", "".join(f"{number} 0.5 0.5 0.{number + 1} 0.5\n" for number in range(4)))
    write(tmp_path / "data.yaml", f"train: images\nval: images\nnames: {written}\n")
    assert [name for name, *_ in boxes_of(read_boxes(tmp_path))["images/a.jpg"]] == names


@pytest.mark.parametrize(
    ("file", "text"),
    [("classes.txt", "square\n\ndisc\n\n"), ("data.yaml", "train: .\nval: .\nnames: {0: square, 2: disc}\n")],
)
def test_a_number_without_a_name_is_no_class(tmp_path: Path, file: str, text: str) -> None:
    """An empty line or a number left out has its place, so that the names behind it keep theirs; its boxes are told."""
    draw(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "".join(f"{kind} 0.5 0.5 0.5 0.{kind + 4}\n" for kind in range(4)))
    write(tmp_path / file, text)
    found = read_boxes(tmp_path)
    assert found.samples[0].target.names == ("square", "disc")
    assert mended(found) == [
        f"a.txt, line {kind + 1}: class {kind} has no name (the first is 0, the last 2), dropped" for kind in (1, 3)
    ]


@pytest.mark.parametrize(
    ("file", "text"), [("data.yaml", "train: .\nval: .\nnames: [a, b, a]"), ("classes.txt", "a\nb\na")]
)
def test_two_classes_of_one_name_are_refused(tmp_path: Path, file: str, text: str) -> None:
    """They had become one, and its boxes on one place the same box."""
    draw(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "0 0.5 0.5 0.5 0.5\n2 0.5 0.5 0.5 0.5\n")
    write(tmp_path / file, text)
    with pytest.raises(StriateError, match=rf"'a' is the name of 0, 2\b.*{file}.*give each a name of its own"):
        read_boxes(tmp_path)


def test_ultralytics_yaml_with_one_list_for_all(tmp_path: Path) -> None:
    """A small set that names its folder for train and val is to be divided, and no picture is listed twice."""
    for name in "abc":
        draw(tmp_path / f"images/all/{name}.jpg")
        write(tmp_path / f"labels/all/{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "data.yaml", "train: images/all\nval: images/all\nnames: [cell]\n")
    found = read_boxes(tmp_path)
    assert ({s.part for s in found.samples}, len(found.samples), found.left_out) == ({"train"}, 3, [])


@pytest.mark.parametrize(
    ("pictures", "texts"),
    [("images", "labels"), ("x/images", "x/labels"), (".", "."), ("day 1", "day 1"), ("plate/day", "plate/day")],
)
def test_yolo_without_names_has_its_numbers(tmp_path: Path, pictures: str, texts: str) -> None:
    """Classes that nothing names are called by their numbers; no other text is a box."""
    for name, line in (("a", "10 0.5 0.5 0.5 0.5\n"), ("b", "2 0.5 0.5 1 1\n"), ("c", "")):
        draw(tmp_path / pictures / f"{name}.jpg")
        write(tmp_path / texts / f"{name}.txt", line)
    found = read_source(tmp_path)
    assert found.task == "detection"
    assert set(found.classes) == {"2", "10"}
    assert found.labels == "YOLO text (its classes have numbers alone)"
    boxes = {Path(path).name: found for path, found in boxes_of(found).items()}
    assert boxes["a.jpg"] == [("10", 10, 7.5, 30, 22.5)]
    assert boxes["b.jpg"] == [("2", 0, 0, 40, 30)]
    assert boxes.get("c.jpg", []) == []
    write(tmp_path / texts / "a.txt", "10 0.5 0.5 5 3\n")  # no shares of a picture's sides
    write(tmp_path / texts / "b.txt", "2 of 3 were not seen\n")
    assert boxes_kind(tmp_path) is None


def test_one_text_beside_one_picture_makes_no_boxes_of_classes(tmp_path: Path) -> None:
    """Folders of cats and dogs stay classes where somebody once wrote one text; a fifth of the pictures makes boxes."""
    for number in range(10):
        draw(tmp_path / f"{'cat' if number % 2 else 'dog'}/{number}.jpg")
    write(tmp_path / "dog/0.txt", "0 0.5 0.5 0.5 0.5\n")
    assert read_source(tmp_path).classes == ["cat", "dog"]
    write(tmp_path / "cat/1.txt", "0 0.5 0.5 0.5 0.5\n")
    assert read_source(tmp_path).task == "detection"


@pytest.mark.parametrize("place", ["images/{}", "{}/images", "x/images/{}"])
@pytest.mark.parametrize("names", ["classes.txt", "obj.names", None])
def test_yolo_without_a_list_of_parts_has_those_of_its_folders(tmp_path: Path, place: str, names: str | None) -> None:
    """Folders called by parts give them, of pictures that are left out as well; without one to train on they do not."""
    words = {"Train": "train", "valid2017": "validation", "test": "test", "more": None}
    for word in words:
        draw(tmp_path / place.format(word) / f"one {word}.jpg")
        draw(tmp_path / place.format(word) / f"lone {word}.jpg")
        texts = tmp_path / place.format(word).replace("images", "labels")
        write(texts / f"one {word}.txt", "0 0.5 0.5 0.5 0.5\n")
    if names:
        write(tmp_path / names, "cell\n")
    found = read_boxes(tmp_path)
    assert {Path(s.path).stem: s.part for s in found.samples} == {f"one {w}": p for w, p in words.items()}
    assert {Path(i.path).stem: i.part for i in found.left_out} == {f"lone {w}": p for w, p in words.items()}
    for folder in list(tmp_path.rglob("Train")):
        folder.rename(folder.with_name("May"))
    assert {s.part for s in read_boxes(tmp_path).samples} == {None}


def test_a_picture_without_a_text_gets_none_of_another_part(tmp_path: Path) -> None:
    """Numbered anew in each part, as usual: a train picture without objects has none, and not those of val's 1."""
    for part in ("train", "val"):
        for number in (1, 2):
            draw(tmp_path / f"images/{part}/{number}.jpg")
    write(tmp_path / "labels/train/2.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "labels/val/1.txt", "0 0.25 0.5 0.5 0.5\n")
    write(tmp_path / "data.yaml", "train: images/train\nval: images/val\nnames: [cell]\n")
    boxes = boxes_of(read_boxes(tmp_path))
    assert {path: len(found) for path, found in boxes.items()} == {
        "images/train/1.jpg": 0, "images/train/2.jpg": 1, "images/val/1.jpg": 1, "images/val/2.jpg": 0,
    }  # fmt: skip


def test_places_of_a_data_yaml_are_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one stands in another set that has folders of the same names, its pictures are not taken."""
    for name in ("one", "other"):
        draw(tmp_path / name / f"images/train/{name}.jpg")
        draw(tmp_path / name / f"test/{name} more.jpg")
        write(tmp_path / name / f"labels/train/{name}.txt", "0 0.5 0.5 0.5 0.5\n")
        write(tmp_path / name / "labels/train/lost.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "other/data.yaml", "train: images/train\nnames: [cell]\n")
    monkeypatch.chdir(tmp_path / "one")
    found = read_boxes(Path("../other"))
    assert list(boxes_of(found)) == ["images/train/other.jpg"]
    assert {item.path: item.reason for item in found.left_out} == {
        "test/other more.jpg": "data.yaml does not list it",
        "labels/train/lost.txt": "labels of no picture that is here",
    }


def test_key_points_behind_a_box_are_no_outline(tmp_path: Path) -> None:
    """A data.yaml that says how many key points there are has boxes before them."""
    draw(tmp_path / "images/a.jpg")
    write(tmp_path / "labels/a.txt", "0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.9 0.9 2 0.4 0.4 2 0.5 0.2 1\n")
    write(tmp_path / "data.yaml", "train: images\nnames: [cell]\nkpt_shape: [4, 3]\n")
    assert boxes_of(read_boxes(tmp_path)) == {"images/a.jpg": [("cell", 10, 7.5, 30, 22.5)]}


def test_numbered_classes_keep_their_numbers(tmp_path: Path) -> None:
    """Twelve classes that are called 0 to 11 have these numbers in what is written of them, and the tables' order."""
    for number in range(12):
        draw(tmp_path / f"in/{number}.jpg")
        write(tmp_path / f"in/{number}.txt", f"{number} 0.500000 0.500000 0.500000 0.500000\n")
    found = read_boxes(tmp_path / "in")
    assert found.classes == [str(number) for number in range(12)]
    write_boxes(found, "yolo", tmp_path / "out")
    for number in range(12):
        assert (tmp_path / f"out/labels/{number}.txt").read_text() == (tmp_path / f"in/{number}.txt").read_text()
    boxes = Boxes(names=("10", "9", "10"), corners=np.array([[0.0, 0, 4, 4]] * 3))
    assert text_of(boxes) == "9: 1, 10: 2"


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (("10", "2", "-3", "02"), ["-3", "02", "2", "10"]),
        (("10", "2", "cat"), ["10", "2", "cat"]),
        (("1.5", "10", "2"), ["1.5", "10", "2"]),
        ((), []),
    ],
)
def test_order_of_classes(names: tuple[str, ...], ordered: list[str]) -> None:
    """By value where all are whole numbers, else by code point, whatever the task."""
    targets = [(name,) for name in names]
    found = Found(root="", kind="", samples=[Sample(path="", source=Path(), target=target) for target in targets])
    assert found.classes == ordered
    if names:
        corners = np.zeros((len(names), 4))
        assert list(Detection.of(found, [Boxes(names=names, corners=corners)], {}).classes) == ordered
        assert list(Multilabel.of(found, targets, {}).classes) == ordered
        assert list(Classification.of(found, names, {}).classes) == ordered


def test_boxes_of_numbered_classes_are_told_without_doubt() -> None:
    """How many of each: a name that ends in a digit is parted from its count by a colon, any other by a blank."""
    corners = np.array([[0.0, 0, 4, 4]] * 3)
    assert text_of(Boxes(names=("0", "0", "1"), corners=corners)) == "0: 2, 1: 1"
    assert text_of(Boxes(names=("cell", "cell", "T4"), corners=corners)) == "T4: 1, cell 2"


def test_labelme_shapes(tmp_path: Path) -> None:
    """Rectangles, polygons, circles and masks, whose corners are pixels, become boxes; __ignore__ is ignored, points
    are told."""
    draw(tmp_path / "a.jpg")
    shapes = [
        {"label": "box", "shape_type": "rectangle", "points": [[20, 25], [5, 5]]},
        {"label": "outline", "shape_type": "polygon", "points": [[1, 1], [9, 2], [4, 8]]},
        {"label": "disc", "shape_type": "circle", "points": [[20, 10], [20, 14]]},
        {"label": "small", "shape_type": "mask", "points": [[10, 12], [13, 17]]},
        {"label": "__ignore__", "shape_type": "rectangle", "points": [[0, 0], [5, 5]]},
        {"label": "dot", "shape_type": "point", "points": [[3, 3]]},
        {"label": "bare", "shape_type": "mask", "points": [[3, 3]]},
    ]
    write(tmp_path / "a.json", {"imagePath": "a.jpg", "imageHeight": 30, "imageWidth": 40, "shapes": shapes})
    found = read_boxes(tmp_path)
    assert boxes_kind(tmp_path) == "labelme"
    assert boxes_of(found)["a.jpg"] == [
        ("box", 5, 5, 20, 25), ("outline", 1, 1, 9, 8), ("disc", 16, 6, 24, 14), ("small", 10, 12, 14, 18),
        ("__ignore__", 0, 0, 5, 5)
    ]  # fmt: skip
    assert found.samples[0].target.ignored.tolist() == [False] * 4 + [True]
    assert mended(found) == [
        "a.json, shape 6: a point has no area, dropped",
        "a.json, shape 7: no area (3, 3, 3, 3), dropped",
    ]


def test_pieces_of_a_group_of_labelme_are_one_box(tmp_path: Path) -> None:
    """Polygons of one group and class are an object that is hidden in the middle: one box, as around its outlines read
    as COCO; other classes, other groups and shapes without a group stay apart, and so does what is no group."""
    draw(tmp_path / "labelme/a.jpg")
    places = [("cat", 3, 1), ("cat", 20, 1), ("dog", 10, 1), ("cat", 12, 2), ("cat", 30, None), ("cat", 32, [1])]
    shapes = [
        {"label": name, "group_id": group, "points": [[x, 5], [x + 4, 5], [x, 5 + x // 2]]} for name, x, group in places
    ]
    write(tmp_path / "labelme/a.json", {"imagePath": "a.jpg", "shapes": shapes})
    (cat, *rest) = boxes_of(read_boxes(tmp_path / "labelme"))["a.jpg"]
    assert cat == ("cat", 3, 5, 24, 15)
    assert rest == [(name, x, 5, x + 4, 5 + x // 2) for name, x, _ in places[2:]]
    draw(tmp_path / "coco/a.jpg")
    rings = [[value for point in shape["points"] for value in point] for shape in shapes]
    item = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": rings[:2]}
    image, kind = {"id": 1, "file_name": "a.jpg"}, {"id": 1, "name": "cat"}
    write(tmp_path / "coco/a.json", {"images": [image], "annotations": [item], "categories": [kind]})
    assert boxes_of(read_boxes(tmp_path / "coco"))["a.jpg"] == [cat]


def test_table_of_boxes(tmp_path: Path) -> None:
    """The columns of TensorFlow's converters are read, with parts; a path without a class has no objects, and a size
    that is no number is none."""
    draw(tmp_path / "a.jpg")
    draw(tmp_path / "b.jpg")
    head = "filename,width,height,class,xmin,ymin,xmax,ymax,split"
    file = write(tmp_path / "boxes.csv", f"{head}\na.jpg,40,30,cell,1,2,3,4,val\nb.jpg,4²,30,,,,,,train\n")
    for source in (file, tmp_path):
        found = read_boxes(source)
        assert boxes_of(found) == {"a.jpg": [("cell", 1, 2, 3, 4)], "b.jpg": []}
        assert [s.part for s in found.samples] == ["validation", "train"]
    write(file, "image,x1,y1,x2,y2,class_name\na.jpg,1,2,3,4,cell\nb.jpg,,,,,\n")  # as keras-retinanet calls them
    assert boxes_of(read_boxes(tmp_path)) == {"a.jpg": [("cell", 1, 2, 3, 4)], "b.jpg": []}


@pytest.mark.parametrize(
    ("head", "clean", "ill", "wrong"),
    [
        ("patientId,x,y,width,height,Target", "b,,,,,0", "a,2,3,10,5,1", "c,,,,,1"),
        ("image_id,class_name,x_min,y_min,x_max,y_max", "b,No finding,NaN,NaN,NaN,NaN", "a,1,2,3,12,8", "c,1,,,,"),
    ],
)
def test_a_class_without_any_box_says_that_nothing_is_there(
    tmp_path: Path, head: str, clean: str, ill: str, wrong: str
) -> None:
    """The healthy of RSNA's and VinDr's tables are pictures without objects, and had been left out; a line without
    corners of a class that has boxes elsewhere is still a mistake."""
    for name in "abc":
        draw(tmp_path / f"{name}.png")
    write(tmp_path / "boxes.csv", f"{head}\n{clean}\n{ill}\n{wrong}\n")
    found = read_boxes(tmp_path)
    assert boxes_of(found) == {"a.png": [("1", 2, 3, 12, 8)], "b.png": []}
    assert found.classes == ["1"]
    assert [item.path for item in found.left_out] == ["c.png"]


def test_tables_of_boxes_are_called_by_their_parts(tmp_path: Path) -> None:
    """train_labels.csv and test_labels.csv are these parts, a column goes before the name, and one table is no part."""
    for name, rows in (("train", "a.jpg,cell,1,2,3,4,\nb.jpg,,,,,,val\n"), ("test", "c.jpg,cell,1,2,3,4,\n")):
        write(tmp_path / f"{name}_labels.csv", f"filename,class,xmin,ymin,xmax,ymax,split\n{rows}")
    for name in "abc":
        draw(tmp_path / f"{name}.jpg")
    assert [s.part for s in read_boxes(tmp_path).samples] == ["train", "validation", "test"]
    assert [s.part for s in read_boxes(tmp_path / "test_labels.csv").samples] == [None]


def test_a_table_of_boxes_in_shares(tmp_path: Path) -> None:
    """Corners of which none is above 1 are shares of the sides; whole ones, and any above 1, are pixels."""
    draw(tmp_path / "a.jpg")
    for corners, expected in (
        ("0.1,0.2,0.5,1", (4, 6, 20, 30)),
        ("0,0,1,1", (0, 0, 1, 1)),
        ("0.1,0.2,0.5,1\na.jpg,cell,0,0,1.5,1", (0.1, 0.2, 0.5, 1)),
    ):
        write(tmp_path / "boxes.csv", f"filename,class,xmin,ymin,xmax,ymax\na.jpg,cell,{corners}\n")
        assert boxes_of(read_boxes(tmp_path))["a.jpg"][0] == ("cell", *map(pytest.approx, expected))


def test_decimal_commas_and_missing_names_in_a_table_of_boxes(tmp_path: Path) -> None:
    """Corners as a German Excel writes them are read; what stands for nothing is no class, as in a table of classes."""
    draw(tmp_path / "a.jpg")
    rows = "a.jpg;cell;1,5;2;3,25;4\na.jpg;NA;5;5;9;9\na.jpg;cell;1;2;x;4\n"
    found = read_boxes(write(tmp_path / "boxes.csv", f"path;label;x0;y0;x1;y1\n{rows}"))
    assert boxes_of(found) == {"a.jpg": [("cell", 1.5, 2, 3.25, 4)]}
    assert [item.reason for item in found.mended] == [
        "boxes.csv, line 3: it has no class, dropped",
        "boxes.csv, line 4: four corners are numbers, and these are 1, 2, x, 4, dropped",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("kind", ["yolo", "coco", "labelme", "table"])
def test_labels_may_be_written_in_any_encoding(tmp_path: Path, kind: str, encoding: str) -> None:
    """A class is called the same in every encoding that programs write, whatever the format."""
    draw(tmp_path / "a.png")
    boxes = Boxes(names=("5 € café",), corners=np.array([[4.0, 4, 20, 20]]), size=(30, 40))
    for name, text in box_texts(kind, [("a.png", boxes)], ["5 € café"]):
        (write(tmp_path / name, "")).write_bytes(text.encode("ascii" if text.isascii() else encoding))
    assert read_boxes(tmp_path).classes == ["5 € café"]


def test_the_size_of_tables_and_labels_has_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is refused with its size and what to do, before it is read, be it a table or JSON."""
    monkeypatch.setattr(content, "MOST_TEXT", 2_000_000)
    for read, name in ((read_lines, "t.csv"), (read_json, "t.json")):
        with pytest.raises(StriateError, match=r"must be readable\. received: larger than 2 MB.*cut it into several"):
            read(write(tmp_path / name, "1,2,3,4\n" * 300_000))


def test_a_folder_without_boxes_has_no_kind(tmp_path: Path) -> None:
    """Class folders, their tables and text beside them are not taken for boxes."""
    draw(tmp_path / "cat/a.jpg")
    write(tmp_path / "labels.csv", "path,label\ncat/a.jpg,cat\n")
    write(tmp_path / "classes.txt", "cat\ndog\n")
    write(tmp_path / "notes.json", '{"images": 3}')
    assert boxes_kind(tmp_path) is None
    with pytest.raises(StriateError, match=r"boxes are read from VOC XML.*class names in classes\.txt"):
        read_boxes(tmp_path)


# Two spellings of one character are one name, in the composed form (NFC) that Unicode gives every text.
NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=","), min_size=1, max_size=8).map(
    lambda name: unicodedata.normalize("NFC", name)
)
SIZES = st.tuples(st.integers(8, 60), st.integers(8, 60))


@st.composite
def labelled(draws: st.DrawFn) -> Iterator[list[tuple[str, Boxes]]]:
    """Up to three pictures of their own sizes with up to four distinct boxes each, in thousandths of a pixel."""
    classes = sorted(draws(st.sets(NAMES.map(str.strip).filter(bool), min_size=1, max_size=3)))
    pictures = []
    for number in range(draws(st.integers(1, 3))):
        height, width = draws(SIZES)
        boxes: dict[tuple, str] = {}
        for _ in range(draws(st.integers(0, 4))):
            x0, y0 = draws(st.integers(0, 1000 * width - 1000)), draws(st.integers(0, 1000 * height - 1000))
            x1, y1 = draws(st.integers(x0 + 500, 1000 * width)), draws(st.integers(y0 + 500, 1000 * height))
            if all(max(abs(a - b) for a, b in zip(box, (x0, y0, x1, y1), strict=True)) > 20 for box in boxes):
                boxes[(x0, y0, x1, y1)] = draws(st.sampled_from(classes))
        ignored = np.array([draws(st.booleans()) for _ in boxes], bool)
        corners = np.array(list(boxes), np.float64).reshape(-1, 4) / 1000
        kept, size = ignored if ignored.any() else None, (height, width)
        pictures.append((f"{number}.png", Boxes(names=(*boxes.values(),), corners=corners, ignored=kept, size=size)))
    return pictures, classes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labelled(), st.permutations(sorted(KINDS)))
@example(([("0.png", Boxes(names=("?",), corners=np.array([[0.0, 0, 1, 1]]), size=(9, 9)))], ["?"]), sorted(KINDS))
def test_round_trips_lose_nothing_but_their_own_rounding(
    tmp_path_factory: object, drawn: tuple, order: list[str]
) -> None:
    """From format to format in any order, boxes, names and what is ignored stay, to a hundredth of a pixel, and all
    classes in their order where the format lists them."""
    pictures, classes = drawn
    first = pictures
    has_ignored = any(boxes.ignored is not None for _, boxes in pictures)
    for kind in order:
        if kind == "yolo" and has_ignored:
            continue  # it has no word for them
        if kind == "table" and max(boxes.corners.max(initial=0) for _, boxes in pictures) <= 1:
            continue  # which are shares of the sides there
        if kind == "table" and any(name.lower() in NOTHING for _, boxes in pictures for name in boxes.names):
            with pytest.raises(StriateError, match="a name that does not say that there is none"):
                list(box_texts(kind, pictures, classes))
            continue
        folder = tmp_path_factory.mktemp("trip")
        for path, boxes in pictures:
            draw(folder / path, *reversed(boxes.size))
        for name, text in box_texts(kind, pictures, classes):
            write(folder / name, text)
        assert boxes_kind(folder) == kind
        found = read_boxes(folder)
        assert not found.left_out
        assert not found.mended
        assert found.names == (tuple(classes) if kind in ("coco", "yolo") else ())
        assert [s.path for s in found.samples] == [path for path, _ in first]
        pictures = [(s.path, s.target) for s in found.samples]
        for (_, before), (_, after) in zip(first, pictures, strict=True):
            assert after.names == before.names
            assert np.abs(after.corners - before.corners).max(initial=0) < 0.01
            assert (after.ignored is None) == (before.ignored is None)
            assert after.ignored is None or (after.ignored == before.ignored).all()


def test_predicted_boxes_keep_their_confidence(tmp_path: Path) -> None:
    """COCO, YOLO and the table carry it as score, sixth number and last column."""
    boxes = Boxes(names=("b",), corners=np.array([[1.0, 2, 3, 4]]), confidence=np.array([0.875]), size=(8, 10))
    texts = {kind: dict(box_texts(kind, [("x/a.png", boxes)], ["a", "b"])) for kind in ("coco", "yolo", "table")}
    assert json.loads(texts["coco"]["annotations.json"])["annotations"][0]["score"] == 0.875
    assert texts["yolo"]["labels/x/a.txt"] == "1 0.200000 0.375000 0.200000 0.250000 0.875000\n"
    assert io.StringIO(texts["table"]["boxes.csv"]).readlines()[1] == "x/a.png,b,1,2,3,4,0.875000\n"


def of_parts(tmp_path: Path) -> Path:
    """COCO in three parts, two of whose pictures have the same name."""
    for place, (part, name) in enumerate((("train", "a"), ("valid", "a"), ("test", "b"))):
        draw(tmp_path / part / f"{name}.png", 40 + place, 30)
        annotation = {"id": 1, "image_id": 1, "category_id": place % 2, "bbox": [1.25, 2, 10 + place, 20]}
        record = {
            "images": [{"id": 1, "file_name": f"{name}.png", "width": 40 + place, "height": 30}],
            "categories": [{"id": 0, "name": "cell, \u00e4"}, {"id": 1, "name": "dot"}], "annotations": [annotation],
        }  # fmt: skip
        write(tmp_path / part / "_annotations.coco.json", record)
    return tmp_path


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_convert_keeps_pictures_parts_and_boxes(tmp_path: Path, kind: str) -> None:
    """On the command line into every format and read again: the same sizes, boxes and parts."""
    source, out = of_parts(tmp_path / "source"), tmp_path / "out"
    assert cli.main(["convert", str(source), "--to", kind, "--out", str(out), "--workers", "0"]) == 0
    before, after = read_boxes(source), read_boxes(out)
    assert boxes_kind(out) == kind
    assert not after.left_out
    assert not after.mended

    def told(found: Found) -> list[tuple]:
        with_part = [(s.target.size, s.part, s.target.names) for s in found.samples]
        return sorted(with_part, key=str)

    assert told(after) == told(before)
    first, second = (np.sort(np.concatenate([s.target.corners for s in f.samples]), axis=0) for f in (before, after))
    assert np.abs(first - second).max() < 0.01
    assert cli.main(["convert", str(source), "--to", kind, "--out", str(out)]) == 2  # not into what is there


@pytest.mark.parametrize("kind", ["table", "yolo"])
@pytest.mark.parametrize("mark", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
def test_convert_of_names_with_line_breaks(tmp_path: Path, kind: str, mark: str) -> None:
    """A class whose name has a line break stays one class, of the same pictures and parts; a table keeps its name."""
    source, out = of_parts(tmp_path / "source"), tmp_path / "out"
    for file in source.glob("*/*.json"):
        write(file, file.read_text(encoding="utf-8").replace("dot", json.dumps(f"red{mark}dot")[1:-1]))
    write_boxes(read_boxes(source), kind, out)
    (out / "data.yaml").unlink(missing_ok=True)  # which has names of its own
    found = read_boxes(out)
    assert not found.left_out
    assert {s.target.size[1]: s.part for s in found.samples} == {40: "train", 41: "validation", 42: "test"}
    assert found.classes == ["cell, \u00e4", f"red{mark}dot" if kind == "table" else "red dot"]


def test_convert_into_an_unknown_format_says_which_there_are(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Exit code 2 and the nearest word."""
    draw(tmp_path / "a.png")
    write(tmp_path / "a.xml", voc(("cell", 1, 1, 9, 9), name="a.png"))
    assert cli.main(["convert", str(tmp_path), "--to", "coko", "--out", str(tmp_path / "out"), "--workers", "0"]) == 2
    assert "did you mean 'coco'" in capsys.readouterr().err


def test_the_check_tells_of_mended_boxes(tmp_path: Path) -> None:
    """`striate check` has one caution for them, with the pictures concerned and every reason."""
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        write(tmp_path / f"{name}.xml", voc(("cell", 1, 1, 9, 9), ("cell", 5, 5, 5, 9), name=f"{name}.png"))
    result = check(tmp_path, quick=True, quiet=True, out=str(tmp_path / "out"), workers=0)
    (finding,) = [finding for finding in result.findings if finding.kind == "mended"]
    assert (finding.level, finding.count) == ("caution", 2)
    assert "2 labels of 2 pictures cannot be used as written: a.png (a.xml, object 2: no area" in finding.what
    assert "b.xml, object 2" in (tmp_path / f"out/check-{tmp_path.name}/check.html").read_text(encoding="utf-8")


def in_folders(root: Path, kind: str, *lost: str, pictures: str = "images") -> Found:
    """Boxes of cam0/0.jpg, cam0/1.jpg, cam1/0.jpg, cam1/1.jpg in one file or one for each, whose classes are called
    like the pictures; all but those `lost` are there."""
    names = [f"cam{folder}/{name}" for folder in (0, 1) for name in (0, 1)]
    for name in set(names) - set(lost):
        draw(root / pictures / f"{name}.jpg")
    if kind == "table":
        write(root / "b.csv", "path,label,x0,y0,x1,y1\n" + "".join(f"{name}.jpg,{name},1,2,9,8\n" for name in names))
    images = [{"id": place, "file_name": f"{name}.jpg"} for place, name in enumerate(names)]
    boxes = [{"id": place, "image_id": place, "category_id": place, "bbox": [1, 2, 8, 6]} for place in range(4)]
    kinds = [{"id": place, "name": name} for place, name in enumerate(names)]
    if kind == "coco":
        write(root / "annotations/a.json", {"images": images, "annotations": boxes, "categories": kinds})
    for name in names:
        shape = {"label": name, "shape_type": "rectangle", "points": [[1, 2], [9, 8]]}
        if kind == "labelme":
            write(root / f"labels/{name}.json", {"shapes": [shape], "imagePath": f"{name[-1]}.jpg"})
        if kind == "voc":
            write(root / f"Annotations/{name}.xml", voc((name, 1, 2, 9, 8), name=f"{name[-1]}.jpg"))
    return read_boxes(root)


@pytest.mark.parametrize("kind", ["coco", "table", "labelme", "voc"])
def test_pictures_of_one_name_are_told_by_their_folders(tmp_path: Path, kind: str) -> None:
    """Boxes go to the picture in the folder that is written, or lies beside theirs alike; those of a picture that is
    not here go to no other one of its name, whose boxes they had joined."""
    found = in_folders(tmp_path / "all", kind)
    assert {sample.path: sample.target.names for sample in found.samples} == {
        f"images/{name}.jpg": (name,) for name in ("cam0/0", "cam0/1", "cam1/0", "cam1/1")
    }
    assert not found.left_out
    for lost in (("cam1/0",), ("cam0/0", "cam0/1")):
        found = in_folders(tmp_path / lost[0], kind, *lost)
        assert all(sample.path == f"images/{sample.target.names[0]}.jpg" for sample in found.samples)
        assert [len(sample.target.names) for sample in found.samples] == [1] * (4 - len(lost))
        assert [item.path[-10:] for item in found.left_out] == [f"{name}.jpg"[-10:] for name in lost]
        assert all("no such picture, and " in item.reason for item in found.left_out)


def test_a_folder_of_another_name_holds_the_pictures_of_one_file_only_where_that_is_sure(tmp_path: Path) -> None:
    """Pictures that were moved to a folder of another name are found; where two written ones may be meant, none is."""
    draw(tmp_path / "new/0.jpg")
    table = "path,label,x0,y0,x1,y1\nD:\\old\\0.jpg,cell,1,2,9,8\n"
    write(tmp_path / "b.csv", table)
    assert boxes_of(read_boxes(tmp_path)) == {"new/0.jpg": [("cell", 1, 2, 9, 8)]}
    write(tmp_path / "b.csv", table + "E:/old/0.jpg,dot,3,2,9,8\n")
    assert [sample.target.names for sample in read_boxes(tmp_path).samples] == [("cell", "dot")]
    write(tmp_path / "b.csv", table + "D:/older/0.jpg,dot,3,2,9,8\n")
    assert list(reasons(read_boxes(tmp_path))) == ["D:/old/0.jpg", "D:/older/0.jpg", "new/0.jpg"]
    write(tmp_path / "b.csv", table + "new/0.jpg,dot,3,2,9,8\n")
    assert boxes_of(read_boxes(tmp_path)) == {"new/0.jpg": [("dot", 3, 2, 9, 8)]}
    draw(tmp_path / "old/1.jpg")
    write(tmp_path / "b.csv", table)
    assert not read_boxes(tmp_path).samples
