"""Objects in label maps: what is cut apart, and which of them are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from striate.evaluate.objects import NECKS, Hills, best_neck, measured, object_counts, objects_in


def discs(*placed: tuple[float, float, float], size: tuple[int, int] = (60, 120)) -> np.ndarray:
    """(N, H, W) of bool, a disc for each x, y and radius."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([(x - left) ** 2 + (y - top) ** 2 <= radius**2 for left, top, radius in placed])


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two maps of numbers divide pixels alike."""
    pairs = len(np.unique(np.stack([one, other]).reshape(2, -1), axis=1)[0])
    return pairs == len(np.unique(one)) == len(np.unique(other)) and ((one == 0) == (other == 0)).all()


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 1, 2, 255]))
)
def test_with_no_neck_objects_are_the_connected_areas_of_scipy(labels: np.ndarray) -> None:
    """Hills that are all joined are what scipy.ndimage labels, class by class; unknown pixels are of no object."""
    expected, last = np.zeros(labels.shape, int), 0
    for kind in (1, 2):
        areas, found = ndimage.label(labels == kind)
        expected[areas > 0] = areas[areas > 0] + last
        last += found
    hills = Hills.of(labels)
    assert same(hills.merged(0)[hills.places], expected)
    assert same(objects_in(labels), expected)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 1])))
def test_wider_necks_only_cut_further(labels: np.ndarray) -> None:
    """Every object lies within one object of a smaller neck, and all have the pixels of the areas."""
    coarse = objects_in(labels)
    for neck in NECKS[1:]:
        fine = objects_in(labels, neck=neck)
        assert ((fine > 0) == (labels > 0)).all()
        owners = ndimage.maximum(coarse, fine, range(1, fine.max() + 1))
        assert same(np.append(0, owners)[fine].astype(int), coarse)
        coarse = fine


def test_discs_that_touch_are_cut_where_they_meet() -> None:
    """Two overlapping discs are two objects, cut within two pixels of the line through the points where their
    circles cross; one disc and a bar stay whole, and so do the two where only narrower necks are cut."""
    both = discs((40, 30, 20), (72, 30, 20)).any(axis=0).astype(np.uint8)  # 32 apart: the neck is 24 of 40 wide
    cut = objects_in(both, neck=0.8)
    assert cut.max() == 2
    columns = np.arange(120)
    assert len(np.unique(cut[:, columns < 54][both[:, columns < 54] > 0])) == 1
    assert len(np.unique(cut[:, columns > 58][both[:, columns > 58] > 0])) == 1
    assert objects_in(both, neck=0.5).max() == 1
    bar = np.zeros((60, 120), np.uint8)
    bar[20:40, 10:110] = 1
    assert objects_in(bar, neck=0.9).max() == 1
    assert objects_in(discs((40, 30, 20))[0].astype(np.uint8), neck=0.95).max() == 1


def test_classes_that_touch_are_objects_of_their_own() -> None:
    """Halves of a disc with two classes are two objects with any neck; a background may have any number."""
    disc = discs((40, 30, 20))[0]
    labels = np.where(disc, np.where(np.arange(120) < 40, 1, 2), 7).astype(np.uint8)
    for neck in (0.0, 0.9):
        assert objects_in(labels, 7, neck).max() == 2
    assert objects_in(np.full((5, 5), 255, np.uint8), None, 0.9).max() == 0


def test_the_neck_is_the_least_that_finds_most() -> None:
    """Of drawn pairs of discs with known numbers most are found with a neck; where masks know no objects, nothing is
    told or all lie apart, none is cut."""
    rng, triples = np.random.default_rng(0), []
    for _ in range(6):
        x, y, gap = rng.uniform(25, 40), rng.uniform(25, 35), rng.uniform(24, 30)
        two = discs((x, y, 16), (x + gap, y, 16))
        triples.append(
            (two.any(axis=0).astype(np.uint8), two[0] + 2 * (two[1] & ~two[0]), two.any(axis=0).astype(np.uint8))
        )
    neck = best_neck(triples, 0)
    found = np.sum(
        [object_counts(numbers, objects_in(told, 0, neck), truth == told) for truth, numbers, told in triples], 0
    )
    assert neck > 0
    assert found.tolist() == [12, 12, 12]
    for less in (each for each in NECKS if each < neck):
        counts = [object_counts(one, objects_in(told, 0, less), truth == told)[2] for truth, one, told in triples]
        assert sum(counts) < 12
    apart = discs((30, 30, 12), (80, 30, 12))
    alone = apart.any(axis=0).astype(np.uint8), apart[0] + 2 * apart[1], apart.any(axis=0).astype(np.uint8)
    assert best_neck([alone], 0) == 0
    assert best_neck([(truth, None, told) for truth, _, told in triples], 0) == 0
    assert best_neck([], 0) == 0


@pytest.mark.parametrize("neck", NECKS)
def test_counts_of_joined_hills_are_those_of_the_map(neck: float) -> None:
    """Joining the overlaps of hills counts what comparing the finished objects pixel by pixel counts."""
    rng = np.random.default_rng(1)
    true = discs(*zip(rng.uniform(5, 115, 12), rng.uniform(5, 55, 12), rng.uniform(4, 14, 12), strict=True))
    numbers = np.max(true * np.arange(1, 13)[:, None, None] ** 3, axis=0)
    told = ndimage.binary_dilation(np.roll(numbers > 0, 2, axis=1)).astype(np.uint8)
    truth = np.where(np.arange(120) < 100, numbers > 0, 255).astype(np.uint8)
    known = np.where(truth == 255, 255, told)
    found = objects_in(known, 0, neck)
    true_ones = [numbers == each for each in np.unique(numbers[numbers > 0])]
    told_ones = [found == each for each in range(1, found.max() + 1)]
    right = known == truth
    hits = sum((a & b & right).sum() > 0.5 * (a | b).sum() for a in true_ones for b in told_ones)
    assert object_counts(numbers, found, right) == (len(true_ones), len(told_ones), hits)


def test_objects_are_counted_and_matched_by_half_their_union() -> None:
    """Two of three objects are found, the third is told too small; touching ones are told as one."""
    truth = np.zeros((10, 30), np.int32)
    truth[2:8, 2:8], truth[2:8, 12:18], truth[2:8, 22:28] = 1, 2, 9
    told = np.zeros((10, 30), np.uint8)
    told[2:8, 2:8] = told[3:8, 12:18] = told[2:5, 22:27] = 1
    kinds = (truth > 0).astype(np.uint8)
    assert object_counts(truth, objects_in(told), kinds == told) == (3, 3, 2)
    merged = kinds.copy()
    merged[4, 2:28] = 1
    assert object_counts(truth, objects_in(merged), kinds == merged) == (3, 1, 0)
    assert object_counts(np.zeros_like(truth), objects_in(told), told == 0) == (0, 3, 0)


def test_objects_are_measured_in_pixels() -> None:
    """A rectangle of 3 by 4 pixels of class 2, and a single pixel of class 1: numbers worked out by hand."""
    labels = np.zeros((10, 12), np.uint8)
    labels[2:5, 6:10], labels[8, 1] = 2, 1
    assert measured(objects_in(labels), labels) == [
        (1, 1, 1, 1.5, 8.5, 1, 8, 1, 1),
        (2, 2, 12, 8.0, 3.5, 6, 2, 4, 3),
    ]
