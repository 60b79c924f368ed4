"""A class for every pixel: masks that follow pictures, loss and answers against torch, NumPy and hand-worked numbers,
and the whole way on the command line."""

import csv
import io
import json
import os
import shutil
import signal
import zlib
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from drawn_page import Visitor, served
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from sklearn.metrics import jaccard_score
from torch.nn import functional

import striate
from striate.augment.apply import cropped
from striate.augment.chance import uniforms
from striate.augment.geometry import matrices, move, move_labels
from striate.augment.recipe import parse
from striate.cli import main
from striate.data.labelmap import UNKNOWN
from striate.data.masks import read
from striate.data.prepare import Preparation, Shape, fit, placed
from striate.data.sample import Found, Mask
from striate.data.values import mask_values
from striate.draw.areas import class_colours, with_areas
from striate.errors import StriateError
from striate.export.model import Model
from striate.export.tiles import tile_for, tiles_of
from striate.export.underway import Underway
from striate.files import read_csv
from striate.network.build import build
from striate.serve.glass import Glass
from striate.tasks.areas import Areas
from striate.tasks.segmentation import Segmentation
from striate.tasks.task import make_task
from striate.train import doctor, results, single
from striate.train.events import Epoch, Event

TASK = Segmentation(("background", "cell", "nucleus"))
RECIPES = (
    "dihedral",
    "shift 0.3, dihedral, fill reflect",
    "shift 0.2, hflip, fill nearest",
    "shift 0.4, vflip, fill constant",
    "rotate 40, zoom 0.4, shear 20, shift 0.2, dihedral, fill reflect",
    "rotate 90, zoom 0.5, hflip, fill constant 1",
    "rotate 20, shift 0.5, fill nearest",
)


def blocks(seed: int, height: int, width: int, kinds: int = 4) -> np.ndarray:
    """Areas of several pixels, each of a class."""
    coarse = np.random.default_rng(seed).integers(0, kinds, (height // 6 + 1, width // 6 + 1))
    return coarse.repeat(6, axis=0).repeat(6, axis=1)[:height, :width].astype(np.uint8)


def mask(labels: np.ndarray, ignore: int | None = None) -> Mask:
    return Mask(kind="index", names=TASK.classes, sources=(labels,), values=(0, 1, 2), ignore=ignore)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECIPES), st.integers(0, 99), st.integers(12, 40), st.integers(12, 40), st.booleans())
def test_a_mask_moves_with_its_picture(line: str, seed: int, height: int, width: int, square: bool) -> None:
    """Wherever all that a pixel is interpolated from is of one class, that class is in the moved mask; beyond the
    border the mask is mirrored as the picture is, or unknown."""
    width = height if square else width
    recipe, labels = parse(line), torch.from_numpy(np.stack([blocks(seed + k, height, width) for k in range(3)]))
    sources = matrices(recipe, uniforms(seed, 1, torch.arange(3)), height, width)
    moved = move_labels(labels, sources, recipe, UNKNOWN)
    planes = functional.one_hot(labels.long(), 4).movedim(-1, 1).float()
    mirrored = parse(line.replace("fill constant 1", "fill constant"))
    drawn = move(planes, sources, mirrored)
    known = moved != UNKNOWN
    sure = (drawn > 0.999).any(dim=1)
    if recipe.fill == "reflect":
        assert known.all()
    else:
        inside = move(torch.ones(3, 1, height, width), sources, parse("rotate 1, fill constant"))[:, 0]
        assert known[inside > 0.999].all()
        assert not known[inside < 0.001].any()
    both = known & sure
    assert torch.equal(drawn.argmax(dim=1)[both], moved[both].long())
    assert both.float().mean() > 0.2 or recipe.interpolates or recipe.fill != "reflect"
    if not recipe.interpolates and recipe.fill == "reflect":
        assert sure.all()


def test_a_mask_on_the_grid_is_the_mask_of_the_stretched_picture() -> None:
    """Half the size takes the labels at the pixels' centres; unknown pixels stay unknown; names decide, not numbers."""
    labels = blocks(1, 24, 36, 3)
    labels[:12, :12] = 255
    shape = Shape(height=12, width=18, channels=1)
    encoded = TASK.encode([mask(labels, 255)], np.array([[24, 36]]), shape)
    assert np.array_equal(encoded[0], labels[1::2, 1::2])
    other = Mask(kind="index", names=("cell", "background"), sources=(labels % 2,), values=(0, 1))
    assert np.array_equal(
        TASK.encode([other], np.array([[24, 36]]), Shape(height=24, width=36, channels=1))[0], 1 - labels % 2
    )


@pytest.mark.parametrize("size", [(24, 36), (40, 24), (10, 15), (3, 50)])
def test_picture_and_mask_keep_their_form_on_the_grid(size: tuple[int, int]) -> None:
    """Too large ones are made smaller, none larger, and both are continued by the same mirror images."""
    shape = Shape(height=24, width=24, channels=1, mirrored=True)
    labels = blocks(2, *size, 3)
    stored = fit((80 * labels)[:, :, None], shape)[:, :, 0]
    encoded = TASK.encode([mask(labels)], np.array([size]), shape)[0].numpy()
    height, width = placed(*size, 24, 24)
    assert height / width == pytest.approx(size[0] / size[1], rel=0.1) or min(height, width) < 3
    if (height, width) == size:
        assert np.array_equal(stored, 80 * encoded)
    assert np.array_equal(encoded[:height, :width][::-1][: 24 - height], encoded[height : 2 * height, :width])
    assert np.array_equal(encoded[:height, :width][:, ::-1][:, : 24 - width], encoded[:height, width : 2 * width])
    answer = TASK.decode(
        20 * functional.one_hot(torch.from_numpy(encoded).long(), 3).movedim(-1, 0)[None], np.array([size])
    )[0]
    assert answer.labels.shape == size
    if (height, width) == size:
        assert np.array_equal(answer.labels, labels)
    assert TASK.drawn(stored[:, :, None], answer, mask(labels)).shape[:2] == tuple(
        side * max(1, 320 // max(height, width)) for side in (height, width)
    )


@pytest.mark.usefixtures("quick")
def test_weights_even_the_pixels_of_the_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training asked to balance: each class's factor times its share of the training masks' pixels is the same."""
    monkeypatch.setattr(single, "_fit", lambda training, *others: training)
    line, asked = "conv 2 3, conv classes 1", {"test": 0.0, "val": 0.0, "workers": 0, "quiet": True}
    training = striate.train(draw_set(tmp_path / "set"), network=line, balance="weights", out=tmp_path / "o", **asked)
    shares = np.mean([
        np.array(Image.open(path)).astype(bool).mean()
        for path in sorted((tmp_path / "set" / "masks").glob("*.png"))
        if path.stem != "03"
    ])  # fmt: skip
    ground, disc = training.class_weights.tolist()
    assert ground * (1 - shares) == pytest.approx(disc * shares, rel=1e-5)
    assert disc > 2 * ground
    assert Segmentation(("a", "b"), usual=(1.0, 0.0)).commonness([])[1] > 0


def test_masks_are_drawn_before_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page of a check, and on pictures as they are and moved: coloured is what is bright, as each disc is."""
    monkeypatch.setattr(single, "_fit", lambda training, *others: training)
    pages, sheets = [], []
    monkeypatch.setattr(doctor, "report", lambda facts: pages.append(facts) or "")
    monkeypatch.setattr(results.sheets, "picture_sheet", lambda tiles, *words: sheets.append(tiles) or b"")
    asked = {"out": tmp_path / "o", "quiet": True, "workers": 0}
    striate.check(draw_set(tmp_path / "set"), quick=True, **asked)
    line, changes = "conv 2 3, conv classes 1", "rotate 20, shift 0.2, hflip"
    training = striate.train(tmp_path / "set", network=line, augment=changes, test=0.0, val=0.0, **asked)
    results.write_augmentation(tmp_path, training)
    (facts,), (tiles,) = pages, sheets
    assert len(facts.thumbnails) == 5
    assert len(tiles) == 6 * 4
    for shown in (*facts.thumbnails.values(), *tiles):
        coloured = shown.min(axis=2) < shown.max(axis=2)
        assert coloured.any()
        assert np.median(shown[coloured, 0]) > 190  # on the ground amber gives 140
        assert np.median(shown[~coloured, 0]) < 110


def test_training_is_on_the_same_square_of_picture_and_mask() -> None:
    """Squares of every sample's own place, anywhere on the picture, the same for the same epoch; small sides whole."""
    pictures = torch.arange(40 * 30).reshape(1, 1, 40, 30).repeat(200, 1, 1, 1).float()
    given = {"seed": 3, "sample_ids": torch.arange(200)}
    some, labels = cropped([pictures, pictures[:, 0]], 8, epoch=1, **given)
    assert some.shape == (200, 1, 8, 8)
    assert torch.equal(some[:, 0], labels)
    tops, lefts = (some[:, 0, 0, 0] // 30, some[:, 0, 0, 0] % 30)
    assert (tops.min(), tops.max(), lefts.min(), lefts.max()) == (0, 32, 0, 22)
    assert torch.equal(some[:, 0, 3, 5], pictures[0, 0, 3, 5] + some[:, 0, 0, 0])
    again = cropped([pictures], 8, epoch=1, **given)[0]
    assert torch.equal(again, some)
    assert not torch.equal(cropped([pictures], 8, epoch=2, **given)[0], some)
    assert cropped([pictures], 35, epoch=1, **given)[0].shape == (200, 1, 35, 30)


def test_the_loss_by_hand() -> None:
    """Cross-entropy of the known pixels as torch has it, plus 1 minus the mean Dice of the classes that are there."""
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    truth = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (2, 4, 5)).astype(np.uint8))
    truth[0, :2] = UNKNOWN
    known = truth != UNKNOWN
    chances = logits.softmax(dim=1).movedim(1, -1)[known].numpy()
    numbers = truth[known].numpy()
    entropy = -np.log(chances[np.arange(len(numbers)), numbers]).mean()
    dice = [
        (2 * chances[numbers == k, k].sum() + 1) / (chances[:, k].sum() + (numbers == k).sum() + 1) for k in range(2)
    ]
    assert float(TASK.loss(logits, truth, None, 0.0)) == pytest.approx(entropy + 1 - np.mean(dice), rel=1e-5)


def test_unknown_pixels_teach_nothing() -> None:
    """They get no gradient, and a picture without any known pixel gives a loss of zero."""
    logits = torch.randn(1, 3, 6, 6, requires_grad=True)
    truth = torch.zeros(1, 6, 6, dtype=torch.uint8)
    truth[0, 3:] = UNKNOWN
    TASK.loss(logits, truth, None, 0.1).backward()
    assert logits.grad[0, :, 3:].abs().max() == 0
    assert logits.grad[0, :, :3].abs().min() > 0
    assert float(TASK.loss(logits, torch.full_like(truth, UNKNOWN), None, 0.0).detach()) == 0


def test_a_perfect_answer_has_no_loss_and_all_hits() -> None:
    """Very sure logits of the truth: loss near 0, mean IoU 1 on each picture; a coarser map is held against its own."""
    labels = torch.from_numpy(np.stack([blocks(seed, 16, 16, 3) for seed in (1, 2)]))
    logits = 50 * functional.one_hot(labels.long(), 3).movedim(-1, 1).float()
    assert float(TASK.loss(logits, labels, None, 0.0)) < 1e-3
    assert TASK.hits(logits, labels) == pytest.approx(2)
    fine = labels.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert TASK.hits(logits, fine) == pytest.approx(2)


def test_hits_are_the_iou_of_scikit_learn() -> None:
    """The sum of the pictures' mean IoU over the classes that are true or told."""
    logits = torch.randn(3, 3, 8, 9, generator=torch.Generator().manual_seed(1))
    truth = torch.randint(0, 3, (3, 8, 9), generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    expected = sum(
        jaccard_score(t.ravel(), p.ravel(), average="macro")
        for t, p in zip(truth.numpy(), logits.argmax(dim=1).numpy(), strict=True)
    )
    assert TASK.hits(logits, truth) == pytest.approx(expected)


def test_answers_have_the_pictures_own_size() -> None:
    """Probabilities are drawn large and the likeliest class of each pixel told; shares and confidence follow."""
    labels = blocks(3, 12, 12, 3)
    logits = 20 * functional.one_hot(torch.from_numpy(labels).long(), 3).movedim(-1, 0)[None].double()
    same, large = TASK.decode(logits)[0], TASK.decode(logits, np.array([[36, 36]]))[0]
    assert np.array_equal(same.labels, labels)
    assert large.labels.shape == (36, 36)
    assert np.array_equal(large.labels[1::3, 1::3], labels)
    flat, wide = TASK.decode(logits, np.array([[6, 12]]))[0], TASK.decode(logits, np.array([[12, 24]]))[0]
    assert np.array_equal(flat.labels, labels[:6])
    assert np.mean(wide.labels[::2, ::2] == labels[:6]) > 0.9
    np.testing.assert_allclose(same.shares, np.bincount(labels.ravel(), minlength=3) / 144)
    assert 0.99 < same.confidence <= 1
    assert TASK.row(same)[0] == TASK.say(same)
    assert len(TASK.row(same)) == len(TASK.header())
    again = TASK.target_of(same)
    assert np.array_equal(again.sources[0], labels)
    told = TASK.scores([mask(labels)], [same], {"majority": "background"})
    assert told["iou"]["value"] == 1
    assert TASK.errors([mask(labels)], [same]).tolist() == [0]


def test_areas_of_another_class_are_not_scored() -> None:
    """Pixels of a class that the model lacks count as unknown ones do, of one mask and of outlines with objects; a
    mask of other classes alone is no mask for it."""
    labels = blocks(3, 24, 36, 4)
    names = (*TASK.classes, "wolf")
    strange = Mask(kind="index", names=names, sources=(labels,), values=(0, 1, 2, 3))
    known, said = TASK.known(strange)
    assert said == "no class of the model: the areas of wolf, not scored"
    (answer,) = TASK.decode(torch.randn(1, 3, 24, 36), np.array([[24, 36]]))
    plain = mask(np.where(labels == 3, 255, labels).astype(np.uint8), 255)
    assert TASK.scores([known], [answer], {}) == TASK.scores([plain], [answer], {})
    assert TASK.known(plain) == (plain, "")
    square = np.array([[2.0, 2], [12, 2], [12, 12], [2, 12]])
    outlines = [(("cell", (square,)),), (("cell", (square,)), ("wolf", (square + 14,)))]
    both = [Mask(kind="polygons", names=names, ignore=None, polygons=polygons, size=(36, 36)) for polygons in outlines]
    assert [TASK.known(one)[1] for one in both] == ["", said]
    (answer,) = TASK.decode(torch.zeros(1, 3, 36, 36), np.array([[36, 36]]))
    records = [TASK.scores([one], [answer], {})["object_f1"] for one in both]
    assert records[0] == records[1]
    other, said = TASK.known(Mask(kind="index", names=("background", "wolf"), sources=(labels,), values=(0, 3)))
    assert (other, said) == (None, "class 'wolf' is not one of the model's")


def test_a_heatmap_explains_the_mean_logit_of_what_is_told() -> None:
    """The mean over the class's own pixels; over all where none is told so."""
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 1] = torch.tensor([[5.0, 3.0], [-1.0, -1.0]])
    assert TASK.score(logits, 1).tolist() == [4.0]
    assert TASK.score(logits, 2).tolist() == [0.0]


def test_areas_are_outlined_on_all_sides() -> None:
    """Of a square the whole border in full colour, its inside tinted, and nothing around it."""
    told = np.zeros((400, 400), np.uint8)
    told[100:104, 200:204] = 1
    drawn = with_areas(np.zeros((400, 400, 1), np.uint8), told)
    rim = (drawn == class_colours(2)[1]).all(axis=2)
    assert rim.sum() == 12
    assert not rim[101:103, 201:203].any()
    assert np.array_equal(drawn.any(axis=2), told == 1)


def test_a_heatmap_asks_about_the_same_pixels_of_every_covered_picture() -> None:
    """A network that reads its pixels: each told one covered takes its share of the mean, a dim one too."""
    network = torch.nn.Conv2d(1, 3, 1)  # the logit of "cell" is the pixel itself, against 0.5 for the background
    torch.nn.init.zeros_(network.weight.data)[1] = 1.0
    network.bias.data, network.output_shape = torch.tensor([0.5, 0.0, -9.0]), (3, 2, 3)
    shape = Shape(height=2, width=3, channels=1, depth="float32")
    model = Model(network, TASK, Preparation(shape=shape, low=(0.0,), high=(1.0,), mean=(0.0,), std=(0.25,)))
    picture = np.array([[1.0, 0.25, 0.0], [0.0, 0.0, 0.0]], np.float32)
    heat = partial(model.heatmap, picture, "cell")
    np.testing.assert_allclose(heat("occlusion", window=1, stride=1).map, 2 * picture, atol=1e-6)
    exact = heat("integrated_gradients")
    np.testing.assert_allclose(exact.map, 2 * picture, atol=1e-6)
    assert exact.warning == ""


def test_which_side_is_up_is_told_by_the_masks() -> None:
    """Masks whose class keeps to the lower half are only mirrored; those that lie anyhow are turned as well."""
    random = np.random.default_rng(4)
    lying, standing = [], []
    for _ in range(20):
        labels = np.zeros((20, 20), np.uint8)
        y, x = random.integers(0, 14, 2)
        labels[y : y + 6, x : x + 6] = 1
        lying.append(mask(labels))
        ground = np.zeros((20, 20), np.uint8)
        ground[random.integers(10, 14) :] = 1
        standing.append(mask(ground))
    assert TASK.fitted(lying).symmetry[0] == "dihedral"
    assert TASK.fitted(standing).symmetry[0] == "mirror"
    assert "dihedral" in str(TASK.recipe(parse("shift 0.1, dihedral")))
    assert TASK.fitted(lying).floor(lying) == {"majority": "background"}


def test_cells_that_touch_are_cut_apart_where_masks_number_them() -> None:
    """Of two discs that overlap the validation part chooses a neck: then two objects are told, found, and drawn with a
    line between them. Masks that know classes alone choose nothing, and the two stay one."""
    y, x = np.mgrid[:48, :96]
    left, right = ((x - middle) ** 2 + (y - 24) ** 2 <= 18**2 for middle in (34, 62))
    numbers = np.where(left, 1, 2 * right).astype(np.uint8)
    target = Mask(kind="numbers", names=("background", "cell"), sources=(numbers,))
    plain = Mask(kind="index", names=("background", "cell"), sources=((numbers > 0).astype(np.uint8),), values=(0, 1))
    answer = Areas.of((numbers > 0).astype(np.uint8), 0.9, 2)
    task = Segmentation(("background", "cell"))
    assert not task.fitted([plain]).tunes
    assert task.fitted([target]).tunes
    cutting = task.fitted([target]).tuned([target], [answer])
    assert cutting.objects(answer).max() == 2
    assert cutting.row(answer)[2] == "2"
    assert cutting.scores([target], [answer], {})["object_f1"]["value"] == 1
    assert task.row(answer)[2] == "1"
    assert task.scores([target], [answer], {})["object_f1"]["value"] < 1
    grey = np.zeros((48, 96, 1), np.uint8)
    line = (cutting.drawn(grey, answer) != task.drawn(grey, answer)).any(axis=-1)
    assert 0 < line.sum() < 0.05 * line.size
    assert abs(np.nonzero(line)[1].mean() / line.shape[1] - 0.5) < 0.02


def test_the_task_is_stored_as_plain_data() -> None:
    """What was learned comes back from JSON."""
    task = TASK.fitted([mask(blocks(1, 20, 20, 3))])
    assert make_task("segmentation", json.loads(json.dumps(asdict(task)))) == task


def test_a_network_without_maps_is_refused() -> None:
    """The remedy says how to end the line."""
    with pytest.raises(StriateError, match=r"one map per class.*conv classes 1"):
        TASK.require_output((3,))
    TASK.require_output((3, 7, 9))


def draw_set(root: Path, count: int = 12) -> Path:
    """Discs that are brighter than their ground, in pictures of two sizes; two files that are wrong."""
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = (32, 32) if number % 3 else (40, 34)
        y, x = np.mgrid[:height, :width]
        labels = np.zeros((height, width), np.uint8)
        for _ in range(2):
            cy, cx = random.integers(6, 26, 2)
            labels[(y - cy) ** 2 + (x - cx) ** 2 < random.integers(9, 36)] = 255
        pixels = np.clip(random.normal(80, 10, labels.shape) + 0.5 * labels, 0, 255).astype(np.uint8)
        for folder, array in (("images", pixels), ("masks", labels)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{number:02}.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / "masks" / "03.png")
    (root / "masks" / "04.png").unlink()
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(the folder of pictures, the run folder)."""
    place = tmp_path_factory.mktemp("masks")
    source = draw_set(place / "set")
    line = "conv 8 3 bias=no, batchnorm, relu, skip(maxpool 2, conv 8 3, relu), conv classes 1"
    words = [
        "train",
        str(source),
        "--network",
        line,
        "--epochs",
        "15",
        "--lr",
        "0.02",
        "--batch-size",
        "3",
        "--out",
        str(place / "runs"),
        "--name",
        "a",
    ]
    assert main(words) == 0
    return source, place / "runs" / "a"


def test_a_training_finds_the_areas_and_lists_what_is_wrong(trained: tuple[Path, Path]) -> None:
    """Scores well above the baseline, every result file, and a line with its reason for each picture left out."""
    scores = json.loads((trained[1] / "scores.json").read_text())
    assert scores["test"]["main"] == "iou"
    assert scores["test"]["iou"]["value"] > scores["test"]["baseline"] + 0.2
    with (trained[1] / "data.csv").open() as file:
        out = {row["path"]: row["reason"] for row in csv.DictReader(file) if row["status"] == "left out"}
    assert out == {
        "images/03.png": "its mask masks/03.png is 9 × 9 pixels, the picture 34 × 40",
        "images/04.png": "no mask goes with it",
    }
    with (trained[1] / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert {"predicted", "confidence", "objects", "share_background", "share_foreground"} <= rows[0].keys()
    assert "Confusion matrix of pixels" in (trained[1] / "report.html").read_text()


def test_predictions_are_masks_and_pictures(trained: tuple[Path, Path], tmp_path: Path) -> None:
    """Into a folder go index files of the pictures' own sizes that can be learned from again, and the objects, numbered
    and measured; --draw shows them."""
    source, run = trained
    masks, shown = tmp_path / "set" / "masks", tmp_path / "shown"
    assert main(["predict", str(run), str(source / "images"), "--out", str(masks), "--draw", str(shown)]) == 0
    for number in range(12):
        name = f"{number:02}.png"
        labels = mask_values((masks / name).read_bytes())
        assert labels.shape == np.asarray(Image.open(source / "images" / name)).shape
        assert set(np.unique(labels).tolist()) <= {0, 1}
        assert np.asarray(Image.open(shown / name)).ndim == 3
    assert (masks / "classes.txt").read_text() == "background\nforeground\n"
    with (masks / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number in range(12):
        objects = tifffile.imread(masks / "objects" / f"{number:02}.tif")
        expected, count = ndimage.label(mask_values((masks / f"{number:02}.png").read_bytes()))
        np.testing.assert_array_equal(objects, expected)
        areas = [int(row["area"]) for row in rows if Path(row["path"]).name == row["mask"] == f"{number:02}.png"]
        assert areas == np.bincount(expected.ravel(), minlength=count + 1)[1:].tolist()
    shutil.copytree(source / "images", masks.parent / "images")
    again = read(masks.parent)
    assert [sample.target.sources[0].parent.name for sample in again.samples] == ["masks"] * 12


def test_a_model_scores_and_looks_at_other_pictures(trained: tuple[Path, Path]) -> None:
    """In Python: evaluate, predict and look give the task's own answers."""
    source, run = trained
    model, table = striate.load(run), source.parent / "evaluated.csv"
    scores = model.evaluate(source, out=table)
    assert scores["n"] == 10
    told = {row["path"]: row for row in read_csv(run / "predictions.csv")}
    rows = read_csv(table)
    assert [row["error"] for row in rows] == [told[row["path"]]["error"] for row in rows]
    assert list(rows[0]) == list(told[rows[0]["path"]])
    assert scores["iou"]["value"] > 0.6
    one = model.predict(source / "images" / "00.png")[0]
    assert one.size == (40, 34)
    assert one.answer.labels.shape == (40, 34)
    assert one.probabilities["foreground"] == pytest.approx(one.answer.labels.mean())
    assert "foreground" in model.look(source / "images" / "00.png").answer


def test_the_page_shows_areas(trained: tuple[Path, Path]) -> None:
    """See, Explain with the task's own score, and Mistakes with the worst picture first."""
    with served(Glass(trained[1]).answer) as server:
        visitor = Visitor(server)
        first = visitor.json("/api/model")["first_picture"]
        seen = visitor.json(f"/api/trace/{first}")
        assert seen["said"].startswith("foreground")
        header, heat = visitor.array(f"/api/heatmap/{first}?method=hirescam&target=1")
        assert header["target"] == "foreground"
        assert np.abs(heat).max() > 0
        status, _, png = visitor.ask(f"/api/pictures/{first}/drawn")
        assert status == 200
        assert np.asarray(Image.open(io.BytesIO(png))).ndim == 3
        errors = [row["error"] for row in visitor.json("/api/mistakes")["rows"]]
        assert errors == sorted(errors, reverse=True)


@pytest.mark.usefixtures("quick")
def test_a_resumed_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    """Stopped after the first of four epochs and gone on with, bit for bit as one that was never stopped; not with
    another mask."""
    source = draw_set(tmp_path / "set", 8)
    given = {
        "network": "conv 4 3, relu, conv classes 1",
        "augment": "rotate 20, shift 0.1, dihedral, fill constant",
        "precision": "fp32",  # what is measured may differ from one start to the next
        "batch_size": 3,
        "epochs": 4,
        "out": str(tmp_path / "runs"),
        "quiet": True,
    }

    def stop(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    whole = striate.train(source, name="whole", **given)
    stopped = striate.train(source, name="stopped", watch=stop, **given)
    assert stopped.stopped
    mask = min((source / "masks").iterdir())
    kept = mask.read_bytes()
    Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    with pytest.raises(StriateError, match="the very pictures and labels it began with"):
        striate.train(resume=stopped.folder, quiet=True)
    mask.write_bytes(kept)
    resumed = striate.train(resume=stopped.folder, quiet=True)
    weights = resumed.model.network.state_dict()
    for name, tensor in whole.model.network.state_dict().items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.usefixtures("quick")
def test_masks_that_change_or_go_while_a_training_runs_are_scored_as_they_were_read(tmp_path: Path) -> None:
    """The scores, and what the model says that it learned from, are those of a training beside which nobody draws."""
    source, line = draw_set(tmp_path / "set", 7), "conv 4 3, relu, conv classes 1"
    given = {"network": line, "precision": "fp32", "epochs": 2, "augment": "none", "quiet": True}
    whole = striate.train(source, out=tmp_path / "1", **given)
    masks = sorted(source.rglob("masks/*.png"))

    def draw(event: Event) -> None:
        if isinstance(event, Epoch):
            for number, mask in enumerate(masks):
                mask.write_bytes(b"") if number % 2 else mask.unlink(missing_ok=True)

    beside = striate.train(source, out=tmp_path / "2", watch=draw, **given)
    assert beside.scores["test"] == whole.scores["test"]
    assert beside.model.about["data"] == whole.model.about["data"]


def test_a_mask_is_told_in_shares() -> None:
    """The truth in the words of an answer: shares beside the background."""
    labels = np.zeros((10, 10), np.uint8)
    labels[:3] = 1
    names = ("background", "cell")
    true = Mask(kind="index", names=names, sources=(labels,), values=(0, 1))
    assert Segmentation(names).told(true) == "cell 30.0 %"
    empty = Mask(kind="index", names=names, sources=(np.zeros((4, 4), np.uint8),), values=(0, 1))
    assert Segmentation(names).told(empty) == "background alone"


@pytest.mark.parametrize(("width", "views"), [(16, 8), (32, 4)])
def test_answers_are_the_mean_over_all_ways_to_turn(width: int, views: int) -> None:
    """Where masks lie alike whichever side is up, a picture that is turned gets the same areas, turned, and its logits
    are the mean over those of all turned pictures, each turned back by numpy."""
    network = build("conv 4 3, relu, maxpool 2, conv 4 3, relu, conv classes 1", (1, 16, width), 2, seed=1).eval()
    task = Segmentation(("background", "thing"), turns=True)
    unit = Preparation(shape=Shape(height=16, width=width, channels=1), low=(0,), high=(255,), mean=(0.2,), std=(0.5,))
    model = Model(network, task, unit, mirror=True)
    picture = np.random.default_rng(0).integers(0, 255, (1, 16, width, 1), dtype=np.uint8)
    told = model.logits(picture).numpy()[0]
    x, expected = (picture[0, :, :, 0].astype(np.float32) / 255 - 0.2) / 0.5, []
    for flipped in (False, True):
        for quarters in range(0, 4, 1 if views == 8 else 2):
            seen = np.rot90(np.fliplr(x) if flipped else x, quarters).copy()
            with torch.inference_mode():
                maps = network(torch.from_numpy(seen)[None, None])[0].numpy()
            maps = np.rot90(maps, -quarters, axes=(1, 2))
            expected.append(maps[:, :, ::-1] if flipped else maps)
    assert len(expected) == views
    assert told == pytest.approx(np.mean(expected, axis=0), abs=1e-5)
    upside = model.logits(picture[:, ::-1]).numpy()[0]
    assert upside[:, ::-1] == pytest.approx(told, abs=1e-5)


def test_turns_that_were_asked_for() -> None:
    """`--symmetry` and `--augment` decide before the masks do."""
    masks = [Mask(kind="index", names=("a", "b"), sources=(np.eye(8, dtype=np.uint8),), values=(0, 1))] * 4
    found = Found(root="t", kind="table", samples=[], names=("a", "b"))
    for options, expected in (
        ({}, True), ({"symmetry": "none"}, False), ({"symmetry": "dihedral"}, True), ({"augment": "hflip"}, False),
        ({"augment": "microscopy"}, True),
    ):  # fmt: skip
        assert Segmentation.of(found, masks, options).fitted(masks).turns is expected


@pytest.mark.parametrize("size", [(100, 70), (33, 200), (20, 20)])
def test_tiles_of_a_mask_are_joined_by_what_lies_inside_them(size: tuple[int, int]) -> None:
    """The whole mask comes back, although what a tile says of its own inner edge is wrong: there it saw too little."""
    truth, tiles, answers = blocks(3, *size, 3), tiles_of(size, (32, 40)), []
    for y0, y1, x0, x1 in tiles:
        labels = truth[y0:y1, x0:x1].copy()
        labels[: 3 * (y0 > 0)] = labels[:, : 3 * (x0 > 0)] = 2
        labels[len(labels) - 3 * (y1 < size[0]) :] = labels[:, labels.shape[1] - 3 * (x1 < size[1]) :] = 2
        answers.append(Areas(zlib.compress(labels.tobytes()), *labels.shape, np.zeros(3), 0.5))
    joined = TASK.joined(answers, tiles, size)
    assert np.array_equal(joined.labels, truth)
    assert np.allclose(joined.shares, np.bincount(truth.ravel(), minlength=3) / truth.size)
    assert joined.confidence == 0.5


@pytest.mark.parametrize(("side", "scales", "is_cut"), [(150, (1, 1), True), (40, (1, 1), False), (150, None, False)])
def test_a_far_larger_picture_is_seen_at_the_scale_that_was_learned(
    side: int, scales: tuple[float, float] | None, is_cut: bool
) -> None:
    """Single pixels are told on a picture five times as large, where they had been shrunk away; and it is said."""
    task, figures = Segmentation(("background", "spot")), {"low": (0,), "high": (255,), "mean": (0,), "std": (1,)}
    network = build("conv classes 1", (1, 32, 32), 2, seed=0)
    with torch.no_grad():
        for parameter, values in zip(network.parameters(), ([0, 20], [0, -10]), strict=True):
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
    preparation = Preparation(shape=Shape(height=32, width=32, channels=1, mirrored=True), **figures)
    model = Model(network.eval(), task, preparation, about={"scales": scales} if scales else {})
    spots = np.where(np.random.default_rng(1).random((side, side)) < 0.05, 255, 0).astype(np.uint8)
    asked = Underway([("spots", spots)], preparation.shape, 0)
    (said,) = model.predict_each(asked)
    assert np.array_equal(said.answer.labels, spots > 0) == is_cut
    assert ("1 picture much larger" in asked.note) == is_cut
    assert np.array_equal(model.predict(spots, tiles=(32, 20))[0].answer.labels, spots > 0)


def test_a_large_picture_that_goes_before_its_tiles_are_read_has_a_reason(tmp_path: Path) -> None:
    """It is opened again for them; the next one is answered."""
    shape = Shape(height=32, width=32, channels=1, mirrored=True)
    preparation = Preparation(shape=shape, low=(0,), high=(255,), mean=(0,), std=(1,))
    model = Model(build("conv classes 1", (1, 32, 32), 2, seed=0), Segmentation(("background", "spot")), preparation)
    for name in ("1.png", "2.png"):
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / name)
    loaded = list(Underway([(path.name, path) for path in sorted(tmp_path.iterdir())], shape, 0))
    (tmp_path / "1.png").unlink()
    first, second = model.predict_loaded(loaded, (32, 32))
    assert (first.reason, first.answer) == ("no such file", None)
    assert second.answer.labels.shape == (64, 64)


def test_tiles_are_as_large_as_pictures_that_were_learned_from() -> None:
    """Fields of 2,000 pixels brought to 500 give tiles of 2,000; what is like one of them stays whole."""
    shape = Shape(height=500, width=500, channels=1, mirrored=True)
    assert tile_for((6000, 9000), None, shape, (0.25, 0.25)) == (2000, 2000)
    assert tile_for((2900, 2900), None, shape, (0.25, 0.25)) is None
    assert tile_for((2900, 2900), None, shape, (0.25, 1.0)) is None
    assert tile_for((9000, 400), None, shape, (0.25, 1.0)) == (500, 500)
    assert tile_for((9000, 400), (9000, 400), shape, (1.0, 1.0)) is None
