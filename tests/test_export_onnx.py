"""The ONNX file of a model: ONNX Runtime gives what torch gives, for every layer, task and form."""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import draw_folder, read_table, said_by
from PIL import Image

from striate.cli import main
from striate.data.prepare import Preparation, Shape
from striate.errors import StriateError
from striate.export import onnx as onnx_file
from striate.export import whole as writing
from striate.export.model import Model
from striate.export.passes import Passes
from striate.network.build import build
from striate.network.catalog import CATALOG
from striate.tasks.classification import Classification
from striate.tasks.detection import Detection
from striate.tasks.multilabel import Multilabel
from striate.tasks.regression import Regression
from striate.tasks.segmentation import Segmentation
from striate.tasks.task import Task
from striate.train.run import train

onnx = pytest.importorskip("onnx", reason="pip install 'striate[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="pip install 'striate[onnx]'")

NAMES = ("a", "b", "c")
GREY = Shape(height=13, width=18, channels=1)
COLOUR = Shape(height=16, width=16, channels=3)


def model_of(line: str, shape: Shape, task: Task | None = None, **more: object) -> Model:
    """A model with random weights, norms that have seen something, and figures of its own for every channel."""
    task = task or Classification(NAMES)
    network = build(line, shape.seen, len(task.classes), 3)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        network.train()(torch.randn(8, *shape.seen))
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
    top = 255.0 if shape.depth == "uint8" else 3000.0
    each = [number / 10 for number in range(shape.channels)]
    preparation = Preparation(
        shape=shape, low=tuple(5 + n for n in each), high=tuple(top - n for n in each),
        mean=tuple(0.4 + n for n in each), std=tuple(0.2 + n for n in each),
    )  # fmt: skip
    return Model(network.eval(), task, preparation, **more)


def asked(path: Path, pictures: np.ndarray) -> np.ndarray:
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"pictures": pictures})[0]


def pictures_of(shape: Shape, count: int) -> np.ndarray:
    random = np.random.default_rng(1)
    return (random.random((count, *shape.stored)) * (255 if shape.depth == "uint8" else 4000)).astype(shape.depth)


LAYERS = {
    "the HeLa network": (
        "conv 8 4, relu, conv 8 4, relu, maxpool 2 stride=1, dropout 0.2, flatten, dense 9, "
        "relu, dense classes, softmax"
    ),
    "elementwise": (
        "conv 4 3, leaky-relu, conv 4 3, elu, conv 4 3, gelu, conv 4 3, tanh, conv 4 3, silu, "
        "conv 4 3, sigmoid, flatten, dense classes"
    ),
    "strides, dilation, groups": (
        "conv 6 3x5 stride=2, relu, conv 12 3 dilation=2 groups=3 padding=2, relu, flatten, "
        "dense classes bias=no"
    ),
    "pools that pad": (
        "conv 4 3, maxpool 3 stride=2 padding=same, avgpool 3 stride=2 padding=1, "
        "maxpool 2 padding=1, flatten, dense classes"
    ),
    "norms": (
        "conv 8 3 bias=no, batchnorm, silu, conv 8 3, groupnorm 4, silu, globalavgpool, "
        "dense 6, batchnorm, dense classes, scale 0.125"
    ),
    "residuals": (
        "conv 4 3, residual(conv 8 3 stride=2, batchnorm, relu, conv 8 3), residual(conv 8 3), "
        "globalmaxpool, dense classes"
    ),
    "skips": "conv 4 3, skip(maxpool 2, conv 6 3, skip(maxpool 2, conv 6 3)), conv 4 3, globalavgpool, dense classes",
    "an ensemble": "ensemble 3 (conv 4 3, batchnorm, relu, globalavgpool, dense classes), softmax",
    "shares at every place": "conv 4 3, softmax, conv 4 3, flatten, dense classes",
    "valid": "conv 4 3 padding=valid, relu, globalmaxpool, dense classes",
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_notation(name: str, tmp_path: Path) -> None:
    """Another number of pictures than the file was checked with, of odd sizes, mirrored views and a temperature."""
    model = model_of(LAYERS[name], GREY, mirror=True, temperature=0.7)
    written = model.export(tmp_path / "m.onnx")
    pictures = pictures_of(GREY, 3)
    told, expected = asked(tmp_path / "m.onnx", pictures), said_by(model, pictures)
    assert told.shape == (3, 3)
    assert np.ptp(expected) > 0.01
    assert np.abs(told - expected).max() < 1e-5
    assert written.takes == "pictures (N×13×18×1, uint8)"
    assert written.gives == "probabilities (N×3, float32)"


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if entry.height <= 64])
def test_small_networks_of_the_catalogue(name: str, tmp_path: Path) -> None:
    """Whole networks as they are named."""
    entry = CATALOG[name]
    shape = Shape(height=entry.height, width=entry.width, channels=entry.channels)
    task = Classification(tuple(map(str, range(entry.classes)))) if entry.classes > 1 else Classification(("0", "1"))
    network = build(entry.line, shape.seen, entry.classes)
    model = Model(network.eval(), task, model_of("globalavgpool, dense classes", shape).preparation)
    model.export(tmp_path / "m.onnx")
    pictures = pictures_of(shape, 2)
    assert np.abs(asked(tmp_path / "m.onnx", pictures) - said_by(model, pictures)).max() < 1e-4


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        (Shape(height=9, width=7, channels=2, depth="uint16"), "conv 4 3, relu, globalavgpool, dense classes"),
        (Shape(height=1, width=40, channels=3, depth="float32", form="series"),
         "conv 4 5, batchnorm, relu, maxpool 2, skip(maxpool 3, conv 4 3), residual(conv 8 3 stride=2), "
         "flatten, dense classes"),
        (Shape(height=6, width=8, channels=2, frames=5, form="volume"),
         "conv 4 3, groupnorm 2, relu, skip(maxpool 2, conv 4 3), residual(conv 6 3 stride=2), flatten, dense classes"),
    ],
    ids=["16 bits", "series", "volume"],
)  # fmt: skip
def test_every_form_and_depth(shape: Shape, line: str, tmp_path: Path) -> None:
    """Two channels, one axis, three axes; what is brighter than the training part was is cut off alike."""
    model = model_of(line, shape)
    model.export(tmp_path / "m.onnx")
    pictures = pictures_of(shape, 5)
    pictures[0, 0, 0] = 60_000 if shape.depth == "uint16" else 255
    assert np.abs(asked(tmp_path / "m.onnx", pictures) - said_by(model, pictures)).max() < 1e-5


def test_a_single_output_becomes_two_classes(tmp_path: Path) -> None:
    """The tutorials' binary network says how likely the second class is; the file says both."""
    network = build("flatten, dense 1, sigmoid", GREY.seen, 2)
    model = Model(network.eval(), Classification(("no", "yes")), model_of(LAYERS["valid"], GREY).preparation)
    model.export(tmp_path / "m.onnx")
    pictures = pictures_of(GREY, 3)
    assert np.abs(asked(tmp_path / "m.onnx", pictures) - said_by(model, pictures)).max() < 1e-6


def test_several_labels_and_numbers(tmp_path: Path) -> None:
    """Sigmoids; and numbers in the user's units, of which one changes its sign in mirrored pictures."""
    model = model_of(LAYERS["norms"], COLOUR, Multilabel(NAMES), mirror=True, temperature=1.5)
    model.export(tmp_path / "labels.onnx")
    pictures = pictures_of(COLOUR, 3)
    assert np.abs(asked(tmp_path / "labels.onnx", pictures) - said_by(model, pictures)).max() < 1e-5
    task = Regression(("x", "angle"), centres=(3.0, 0.0), scales=(2.0, 9.0), negated=("angle",))
    model = model_of(LAYERS["norms"], COLOUR, task, mirror=True)
    assert model.export(tmp_path / "numbers.onnx").gives == "numbers (N×2, float32)"
    told = np.array(model.answers(pictures))[..., 0]
    assert np.abs(asked(tmp_path / "numbers.onnx", pictures) - told).max() < 1e-4
    assert np.abs(told - np.array(replace(model, mirror=False).answers(pictures))[..., 0]).max() > 1e-3


@pytest.mark.parametrize("shape", [COLOUR, Shape(height=16, width=24, channels=3)], ids=["square", "wide"])
def test_areas_seen_from_all_sides(shape: Shape, tmp_path: Path) -> None:
    """The mean over eight (of a wide picture four) turned views, each turned back."""
    line = "conv 4 3, groupnorm 2, silu, skip(maxpool 2, conv 4 3), conv classes 1"
    model = model_of(line, shape, Segmentation(NAMES, turns=True), mirror=True)
    assert len(model.passes.views) == (8 if shape is COLOUR else 4)
    model.export(tmp_path / "m.onnx")
    pictures = pictures_of(shape, 2)
    expected = model.logits(pictures).softmax(dim=1).numpy()
    assert np.abs(asked(tmp_path / "m.onnx", pictures) - expected).max() < 1e-5


def lines_of_the_docs() -> tuple[list[str], str, str, str]:
    """How docs/export.md asks an ONNX file: the lines that open a picture, and what follows for a picture of 8 bits,
    for one of 16, and for masks."""
    text = (Path(__file__).parents[1] / "docs/export.md").read_text(encoding="utf-8")
    first, *others = re.findall(r"```python\n(.*?)```", text.partition("## For other programs")[2], re.DOTALL)[:3]
    opening, plain = first.rsplit("\n\n", 1)
    return opening.splitlines(keepends=True), f"\n{plain}", *others


def drawn_as(kind: str, file: Path, high: int = 23, wide: int = 31) -> None:
    """A picture file that is not simply pixels of 8 bits; blots of 6 by 5 places."""
    blots = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8))
    image, more = blots.resize((wide, high), Image.Resampling.BICUBIC), {}
    if kind == "plain":
        image = image.convert("RGB")
    elif kind == "turned":
        image, more = image.convert("RGB"), {"exif": Image.Exif()}
        more["exif"][0x112] = 6
    elif kind == "16 bits":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200 + 300)
    elif kind == "JPEG":  # of sharp cells, which is unpacked at an eighth of its size
        cells = 255 * np.random.default_rng(0).integers(0, 2, (high, wide, 3), np.uint8)
        Image.fromarray(cells.repeat(16, axis=0).repeat(16, axis=1)).save(file, "JPEG")
        return
    elif kind == "palette":
        image = image.convert("RGB").quantize(7)
        more = {"transparency": 3}
    image.save(file, "PNG", **more)


@pytest.mark.parametrize("kind", ["plain", "turned", "clear", "palette", "16 bits", "JPEG"])
@pytest.mark.parametrize("shape", [GREY, COLOUR], ids=["grey", "colour"])
def test_the_lines_of_the_docs_give_the_answers_of_predict(
    shape: Shape, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies between a file and its pixels: EXIF, transparency, a palette, 16 bits, a JPEG unpacked smaller."""
    model = model_of(LAYERS["valid"], shape)
    model.export(tmp_path / "model.onnx")
    drawn_as(kind, tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    opening, plain, *_ = lines_of_the_docs()
    exec("".join(opening) + plain, told := {})
    near = 1e-5 if kind == "JPEG" and shape == COLOUR else 3e-3  # as much as grey or transparency is rounded
    np.testing.assert_allclose(
        told["answers"][0], list(model.predict("picture.png")[0].probabilities.values()), atol=near
    )


def test_the_lines_of_the_docs_for_16_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that learned from 16 bits is asked about all of them."""
    model = model_of(LAYERS["valid"], replace(GREY, depth="uint16"))
    model.export(tmp_path / "model.onnx")
    drawn_as("16 bits", tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    opening, _, deep, _ = lines_of_the_docs()
    shown = next(number for number, line in enumerate(opening) if "as it is displayed" in line)
    exec("".join(opening[: shown + 1]) + deep, told := {})
    np.testing.assert_allclose(
        told["answers"][0], list(model.predict("picture.png")[0].probabilities.values()), atol=1e-5
    )


@pytest.mark.parametrize(
    ("kind", "size"),
    [("plain", (11, 30)), ("plain", (9, 9)), ("plain", (40, 20)), ("turned", (40, 20)), ("clear", (11, 30))],
)
def test_the_lines_of_the_docs_give_the_masks_of_predict(
    kind: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures for masks are placed and filled up, which the command tells, and what lies on them is cut out again."""
    shape = Shape(height=16, width=24, channels=3, mirrored=True)
    model = model_of("conv 4 3, relu, maxpool 2, conv classes 3", shape, Segmentation(NAMES))
    takes = "pictures (N×16×24×3, uint8, placed, not stretched, and filled up by mirroring)"
    assert model.export(tmp_path / "model.onnx").takes == takes
    drawn_as(kind, tmp_path / "picture.png", *(size[::-1] if kind == "turned" else size))
    monkeypatch.chdir(tmp_path)
    opening, *_, masks = lines_of_the_docs()
    exec("\n".join(["".join(opening), masks]), told := {})
    (one,) = model.predict("picture.png")
    assert told["mask"].shape == size == one.size
    assert len(np.unique(one.answer.labels)) > 1
    assert (told["mask"] == one.answer.labels).mean() > 0.99


def test_boxes_leave_the_file_as_maps(tmp_path: Path) -> None:
    """Maps of classes and of four sides, the mean over the mirrored view, whose left and right change places."""
    task = Detection(NAMES, reach=(0.1, 0.1))
    network = build("conv 4 3 stride=2, batchnorm, silu, conv classes 1", COLOUR.seen, task.outputs)
    model = Model(network.eval(), task, model_of(LAYERS["valid"], COLOUR).preparation, mirror=True)
    assert model.export(tmp_path / "m.onnx").gives == "logits (N×7×8×8, float32)"
    pictures = pictures_of(COLOUR, 2)
    assert np.abs(asked(tmp_path / "m.onnx", pictures) - model.logits(pictures).numpy()).max() < 1e-4


@pytest.mark.usefixtures("quick")
def test_the_command_and_what_the_file_says_of_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trained run: the file passes ONNX's own check, holds class names and preparation, and no code."""
    folder = draw_folder(tmp_path / "data", {"across": 14, "down": 14})
    run = train(folder, out=tmp_path, quiet=True, network=LAYERS["valid"], epochs=2, workers=0)
    out = tmp_path / "m.onnx"
    assert main(["export", str(run.folder), "--out", str(out)]) == 0
    tested = sum(row["part"] == "test" for row in read_table(run.folder / "data.csv"))
    assert re.search(
        rf"ONNX Runtime is within \S+ of torch, and alike for {tested} of {tested} test", capsys.readouterr().out
    )
    made = onnx.load(out)
    onnx.checker.check_model(made, full_check=True)
    said = {item.key: item.value for item in made.metadata_props}
    assert json.loads(said["classes"]) == ["across", "down"]
    assert json.loads(said["preparation"])["mean"] == list(run.model.preparation.mean)
    files = sorted(folder.rglob("*.png"))[:3]
    stored = np.stack([prediction.answer for prediction in run.model.predict(files)])
    shape = run.model.preparation.shape
    arrays = np.stack([np.asarray(Image.open(file))[..., None] for file in files])
    assert arrays.shape[1:] == shape.stored
    assert np.abs(asked(out, arrays) - stored).max() < 1e-5
    shutil.rmtree(folder)
    assert run.model.export(out).tested == ""
    assert Model(run.model.network, run.model.task, run.model.preparation).export(out).tested == ""


@pytest.mark.usefixtures("quick")
def test_a_file_that_disagrees_on_test_pictures_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise may be answered alike where the run's own pictures are not."""
    folder = draw_folder(tmp_path / "data", {"across": 14, "down": 14})
    run = train(folder, out=tmp_path, quiet=True, network=LAYERS["valid"], epochs=1, workers=0)
    told = writing.whole

    def wrong(passes: Passes, others: Sequence[np.ndarray]) -> writing.Whole:
        made = told(passes, others)
        made.expected[2:] = made.expected[2:, ::-1]
        return made

    monkeypatch.setattr(onnx_file, "whole", wrong)
    with pytest.raises(StriateError, match="agree with those of the model"):
        run.model.export(tmp_path / "m.onnx")


def test_a_text_is_asked_by_what_the_file_and_the_docs_say(tmp_path: Path) -> None:
    """Letters, those that share a channel, capitals, white space, and places without a letter."""
    shape = Shape(height=1, width=20, channels=96, form="text")
    model = model_of("conv 8 3, relu, globalmaxpool, dense classes", shape)
    model.export(tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    letters = session.get_modelmeta().custom_metadata_map["letters"]
    text = "Été,  un\tœuf ~ 3\u00a0π"
    pictures = np.zeros((1, 1, 20, 96), np.uint8)
    for place, letter in enumerate("été, un œuf ~ 3 π"):
        other = len(letters) + ((ord(letter) * 0x9E3779B1 & 0xFFFFFFFF) * 27 >> 32)
        pictures[0, 0, place, letters.index(letter) if letter in letters else other] = 255
    told = list(model.predict(text)[0].probabilities.values())
    np.testing.assert_allclose(session.run(None, {"pictures": pictures})[0][0], told, atol=1e-5)


def test_a_name_says_what_is_written(tmp_path: Path) -> None:
    """What is neither an ONNX file nor a page is refused, as `predict --out` refuses what it does not write."""
    for name in ("m.pt", "m.tflite", "m"):
        with pytest.raises(StriateError, match=r"written as FILE.onnx or FILE.html. received: .*where: --out"):
            model_of(LAYERS["valid"], GREY).export(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_the_packages_the_command_to_get_them_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, and how to install what is missing."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(StriateError, match=r"striate\[onnx\]"):
        model_of(LAYERS["valid"], GREY).export(tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_file_that_disagrees_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong, a file whose answers are not the model's is no result."""
    model = model_of(LAYERS["valid"], GREY)
    monkeypatch.setattr(writing, "_turned_back", lambda graph, y, element, task: graph.node("Neg", y.name))
    with pytest.raises(StriateError, match="agree with those of the model"):
        model.export(tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
