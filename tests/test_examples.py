"""Every example does what it says, on small pictures drawn here."""

import ast
import contextlib
import csv
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import few_digits
from drawn_page import asked
from drawn_scenes import draw_chests, draw_drive, draw_lesions, draw_shapes, draw_skin, draw_texts, draw_xrays
from drawn_series import write_ucr
from matplotlib import image
from PIL import Image
from scipy.ndimage import convolve
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

import striate
from striate.evaluate.boxes import overlaps
from striate.serve.server import Server

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_example(name: str, *arguments: object) -> None:
    """Run it as `python NAME ARGUMENTS` would, in this process, so that torch is imported once."""
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, sys, "argv", sys.argv)
        sys.argv = [name, *map(str, arguments)]
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def scores_of(run: Path) -> dict:
    return json.loads((run / "scores.json").read_text(encoding="utf-8"))["test"]


def save_stripes(folder: Path, kinds: dict[str, float], count: int, side: int, form: str = "png") -> None:
    """Pictures of stripes, a folder per class; TIFF files get 16 bits."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    for kind, angle in kinds.items():
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            wave = np.sin(0.6 * (x * np.cos(angle) + y * np.sin(angle)) + random.uniform(0, 6))
            grey = 0.5 + 0.3 * wave + random.normal(0, 0.05, wave.shape)
            scaled = (grey.clip(0, 1) * (4095 if form == "tif" else 255)).astype(
                np.uint16 if form == "tif" else np.uint8
            )
            Image.fromarray(scaled).save(folder / kind / f"{number}.{form}")


def test_every_example_is_tried_here() -> None:
    """A new example needs a test."""
    tried = set(re.findall(r'run_example\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert tried == {path.name for path in EXAMPLES.glob("*.py")}


def test_examples_are_short() -> None:
    """The HeLa script has at most 40 lines, the whole idea at most 250, the others at most 60."""
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert lines.pop("hela.py") <= 40
    assert lines.pop("one_file.py") <= 250
    assert max(lines.values()) <= 60


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_tells_how_it_is_called(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Asked for help, or with one word fewer than it cannot do without, it prints its first lines and ends with 2."""
    usage = ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8")), clean=False)
    words = re.search(rf"python {name}(( [A-Z]\S*|,? \w+\.npz| hela)*)", usage)[1].split()
    for given in (["--help"], *([words[1:]] if words else [])):
        with pytest.raises(SystemExit) as end:
            run_example(name, *given)
        assert end.value.code == 2
        assert capsys.readouterr().err.strip() == usage.strip()
    assert not any(here.iterdir())


def test_hela(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """16-bit TIFF files in class folders end in scores of a training and a test part of a quarter."""
    save_stripes(here / "hela", {"actin": 0.0, "dna": 1.5}, 8, 50, "tif")
    run_example("hela.py", "hela", 2)
    printed = capsys.readouterr().out
    assert re.search(r"^test: accuracy [01]\.\d{3}, 95 % interval [01]\.\d{3} to [01]\.\d{3}, n = 4$", printed, re.M)
    settings = (here / "runs/train/settings.toml").read_text(encoding="utf-8")
    for line in ('optimizer = "sgd"', "batch_size = 32", "test = 0.25", "epochs = 2"):
        assert line in settings
    assert "rotate 30, shift 0.1, shear 0.2, zoom 0.2, hflip, fill nearest" in settings


def test_digits(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits are learned from arrays, and the model read back from its file names one of them."""
    digits = load_digits()
    few = Bunch(images=digits.images[:200], target=digits.target[:200])
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: few)
    run_example("digits.py", 1)
    assert re.search(r"^says \d, \d+\.\d % sure; it is a 0$", capsys.readouterr().out, re.M)
    assert (here / "runs/digits/model.safetensors").is_file()


def test_binary100(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The network with one sigmoid output is scored on two classes."""
    save_stripes(here / "two", {"no": 0.0, "yes": 1.5}, 3, 100)
    run_example("binary100.py", "two", 1)
    printed = capsys.readouterr().out
    assert "dense 1, sigmoid" in printed
    assert re.search(r"^test auroc [01]\.\d{3}, ", printed, re.M)


def test_filters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The maps are those of SciPy on the grey picture, as their printed extremes show; their folder is made."""
    rgb = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(here / "city.png")
    run_example("filters.py", "city.png", "made/maps")
    grey = rgb @ [0.2989, 0.5870, 0.1140]
    printed = capsys.readouterr().out
    for name, rows in {"blur": [[0, 1, 0], [1, 1, 1], [0, 1, 0]], "edge": [[0, 1, 0], [1, -4, 1], [0, 1, 0]]}.items():
        wanted = convolve(grey, np.array(rows, float), mode="mirror")
        assert f"{name}: (20, 30), from {wanted.min():.1f} to {wanted.max():.1f}" in printed
        assert image.imread(here / f"made/maps/{name}.png").shape == (20, 30, 4)


def test_own_network(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network written as a line is counted, run and trained."""
    few_digits(monkeypatch, 200)
    run_example("own_network.py", 1)
    printed = capsys.readouterr().out
    assert "one picture in, out come 10 numbers" in printed
    assert re.search(r"conv1 +240 parameters", printed)  # 24 filters of 3×3 weights and a bias
    assert (here / "runs/own-network/report.html").is_file()


def test_draw_shapes(here: Path) -> None:
    """Three classes, and the two files that a training has to leave out."""
    run_example("draw_shapes.py", "pictures", 2, 24)
    names = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    drawn = {f"pictures/shapes/{kind}/00{n}.png" for kind in ("circle", "square", "triangle") for n in (0, 1)}
    new = {f"pictures/new/picture-{n}.png" for n in range(4)}
    assert names == drawn | new | {"pictures/shapes/circle/notes.txt", "pictures/shapes/square/broken.png"}
    assert image.imread(here / "pictures/new/picture-0.png").shape == (24, 24)


def test_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole idea in one file learns digits, and its worked-out step is what torch computes."""
    run_example("one_file.py", 2)
    printed = capsys.readouterr().out
    score = re.search(r"^test accuracy ([\d.]+) % \[([\d.]+), ([\d.]+)\], n = 359", printed, re.M)
    assert score is not None
    value, low, high = map(float, score.groups())
    assert 80 < low < value < high <= 100
    step = re.search(r"= (-?[\d.]+); torch says (-?[\d.]+)$", printed, re.M)
    assert step is not None
    assert float(step[1]) == pytest.approx(float(step[2]), abs=2e-4)


def test_self_driving(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log is joined with its frames, parts follow each other in time, a mirrored frame has the opposite angle, and
    what is printed is the run's score."""
    draw_drive(here, 40)
    run_example("self_driving.py", "IMG", "driving_log.csv", 2)
    printed, run = capsys.readouterr().out, here / "runs/driving"
    assert f"rmse {scores_of(run)['rmse']['value']:.3f};" in printed
    assert re.search(r"^the value before: rmse \d\.\d{3}$", printed, re.M)
    with (run / "data.csv").open(encoding="utf-8") as file:
        parts = [row["part"] for row in sorted(csv.DictReader(file), key=lambda row: row["path"]) if row["part"]]
    assert parts == sorted(parts, key=["train", "validation", "test"].index)
    task = striate.load(run).task
    assert task.classes == task.negated == ("steering",)


def test_find_objects(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Most drawn shapes are found where they are and under their name; the COCO file holds them, and all are drawn."""
    record = json.loads((draw_shapes(here / "shapes", 16) / "all.json").read_text())
    run_example("find_objects.py", "shapes", "shapes", 25)
    said = json.loads((here / "found/objects.json").read_text())
    names = [{kind["id"]: kind["name"] for kind in one["categories"]} for one in (record, said)]
    files = {one["file_name"].rpartition("/")[2]: one["id"] for one in said["images"]}
    assert set(files) == {one["file_name"] for one in record["images"]}
    found = 0
    for true in record["annotations"]:
        place = files[record["images"][true["image_id"]]["file_name"]]
        alike = [
            one["bbox"]
            for one in said["annotations"]
            if one["image_id"] == place and names[1][one["category_id"]] == names[0][true["category_id"]]
        ]
        corners = [np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], float) for boxes in ([true["bbox"]], alike)]
        found += bool(alike) and overlaps(*corners).max() > 0.5
    assert found > 0.7 * len(record["annotations"])
    drawn, picture = (image.imread(place) for place in (here / "found/00.png", here / "shapes/00.png"))
    assert drawn.shape[0] / drawn.shape[1] == picture.shape[0] / picture.shape[1]
    assert re.search(r"^mAP50 [01]\.\d{3} \[", capsys.readouterr().out, re.M)


def test_outline_lesions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The masks written are nearly the drawn ones, and the outline is drawn on every picture."""
    draw_lesions(here / "lesions", 16)
    run_example("outline_lesions.py", "lesions", "lesions/images", 10)
    masks = [
        [np.asarray(Image.open(place / f"{number:02}.png")) > 0 for number in range(16)]
        for place in (here / "lesions/masks", here / "outlined/masks")
    ]
    truth, said = map(np.array, masks)
    assert 2 * (truth & said).sum() / (truth.sum() + said.sum()) > 0.9
    for number in range(16):
        drawn = np.asarray(Image.open(here / f"outlined/{number:02}.png").convert("RGB"))
        assert (np.ptp(drawn, axis=2) > 30).any()  # a colour on a grey picture
    score = scores_of(here / "runs/lesions")["dice"]
    assert f"Dice {score['value']:.3f} [" in capsys.readouterr().out


def test_skin_lesions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All pictures of a lesion are in one part, and a line for every kind says what the run's score says."""
    draw_skin(here, {"nv": 20, "mel": 8, "df": 8})
    run_example("skin_lesions.py", "pictures", "metadata.csv", 2)
    parts: dict[str, set[str]] = {}
    with (here / "runs/skin/data.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            parts.setdefault(row["group"], set()).add(row["part"])
    assert len(parts) == 36
    assert all(len(part) == 1 for part in parts.values())
    printed, score = capsys.readouterr().out, scores_of(here / "runs/skin")["per_class"]
    for kind, name in {"nv": "mole", "mel": "melanoma", "df": "dermatofibroma"}.items():
        recall, n = score[kind]["recall"]["value"], score[kind]["n"]
        assert re.search(rf"^{name} +{100 * recall:.0f} % of {n} \(95", printed, re.M)


def test_chest_xray(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell of several findings is several labels; each has its threshold, and its line agrees with the run."""
    draw_chests(here, 24)
    run_example("chest_xray.py", "pictures", "findings.csv", 2)
    printed, score = capsys.readouterr().out, scores_of(here / "runs/chest")
    assert set(score["per_class"]) == {"Effusion", "Mass", "No Finding"}
    task = striate.load(here / "runs/chest").task
    assert task.name == "multilabel"
    for (name, one), threshold in zip(score["per_class"].items(), task.thresholds, strict=True):
        assert re.search(rf"^{name} +{one['n']} .* {threshold:.2f} ", printed, re.M)


def test_pneumonia(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The parts of the file are kept, sensitivity is the share of the ill that are found, and the evidence is drawn."""
    draw_xrays(here / "xrays.npz", {"train": 45, "val": 9, "test": 12})
    run_example("pneumonia.py", "xrays.npz", 2)
    printed, score = capsys.readouterr().out, scores_of(here / "runs/pneumonia")
    assert score["n"] == 12
    confusion = np.array(score["confusion"])
    assert f"of the ill {100 * confusion[1, 1] / confusion[1].sum():.0f} % are found" in printed
    assert np.ptp(image.imread(here / "pneumonia.png")[..., :3]) > 0


def test_deep_networks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names say how many layers have weights, the sizes are those published, and a network of the list is trained."""
    save_stripes(here / "two", {"no": 0.0, "yes": 1.5}, 4, 32)
    run_example("deep_networks.py", "two", "resnet18", 32, 1)
    printed = capsys.readouterr().out
    found = {name: (int(deep), int(many.replace(",", ""))) for name, deep, many in re.findall(
        r"^(\w+) +(\d+) layers, +([\d,]+) parameters$", printed, re.M
    )}  # fmt: skip
    assert all(name.endswith(str(deep)) for name, (deep, _) in found.items())
    assert found["vgg16"][1] == 138_357_544  # as Simonyan and Zisserman's paper says, 138 million
    assert found["resnet152"][1] == pytest.approx(60.19e6, rel=1e-3)
    assert re.search(r"^resnet18: test accuracy [01]\.\d{3} \[", printed, re.M)


def test_pretrained(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights from a file are those that answer: the class and its logit are those of the network itself, and so are
    those on the page."""
    shown: list = []
    made = runpy.run_path(str(EXAMPLES / "pretrained.py"))
    torch.manual_seed(0)
    network = made["resnet18"](5).eval()
    names = list(network.state_dict())
    assert len(names) == 122  # of torchvision's file, with the counts of its 20 norms
    assert {"conv1.weight", "layer1.0.bn2.running_var", "layer4.0.downsample.0.weight", "fc.bias"} <= set(names)
    torch.save(network.state_dict(), here / "weights.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(here / "picture.png")
    monkeypatch.setattr(Server, "serve_forever", lambda self: shown.append(self.answer))
    monkeypatch.setenv("BROWSER", "")
    run_example("pretrained.py", "weights.pth", "picture.png", "--page")
    x = (torch.from_numpy(pixels / 255).float() - torch.tensor(made["MEAN"])) / torch.tensor(made["STD"])
    with torch.no_grad():
        logits = network(x.permute(2, 0, 1)[None])[0]
    printed = re.search(r"class (\d), with a logit of (-?\d+\.\d+)$", capsys.readouterr().out, re.M)
    assert int(printed[1]) == int(logits.argmax())
    assert float(printed[2]) == pytest.approx(float(logits.max()), abs=2e-3)
    with Image.open(here / "heatmap.png") as drawn:
        assert drawn.width == 848
    glass = shown[0].__self__
    told = json.loads(glass.answer(asked("api", "trace", glass.given[0])).body)
    seen = {one["class"]: one["logit"] for one in told["predictions"]}
    assert [seen[number] for number in range(5)] == pytest.approx(logits.tolist(), abs=2e-3)


def test_fine_tune(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second training of the few begins with the network of the many, and both are scored."""
    save_stripes(here / "common", {"flat": 0.0, "tilted": 0.7, "steep": 1.5}, 8, 16)
    save_stripes(here / "rare", {"left": 0.4, "right": 1.1}, 8, 16)
    run_example("fine_tune.py", "common", "rare", 1)
    printed = capsys.readouterr()
    assert len(re.findall(r"^from-(nothing|common) +test accuracy [01]\.\d{3} \[", printed.out, re.M)) == 2
    file = re.escape(str(here / "runs/common/model.safetensors"))
    assert re.search(f"^Weights   [0-9]+ of [0-9]+ layers as in {file}; from dense1 on at random$", printed.err, re.M)


def test_layer_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sheet of the network, and one of every layer that has maps, with the numbers that `Model.look` gives."""
    save_stripes(here / "two", {"no": 0.0, "yes": 1.5}, 3, 16)
    line = "conv 4 3, relu, maxpool 2, flatten, dense classes"
    striate.train(here / "two", network=line, epochs=1, name="two", quiet=True, augment="none")
    run_example("layer_pictures.py", "runs/two", "two/no/0.png", "sheets")
    names = {path.name for path in (here / "sheets").iterdir()}
    assert names == {"network.png", "00-conv1.png", "01-relu1.png", "02-maxpool1.png"}
    look = striate.load(here / "runs/two").look("two/no/0.png")
    assert look.table("conv1") in capsys.readouterr().out
    assert look.maps("conv1").shape == (4, 16, 16)


def test_time_series(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fast waves are told from slow ones on the archive's own test part, and the evidence is drawn along the series."""
    write_ucr(here / "Waves", train=20, test=10)
    run_example("time_series.py", "Waves", 8)
    printed, score = capsys.readouterr().out, scores_of(here / "runs/series")
    assert score["n"] == 20
    assert score["accuracy"]["value"] >= 0.9
    assert re.search(r"^the first is fast; said is (fast|slow), \d+ % sure$", printed, re.M)
    place = re.search(r"^most evidence around place (\d+) of 40$", printed, re.M)
    assert 0 <= int(place[1]) < 40
    assert len(np.unique(image.imread(here / "series.png").reshape(-1, 4), axis=0)) > 20


def test_characters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Texts are told apart by the one word that says it, and marks stand below their letters."""
    draw_texts(here / "texts.csv", 120)
    run_example("characters.py", "texts.csv", 12)
    printed = capsys.readouterr().out
    assert scores_of(here / "runs/texts")["accuracy"]["value"] > 0.8
    lines = printed.splitlines()
    with (here / "texts.csv").open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:3]
    for text in texts:
        marks = lines[lines.index(text) + 1]
        assert len(marks) == len(text)
        assert "#" in marks
        assert set(marks) <= set(" .:*#")
