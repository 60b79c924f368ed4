"""Answer and truth on the page, in a real browser, and its words for what is no picture."""

import io
from pathlib import Path

import numpy as np
from browser import Browser, Page, expect, faults, page_of, visit
from drawn_page import spatial_run
from PIL import Image

from striate.data.wording import NOUNS, worded


def pixels_of(page: Page, address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.request.get(page.url.split("#")[0] + address.lstrip("/")).body())))


def expect_truth(page: Page, place: str) -> None:
    """The tick box puts the truth on the pictures of this place and takes it away, with its legend."""
    image, box = page.locator(f"{place} img").first, page.locator(place).get_by_role("checkbox", name="Truth")
    legend = page.locator(place).get_by_text("dashed ones were missed")
    expect(box).to_be_checked()
    expect(legend).to_be_visible()
    expect(image).not_to_have_attribute("src", "truth=0")
    both = pixels_of(page, image.get_attribute("src"))
    box.uncheck()
    expect(legend).to_be_hidden()
    assert image.get_attribute("src").endswith("/drawn?truth=0")
    assert not np.array_equal(pixels_of(page, image.get_attribute("src")), both)
    box.check()
    assert image.get_attribute("src").endswith("/drawn")
    assert not faults(page)


def test_the_truth_is_on_the_pictures(browser: Browser, tmp_path: Path) -> None:
    """In Mistakes and in the opened picture."""
    with page_of(spatial_run(tmp_path, "detection")) as address, visit(browser, address + "#tab=mistakes") as page:
        expect(page.locator(".mistakes-card")).to_have_count(6)
        expect_truth(page, ".mistakes")
        page.get_by_role("button", name="Show on the picture").click()
        expect_truth(page, "dialog[open]")


def test_the_answer_alone_where_labels_are_gone(browser: Browser, tmp_path: Path) -> None:
    """Without labels there is no tick box, no legend and no complaint."""
    run = spatial_run(tmp_path, "detection")
    (tmp_path / "pictures/all.json").unlink()
    with page_of(run) as address, visit(browser, address + "#tab=mistakes") as page:
        with page.expect_response("**/truth") as told:
            expect(page.locator(".mistakes-card")).to_have_count(6)
        assert told.value.json() == {"known": False, "legend": ""}
        expect(page.get_by_role("checkbox", name="Truth")).to_be_hidden()
        page.wait_for_load_state("networkidle")
        assert page.locator(".mistakes img").first.evaluate("image => image.naturalWidth") > 0


def test_the_page_has_the_words_of_the_report(browser: Browser, tmp_path: Path) -> None:
    """What is said of pictures is said of series, texts and volumes in the same words as elsewhere."""
    text = "Pictures of one picture, picturesque. Picture: the pictures, PICTURES in ~/Pictures/new and pictures\\\\old"
    script = """async ([text, nouns]) => {
      const { useNouns, worded } = await import("./dom.js");
      useNouns(nouns);
      return worded(text);
    }"""
    with page_of(spatial_run(tmp_path, "segmentation")) as address, visit(browser, address) as page:
        for form, nouns in NOUNS.items():
            assert page.evaluate(script, [text, nouns]) == worded(text, form)
