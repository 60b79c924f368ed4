"""Small pictures drawn for the tests, and what several of them ask of a folder."""

import csv
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import sources
from striate.draw import charts, maps, sheets
from striate.export.model import Model
from striate.train import illustrate

# The fastest network that can tell the drawn classes apart.
TINY = "conv 4 3, relu, globalavgpool, dense classes"


def picture(label: int, number: int, side: int = 8, channels: int = 1) -> np.ndarray:
    """(side, side[, 3]) uint8: noise, with vertical stripes (0), horizontal ones (1) or a bright corner (2)."""
    random = np.random.default_rng([label, number])
    pixels = random.integers(0, 120, (side, side, channels))
    if label == 0:
        pixels[:, ::2] += 130
    elif label == 1:
        pixels[::2] += 130
    else:
        pixels[: side // 2, : side // 2] += 130
    return pixels.astype(np.uint8)[:, :, 0] if channels == 1 else pixels.astype(np.uint8)


def draw_folder(root: Path, counts: dict[str, int], side: int = 8, channels: int = 1) -> Path:
    """ROOT/<class>/NN.png with that many pictures of each class; `root` again."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(picture(label, number, side, channels)).save(root / name / f"{number:02}.png")
    return root


def tree(folder: Path) -> dict[str, tuple]:
    """Everything about a folder that must not change: names, kinds, times, modes and contents."""
    facts = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        facts[path.relative_to(folder).as_posix()] = (status.st_mode, status.st_mtime_ns, status.st_size, content)
    return facts


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def said_by(model: Model, pictures: np.ndarray) -> np.ndarray:
    """(N, K) what a model says of every output, for prepared pictures (N, H, W, C)."""
    said = [model.task.per_class(answer) for answer in model.answers(pictures)]
    return np.reshape(said, (-1, len(model.classes)))


def white_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts and heatmaps are tested elsewhere and take most of a small run's time: draw white ones, and of heatmaps a
    mistake and a hit, untested."""
    white = io.BytesIO()
    Image.new("L", (1, 1), 255).save(white, "PNG")
    of_charts = ("curves", "confusion", "calibration", "roc", "runs", "scatter", "errors", "labels", "recall_curves")
    drawn = (charts, of_charts), (sheets, ("picture_sheet", "kernels")), (maps, ("network_sheet",))
    for place, names in drawn:
        for name in names:
            monkeypatch.setattr(place, name, lambda *a, **k: white.getvalue())
    for name, value in {"MISTAKES": 1, "HITS": 1, "LITTLE": 0}.items():
        monkeypatch.setattr(illustrate, name, value)


def few_digits(monkeypatch: pytest.MonkeyPatch, most: int = 300) -> None:
    """Of the digits only the first: most of a short training on all of them goes into looking for copies."""
    found = sources.read_digits()
    monkeypatch.setattr(sources, "read_digits", lambda: replace(found, samples=found.samples[:most]))
