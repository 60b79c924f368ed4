"""Every example does what it says, on small pictures drawn here."""

import contextlib
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_boxes import draw_shapes
from matplotlib import image
from PIL import Image
from scipy.ndimage import convolve

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_example(name: str, *arguments: object) -> None:
    """Run it as `python NAME ARGUMENTS` would, in this process, so that torch is imported once."""
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, sys, "argv", sys.argv)
        sys.argv = [name, *map(str, arguments)]
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")


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


def test_digits(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The digits are learned from arrays, and the model read back from its file names one of them."""
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


def test_find_objects(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From boxes in COCO's form to scores and pictures with boxes drawn on them."""
    draw_shapes(here / "shapes", 8)
    run_example("find_objects.py", "shapes", 1)
    printed = capsys.readouterr().out
    assert re.search(r"^mAP50 [01]\.\d{3}, 95 % interval [01]\.\d{3} to [01]\.\d{3}$", printed, re.M)
    assert list((here / "runs/train/drawn").glob("*.png"))


def test_filters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The maps are those of SciPy on the grey picture, as their printed extremes show."""
    rgb = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(here / "city.png")
    run_example("filters.py", "city.png")
    grey = rgb @ [0.2989, 0.5870, 0.1140]
    printed = capsys.readouterr().out
    for name, rows in {"blur": [[0, 1, 0], [1, 1, 1], [0, 1, 0]], "edge": [[0, 1, 0], [1, -4, 1], [0, 1, 0]]}.items():
        wanted = convolve(grey, np.array(rows, float), mode="mirror")
        assert f"{name}: (20, 30), from {wanted.min():.1f} to {wanted.max():.1f}" in printed
        assert image.imread(here / f"{name}.png").shape == (20, 30, 4)


def test_own_network(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network written as a line is counted, run and trained."""
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
