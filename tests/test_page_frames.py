"""Volumes, series and groups on the page, in a real browser: the frames, places and channels are the network's."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from browser import Browser, Locator, Page, expect, faults, grid, number, page_of, visit
from drawn_series import write_ucr
from PIL import Image
from scipy.stats import spearmanr

from striate.data.prepare import Preparation, Shape
from striate.export.model import Model, load_model
from striate.inside.trace import trace
from striate.network.build import build
from striate.tasks.task import make_task

FRAMES, HEIGHT, WIDTH = 5, 12, 10
FILTERS = 80  # so many terms that the patches of the least are not sent with the rest
LINE = f"conv {FILTERS} 3, conv 4 3, relu, flatten, dense classes"


def untrained(file: Path, shape: Shape, line: str = LINE) -> Path:
    """A model file with random weights."""
    task = make_task("classification", {"classes": ("a", "b")})
    network = build(line, shape.seen, task.outputs, seed=3)
    figures = Preparation(shape=shape, low=(0.0,), high=(255.0,), mean=(0.4,), std=(0.25,))
    Model(network.eval(), task, figures).save(file)
    return file


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, tuple[Path, Path]]:
    """A stack, and the model of volumes and the file that show it."""
    place = tmp_path_factory.mktemp("frames")
    values = np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH), dtype=np.uint8)
    tifffile.imwrite(place / "stack.tif", values, photometric="minisblack")
    shape = Shape(height=HEIGHT, width=WIDTH, channels=1, form="volume", frames=FRAMES)
    model = untrained(place / "model.safetensors", shape)
    return values, (model, place / "stack.tif")


def at(page: Page, frame: int) -> np.ndarray:
    """The frame that is painted, once it is said which one it is."""
    expect(page.get_by_text(f"frame {frame} of {FRAMES}")).to_be_visible()
    return pixels_of(page.locator(".field-stage canvas").first)


def pixels_of(canvas: Locator) -> np.ndarray:
    address = canvas.evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L"), np.float64)


def test_a_volume_is_seen_frame_by_frame(browser: Browser, stack: tuple) -> None:
    """The middle frame first; the slider paints any other with its numbers, and the field where it reaches there."""
    values, words = stack
    with page_of(*words) as address, visit(browser, address) as page:
        expect(page.get_by_role("heading", name="frame 3, row 6, column 5")).to_be_visible()
        expect(page.get_by_text("Sees frames 2–4, rows 5–7, columns 4–6 of the volume")).to_be_visible()
        expect(page.get_by_text("Possible field: 3 × 3 pixels in frames 2 to 4.")).to_be_visible()
        np.testing.assert_allclose(at(page, 3), values[2], atol=1)
        box, slider = page.locator(".field-box"), page.locator(".field-panel").get_by_role("slider")
        expect(box).to_be_visible()
        slider.focus()
        slider.press("End")
        np.testing.assert_allclose(at(page, FRAMES), values[-1], atol=1)
        expect(box).to_be_hidden()
        shown = page.locator(".field-panel .numbers")
        expect(shown.locator("caption")).to_have_text(f"grey, frame {FRAMES}, rows 4–8, columns 3–7")
        np.testing.assert_allclose(grid(shown), (values[-1, 4:9, 3:8] / 255 - 0.4) / 0.25, atol=1e-5)
        # The corner of a padded pool over values below 0, as the page would copy it for NumPy, is worked out by NumPy.
        found = trace(torch.nn.MaxPool2d(3, padding=1), torch.arange(-9.0, 0).reshape(1, 3, 3)).explain(0, 0, 0, 0)
        modules = "const [{ asNumpy }, { inPlane }] = await Promise.all([import('/copy.js'), import('/numbers.js')])"
        text = page.evaluate(
            f"async (one) => {{ {modules}; return asNumpy({{ chain: [inPlane(one)] }}) }}", found.as_dict()
        )
        told: dict[str, object] = {}
        exec(text, told)
        assert told["value"] == told["stored"] == -5
        page.locator(".field-stage").click(position={"x": 2, "y": 2})
        expect(page.get_by_role("heading", name=f"frame {FRAMES}, row 0, column 0")).to_be_visible()
        assert not faults(page)
        page.get_by_role("tab", name="Explain").click()
        expect(page.get_by_text(f"frame 3 of {FRAMES}; below, all of them, row by row")).to_be_visible()


def test_frames_lie_side_by_side_where_evidence_is_shown(browser: Browser, stack: tuple) -> None:
    """Three beside each other, the other two below, every pixel where it belongs; the twin's map lies likewise."""
    values, words = stack
    with page_of(*words) as address, visit(browser, f"{address}#tab=explain&opacity=0") as page:
        expect(page.locator(".explain-trust .note")).to_be_visible()
        plane = page.locator(".explain-left .plane")
        painted = pixels_of(plane.locator("canvas"))
        assert painted.shape == (2 * HEIGHT + 1, 3 * WIDTH + 2)
        for frame in range(FRAMES):
            top, left = frame // 3 * (HEIGHT + 1), frame % 3 * (WIDTH + 1)
            np.testing.assert_allclose(painted[top : top + HEIGHT, left : left + WIDTH], values[frame], atol=1)
        zoom = plane.bounding_box()["width"] / painted.shape[1]
        plane.click(position={"x": (WIDTH + 1 + 6.5) * zoom, "y": (HEIGHT + 1 + 3.5) * zoom})
        expect(page.locator(".explain-readout")).to_contain_text("frame 5, row 3, column 6: ")
        plane.click(position={"x": (WIDTH + 0.5) * zoom, "y": 3.5 * zoom})
        expect(page.locator(".explain-readout")).to_have_text("between two frames")
        small = page.locator("canvas.explain-small").evaluate_all("all => all.map(one => one.width / one.height)")
        assert small == pytest.approx([painted.shape[1] / painted.shape[0]] * 2)


@pytest.mark.parametrize("form", ["volume", "series"])
def test_any_term_is_that_of_the_place(browser: Browser, stack: tuple, tmp_path: Path, form: str) -> None:
    """Of many terms the least one, which is sent when it is opened, multiplies to what it adds; and steps lead on."""
    words = stack[1]
    if form == "series":
        shape = Shape(height=1, width=40, channels=1, depth="float32", form="series")
        rows = write_ucr(tmp_path / "Waves") / "Waves_TEST.tsv"
        words = (untrained(tmp_path / "model.safetensors", shape), rows)
    with page_of(*words) as address, visit(browser, f"{address}#layer=1") as page:
        expect(page.locator(".row-button")).to_have_count(9)
        page.get_by_role("button", name=f"other {FILTERS - 8} channels").click()
        button = page.locator(".row-button").last
        button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
        figures = page.locator("tr.detail .numbers")
        expect(figures).to_have_count(3)
        patch, kernel, products = (grid(figure) for figure in figures.all())
        total = number(page.locator("tr.open td.figure data"))
        assert np.sum(np.multiply(patch, kernel)) == pytest.approx(total, rel=1e-5, abs=1e-7)
        np.testing.assert_allclose(products, np.multiply(patch, kernel))
        if form == "volume":
            cells, around = figures.first.locator("td"), ("frame 2, row 5, column 4: ", "frame 4, row 7, column 6: ")
            for cell, place in zip((cells.first, cells.last), around, strict=True):
                assert cell.get_attribute("title").startswith(place)
            channel = button.inner_text().split()[-1]
            page.locator("tr.detail").get_by_role("button", name="Open this map").click()
            expect(
                page.get_by_role("heading", name=f"conv1, channel {channel}, frame 3, row 6, column 5")
            ).to_be_visible()
            page.go_back()
        page.locator(".step").get_by_role("button", name="relu1").click()  # what becomes of the number
        place = "position 20" if form == "series" else "frame 3, row 6, column 5"
        expect(page.get_by_role("heading", name=f"Layer relu1, channel 0, {place}")).to_be_visible()


def test_filters_of_groups_name_the_channels_they_read(browser: Browser, tmp_path: Path) -> None:
    """The sixth of eight filters in four groups of two reads the fifth and sixth channel."""
    Image.new("L", (10, 8), 90).save(tmp_path / "even.png")
    line = "conv 8 3, conv 8 3 groups=4, flatten, dense classes"
    model = untrained(tmp_path / "model.safetensors", Shape(height=8, width=10, channels=1), line)
    with (
        page_of(model, tmp_path / "even.png") as address,
        visit(browser, f"{address}#tab=filters&layer=1&channel=5") as page,
    ):
        expect(page.locator(".filter-chosen caption")).to_have_text("weights for input channel 4")
        page.get_by_label("Input channel").select_option(label="5")
        expect(page.locator(".filter-chosen caption")).to_have_text("weights for input channel 5")


def test_maps_of_a_volume_are_seen_frame_by_frame(browser: Browser, stack: tuple) -> None:
    """A map is one frame high, painted with that frame's values, and the slider turns all maps to another."""
    values, words = stack
    model = load_model(words[0])
    seen = torch.tensor((values / 255 - 0.4) / 0.25, dtype=torch.float32)[None, None]
    first = list(model.network.children())[:3]
    maps = torch.nn.Sequential(*first)(seen)[0].detach().numpy()  # of relu1: (4, frames, height, width)
    with page_of(*words) as address, visit(browser, f"{address}#layer=2&range=layer") as page:
        sheet = page.locator(".layer-panel > .atlas canvas")
        for frame in (3, FRAMES):
            expect(
                page.get_by_role("heading", name=f"Layer relu1, channel 0, frame {frame}, row 6, column 5")
            ).to_be_visible()
            painted, known = pixels_of(sheet), maps[0, frame - 1]
            zoom = painted.shape[0] // HEIGHT  # one row of maps: a map, and less than HEIGHT dots between rows
            cells = painted[zoom // 2 : zoom * HEIGHT : zoom, zoom // 2 : zoom * WIDTH : zoom]
            assert spearmanr(cells[known > 0], known[known > 0]).statistic ** 2 > 0.98  # one colour after the other
            slider = page.locator(".sheet-tools").get_by_role("slider")
            slider.focus()
            slider.press("End")
        assert not faults(page)
