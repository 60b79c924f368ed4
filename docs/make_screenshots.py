"""Photographs the page for the docs: python docs/make_screenshots.py

Draws cells as a fluorescence microscope might show them, trains on them for a minute or two, opens the run, and writes
every tab, light and dark, at 1280 and 800 pixels, to docs/pictures/page; and the exported page of the digits. Needs
what the tests need, and a browser.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).resolve().parent / "pictures" / "page"
SIDE, COUNT = 64, 130  # pixels of a picture; pictures of a class
CLASSES = ("filaments", "granules", "membrane", "mitochondria")
NETWORK = (
    "conv 16 5, batchnorm, relu, maxpool 2, conv 32 3, batchnorm, relu, maxpool 2, "
    "conv 32 3, batchnorm, relu, globalavgpool, dense classes"
)
WIDTHS, HEIGHT, COLOURS = (1280, 800), 800, 256
SEVEN = ((0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.4, 0.85))  # a stroke, as shares of the width and the height
PATIENCE = 120_000  # milliseconds
# The tab, the state it is shown in, and what is there once all of it is drawn.
SHOTS = {
    "see": ("layer=4&channel=3&y=13&x=17", ".ledger-head"),
    "explain": ("", ".explain-trust .note"),
    "filters": ("layer=0", ".filter-chosen .grid-table"),
    "train": ("", ".train-maps canvas"),
    "playground": ("kernel=vertical&padding=same&place=30.24", ".play-answer"),
    "mistakes": ("show=all", ".mistakes-card"),
    "embedding": ("", ".embedding-near .tile"),
}


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, browser() as page:
        cells, digits = Path(scratch) / "cells", Path(scratch) / "digits"
        draw_folder(cells)
        shoot(page, train(cells, "--network", NETWORK, "--epochs", "40", "--augment", "microscopy"), SHOTS)
        see = {"see": ("layer=2&channel=5", ".ledger-head")}
        learned = train(digits, digits=True)
        shoot(page, learned, see, "digits-")
        shoot_alone(page, learned)


def train(folder: Path, *words: str, digits: bool = False) -> Path:
    """A run folder, made by the command that people type."""
    source = [] if digits else [str(folder)]
    out = folder.parent / "runs"
    command = ["train", *source, *words, "--name", folder.name, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "striate", *command], check=True)
    return out / folder.name


@contextmanager
def browser() -> Iterator[Page]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("make_screenshots.py needs Chromium on the PATH: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = started.new_context(reduced_motion="no-preference")
        context.set_default_timeout(PATIENCE)
        yield context.new_page()
        started.close()


def shoot(page: Page, run: Path, shots: dict[str, tuple[str, str]], name: str = "") -> None:
    """Every tab of a run, in both lights and at both widths."""
    words = [sys.executable, "-m", "striate", "open", str(run), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as opened:
        try:
            address = re.search(r"http://\S+", opened.stdout.readline())[0]
            page.goto(address)
            for tab, (state, settled) in shots.items():
                for scheme in ("light", "dark"):
                    for width in WIDTHS:
                        page.set_viewport_size({"width": width, "height": HEIGHT})
                        page.emulate_media(color_scheme=scheme)
                        page.goto(address.split("?")[0] + f"#tab={tab}&{state}")
                        page.reload()
                        page.locator(settled).first.wait_for()
                        page.wait_for_load_state("networkidle")
                        save(PICTURES / f"{name}{tab}-{scheme}-{width}.png", page.screenshot())
        finally:
            opened.terminate()


def shoot_alone(page: Page, run: Path) -> None:
    """The exported page, which computes by itself, with a seven drawn on it, down to the arithmetic of a number."""
    file = run.parent / "digits.html"
    subprocess.run([sys.executable, "-m", "striate", "export", str(run), "--out", str(file)], check=True)
    page.set_viewport_size({"width": WIDTHS[1], "height": 2 * HEIGHT})
    page.emulate_media(color_scheme="light")
    page.goto(file.as_uri())
    box = page.locator(".pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.get_by_label("Maps of conv1", exact=True).click(position={"x": 85, "y": 30})
    page.mouse.move(0, 0)
    ledger = page.locator(".ledger").bounding_box()
    whole = {"x": 0, "y": 0, "width": WIDTHS[1], "height": ledger["y"] + ledger["height"] + page.evaluate("scrollY")}
    save(PICTURES / "alone.png", page.screenshot(full_page=True, clip=whole))


def save(path: Path, png: bytes) -> None:
    """With few colours, so that the repository stays small."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path.name}: {picture.width}×{picture.height}, {path.stat().st_size:,} bytes", flush=True)


def draw_folder(folder: Path) -> None:
    """FOLDER/<class>/NNN.png."""
    random = np.random.default_rng(0)
    for kind in CLASSES:
        (folder / kind).mkdir(parents=True)
        for number in range(COUNT):
            draw_cell(kind, random).save(folder / kind / f"{number:03}.png")


def draw_cell(kind: str, random: np.random.Generator) -> Image.Image:
    """One cell: its body faint red, its nucleus blue, and what is stained in it green."""
    big = 4 * SIDE
    middle = big / 2 + random.uniform(-0.06, 0.06, 2) * big
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    waves = sum(random.normal(0, 0.09 / n) * np.cos(n * angles + random.uniform(0, 6.3)) for n in (2, 3, 4, 5))
    radius = big * random.uniform(0.32, 0.4) * (1 + waves)
    outline = [tuple(point) for point in middle + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)]
    body, nucleus, stain = (Image.new("L", (big, big)) for _ in range(3))
    ImageDraw.Draw(body).polygon(outline, fill=255)
    tall, wide = random.uniform(0.09, 0.15, 2) * big
    at = middle + random.uniform(-0.05, 0.05, 2) * big
    ImageDraw.Draw(nucleus).ellipse((*(at - np.array((tall, wide))), *(at + np.array((tall, wide)))), fill=255)
    STAINS[kind](ImageDraw.Draw(stain), outline, middle, float(radius.mean()), random)
    shown = [small(layer, blur) for layer, blur in ((body, 6), (stain, 3), (nucleus, 5))]
    inside = small(body, 2)[..., None]
    light = np.stack(shown, 2) * (inside if kind != "membrane" else 1) * random.uniform((45, 150, 120), (85, 240, 220))
    light += np.stack([shown[1], shown[2], shown[0]], 2) * 30  # one dye shines a little in another's colour
    light += random.normal(10, 5, light.shape)
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def small(layer: Image.Image, blur: float) -> np.ndarray:
    """(SIDE, SIDE) from 0 to 1."""
    shrunk = layer.filter(ImageFilter.GaussianBlur(blur)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(shrunk, float) / 255


def filaments(brush: ImageDraw.ImageDraw, outline: list, middle: np.ndarray, radius: float, random) -> None:
    for _ in range(int(random.integers(9, 16))):
        start, end = (middle + random.normal(0, 0.2, 2) * radius, outline[int(random.integers(len(outline)))])
        bend = (start + np.array(end)) / 2 + random.normal(0, 0.25, 2) * radius
        t = np.linspace(0, 1, 20)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * np.array(end)
        brush.line([tuple(p) for p in curve], fill=255, width=4)


def granules(brush: ImageDraw.ImageDraw, outline: list, middle: np.ndarray, radius: float, random) -> None:
    for _ in range(int(random.integers(25, 55))):
        (x, y), r = middle + random.normal(0, 0.5, 2) * radius, random.uniform(3, 8)
        brush.ellipse((x - r, y - r, x + r, y + r), fill=255)


def membrane(brush: ImageDraw.ImageDraw, outline: list, middle: np.ndarray, radius: float, random) -> None:
    brush.line([*outline, *outline[:2]], fill=255, width=int(random.integers(7, 13)), joint="curve")


def mitochondria(brush: ImageDraw.ImageDraw, outline: list, middle: np.ndarray, radius: float, random) -> None:
    for _ in range(int(random.integers(14, 24))):
        at, way = middle + random.normal(0, 0.45, 2) * radius, random.uniform(0, 6.3)
        worm = [at]
        for _ in range(int(random.integers(4, 9))):
            way += random.normal(0, 0.5)
            worm.append(worm[-1] + 7 * np.array([np.cos(way), np.sin(way)]))
        brush.line([tuple(p) for p in worm], fill=255, width=7, joint="curve")


STAINS = {"filaments": filaments, "granules": granules, "membrane": membrane, "mitochondria": mitochondria}


if __name__ == "__main__":
    main()
