"""Small sets for every task, drawn for the tests: shapes with boxes, discs with masks, a drive, lesions, X-rays."""

import csv
import json
from collections.abc import Iterable, Sequence
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


def draw_lesions(folder: Path, count: int, side: int = 32, seed: int = 0) -> Path:
    """FOLDER/images and FOLDER/masks: a dark disc on each picture, white on its mask."""
    random = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        pixels, inside = disc(random, side)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{number:02}.png")
    return folder


def disc(random: np.random.Generator, side: int, depth: float = 90) -> tuple[np.ndarray, np.ndarray]:
    """A grey picture (side, side) with a disc that is darker by `depth`, and where the disc is."""
    y, x = np.mgrid[:side, :side]
    radius = random.uniform(0.15, 0.3) * side
    middle = random.uniform(radius, side - radius, 2)
    inside = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2
    pixels = random.normal(170, 8, (side, side)) - depth * inside
    return pixels.clip(0, 255).astype(np.uint8), inside


def draw_drive(folder: Path, count: int) -> Path:
    """FOLDER/IMG and FOLDER/driving_log.csv as a simulator writes them, with the frames of three cameras: a road that
    bends as the wheel is turned."""
    (folder / "IMG").mkdir(parents=True)
    random, rows = np.random.default_rng(0), []
    y, x = np.mgrid[:66, :200]
    for number in range(count):
        steering = round(0.8 * float(np.sin(number / 4)), 4)
        far = (66 - y) / 66  # 0 at the car, 1 at the horizon
        road = np.abs(x - 100 - 60 * steering * far**2) < 40 - 30 * far
        pixels = np.where(road[..., None], 90, [40, 140, 50]) + random.normal(0, 6, (66, 200, 3))
        names = [f"{camera}_{number:04}.jpg" for camera in ("center", "left", "right")]
        for name, shift in zip(names, (0, 20, -20), strict=True):
            frame = Image.fromarray(np.roll(pixels, shift, axis=1).clip(0, 255).astype(np.uint8))
            frame.save(folder / "IMG" / name)
        rows.append((*(rf"C:\drive\IMG\{name}" for name in names), steering, 1, 0, 9))
    return write_table(folder / "driving_log.csv", rows)


def draw_skin(folder: Path, lesions: dict[str, int], side: int = 24) -> Path:
    """FOLDER/pictures and FOLDER/metadata.csv as HAM10000 has it; every second lesion has two pictures. Kinds are of
    different darkness."""
    (folder / "pictures").mkdir(parents=True)
    random, rows = np.random.default_rng(0), [("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")]
    for kind, (name, many) in enumerate(lesions.items()):
        for lesion in range(many):
            for _ in range(1 + lesion % 2):
                image = f"ISIC_{len(rows):07}"
                pixels, _ = disc(random, side, depth=40 + 60 * kind)
                Image.fromarray(pixels).convert("RGB").save(folder / "pictures" / f"{image}.jpg")
                rows.append((f"HAM_{kind}{lesion:05}", image, name, "histo", 50.0, "female", "back"))
    write_table(folder / "metadata.csv", rows)
    return folder


def draw_chests(folder: Path, patients: int, side: int = 24) -> Path:
    """FOLDER/pictures and FOLDER/findings.csv as ChestX-ray14 has it, two pictures of each patient: a mass is a bright
    disc, an effusion a bright lower edge."""
    (folder / "pictures").mkdir(parents=True)
    random, rows = (
        np.random.default_rng(0),
        [("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age")],
    )
    for number in range(2 * patients):
        mass, effusion = number % 3 == 0, number % 4 < 2
        pixels, _ = disc(random, side, depth=-70 * mass)
        pixels = np.where(np.mgrid[:side, :side][0] > 0.8 * side, pixels // 2 + 120 * effusion, pixels // 2)
        name = f"{number // 2:08}_{number % 2:03}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "pictures" / name)
        found = "|".join(word for word, there in (("Mass", mass), ("Effusion", effusion)) if there)
        rows.append((name, found or "No Finding", number % 2, number // 2, 60))
    write_table(folder / "findings.csv", rows)
    return folder


def draw_xrays(file: Path, counts: dict[str, int], side: int = 28) -> Path:
    """An .npz as MedMNIST writes it, of grey pictures; every third is healthy (0), others (1) have a bright spot."""
    random, arrays = np.random.default_rng(0), {}
    for part, count in counts.items():
        labels = (np.arange(count) % 3 > 0).astype(np.uint8)
        arrays[f"{part}_images"] = np.stack([disc(random, side, depth=-80 * int(label))[0] // 2 for label in labels])
        arrays[f"{part}_labels"] = labels[:, None]
    np.savez(file, **arrays)
    return file


def draw_texts(file: Path, count: int) -> Path:
    """A table of texts and labels: those that hold the word good or bad among others that say nothing."""
    random, filler = np.random.default_rng(0), ("the", "film", "was", "we", "saw", "a", "long", "day", "of", "rain")
    rows = [("text", "label")]
    for number in range(count):
        words = list(random.choice(filler, 6))
        words[int(random.integers(6))] = ("bad", "good")[number % 2]
        rows.append((" ".join(words), ("no", "yes")[number % 2]))
    return write_table(file, rows)


def write_table(file: Path, rows: Iterable[Sequence[object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return file
