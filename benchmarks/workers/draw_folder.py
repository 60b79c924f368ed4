"""Folders of drawn pictures: python draw_folder.py KIND FOLDER COUNT

"photos": JPEG files of 320x240 pixels. "large": JPEG files of 12 megapixels. "small": grey PNG files of 16x16.
Each in ten class folders (large: three) and no two alike.
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from drawn import pictures
from PIL import Image, ImageDraw


def photos(folder: Path, count: int) -> None:
    for first in range(0, count, 100):
        drawn, labels = pictures(min(100, count - first), 320, 3, 10, seed=first)
        for number, (picture, label) in enumerate(zip(drawn, labels, strict=True), first):
            _save(Image.fromarray(picture[:240]), folder / f"class{label}" / f"{number:06}.jpg")


def large(folder: Path, count: int) -> None:
    """Shapes before soft noise, like a photograph for the decoder: about 3 MB each."""
    random = np.random.default_rng(0)
    noise = random.normal(0, 9, (3000, 4000, 3)).astype(np.float32)
    for number in range(count):
        scene = Image.new("RGB", (4000, 3000), tuple(random.integers(60, 200, 3).tolist()))
        brush = ImageDraw.Draw(scene)
        for _ in range(60):
            x, y, reach = random.integers(0, 4000), random.integers(0, 3000), random.integers(50, 700)
            shape = (brush.ellipse, brush.rectangle)[int(random.integers(2))]
            shape((x, y, x + reach, y + reach), fill=tuple(random.integers(0, 256, 3).tolist()))
        moved = np.roll(noise, (37 * number, 91 * number), (0, 1))
        pixels = np.clip(np.asarray(scene, np.float32) + moved, 0, 255).astype(np.uint8)
        _save(Image.fromarray(pixels), folder / f"class{number % 3}" / f"{number:06}.jpg")


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90)


def small(folder: Path, count: int) -> None:
    """Written byte by byte, since there may be a million."""
    random = np.random.default_rng(0)
    for label in range(10):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
    for first in range(0, count, 10_000):
        size = min(10_000, count - first)
        rows = np.zeros((size, 16, 17), np.uint8)  # each row of a PNG begins with its filter, 0
        rows[:, :, 1:] = random.integers(0, 256, (size, 16, 16), dtype=np.uint8)
        for number, row in enumerate(rows, first):
            data = zlib.compress(row.tobytes(), 1)
            (folder / f"class{number % 10}" / f"{number:07}.png").write_bytes(png(data, 16))


def png(data: bytes, side: int) -> bytes:
    """A grey 8-bit PNG file around its compressed rows."""
    out = io.BytesIO()
    out.write(b"\x89PNG\r\n\x1a\n")
    for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")):
        out.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return out.getvalue()


if __name__ == "__main__":
    {"photos": photos, "large": large, "small": small}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
