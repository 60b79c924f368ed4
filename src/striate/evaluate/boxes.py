"""Scores of a detector: COCO's mean average precision with its 95 % intervals, and what is found at one confidence.

Matching and averaging are faster-coco-eval's, whose numbers are those of pycocotools. The mean over the IoU limits
0.50, 0.55, ..., 0.95 is "map50_95", at 0.50 alone it is "map50", at 0.75 "map75". A class of which a part has no object
counts in none of them. Pictures (or whole groups of them) are drawn again with replacement for the intervals.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress

import numpy as np

from striate.data.sample import Boxes
from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, bootstrapped, scored
from striate.statistics import numbered

MOST = 100  # boxes of a class and picture that count, as in COCO, where no picture has more objects of a class
MORE = 3  # times the fullest picture's objects count elsewhere: no detector could reach 100 % otherwise
_LEAST, _MOST_RESAMPLES, _CELLS = 100, 1000, 1_000_000  # resamples, so that predictions x resamples stay bounded
_AT = {"map50": 0, "map50_95": slice(None), "map75": 5}


def detection_scores(
    truth: Sequence[Boxes],
    answers: Sequence[Boxes],
    classes: Sequence[str],
    *,
    threshold: float = 0.3,
    clusters: Clusters = None,
) -> dict:
    """The record of one part for scores.json: plain numbers, None for what is not defined.

    truth, answers: of N pictures; an ignored true box is neither found nor missed. threshold: the confidence from
    which "precision", "recall" and "f1" count an answer, at an IoU of 0.5. clusters: (N,) the same number for
    pictures that belong together. "per_class" holds "ap50", "ap50_95", "precision", "recall", "f1" and its "n" objects.
    """
    n, empty = len(truth), scored(np.nan)
    objects = sum(int(_counted(boxes).sum()) for boxes in truth)
    if not n:
        return {"n": 0, "objects": 0, **dict.fromkeys([*_AT, "precision", "recall", "f1"], empty), "per_class": {}}
    matches = _Matches(truth, answers, classes)
    value, drawn = matches.areas(np.arange(n)), matches.resampled(clusters)
    counts = _counts(truth, answers, classes, threshold)
    sizes = intervals.worth(counts[:, :, 1], clusters)  # (K,) pictures by their objects of each class

    def area(at: int | slice, kinds: int | slice = slice(None)) -> dict:
        """The mean precision at these IoU limits, of these classes."""
        size = intervals.effective_size(np.atleast_1d(sizes[kinds]))
        known = [metrics.mean_of_known(one[:, at, kinds].reshape(len(one), -1)) for one in (value[None], drawn)]
        return bootstrapped(float(known[0][0]), known[1], size)

    per_class = {
        name: {
            "ap50": area(0, k), "ap50_95": area(slice(None), k),
            **_shares(counts[:, k], clusters), "n": int(counts[:, k, 1].sum()),
        }
        for k, name in enumerate(classes)
    }  # fmt: skip
    return {
        "n": n, **intervals.told_clusters(clusters), "objects": objects, "threshold": threshold,
        **{name: area(at) for name, at in _AT.items()}, **_shares(counts.sum(axis=1), clusters), "per_class": per_class,
    }  # fmt: skip


class _Matches:
    """Which answers fit which true boxes at every IoU limit, from which any choice of pictures is scored at once."""

    def __init__(self, truth: Sequence[Boxes], answers: Sequence[Boxes], classes: Sequence[str]) -> None:
        from faster_coco_eval import COCO, COCOeval_faster

        numbers = {name: number for number, name in enumerate(classes, start=1)}
        images = [{"id": row, "height": 1, "width": 1} for row in range(len(truth))]
        categories = [{"id": number, "name": name} for name, number in numbers.items()]
        true = [item for row, boxes in enumerate(truth) for item in _items(row, boxes, numbers)]
        said = [item for row, boxes in enumerate(answers) for item in _items(row, boxes, numbers)]
        for number, item in enumerate(true, start=1):
            item["id"] = number
        quiet = {"print_function": lambda *_: None}
        known = COCO({"images": images, "categories": categories, "annotations": true, "info": {}}, **quiet)
        self.size, self.classes, self.said = len(truth), len(classes), len(said)
        self._empty = not true or not said
        self._has = np.array([any(i["category_id"] == k and not i["iscrowd"] for i in true) for k in numbers.values()])
        if self._empty:
            return
        fullest = max(Counter((i["image_id"], i["category_id"]) for i in true if not i["iscrowd"]).values(), default=0)
        judge = COCOeval_faster(known, known.loadRes(said), "bbox", separate_eval=True, **quiet)
        judge.params.maxDets = [MOST if fullest <= MOST else MORE * fullest]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        self._params, self._matched = judge._paramsEval, judge._evalImgs_cpp

    def precisions(self, rows: np.ndarray) -> np.ndarray:
        """(10, 101, K) precision by IoU limit, recall and class over these pictures; -1 for a class without objects."""
        if self._empty:
            return np.broadcast_to(np.where(self._has, 0.0, -1.0), (10, 101, self.classes))
        from faster_coco_eval.faster_eval_api_cpp import COCOevalAccumulate

        self._params.imgIds = list(range(len(rows)))
        matched = [self._matched[kind * self.size + row] for kind in range(self.classes) for row in rows.tolist()]
        return np.array(COCOevalAccumulate(self._params, matched)["precision"])[:, :, :, 0, 0]

    def areas(self, rows: np.ndarray) -> np.ndarray:
        """(10, K) the mean precision over recalls, by IoU limit and class; NaN for a class without objects."""
        means = self.precisions(rows).mean(axis=1)
        return np.where(means < 0, np.nan, means)

    def resampled(self, clusters: Clusters) -> np.ndarray:
        """(R, 10, K) the same for pictures, or clusters, drawn again; more often where there are fewer answers."""
        numbers = np.arange(self.size) if clusters is None else numbered(clusters)
        members = [np.flatnonzero(numbers == number) for number in range(int(numbers.max()) + 1)]
        times = int(np.clip(_CELLS / max(self.said, 1), _LEAST, _MOST_RESAMPLES))
        draws = np.random.default_rng(0).integers(0, len(members), (times, len(members)))
        return np.stack([self.areas(np.concatenate([members[number] for number in draw])) for draw in draws])


def _items(row: int, boxes: Boxes, numbers: dict[str, int]) -> list[dict]:
    items = []
    for name, (x0, y0, x1, y1), ignored, confidence in boxes.each():
        if name not in numbers:  # an ignored region may have a name of its own
            continue
        box = [x0, y0, x1 - x0, y1 - y0]
        item = {"image_id": row, "category_id": numbers[name], "bbox": box, "area": box[2] * box[3]}
        items.append(item | {"iscrowd": int(ignored)} | ({} if confidence is None else {"score": confidence}))
    return items


def _counted(boxes: Boxes) -> np.ndarray:
    return np.ones(len(boxes.names), bool) if boxes.ignored is None else ~np.asarray(boxes.ignored, bool)


def overlaps(first: np.ndarray, second: np.ndarray, crowd: np.ndarray | bool = False) -> np.ndarray:
    """(N, M) intersection over union of half-open boxes (N, 4) and (M, 4); where the first is a crowd, (N,) of bool,
    which may hold many of the second, over the second's own area, as in COCO."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    either = areas[0][:, None] + areas[1][None, :] - both
    either = np.where(np.reshape(crowd, (-1, 1)), areas[1], either)
    return np.nan_to_num(metrics.share(both, either))


def matched(truth: Boxes, answer: Boxes, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """For every true box the number of the answer that finds it (-1: none), and for every answer whether it counts.

    The most confident answers choose first, each the true box of its class that it overlaps most, by 0.5 at least.
    Answers below the threshold, and those that fit an ignored box alone (by half of their own area), do not count.
    """
    finder, counts = np.full(len(truth.names), -1), np.asarray(answer.confidence) >= threshold
    names = {name: number for number, name in enumerate(dict.fromkeys((*truth.names, *answer.names)))}
    kinds = [np.array([names[name] for name in boxes.names], np.int64) for boxes in (truth, answer)]
    real = _counted(truth)
    shared = overlaps(truth.corners, answer.corners, ~real)
    fits = (shared >= 0.5) & (kinds[0][:, None] == kinds[1][None, :])
    for place in np.argsort(-np.asarray(answer.confidence), kind="stable"):
        if not counts[place] or not fits[:, place].any():
            continue
        free = np.flatnonzero(fits[:, place] & real & (finder < 0))
        if len(free):
            finder[free[np.argmax(shared[free, place])]] = place
        elif (fits[:, place] & ~real).any():
            counts[place] = False
    return finder, counts


def hit_or_miss(truth: Boxes, answer: Boxes, threshold: float) -> tuple[int, np.ndarray, int]:
    """How many objects are found, the numbers of those missed, and how many answers are too many."""
    finder, counts = matched(truth, answer, threshold)
    found = int((finder >= 0).sum())
    return found, np.flatnonzero(_counted(truth) & (finder < 0)), int(counts.sum()) - found


def best_threshold(truth: Sequence[Boxes], answers: Sequence[Boxes], otherwise: float) -> float:
    """The confidence, in steps of 0.05, from which on answers have the best F1; `otherwise` where nothing is found.

    What an answer finds does not depend on less confident ones, so all are matched once.
    """
    hits, told, objects = [], [], 0
    for boxes, answer in zip(truth, answers, strict=True):
        finder, counts = matched(boxes, answer, 0.0)
        sure = np.asarray(answer.confidence)
        hits.append(sure[finder[finder >= 0]])
        told.append(sure[counts])
        objects += int(_counted(boxes).sum())
    hits, told = (np.concatenate(parts or [np.zeros(0)]) for parts in (hits, told))
    steps = np.arange(0.05, 0.96, 0.05).round(2)
    found = (hits[None, :] >= steps[:, None]).sum(axis=1)
    scores = 2 * found / np.maximum(objects + (told[None, :] >= steps[:, None]).sum(axis=1), 1)
    return float(steps[len(steps) - 1 - np.argmax(scores[::-1])]) if found.any() else otherwise


def recall_precision(truth: Sequence[Boxes], answers: Sequence[Boxes], classes: Sequence[str]) -> dict[str, np.ndarray]:
    """(101,) precision of every class that has objects, at the recalls 0, 0.01, ..., 1 and an IoU of 0.5."""
    precision = _Matches(truth, answers, classes).precisions(np.arange(len(truth)))[0]
    return {name: precision[:, k] for k, name in enumerate(classes) if precision[0, k] > -1}


def _counts(truth: Sequence[Boxes], answers: Sequence[Boxes], classes: Sequence[str], threshold: float) -> np.ndarray:
    """(N, K, 3) per picture and class: found objects, objects, answers that count."""
    counts = np.zeros((len(truth), len(classes), 3))
    for row, (boxes, answer) in enumerate(zip(truth, answers, strict=True)):
        finder, told = matched(boxes, answer, threshold)
        kinds = (boxes.names, finder >= 0), (boxes.names, _counted(boxes)), (answer.names, told)
        for place, (names, which) in enumerate(kinds):
            found = Counter(compress(names, which))
            counts[row, :, place] = [found[name] for name in classes]
    return counts


def _shares(counts: np.ndarray, clusters: Clusters) -> dict:
    """Precision, recall and F1 of counts (N, 3) with intervals over pictures, or clusters (N,) of them."""
    drawn = redraws.resampled_means(counts, clusters=clusters) * len(counts)
    worth = intervals.clusters_worth(clusters, len(counts)) / len(counts)
    whole, found = counts.sum(axis=0), {}
    for name, over in (("precision", [2]), ("recall", [1]), ("f1", [1, 2])):
        below, drawn_below = whole[over].sum(), drawn[:, over].sum(axis=1)
        parts, drawn_parts = len(over) * whole[0], len(over) * drawn[:, 0]
        shares = metrics.share(drawn_parts, np.where(drawn_below > 0.5, drawn_below, 0))
        found[name] = bootstrapped(float(metrics.share(parts, below)), shares, worth * below)
    return found
