"""Small pictures with numbers and labels that can be seen on them, and tables that tell these."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 12


def bar(number: int) -> tuple[np.ndarray, float, float]:
    """(SIDE, SIDE) uint8 noise with an upright bar, its place from -1 (left) to 1, and how bright it is (0 to 1)."""
    random = np.random.default_rng(number)
    pixels, place, light = random.integers(0, 50, (SIDE, SIDE)), int(random.integers(SIDE)), random.random()
    pixels[:, place] = 90 + 160 * light
    return pixels.astype(np.uint8), 2 * place / (SIDE - 1) - 1, float(light)


def marks(number: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """(SIDE, SIDE) uint8 noise, and which are there: a "line" across, a "corner" that is bright, both or none."""
    random = np.random.default_rng(number)
    pixels, names = random.integers(0, 60, (SIDE, SIDE)), []
    if random.random() < 0.3:
        pixels[:4, :4] += 150
        names.append("corner")
    if random.random() < 0.6:
        pixels[random.integers(5, SIDE)] += 150
        names.append("line")
    return pixels.astype(np.uint8), tuple(names)


def number_table(folder: Path, count: int = 60) -> Path:
    """bars.csv with the places and lights of `count` pictures, and four lines that cannot be used."""
    lines = ["path,place,light"]
    for number in range(count):
        pixels, place, light = bar(number)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
        lines.append(f"{number:03}.png,{place:.6f},{light:.6f}")
    lines[3] = "002.png,nan,0.5"
    lines[4] = "003.png,inf,0.5"
    lines[5] = "004.png,left,0.5"
    lines.append("gone.png,0.5,0.5")
    (folder / "bars.csv").write_text("\n".join(lines))
    return folder / "bars.csv"


def label_table(folder: Path, count: int = 60) -> Path:
    """marks.csv with a list of labels for each of `count` pictures."""
    lines = ["path,labels"]
    for number in range(count):
        pixels, names = marks(number)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
        lines.append(f"{number:03}.png,{';'.join(names)}")
    (folder / "marks.csv").write_text("\n".join(lines))
    return folder / "marks.csv"
