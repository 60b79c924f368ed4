"""What the page shows has room on it, wide or narrow, and is said in the words of what was learned from."""

from pathlib import Path

import numpy as np
from browser import HIGHER, WIDER, Browser, expect, grid, open_tab, page_of, visit
from PIL import Image

from striate.data.prepare import Preparation, Shape
from striate.data.symbols import symbols_of
from striate.export.model import Model
from striate.network.build import build
from striate.tasks.task import make_task

LINE = "conv 4 11 padding=valid, relu, conv 4 3, relu, flatten, dense classes"
OUTSIDE = """([inner, outer]) => [...document.querySelectorAll(inner)].filter((one) => {
  const room = one.closest(outer).getBoundingClientRect(), box = one.getBoundingClientRect();
  return box.left < room.left || box.right > room.right;
}).map((one) => one.outerHTML.slice(0, 120))"""


def asked(place: Path, shape: Shape, sample: Path) -> tuple[Path, Path]:
    """A model file with random weights and kernels of eleven numbers a side, and the sample to open it with."""
    task = make_task("classification", {"classes": ("a", "b")})
    network = build(LINE, shape.seen, task.outputs, seed=3)
    ends = {"low": 0.0, "high": 255.0, "mean": 0.4, "std": 0.25}
    figures = Preparation(shape=shape, **{name: (value,) * shape.channels for name, value in ends.items()})
    Model(network.eval(), task, figures).save(place / "model.safetensors")
    return place / "model.safetensors", sample


def test_wide_kernels_and_large_maps_have_room_at_any_width(browser: Browser, tmp_path: Path) -> None:
    """A term's products are wider than the column and scroll in it: the numbers that add up stay in sight; on a
    telephone so do both maps of the sweep, and both columns of what a heatmap is worth."""
    values = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "noise.png")
    words = asked(tmp_path, Shape(height=24, width=24, channels=3), tmp_path / "noise.png")
    with page_of(*words) as address:
        for width in (1400, 390):
            with visit(browser, address, width=width) as page:
                expect(page.locator(".term figure")).to_have_count(3)
                expect(page.locator(".sweep-maps figure:visible")).to_have_count(2)
                assert page.locator(".term").evaluate("term => term.scrollWidth > term.clientWidth")
                assert not page.evaluate(OUTSIDE, [".terms td.figure", ".ledger-body"])
                assert not page.evaluate(OUTSIDE, [".sweep canvas", ".sweep"])
                assert not page.evaluate(WIDER)
                open_tab(page, "explain")
                expect(page.locator(".explain-trust table")).to_be_visible()
                assert not page.evaluate(OUTSIDE, [".explain-trust td", ".scroll"])


def test_the_document_does_not_scroll_beside_its_panels(browser: Browser, tmp_path: Path) -> None:
    """What is said to a screen reader alone, of padding far down in the arithmetic, lies in the panel that scrolls."""
    Image.new("L", (24, 24)).save(tmp_path / "black.png")
    words = asked(tmp_path, Shape(height=24, width=24, channels=1), tmp_path / "black.png")
    with page_of(*words) as address, visit(browser, f"{address}#layer=2&y=0&x=0") as page:
        expect(page.locator(".term td.padding .unseen").first).to_be_attached()
        page.set_viewport_size({"width": 1280, "height": 400})
        assert page.locator(".ledger").evaluate("one => one.scrollHeight > one.clientHeight")
        assert not page.evaluate(HIGHER)


def test_a_series_has_positions_and_no_pixels(browser: Browser, tmp_path: Path) -> None:
    """Nobody looks for the pixel, the row or the column of a series; its map is high enough to be seen, as long as its
    curve and right under it, and a line is no shorter than what is made from it."""
    np.save(tmp_path / "two.npy", np.random.default_rng(0).normal(100, 30, (1, 40, 2)).astype("float32"))
    words = asked(tmp_path, Shape(height=1, width=40, channels=2, depth="float32", form="series"), tmp_path / "two.npy")
    with page_of(*words) as address, visit(browser, address) as page:
        expect(page.get_by_role("heading", name="Layer conv1, channel 0, position 15")).to_be_visible()
        expect(page.get_by_text("Network input 2 × 40", exact=True)).to_be_visible()
        expect(page.locator(".sweep-maps figure:visible")).to_have_count(2)
        assert page.locator(".sweep-maps canvas").evaluate_all("all => all.map(one => one.clientWidth)") == [150, 150]
        read = page.locator("main").inner_text().lower()
        assert "channel 0, positions" in read
        open_tab(page, "explain")
        expect(page.locator(".explain-trust table")).to_be_visible()
        curve, strip = (page.locator(name).bounding_box() for name in (".explain-drawn", ".explain-left .plane"))
        assert (curve["x"], curve["width"]) == (strip["x"], strip["width"])
        read += page.locator("main").inner_text().lower() + " ".join(page.locator(".chart-tick").all_text_contents())
        assert "positions that are gone show" in read
        assert "% of positions" in read
        assert not [word for word in ("pixel", " row ", "column") if word in read]
        heights = page.locator("canvas.explain-alone, canvas.explain-small").evaluate_all(
            "all => all.map(one => one.clientHeight)"
        )
        assert min(heights) >= 12


def test_numbers_of_a_table_are_said_by_their_columns(browser: Browser, tmp_path: Path) -> None:
    """Truth and answer of several numbers, as the run's tables hold them, say which number is which."""
    Image.new("L", (24, 24)).save(tmp_path / "black.png")
    words = asked(tmp_path, Shape(height=24, width=24, channels=1), tmp_path / "black.png")
    say = """([text, classes, shares]) => import("/dom.js").then((dom) => dom.inWords(text, { classes, shares }))"""
    cells = {
        ("-1; 0.316846", ("place", "light"), False): "place −1, light 0.3168",
        ("-0.151393", ("place",), False): "−0.1514",
        ("", ("corner", "line"), True): "nothing",
        ("corner; line", ("corner", "line"), True): "corner; line",
        ("disc 2, square 1", ("disc", "square"), True): "disc 2, square 1",
    }
    with page_of(*words) as address, visit(browser, address) as page:
        expect(page.locator(".ledger-head")).to_be_visible()
        assert {cell: page.evaluate(say, list(cell)) for cell in cells} == cells


def test_one_line_is_called_what_it_is(browser: Browser, tmp_path: Path) -> None:
    """A series of one channel has no grey, its filters have one channel, and the Playground filters its drawing."""
    np.save(tmp_path / "one.npy", np.random.default_rng(0).normal(100, 30, (1, 40, 1)).astype("float32"))
    words = asked(tmp_path, Shape(height=1, width=40, channels=1, depth="float32", form="series"), tmp_path / "one.npy")
    with page_of(*words) as address, visit(browser, address) as page:
        expect(page.locator(".field-panel caption")).to_contain_text("channel 0, positions")
        open_tab(page, "filters")
        expect(page.get_by_text("4 filters over 1 channel", exact=False)).not_to_contain_text("channels")
        open_tab(page, "playground")
        expect(page.get_by_text("pixels of the series as the page draws it, not its values")).to_be_visible()


def test_maps_of_long_pictures_are_no_hairlines(browser: Browser, tmp_path: Path) -> None:
    """In the sheet a map of 8×240 numbers has a screen's pixel for each, where its length would fit a square beside."""
    Image.new("L", (250, 18)).save(tmp_path / "long.png")
    words = asked(tmp_path, Shape(height=18, width=250, channels=1), tmp_path / "long.png")
    with page_of(*words) as address, visit(browser, address) as page:
        page.goto(page.url.split("#")[0] + "#layer=2")
        expect(page.get_by_role("heading", name="conv2 Conv2d").first).to_be_visible()
        mark = page.locator(".layer-panel > .atlas .mark-map").bounding_box()
        assert mark["height"] >= 8 + 6
        assert mark["width"] >= 240 + 6


def test_a_text_can_be_read_and_its_channels_are_letters(browser: Browser, tmp_path: Path) -> None:
    """Where a text is chosen its letters are large enough; any of the 96 channels can be looked at, by its letter, and
    the arithmetic names it too."""
    (tmp_path / "one.txt").write_text("a quick brown fox jumps over the lazy dog")
    words = asked(tmp_path, Shape(height=1, width=40, channels=96, form="text"), tmp_path / "one.txt")
    channel = int(symbols_of("x")[0, 0])
    with page_of(*words) as address, visit(browser, f"{address}#layer=0&x=12") as page:
        expect(page.locator(".row-button").first).to_be_visible()
        labels = [one.split()[-2:] for one in page.locator(".row-button[data-term]").all_inner_texts()]
        assert all(number == str(symbols_of(letter[1])[0, 0]) for number, letter in labels if "“" in letter)
        assert any("“" in letter for _, letter in labels)
        page.locator(".field-panel select").select_option(label=f"{channel} “x”")
        expect(page.locator(".field-panel caption")).to_contain_text(f"channel {channel} “x”, positions")
        numbers = grid(page.locator(".field-panel .numbers"))[0]  # of positions 15 to 19, and the x stands at 16
        assert [value > 0 for value in numbers] == [False, True, False, False, False]
        page.locator(".picture-button").click()
        assert page.locator(".tile img").evaluate("one => one.clientWidth") >= 48 * 5  # a line of the drawing has 48
