"""Draws the pictures of README and docs anew, from a real run: python docs/make_pictures.py

Trains on the digits with default settings and seed 0, photographs its report with Chromium, and writes
docs/pictures/*.png. Needs what the tests need, and chromium on the PATH.
"""

import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import striate
from striate.data.shown import with_heat
from striate.draw import pixels, sheets, style
from striate.files import write_bytes
from striate.inside.filters import filter_picture
from striate.inside.heatmap import enlarge

PICTURES = Path(__file__).resolve().parent / "pictures"
REPORT_WIDTH, REPORT_HEIGHT = 800, 570  # points of the page that are shown
DENSE = 2  # dots per point
GAP = 36  # dots


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        run = striate.train(name="digits", quiet=True)
        report = photograph(run.folder / "report.html", Path(scratch))
        shutil.copy(run.folder / "augmentation.png", PICTURES / "augmentation.png")
        save("series.png", Image.fromarray(explain_series()))
    scene = draw_scene()
    result = filter_picture(scene, "edge")
    save("report.png", side_by_side(report, scene, result.feature_map))
    sheet = sheets.side_by_side(scene, result.feature_map, "edge, stride 1, padding valid", result.formula)
    save("filter.png", Image.open(io.BytesIO(sheet)))


def explain_series() -> np.ndarray:
    """Two test series of a real training, each on the ground of its heatmap: a slow and a fast burst in noise."""
    random = np.random.default_rng(0)
    values, labels = random.normal(0, 0.3, (160, 200)), ["slow", "fast"] * 80
    for row, label in zip(values, labels, strict=True):
        place = random.integers(0, 150)
        row[place : place + 50] += np.sin(np.arange(50) * (0.5 if label == "slow" else 1.1)) * np.hanning(50) * 1.5
    model, drawn = striate.train((values[4:], labels[4:]), name="bursts", quiet=True).model, []
    for row, label in list(zip(values, labels, strict=True))[:2]:
        look = model.look(row)
        heat = striate.heatmap(model.network, model.input(look.stored), score=model.classes.index(label))
        drawn.append(with_heat(look.stored, partial(enlarge, heat.map), look.shape, signed=heat.signed))
    return np.concatenate([drawn[0], np.full((len(drawn[0]), GAP, 3), 255, np.uint8), drawn[1]], axis=1)


def photograph(page: Path, scratch: Path) -> Image.Image:
    """The upper part of a page as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("make_pictures.py needs chromium on the PATH")
    file = scratch / "page.png"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         f"--force-device-scale-factor={DENSE}", f"--window-size={REPORT_WIDTH},{REPORT_HEIGHT + 200}",
         f"--user-data-dir={scratch / 'browser'}", f"--screenshot={file}", page.resolve().as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip
    return Image.open(file).convert("RGB").crop((0, 0, DENSE * REPORT_WIDTH, DENSE * REPORT_HEIGHT))


def side_by_side(report: Image.Image, scene: np.ndarray, feature_map: np.ndarray) -> Image.Image:
    """The report, and to its right a picture above its feature map."""
    height = (report.height - 5 * GAP) // 2
    width = round(height * scene.shape[1] / scene.shape[0])
    canvas = Image.new("RGB", (report.width + width + GAP, report.height), report.getpixel((1, 1)))
    canvas.paste(report, (0, 0))
    brush, letters = (
        ImageDraw.Draw(canvas),
        ImageFont.truetype(matplotlib.get_data_path() + "/fonts/ttf/DejaVuSans.ttf", 26),
    )
    shown = pixels.diverging(feature_map, float(np.percentile(np.abs(feature_map), 99.5)))
    for row, (picture, words) in enumerate([(scene, "a picture"), (shown, "its edges: filter 0 1 0; 1 −4 1; 0 1 0")]):
        y = GAP + row * (height + 2 * GAP)
        tile = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(tile, (report.width, y))
        brush.text((report.width, y + height + 8), words, font=letters, fill=style.MUTED)
    return canvas


def draw_scene() -> np.ndarray:
    """Houses under an evening sky, (240, 320, 3) of uint8: something with edges of every direction."""
    random = np.random.default_rng(1)
    sky = np.linspace((40, 60, 120), (230, 160, 120), 240).astype(np.uint8)
    picture = Image.fromarray(np.repeat(sky[:, None, :], 320, axis=1))
    brush = ImageDraw.Draw(picture)
    brush.ellipse((232, 36, 276, 80), fill=(250, 240, 210))
    for left in range(8, 300, 44):
        top, shade = int(random.integers(90, 170)), int(random.integers(40, 110))
        brush.rectangle((left, top, left + 36, 240), fill=(shade, shade, shade + 20))
        brush.polygon([(left - 3, top), (left + 18, top - 26), (left + 39, top)], fill=(shade + 50, shade, shade))
        for y in range(top + 10, 230, 22):
            for x in (left + 6, left + 22):
                lit = random.random() < 0.5
                brush.rectangle((x, y, x + 8, y + 10), fill=(250, 220, 130) if lit else (20, 24, 40))
    return np.asarray(picture)


def save(name: str, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="PNG", optimize=True)
    write_bytes(PICTURES / name, buffer.getvalue())
    print(f"{PICTURES / name}: {picture.width}×{picture.height}, {len(buffer.getvalue()):,} bytes")


if __name__ == "__main__":
    main()
