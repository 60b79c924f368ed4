"""Clean sets of small pictures for the tests of `check`, and what it takes to examine a folder."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from striate.check.doctor import check_store
from striate.check.finding import Check, Finding
from striate.data.prepare import Shape
from striate.data.sources import read_source
from striate.data.store import build_store

CLASSES = ("bar", "cross", "disc")
Change = Callable[[str, int, np.ndarray], np.ndarray]


def scene(random: np.random.Generator, kind: str, side: int = 32) -> np.ndarray:
    """(side, side, 3) uint8: a shape of random place, size and colour on a cloudy ground of random light."""
    ground = random.uniform(60, 170, 3) + random.normal(0, 12, (side // 4, side // 4, 3))
    picture = np.asarray(Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)).resize((side, side))).astype(float)
    y, x = np.mgrid[:side, :side] - random.uniform(0.4, 0.6, (2, 1, 1)) * side
    reach, wide = random.uniform(0.2, 0.3) * side, 0.07 * side
    shape = {
        "bar": (np.abs(y) < wide) & (np.abs(x) < reach),
        "cross": ((np.abs(y) < wide) | (np.abs(x) < wide)) & (np.maximum(np.abs(x), np.abs(y)) < reach * 0.7),
        "disc": np.hypot(y, x) < 0.55 * reach,
    }[kind]
    picture[shape] += random.choice([-1, 1]) * random.uniform(45, 80, 3)
    return np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def draw(
    root: Path,
    each: int = 40,
    *,
    name: Callable[[str, int], str] = "{}/img_{:04}.png".format,
    change: Change = lambda kind, number, picture: picture,
    seed: int = 0,
    side: int = 32,
    **options: object,
) -> Path:
    """`each` pictures of every class; `name` says where each goes, `change` what is done to it; `root` again."""
    random = np.random.default_rng(seed)
    for number in range(each):
        for place, kind in enumerate(CLASSES):
            path = root / name(kind, len(CLASSES) * number + place)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(change(kind, number, scene(random, kind, side))).save(path, **options)
    return root


def examine(folder: Path, store: Path, seconds: float = math.inf, **options: object) -> Check:
    """What is found in a folder, through a store of 16 pixels; of looks, as far as `seconds` last."""
    found = read_source(folder, **options)
    return check_store(found, build_store(found.samples, store, Shape(height=16, width=16, channels=3)), seconds)


def glance(folder: Path, store: Path, **options: object) -> Check:
    """What is found without comparing looks, which takes most of the time and means nothing to other findings."""
    return examine(folder, store, 0, **options)


def kinds(check: Check, *levels: str) -> set[str]:
    """The kinds of the findings of these levels, of problems and cautions by default; shortcuts by their family."""
    wanted = levels or ("problem", "caution")
    return {found.figures.get("by", found.kind) for found in check.findings if found.level in wanted}


def one(check: Check, kind: str) -> Finding:
    """The only finding of a kind, or of a family of shortcuts."""
    (found,) = [found for found in check.findings if kind in (found.kind, found.figures.get("by"))]
    return found
