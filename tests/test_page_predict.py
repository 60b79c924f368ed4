"""The page of `striate serve` in a real browser: pictures go in, and what `predict` says of them comes out."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from browser import WIDER, Browser, expect, faults, opened, visit
from drawn import TINY, draw_folder, picture, white_charts
from drawn_page import spatial_run
from drawn_series import write_ucr
from PIL import Image
from playwright.sync_api import Page, Route
from test_serve_predictor import serving

import striate

DROP = """([name, bytes]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
}"""


def test_pictures_are_answered(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pictures and a text: bars as wide as the probabilities of `predict`, and a reason; then one of 16 bits is
    dropped, which is said of it."""
    white_charts(monkeypatch)
    source = draw_folder(tmp_path / "pictures", {"across": 8, "down": 8})
    more = {"epochs": 2, "quiet": True, "workers": 0, "out": str(tmp_path)}
    run = striate.train(source, network=TINY, **more).folder
    files = [source / "across" / "00.png", source / "down" / "01.png", tmp_path / "words.png"]
    files[2].write_text("hello")
    said = striate.load(run).predict(files)
    with opened(run, "serve", "--port", "0") as address, visit(browser, address) as page:
        expect(page.get_by_text("A model for classification: across, down.")).to_be_visible()
        page.locator("input[type=file]").set_input_files(files)
        expect(page.locator("#answers > *")).to_have_count(3)
        for place, one in enumerate(said[:2]):
            card = page.locator("#answers > *").nth(place)
            expect(card.locator(".said")).to_have_text(f"{one.predicted} ({100 * one.confidence:.1f} %)")
            names = card.locator(".bar-name").all_text_contents()
            assert names == sorted(one.probabilities, key=lambda name: -one.probabilities[name])
            script = "bars => bars.map(bar => bar.offsetWidth / bar.parentElement.offsetWidth)"
            shares = card.locator(".bar i").evaluate_all(script)
            np.testing.assert_allclose(shares, [one.probabilities[name] for name in names], atol=0.01)
        expect(page.locator("#answers > *").nth(2)).to_contain_text("text, not a picture")
        expect(page.locator("#answers .note.info")).to_have_count(0)
        Image.fromarray(np.full((20, 20), 4000, np.uint16)).save(tmp_path / "deep.png")
        page.evaluate(DROP, ["dropped.png", list((tmp_path / "deep.png").read_bytes())])
        expect(page.locator("#answers > *").first.locator("h2")).to_have_text("dropped.png")
        expect(page.locator("#answers > *").first).to_contain_text("A picture of another depth brought to")
        expect(page.locator("#answers > *")).to_have_count(4)
        expect(page.locator("pre").first).to_have_text(f"curl -F picture=@PICTURE {address}predict")
        assert faults(page) == page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []
        page.locator("input[type=file]").set_input_files(sorted(source.rglob("*.png")))
        expect(page.locator("#answers > *")).to_have_count(16 + 4)
        rows = page.locator("#answers > *").evaluate_all("cards => new Set(cards.map(card => card.offsetTop)).size")
        assert rows == 7  # many answers stand three beside each other
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate(WIDER.replace('"html", "main", "header"', '"html", "body"')) == []
        sent = in_portions(page, {"most_pictures": 6}, sorted(source.rglob("*.png")))
        assert sent == 3  # of 6, 6 and 4
        assert in_portions(page, {"largest_body": 10_000}, sorted(source.rglob("*.png"))) == 4  # a form's head counts


def in_portions(page: Page, limits: dict[str, int], files: list[Path]) -> int:
    """How many requests the page sends for all files where one request is limited like this; all are answered."""

    def limited(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), **limits})

    page.route("**/model", limited)
    page.reload()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator("input[type=file]").set_input_files(files)
    expect(page.locator("#answers > *")).to_have_count(len(files))
    assert page.locator("#answers h2").all_text_contents() == [file.name for file in files]
    page.unroute("**/model")
    return len(sent)


def test_series_are_called_series(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a model of series asks for series, and says what it sees and was tested on in the report's words."""
    white_charts(monkeypatch)
    run = striate.train(write_ucr(tmp_path / "Waves"), out=str(tmp_path), epochs=1, quiet=True, workers=0).folder
    with serving(run) as (_, _, server), visit(browser, f"{server.origin}/") as page:
        expect(page.get_by_text("Drop series here")).to_be_visible()
        about = page.get_by_text("A model for classification")
        expect(about).to_contain_text("It sees 40 values, 1 channel.")
        expect(about).to_contain_text(" series.")
        assert "picture" not in about.inner_text()


def test_a_mask_is_drawn_on_its_picture(browser: Browser, tmp_path: Path) -> None:
    """What is shown is the picture with its answer, as the server draws it, and has loaded."""
    run = spatial_run(tmp_path, "segmentation")
    deep = picture(0, 1, side=32).astype(np.uint16) * 257
    (tmp_path / "deep.tif").write_bytes(tiff_of(deep))
    with serving(run) as (_, _, server), visit(browser, f"{server.origin}/") as page:
        page.locator("input[type=file]").set_input_files(tmp_path / "deep.tif")
        image = page.locator("#answers img")
        expect(image).to_be_visible()
        data = base64.b64decode(image.get_attribute("src").partition(",")[2])
        colours = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        assert (colours.max(axis=2) - colours.min(axis=2)).max() > 50  # of a grey picture
        assert image.evaluate("image => image.naturalWidth") == colours.shape[1]


def tiff_of(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "TIFF")
    return out.getvalue()
