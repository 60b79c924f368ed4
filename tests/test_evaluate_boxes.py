"""COCO's numbers are pycocotools' own; intervals hold the value; counts at one confidence are those worked by hand."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.sample import Boxes
from striate.evaluate import boxes as scored
from striate.evaluate.boxes import best_threshold, detection_scores, matched, overlaps, recall_precision
from striate.evaluate.intervals import wilson

CLASSES = ["disc", "square", "never"]


def boxes(*items: tuple, predicted: bool = False, ignored: tuple[int, ...] = ()) -> Boxes:
    corners = np.array([item[1:5] for item in items], np.float64).reshape(-1, 4)
    sure = np.array([item[5] for item in items]) if predicted else None
    skipped = np.isin(np.arange(len(items)), ignored) if ignored else None
    return Boxes(names=tuple(item[0] for item in items), corners=corners, confidence=sure, ignored=skipped)


def drawn(seed: int, pictures: int, crowds: bool = True) -> tuple[list[Boxes], list[Boxes]]:
    """Random true boxes, and answers that are shaken, doubled, of the wrong class or nowhere."""
    random = np.random.default_rng(seed)
    truth, answers = [], []
    for _ in range(pictures):
        true, said = [], []
        for _ in range(random.integers(0, 6)):
            x, y = random.uniform(0, 60, 2)
            w, h = random.uniform(3, 30, 2)
            true.append((CLASSES[random.integers(2)], x, y, x + w, y + h))
            for _ in range(random.integers(0, 4)):
                a, b = random.normal(0, 0.15, 2) * (w, h)
                name = true[-1][0] if random.random() < 0.9 else CLASSES[random.integers(3)]
                said.append((name, x + a, y + b, x + a + w, y + b + h, round(random.random(), 2)))
        crowd = tuple(np.flatnonzero(random.random(len(true)) < 0.15).tolist()) if crowds else ()
        truth.append(boxes(*true, ignored=crowd))
        answers.append(boxes(*said, predicted=True))
    return truth, answers


def by_pycocotools(truth: list[Boxes], answers: list[Boxes], most: int = 100) -> np.ndarray:
    """(10, 101, K) precision, -1 where a class has no object."""
    coco = pytest.importorskip("pycocotools.coco", reason="pip install pycocotools")
    from pycocotools.cocoeval import COCOeval

    def items(listed: list[Boxes]) -> list[dict]:
        made = []
        for row, b in enumerate(listed):
            for place, (name, c) in enumerate(zip(b.names, b.corners.tolist(), strict=True)):
                box = [c[0], c[1], c[2] - c[0], c[3] - c[1]]
                item = {"id": 0, "image_id": row + 1, "category_id": CLASSES.index(name) + 1, "bbox": box}
                crowd = int(b.ignored is not None and b.ignored[place])
                score = float(b.confidence[place]) if b.confidence is not None else 1.0
                made.append({**item, "area": box[2] * box[3], "iscrowd": crowd, "score": score})
        return made

    true = items(truth)
    for number, item in enumerate(true, start=1):
        item["id"] = number
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        images = [{"id": row + 1} for row in range(len(truth))]
        categories = [{"id": k + 1, "name": name} for k, name in enumerate(CLASSES)]
        known.dataset = {"images": images, "annotations": true, "categories": categories, "info": {}}
        known.createIndex()
        judge = COCOeval(known, known.loadRes(items(answers)), "bbox")
        judge.params.maxDets = [1, 10, most]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, :, 0, 2]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_average_precision_is_that_of_pycocotools(seed: int, pictures: int) -> None:
    """mAP, mAP50, mAP75 and the AP of every class to 1e-6, with crowds, doubles, ties and empty pictures."""
    truth, answers = drawn(seed, pictures)
    if not any(b.names for b in truth) or not any(b.names for b in answers):
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_LEAST", "_MOST_RESAMPLES"):  # of intervals, which nobody looks at here
            patch.setattr(scored, name, 2)
        theirs, ours = by_pycocotools(truth, answers), detection_scores(truth, answers, CLASSES)

    def mean(values: np.ndarray) -> float | None:
        return float(values[values > -1].mean()) if (values > -1).any() else None

    for name, at in (("map50_95", slice(None)), ("map50", 0), ("map75", 5)):
        assert ours[name]["value"] == pytest.approx(mean(theirs[at]), abs=1e-6)
    for k, name in enumerate(CLASSES):
        assert ours["per_class"][name]["ap50_95"]["value"] == pytest.approx(mean(theirs[:, :, k]), abs=1e-6)
        assert ours["per_class"][name]["ap50"]["value"] == pytest.approx(mean(theirs[0, :, k]), abs=1e-6)


def full(objects: int) -> tuple[Boxes, Boxes]:
    """So many discs, ten beside each other; and answers that all find one, of which every other is there twice."""
    places = [(10 * (n % 10), 10 * (n // 10)) for n in range(objects)]
    told = [("disc", x, y, x + 8, y + 8, 0.3 + n / 2000) for n, (x, y) in enumerate([*places, *places[::2]])]
    return boxes(*(("disc", x, y, x + 8, y + 8) for x, y in places)), boxes(*told, predicted=True)


def test_pictures_of_many_objects_can_be_found_whole() -> None:
    """Where one has more than 100 of a class, three times its objects count, and the score is pycocotools' with such a
    maxDets; of 200 that are all found it had been 50 %. Up to 100 it stays COCO's."""
    for objects, most in ((100, 100), (101, 303), (200, 600)):
        truth, answers = zip(full(objects), full(20), strict=True)
        everything = boxes(*(("disc", *row, 0.9) for row in truth[0].corners), predicted=True)
        assert recall_precision(truth[:1], [everything], CLASSES)["disc"].mean() == 1
        theirs = by_pycocotools([*truth], [*answers], most)[0, :, 0]
        assert recall_precision(truth, answers, CLASSES)["disc"] == pytest.approx(theirs, abs=1e-6)


def test_intervals_hold_the_value_and_are_the_same_again() -> None:
    """Low <= value <= high, narrower for more pictures, and drawn alike each time."""
    few, many = drawn(1, 20), drawn(1, 200)
    scores = [detection_scores(*pictures, CLASSES) for pictures in (few, few, many)]
    assert scores[0] == scores[1]
    for one in scores[1:]:
        for name in ("map50_95", "map50", "precision", "recall", "f1"):
            assert one[name]["low"] <= one[name]["value"] <= one[name]["high"]
    widths = [one["map50"]["high"] - one["map50"]["low"] for one in scores[1:]]
    assert widths[1] < 0.6 * widths[0]


def test_groups_widen_the_interval() -> None:
    """Every picture ten times is no news: with its group the interval is about as wide as of one each."""
    truth, answers = drawn(2, 15)
    groups = np.repeat(np.arange(15), 10)
    many = [b for b in truth for _ in range(10)], [b for b in answers for _ in range(10)]
    alone, naive = detection_scores(truth, answers, CLASSES), detection_scores(*many, CLASSES)
    grouped = detection_scores(*many, CLASSES, clusters=groups)
    assert grouped["clusters"] == 15
    for score in ("map50", "precision", "recall", "f1"):
        wide, small, as_wide = (one[score]["high"] - one[score]["low"] for one in (grouped, naive, alone))
        assert wide > 2 * small
        assert wide == pytest.approx(as_wide, rel=0.3)


def test_a_perfect_recall_of_few_groups_is_less_sure() -> None:
    """Ten objects in two groups of five like pictures are worth two: Wilson's low end of 2 of 2, not of 10 of 10."""
    truth = [boxes(("disc", 0, 0, 9, 9))] * 10
    said = [boxes(("disc", 0, 0, 9, 9, 0.9), predicted=True)] * 10
    scores = detection_scores(truth, said, ["disc"], clusters=np.repeat([0, 1], 5))
    assert scores["recall"]["low"] == pytest.approx(wilson(2, 2)[0])
    assert scores["per_class"]["disc"]["f1"]["low"] == pytest.approx(wilson(4, 4)[0])


def test_perfect_empty_and_nothing() -> None:
    """Right boxes score 1 with an interval below it; no answers score 0; no pictures score None."""
    truth, _ = drawn(3, 30, crowds=False)
    right = [Boxes(names=b.names, corners=b.corners, confidence=np.ones(len(b.names))) for b in truth]
    perfect = detection_scores(truth, right, CLASSES)
    assert perfect["map50"]["value"] == perfect["f1"]["value"] == 1
    assert 0.8 < perfect["map50"]["low"] < 1
    none = detection_scores(truth, [boxes(predicted=True)] * 30, CLASSES)
    assert (none["map50"]["value"], none["recall"]["value"], none["precision"]["value"]) == (0, 0, None)
    assert none["per_class"]["never"]["ap50_95"]["value"] is None
    assert detection_scores([], [], CLASSES)["map50"]["value"] is None


def test_counts_at_one_confidence_by_hand() -> None:
    """A found box, a double, a miss, one too unsure, one in an ignored box."""
    truth = boxes(("disc", 0, 0, 10, 10), ("disc", 20, 0, 30, 10), ("disc", 40, 0, 50, 10), ignored=(2,))
    said = boxes(
        ("disc", 0, 0, 10, 9, 0.9), ("disc", 0, 0, 10, 10, 0.8), ("disc", 20, 0, 30, 10, 0.2),
        ("disc", 40, 0, 50, 10, 0.7), ("square", 20, 0, 30, 10, 0.6), predicted=True,
    )  # fmt: skip
    finder, counts = matched(truth, said, 0.5)
    assert finder.tolist() == [0, -1, -1]
    assert counts.tolist() == [True, True, False, False, True]
    scores = detection_scores([truth], [said], CLASSES, threshold=0.5)
    assert scores["objects"] == 2
    assert scores["precision"]["value"] == pytest.approx(1 / 3)
    assert scores["recall"]["value"] == pytest.approx(1 / 2)
    assert scores["f1"]["value"] == pytest.approx(2 / 5)


def test_overlap_by_hand() -> None:
    """Half-open: boxes that touch share nothing; a quarter shift of a square shares 3/5."""
    first = np.array([[0, 0, 4, 4]], float)
    second = np.array([[4, 0, 8, 4], [1, 0, 5, 4], [0, 0, 4, 4], [1, 1, 3, 3]], float)
    assert overlaps(first, second)[0].tolist() == pytest.approx([0, 3 / 5, 1, 1 / 4])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_best_threshold_is_the_one_with_the_best_f1(seed: int) -> None:
    """Against trying them all one by one; of equals the highest; what was there where nothing is found."""
    truth, answers = drawn(seed, 6)
    tried = {}
    for step in range(1, 20):
        threshold = round(0.05 * step, 2)
        pairs = [matched(*pair, threshold) for pair in zip(truth, answers, strict=True)]
        found = sum(int((finder >= 0).sum()) for finder, _ in pairs)
        told = sum(int(counts.sum()) for _, counts in pairs)
        objects = sum(len(b.names) - (0 if b.ignored is None else int(b.ignored.sum())) for b in truth)
        tried[threshold] = 2 * found / max(objects + told, 1)
    best = max(tried.values())
    wanted = max(threshold for threshold, value in tried.items() if value == pytest.approx(best, abs=1e-12))
    assert best_threshold(truth, answers, 0.33) == (pytest.approx(wanted) if best else 0.33)
    assert best_threshold([], [], 0.33) == 0.33


def test_a_class_on_one_picture_is_not_sure() -> None:
    """One object on one of 100 pictures, found: as sure as one of one, and the mean over classes hardly more."""
    truth = [boxes(("disc", 0, 0, 9, 9))] * 99 + [boxes(("disc", 0, 0, 9, 9), ("square", 20, 20, 30, 30))]
    said = [Boxes(names=b.names, corners=b.corners, confidence=np.ones(len(b.names))) for b in truth]
    scores = detection_scores(truth, said, CLASSES[:2])
    assert scores["per_class"]["square"]["ap50"]["low"] == pytest.approx(wilson(1, 1)[0])
    assert scores["per_class"]["disc"]["ap50"]["low"] == pytest.approx(wilson(100, 100)[0])
    assert scores["map50"]["low"] == pytest.approx(wilson(4 / 1.01, 4 / 1.01)[0])


def test_answers_in_a_crowd_do_not_count() -> None:
    """As in COCO half of an answer's own area in an ignored region is enough, by how much it exceeds that is no matter;
    an answer of another class, or mostly outside, counts."""
    truth = boxes(("disc", 0, 0, 40, 40), ("disc", 60, 60, 70, 70), ignored=(0,))
    said = boxes(
        ("disc", 60, 60, 70, 70, 0.9), ("disc", 5, 5, 15, 15, 0.8), ("disc", 35, 0, 44, 10, 0.7),
        ("disc", 36, 0, 46, 10, 0.6), ("square", 5, 5, 15, 15, 0.5), predicted=True,
    )  # fmt: skip
    finder, counts = matched(truth, said, 0.3)
    assert finder.tolist() == [-1, 0]
    assert counts.tolist() == [True, False, False, True, True]
    first_two = Boxes(names=said.names[:2], corners=said.corners[:2], confidence=said.confidence[:2])
    alone = detection_scores([truth], [first_two], CLASSES)
    assert alone["precision"]["value"] == alone["map50"]["value"] == 1
    mask = pytest.importorskip("pycocotools.mask", reason="pip install pycocotools")

    def placed(b: Boxes) -> np.ndarray:
        return np.concatenate([b.corners[:, :2], b.corners[:, 2:] - b.corners[:, :2]], axis=1)

    wanted = mask.iou(placed(said), placed(truth), [1, 0])
    found = overlaps(truth.corners, said.corners, np.array([True, False]))
    assert np.allclose(found.T, wanted)
