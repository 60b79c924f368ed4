"""Draws the pictures of honest.md: python docs/make_honest_pictures.py

Drawn cells, so that nothing is anybody's data; every number in the pictures is computed here.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from striate.draw import style
from striate.evaluate.intervals import wilson
from striate.files import write_bytes

PICTURES = Path(__file__).resolve().parent / "pictures" / "honest"
SIDE = 96  # pixels of a drawn cell
FRAMES = {"train": style.BLUE, "test": style.ORANGE, "": style.GRID}


def main() -> None:
    for draw in (copies, alike, two_labels, series, kinds, shortcut, mark, depth, interval, symmetry):
        file = PICTURES / f"{draw.__name__.replace('_', '-')}.png"
        write_bytes(file, style.to_png(draw()))
        print(file)


def cell(seed: int, lobes: int = 3, stain: float = 1.0) -> Image.Image:
    """A stained white blood cell among red ones, as a pathologist's camera would see it, roughly."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (4 * SIDE, 4 * SIDE), (238, 226, 222))
    brush = ImageDraw.Draw(picture)
    for _ in range(5):  # red cells, pale in the middle
        x, y = random.uniform(0, 4 * SIDE, 2)
        for radius, colour in ((46, (222, 160, 160)), (18, (232, 190, 186))):
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    middle = 2 * SIDE + random.uniform(-30, 30, 2)
    _disc(brush, middle, 104, (204, 190, 216))
    tint = tuple(int(value) for value in np.array((104, 62, 140)) * stain)
    turn = random.uniform(0, 2 * np.pi)
    for lobe in range(lobes):
        angle = turn + 2 * np.pi * lobe / lobes
        _disc(brush, middle + 44 * np.array((np.cos(angle), np.sin(angle))), 40 + 4 * random.uniform(-1, 1), tint)
    small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.7))
    noisy = np.asarray(small) + random.normal(0, 3, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _disc(brush: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, colour: tuple[int, ...]) -> None:
    x, y = middle
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def row(
    tiles: Sequence[Image.Image], captions: Sequence[str], parts: Sequence[str] = (), height: float = 1.75
) -> Figure:
    """Pictures side by side, each in the frame of its part and above its caption."""
    figure = style.new_figure(1.3 * len(tiles), height)
    for place, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        axes = figure.add_subplot(1, len(tiles), place + 1)
        part = parts[place] if parts else ""
        axes.imshow(tile, interpolation="nearest", cmap="gray", vmin=0, vmax=255)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(caption, fontsize=7.5, color=style.INK)
        if part:
            axes.set_title(part, fontsize=7.5, color=FRAMES[part])
        axes.spines[:].set(edgecolor=FRAMES[part], linewidth=3 if part else 1)
    return figure


def copies() -> Figure:
    one, other = cell(1), cell(2, 2)
    tiles = [one, cell(3), other, one, other, cell(4)]
    names = ["0001.png", "0002.png", "0003.png", "0914.png", "0915.png", "0916.png"]
    return row(tiles, names, ["train"] * 3 + ["test"] * 3, 1.9)


def alike() -> Figure:
    one = cell(5)
    buffer = io.BytesIO()
    one.save(buffer, "JPEG", quality=12)
    tiles = [
        one, one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), one.rotate(90), one.rotate(25, Image.Resampling.BICUBIC),
        ImageEnhance.Brightness(one).enhance(0.75), Image.open(buffer), one.crop((5, 5, 91, 91)),
    ]  # fmt: skip
    return row(
        tiles, ["the original", "mirrored", "turned by 90°", "turned by 25°", "darker", "saved again", "cropped"]
    )


def two_labels() -> Figure:
    one = cell(6)
    return row([one, one, cell(7, 2)], ["neutrophil/17.png", "monocyte/203.png", "monocyte/204.png"])


def series() -> Figure:
    patients = {"patient p01": (1.0, style.GREEN), "patient p02": (1.45, style.BLUE)}
    tiles = [cell(10 * p + k, 3, stain) for p, (stain, _) in enumerate(patients.values(), 1) for k in range(3)]
    figure = row(tiles, [f"p0{1 + k // 3}_00{1 + k % 3}.png" for k in range(6)], height=1.95)
    for place, axes in enumerate(figure.axes):
        name, (_, colour) = list(patients.items())[place // 3]
        axes.spines[:].set(edgecolor=colour, linewidth=2.5)
        if place % 3 == 0:
            axes.set_title(name, fontsize=7.5, color=colour, loc="left")
    return figure


def kinds() -> Figure:
    blank = Image.new("RGB", (SIDE, SIDE), (238, 226, 222))
    tiles = [cell(30), cell(31, 2), cell(32).convert("L"), blank, cell(33).resize((12, 12))]
    return row(tiles, ["96 × 96, colour", "96 × 96, colour", "grey", "nothing on it", "12 × 12"])


def shortcut() -> Figure:
    """Mean brightness of two drawn classes that differ in their lamp as well as in their nuclei."""
    random = np.random.default_rng(0)
    kinds_ = [("neutrophil", 3, 1.0, style.BLUE), ("lymphocyte", 1, 0.9, style.ORANGE)]
    figure = style.new_figure(6.4, 2.1)
    axes = style.plain_axes(figure.add_subplot())
    means, edges = [], np.linspace(165, 215, 41)
    for name, lobes, lamp, colour in kinds_:
        values = [
            float(np.mean(ImageEnhance.Brightness(cell(100 + k, lobes)).enhance(lamp + 0.02 * random.normal())))
            for k in range(80)
        ]
        means.append(values)
        axes.hist(values, edges, color=colour, alpha=0.75, label=name)
    border = np.linspace(165, 215, 501)
    told = max(np.mean([*(np.array(means[0]) > b), *(np.array(means[1]) <= b)]) for b in border)
    axes.set_xlabel("mean brightness of a picture", fontsize=8, color=style.MUTED)
    axes.set_ylabel("pictures", fontsize=8, color=style.MUTED)
    axes.set_title(f"one number, no cell looked at, tells the class in {100 * told:.0f} % of 160 pictures",
                   fontsize=9, color=style.INK, loc="left")  # fmt: skip
    axes.legend(fontsize=8, frameon=False)
    return figure


def mark() -> Figure:
    tiles = [cell(40 + k, 3 if k < 3 else 1) for k in range(6)]
    for tile in tiles[3:]:
        ImageDraw.Draw(tile).rectangle((84, 4, 91, 11), fill=(250, 250, 250))
    return row(tiles, ["neutrophil"] * 3 + ["lymphocyte"] * 3)


def depth() -> Figure:
    """A faint cell in 16 bits: what its upper byte keeps, and what measured limits keep."""
    random = np.random.default_rng(3)
    light = np.asarray(cell(50).convert("L"), np.float64)
    deep = 1000 + 300 * (light - light.min()) / np.ptp(light) + random.normal(0, 4, light.shape)
    deep[3, 90] = 65535  # a hot pixel
    cut = (deep // 256).astype(np.uint8)
    whole = (deep - deep.min()) / np.ptp(deep)
    low, high = np.percentile(deep, [0.1, 99.9])
    kept = np.clip((deep - low) / (high - low), 0, 1)
    tiles = [Image.fromarray(cut), *(Image.fromarray((255 * v).astype(np.uint8)) for v in (whole, kept))]
    names = [
        f"upper 8 of 16 bits:\n{len(np.unique(cut))} values left",
        "least to greatest:\na hot pixel takes all",
        f"0.1 to 99.9 %:\n{low:.0f} to {high:.0f}",
    ]
    return row(tiles, names, height=2.0)


def interval() -> Figure:
    """95 % intervals (Wilson) of 90 % right on tests of growing size."""
    figure = style.new_figure(6.4, 2.1)
    axes = style.plain_axes(figure.add_subplot(), grid="x")
    for place, n in enumerate((20, 50, 100, 500, 2000)):
        low, high = wilson(0.9 * n, n)
        axes.plot([100 * low, 100 * high], [place, place], color=style.BLUE, linewidth=5, solid_capstyle="round")
        axes.plot(90, place, "o", color=style.INK, markersize=4)
        axes.annotate(f"{100 * low:.0f} to {100 * high:.0f} %", (100 * high + 1, place), va="center", fontsize=8,
                      color=style.MUTED)  # fmt: skip
    axes.set_yticks(range(5), ["20 pictures", "50", "100", "500", "2,000"])
    axes.set_xlim(60, 108)
    axes.set_title("“90 % right” says little when few pictures were tested", fontsize=9, color=style.INK, loc="left")
    axes.invert_yaxis()
    return figure


def symmetry() -> Figure:
    """A cell stays what it is when mirrored; a letter does not."""
    figure = style.new_figure(6.4, 1.9)
    one = cell(60, 2)
    mirrored = one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for place, (tile, words) in enumerate([(one, "monocyte"), (mirrored, "still one")]):
        axes = figure.add_subplot(1, 4, place + 1)
        axes.imshow(tile)
        axes.set_axis_off()
        axes.set_title(words, fontsize=8, color=style.INK)
    for place, (letter, words) in enumerate([("b", "the letter b"), ("d", "mirrored: another letter")]):
        axes = figure.add_subplot(1, 4, place + 3)
        axes.add_patch(FancyBboxPatch((0, 0), 1, 1, boxstyle="square,pad=0", facecolor="white", edgecolor=style.GRID))
        axes.text(0.5, 0.47, letter, ha="center", va="center", fontsize=54, color=style.INK)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title(words, fontsize=8, color=style.INK)
    return figure


if __name__ == "__main__":
    main()
