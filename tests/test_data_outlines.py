"""COCO, labelme and YOLO outlines become masks: areas, objects, crowds, EXIF, and every shape that is none."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from drawn_files import coco_letters
from PIL import Image

from striate.cli import main
from striate.data.annotated import read_boxes
from striate.data.labelmap import UNKNOWN, read_labels, read_objects
from striate.data.masks import read
from striate.data.painted import runs_of
from striate.errors import StriateError

HEIGHT, WIDTH = 12, 17


def picture(path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)


def box(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    area = np.zeros((HEIGHT, WIDTH), bool)
    area[y0:y1, x0:x1] = True
    return area


def ring(y0: int, y1: int, x0: int, x1: int) -> list[int]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def coco(root: Path, annotations: list[dict], names: tuple[str, ...] = ("cat", "dog")) -> Path:
    images = [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in (1, 2)]
    for number in (1, 2):
        picture(root / "images" / f"{number}.png")
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 5)]
    (root / "annotations.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return root


def test_coco_polygons_and_runs_are_areas_and_objects(tmp_path: Path) -> None:
    """Several pieces are one object, runs in numbers and letters are alike, a crowd is unknown, the rest background."""
    runs = runs_of(box(8, 12, 10, 17))
    crowd = {"counts": runs_of(box(0, 2, 14, 17)).counts.tolist(), "size": [HEIGHT, WIDTH]}
    shapes = [
        {"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(1, 4, 1, 4), ring(1, 4, 6, 9)]},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 6,
            "segmentation": {"counts": coco_letters(runs), "size": [HEIGHT, WIDTH]},
        },
        {"id": 3, "image_id": 1, "category_id": 5, "segmentation": crowd, "iscrowd": 1},
    ]
    found = read(coco(tmp_path, shapes))
    assert found.names == ("background", "cat", "dog")
    first, second = found.samples
    expected = 1 * (box(1, 4, 1, 4) | box(1, 4, 6, 9)) + 2 * box(8, 12, 10, 17)
    expected[box(0, 2, 14, 17)] = UNKNOWN
    assert np.array_equal(read_labels(first.target, HEIGHT, WIDTH), expected)
    objects = np.where((expected == UNKNOWN) | (expected == 0), 0, expected + 1)  # the crowd was first
    assert np.array_equal(read_objects(first.target, HEIGHT, WIDTH), objects)
    assert not read_labels(second.target, HEIGHT, WIDTH).any()
    assert not found.left_out


def test_a_folder_named_from_where_one_stands_loses_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path gives what the absolute one gives: no used picture is told to have no outlines."""
    coco(tmp_path / "c", [{"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(0, 3, 0, 3)]}])
    monkeypatch.chdir(tmp_path)
    found = read(Path("c"))
    assert [sample.path for sample in found.samples] == [sample.path for sample in read(tmp_path / "c").samples]
    assert not found.left_out


def test_what_is_no_area_is_listed(tmp_path: Path) -> None:
    """Every shape that cannot be used says where it stands and why; the others of the picture are used."""
    wrong = [
        ({"segmentation": []}, "it has no outline"),
        ({"segmentation": [[1, 2, 3, 4]]}, "an outline has at least three corners"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "no outline that can be read"),
        ({"segmentation": [[1, 2, 3, "x", 5, 6]]}, "no outline that can be read"),
        ({"segmentation": {"counts": [5], "size": [HEIGHT, WIDTH]}}, "runs fill a picture"),
        ({"segmentation": {"counts": "!!", "size": [HEIGHT, WIDTH]}}, "64 letters"),
        ({"segmentation": {"counts": [4], "size": [2, 2]}}, "runs of 2 × 2 pixels"),
        ({"segmentation": [ring(1, 4, 1, 4)], "category_id": 77}, "category 77 is none of the 2"),
        ({"segmentation": [ring(2, 5, WIDTH, WIDTH + 3)]}, f"outside the picture ({WIDTH}, 2, {WIDTH + 3}, 5 in "),
        ({"segmentation": [ring(-5, -2, 1, 4)]}, "outside the picture (1, -5, 4, -2 in "),
        ({"segmentation": [[1, 1, 4, 1, 6, 1]]}, "no area (1, 1, 6, 1), dropped"),
        ({"segmentation": {"counts": [HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]}}, "no area, dropped"),
    ]
    shapes = [{"id": n, "image_id": 1, "category_id": 5, **shape} for n, (shape, _) in enumerate(wrong)]
    shapes.append({"id": 50, "image_id": 1, "category_id": 5, "segmentation": [ring(0, 3, 0, 3)]})
    shapes.append({"id": 51, "image_id": 77, "category_id": 5, "segmentation": [ring(0, 3, 0, 3)]})
    found = read(coco(tmp_path, shapes))
    assert [(item.path, item.reason) for item in found.left_out] == [
        ("annotations.json", "annotation 51: it is of a picture that images does not list")
    ]
    assert read_labels(found.samples[0].target, HEIGHT, WIDTH).sum() == 9
    assert len(found.mended) == len(wrong)
    for number, (item, (_, why)) in enumerate(zip(found.mended, wrong, strict=True)):
        assert item.path == "images/1.png"
        assert f"annotation {number}" in item.reason
        assert why in item.reason


def test_a_picture_whose_outlines_were_all_dropped_is_not_background(tmp_path: Path) -> None:
    """It is left out; a picture that never had an outline is background, as it was."""
    shapes = [{"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(2, 5, WIDTH, WIDTH + 3)]}]
    found = read(coco(tmp_path, shapes))
    assert [sample.path for sample in found.samples] == ["images/2.png"]
    reason = "annotations.json: all its outlines were dropped, so what it shows is not known"
    assert [(item.path, item.reason) for item in found.left_out] == [("images/1.png", reason)]
    assert len(found.mended) == 1


def test_labelme_shapes_become_areas(tmp_path: Path) -> None:
    """Polygons, rectangles, circles, small masks, cut at the edge; a group is one object; a line has no area."""
    picture(tmp_path / "a.png")
    small = io.BytesIO()
    Image.fromarray(np.full((2, 3), 255, np.uint8)).save(small, "PNG")
    shapes = [
        {"label": "cell", "shape_type": "polygon", "points": [[1, 1], [4, 1], [4, 4], [1, 4]], "group_id": 7},
        {"label": "cell", "shape_type": "rectangle", "points": [[6, 4], [8, 1]], "group_id": 7},
        {"label": "dot", "shape_type": "circle", "points": [[12, 6], [12, 8.3]]},
        {"label": "dot", "shape_type": "mask", "points": [[0, 9], [3, 11]],
         "mask": base64.b64encode(small.getvalue()).decode()},
        {"label": "__ignore__", "points": [[15, 0], [17, 0], [17, 2], [15, 2]]},
        {"label": "cell", "shape_type": "line", "points": [[1, 1], [4, 1]]},
        {"points": [[1, 1], [4, 1], [3, 3]]},
        {"label": "cell", "shape_type": "circle", "points": [[40, 6], [41, 6]]},
        {"label": "dot", "shape_type": "mask", "points": [[-1, -1], [1, 0]],
         "mask": base64.b64encode(small.getvalue()).decode()},
    ]  # fmt: skip
    record = {"shapes": shapes, "imagePath": "a.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}
    (tmp_path / "a.json").write_text(json.dumps(record))
    found = read(tmp_path)
    assert found.names == ("background", "cell", "dot")
    labels = read_labels(found.samples[0].target, HEIGHT, WIDTH)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    disc = (x - 12) ** 2 + (y - 6) ** 2 < 2.3**2
    expected = 1 * (box(1, 4, 1, 4) | box(1, 4, 6, 8)) + 2 * (disc | box(9, 11, 0, 3) | box(0, 1, 0, 2))
    expected[box(0, 2, 15, 17)] = UNKNOWN
    assert np.array_equal(labels, expected)
    assert len(np.unique(read_objects(found.samples[0].target, HEIGHT, WIDTH))) == 5
    assert [item.reason for item in found.mended] == [
        "a.json, shape 6: no area: a line has none",
        "a.json, shape 7: it has no label",
        f"a.json, shape 8: outside the picture (39, 5, 41, 7 in {WIDTH} × {HEIGHT}), dropped",
    ]


def yolo_line(kind: int, y0: int, y1: int, x0: int, x1: int) -> str:
    """An outline in shares of the sides."""
    corners = np.reshape(ring(y0, y1, x0, x1), (-1, 2)) / (WIDTH, HEIGHT)
    return " ".join([str(kind), *(f"{share:.6f}" for share in corners.ravel())])


@pytest.mark.parametrize("names", ["names: [cell, dot]\ntrain: images/train\nval: images/val\n", None])
def test_yolo_outlines_become_areas(tmp_path: Path, names: str | None) -> None:
    """Shares of the sides become pixels, in the file's parts; boxes and lines that are wrong are told; no text is no
    object for Ultralytics and left out where nothing says so."""
    for name in ("train/a", "train/b", "val/c"):
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "val").mkdir()
    lines = [yolo_line(0, 1, 4, 1, 5), yolo_line(1, 6, 10, 8, 16), "0 0.5 0.5 0.1 0.1", "0 a b c d e f"]
    lines += ["9 0 0 1 0 1 1"] * bool(names)  # a class without a name
    (tmp_path / "labels/train/a.txt").write_text("\n".join(lines))
    (tmp_path / "labels/val/c.txt").write_text(yolo_line(1, 0, HEIGHT, 0, 3))
    if names:
        (tmp_path / "data.yaml").write_text(names)
    found = read(tmp_path)
    assert found.labels == "outlines in YOLO text"
    assert found.names == (("background", "cell", "dot") if names else ("background", "0", "1"))
    masks = {sample.path: read_labels(sample.target) for sample in found.samples}
    expected = {"images/train/a.png": 1 * box(1, 4, 1, 5) + 2 * box(6, 10, 8, 16)}
    if names:
        expected["images/train/b.png"] = box(0, 0, 0, 0)
    expected["images/val/c.png"] = 2 * box(0, HEIGHT, 0, 3)
    assert masks.keys() == expected.keys()
    assert all(np.array_equal(masks[path], mask) for path, mask in expected.items())
    parts = [sample.part for sample in found.samples]
    assert parts == (["train", "train", "validation"] if names else ["train", "validation"])
    told = ["line 3: a box, and no outline", "line 4: a line is numbers", "line 5: class 9"][: len(lines) - 2]
    assert all(why in item.reason for item, why in zip(found.mended, told, strict=True))
    left = [] if names else [("images/train/b.png", "no outlines go with it")]
    assert [(item.path, item.reason) for item in found.left_out] == left


def test_a_picture_that_a_file_names_twice_has_the_outlines_of_both(tmp_path: Path) -> None:
    """COCO with two spellings of one path: as with boxes; it had been left out for having outlines already."""
    areas = {1: ring(0, 3, 4, 6), 2: ring(0, 3, 8, 10)}
    shapes = [{"id": n, "image_id": n, "category_id": 5, "segmentation": [area]} for n, area in areas.items()]
    file = coco(tmp_path, shapes) / "annotations.json"
    (tmp_path / "images/2.png").unlink()
    file.write_text(file.read_text().replace("2.png", "images/1.png"))
    (found,) = read(tmp_path).samples
    assert np.array_equal(read_labels(found.target, HEIGHT, WIDTH), box(0, 3, 4, 6) | box(0, 3, 8, 10))
    assert not read(tmp_path).left_out


def test_a_group_of_labelme_that_is_no_number_joins_nothing(tmp_path: Path) -> None:
    """A list in the place of the group's number had ended the reading."""
    picture(tmp_path / "a.png")
    corners = [[[1, 1], [4, 1], [4, 4]], [[6, 6], [9, 6], [9, 9]]]
    shapes = [{"label": "cell", "points": points, "group_id": [7]} for points in corners]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.png"}))
    assert len(read(tmp_path).samples[0].target.polygons) == 2


def test_yolo_boxes_alone_are_no_outlines(tmp_path: Path) -> None:
    """`--task segmentation` on a folder of boxes is refused with what there is, as there is no mask."""
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2 0.9\n")
    with pytest.raises(StriateError, match=r"YOLO text without an outline.*--task detection"):
        read(tmp_path)


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_outlines_of_the_unturned_picture_are_turned_with_it(tmp_path: Path, orientation: int) -> None:
    """The size that the file notes says which of the two was annotated."""
    exif = Image.Exif()
    exif[274] = orientation
    picture(tmp_path / "a.png", exif=exif)
    shape = {"label": "cell", "points": [[1, 1], [9, 1], [9, 5], [1, 5]]}
    record = {"shapes": [shape], "imagePath": "a.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}
    (tmp_path / "a.json").write_text(json.dumps(record))
    area = box(1, 5, 1, 9)
    turned = {6: np.rot90(area, -1), 8: np.rot90(area)}.get(orientation, area)
    assert np.array_equal(read_labels(read(tmp_path).samples[0].target, *turned.shape), turned)


def test_an_outline_of_shares_is_that_of_the_picture_as_it_is_seen(tmp_path: Path) -> None:
    """A YOLO text means the picture upright, whatever its EXIF orientation."""
    exif = Image.Exif()
    exif[274] = 6
    picture(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.txt").write_text("0 0 0 1 0 1 0.5 0 0.5\n")
    labels = read_labels(read(tmp_path).samples[0].target)
    assert labels.shape == (WIDTH, HEIGHT)
    expected = np.zeros((WIDTH, HEIGHT), bool)
    expected[: WIDTH // 2] = True  # the centre of row 8 lies on the edge
    assert np.array_equal(labels[: WIDTH // 2], expected[: WIDTH // 2])
    assert not labels[WIDTH // 2 + 1 :].any()


def test_sizes_that_a_file_does_not_say_are_the_pictures(tmp_path: Path) -> None:
    """COCO without height and width, labelme without imageHeight and imageWidth, the latter below another folder; a
    data.yaml itself as the source of outlines."""
    picture(tmp_path / "coco" / "images" / "1.png")
    shape = {"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(1, 4, 1, 4)]}
    (tmp_path / "coco/labels.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "1.png"}], "annotations": [shape], "categories": [{"id": 5, "name": "cat"}],
    }))  # fmt: skip
    picture(tmp_path / "labelme" / "images" / "1.png")
    (tmp_path / "labelme/json").mkdir()
    shape = {"label": "cat", "points": [[1, 1], [4, 1], [4, 4], [1, 4]]}
    (tmp_path / "labelme/json/1.json").write_text(json.dumps({"shapes": [shape], "imagePath": "..\\images\\1.png"}))
    picture(tmp_path / "yolo" / "images" / "1.png")
    (tmp_path / "yolo/labels").mkdir()
    (tmp_path / "yolo/labels/1.txt").write_text(yolo_line(0, 1, 4, 1, 4))
    (tmp_path / "yolo/data.yaml").write_text("names: [cat]\ntrain: images\n")
    for source in ("coco", "labelme", "yolo", "yolo/data.yaml"):
        found = read(tmp_path / source)
        assert [sample.path for sample in found.samples] == ["images/1.png"], source
        assert not found.left_out, source
        assert np.array_equal(read_labels(found.samples[0].target), box(1, 4, 1, 4)), source


def test_pictures_and_files_that_find_no_partner_are_left_out(tmp_path: Path) -> None:
    """A picture without outlines, outlines without a picture, another size; and nothing at all is an error."""
    root = coco(tmp_path, [{"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(0, 3, 0, 3)]}])
    picture(root / "images" / "9.png")
    (root / "images" / "2.png").unlink()
    found = read(root)
    reasons = {item.path: item.reason for item in found.left_out}
    assert reasons == {
        "images/9.png": "no outlines go with it",
        "2.png": "no such picture, and annotations.json has labels for it",
    }
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "images" / "1.png")
    found = read(root)
    assert not found.samples
    assert found.left_out[1].reason == f"its mask in annotations.json is {WIDTH} × {HEIGHT} pixels, the picture 5 × 5"
    with pytest.raises(StriateError, match="outlines name at least one class"):
        read(coco(tmp_path / "empty", []))


def yolo_set(root: Path, lines: str) -> Path:
    """Two pictures with the same text, and one without objects."""
    (root / "labels").mkdir()
    for name in ("a", "b", "z"):
        picture(root / "images" / f"{name}.png")
        (root / "labels" / f"{name}.txt").write_text(lines if name != "z" else "")
    (root / "classes.txt").write_text("cell\ndot\n")
    return root


def test_a_data_yaml_is_read_as_a_file_too(tmp_path: Path) -> None:
    """As boxes are; it had been taken for JSON."""
    (yolo_set(tmp_path, yolo_line(0, 1, 4, 1, 5)) / "data.yaml").write_text(
        "train: images\nval: images\nnames: [x, y]\n"
    )
    found = read(tmp_path / "data.yaml")
    assert found.names == ("background", "x")
    assert len(found.samples) == 3
    assert np.array_equal(read_labels(found.samples[0].target), box(1, 4, 1, 5))  # as a training measures them


def test_classes_of_yolo_may_be_written_as_decimals(tmp_path: Path) -> None:
    """1.0 is the class 1; 0.5 is none."""
    line = yolo_line(1, 1, 4, 1, 5)
    found = read(yolo_set(tmp_path, f"1.0{line[1:]}\n0.5{line[1:]}\n"))
    assert np.array_equal(read_labels(found.samples[0].target, HEIGHT, WIDTH), box(1, 4, 1, 5))
    assert found.names == ("background", "dot")
    assert {item.reason.partition(": ")[2] for item in found.mended} == {
        "class 0.5 has no name (the first is 0, the last 1)"
    }


def test_outlines_are_found_behind_many_empty_texts(tmp_path: Path) -> None:
    """The first hundred pictures may show nothing."""
    yolo_set(tmp_path, yolo_line(0, 1, 4, 1, 5))
    for number in range(120):
        (tmp_path / "labels" / f"a{number:03}.txt").write_text("")
    assert len(read(tmp_path).samples) == 3


def test_folders_give_parts_and_ways_to_write_a_path_lose_no_picture(tmp_path: Path) -> None:
    """labelme's files in a folder of their own name pictures as ../images/x.png; those give the parts."""
    record = {"shapes": [{"label": "cell", "points": [[1, 1], [9, 1], [9, 5], [1, 5]]}]}
    for name in ("train/a", "train/b", "val/c"):
        picture(tmp_path / "images" / f"{name}.png")
        file = tmp_path / "json" / f"{name[-1]}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**record, "imagePath": f"..\\images\\{name.replace('/', chr(92))}.png"}))
    found = read(tmp_path)
    assert [sample.part for sample in found.samples] == ["train", "train", "validation"]
    assert not found.left_out
    assert [sample.part for sample in read_boxes(tmp_path).samples] == ["train", "train", "validation"]


def test_a_crowd_leaves_the_objects_in_it_known(tmp_path: Path) -> None:
    """Whatever the order in the file, the pixels of an object are its own; the rest of the crowd is unknown."""
    ground = {"counts": [0, HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]}
    shapes = [
        {"id": 1, "image_id": 1, "category_id": 5, "segmentation": [ring(1, 4, 1, 4)]},
        {"id": 2, "image_id": 1, "category_id": 5, "segmentation": ground, "iscrowd": 1},
        {"id": 3, "image_id": 1, "category_id": 6, "segmentation": [ring(6, 9, 6, 9)]},
    ]
    mask = read(coco(tmp_path, shapes)).samples[0].target
    expected = np.full((HEIGHT, WIDTH), UNKNOWN)
    expected[box(1, 4, 1, 4)], expected[box(6, 9, 6, 9)] = 1, 2
    assert np.array_equal(read_labels(mask), expected)
    _, counts = np.unique(read_objects(mask, HEIGHT, WIDTH), return_counts=True)
    assert counts.tolist() == [HEIGHT * WIDTH - 18, 9, 9]


def test_crowds_of_most_objects_are_what_a_brush_painted(tmp_path: Path) -> None:
    """CVAT writes iscrowd 1 for every painted area: these are objects, in masks and in boxes."""
    runs = {"counts": runs_of(box(2, 6, 3, 9)).counts.tolist(), "size": [HEIGHT, WIDTH]}
    shape = {"image_id": 1, "segmentation": runs, "bbox": [3, 2, 6, 4], "iscrowd": 1}
    found = read(coco(tmp_path, [{"id": 1, "category_id": 5, **shape}]))
    assert np.array_equal(read_labels(found.samples[0].target, HEIGHT, WIDTH), box(2, 6, 3, 9))
    assert read_boxes(tmp_path).samples[0].target.ignored is None


def test_the_xml_of_cvat_for_images_is_named(tmp_path: Path) -> None:
    """It is no VOC file, and what can be exported in its place is said."""
    picture(tmp_path / "images" / "a.png")
    text = "<?xml version='1.0'?><annotations><image name='a.png'><box label='x' xtl='1'/></image></annotations>"
    (tmp_path / "annotations.xml").write_text(text)
    reasons = [item.reason for item in read_boxes(tmp_path).left_out]
    assert any("the XML of CVAT for images is not read: export as COCO 1.0" in reason for reason in reasons)


def test_a_check_looks_at_outlines_as_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """`striate check --task segmentation`, and the training that it suggests is asked for the same."""
    root = tmp_path / "set"
    root.mkdir()
    yolo_set(root, yolo_line(0, 1, 4, 1, 5))
    monkeypatch.chdir(tmp_path)
    assert main(["check", "set", "--task", "segmentation", "--quick", "-q"]) == 0
    assert "next: striate train set --task segmentation" in capsys.readouterr().out
    assert (tmp_path / "runs/check-set/data.csv").read_text().count(",mask,") == 3


def test_points_of_a_pose_are_no_outline(tmp_path: Path) -> None:
    """Where data.yaml says that lines have points, the box before them counts alone."""
    yolo_set(tmp_path, "0 0.5 0.5 0.4 0.4 0.1 0.1 0.9 0.2 0.5 0.95\n")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nkpt_shape: [3, 2]\nnames: [cell]\n")
    corners = read_boxes(tmp_path).samples[0].target.corners
    assert np.allclose(corners, [[0.3 * WIDTH, 0.3 * HEIGHT, 0.7 * WIDTH, 0.7 * HEIGHT]])
