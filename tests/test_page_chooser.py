"""Pictures come to the page: found by name among many, dropped several at once; and keys that need no focus."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from browser import DROP, SETTLED, Browser, Page, expect, page_of, press, visit
from PIL import Image
from test_serve_glass import make_model, write_run


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page_of(write_run(tmp_path_factory.mktemp("chooser"), make_model())) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address, refused=True) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        yield page


def names(page: Page) -> list[str]:
    return page.locator("dialog .tile").evaluate_all("tiles => tiles.map((tile) => tile.title)")


def test_a_picture_is_found_by_its_name(page: Page) -> None:
    """What is typed narrows the tiles and the counts of the parts, letter by letter; nothing found is said."""
    page.get_by_role("button", name="Choose another picture").click()
    expect(page.locator("dialog .tile")).to_have_count(9)
    page.get_by_role("searchbox").press_sequentially("Down/")
    expect(page.locator("dialog .tile")).to_have_count(3)
    assert sorted(names(page)) == ["down/0.png", "down/1.png", "down/2.png"]
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("button", name="train 1").click()
    expect(page.locator("dialog .tile")).to_have_count(1)
    page.get_by_role("searchbox").fill("up/")
    expect(page.locator("dialog[open]")).to_contain_text("No such pictures")
    page.get_by_role("searchbox").fill("down/2")
    page.locator("dialog .tile").click()
    expect(page.locator(".picture-name")).to_have_text("down/2.png")


def test_of_several_dropped_files_the_first_is_open_and_none_is_lost(page: Page) -> None:
    """The others wait in the chooser, and what is no picture is said with its name."""

    def png(level: int) -> list[int]:
        out = io.BytesIO()
        Image.fromarray(np.full((8, 10), level, np.uint8)).save(out, "PNG")
        return list(out.getvalue())

    several = DROP.replace("([name, bytes])", "(files)").replace(
        'dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }))',
        "for (const [name, bytes] of files) dataTransfer.items.add(new File([new Uint8Array(bytes)], name))",
    )
    page.evaluate(several, [["a.png", png(10)], ["no.png", [1, 2, 3]], ["b.png", png(200)]])
    expect(page.locator(".picture-name")).to_have_text("a.png")
    expect(page.locator(".errors")).to_contain_text("2 pictures were taken")
    expect(page.locator(".errors .error")).to_contain_text("no.png: ")
    page.get_by_role("button", name="Choose another picture").click()
    page.get_by_role("button", name="yours 2").click()
    expect(page.locator("dialog .tile")).to_have_count(2)
    assert sorted(names(page)) == ["a.png", "b.png"]


def test_brackets_walk_through_the_layers_from_anywhere(page: Page) -> None:
    """On a page that was just opened nothing has the focus; where text is typed they are text."""
    head = page.locator(".ledger-head h2")
    expect(head).to_contain_text("Layer conv1,")
    page.keyboard.press("]")
    expect(head).to_contain_text("Layer batchnorm1,")
    page.keyboard.press("[")
    expect(head).to_contain_text("Layer conv1,")
    page.get_by_role("button", name="Choose another picture").click()
    page.get_by_role("searchbox").focus()
    press(page, "]")
    assert page.get_by_role("searchbox").input_value() == "]"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(head).to_contain_text("Layer conv1,")
