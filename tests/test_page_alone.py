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
from striate.inside.trace import Explanation, Trace
from striate.tasks.multilabel import Multilabel
from striate.tasks.regression import Regression
from striate.tasks.segmentation import Segmentation

HELD = re.compile(r"Held against torch just now: within (\S+)\.")

EXPLAINED = """async ([pixels, shares]) => {
  const { compute } = await import("striate/graph.js");
  const { explained, layersOf } = await import("striate/arithmetic.js");
  const model = JSON.parse(document.getElementById("model").textContent);
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  for (const one of Object.values(model.constants)) if (typeof one.data === "string") one.data = floats(one.data);
  const { height, width, channels } = model.shape;
  const pictures = { dims: [1, height, width, channels], data: Float32Array.from(pixels) };
  const values = compute(model.nodes, model.constants, { pictures }), layers = layersOf(model, values);
  return layers.flatMap(({ name, output_shape: sizes }, index) => shares.map((share) => {
    const at = [...sizes, 1, 1].slice(0, 3).map((size, axis) => Math.floor(share[axis] * size));
    return { name, at: at.slice(0, sizes.length), ...explained(model, values, layers, index, ...at) };
  }));
}"""
UNKNOWN = {"groupnorm", "softmax", "skip"}  # to the page's arithmetic


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
        expect(page.locator("details[open] > .atlas")).to_have_count(TINY.count(",") + 1)
        assert faults(page) == page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []


def test_the_arithmetic_is_that_of_a_trace(browser: Browser, tmp_path: Path) -> None:
    """For numbers of every layer: what is added up, in order and size, what follows, and what is seen before it."""
    random = np.random.default_rng(2)
    pixels, shares = random.integers(0, 256, (13, 18, 1), np.uint8), [[0, 0, 0], *random.random((3, 3)).tolist()]
    with visit(browser, page_of(model_of(LAYERS["valid"], GREY), tmp_path)) as page:
        for line in LAYERS.values():
            model = model_of(line, GREY, mirror=True)
            page.goto(page_of(model, tmp_path))
            page.get_by_text("Held against torch").wait_for()
            trace = model.look(pixels).trace
            for one in page.evaluate(EXPLAINED, [pixels.ravel().tolist(), shares]):
                same_explanation(one, trace, line)


def same_explanation(one: dict, trace: Trace, line: str) -> None:
    named = {layer.name.removesuffix(".add").removesuffix(".cat"): layer.name for layer in trace.layers}
    known, place = named[one["name"]], one["at"][1:] or one["at"]
    following = trace.chain(known, *one["at"])
    assert len(one["chain"]) == len(following) or not UNKNOWN.isdisjoint(re.findall("[a-z]+", line))
    for mine, theirs in zip(one["chain"], following, strict=False):
        assert (named[mine["name"]], tuple(mine["at"])) == (theirs.name, theirs.at)
        assert mine["stored"] == pytest.approx(theirs.stored, rel=1e-5, abs=1e-5)
        assert mine["available"] == (mine["kind"] not in UNKNOWN)
        if mine["available"]:
            same_arithmetic(mine, theirs)
    assert tuple(one["picture_box"]) == trace.field(known, *place)
    boxes = {trace.layers[layer].name: list(box) for layer, box in trace.lineage(known, *place) if layer >= 0}
    for step in one["lineage"][1:]:
        assert boxes[named[step["name"]]] in (step["box"], [])  # which a vector has none of


def same_arithmetic(mine: dict, theirs: Explanation) -> None:
    assert (mine["rule"], mine["agrees"], mine.get("divisor")) == (theirs.rule, True, theirs.divisor)
    assert mine["value"] == pytest.approx(theirs.value, rel=1e-5, abs=1e-5)
    for term, other in zip(mine["terms"], theirs.terms, strict=True):
        assert (term["channel"], tuple(term["origin"])[-len(other.origin) :]) == (other.channel, other.origin)
        assert term["value"] == pytest.approx(other.value, rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(np.ravel(term["patch"]), np.ravel(other.patch), 1e-5, 1e-5)
        if other.kernel is not None:
            np.testing.assert_allclose(np.ravel(term["kernel"]), np.ravel(other.kernel), atol=1e-6)


def test_a_click_on_a_map_shows_its_arithmetic(browser: Browser, tmp_path: Path) -> None:
    """Patch times filter plus bias, by hand in NumPy; keys go on, steps lead elsewhere, another picture is followed."""
    model = model_of("conv 5 3, relu, maxpool 2, flatten, dense classes", COLOUR, mirror=True)
    random = np.random.default_rng(4)
    pictures = random.integers(0, 256, (2, 16, 16, 3), np.uint8)
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    weight, bias = (one.detach().double().numpy() for one in model.network[0].parameters())

    def by_hand(pixels: np.ndarray, channel: int, y: int, x: int) -> list[float]:
        each = model.preparation
        shares = (pixels - np.array(each.low)) / (np.array(each.high) - each.low)
        x0 = np.pad((shares - each.mean) / each.std, ((1, 1), (1, 1), (0, 0))).transpose(2, 0, 1)
        shares = (x0[:, y : y + 3, x : x + 3] * weight[channel]).sum((1, 2))
        return [*sorted(shares, key=abs, reverse=True), bias[channel], shares.sum() + bias[channel]]

    with visit(browser, page_of(model, tmp_path)) as page:
        page.locator("input[type=file]").set_input_files(tmp_path / "0.png")
        maps, ledger = page.get_by_label("Maps of conv1", exact=True), page.locator(".ledger")
        expect(page.get_by_text("Filters of the first convolution: 5 of 3 × 3")).to_be_visible()
        expect(ledger).to_have_count(0)
        maps.click(position={"x": 5 + 54 + 3 * 7 + 1, "y": 5 + 3 * 15 + 1})
        expect(ledger.locator("h2")).to_have_text("Layer conv1, channel 1, row 15, column 7")

        def shown() -> list[float]:
            figures = ledger.locator(".step").first.locator(".terms > tbody > tr > .figure data")
            return [float(one.get_attribute("value")) for one in figures.all()]

        assert shown() == pytest.approx(by_hand(pictures[0], 1, 15, 7), abs=1e-5)
        expect(ledger.locator(".checksum.good")).to_have_count(3)
        assert ledger.locator(".detail td.padding").count() == 2 * 3  # below the map, in the patch and its products
        maps.press("ArrowUp")
        expect(ledger.locator("h2")).to_contain_text("row 14, column 7")
        page.locator("input[type=file]").set_input_files(tmp_path / "1.png")
        expect(page.locator("#answers h2")).to_have_text(["1.png", "0.png"])
        assert shown() == pytest.approx(by_hand(pictures[1], 1, 14, 7), abs=1e-5)
        ledger.get_by_role("button", name="maxpool1", exact=True).click()
        expect(page.locator("details", has=maps).locator(".ledger")).to_have_count(0)
        expect(ledger.locator("h2")).to_have_text("Layer maxpool1, channel 1, row 7, column 3")
        page.keyboard.press("Escape")
        expect(page.get_by_label("Maps of maxpool1", exact=True)).to_be_focused()
        page.get_by_label("Maps of dense1", exact=True).press("Home")
        expect(ledger.locator("h2")).to_have_text("Layer dense1, channel 0 (a)")
        assert faults(page) == page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []


def test_of_many_layers_the_convolutions_are_open(browser: Browser, tmp_path: Path) -> None:
    """The others open with a click on their names; a cell of a rim of zeros sees nothing; layers without arithmetic."""
    line = f"conv 4 4, groupnorm 2, relu, {'conv 4 3, relu, ' * 6}globalavgpool, dense classes"
    with visit(browser, page_of(model_of(line, COLOUR), tmp_path)) as page:
        Image.new("RGB", (16, 16), "red").save(tmp_path / "red.png")
        page.locator("input[type=file]").set_input_files(tmp_path / "red.png")
        expect(page.locator("details[open] h3")).to_have_text([re.compile(f"^conv{n}: 4 maps") for n in range(1, 8)])
        for name, text in (
            ("conv1_pad", "Sees nothing of the picture"),
            ("groupnorm1", "has no arithmetic of groupnorm"),
        ):
            page.get_by_text(f"{name}: ").click()
            page.get_by_label(f"Maps of {name}", exact=True).press("Home")
            expect(page.locator(".ledger")).to_contain_text(text)


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
