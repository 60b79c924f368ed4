"""Draw a small set of pictures to try things on: python draw_shapes.py FOLDER [PICTURES_PER_CLASS] [SIDE]

FOLDER/shapes gets the classes circle, square and triangle, grey shapes of any size and place under noise,
and, as in every real folder, a note and an empty file. FOLDER/new gets four pictures without a class.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "square", "triangle")
NOISE = 30.0  # standard deviation, where black is 0 and white 255


def draw(kind: str, side: int, random: np.random.Generator) -> Image.Image:
    """One grey picture of side × side pixels with one shape in it."""
    ground, ink = random.uniform(70, 110), random.uniform(130, 190)
    picture = Image.new("L", (4 * side, 4 * side), int(ground))  # four times too large, then shrunk: smooth edges
    radius = random.uniform(0.18, 0.34) * 4 * side
    x, y = random.uniform(radius, 4 * side - radius, size=2)
    if kind == "circle":
        ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(ink))
    else:
        corners, turn = (4 if kind == "square" else 3), random.uniform(0, 360)
        ImageDraw.Draw(picture).regular_polygon((x, y, radius), corners, rotation=turn, fill=int(ink))
    small = np.asarray(picture.resize((side, side), Image.Resampling.BOX), float)
    return Image.fromarray(np.clip(small + random.normal(0, NOISE, small.shape), 0, 255).astype(np.uint8))


def main(folder: Path, count: int, side: int) -> None:
    random = np.random.default_rng(0)
    for kind in CLASSES:
        (folder / "shapes" / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw(kind, side, random).save(folder / "shapes" / kind / f"{number:03}.png")
    (folder / "shapes" / "circle" / "notes.txt").write_text("drawn by draw_shapes.py\n")
    (folder / "shapes" / "square" / "broken.png").write_bytes(b"")
    (folder / "new").mkdir(exist_ok=True)
    for number in range(4):
        draw(CLASSES[number % 3], side, random).save(folder / "new" / f"picture-{number}.png")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    numbers = [int(word) for word in sys.argv[2:]] + [100, 32][len(sys.argv) - 2 :]
    main(Path(sys.argv[1]), *numbers)
