"""What the page draws: pictures of any number of channels, places that see nothing, filters by what they look at."""

from pathlib import Path

import numpy as np
import pytest
import torch
from browser import SETTLED, Browser, Page, expect, grid, page_of, visit
from test_page_fits import asked

from striate.data.prepare import Preparation, Shape
from striate.draw.pixels import visible
from striate.export.model import Model
from striate.network.build import build
from striate.tasks.task import make_task

PIXELS = """(canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""


def pixels(page: Page, selector: str) -> np.ndarray:
    """(24, 24, 3) of what stands on a canvas."""
    return np.array(page.locator(selector).evaluate(PIXELS)).reshape(24, 24, 4)[:, :, :3]


def saved(folder: Path, line: str, shape: Shape, shrink: float = 1.0) -> Path:
    """A model file with random weights for two classes; of the first layer all filters but one divided by `shrink`."""
    task = make_task("classification", {"classes": ("a", "b")})
    network = build(line, shape.seen, task.outputs, seed=3)
    if shrink > 1:
        with torch.no_grad():
            next(network.parameters())[1:] /= shrink
    ends = {"low": 0.0, "high": 255.0, "mean": 0.4, "std": 0.25}
    figures = Preparation(shape=shape, **{name: (value,) * shape.channels for name, value in ends.items()})
    Model(network.eval(), task, figures).save(folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_every_channel_of_a_picture_is_seen(browser: Browser, tmp_path: Path, channels: int) -> None:
    """See and Explain draw it as its thumbnail is drawn: each channel in its hue, so that none is black."""
    values = np.zeros((24, 24, channels), np.uint8)
    for channel in range(channels):
        values[3 * channel : 3 * channel + 6, 6:12, channel] = 255
        values[:, 16 + channel, channel] = 100
    np.save(tmp_path / "some.npy", values)
    words = asked(tmp_path, Shape(height=24, width=24, channels=channels), tmp_path / "some.npy")
    expected = visible(values) * np.ones(3)
    with page_of(*words) as address, visit(browser, address) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        assert np.abs(pixels(page, ".field-stage > canvas:first-child") - expected).max() <= 1
        page.goto(f"{page.url.split('#')[0]}#tab=explain&opacity=0")
        expect(page.locator(SETTLED["explain"])).to_be_visible()
        assert np.abs(pixels(page, ".explain-left .plane-canvas") - expected).max() <= 1


def test_a_number_of_padding_sees_nothing(browser: Browser, tmp_path: Path) -> None:
    """Under an even kernel the rim beside the picture has no rows and columns of it, and no box."""
    np.save(tmp_path / "some.npy", np.zeros((24, 24, 1), np.uint8))
    model = saved(tmp_path, "conv 3 4, relu, flatten, dense classes", Shape(height=24, width=24, channels=1))
    with page_of(model, tmp_path / "some.npy") as address, visit(browser, f"{address}#layer=0&y=26&x=26") as page:
        expect(page.locator(".ledger-head")).to_contain_text("Sees nothing of the picture")
        expect(page.locator(".field-panel")).to_contain_text("Possible field: nothing, this is padding.")
        expect(page.locator(".field-box")).to_be_hidden()
        page.goto(f"{page.url.split('#')[0]}#layer=1&y=23&x=23")
        expect(page.locator(".ledger-head")).to_contain_text("Sees rows 22–23, columns 22–23 of the picture")
        expect(page.locator(".field-box")).to_be_visible()


def test_fixed_filters_say_so_and_are_seen(browser: Browser, tmp_path: Path) -> None:
    """Those of `whiten` have very different strength: each has a range of its own until another one is chosen, so that
    the weakest are no grey squares; learned ones share the layer's."""
    np.save(tmp_path / "some.npy", np.zeros((24, 24, 3), np.uint8))
    shape = Shape(height=24, width=24, channels=3)
    model = saved(tmp_path, "whiten 3 3, conv 4 3, relu, flatten, dense classes", shape, shrink=300)
    spread = "all => all.map((one) => { const { data } = one.getContext('2d').getImageData(0, 0, 3, 3);"
    spread += "const seen = data.filter((_, i) => i % 4 < 3); return Math.max(...seen) - Math.min(...seen); })"
    with page_of(model, tmp_path / "some.npy") as address, visit(browser, f"{address}#tab=filters") as page:
        expect(page.get_by_role("heading", name="Filters that stay fixed")).to_be_visible()
        expect(page.locator("main")).to_contain_text("measured before the training")
        expect(page.get_by_label("Range")).to_have_value("each")
        tiles = page.locator(".filter-tiles canvas")
        assert min(tiles.evaluate_all(spread)) > 60
        page.get_by_label("Range").select_option("layer")
        expect(page.locator(".filters")).to_contain_text("full colour")
        assert min(tiles.evaluate_all(spread)) < 10
        page.get_by_label("Layer").select_option("1")
        expect(page.get_by_role("heading", name="Learned filters")).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("measured before")


def test_only_what_looks_at_colours_is_drawn_in_colours(browser: Browser, tmp_path: Path) -> None:
    """A series of three channels and a layer of three maps have planes, and no choice between the two."""
    np.save(tmp_path / "three.npy", np.zeros((1, 40, 3), np.float32))
    series = Shape(height=1, width=40, channels=3, depth="float32", form="series")
    grey = Shape(height=24, width=24, channels=1)
    for shape, line, layer in (
        (series, "conv 4 5, relu, flatten, dense classes", 0),
        (grey, "conv 3 3, relu, conv 5 3, relu, flatten, dense classes", 2),
    ):
        place = f"#tab=filters&layer={layer}"
        with page_of(saved(tmp_path, line, shape)) as address, visit(browser, address + place) as page:
            expect(page.locator(".filter-sheet .atlas canvas")).to_be_visible()
            expect(page.locator(".filter-tiles")).to_have_count(0)
            expect(page.get_by_role("group", name="Drawn as")).to_be_hidden()


def test_a_network_of_dense_layers_shows_its_templates(browser: Browser, tmp_path: Path) -> None:
    """Filters draws them as large as the picture, and Explain begins with a method that can answer."""
    np.save(tmp_path / "some.npy", np.arange(576, dtype=np.uint8).reshape(24, 24, 1))
    shape = Shape(height=24, width=24, channels=1)
    model = saved(tmp_path, "flatten, dense 4, relu, dense classes", shape)
    with page_of(model, tmp_path / "some.npy") as address, visit(browser, f"{address}#tab=filters") as page:
        expect(page.locator(".filters")).to_contain_text("4 × 1 × 24 × 24: 4 filters over 1 channel")
        page.get_by_role("tab", name="Explain").click()
        expect(page.locator(SETTLED["explain"]).first).to_be_visible()
        expect(page.get_by_label("Method")).to_have_value("occlusion")


def test_numbers_of_the_picture_are_told_as_in_the_file(browser: Browser, tmp_path: Path) -> None:
    """Ticked, the cells hold the file's own values, of the chosen channel; else what the network gets."""
    values = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    np.save(tmp_path / "some.npy", values)
    words = asked(tmp_path, Shape(height=24, width=24, channels=3), tmp_path / "some.npy")
    with page_of(*words) as address, visit(browser, f"{address}#layer=0&y=4&x=6") as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        cells = page.locator(".field-panel .numbers")
        expect(cells.locator("caption")).to_have_text("red, rows 7–11, columns 9–13")
        np.testing.assert_allclose(grid(cells), (values[7:12, 9:14, 0] / 255 - 0.4) / 0.25, atol=1e-5)
        page.get_by_label("values of the file").check()
        assert grid(cells) == values[7:12, 9:14, 0].tolist()
        page.get_by_role("button", name="blue").click()
        assert grid(cells) == values[7:12, 9:14, 2].tolist()


def test_the_chosen_number_stands_under_its_map(browser: Browser, tmp_path: Path) -> None:
    """So that a tap on a telephone, where nothing follows the finger, is answered in sight; with ≈ where the layer came
    in half precision, whose digits are not all right."""
    np.save(tmp_path / "some.npy", np.zeros((24, 24, 3), np.uint8))
    words = asked(tmp_path, Shape(height=24, width=24, channels=3), tmp_path / "some.npy")
    with page_of(*words) as address, visit(browser, f"{address}#layer=0&channel=1&y=4&x=6", width=390) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        told, exact = page.locator(".sweep-maps figure").last.locator(".spot"), page.locator(".ledger-head data")
        expect(told).to_have_text(f"row 4, column 6: {exact.inner_text()}")
        page.locator(".card", has_text="dense1").click()
        expect(page.locator(".ledger-head h2")).to_contain_text("Layer dense1")
        expect(told).to_have_text(exact.inner_text())
        script = """([value, dtype]) => import("/dom.js").then((dom) => dom.mapDigits(value, { dtype }))"""
        assert page.evaluate(script, [-0.09571, "float16"]) == "≈ −0.0957"
        assert page.evaluate(script, [-0.09571, "float32"]) == "−0.09571"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (
            "flatten, dense 2, relu, dense classes, scale 0.5, softmax",
            {"dense2": True, "relu1": False, "dense1": False},
        ),
        ("conv 2 3, relu, flatten, dense classes", {"dense1": True, "conv1": False}),
    ],
)
def test_classes_are_named_from_the_logits_on(
    browser: Browser, tmp_path: Path, line: str, named: dict[str, bool]
) -> None:
    """A factor and a softmax behind them leave each number with its class; a hidden layer as wide has no classes."""
    np.save(tmp_path / "some.npy", np.zeros((24, 24, 1), np.uint8))
    model = saved(tmp_path, line, Shape(height=24, width=24, channels=1))
    with page_of(model, tmp_path / "some.npy") as address, visit(browser, address) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        last = page.locator(".card").last.inner_text().split()[0]
        for layer, is_class in {**named, last: True}.items():
            page.locator(".card", has_text=layer).click()
            expect(page.locator(".ledger-head h2")).to_contain_text(f"Layer {layer}, channel 0")
            assert ("(a)" in page.locator(".ledger-head h2").inner_text()) == is_class, layer


def test_layers_of_an_ensemble_are_explained_together(browser: Browser, tmp_path: Path) -> None:
    """A choice of Explain is a layer of every member: its map and the bias add up to the score, as one member's cannot;
    and its maps in See are a click away."""
    np.save(tmp_path / "some.npy", np.random.default_rng(0).integers(0, 256, (24, 24, 1), dtype=np.uint8))
    line = "ensemble 2 (conv 4 3, relu, conv 5 3, relu, flatten, dense classes)"
    model = saved(tmp_path, line, Shape(height=24, width=24, channels=1))
    with page_of(model, tmp_path / "some.npy") as address, visit(browser, f"{address}#tab=explain") as page:
        expect(page.locator(SETTLED["explain"]).first).to_be_visible()
        total = page.locator("dt", has_text="Sum of the map").locator("+ dd data")
        usual = float(total.get_attribute("value"))
        layer = page.locator(".explain .field", has=page.get_by_text("Layer", exact=True)).get_by_role("combobox")
        assert [text.split()[0] for text in layer.locator("option").all_inner_texts()][1:] == [
            *("ensemble1.*.conv1", "ensemble1.*.relu1", "ensemble1.*.conv2", "ensemble1.*.relu2"),
        ]
        layer.select_option("ensemble1.*.relu2")
        expect(page.locator(".explain-facts")).to_contain_text("ensemble1.*.relu2")
        expect(page.locator(".explain-trust .note").first).to_be_visible()
        assert float(total.get_attribute("value")) == pytest.approx(usual, rel=1e-6)
        page.get_by_text("See this layer's maps").click()
        expect(page.locator(".ledger-head h2")).to_contain_text("ensemble1.1.relu2")
