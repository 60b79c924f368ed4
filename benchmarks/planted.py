"""Traps planted into a folder of labelled pictures, and what was planted where.

Every function takes the folder (class folders inside) and a random generator, changes the folder and returns the
`Truth`. None needs to know how the folder came about: drawn and real pictures are treated alike.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from clean_sets import load, save, soft, whole
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass
class Truth:
    """Copies as (copy, original, what was done to it), single pictures, and of every picture what it belongs to."""

    pairs: list[tuple[str, str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)


def listed(folder: Path) -> list[Path]:
    """Every picture, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def classes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def some(folder: Path, random: np.random.Generator, share: float, least: int) -> list[Path]:
    """A share of the pictures, each once."""
    paths = listed(folder)
    return [paths[at] for at in random.choice(len(paths), max(least, round(share * len(paths))), replace=False)]


def fresh(path: Path, random: np.random.Generator, suffix: str = "") -> Path:
    """A free name beside `path` that looks like it: other digits."""
    while True:
        digits = [str(random.integers(10)) if letter.isdigit() else letter for letter in path.stem]
        made = path.with_name("".join(digits) + (suffix or path.suffix))
        if not any(path.parent.glob(made.stem + ".*")):
            return made


def name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def top(picture: np.ndarray) -> int:
    """The greatest value of the scale: 12-bit cameras store in 16 bits."""
    return 255 if picture.dtype == np.uint8 else 4095


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    planes = picture[..., None] if picture.ndim == 2 else picture
    size, way = (width, height), Image.Resampling.BICUBIC
    made = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, way)) for plane in planes.transpose(2, 0, 1)
    ]
    return whole(np.stack(made, axis=2) if picture.ndim == 3 else made[0], top(picture))


def rescaled(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    factor = random.uniform(0.6, 0.85) if random.random() < 0.5 else random.uniform(1.2, 1.7)
    return resized(picture, *(round(side * factor) for side in picture.shape[:2]))


def cropped(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """2 to 6 % off every side, one pixel at least."""
    (y0, y1), (x0, x1) = (
        [max(1, round(side * random.uniform(0.02, 0.06))) for _ in "ab"] for side in picture.shape[:2]
    )
    return picture[y0:-y1, x0:-x1]


def retouched(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Contrast and brightness changed by up to 15 %."""
    gain, lift = random.uniform(0.85, 1.15), random.uniform(-0.06, 0.06) * top(picture)
    return whole(picture * gain + lift, top(picture))


CHANGES: dict[str, Change] = {
    "reencoded": lambda picture, random: picture,
    "rescaled": rescaled,
    "mirrored": lambda picture, random: picture[:, ::-1],
    "upside down": lambda picture, random: picture[::-1],
    "rotated": lambda picture, random: np.rot90(picture, int(random.integers(1, 4))),
    "cropped": cropped,
    "retouched": retouched,
    "mirrored and rescaled": lambda picture, random: rescaled(picture[:, ::-1], random),
}


def encode(path: Path, picture: np.ndarray, random: np.random.Generator) -> Path:
    """Written anew beside `path`: JPEG of some quality, or PNG where it has 16 bits. The name is free."""
    deep = picture.dtype != np.uint8
    made = fresh(path, random, ".png" if deep else ".jpg")
    save(made, np.ascontiguousarray(picture), int(random.integers(60, 91)))
    return made


def duplicates(folder: Path, random: np.random.Generator) -> Truth:
    truth = Truth()
    for path in some(folder, random, 0.01, 3):
        copy = fresh(path, random)
        shutil.copy(path, copy)
        truth.pairs.append((name(copy, folder), name(path, folder), "copied"))
    return truth


def near(folder: Path, random: np.random.Generator) -> Truth:
    """Each kind of change in turn; half of the copies keep the set's file type, unless re-encoding is the change."""
    truth = Truth()
    for number, path in enumerate(some(folder, random, 0.01, len(CHANGES))):
        how = list(CHANGES)[number % len(CHANGES)]
        picture = CHANGES[how](load(path), random)
        if how == "reencoded" or random.random() < 0.5:
            copy = encode(path, picture, random)
        else:
            copy = fresh(path, random)
            save(copy, np.ascontiguousarray(picture))
        truth.pairs.append((name(copy, folder), name(path, folder), how))
    return truth


def conflicts(folder: Path, random: np.random.Generator) -> Truth:
    """The same picture under two classes, copied or re-encoded."""
    truth, kinds = Truth(), classes(folder)
    for number, path in enumerate(some(folder, random, 0.02, 6)):
        others = [kind for kind in kinds if kind != path.parent]
        copy = fresh(others[random.integers(len(others))] / path.name, random)
        if number % 2 == 0:
            shutil.copy(path, copy)
        else:
            copy = encode(copy, load(path), random)
        truth.pairs.append((name(copy, folder), name(path, folder), ("copied", "reencoded")[number % 2]))
    return truth


def exif(folder: Path, random: np.random.Generator) -> Truth:
    """Copies turned in the file and turned back by their EXIF orientation."""
    truth, turns = Truth(), {3: 2, 6: 1, 8: 3}
    for path in some(folder, random, 0.01, 3):
        picture = load(path)
        if picture.dtype != np.uint8:
            return truth
        orientation, quarter = list(turns.items())[random.integers(3)]
        tags = Image.Exif()
        tags[0x0112] = orientation
        copy = fresh(path, random, ".jpg")
        Image.fromarray(np.ascontiguousarray(np.rot90(picture, quarter))).save(copy, quality=90, exif=tags)
        truth.pairs.append((name(copy, folder), name(path, folder), f"orientation {orientation}"))
    return truth


def flipped_labels(folder: Path, random: np.random.Generator) -> Truth:
    truth, kinds = Truth(), classes(folder)
    for path in some(folder, random, 0.05, 1):
        others = [kind for kind in kinds if kind != path.parent]
        moved = path.rename(fresh(others[random.integers(len(others))] / path.name, random))
        truth.paths.append(name(moved, folder))
    return truth


def _related(folder: Path, random: np.random.Generator, label: Callable[[int, int], str], look: float) -> Truth:
    """Every class divided among sources of 8 to 14 pictures, which get the source's own light and a common name."""
    truth, source = Truth(), 0
    for kind in classes(folder):
        paths = listed(kind)
        random.shuffle(paths)
        while paths:
            source += 1
            taken = [paths.pop() for _ in range(min(int(random.integers(8, 15)), len(paths)))]
            light = soft(random, 64, 3) + random.normal()
            for number, path in enumerate(taken, 1):
                picture = load(path)
                ours = np.asarray(Image.fromarray(light.astype(np.float32)).resize(picture.shape[1::-1]))
                ours = ours[..., None] if picture.ndim == 3 else ours
                made = kind / f"{label(source, number)}{path.suffix}"
                path.unlink()
                save(made, whole(picture + look * top(picture) * ours, top(picture)))
                truth.groups[name(made, folder)] = str(source)
    return truth


def patients(folder: Path, random: np.random.Generator) -> Truth:
    return _related(folder, random, lambda source, number: f"p{source:02}_{number:03}", 0.06)


def slides(folder: Path, random: np.random.Generator) -> Truth:
    def label(source: int, number: int) -> str:
        return f"slide-{'ABCDEF'[source % 6]}{source}_x{512 * (number % 4)}_y{512 * (number // 4)}"

    return _related(folder, random, label, 0.06)


def subfolders(folder: Path, random: np.random.Generator) -> Truth:
    return _related(folder, random, lambda source, number: f"mouse{source}/{number:02}", 0.06)


def augmented(folder: Path, random: np.random.Generator) -> Truth:
    """Only every sixth picture is kept, with five changed copies that bear its number, as augmentation tools write."""
    truth = Truth()
    kept = {path: load(path) for kind in classes(folder) for path in listed(kind)[::6]}
    for path in listed(folder):
        path.unlink()
    for source, (path, picture) in enumerate(kept.items()):
        for _ in range(6):
            made = path.with_name(f"_{source}_{random.integers(10_000)}{path.suffix}")
            save(made, wild(picture, random))
            truth.groups[name(made, folder)] = str(source)
    return truth


def wild(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turned by up to 15 degrees, moved, zoomed and perhaps mirrored, the edge filled with the mean."""
    angle, zoom = np.deg2rad(random.uniform(-15, 15)), random.uniform(0.9, 1.1)
    height, width = picture.shape[:2]
    a, b = np.cos(angle) / zoom, np.sin(angle) / zoom
    x, y = width / 2 + random.uniform(-0.06, 0.06) * width, height / 2 + random.uniform(-0.06, 0.06) * height
    matrix = (a, b, x - a * width / 2 - b * height / 2, -b, a, y + b * width / 2 - a * height / 2)
    planes = picture[..., None] if picture.ndim == 2 else picture
    made = []
    for plane in planes.transpose(2, 0, 1):
        options = {"resample": Image.Resampling.BILINEAR, "fillcolor": float(plane.mean())}
        image = Image.fromarray(plane.astype(np.float32))
        made.append(np.asarray(image.transform(image.size, Image.Transform.AFFINE, matrix, **options)))
    turned = whole(np.stack(made, axis=2) if picture.ndim == 3 else made[0], top(picture))
    return np.ascontiguousarray(turned[:, ::-1] if random.random() < 0.5 else turned)


def leak(folder: Path, random: np.random.Generator) -> Truth:
    """Given parts, where 3 % of the test pictures are copies of training pictures."""
    parts(folder, random)
    truth, trained = Truth(), some(folder / "train", random, 0.01, 6)
    for number, path in enumerate(trained):
        there = folder / "test" / path.parent.name / path.name
        if number % 2 == 0:
            shutil.copy(path, copy := fresh(there, random))
        else:
            copy = encode(there, CHANGES[("reencoded", "mirrored")[number // 2 % 2]](load(path), random), random)
        truth.pairs.append((name(copy, folder), name(path, folder), "between parts"))
    return truth


def parts(folder: Path, random: np.random.Generator) -> Truth:
    """The set as train/ and test/, nothing shared."""
    kinds, tested = classes(folder), set(some(folder, random, 0.25, 1))
    for path in listed(folder):
        made = folder / ("test" if path in tested else "train") / path.parent.name / path.name
        made.parent.mkdir(parents=True, exist_ok=True)
        path.rename(made)
    for kind in kinds:
        kind.rmdir()
    return Truth()


def constant(folder: Path, random: np.random.Generator) -> Truth:
    truth = Truth()
    for path, value in zip(some(folder, random, 0, 2), (0.0, 0.6), strict=True):
        picture = load(path)
        made = fresh(path, random)
        save(made, np.full_like(picture, round(value * top(picture))))
        truth.paths.append(name(made, folder))
    return truth


def outliers(folder: Path, random: np.random.Generator) -> Truth:
    """Three scanned pages of print, in the size and kind of the others."""
    truth = Truth()
    for path in some(folder, random, 0, 3):
        picture = load(path)
        page = np.full(picture.shape, 240.0)
        height, wide = max(2, len(page) // 16), max(2, page.shape[1] // 24)
        for line in range(height, len(page) - height, 2 * height):
            for word in range(wide, page.shape[1] - wide, wide):
                page[line : line + height, word : word + wide] = 25 if random.random() < 0.7 else 240
        made = fresh(path, random)
        save(made, whole(page * (top(picture) / 255), top(picture)))
        truth.paths.append(name(made, folder))
    return truth
