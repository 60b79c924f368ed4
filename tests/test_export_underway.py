"""Pictures on their way to a model: begun before anyone waits for them, by what the model file says, and as ever."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_folder
from PIL import Image

from striate.cli import main
from striate.data.decode import decode, read
from striate.data.header import Pick
from striate.data.prepare import Preparation, Shape, fit
from striate.errors import StriateError
from striate.evaluate.named import warnings
from striate.export.model import Model, load_model
from striate.export.underway import MODEL_FILE, Underway, ask
from striate.network.build import build
from striate.tasks.classification import Classification

LINE = "conv 4 3, batchnorm, relu, globalmaxpool, dense classes"


def saved(folder: Path, side: int = 8) -> Path:
    """A model file with random weights for grey pictures."""
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    preparation = Preparation(shape=Shape(height=side, width=side, channels=1), **figures)
    task, about = Classification(("a", "b", "c")), {"majority": "a"}
    Model(build(LINE, (1, side, side), 3), task, preparation, about=about).save(folder / MODEL_FILE)
    return folder


def test_the_answers_are_those_of_predict(tmp_path: Path) -> None:
    """Names, order, answers and reasons, with a file among them that is no picture."""
    pictures, place = draw_folder(tmp_path / "pictures", {"a": 5, "b": 7}), saved(tmp_path)
    (pictures / "broken.png").write_bytes(b"no picture")
    model = load_model(place)
    with ask(place, str(pictures), 2) as asked:
        assert isinstance(asked, Underway)
        assert list(model.predict_each(asked)) == model.predict(str(pictures))


def test_pictures_of_another_depth_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same picture in 8 and in 16 bits need not be the same to a model: the terminal and an evaluation say so."""
    pictures, place = draw_folder(tmp_path / "pictures", {"a": 2, "b": 1}), saved(tmp_path)
    assert main(["predict", str(place), str(pictures)]) == 0
    assert "Mind" not in capsys.readouterr().err
    model = load_model(place)
    assert model.evaluate(pictures)["note"] == ""
    for name in ("a/deep.png", "b/deep.png"):
        Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(pictures / name)
    assert main(["predict", str(place), str(pictures)]) == 0
    said = "2 pictures of another depth brought to the model's uint8 by the range of the type"
    assert f"Mind      {said}" in capsys.readouterr().err
    notes = [one.note for one in model.predict([pictures / "a/deep.png", pictures / "a/00.png"])]
    assert notes == [f"A picture{model.evaluate(pictures)['note'].removeprefix('2 pictures')}", ""]
    assert [one.startswith(said) for one in warnings({"test": model.evaluate(pictures)})] == [True]


def test_it_begins_before_it_is_waited_for(tmp_path: Path) -> None:
    """The walk through what is asked for is over before the first answer is taken."""
    seen: list[str] = []

    def named() -> object:
        for number in range(40):
            seen.append(str(number))
            yield str(number), np.full((8, 8), number, np.uint8)

    underway = Underway(named(), Shape(height=8, width=8, channels=1), 2)
    assert len(seen) == 40
    assert [int(loaded.picture[0, 0, 0]) for _, _, loaded in underway] == list(range(40))


def test_it_ends_at_once_when_it_is_left(tmp_path: Path) -> None:
    """What waits is given up, as after Ctrl-C or a model that cannot be read."""
    pictures, place = draw_folder(tmp_path / "pictures", {"a": 100}), saved(tmp_path)
    begun = time.monotonic()
    with ask(place, [str(pictures)] * 100, 1):
        pass
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("content", [b"", b"x" * 100, (8).to_bytes(8, "little") + b"{}      "])
def test_what_is_no_model_is_left_to_the_loader(tmp_path: Path, content: bytes) -> None:
    """The sources come back as they are, and loading says what is wrong."""
    (tmp_path / MODEL_FILE).write_bytes(content)
    with ask(tmp_path, ["a.png"], 1) as asked:
        assert asked == ["a.png"]
    with pytest.raises(StriateError, match="a model file is"):
        load_model(tmp_path)


def test_a_model_that_was_replaced_meanwhile_is_refused(tmp_path: Path) -> None:
    """Pictures prepared for another size would get answers, and wrong ones."""
    pictures = draw_folder(tmp_path / "pictures", {"a": 1})
    with ask(saved(tmp_path), str(pictures), 1) as asked, pytest.raises(StriateError, match="stays as it is"):
        list(load_model(saved(tmp_path, 16)).predict_each(asked))


def test_it_knows_no_torch() -> None:
    """Or it could not begin before torch is there."""
    code = "import sys, striate.export.underway; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_picture_resized_before_it_is_copied_has_the_same_numbers(
    tmp_path: Path, mode: str, kind: str, orientation: int
) -> None:
    """Against decoding, then fitting: every mode that a format can hold, turned or not, stretched or mirrored."""
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, 4), dtype=np.uint8)
    image, exif, path = Image.fromarray(noise, "RGBA").convert("RGB").convert(mode), Image.Exif(), tmp_path / "one"
    exif[274] = orientation
    try:
        image.save(path, kind, **({} if kind == "BMP" else {"exif": exif}))
    except OSError:
        pytest.skip(f"{kind} holds no {mode}")
    for channels in (1, 3):
        for mirrored in (False, True):
            shape = Shape(height=20, width=16, channels=channels, mirrored=mirrored)
            pixels, header = read(path, 0, Pick(), shape)
            assert np.array_equal(fit(pixels, shape), fit(decode(path), shape))
            assert (header.height, header.width) == ((37, 53) if orientation == 1 else (53, 37)) or kind == "BMP"
