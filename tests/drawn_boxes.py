"""Pictures of discs and squares with their boxes, drawn for the tests."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 48, 64


def draw_shapes(folder: Path, count: int, seed: int = 0) -> Path:
    """COCO: pictures of 48×64 with one to three discs and squares that do not touch."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        image = Image.fromarray(random.integers(50, 80, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        pen, taken = ImageDraw.Draw(image), []
        images.append({"id": number, "file_name": f"{number:02}.png", "height": HEIGHT, "width": WIDTH})
        for _ in range(20):
            side = int(random.integers(11, 20))
            x, y = int(random.integers(0, WIDTH - side)), int(random.integers(0, HEIGHT - side))
            apart = all(x + side < a or a + s < x or y + side < b or b + s < y for a, b, s in taken)
            if not apart or len(taken) == 3:
                continue
            taken.append((x, y, side))
            kind, edges = int(random.integers(2)), (x, y, x + side - 1, y + side - 1)
            (pen.ellipse if kind else pen.rectangle)(edges, fill=(230, 220, 90) if kind else (90, 230, 240))
            box = {"id": len(annotations) + 1, "image_id": number, "category_id": kind, "bbox": [x, y, side, side]}
            annotations.append({**box, "area": side * side, "iscrowd": 0})
        image.save(folder / f"{number:02}.png")
    kinds = [{"id": 0, "name": "square"}, {"id": 1, "name": "disc"}]
    record = {"images": images, "annotations": annotations, "categories": kinds}
    (folder / "all.json").write_text(json.dumps(record))
    return folder
