"""A detector from a folder of drawn discs and squares to boxes on pictures, through every command."""

import csv
import io
import json
from contextlib import redirect_stdout
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import white_charts
from drawn_scenes import HEIGHT, WIDTH, draw_shapes, write_table
from PIL import Image

import striate
from striate import cli, files
from striate.augment.recipe import parse
from striate.data.annotated import read_boxes
from striate.data.prepare import Shape
from striate.data.sample import Boxes, Found, Sample
from striate.errors import StriateError
from striate.evaluate.boxes import overlaps
from striate.export.evidence import score_of
from striate.export.model import load_model
from striate.export.tiles import tiles_of
from striate.network.build import build
from striate.tasks.detection import Detection
from striate.tasks.task import make_task
from striate.train import single
from striate.train.learnable import without_unseen

LINE = (
    "conv 16 8 stride=4 bias=no, batchnorm, silu, skip(conv 32 3 stride=2 padding=1 bias=no, batchnorm, silu, "
    "residual(conv 32 3 bias=no, batchnorm, silu)), conv 32 3 bias=no, batchnorm, silu, conv classes 1"
)
OPTIONS = {"network": LINE, "optimizer": "muon", "lr": 0.2, "batch_size": 8, "precision": "fp32", "workers": 0}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, striate.Run]:
    """The folder, and a run that has learned it by heart."""
    place = tmp_path_factory.mktemp("detector")
    folder = draw_shapes(place / "shapes", 16)
    changes = {"epochs": 80, "augment": "hflip", "test": 0.25, "val": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        white_charts(patch)
        return folder, striate.train(folder, out=str(place), name="r", quiet=True, **OPTIONS, **changes)


def test_a_tiny_set_is_learned_by_heart(learned: tuple[Path, striate.Run]) -> None:
    """mAP50 of 0.99 or more on the pictures learned from, and every box of them overlaps the true one well."""
    folder, run = learned
    assert run.scores["train"]["map50"]["value"] >= 0.99
    record = run.test
    assert record["main"] == "map50"
    assert (record["baseline"], record["baseline_is"]) == (0.0, "no box anywhere")
    assert record["map50"]["low"] <= record["map50"]["value"] <= record["map50"]["high"]
    assert set(record["per_class"]) == {"disc", "square"}
    learned_from = {row["path"] for row in table(run.folder / "data.csv") if row["part"] == "train"}
    for sample in read_boxes(folder).samples:
        if sample.path in learned_from:
            (one,) = run.model.predict([sample.source])
            assert (overlaps(sample.target.corners, one.answer.corners).max(axis=1) > 0.6).all()


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_the_run_tells_what_it_saw(learned: tuple[Path, striate.Run]) -> None:
    """predictions.csv counts, history has the measure, data.csv the boxes, the report its curve and drawn pictures."""
    _, run = learned
    rows = table(run.folder / "predictions.csv")
    assert {"predicted", "n_disc", "n_square", "part", "truth"} <= rows[0].keys()
    assert {"train_found", "validation_found"} <= table(run.folder / "history.csv")[0].keys()
    assert "mAP50" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert (run.folder / "recall_precision.png").is_file()
    assert files.is_complete(run.folder)


def test_every_command_works_on_it(learned: tuple[Path, striate.Run], tmp_path: Path) -> None:
    """evaluate, predict into a table, COCO and YOLO with pictures drawn, look and summary, on the command line."""
    folder, run = learned
    out = io.StringIO()
    with redirect_stdout(out):
        assert cli.main(["evaluate", str(run.folder), str(folder), "--out", str(tmp_path / "scores.json")]) == 0
    assert "mAP50-95" in out.getvalue()
    assert json.loads((tmp_path / "scores.json").read_text())["n"] == 16
    picture = str(folder / "00.png")
    for name in ("boxes.csv", "boxes.json", "yolo"):
        arguments = [
            "predict",
            str(run.folder),
            picture,
            "--out",
            str(tmp_path / name),
            "--draw",
            str(tmp_path / "drawn"),
        ]
        assert cli.main(arguments) == 0
    rows = table(tmp_path / "boxes.csv")
    assert list(rows[0]) == ["path", "label", "x0", "y0", "x1", "y1", "confidence"]
    record = json.loads((tmp_path / "boxes.json").read_text())
    assert len(record["annotations"]) == len(rows)
    assert {item["name"] for item in record["categories"]} == {"disc", "square"}
    lines = (tmp_path / "yolo/labels/00.txt").read_text().splitlines()
    assert len(lines) == len(rows)
    first = [float(word) for word in lines[0].split()[1:]]
    corners = [float(rows[0][name]) for name in ("x0", "y0", "x1", "y1")]
    assert first[0] * WIDTH == pytest.approx((corners[0] + corners[2]) / 2, abs=0.01)
    with Image.open(tmp_path / "drawn/00.png") as drawn:
        assert drawn.width > WIDTH
    with redirect_stdout(io.StringIO()):
        assert cli.main(["look", str(run.folder), picture, "--out", str(tmp_path)]) == 0


def test_what_predict_writes_can_be_learned_from(learned: tuple[Path, striate.Run], tmp_path: Path) -> None:
    """Its table is one that `striate train` reads: pictures, classes and corners."""
    folder, run = learned
    assert cli.main(["predict", str(run.folder), str(folder / "00.png"), "--out", str(tmp_path / "b.csv")]) == 0
    (one,) = run.model.predict(folder / "00.png")
    (sample,) = read_boxes(tmp_path / "b.csv").samples
    assert sample.target.names == one.answer.names
    assert sample.target.corners == pytest.approx(one.answer.corners, abs=0.01)


def test_pictures_with_an_object_of_another_class_are_scored(learned: tuple[Path, striate.Run], tmp_path: Path) -> None:
    """They count as they would if only the objects of the model's classes were marked, and the others are listed."""
    folder, run = learned
    record = json.loads((folder / "all.json").read_text())
    boxes = record["annotations"]
    for image in record["images"]:
        (tmp_path / image["file_name"]).symlink_to(folder / image["file_name"])

    def score(marked: list[dict]) -> dict:
        kinds = [*record["categories"], {"id": 2, "name": "triangle"}]
        (tmp_path / "all.json").write_text(json.dumps({**record, "annotations": marked, "categories": kinds}))
        return run.model.evaluate(tmp_path)

    less, more = score(boxes[1::2]), score([*boxes[1::2], *({**box, "category_id": 2} for box in boxes[::2])])
    assert more["n"] == len(record["images"])
    assert more["map50"] == less["map50"]
    assert more["map50"]["value"] < 0.9
    assert all("class of the model: triangle " in item["reason"] for item in more["left_out"])
    assert more["left_out"]
    with pytest.raises(StriateError, match=r"of a known class.*triangle"):
        score([{**box, "category_id": 2} for box in boxes])


def test_a_class_of_the_test_part_alone_is_not_learned(tmp_path: Path) -> None:
    """It has no output; its objects are left out of the part that shows it, which is said and listed."""
    ends = [[2, 2, 20, 20], [30, 4, 50, 30]]
    shown = [("a", "b"), ("b",), ("a",), ("a", "c"), ("c",)]
    parts = ["train", "train", "validation", "test", "test"]
    samples = [
        Sample(path=f"{n}.png", source=Path(f"{n}.png"), target=boxes(names, ends[: len(names)]), part=part)
        for n, (names, part) in enumerate(zip(shown, parts, strict=True))
    ]
    found = Found(root="here", kind="boxes", samples=samples, task="detection")
    task = Detection.of(found, [sample.target for sample in samples], {})
    less, task = without_unseen(found, range(5), task)
    assert task.classes == ("a", "b")
    assert [sample.target.names for sample in less.samples] == [("a", "b"), ("b",), ("a",), ("a",), ()]
    assert [(item.path, item.part) for item in less.mended] == [("3.png", "test"), ("4.png", "test")]
    assert less.notes == ("No training picture shows c, which cannot be learned: it is left out of the other parts.",)
    assert without_unseen(less, range(5), task) == (less, task)


def test_an_evaluation_lists_boxes_that_it_did_not_use(learned: tuple[Path, striate.Run], tmp_path: Path) -> None:
    """A box without an area counts for nothing, and is told as training tells it."""
    folder, run = learned
    rows = [(folder / "00.png", "disc", 9, 9, 9, 20), (folder / "00.png", "square", 1, 1, 20, 20)]
    write_table(tmp_path / "b.csv", [("path", "label", "x0", "y0", "x1", "y1"), *rows])
    (left,) = run.model.evaluate(tmp_path / "b.csv")["left_out"]
    assert left["reason"] == "b.csv, line 2: no area (9, 9, 9, 20), dropped"


def test_a_heatmap_explains_the_objects_that_are_told(learned: tuple[Path, striate.Run]) -> None:
    """The task's own score goes through the network, and its map is highest inside a box of that class."""
    folder, run = learned
    model, name = load_model(run.folder), "00.png"
    (one,) = model.predict(folder / name)
    kind = one.predicted.names[0]
    trace = model.look(folder / name).trace
    score = score_of(model.task, model.classes.index(kind), trace.recording.output)
    seen = striate.heatmap(model.network, trace.recording.picture, score=score)
    y, x = np.unravel_index(np.argmax(seen.on_picture), seen.on_picture.shape)
    boxes = [box for found, box in zip(one.predicted.names, one.predicted.corners, strict=True) if found == kind]
    assert any(x0 - 2 <= x <= x1 + 2 and y0 - 2 <= y <= y1 + 2 for x0, y0, x1, y1 in boxes)


def test_a_heatmap_asks_about_the_same_objects_of_every_covered_picture() -> None:
    """A detector that reads its pixels: covering an object takes what it adds to the mean, and nothing more; integrated
    gradients add up to the mean itself."""
    picture = torch.zeros(1, 8, 8)
    picture[0, 1, 1], picture[0, 6, 5] = 8.0, 4.0
    network = torch.nn.Conv2d(1, 5, 1, bias=False)  # one class, and four sides: of the empty ground the logit is -3
    torch.nn.init.zeros_(network.weight.data)[0] = 1.0
    score = partial(Detection(("disc",)).score, index=0, whole=network(picture[None]).detach())
    asked = {"score": lambda output: score(output[None])[0]}
    covered = striate.heatmap(network, picture, "occlusion", window=1, stride=1, **asked).map
    np.testing.assert_allclose(covered, picture[0] / 2, atol=1e-6)
    exact = striate.heatmap(network, picture, "integrated_gradients", **asked)
    np.testing.assert_allclose(exact.map, picture[0] / 2, atol=1e-5)


def test_answers_are_in_pixels_of_the_pictures_own_size(learned: tuple[Path, striate.Run], tmp_path: Path) -> None:
    """The same picture three times as large has the same boxes, three times as large."""
    folder, run = learned
    with Image.open(folder / "00.png") as image:
        image.resize((3 * WIDTH, 3 * HEIGHT), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    small, large = run.model.predict([folder / "00.png", tmp_path / "large.png"])
    sure = run.model.task.target_of(small.answer)
    assert len(sure.names)
    found = overlaps(3 * sure.corners, run.model.task.target_of(large.answer).corners).max(axis=1)
    assert (found > 0.8).all()
    assert large.answer.size == (3 * HEIGHT, 3 * WIDTH)


def test_a_large_picture_in_tiles_has_the_objects_of_its_parts(
    learned: tuple[Path, striate.Run], tmp_path: Path
) -> None:
    """Four pictures side by side: in tiles nearly every object that is found on one of them is found, once."""
    folder, run = learned
    names = [row["path"] for row in table(run.folder / "data.csv") if row["part"] == "train"][:4]
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    whole, wanted = Image.new("RGB", (2 * WIDTH, 2 * HEIGHT)), [np.zeros((0, 4))]
    truth = {sample.path: sample.target for sample in read_boxes(folder).samples}
    for name, (row, column) in zip(names, places, strict=True):
        with Image.open(folder / name) as image:
            whole.paste(image, (column * WIDTH, row * HEIGHT))
        wanted.append(truth[name].corners + np.array([column * WIDTH, row * HEIGHT] * 2))
    whole.save(tmp_path / "whole.png")
    (one,) = run.model.predict(tmp_path / "whole.png", tiles=(HEIGHT, WIDTH))
    assert one.answer.size == (2 * HEIGHT, 2 * WIDTH)
    found = overlaps(np.concatenate(wanted), one.predicted.corners) > 0.5
    assert found.any(axis=1).mean() > 0.8
    assert found.sum(axis=1).max() == 1
    out = tmp_path / "b.csv"
    words = ["predict", str(run.folder), str(tmp_path / "whole.png"), "--tiles", f"{HEIGHT}x{WIDTH}", "--out", str(out)]
    assert cli.main(words) == 0
    assert len(table(out)) == len(one.answer.names)


def test_a_piece_is_left_to_the_tile_that_shows_more() -> None:
    """A large object, cut by one tile and whole in the next, is one box; one inside of a larger one stays that is no
    piece of it, as does one that no other tile shows, or of another class or much surer than what would take it."""
    task, tiles, size = Detection(("a", "b")), [(0, 100, 0, 100), (0, 100, 75, 175)], (100, 175)

    def told(first: dict[tuple, tuple], second: dict[tuple, tuple]) -> list[tuple]:
        answers = [
            Boxes(
                names=tuple(name for name, _ in boxes.values()), corners=np.array([*boxes], float).reshape(-1, 4),
                confidence=np.array([sure for _, sure in boxes.values()]), size=(100, 100),
            )
            for boxes in (first, second)
        ]  # fmt: skip
        return sorted(tuple(map(int, box)) for box in task.joined(answers, tiles, size).corners)

    piece, whole = (76, 30, 100, 60), (1, 30, 41, 60)  # of 76 to 116
    assert told({piece: ("a", 0.9)}, {whole: ("a", 0.8)}) == [(76, 30, 116, 60)]
    both = [piece, (76, 30, 116, 60)]
    assert told({piece: ("a", 0.9)}, {whole: ("b", 0.8)}) == both
    assert told({piece: ("a", 0.9)}, {whole: ("a", 0.02)}) == both
    assert told({piece: ("a", 0.9)}, {}) == [piece]
    assert told({piece: ("a", 0.9)}, {(1, 2, 90, 98): ("a", 0.9)}) == [(76, 2, 165, 98), piece]


def cut_by(truth: np.ndarray, names: tuple[str, ...], tiles: list, least: float = 0.05) -> list[Boxes]:
    """What a detector without fault says of every tile, all but slivers, and how sure it is."""
    answers = []
    for y0, y1, x0, x1 in tiles:
        seen = np.clip(truth, (x0, y0, x0, y0), (x1, y1, x1, y1))
        areas = (seen[:, 2:] - seen[:, :2]).prod(axis=1)
        rows = np.flatnonzero(areas > least * np.minimum((truth[:, 2:] - truth[:, :2]).prod(axis=1), 100 * 100))
        sure = 0.6 + 0.3 * ((7 * rows + x0 + y0) % 10) / 10
        corners = seen[rows] - np.array([x0, y0, x0, y0])
        told = tuple(names[row] for row in rows)
        answers.append(Boxes(names=told, corners=corners, confidence=sure, size=(y1 - y0, x1 - x0)))
    return answers


def test_objects_larger_than_a_tile_are_put_together() -> None:
    """Of what no tile has whole, pieces of neighbours that are the same where both tiles see it are one box: a line
    over four tiles, and an object over three in each direction; those beside them, of two classes, stay apart."""
    size, task = (300, 420), Detection(("a", "b"))
    lines, things = [[10, 20, 400, 30], [10, 34, 400, 44], [10, 48, 130, 58]], [[150, 50, 390, 290], [60, 70, 140, 280]]
    truth = np.array([*lines, *things, [20, 80, 50, 100]], np.float64)
    names = ("a", "a", "b", "a", "b", "b")
    tiles = tiles_of(size, (100, 120))
    told = task.joined(cut_by(truth, names, tiles), tiles, size)
    found = sorted(zip(told.names, told.corners.tolist(), strict=True))
    assert found == sorted(zip(names, truth.tolist(), strict=True))
    apart = task.joined(cut_by(truth[:1], ("a",), tiles[:1]) + cut_by(truth[:1], ("b",), tiles[1:2]), tiles[:2], size)
    assert len(apart.names) == 2


def test_tiles_cover_a_picture_and_overlap() -> None:
    """Every pixel is in a tile, neighbours share a quarter, and a picture that is not larger is one tile."""
    assert tiles_of((40, 50), (48, 64)) == [(0, 40, 0, 50)]
    for size in ((100, 64), (49, 300), (97, 129)):
        seen = np.zeros(size, int)
        tiles = tiles_of(size, (48, 64))
        for y0, y1, x0, x1 in tiles:
            assert (y1 - y0, x1 - x0) == (48, 64)
            seen[y0:y1, x0:x1] += 1
        assert seen.min() == 1
        starts = sorted({x0 for _, _, x0, _ in tiles})
        assert all(later - earlier <= 48 for earlier, later in pairwise(starts))


@pytest.mark.usefixtures("quick")
def test_resume_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after an epoch and resumed: the same weights, thresholds and predictions as in one go."""
    monkeypatch.setattr(single, "CHECKPOINT_SECONDS", 0)
    folder = draw_shapes(tmp_path / "shapes", 12)
    options = {**OPTIONS, "epochs": 3, "augment": "rotate 10, shift 0.1, zoom 0.2, hflip, fill constant 0.5"}
    whole = striate.train(folder, out=str(tmp_path), name="whole", quiet=True, **options)

    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if getattr(event, "epoch", 0) == 2 and hasattr(event, "learning_rate"):
            raise Killed

    with pytest.raises(Killed):
        striate.train(folder, out=str(tmp_path), name="cut", quiet=True, watch=kill, **options)
    resumed = striate.train(resume=tmp_path / "cut", quiet=True)
    ours, theirs = (run.model.network.state_dict() for run in (resumed, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert resumed.model.task == whole.model.task
    name = "predictions.csv"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_sampling_by_class_is_refused(tmp_path: Path) -> None:
    """A picture with boxes of several classes has no class to be drawn by."""
    folder = draw_shapes(tmp_path / "shapes", 6)
    with pytest.raises(StriateError, match=r"by their one class.*what detection learns"):
        striate.train(folder, out=str(tmp_path), quiet=True, balance="sampling", **OPTIONS, epochs=1)


def boxes(names: tuple[str, ...], corners: list, size: tuple[int, int] = (100, 200), **more: object) -> Boxes:
    return Boxes(names=names, corners=np.array(corners, np.float64).reshape(-1, 4), size=size, **more)


def test_facts_go_through_the_model_file() -> None:
    """Classes, reach and threshold come back as they were."""
    task = Detection(("a", "b"), reach=(0.25, 0.5), threshold=0.35)
    assert make_task("detection", {"classes": ["a", "b"], "reach": [0.25, 0.5], "threshold": 0.35}) == task


def test_classes_and_reach_come_from_boxes_that_count() -> None:
    """An ignored region gives no class and no size; the reach is half the geometric mean of the sides."""
    ignored = np.array([False, False, True])
    target = boxes(("b", "a", "zone"), [[0, 0, 20, 10], [0, 0, 80, 40], [0, 0, 200, 100]], ignored=ignored)
    found = Found(root="here", kind="boxes", samples=[], task="detection")
    task = Detection.of(found, [target], {}).fitted([target])
    assert task.classes == ("a", "b")
    assert task.reach == pytest.approx((0.1, 0.1))  # sqrt(0.1 * 0.4) / 2
    assert task.known(target) == (target, "")
    known, said = task.known(boxes(("c", "a"), [[0, 0, 1, 1], [0, 0, 2, 2]]))
    assert (known.names, known.corners.tolist()) == (("a",), [[0, 0, 2, 2]])
    assert said == "no class of the model: c 1, not scored"
    with pytest.raises(StriateError, match="no box on any picture"):
        Detection.of(found, [boxes((), [])], {})


@pytest.mark.parametrize(("pixels", "side"), [(100, 192), (30, 288), (15, 512)])
def test_small_objects_are_seen_on_larger_pictures(pixels: int, side: int) -> None:
    """The picture that the network sees grows until they have 16 pixels on it, up to a side of 512."""
    target = boxes(("a",) * 20, [[10, 10, 10 + pixels, 10 + pixels]] * 20, size=(500, 700))
    sample = Sample(path="a.png", source=Path("a.png"), target=target)
    assert Detection.side(Found(root="here", kind="boxes", samples=[sample], task="detection")) == side


def test_encoding_is_in_shares_of_the_pictures_own_size() -> None:
    """Kinds by number, ignored ones marked, padded to the picture with most boxes."""
    target = boxes(("b", "a"), [[20, 10, 60, 50], [0, 0, 200, 100]], ignored=np.array([False, True]))
    encoded = Detection(("a", "b")).encode(
        [target, boxes((), [])], np.array([[100, 200], [50, 50]]), Shape(height=32, width=64, channels=3)
    )
    assert encoded.shape == (2, 3, 5)
    rows = [[-3, 64, 32, 0, 0], [1, 0.1, 0.1, 0.3, 0.5], [-2, 0, 0, 1, 1]]
    assert torch.allclose(encoded[0], torch.tensor(rows))
    assert encoded[1, 1:, 0].tolist() == [-1, -1]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (128, 128), (256, 352), (40, 72)])
def test_autos_line_gives_maps_at_a_quarter_of_the_size(height: int, width: int) -> None:
    """For every size of pictures, one line of the notation with as many maps as the task needs."""
    task = Detection(("a", "b", "c"))
    line = task.auto_line(3, height, width, 16)
    network = build(line, (3, height, width), task.outputs)
    assert network.output_shape == (7, -(-height // 4), -(-width // 4))
    task.require_output(network.output_shape)
    assert network(torch.zeros(1, 3, height, width)).shape[1:] == network.output_shape


def test_a_network_that_does_not_end_in_maps_is_refused() -> None:
    """What is wrong and what to write."""
    with pytest.raises(StriateError, match=r"ends in maps.*conv classes 1"):
        Detection(("a",)).require_output((5,))


def test_true_boxes_are_drawn_on_what_is_learned_from() -> None:
    """At their place on a stretched picture, also where it is mirrored; those to be ignored as dashes, none else."""
    task, stretched = Detection(("a",)), np.zeros((480, 960, 3), np.uint8)
    target = boxes(("a", "a"), [[10, 20, 60, 90], [150, 10, 190, 60]], ignored=np.array([False, True]))
    encoded = task.encode([target, boxes((), [])], np.array([[100, 200]] * 2), Shape(height=480, width=960, channels=3))
    drawn = task.seen(stretched, encoded[0])
    (top, left), (bottom, right) = (edge(np.argwhere(drawn[:, :700].any(axis=2)), axis=0) for edge in (np.min, np.max))
    assert np.allclose([left, top, right, bottom], [48, 96, 288, 432], atol=4)
    whole, dashes = drawn[:, 60:250, 0].max(axis=0), drawn[:, 740:880, 0].max(axis=0)
    assert whole.min() > 0 == dashes.min() < dashes.max()
    mirror = torch.tensor([[[-1, 0, 959], [0, 1, 0]]] * 2, dtype=torch.float64)
    moved = task.seen(stretched, task.move(encoded, mirror, parse("hflip"))[0])
    assert np.argwhere(moved[:, 260:].any(axis=2))[:, 1].max() + 260 == pytest.approx(959 - 48, abs=4)
    assert not task.seen(stretched, encoded[1]).any()


def test_missed_boxes_are_drawn_dashed_and_unsure_ones_not_at_all() -> None:
    """On the picture: what is told, and what was missed."""
    task = Detection(("a",), threshold=0.5)
    said = boxes(("a", "a"), [[10, 10, 60, 60], [100, 10, 150, 60]], confidence=np.array([0.9, 0.2]))
    true = boxes(("a", "a"), [[10, 10, 60, 60], [20, 70, 60, 95]])
    picture = np.zeros((100, 200, 3), np.uint8)
    drawn, with_truth = task.drawn(picture, said), task.drawn(picture, said, true)
    times = len(drawn) // 100
    assert drawn[10 * times : 60 * times, 10 * times : 60 * times].any()
    assert not drawn[:, 100 * times :].any()
    assert with_truth[70 * times : 95 * times, 20 * times : 60 * times].any()
    assert not drawn[72 * times : 95 * times, 20 * times : 60 * times].any()
    assert task.errors([true], [said]).tolist() == [1]
