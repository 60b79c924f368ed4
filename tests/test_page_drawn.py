"""What the page draws: pictures of any number of channels, places that see nothing, filters by what they look at."""

from pathlib import Path

import numpy as np
import pytest
from browser import SETTLED, Browser, Page, expect, page_of, visit
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


def saved(folder: Path, line: str, shape: Shape) -> Path:
    """A model file with random weights for two classes."""
    task = make_task("classification", {"classes": ("a", "b")})
    network = build(line, shape.seen, task.outputs, seed=3)
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
