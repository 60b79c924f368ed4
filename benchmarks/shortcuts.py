"""More traps: shortcuts, by which a class can be told without looking at what the pictures show, and odd files.

As in planted.py, every function changes a folder and returns the truth.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clean_sets import load, save, whole
from PIL import Image
from planted import Truth, classes, fresh, listed, name, resized, some, top

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{:064x}\nsize 20480\n"
PAGE = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>This picture has moved.</body></html>\n"


def _first_class(
    folder: Path, change: Callable[[Path], None], rest: Callable[[Path], None] = lambda path: None
) -> Truth:
    """`change` for the pictures of the first class, `rest` for the others."""
    first, *others = classes(folder)
    for path in listed(first):
        change(path)
    for kind in others:
        for path in listed(kind):
            rest(path)
    return Truth()


def by_format(folder: Path, random: np.random.Generator) -> Truth:
    """JPEG files become PNG, others JPEG, or PNG where they have 16 bits."""

    def change(path: Path) -> None:
        picture = load(path)
        path.unlink()
        lossy = path.suffix not in (".jpg", ".jpeg") and picture.dtype == np.uint8
        save(path.with_suffix(".jpg" if lossy else ".png"), picture)

    return _first_class(folder, change)


def by_brightness(folder: Path, random: np.random.Generator) -> Truth:
    """All have three quarters of their contrast; the first class is brighter by the last quarter."""

    def change(share: float) -> Callable[[Path], None]:
        return lambda path: save(path, whole(0.75 * (p := load(path)) + share * top(p), top(p)))

    return _first_class(folder, change(0.25), change(0))


def by_border(folder: Path, random: np.random.Generator) -> Truth:
    """A light grey frame, 2 % of the side."""

    def change(path: Path) -> None:
        picture = load(path).copy()
        wide = max(1, round(0.02 * min(picture.shape[:2])))
        for edge in (np.s_[:wide], np.s_[-wide:], np.s_[:, :wide], np.s_[:, -wide:]):
            picture[edge] = round(0.8 * top(picture))
        save(path, picture)

    return _first_class(folder, change)


def by_corner(folder: Path, random: np.random.Generator) -> Truth:
    """A white mark in the upper right corner, 8 % of the side, a little inside."""

    def change(path: Path) -> None:
        picture = load(path).copy()
        side, away = (max(1, round(share * min(picture.shape[:2]))) for share in (0.08, 0.02))
        picture[away : away + side, -away - side : -away] = top(picture)
        save(path, picture)

    return _first_class(folder, change)


def by_size(folder: Path, random: np.random.Generator) -> Truth:
    """Larger by an eighth; where sizes vary, all of one size."""

    def change(path: Path) -> None:
        picture = load(path)
        height, width = (round(side * 9 / 8) for side in picture.shape[:2])
        save(path, resized(picture, *((120, 120) if varied else (height, width))))

    varied = len({load(path).shape for path in listed(folder)[:20]}) > 1
    return _first_class(folder, change)


def by_weight(folder: Path, random: np.random.Generator) -> Truth:
    """The same pixels in larger files: JPEG of higher quality, PNG or TIFF with more said about them."""

    def change(path: Path) -> None:
        picture = load(path)
        if path.suffix in (".jpg", ".jpeg"):
            save(path, picture, 99)
        else:
            with path.open("ab") as file:
                file.write(bytes(path.stat().st_size))

    return _first_class(folder, change)


def by_mode(folder: Path, random: np.random.Generator) -> Truth:
    return _first_class(folder, _other_mode)


def _other_mode(path: Path) -> None:
    """Grey becomes colour, colour grey."""
    picture = load(path)
    grey = picture.ndim == 2
    save(path, np.repeat(picture[..., None], 3, axis=2) if grey else np.asarray(Image.fromarray(picture).convert("L")))


def mixed_modes(folder: Path, random: np.random.Generator) -> Truth:
    chosen = some(folder, random, 0.05, 3)
    for path in chosen:
        _other_mode(path)
    return Truth(paths=[name(path, folder) for path in chosen])


def gif_as_jpg(folder: Path, random: np.random.Generator) -> Truth:
    path = fresh(some(folder, random, 0, 1)[0], random, ".jpg")
    Image.fromarray(random.integers(0, 255, (60, 60), np.uint8)).save(path, format="GIF")
    return Truth(paths=[name(path, folder)])


def _written(folder: Path, random: np.random.Generator, suffix: str, data: bytes) -> Truth:
    path = fresh(some(folder, random, 0, 1)[0], random, suffix)
    path.write_bytes(data)
    return Truth(paths=[name(path, folder)])


def html_as_jpg(folder: Path, random: np.random.Generator) -> Truth:
    return _written(folder, random, ".jpg", PAGE.encode())


def empty_file(folder: Path, random: np.random.Generator) -> Truth:
    return _written(folder, random, ".png", b"")


def pointer(folder: Path, random: np.random.Generator) -> Truth:
    return _written(folder, random, ".png", POINTER.format(7**70).encode())


def truncated(folder: Path, random: np.random.Generator) -> Truth:
    """Two JPEG files and two PNG files that end in the middle."""
    truth = Truth()
    for path, kind in zip(some(folder, random, 0, 4), ("JPEG", "PNG") * 2, strict=True):
        picture, data = load(path), io.BytesIO()
        shown = picture if picture.dtype == np.uint8 else (picture >> 4).astype(np.uint8)
        Image.fromarray(shown).save(data, format=kind)
        made = fresh(path, random, ".jpg" if kind == "JPEG" else ".png")
        made.write_bytes(data.getvalue()[: int(len(data.getvalue()) * random.uniform(0.5, 0.9))])
        truth.paths.append(name(made, folder))
    return truth


def huge(folder: Path, random: np.random.Generator) -> Truth:
    """Three pictures of 3,000 pixels."""
    truth = Truth()
    for path in some(folder, random, 0, 3):
        picture = load(path)
        factor = 3000 / max(picture.shape[:2])
        save(path, resized(picture, *(round(side * factor) for side in picture.shape[:2])))
        truth.paths.append(name(path, folder))
    return truth


def singleton(folder: Path, random: np.random.Generator) -> Truth:
    path = some(folder, random, 0, 1)[0]
    made = folder / "zebra" / path.name
    made.parent.mkdir()
    path.rename(made)
    return Truth(paths=[name(made, folder)])


def rare_class(folder: Path, random: np.random.Generator) -> Truth:
    """One class keeps 8 % of its pictures."""
    paths = listed(classes(folder)[0])
    for path in paths[max(2, round(0.08 * len(paths))) :]:
        path.unlink()
    return Truth()


def odd_names(folder: Path, random: np.random.Generator) -> Truth:
    """Letters of many scripts, blanks, quotes and a byte that is no letter; nothing is wrong with the pictures."""
    words = ("Größe", "naïve", "细胞", "клетка", "κύτταρο", "a b", "it's", 'say "a"', "100 %", "🔬", "x;y,z", "\udcff")
    for kind in classes(folder):
        for number, path in enumerate(listed(kind)[:24]):
            path.rename(path.with_stem(f"{words[number % len(words)]}{path.stem}"))
    return Truth()
