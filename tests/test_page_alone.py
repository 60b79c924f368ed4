"""The exported page in a real browser, from a file and without a server: it answers as the model does."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import WIDER, Browser, expect, faults, visit
from drawn import TINY, draw_folder
from PIL import Image
from test_export_onnx import COLOUR, GREY, LAYERS, NAMES, model_of

import striate
from striate.cli import main
from striate.data.prepare import Shape
from striate.errors import StriateError
from striate.export.model import Model
from striate.tasks.multilabel import Multilabel
from striate.tasks.regression import Regression
from striate.tasks.segmentation import Segmentation

HELD = re.compile(r"Held against torch just now: within (\S+)\.")


def page_of(model: Model, tmp_path: Path) -> str:
    model.export(tmp_path / "page.html")
    return (tmp_path / "page.html").as_uri()


def test_every_layer_of_the_notation(browser: Browser, tmp_path: Path) -> None:
    """The page's own check against torch, of a picture of noise with an odd size, mirrored views and a temperature."""
    with visit(browser, page_of(model_of(LAYERS["valid"], GREY), tmp_path)) as page:
        for name, line in LAYERS.items():
            page.goto(page_of(model_of(line, GREY, mirror=True, temperature=0.7), tmp_path))
            held = HELD.search(page.get_by_text("Held against torch").inner_text())
            assert float(held[1].replace("−", "-")) < 1e-5, name


def test_a_browser_that_computes_something_else_is_not_trusted(browser: Browser, tmp_path: Path) -> None:
    """A weight that was changed after the page was written is noticed when the page is opened."""
    place = page_of(model_of(LAYERS["valid"], GREY), tmp_path)
    file = tmp_path / "page.html"
    text = file.read_text("utf-8")
    constants = json.loads(re.search(r'id="model">(.*?)</script>', text, re.S)[1])["constants"]
    weight = max((one["data"] for one in constants.values() if isinstance(one["data"], str)), key=len)
    zeros = base64.b64encode(bytes(len(base64.b64decode(weight)))).decode()
    file.write_text(text.replace(weight, zeros), "utf-8")
    with visit(browser, place) as page:
        expect(page.get_by_role("alert")).to_contain_text("something else than torch")


def test_a_browser_that_changes_pixels_is_not_trusted(browser: Browser, tmp_path: Path) -> None:
    """Protections against fingerprints add noise to what pages read of a canvas; its own picture tells the page."""
    context = browser.new_context()
    context.add_init_script("""
      const read = CanvasRenderingContext2D.prototype.getImageData;
      CanvasRenderingContext2D.prototype.getImageData = function (...given) {
        const image = read.apply(this, given);
        image.data[0] ^= 8;
        return image;
      };""")
    page = context.new_page()
    page.goto(page_of(model_of(LAYERS["valid"], COLOUR), tmp_path))
    expect(page.get_by_role("alert")).to_contain_text("changes the pixels that pages read")
    context.close()


@pytest.mark.usefixtures("quick")
def test_files_are_answered_as_by_predict(browser: Browser, tmp_path: Path) -> None:
    """A trained run's command; pictures of other sizes, in colour and half transparent, and a text, with their maps."""
    source = draw_folder(tmp_path / "pictures", {"across": 8, "down": 8})
    run = striate.train(source, network=TINY, epochs=2, quiet=True, workers=0, out=str(tmp_path)).folder
    assert main(["export", str(run), "--out", str(tmp_path / "page.html")]) == 0
    random = np.random.default_rng(0)
    files = [source / "across" / "00.png", *(tmp_path / f"{name}.png" for name in ("large", "small", "clear", "words"))]
    Image.fromarray(random.integers(0, 256, (301, 207, 3), np.uint8)).save(files[1])
    Image.fromarray(random.integers(0, 256, (5, 9), np.uint8)).save(files[2])
    Image.fromarray(random.integers(0, 256, (40, 30, 4), np.uint8)).save(files[3])
    files[4].write_text("hello")
    said = striate.load(run).predict(files)
    with visit(browser, (tmp_path / "page.html").as_uri()) as page:
        page.get_by_text("A model for classification: across, down.").wait_for()
        page.locator("input[type=file]").set_input_files(files)
        expect(page.locator("#answers > *")).to_have_count(5)
        for place, one in enumerate(said[:4]):
            card = page.locator("#answers > *").nth(4 - place)
            expect(card.locator("h2")).to_have_text(files[place].name)
            shown = [float(value.split()[0]) for value in card.locator(".bar-value").all_inner_texts()]
            assert shown == pytest.approx(sorted((100 * p for p in one.probabilities.values()), reverse=True), abs=0.3)
            expect(card.locator(".said")).to_contain_text(one.predicted)
        expect(page.locator("#answers > *").first).to_contain_text("cannot read it as a picture")
        expect(page.locator(".maps .atlas")).to_have_count(TINY.count("conv"))
        assert faults(page) == page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []


def test_answers_that_go_are_told(browser: Browser, tmp_path: Path) -> None:
    """Of one drop all answers stay, however many; when more come, twenty older ones do, and how many went is said."""
    files = [tmp_path / f"{number:02}.png" for number in range(22)]
    for file in files:
        Image.new("L", (9, 9), 50).save(file)
    with visit(browser, page_of(model_of(LAYERS["valid"], GREY), tmp_path)) as page:
        page.get_by_text("Held against torch").wait_for()
        names = page.locator("#answers h2")
        page.locator("input[type=file]").set_input_files(files)
        expect(names).to_have_text([file.name for file in reversed(files)])
        expect(page.get_by_text("no longer shown")).to_be_hidden()
        page.locator("input[type=file]").set_input_files(files[:2])
        expect(names).to_have_text(["01.png", "00.png", *(file.name for file in reversed(files[2:]))])
        expect(page.get_by_text("Earlier answers no longer shown: 2.")).to_be_visible()


def test_a_drawing_is_answered(browser: Browser, tmp_path: Path) -> None:
    """One stroke, then another: one card, and nothing to draw on for a network that sees colour."""
    with visit(browser, page_of(model_of(LAYERS["valid"], GREY), tmp_path)) as page:
        box = page.locator(".pad").bounding_box()
        for share in (0.3, 0.6):
            page.mouse.move(box["x"] + 20, box["y"] + share * box["height"])
            page.mouse.down()
            page.mouse.move(box["x"] + 120, box["y"] + share * box["height"], steps=4)
            page.mouse.up()
            expect(page.locator("#answers h2")).to_have_text("Drawing, as the network sees it")
    with visit(browser, page_of(model_of(LAYERS["valid"], COLOUR), tmp_path)) as page:
        page.get_by_text("Held against torch").wait_for()
        expect(page.locator(".pad")).to_have_count(0)


def test_labels_and_numbers(browser: Browser, tmp_path: Path) -> None:
    """Labels from their thresholds on; numbers in the user's units with their intervals, wider for a peaked column."""
    picture = tmp_path / "one.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)).save(picture)
    chances = model_of(LAYERS["norms"], COLOUR, Multilabel(NAMES)).predict([picture])[0].probabilities
    limits = tuple(chances[name] + (0.01 if name == "b" else -0.01) for name in NAMES)
    labels = model_of(LAYERS["norms"], COLOUR, Multilabel(NAMES, thresholds=limits))
    counts = replace(labels, task=Multilabel(("10", "9", "2"), thresholds=(0.0, 1.1, 0.0)))
    more = {"scales": (2.0, 9.0), "reach": (0.5, 1.5), "peaked": (0, 1)}
    numbers = model_of(LAYERS["norms"], COLOUR, Regression(("x", "angle"), centres=(3.0, 0.0), **more))
    with visit(browser, page_of(labels, tmp_path)) as page:
        page.locator("input[type=file]").set_input_files(picture)
        expect(page.locator(".said")).to_have_text("a; c")
    with visit(browser, page_of(counts, tmp_path)) as page:
        page.locator("input[type=file]").set_input_files(picture)
        expect(page.locator(".said")).to_have_text("2; 10")
    assert counts.task.say(counts.predict([picture])[0].answer) == "2; 10"
    (value, reach), (angle, wide) = numbers.predict([picture])[0].answer
    with visit(browser, page_of(numbers, tmp_path)) as page:
        page.locator("input[type=file]").set_input_files(picture)
        page.locator(".said").wait_for()
        shown = [text.replace("−", "-") for text in page.locator(".bar-value").all_inner_texts()]
    told = [[float(number) for number in re.findall(r"-?[\d.]+", text)] for text in shown]
    expected = [[value, value - reach, value + reach], [angle, angle - wide, angle + wide]]
    np.testing.assert_allclose(told, expected, rtol=2e-3)


@pytest.mark.parametrize(
    ("shape", "task"),
    [
        (Shape(height=16, width=16, channels=1, depth="uint16"), None),
        (Shape(height=16, width=16, channels=2), None),
        (Shape(height=1, width=40, channels=1, depth="float32", form="series"), None),
        (COLOUR, Segmentation(NAMES)),
        (Shape(height=16, width=16, channels=1, picked=(1,)), None),
        (Shape(height=16, width=16, channels=3, page=2), None),
        (Shape(height=16, width=16, channels=3, page="max"), None),
    ],
    ids=["16 bits", "two channels", "series", "masks", "one channel of a file", "one page of a file", "all pages"],
)
def test_what_a_browser_cannot_read_is_refused(shape: Shape, task: Segmentation | None, tmp_path: Path) -> None:
    """No page that would lose depth or channels, and the way that is open."""
    line = "conv 4 3, conv classes 1" if task else "conv 4 3, globalavgpool, dense classes"
    with pytest.raises(StriateError, match=r"\.onnx") as refusal, torch.random.fork_rng():
        model_of(line, shape, task).export(tmp_path / "page.html")
    assert str(refusal.value).count(shape.depth) <= 1
    assert not (tmp_path / "page.html").exists()


def test_too_many_weights_and_no_numbers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not open is not written: more than fits into a browser's string, and answers of NaN."""
    model = model_of(LAYERS["valid"], GREY)
    monkeypatch.setattr("striate.export.page.LARGEST", 100)
    with pytest.raises(StriateError, match=r"at most 0 MB of weights.*\.onnx"):
        model.export(tmp_path / "page.html")
    monkeypatch.undo()
    with torch.no_grad():
        next(model.network.parameters()).fill_(torch.nan)
    with pytest.raises(StriateError, match="finite numbers"):
        model.export(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("quick")
def test_the_name_is_that_of_the_run_or_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run by its folder, wherever the command is; a model that lies anywhere by the page, without another's score."""

    def named() -> tuple[str, dict | None]:
        text = (tmp_path / "mine.html").read_text("utf-8")
        told = json.loads(re.search(r'id="model">(.*?)</script>', text, re.S)[1])
        return told["name"], told["test"]

    source = draw_folder(tmp_path / "pictures", {"across": 8, "down": 8})
    run = striate.train(source, network=TINY, epochs=1, quiet=True, workers=0, out=str(tmp_path), name="cells").folder
    monkeypatch.chdir(run)
    striate.load(".").export(tmp_path / "mine.html")
    assert (named()[0], named()[1]["n"]) == ("cells", json.loads((run / "scores.json").read_text())["test"]["n"])
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "Downloads/scores.json").write_text('{"test": {"main": "accuracy"}}')
    (run / "model.safetensors").rename(tmp_path / "Downloads/model.safetensors")
    striate.load(tmp_path / "Downloads/model.safetensors").export(tmp_path / "mine.html")
    assert named() == ("mine", None)
