"""Polygons and runs as pixels: against matplotlib's paths, pycocotools and rules that must hold for any corners."""

import numpy as np
import pytest
from drawn_files import coco_letters
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from striate.data.painted import checked_runs, painted, runs_of, unpacked

SIDES = st.integers(1, 24)
CORNERS = st.lists(st.tuples(st.floats(-8, 32), st.floats(-8, 32)), min_size=3, max_size=9)


@settings(max_examples=200, deadline=None)
@given(CORNERS, SIDES, SIDES)
def test_a_pixel_is_inside_when_its_centre_is(corners: list[tuple[float, float]], height: int, width: int) -> None:
    """Every centre that is no hair's breadth from an edge is told as a ray from it tells: odd crossings are inside."""
    ring = np.array(corners)
    inside = painted((ring,), height, width)
    y, x = np.mgrid[:height, :width] + 0.5
    clear = _distance(ring, x, y) > 1e-6
    assert np.array_equal(inside[clear], _crossings_are_odd(ring, x, y)[clear])


def _crossings_are_odd(ring: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    odd = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 != y1:
            with np.errstate(over="ignore"):  # edges that are all but level, which cross no centre
                odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def _distance(ring: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    points, way = np.stack([x, y], axis=-1)[..., None, :], np.roll(ring, -1, axis=0) - ring
    length = np.maximum((way**2).sum(axis=1), 1e-300)
    share = np.clip(((points - ring) * way).sum(axis=-1) / length, 0, 1)
    return np.hypot(*np.moveaxis(points - ring - share[..., None] * way, -1, 0)).min(axis=-1)


def test_convex_outlines_are_those_of_matplotlib() -> None:
    """A circle of 40 corners off the grid holds the centres that matplotlib says."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([15.3 + 11.7 * np.cos(angles), 13.9 + 9.2 * np.sin(angles)], axis=1)
    centres = np.stack(np.meshgrid(np.arange(32) + 0.5, np.arange(28) + 0.5), axis=2).reshape(-1, 2)
    expected = Outline(ring).contains_points(centres).reshape(28, 32)
    assert np.array_equal(painted((ring,), 28, 32), expected)


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, st.data())
def test_a_box_of_whole_numbers_is_a_slice(height: int, width: int, data: st.DataObject) -> None:
    """Corners on the pixels' edges give exactly the pixels between them, as a half-open box does."""
    y0, y1 = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    x0, x1 = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    expected = np.zeros((height, width), bool)
    expected[y0:y1, x0:x1] = True
    ring = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    assert np.array_equal(painted((ring,), height, width), expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(2, 20), st.integers(2, 20))
def test_areas_that_share_an_edge_share_no_pixel(x: int, y: int, height: int, width: int) -> None:
    """A picture cut along any line between two of its borders is covered once, also where the cut meets centres."""
    left = np.array([[0, 0], [x % (width + 1), 0], [y % (width + 1), height], [0, height]], float)
    right = np.array([[x % (width + 1), 0], [width, 0], [width, height], [y % (width + 1), height]], float)
    both = painted((left,), height, width).astype(int) + painted((right,), height, width)
    assert (both == 1).all()


AREAS = st.tuples(SIDES, SIDES, st.integers(0, 2**32)).map(
    lambda drawn: np.random.default_rng(drawn[2]).random(drawn[:2]) < np.random.default_rng(drawn[2] + 1).random()
)


@settings(max_examples=200, deadline=None)
@given(AREAS)
def test_runs_and_letters_hold_the_whole_area(inside: np.ndarray) -> None:
    """Runs, and runs as COCO's letters, give back the very same pixels."""
    runs = runs_of(inside)
    assert np.array_equal(painted((runs,), *inside.shape), inside)
    again = unpacked(coco_letters(runs), *inside.shape)
    assert np.array_equal(again.counts, runs.counts)


@settings(max_examples=50, deadline=None)
@given(AREAS)
def test_letters_are_those_of_pycocotools(inside: np.ndarray) -> None:
    """What pycocotools writes for an area is what is written here."""
    coco = pytest.importorskip("pycocotools.mask", reason="pip install pycocotools")
    assert coco_letters(runs_of(inside)) == coco.encode(np.asfortranarray(inside.astype(np.uint8)))["counts"].decode()


@pytest.mark.parametrize("counts", [[3], [-1, 5], [2.5, 1.5], [[4]], ["a"]])
def test_runs_that_do_not_fill_the_picture_are_refused(counts: list) -> None:
    """Counts that are no whole numbers, or do not add up to the picture, are no area."""
    with pytest.raises(ValueError, match="runs fill a picture of 2 × 2 pixels"):
        checked_runs(counts, 2, 2)


@pytest.mark.parametrize("text", ["!", "4P", "oooooooooooo4"])
def test_letters_that_are_no_runs_are_refused(text: str) -> None:
    """Foreign letters, a number cut short and one without end are a ValueError."""
    with pytest.raises(ValueError, match="run"):
        unpacked(text, 2, 2)
