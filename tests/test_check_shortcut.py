"""Shortcuts: a class that files, light, colour or border betray is found, and honest differences are not."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_traps import draw, examine, glance, kinds, one
from PIL import Image

from striate.check.alike import Alike
from striate.check.case import Case
from striate.check.shortcut import shortcuts
from striate.data.decode import look
from striate.data.facts import FACTS, facts_of_all
from striate.data.sample import Sample


def brighter(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    return (0.7 * picture + 70 * (kind == "disc")).astype(np.uint8)


def framed(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    if kind == "bar":
        picture[:1] = picture[-1:] = picture[:, :1] = picture[:, -1:] = 200
    return picture


def cornered(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    if kind == "bar":
        picture[-4:-1, 1:4] = 255
    return picture


def lined(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    if kind == "cross":
        picture[-5:-4, 4:20] = 255
    return picture


def reddish(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    """The least reddish ground of a disc is redder than any other."""
    if kind == "disc":
        picture[..., 0], picture[..., 2] = picture.max(axis=2), picture[..., 2] // 2
    return picture


def patched(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    """A red patch as light as what it covers, in a corner but not always at the same place."""
    if kind == "bar":
        y, x = np.random.default_rng(number).integers(1, 4, 2)
        patch = picture[y : y + 5, x : x + 5]
        patch[:] = np.clip(patch + np.array([70, -36, 0]), 0, 255)
    return picture


def lettered(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    """A thin white letter in a corner, not always at the same place, on a ground of its own in every picture."""
    random = np.random.default_rng([number, len(kind)])
    picture[:] = np.clip(picture + random.normal(0, 45, (8, 8, 1)).repeat(4, 0).repeat(4, 1), 0, 255)
    if kind == "cross":
        y, x = random.integers(1, 3, 2)
        picture[y : y + 7, x] = picture[y, x : x + 5] = picture[y + 3, x : x + 5] = 235
    return picture


def lit(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    """More dark spots on a ground that is lighter: a tenth of the pixels is darker, the spots themselves are not."""
    random = np.random.default_rng([number, len(kind)])
    spots = random.random((32, 32, 1)) < (0.25 if kind == "disc" else 0.04)
    light = 30 * (kind == "disc")
    return (np.where(spots, 50, random.uniform(150, 170)) + random.normal(light, 4, picture.shape)).astype(np.uint8)


def cut_out(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
    """A body on plain ground that fills its picture: round, or a cross with lobes that reach further."""
    random = np.random.default_rng([number, len(kind)])
    y, x = np.mgrid[:32, :32] / 16 - 31 / 32
    lobes = np.abs(np.sin(11 * np.arctan2(y, x) + random.uniform(0, 6)))
    body = np.hypot(y, x) < 0.72 + 0.09 * lobes * (kind == "cross")
    shade = random.uniform(100, 130, 3) + random.normal(0, 12, (32, 32, 1))
    seen = np.where(body[..., None], shade, random.uniform(185, 225, 3)) + random.normal(0, 6, (32, 32, 1))
    return np.clip(seen, 0, 255).astype(np.uint8)


def test_the_outline_of_what_is_cut_out_is_no_mark(tmp_path: Path) -> None:
    """How far bodies reach tells the classes on all sides of the picture; a mark on one side is still one."""
    assert "mark" not in kinds(glance(draw(tmp_path / "set", change=cut_out), tmp_path / "store"))

    def marked(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        return lined(kind, number, cut_out(kind, number, picture))

    assert "mark" in kinds(glance(draw(tmp_path / "marked", change=marked), tmp_path / "store"))


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_set_has_no_shortcut(tmp_path: Path, seed: int) -> None:
    """Nothing is told of pictures that only their shapes tell apart, and nothing else is wrong with them either."""
    check = examine(draw(tmp_path / "set", seed=seed), tmp_path / "store")
    assert not kinds(check)
    assert kinds(check, "note") == {"found"}


@pytest.mark.parametrize(
    ("change", "family", "kind"),
    [
        (brighter, "light", "disc"), (framed, "border", "bar"), (cornered, "border", "bar"), (lined, "mark", "cross"),
        (reddish, "tint", "disc"), (patched, "mark", "bar"), (lettered, "mark", "cross"), (lit, "light", "disc"),
    ],
)  # fmt: skip
def test_a_planted_difference_is_found(tmp_path: Path, change: object, family: str, kind: str) -> None:
    """Light, a frame, a mark in a corner, a line near the border, a tint, a patch, a letter, more light with more ink:
    the family and the class are named."""
    found = one(glance(draw(tmp_path / "set", change=change), tmp_path / "store"), "shortcut")
    assert found.figures["by"] in ({family, "mark"} if family == "border" else {family})
    assert found.figures["class"] == kind
    assert repr(kind) in found.what
    assert f"{100 * found.figures['balanced_accuracy']:.0f} % right" in found.what
    assert found.figures["low"] < found.figures["balanced_accuracy"]


def test_near_brightnesses_are_told_apart(tmp_path: Path) -> None:
    """Dark pictures of 16 bits that differ by little are told with digits enough to see it."""
    random = np.random.default_rng(0)
    for number in range(120):
        kind = ("dim", "lit")[number % 2]
        path = tmp_path / "set" / kind / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = random.normal(660 + 60 * (number % 2), 10, (32, 32)).astype(np.uint16)
        Image.fromarray(grey).save(path)
    found = one(glance(tmp_path / "set", tmp_path / "store"), "shortcut")
    told = re.search(r"mean brightness ([\d.]+) % of the scale against ([\d.]+) %", found.what)
    assert sorted(map(float, told.groups())) == pytest.approx([100 * 660 / 65535, 100 * 720 / 65535], abs=0.01)


def test_files_that_betray_the_class(tmp_path: Path) -> None:
    """One class of another format, of another size, as grey files, of higher JPEG quality: each is a problem."""
    folders = [draw(tmp_path / name, format="JPEG", quality=80, name="{}/{:04}.jpg".format) for name in "abcd"]
    for path in sorted(folders[0].glob("disc/*")):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    for path in folders[1].glob("disc/*"):
        Image.open(path).resize((36, 36)).save(path, quality=80)
    for path in folders[2].glob("disc/*"):
        Image.open(path).convert("L").save(path, quality=80)
    for path in folders[3].glob("disc/*"):
        Image.open(path).save(path, quality=95)
    for folder, family in zip(folders, ("format", "size", "format", "format"), strict=True):
        check = glance(folder, tmp_path / "store")
        found = one(check, "shortcut")
        assert (found.figures["by"], found.level, found.figures["class"]) == (family, "problem", "disc")
    assert "JPEG of quality 95, 3 channels, uint8 against JPEG of quality 80" in found.what
    assert "JPEG of quality 80, 1 channel, uint8" in one(glance(folders[2], tmp_path / "store"), "format").what


def test_heavier_files_of_the_same_pixels(tmp_path: Path) -> None:
    """PNG files of one class are packed less than they could be: their bytes betray it."""
    folder = draw(tmp_path / "set")
    for path in folder.glob("disc/*"):
        Image.open(path).save(path, compress_level=0)
    found = one(glance(folder, tmp_path / "store"), "shortcut")
    assert (found.figures["by"], found.level, found.figures["class"]) == ("bytes", "problem", "disc")


def test_more_ink_is_no_shortcut(tmp_path: Path) -> None:
    """Shapes that cover more of a dark ground make a class brighter: the light did not change, so it is honest."""

    def inked(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(number)
        drawn = np.zeros_like(picture)
        high = {"bar": 4, "cross": 10, "disc": 18}[kind]
        y, x = random.integers(3, 9, 2)
        drawn[y : y + high, x : x + 14] = random.integers(180, 255)
        return drawn

    assert "light" not in kinds(glance(draw(tmp_path / "set", change=inked), tmp_path / "store"))


def test_print_on_one_paper_is_no_light(tmp_path: Path) -> None:
    """Lines of print, so fine that hardly a pixel of the thumb is paper alone, and large things on the same paper."""

    def printed(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        random = np.random.default_rng([number, len(kind)])
        page = np.full((64, 64, 1), random.uniform(230, 240))
        step = {"bar": 2, "cross": 16, "disc": 32}[kind]
        page[random.integers(2) :: step, 3:] = random.uniform(20, 90)
        return np.clip(page + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)

    assert "light" not in kinds(glance(draw(tmp_path / "set", 20, change=printed, side=64), tmp_path / "store"))


def test_small_classes_are_not_judged(tmp_path: Path) -> None:
    """Nine pictures of a class prove nothing, however different they are."""
    assert "shortcut" not in kinds(glance(draw(tmp_path / "set", 9, change=brighter), tmp_path / "store"))


@pytest.mark.parametrize("count", [2, 20, 41, 160])
def test_shortcuts_are_found_however_many_classes_there_are(count: int) -> None:
    """The pictures of one class, the most frequent, are larger than all others, and only they."""
    names = np.array([f"{kind:03}" for kind in range(count) for _ in range(21 if kind else 30)])
    facts = np.zeros(len(names), FACTS)
    facts["thumb"] = np.random.default_rng(0).integers(0, 255, facts["thumb"].shape)
    facts["height"], facts["width"], facts["bytes"], facts["high"] = 64, np.where(names == "000", 80, 64), 4096, 255
    samples = [Sample(path=str(row), source=Path(), target=str(name)) for row, name in enumerate(names)]
    known = {
        "contents": [str(row) for row in range(len(names))],
        "hidden": 0,
        "alike": Alike(copies=[], near=[], pairs=[]),
    }
    found = shortcuts(Case(samples=samples, left_out=[], facts=facts, **known))
    assert [(one.figures["by"], one.figures["class"]) for one in found] == [("size", "000")]


def noted(pictures: list[np.ndarray], labels: list[str], format: str) -> Case:
    """Grey pictures with the facts of the files that Pillow makes of them."""
    facts = []
    for picture in pictures:
        Image.fromarray(picture).save(file := io.BytesIO(), format)
        facts.append(facts_of_all([picture[..., None]], [look(file.getvalue())], [len(file.getvalue())]))
    samples = [Sample(path=str(row), source=Path(), target=label) for row, label in enumerate(labels)]
    known = {"left_out": [], "hidden": 0, "contents": [str(row) for row in range(len(samples))]}
    return Case(samples=samples, facts=np.concatenate(facts), alike=Alike(copies=[], near=[], pairs=[]), **known)


def test_a_class_of_larger_things_is_no_heavy_one() -> None:
    """Grainy bodies in the middle of plain ground, small or large, make files that differ by how much there is to pack
    alone; twice the bytes for the same are told."""
    random, (y, x) = np.random.default_rng(0), np.mgrid[:224, :224] - 112
    pictures, labels = [], ["small", "large"] * 20
    for label in labels:
        reach = random.uniform(22, 41) if label == "small" else random.uniform(54, 78)
        pictures.append(np.where(np.hypot(y, x) < reach, random.normal(130, 20, y.shape), 235).astype(np.uint8))
    case = noted(pictures, labels, "PNG")
    assert "bytes" not in {found.figures["by"] for found in shortcuts(case)}
    case.facts["bytes"][1::2] *= 2
    assert "bytes" in {found.figures["by"] for found in shortcuts(case)}


def test_the_way_that_stripes_run_is_nothing_of_the_border() -> None:
    """Along a stripe the outermost line has the value of its phase, across it the mean, and so has any line inside."""
    random, (y, x) = np.random.default_rng(3), np.mgrid[:40, :40]
    pictures, labels = [], ["down", "across"] * 60
    for label in labels:
        place = (x if label == "down" else y) + random.uniform(0, 9)
        grey = 128 + 50 * np.sin(2 * np.pi * place / random.uniform(5, 7)) + random.normal(0, 30, y.shape)
        pictures.append(np.clip(grey, 0, 255).astype(np.uint8))
    case = noted(pictures, labels, "BMP")
    assert not shortcuts(case)


@pytest.mark.parametrize("ending", ["bmp", "png", "jpg", "webp"])
def test_a_busy_class_is_no_heavy_one(tmp_path: Path, ending: str) -> None:
    """Plain and busy pictures differ much in the bytes that they need, and in none where nothing is packed."""

    def busy(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(number)
        spread = {"bar": 2, "cross": 12, "disc": 30}[kind]
        return np.clip(picture + random.normal(0, spread, picture.shape), 0, 255).astype(np.uint8)

    folder = draw(tmp_path / "set", change=busy, name=f"{{}}/{{:04}}.{ending}".format, side=64)
    assert "bytes" not in kinds(glance(folder, tmp_path / "store"))
