"""The page in a real browser: what people do there, with numbers that plain torch and SciPy must agree with."""

import re
import runpy
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import page_numbers as numbers
import pytest
from browser import (
    DROP,
    SETTLED,
    SHEET,
    WIDER,
    Browser,
    Page,
    command,
    environment,
    expect,
    faults,
    grid,
    number,
    open_tab,
    opened,
    page_of,
    press,
    tab_to,
    visit,
)  # fmt: skip
from drawn import TINY, draw_folder, few_digits
from PIL import Image, ImageDraw
from scipy.signal import correlate2d

import striate
from striate.cli import main
from striate.draw import colours

LINE = "conv 6 3, batchnorm, relu, maxpool 2, conv 8 3, relu, flatten, dense classes"
CHAIN = ("conv1", "batchnorm1", "relu1", "maxpool1")
STRIDE, PADDING = 2, 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the digits, trained by the words that people type."""
    folder = tmp_path_factory.mktemp("page")
    words = ["train", "--network", LINE, "--epochs", "4", "--workers", "0", "--precision", "fp32"]
    with pytest.MonkeyPatch.context() as patch:
        few_digits(patch)
        assert main([*words, "--out", str(folder)]) == 0
    return folder / "train"


@pytest.fixture(scope="module")
def model(run: Path) -> striate.Model:
    return striate.load(run)


@pytest.fixture(scope="module")
def address(run: Path) -> Iterator[str]:
    with page_of(run) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        yield page


def choose_picture(page: Page) -> None:
    page.get_by_role("button", name="Choose another picture").click()
    tile = page.locator("dialog .tile").nth(7)
    name = tile.get_attribute("title")
    tile.click()
    expect(page.locator(".picture-name")).to_have_text(name)


def read_ledger(page: Page, model: striate.Model) -> None:
    """A pixel at the border of the first layer, and one of the second convolution, from a click on a map and a card."""
    pixels = numbers.picture_shown(page)
    x = numbers.as_input(model, pixels)
    values = numbers.values_of(model, x)
    numbers.expect_prediction(page, model, pixels)
    page.locator(f"{SHEET} canvas").click(position={"x": 2 * 126 + 3.5 * 15, "y": 0.5 * 15})
    numbers.expect_place(page, "conv1", 2, 0, 3)
    numbers.expect_terms(page, model, "conv1", x.numpy(), (2, 0, 3))
    expect(page.locator("#step-0 .term .numbers").first.locator("td.padding")).to_have_count(3)
    numbers.expect_steps(page, values, {name: (2, 0, 1 if name == "maxpool1" else 3) for name in CHAIN})
    page.locator(".card", has_text="conv2").click()
    page.locator(f"{SHEET} canvas").click(position={"x": 126 + 2.5 * 30, "y": 1.5 * 30})
    numbers.expect_place(page, "conv2", 1, 1, 2)
    numbers.expect_terms(page, model, "conv2", values["maxpool1"], (1, 1, 2))
    numbers.expect_steps(page, values, {"conv2": (1, 1, 2), "relu2": (1, 1, 2)})


def try_kernel(page: Page) -> None:
    """The map of the edge filter is SciPy's, at every place of its diagonal; the size formula is the true one."""
    pixels = numbers.picture_shown(page).astype(float)
    open_tab(page, "playground")
    page.get_by_label("Preset").select_option("edge")
    page.get_by_label("Stride").select_option(str(STRIDE))
    page.get_by_label("Padding").select_option(str(PADDING))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    true = correlate2d(np.pad(pixels, PADDING), kernel, "valid")[::STRIDE, ::STRIDE]
    assert true.shape == (4, 4)
    expect(page.locator(".play-sizes dd").first).to_have_text("⌊(8 − 3 + 2·1) / 2⌋ + 1 = 4")
    feature_map = page.get_by_role("application", name="Feature map")
    side = feature_map.bounding_box()["width"] / 4
    for place in range(4):
        feature_map.click(position={"x": (place + 0.5) * side, "y": (place + 0.5) * side})
        expect(page.get_by_text(f"Map place: row {place}, column {place}.")).to_be_visible()
        answer = number(page.locator(".play-answer"))
        assert answer == pytest.approx(true[place, place], abs=1e-6)
        products = np.array(grid(page.locator(".play-sum figure").nth(2)))
        assert products.sum() == pytest.approx(answer, abs=1e-6)


def drop_picture(page: Page, model: striate.Model, folder: Path) -> None:
    """A picture of one's own is classified as `model.predict` does, and its layers open."""
    drawing = Image.new("L", (40, 40))
    ImageDraw.Draw(drawing).line([(8, 8), (30, 8), (14, 34)], fill=255, width=5)
    drawing.save(folder / "mine.png")
    page.evaluate(DROP, ["mine.png", list((folder / "mine.png").read_bytes())])
    expect(page.locator(".picture-name")).to_have_text("mine.png")
    numbers.expect_prediction(page, model, folder / "mine.png")
    open_tab(page, "see")
    page.locator(".card", has_text="conv1").click()
    numbers.expect_place(page, "conv1", 1, 3, 5)  # in the middle of what was chosen in conv2
    values = numbers.values_of(model, numbers.as_input(model, model.look(folder / "mine.png").stored[:, :, 0]))
    numbers.expect_steps(page, values, {name: (1, 1, 2) if name == "maxpool1" else (1, 3, 5) for name in CHAIN})


def test_a_newcomers_path(page: Page, model: striate.Model, tmp_path: Path) -> None:
    """From the first look to a picture of one's own, every number on the way is true."""
    choose_picture(page)
    read_ledger(page, model)
    numbers.expect_explanation(page, model)
    try_kernel(page)
    drop_picture(page, model, tmp_path)


def test_the_keyboard_is_enough(page: Page, model: striate.Model) -> None:
    """The same path without a mouse; what has the focus can be seen after every key."""
    tab_to(page, "[role=tab]")
    press(page, "End", "Home", "Tab", "Tab", "Enter")
    expect(page.locator("dialog .tile").first).to_be_visible()
    tab_to(page, ".tile")
    press(page, "Tab", "Tab")
    before = page.locator(".ledger-head data").get_attribute("value")
    page.keyboard.press("Enter")
    expect(page.locator(".ledger-head data")).not_to_have_attribute("value", before)
    x = numbers.as_input(model, numbers.picture_shown(page))
    values = numbers.values_of(model, x)
    tab_to(page, SHEET)
    move_about(page, values)
    tab_to(page, "[role=tab]", "Shift+Tab")
    press(page, "ArrowRight")
    expect(page.locator(SETTLED["explain"]).first).to_be_visible()
    tab_to(page, ".plane")
    press(page, "ArrowDown", "ArrowRight", "ArrowRight")
    heat = striate.heatmap(model.network, x, score=numbers.hirescam(model, x)[1])
    assert number(page.locator(".explain-readout data")) == pytest.approx(float(heat.on_picture[1, 2]), abs=1e-5)
    expect(page.locator(".explain-readout")).to_contain_text("row 1, column 2")
    type_a_kernel(page)


def move_about(page: Page, values: dict[str, np.ndarray]) -> None:
    """Arrows, Home, End, brackets, Enter and Esc on the sheet, the ledger and the strip; torch says the same."""
    for keys, layer, at in (
        (["ArrowUp", "ArrowLeft", "End"], "conv1", (5, 3, 3)),
        (["Home", "Shift+ArrowRight", "PageDown"], "conv1", (2, 3, 3)),
        (["]", "]", "ArrowDown"], "relu1", (2, 4, 3)),
        (["["], "batchnorm1", (2, 4, 3)),
    ):
        press(page, *keys)
        numbers.expect_place(page, layer, *at)
        assert number(page.locator(".ledger-head data")) == pytest.approx(float(values[layer][at]), rel=1e-5, abs=1e-6)
    press(page, "[", "Enter")
    assert page.evaluate("document.activeElement.closest('.ledger') !== null")
    press(page, "Escape")
    assert page.evaluate("(sheet) => document.activeElement.matches(sheet)", SHEET)
    press(page, "Escape", "ArrowRight", "End")
    expect(page.locator(".ledger-head h2")).to_have_text("Layer dense1, channel 2")
    assert number(page.locator(".ledger-head data")) == pytest.approx(float(values["dense1"][2]), rel=1e-5)
    press(page, "Home")
    expect(page.locator(".ledger-head h2")).to_contain_text("Layer conv1, channel 2")


def type_a_kernel(page: Page) -> None:
    """A filter typed into the Playground's cells, and a place chosen with the arrows."""
    tab_to(page, "[role=tab]", "Shift+Tab")
    press(page, "End", "ArrowLeft", "ArrowLeft")
    expect(page.locator(SETTLED["playground"])).to_be_visible()
    tab_to(page, ".kernel-cell")
    page.keyboard.press("Control+a")
    press(page, "2")
    tab_to(page, ".plane")
    press(page, "ArrowRight", "ArrowDown")
    expect(page.get_by_text("Map place: row 1, column 1.")).to_be_visible()
    kernel = np.array(grid(page.locator(".play-sum figure").nth(1)))
    assert kernel[0, 0] == 2
    true = correlate2d(numbers.picture_shown(page).astype(float), kernel, "valid")
    assert number(page.locator(".play-answer")) == pytest.approx(true[1, 1], abs=1e-6)


def test_the_most_alike_are_walked_to(page: Page, tmp_path: Path) -> None:
    """A click on a neighbour chooses it, arrows go on from there in the layout, and a copy of the chosen picture that
    is dropped on the page finds it as the most alike."""
    open_tab(page, "embedding")
    tiles = page.locator(".embedding-near .tile")
    name = tiles.first.get_attribute("title")
    tiles.first.click()
    expect(page.locator(".picture-name")).to_have_text(name)
    page.locator(".embedding-space").focus()
    press(page, "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown")
    expect(page.locator(".picture-name")).not_to_have_text(name)
    chosen = page.locator(".picture-name").inner_text()
    expect(tiles.first).not_to_have_attribute("title", chosen)
    Image.fromarray(numbers.picture_shown(page)).save(tmp_path / "mine.png")
    page.evaluate(DROP, ["mine.png", list((tmp_path / "mine.png").read_bytes())])
    expect(page.locator(".picture-name")).to_have_text("mine.png")
    expect(page.get_by_text("It is none of those laid out")).to_be_visible()
    expect(tiles.first).to_have_attribute("title", chosen)


def test_tabs_are_for_everyone(page: Page) -> None:
    """No serious fault for axe in light and dark, and nothing wider than the window at 1280, 800 and 400 pixels."""
    for tab in SETTLED:
        page.emulate_media(color_scheme="light")
        open_tab(page, tab)
        assert not faults(page), tab
        for width in (1280, 400, 800):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(300)  # maps are drawn anew for their room once it has changed
            assert page.evaluate(WIDER) == [], (tab, width)
        page.emulate_media(color_scheme="dark")
        expect(page.locator(SETTLED[tab]).first).to_be_visible()
        assert not faults(page), tab


def test_dialogs_are_for_everyone(page: Page) -> None:
    """No serious fault in the chooser and the help; Esc closes them and gives the focus back."""
    for button in ("Choose another picture", "Help and keys"):
        page.get_by_role("button", name=button).click()
        expect(page.locator("dialog[open]")).to_be_visible()
        assert not faults(page)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
        expect(page.get_by_role("button", name=button)).to_be_focused()


def test_what_is_built_anew_keeps_the_focus(page: Page) -> None:
    """After a choice that draws its own control again, the keyboard is where it was."""
    page.get_by_role("button", name="Choose another picture").click()
    page.get_by_role("button", name="train", exact=False).focus()
    press(page, "Enter")
    expect(page.locator("dialog [aria-pressed=true]")).to_contain_text("train")
    expect(page.locator("dialog [aria-pressed=true]")).to_be_focused()
    page.keyboard.press("Escape")
    page.goto(page.url.split("#")[0] + "#tab=filters&layer=4")
    page.get_by_label("Input channel").select_option("3")
    expect(page.locator(".filter-chosen caption")).to_have_text("weights for input channel 3")
    page.get_by_label("Input channel").focus()
    press(page, "ArrowDown")
    expect(page.locator(".filter-chosen caption")).to_have_text("weights for input channel 4")
    expect(page.get_by_label("Input channel")).to_be_focused()


def test_a_long_name_of_a_class_leaves_its_card_small(page: Page) -> None:
    """A name of 400 letters is cut after some lines, and the cards beside it stay as they are."""
    open_tab(page, "mistakes")
    page.get_by_role("button", name="All", exact=True).click()
    said = page.locator(".mistakes-card > p").first
    said.evaluate("said => said.textContent = 'x'.repeat(400)")
    assert said.bounding_box()["height"] < 150


def test_the_address_holds_the_state(page: Page, address: str) -> None:
    """A reload shows the same number again, Back the one before; without a picture the first one is shown."""
    page.locator(".card", has_text="conv2").click()
    numbers.expect_place(page, "conv2", 0, 2, 2)
    page.locator(SHEET).focus()
    press(page, "ArrowRight", "PageDown")
    numbers.expect_place(page, "conv2", 1, 2, 3)
    shown = page.locator(".ledger-head data").get_attribute("value")
    expect(page).to_have_url(re.compile("channel=1&y=2&x=3"))
    page.reload()
    numbers.expect_place(page, "conv2", 1, 2, 3)
    assert page.locator(".ledger-head data").get_attribute("value") == shown
    page.locator(".card", has_text="relu2").click()
    numbers.expect_place(page, "relu2", 1, 2, 3)
    page.go_back()
    numbers.expect_place(page, "conv2", 1, 2, 3)
    first = page.locator(".picture-name").inner_text()
    page.goto(address.split("?")[0] + "#tab=explain")
    expect(page.locator(SETTLED["explain"]).first).to_be_visible()
    expect(page.locator(".picture-name")).to_have_text(first)


def test_the_tutorials_figures_are_alive(page: Page, address: str) -> None:
    """Every place that docs/tutorials.md names for a figure opens in its tab, and nothing is refused."""
    text = (Path(__file__).parents[1] / "docs/tutorials.md").read_text(encoding="utf-8")
    places = sorted(set(re.findall(r"`(#tab=[^`]+)`", text)))
    assert len(places) > 20
    for place in places:
        page.goto(address.split("?")[0] + place)
        tab = re.match(r"#tab=(\w+)", place)[1]
        expect(page.locator(f"#tab-{tab}")).to_have_attribute("aria-selected", "true")
        expect(page.locator(SETTLED[tab]).first).to_be_visible()
        expect(page.locator(".note.error")).to_have_count(0)


def test_colours_are_those_of_the_legend(page: Page, model: striate.Model) -> None:
    """The legend ends where the layer's numbers end, and a cell has the colour that the table gives its number."""
    values = numbers.values_of(model, numbers.as_input(model, numbers.picture_shown(page)))["conv1"]
    legend = page.locator(".layer-scale .legend")
    most = float(np.abs(values).max())
    assert float(legend.get_attribute("data-high")) == pytest.approx(most, rel=1e-6)
    assert float(legend.get_attribute("data-low")) == pytest.approx(-most, rel=1e-6)
    cells = ((0, 0, 0), (1, 3, 4), (3, 7, 7))
    script = """(canvas, places) => {
      const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return places.map(([x, y]) => [0, 1, 2].map((part) => data[4 * (y * width + x) + part]));
    }"""
    places = [[channel * 126 + 15 * x + 7, 15 * y + 7] for channel, y, x in cells]
    shown = page.locator(f"{SHEET} canvas").evaluate(script, places)
    table = np.asarray(colours.diverging())
    for colour, at in zip(shown, cells, strict=True):
        place = (float(values[at]) + most) / (2 * most) * 255
        near = table[[int(place), min(255, int(place) + 1)]].tolist()  # of two, should it lie just between them
        assert colour in near


def test_a_report_fits_a_phone(browser: Browser, run: Path) -> None:
    """Nothing of a report is wider than a phone, and no score's name stands one letter a line."""
    with visit(browser, (run / "report.html").absolute().as_uri(), width=400) as page:
        assert page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []
        first = page.locator("#scores tbody td:first-child")
        assert first.evaluate_all("cells => Math.min(...cells.map((cell) => cell.clientWidth))") >= 80


def test_strangers_are_refused(browser: Browser, address: str) -> None:
    """A wrong token and none get nothing of the page."""
    for wrong in (address[:-1] + ("A" if address[-1] != "A" else "B"), address.split("?")[0]):
        context = browser.new_context()
        page = context.new_page()
        assert page.goto(wrong).status == 403
        expect(page.get_by_role("tab")).to_have_count(0)
        context.close()


def test_a_link_of_another_page_leads_in(browser: Browser, address: str) -> None:
    """As in a terminal in the browser: the page opens at the tab that the address names, without the token in it."""
    context = browser.new_context()
    page = context.new_page()
    link = f'<a href="{address}#tab=filters">here</a>'
    page.route("http://elsewhere.example/", lambda route: route.fulfill(body=link, content_type="text/html"))
    page.goto("http://elsewhere.example/")
    page.get_by_text("here").click()
    expect(page.get_by_role("tab", name="Filters")).to_have_attribute("aria-selected", "true")
    assert "token" not in page.url
    context.close()


def test_a_training_is_followed(browser: Browser, tmp_path: Path) -> None:
    """The page of a run in progress shows new epochs and moments as they come, and its end."""
    source = draw_folder(tmp_path / "pictures", {"across": 12, "down": 12})
    words = command("train", source, "--network", TINY, "--epochs", 100_000, "--workers", 0, "--precision", "fp32")
    with subprocess.Popen([*words, "-q", "--out", str(tmp_path)], env=environment()) as training:
        try:
            run = tmp_path / "train"
            while not (run / "history.csv").exists():
                assert training.poll() is None
                time.sleep(0.1)
            with opened(run) as address, visit(browser, address + "#tab=train") as page:
                expect(page.locator(".train-state")).to_have_text("Running")
                expect(page.locator(".prediction")).to_contain_text("no model yet")
                expect(page.locator(".train-maps canvas").first).to_be_visible()
                told, moment = page.locator(".train-head").inner_text(), page.locator(".train-when").inner_text()
                expect(page.locator(".train-head")).not_to_have_text(told)
                expect(page.locator(".train-when")).not_to_have_text(moment)
                training.send_signal(signal.SIGINT)
                expect(page.locator(".train-state")).to_have_text("Stopped early")
                expect(page.get_by_role("button", name="Open the trained model")).to_be_visible()
                page.get_by_role("tab", name="See").click()
                expect(page.locator(".prediction .bar-value").first).to_contain_text("%")
        finally:
            training.kill()


def test_without_a_browser_the_way_to_one_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever imports `browser` is skipped as a whole then, and told the command that gets it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium") as skipped:
        runpy.run_path(str(Path(__file__).with_name("browser.py")))
    assert skipped.value.allow_module_level
