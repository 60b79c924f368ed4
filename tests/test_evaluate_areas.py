"""Scores of areas: against scikit-learn, against counting pixel by pixel, and what intervals must hold."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, jaccard_score

from striate.data.labelmap import UNKNOWN
from striate.evaluate import areas
from striate.evaluate.areas import area_scores, outline_counts, outline_f1

CLASSES = ("background", "cell", "nucleus")


def maps(count: int, seed: int = 0, kinds: int = 3, side: int = 14) -> list[tuple[np.ndarray, None, np.ndarray]]:
    """Truths with unknown pixels, and answers that agree with them on most pixels."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        truth = random.integers(0, kinds, (side, side + 3)).astype(np.uint8)
        told = np.where(random.random(truth.shape) < 0.7, truth, random.integers(0, kinds, truth.shape)).astype(
            np.uint8
        )
        truth[random.random(truth.shape) < 0.1] = UNKNOWN
        out.append((truth, None, told))
    return out


def test_iou_and_dice_are_those_of_scikit_learn() -> None:
    """Over all known pixels of all pictures together, each class and the means; pictures for themselves as well."""
    pairs = maps(5)
    scores = area_scores(pairs, 5, CLASSES, "background")
    truth = np.concatenate([pair[0].ravel() for pair in pairs])
    told = np.concatenate([pair[2].ravel() for pair in pairs])[truth != UNKNOWN]
    truth = truth[truth != UNKNOWN]
    jaccard, f1 = jaccard_score(truth, told, average=None), f1_score(truth, told, average=None)
    for number, name in enumerate(CLASSES):
        assert scores["per_class"][name]["iou"]["value"] == pytest.approx(jaccard[number])
        assert scores["per_class"][name]["dice"]["value"] == pytest.approx(f1[number])
    assert scores["iou"]["value"] == pytest.approx(jaccard.mean())
    assert scores["dice"]["value"] == pytest.approx(f1[1:].mean())
    assert scores["pixel_accuracy"]["value"] == pytest.approx(np.mean(truth == told))
    assert scores["baseline"] == pytest.approx(jaccard_score(truth, np.zeros_like(truth), average=None).mean())
    each = [jaccard_score(t[t != UNKNOWN], p[t != UNKNOWN], average="macro") for t, _, p in pairs]
    assert scores["iou_per_picture"]["value"] == pytest.approx(np.mean(each))
    assert np.sum(scores["confusion"]) == len(truth)


def test_a_class_that_is_nowhere_has_no_score() -> None:
    """It is None, not 0, and no mean counts it; no pictures at all have no scores either."""
    pairs = maps(3, kinds=2)
    scores = area_scores(pairs, 3, CLASSES, "background")
    assert scores["per_class"]["nucleus"]["iou"] == {"value": None, "low": None, "high": None}
    known = [scores["per_class"][name]["iou"]["value"] for name in CLASSES[:2]]
    assert scores["iou"]["value"] == pytest.approx(np.mean(known))
    assert area_scores([], 0, CLASSES, "background")["iou"]["value"] is None


def test_intervals_hold_their_value_and_widen_with_clusters() -> None:
    """Low and high lie round every score; pictures that belong together make the interval wider; perfection has one."""
    pairs = maps(12, 1)
    pairs = [(truth, None, told if number < 6 else truth.clip(0, 2)) for number, (truth, _, told) in enumerate(pairs)]
    plain = area_scores(pairs, 12, CLASSES, "background")
    grouped = area_scores(pairs, 12, CLASSES, "background", np.repeat([0, 1, 2, 3], 3))
    for scores in (plain, grouped):
        for name in ("iou", "dice", "outline", "pixel_accuracy", "iou_per_picture"):
            assert scores[name]["low"] <= scores[name]["value"] <= scores[name]["high"]
    widths = [scores["iou"]["high"] - scores["iou"]["low"] for scores in (plain, grouped)]
    assert widths[1] > widths[0] > 0.02
    perfect = area_scores([(t, None, t.clip(0, 2)) for t, _, _ in pairs], 12, CLASSES, "background")["iou"]
    assert (perfect["value"], perfect["high"]) == (1, 1)
    assert perfect["low"] < 0.95


def test_intervals_cover_the_score_of_all_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 draws of 25 pictures from many, about 95 in 100 intervals hold the score of them all."""
    none = np.zeros((2, 4), np.int64)
    monkeypatch.setattr(areas, "outline_counts", lambda *given: none)  # most of the time, and not what is asked about
    random = np.random.default_rng(5)
    truth = np.zeros((6, 6), np.uint8)
    truth[:3] = 1
    kinds = []
    for share in np.linspace(0, 1, 40):
        told = truth.copy()
        told[random.random(truth.shape) < 0.5 * share] ^= 1
        kinds.append((truth, None, told))
    whole = area_scores(kinds, 40, CLASSES[:2], "cell")["iou"]["value"]
    held = 0
    for _ in range(200):
        drawn = [kinds[number] for number in random.integers(0, 40, 25)]
        found = area_scores(drawn, 25, CLASSES[:2], "cell")["iou"]
        held += found["low"] <= whole <= found["high"]
    assert 178 <= held <= 199


def test_outlines_are_counted_as_one_would_by_hand() -> None:
    """Every pixel with a neighbour of another known class, and whether one of the other outline is near enough."""
    for truth, _, told in maps(4, 2, side=9):
        counts = outline_counts(truth, told, 3, tolerance=1.5)
        hidden = np.where(truth == UNKNOWN, UNKNOWN, told)
        for number in range(3):
            mine, other = _rim(hidden, number), _rim(truth, number)
            near = [
                sum(any(np.hypot(y - v, x - u) <= 1.5 for v, u in b) for y, x in a)
                for a, b in ((mine, other), (other, mine))
            ]
            assert counts[number].tolist() == [len(mine), near[0], len(other), near[1]]


def _rim(labels: np.ndarray, number: int) -> list[tuple[int, int]]:
    found = []
    for y, x in np.argwhere(labels == number):
        around = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        inside = [(v, u) for v, u in around if 0 <= v < labels.shape[0] and 0 <= u < labels.shape[1]]
        if any(labels[place] not in (number, UNKNOWN) for place in inside):
            found.append((int(y), int(x)))
    return found


def test_an_outline_within_the_tolerance_is_perfect() -> None:
    """A square that is one pixel to the side has F1 1 at a tolerance of 1 and less at 0; no outline at all has 0."""
    truth, told, nothing = np.zeros((3, 20, 20), np.uint8)
    truth[5:12, 5:12] = told[5:12, 6:13] = 1
    scores = {}
    for reach in (0.5, 1.0):
        counts = np.concatenate([np.zeros((2, 3)), outline_counts(truth, told, 2, reach)], axis=1)
        scores[reach] = outline_f1(counts)[1]
    assert scores[1.0] == 1
    assert 0 < scores[0.5] < 1
    assert outline_f1(np.concatenate([np.zeros((2, 3)), outline_counts(truth, nothing, 2)], axis=1))[1] == 0
    assert np.isnan(outline_f1(np.zeros((2, 7)))).all()


def test_an_object_of_another_class_is_not_found() -> None:
    """Two cells, of which one is told to be a nucleus, exactly where it lies: one of two is found."""
    numbers, truth = np.zeros((8, 20), np.int32), np.zeros((8, 20), np.uint8)
    numbers[2:6, 2:6], numbers[2:6, 12:16] = 1, 2
    truth[numbers > 0] = 1
    told = np.where(numbers == 2, 2, truth).astype(np.uint8)
    scores = area_scores([(truth, numbers, told)], 1, CLASSES, "background")
    assert scores["object_f1"]["value"] == 0.5
    assert scores["count_error"]["value"] == 0


def test_scores_of_objects_are_there_where_objects_are_separate() -> None:
    """F1 of objects over all pictures and the mean error of their number; without separate objects there are none."""
    truth = np.zeros((10, 30), np.int32)
    truth[2:8, 2:8], truth[2:8, 12:18], truth[2:8, 22:28] = 1, 2, 3
    told = (truth == 1).astype(np.uint8)
    pairs = [
        ((truth > 0).astype(np.uint8), truth, told),
        ((truth > 0).astype(np.uint8), truth, (truth > 0).astype(np.uint8)),
    ]
    scores = area_scores(pairs, 2, CLASSES[:2], "background")
    assert scores["object_f1"]["value"] == pytest.approx(2 * 4 / (6 + 4))
    student = stats.t.ppf(0.975, 1) / stats.norm.ppf(0.975) * 2**0.5  # of two pictures, that drew 0 and 2
    assert scores["count_error"] == {"value": 1.0, "low": 0.0, "high": pytest.approx(1 + student)}
    assert "object_f1" not in area_scores(maps(2), 2, CLASSES, "background")


def test_scoring_takes_bounded_time() -> None:
    """Outlines and objects of 200 of 1,000 pictures are compared; pixels of all."""
    pairs = maps(1, 3) * 1000
    scores = area_scores(pairs, 1000, CLASSES, "background")
    assert scores["n"] == 1000
    assert np.sum(scores["confusion"]) == 1000 * np.count_nonzero(pairs[0][0] != UNKNOWN)


def test_a_class_of_one_picture_is_not_sure() -> None:
    """Perfect on one of 100 pictures: SciPy's Wilson interval for 1 of 1, and not for 100 of 100."""
    plain, with_cell = np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8)
    pairs = [(plain, None, plain)] * 99 + [(with_cell, None, with_cell)]
    found = area_scores(pairs, 100, CLASSES[:2], "background")["per_class"]["cell"]
    low = stats.binomtest(1, 1).proportion_ci(0.95, method="wilson").low
    assert found["iou"]["low"] == found["dice"]["low"] == found["outline"]["low"] == pytest.approx(low)
