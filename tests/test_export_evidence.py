"""Heatmaps of a model: in its names and the picture's form, judged, and written as files that say what they show."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import picture
from PIL import Image

from striate.cli import main
from striate.data.prepare import Preparation, Shape
from striate.data.shown import with_heat
from striate.draw.canvas import MARGIN, Canvas
from striate.errors import StriateError, say
from striate.export.model import Model
from striate.inside.heatmap import enlarge, heatmap
from striate.inside.trust import trust
from striate.network.build import build
from striate.tasks.classification import Classification

MAPS = "conv 4 3, relu, globalavgpool, dense classes"
ONE = picture(1, 4)


def make_model(line: str = MAPS, form: str = "picture") -> Model:
    """A model with random weights for 8×8 grey pictures, or series of 8."""
    shape = Shape(
        height=8 if form == "picture" else 1,
        width=8,
        channels=1,
        depth="uint8" if form == "picture" else "float32",
        form=form,
    )
    preparation = Preparation(shape=shape, low=(0.0,), high=(255.0,), mean=(0.4,), std=(0.25,))
    return Model(build(line, shape.seen, 3, seed=3).eval(), Classification(("no", "a/b", "7")), preparation)


def tensor(model: Model) -> torch.Tensor:
    """The picture ONE as the network takes it."""
    return torch.from_numpy(model.look(ONE).trace.picture)


def test_the_difference_of_two_classes_is_asked_for_by_name() -> None:
    """As with the numbers of the outputs; a name that the model does not have is refused, wherever it stands."""
    model = make_model()
    found, wanted = model.heatmap(ONE, 7, versus="a/b"), heatmap(model.network, tensor(model), score=2, versus=1)
    np.testing.assert_array_equal(found.map, wanted.map)
    assert (found.score, found.target) == (wanted.score, "7 minus a/b")
    with pytest.raises(StriateError, match=r"one of the outputs\. received: d"):
        model.heatmap(ONE, "no", versus="d")


def test_a_models_trust_is_that_of_its_network() -> None:
    """The numbers are those of `trust` on the bare network; the verdict has the name of the class."""
    model = make_model()
    x = tensor(model)
    found, wanted = model.trust(model.heatmap(ONE, "7")), trust(model.network, x, heatmap(model.network, x, score=2))
    assert (found.correlation, found.areas) == (wanted.correlation, wanted.areas)
    assert found.verdict == wanted.verdict.replace("class 2", "7") != wanted.verdict


@pytest.mark.parametrize("form", ["picture", "series"])
def test_a_saved_heatmap_is_the_map_on_its_picture(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dots are those of a report, grown; the legend goes to the largest value that is drawn."""
    legends, paint = [], Canvas.legend
    monkeypatch.setattr(Canvas, "legend", lambda self, scale, x, y: (legends.append(scale), paint(self, scale, x, y)))
    model, one = make_model(form=form), ONE if form == "picture" else np.linspace(0, 200, 8, dtype=np.float32)
    heat, stored, values = model.heatmap(one, "no"), model.look(one).stored, []
    heat.save(tmp_path / "map.png")

    def grown(size: tuple[int, ...]) -> np.ndarray:
        values.append(enlarge(heat.map, size))
        return values[-1]

    drawn = with_heat(stored, grown, model.preparation.shape, signed=True)
    wide, high = 800, round(800 * drawn.shape[0] / drawn.shape[1])
    rows, columns = (np.arange(n) * side // n for n, side in zip((high, wide), drawn.shape, strict=False))
    dots = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert np.array_equal(dots[MARGIN : MARGIN + high, MARGIN : MARGIN + wide], drawn[rows][:, columns])
    assert legends[0].high == -legends[0].low == np.abs(values[-1]).max() > 0
    assert len(dots) > high + 100  # where legend and words are


def test_look_explains_and_judges_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The usual heatmap is a file beside the sheet, told with its score and layer; any other by name, and judged."""
    model, words = make_model(), ["look", str(tmp_path / "model.safetensors"), str(tmp_path / "one.png")]
    model.save(tmp_path / "model.safetensors")
    Image.fromarray(ONE).save(tmp_path / "one.png")
    assert main([*words, "--out", str(tmp_path / "a")]) == 0
    heat, told = model.heatmap(ONE), capsys.readouterr().out
    assert f"Evidence for {heat.target} (score {say(heat.score)}), by HiResCAM at relu1:" in told
    assert "--explain CLASS also judges" in told
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "one-hirescam.png",
        "one-network.png",
        "one-network.txt",
    }
    asked = [
        "--explain",
        "a/b",
        "--versus",
        "7",
        "--method",
        "layercam",
        "--layer",
        "conv1",
        "--out",
        str(tmp_path / "b"),
    ]
    assert main([*words, *asked]) == 0
    told = capsys.readouterr().out
    assert "Evidence for a/b minus 7" in told
    assert model.trust(model.heatmap(ONE, "a/b", "layercam", versus="7", layer="conv1")).verdict in told
    assert heatmap(model.network, tensor(model), "layercam").warning in told
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        "one-layercam-a-b-7.png",
        "one-conv1.png",
        "one-conv1.txt",
    }
    slips = ["--explain", "d"], ["--method", "gradcamm"], ["--method", "occlusion", "--layer", "conv1"]
    for slip in (*slips, ["--explain", "7", "--versus", "7"]):
        assert main([*words, *slip, "--out", str(tmp_path / "c")]) == 2
    assert not (tmp_path / "c").exists()


def test_a_look_without_feature_maps_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Sheet and table are written, the missing heatmap is told with another method, and that method makes one."""
    make_model("flatten, dense 4, relu, dense classes").save(tmp_path / "model.safetensors")
    Image.fromarray(ONE).save(tmp_path / "one.png")
    words = ["look", str(tmp_path / "model.safetensors"), str(tmp_path / "one.png"), "--out", str(tmp_path)]
    assert main(words) == 0
    assert "no heatmap: a class activation map needs" in (told := capsys.readouterr().err)
    assert told.strip().endswith("what to do: try occlusion.")
    assert (tmp_path / "one-network.png").is_file()
    assert not list(tmp_path.glob("*hirescam*"))
    assert main([*words, "--method", "occlusion"]) == 0
    assert (tmp_path / "one-occlusion.png").is_file()
