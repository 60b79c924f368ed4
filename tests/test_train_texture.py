"""Numbers: which symmetries keep them true is told by a straight line on figures of texture."""

import numpy as np
import pytest
from test_train_probe import labelled

from striate.augment.geometry import IDENTITY, MIRRORED, QUARTER_TURN
from striate.data.prepare import Preparation, Shape
from striate.train.symmetry import choose_symmetry
from striate.train.texture import figures, known_numbers, told_by_light, turned

SIDE, COUNT = 48, 160


def drawn(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, SIDE, SIDE, 1) and the number that each shows: the angle of a needle, how far to the right or how
    low a square lies, how many squares there are, or nothing at all."""
    random, y, x = np.random.default_rng(3), *(np.mgrid[:SIDE, :SIDE] - SIDE / 2)
    pictures = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    numbers = random.uniform(0, {"needle": np.pi, "many": 25}.get(kind, SIDE - 4), COUNT)
    for picture, number in zip(pictures, numbers, strict=True):
        if kind == "needle":
            picture[(np.abs(x * np.sin(number) - y * np.cos(number)) < 2) & (np.hypot(x, y) < 18)] = 255
        elif kind == "noise":
            picture[:] = random.integers(0, 255, picture.shape)
        else:
            for _ in range(int(number) + 1 if kind == "many" else 1):
                top, left = random.integers(0, SIDE - 4, 2)
                top, left = (int(number), left) if kind == "low" else (top, left)
                left = int(number) if kind == "right" else left
                picture[top : top + 4, left : left + 4] = 200
    return pictures[..., None], numbers[:, None]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("needle", "none"), ("right", "none"), ("low", "mirror"), ("many", "dihedral"), ("noise", "none")],
)
def test_numbers_get_the_symmetry_they_have(kind: str, expected: str) -> None:
    """What is counted may be turned, a place from above mirrored, an angle neither; of noise, as usual for grey."""
    pictures, numbers = drawn(kind)
    unit = Preparation(shape=Shape(height=SIDE, width=SIDE, channels=1), low=(0,), high=(255,), mean=(0,), std=(1,))
    symmetry, why = choose_symmetry(labelled(pictures, numbers, unit, ("number",)), np.arange(COUNT), operations=0.0)
    assert symmetry == expected
    assert ("as usual" in why) == (kind == "noise")


def test_a_column_that_cannot_be_turned_decides_for_all() -> None:
    """How many squares there are, and how far to the right the first one lies: nothing may be mirrored."""
    many, number = drawn("many")
    right, place = drawn("right")
    pictures = np.concatenate([many, right], axis=2)[:, :, ::2]
    known = labelled(pictures, np.concatenate([number, place], axis=1), None, ("count", "place"))
    symmetry, why = choose_symmetry(known, np.arange(COUNT), operations=0.0)
    assert symmetry == "none"
    assert why.startswith("mirrored pictures keep")


def test_figures_are_what_they_say() -> None:
    """A picture of which the right half is bright: means, spread, the light of fields, and steps to the right alone."""
    picture = np.zeros((2, 8, 8, 1), np.uint8)
    picture[0, :, 4:] = 100
    found = figures(picture)
    grey = picture[..., 0].astype(float)
    standard = (grey - grey.mean()) / grey.std()
    assert found[:, 0] == pytest.approx([50, 0])
    assert found[:, 1] == pytest.approx([50, 0])
    assert found[0, 2:6] == pytest.approx(standard[0, 0, ::2], rel=1e-5)
    down, across, slant, other = np.exp(found[0, 18:22]) - 1e-6
    step = (standard[0, 0, 7] - standard[0, 0, 0]) / 7  # one of seven columns of steps
    assert (down, across, slant, other) == pytest.approx((0, step, step, step), abs=1e-5)
    assert found[0, 23] == pytest.approx(7**0.5, rel=1e-3)  # one in seven: (s³ / 7) / (s² / 7)^1.5


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (3, 20), (2, 2)])
def test_narrow_pictures_have_as_many_fields_as_pixels(size: tuple[int, int]) -> None:
    """Figures of pictures less than four pixels wide are numbers, their light among them, without a warning."""
    pictures = np.random.default_rng(0).integers(0, 255, (12, *size, 1)).astype(np.uint8)
    found = figures(pictures)
    assert found.shape[1] == 2 + min(size[0], 4) * min(size[1], 4)  # mean, spread and fields
    assert np.isfinite(found).all()


def test_kin_are_never_asked_about_what_they_taught() -> None:
    """Pictures of noise that come in pairs with one number: nothing is known unless a twin is learned from."""
    random = np.random.default_rng(0)
    pictures = np.repeat(random.integers(0, 255, (40, 16, 16, 1), dtype=np.uint8), 2, axis=0)
    numbers = np.repeat(random.normal(size=(40, 1)), 2, axis=0)
    apart = known_numbers(pictures, numbers, np.arange(80), QUARTER_TURN, 0)[IDENTITY]
    together = known_numbers(pictures, numbers, np.arange(80) // 2, QUARTER_TURN, 0)[IDENTITY]
    assert apart.mean() > together.mean()
    assert together.mean() < 0.1


def test_turned_pictures() -> None:
    """Mirrored first, then turned by quarters, as numpy does each picture."""
    pictures = np.arange(2 * 3 * 3).reshape(2, 3, 3, 1)
    assert np.array_equal(turned(pictures, MIRRORED)[1, ..., 0], np.fliplr(pictures[1, ..., 0]))
    assert np.array_equal(turned(pictures, QUARTER_TURN)[1, ..., 0], np.rot90(pictures[1, ..., 0]))


def test_what_light_alone_tells() -> None:
    """All of how bright a picture is, half of a sum of that and chance, nothing of where a square lies."""
    random, rows = np.random.default_rng(0), np.arange(200)
    bright = random.uniform(40, 200, 200)
    pictures = np.clip(bright[:, None, None, None] + random.normal(0, 5, (200, 12, 12, 1)), 0, 255).astype(np.uint8)
    assert told_by_light(pictures, bright[:, None], rows, 0) > 0.95
    mixed = bright + bright.std() * random.normal(size=200)
    assert told_by_light(pictures, mixed[:, None], rows, 0) == pytest.approx(0.5, abs=0.15)
    squares, places = drawn("right")
    assert told_by_light(squares, places, np.arange(COUNT), 0) < 0.1
    both = np.stack([random.normal(size=200), bright], axis=1)
    assert told_by_light(pictures, both, rows, 0) > 0.95


def test_pictures_that_all_belong_together_tell_nothing() -> None:
    """With nobody left to ask, nothing is known, and light is no exception."""
    pictures, numbers = drawn("many")
    one = np.zeros(COUNT, np.int64)
    assert not known_numbers(pictures, numbers, one, QUARTER_TURN, 0)[MIRRORED].any()
    assert told_by_light(pictures, numbers, one, 0) == 0
