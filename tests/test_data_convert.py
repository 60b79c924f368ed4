"""Pictures with boxes written in another format: none is lost, mixed up, or says more than was known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate import cli
from striate.data.annotated import read_boxes
from striate.data.boxes import KINDS
from striate.data.convert import write_boxes


def coco(folder: Path, pictures: dict[str, list[dict]]) -> Path:
    """A COCO file of pictures by name, each of a width and a grey of its own, with its annotations."""
    images, annotations = [], []
    for number, (name, things) in enumerate(pictures.items(), 1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40 + number, 30), 10 * number).save(folder / name)
        images.append({"id": number, "file_name": name, "width": 40 + number, "height": 30})
        annotations += [{"image_id": number, "category_id": 1, **thing} for thing in things]
    record = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
    (folder / "annotations.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_names_that_meet_in_one_folder_stay_apart(tmp_path: Path, kind: str) -> None:
    """Every picture is there once with its own box, whatever its name becomes, also where A and a are one letter."""
    names = ("a/b.png", "c/b.png", "a_b.png", "A_b.png", "c_b.bmp", "a_b-2.png")
    source = coco(tmp_path / "source", {name: [{"bbox": [n, 2, 10, 10]}] for n, name in enumerate(names)})
    write_boxes(read_boxes(source), kind, tmp_path / "out")
    files = [file for file in (tmp_path / "out").rglob("*") if file.suffix in (".png", ".bmp")]
    assert len({str(file.with_suffix("")).lower() for file in files}) == len(files) == len(names)
    after = read_boxes(tmp_path / "out")
    assert not after.left_out
    boxes = {(Image.open(s.source).getpixel((0, 0)), round(s.target.corners[0, 0])) for s in after.samples}
    assert boxes == {(10 * n + 10, n) for n in range(len(names))}


def test_a_crowd_alone_is_not_written_as_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """YOLO has no word for it: its picture is left out and told, others lose the crowd alone, and boxes are counted."""
    crowd, one = {"bbox": [1, 1, 20, 20], "iscrowd": 1}, {"bbox": [5, 5, 8, 8]}
    source = coco(tmp_path / "source", {"crowd.png": [crowd], "both.png": [crowd, one], "none.png": []})
    assert cli.main(["convert", str(source), "--to", "yolo", "--out", str(tmp_path / "out"), "--workers", "0"]) == 0
    texts = {file.stem: file.read_text().splitlines() for file in (tmp_path / "out/labels").glob("*.txt")}
    assert {stem: len(lines) for stem, lines in texts.items()} == {"both": 1, "none": 0}
    out, told = capsys.readouterr()
    assert "2 pictures with 1 boxes" in out
    assert "crowd.png: YOLO has no word for boxes that are to be ignored, and it has no others" in told
    assert "both.png: 1 object to be ignored, for which YOLO has no word, dropped" in told


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pictures_without_a_part_are_kept_and_parts_too(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture
) -> None:
    """Where a format needs a part for all, they are for training, as in a training, and that is said."""
    parts = ("train", "train", "test", "validation", "")
    rows = [f"{n}.png,cell,{n},2,12,12,{part}" for n, part in enumerate(parts)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/boxes.csv").write_text("\n".join(["path,label,x0,y0,x1,y1,part", *rows]))
    for number in range(len(parts)):
        Image.new("L", (40, 30)).save(tmp_path / f"in/{number}.png")
    out = tmp_path / "out"
    assert cli.main(["convert", str(tmp_path / "in"), "--to", kind, "--out", str(out), "--workers", "0"]) == 0
    after = read_boxes(out)
    assert not after.left_out
    known = kind in ("voc", "table")
    expected = {n: part or (None if known else "train") for n, part in enumerate(parts)}
    assert {int(np.round(s.target.corners[0, 0])): s.part for s in after.samples} == expected
    assert ("1 picture without a part: written for training" in capsys.readouterr().err) is not known


def test_regions_of_no_class_make_none(tmp_path: Path) -> None:
    """labelme's __ignore__ is a crowd of every class in COCO, and is told from classes in a table and XML too."""
    shapes = [
        {"label": name, "shape_type": "rectangle", "points": [[n, 1], [n + 9, 9]]}
        for n, name in enumerate(("disc", "__ignore__", "square"))
    ]
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.png"}))
    source = read_boxes(tmp_path)
    assert source.classes == ["disc", "square"]
    write_boxes(source, "coco", tmp_path / "coco")
    record = json.loads((tmp_path / "coco/annotations.json").read_text())
    assert [item["name"] for item in record["categories"]] == ["disc", "square"]
    written = [(item["category_id"], item["bbox"][0], item["iscrowd"]) for item in record["annotations"]]
    assert written == [(1, 0, 0), (1, 1, 1), (2, 1, 1), (2, 2, 0)]
    assert len({item["id"] for item in record["annotations"]}) == 4
    for kind in ("voc", "table", "labelme"):
        write_boxes(source, kind, tmp_path / kind)
        after = read_boxes(tmp_path / kind)
        assert after.classes == ["disc", "square"]
        assert after.samples[0].target.ignored.tolist() == [False, True, False]
    table = tmp_path / "table/boxes.csv"
    table.write_text(table.read_text().replace(",1\n", ",0\n"))  # as by a program that knows its name alone
    assert read_boxes(tmp_path / "table").samples[0].target.ignored.tolist() == [False, True, False]


def test_all_that_is_not_written_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Five reasons are printed, and every one stands in a table beside the result, which is read as before."""
    things = [{"bbox": [1, 1, 5, 5]}, *({"bbox": [1, 1, 0, n]} for n in range(7))]
    source = coco(tmp_path / "source", {"a.png": things})
    Image.new("L", (40, 30)).save(source / "bare.png")
    out = tmp_path / "out"
    assert cli.main(["convert", str(source), "--to", "coco", "--out", str(out), "--workers", "0"]) == 0
    assert f"and 3 more; all are in {out / 'left-out.csv'}" in capsys.readouterr().err
    with (out / "left-out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["status"]) for row in rows] == [("bare.png", "left out"), *[("a.png", "mended")] * 7]
    assert rows[7]["reason"] == "annotations.json, annotation 8: no area (1, 1, 1, 7), dropped"
    assert not read_boxes(out).left_out
    coco(tmp_path / "good", {"a.png": [{"bbox": [1, 1, 5, 5]}]})
    write_boxes(read_boxes(tmp_path / "good"), "voc", tmp_path / "clean")
    assert not (tmp_path / "clean/left-out.csv").exists()


def test_classes_without_a_box_keep_their_numbers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """All classes come along in their order, also those of crowds alone, or it is said that the format has no list."""
    source = coco(tmp_path / "coco", {"a.png": [{"bbox": [1, 1, 5, 5], "category_id": 9}], "b.png": []})
    record = json.loads((source / "annotations.json").read_text())
    names = {4: "white cell", 9: "cell", 2: "crowd", 7: "never"}
    record["categories"] = [{"id": number, "name": name} for number, name in names.items()]
    record["annotations"].append({"image_id": 1, "category_id": 2, "bbox": [9, 9, 9, 9], "iscrowd": 1})
    (source / "annotations.json").write_text(json.dumps(record))
    for before, kind in (("coco", "yolo"), ("yolo", "coco"), ("yolo", "yolo"), ("coco", "voc"), ("yolo", "table")):
        out = tmp_path / f"{kind} from {before}"
        source = tmp_path / ("coco" if before == "coco" else "yolo from coco")
        assert cli.main(["convert", str(source), "--to", kind, "--out", str(out), "--workers", "0"]) == 0
        told = capsys.readouterr().err
        if kind in ("voc", "table"):
            assert "has no list of classes, and these have no box: white cell, " in told
        else:
            assert read_boxes(out).names == ("white cell", "cell", "crowd", "never")
    assert (tmp_path / "yolo from coco/classes.txt").read_text() == "white cell\ncell\ncrowd\nnever\n"
    assert (tmp_path / "yolo from yolo/labels/a.txt").read_text().startswith("1 ")


def test_numbers_of_classes_without_names_stay(tmp_path: Path) -> None:
    """YOLO text beside pictures with 3 and 5 alone: they are 3 and 5 in what is written, and 0 has no other meaning."""
    (tmp_path / "in").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "in/a.png")
    (tmp_path / "in/a.txt").write_text("5 0.5 0.5 0.2 0.2\n3 0.25 0.5 0.2 0.2\n")
    write_boxes(read_boxes(tmp_path / "in"), "yolo", tmp_path / "out")
    assert [line[0] for line in (tmp_path / "out/labels/a.txt").read_text().splitlines()] == ["5", "3"]
    assert (tmp_path / "out/classes.txt").read_text().split() == ["0", "1", "2", "3", "4", "5"]


def test_outlines_that_are_not_written_are_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Of an object with polygons the box alone is written, and how many such there are is printed."""
    ring = [[1, 1, 6, 1, 6, 6]]
    things = [{"bbox": [1, 1, 5, 5], "segmentation": ring}, {"segmentation": ring}, {"bbox": [9, 9, 9, 9]}]
    source = coco(tmp_path / "in", {"a.png": things[:1], "b.png": things[1:]})
    assert cli.main(["convert", str(source), "--to", "coco", "--out", str(tmp_path / "out"), "--workers", "0"]) == 0
    assert "2 objects with an outline, of which the box alone is written" in capsys.readouterr().err
