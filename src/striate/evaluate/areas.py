"""How well areas agree with the truth: label maps of every part, with 95 % intervals, as scores.json holds them.

A label map is (H, W) uint8 of class numbers; UNKNOWN pixels of the truth count nowhere. Sums are kept per picture, so
intervals come from drawing pictures (or clusters of them) again.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from striate.data.labelmap import UNKNOWN
from striate.data.sample import BACKGROUND
from striate.draw.areas import outlines
from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, bootstrapped, scored
from striate.evaluate.metrics import share
from striate.evaluate.objects import object_counts, objects_in

TOLERANCE = 0.0075  # of the diagonal: how far an outline may lie from the true one (Csurka et al. 2013)
MOST_OUTLINES = 200  # pictures whose outlines and objects are compared

Pair = tuple[np.ndarray, np.ndarray | None, np.ndarray]  # truth, its object numbers or None, answer
Numbering = Callable[[np.ndarray], np.ndarray]


def area_scores(
    pairs: Iterable[Pair],
    count: int,
    classes: Sequence[str],
    majority: str,
    clusters: Clusters = None,
    objects: Numbering = objects_in,
) -> dict:
    """The record of one part for scores.json, from `count` pairs that are read one after the other.

    majority: the class of most pixels of the training part, which the baseline always answers. clusters: (N,) the same
    number for pictures that belong together. "iou" is the mean over all classes that occur, "dice" that without the
    background, both over all pixels of the part; "iou_per_picture" is the mean over pictures. "outline" is the F1 of
    outlines; n of a class counts pixels. "object_f1" and "count_error" are there where objects are separate.
    objects: the object numbers (H, W) of a label map that is told.
    """
    sums = _Sums(pairs, count, len(classes), clusters, objects)
    inner = [number for number, name in enumerate(classes) if name != BACKGROUND] or [0]
    return {
        "n": count,
        **intervals.told_clusters(clusters),
        "main": "iou",
        "baseline": _floor(sums.matrix, list(classes).index(majority)),
        "baseline_is": f"always answering {majority!r}",
        "majority": majority,
        "iou": sums.score("iou", list(range(len(classes)))),
        "dice": sums.score("dice", inner),
        "outline": sums.score("outline", inner),
        "pixel_accuracy": sums.summed(lambda counts: share(*counts[..., :2].sum(axis=-2).T), sums.worth),
        "iou_per_picture": sums.mean(metrics.mean_of_known(iou(sums.counts))),
        **_objects(sums),
        "per_class": {
            name: {
                "n": int(sums.counts[:, number, _TRUE].sum()),
                **{key: sums.score(key, [number]) for key in _PER_CLASS},
            }
            for number, name in enumerate(classes)
        },
        "confusion": sums.matrix.tolist(),
    }


def pixel_matrix(truth: np.ndarray, told: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K) of pixels whose truth is known: row = true class, column = told class."""
    known = truth != UNKNOWN
    return metrics.confusion(truth[known], told[known], classes)


def pixel_counts(truth: np.ndarray, told: np.ndarray, classes: int) -> np.ndarray:
    """(K, 3) pixels that are both, true, told."""
    return _margins(pixel_matrix(truth, told, classes))


def _margins(matrix: np.ndarray) -> np.ndarray:
    return np.stack([np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)], axis=1)


def iou(counts: np.ndarray) -> np.ndarray:
    """Per class the shared part of what is true and what is told, of both together (Jaccard 1901): (..., K).

    counts: (..., K, 3 or more) pixels that are both, true, told. NaN for a class that is nowhere.
    """
    both, true, told = np.moveaxis(counts[..., :3], -1, 0)
    return share(both, true + told - both)


def dice(counts: np.ndarray) -> np.ndarray:
    """Per class twice the shared part, of the sum of both (Dice 1945), which is the F1 of pixels: (..., K)."""
    return metrics.f1(counts[..., _BOTH], counts[..., _TRUE], counts[..., _TOLD])


def outline_f1(counts: np.ndarray) -> np.ndarray:
    """Per class the F1 of outlines, whose precision and recall are shares that lie near the other: (..., K).

    counts: (..., K, 7), at last those of `outline_counts`. NaN for a class without outlines, 0 where one side has none.
    """
    told, near_truth, true, near_told = np.moveaxis(np.asarray(counts, np.float64)[..., 3:], -1, 0)
    precision, recall = (
        np.where(whole > 0, share(part, whole), np.where(told + true > 0, 0.0, np.nan))
        for part, whole in ((near_truth, told), (near_told, true))
    )
    return np.where(precision + recall == 0, 0.0, share(2 * precision * recall, precision + recall))


_BOTH, _TRUE, _TOLD, _TRUE_OUTLINE = 0, 1, 2, 5
_PER_CLASS = {"iou": (iou, _TRUE), "dice": (dice, _TRUE), "outline": (outline_f1, _TRUE_OUTLINE)}


def outline_counts(truth: np.ndarray, told: np.ndarray, classes: int, tolerance: float | None = None) -> np.ndarray:
    """(K, 4) int64: pixels of the told outline, of them within `tolerance` pixels of the true one, and the other way.

    The outline of a class is its pixels with a neighbour (above, below, left, right) of another known class.
    """
    from scipy.spatial import cKDTree  # of outlines alone: several times faster than distances over the whole picture

    reach = max(TOLERANCE * float(np.hypot(*truth.shape)), 1.0) if tolerance is None else tolerance
    both = np.where(truth == UNKNOWN, UNKNOWN, told), truth
    rims = [np.where(outlines(labels, both=True), labels, UNKNOWN) for labels in both]
    counts = np.zeros((classes, 4), np.int64)
    for number in np.intersect1d(rims, np.arange(classes)):
        edges = [np.argwhere(rim == number) for rim in rims]
        for place, (mine, other) in enumerate((edges, edges[::-1])):
            near = 0
            if len(mine) and len(other):
                near = np.isfinite(cKDTree(other).query(mine, distance_upper_bound=reach + 1e-6)[0]).sum()
            counts[number, 2 * place : 2 * place + 2] = len(mine), near
    return counts


class _Sums:
    """What is counted on N pictures, and scores of the sums, with intervals from the sums over pictures drawn again.

    matrix: (K, K) pixels by true and told class. counts: (N, K, 7) pixels that are both, true, told, and those of
    `outline_counts`. objects: (N, 3) true, told, found; NaN where objects are not separate.
    """

    def __init__(
        self, pairs: Iterable[Pair], count: int, classes: int, clusters: Clusters, objects_of: Numbering
    ) -> None:
        self.matrix, self.clusters = np.zeros((classes, classes), np.int64), clusters
        self.counts, self.objects = np.zeros((count, classes, 7), np.int64), np.full((count, 3), np.nan)
        self.worth = intervals.clusters_worth(clusters, count)
        every = max(-(-count // MOST_OUTLINES), 1)
        for place, (truth, numbers, told) in enumerate(pairs):
            matrix = pixel_matrix(truth, told, classes)
            self.matrix += matrix
            self.counts[place, :, :3] = _margins(matrix)
            if place % every:
                continue
            self.counts[place, :, 3:] = outline_counts(truth, told, classes)
            if numbers is not None:
                found = objects_of(np.where(truth == UNKNOWN, UNKNOWN, told))
                self.objects[place] = object_counts(numbers, found, truth == told)
        drawn = self.drawn(self.counts.reshape(count, classes * 7), np.ones(count, bool))
        self.again = np.clip(drawn, 0, None).reshape(-1, classes, 7) * count
        self.again[..., _BOTH] = self.again[..., :3].min(axis=-1)
        self.sizes = intervals.worth(self.counts, clusters)

    def drawn(self, columns: np.ndarray, known: np.ndarray) -> np.ndarray:
        """(R, M) the means of columns (N, M) over the pictures of a mask (N,), drawn again."""
        clusters = None if self.clusters is None else self.clusters[known]
        return redraws.resampled_means(columns[known], clusters=clusters)

    def summed(self, of: Callable[[np.ndarray], np.ndarray], worth: float) -> dict[str, float | None]:
        """{"value", "low", "high"} of a score of counts (..., K, 7), summed over pictures that are worth so many."""
        return bootstrapped(float(of(self.counts.sum(axis=0))), of(self.again), worth)

    def score(self, name: str, kinds: Sequence[int]) -> dict[str, float | None]:
        """The same of the mean over these classes, which hangs on the pictures that show most of them."""
        of, column = _PER_CLASS[name]
        worth = intervals.effective_size(self.sizes[kinds, column])
        return self.summed(lambda counts: metrics.mean_of_known(of(counts)[..., kinds]), worth)

    def mean(self, values: np.ndarray) -> dict[str, float | None]:
        """The same of a mean over the pictures (N,) whose value is known."""
        known = ~np.isnan(values)
        if not known.any():
            return scored(np.nan)
        worth = intervals.worth(known, self.clusters)
        return bootstrapped(float(values[known].mean()), self.drawn(values[:, None], known), worth)


def _objects(sums: _Sums) -> dict[str, dict]:
    """Scores of objects, where they are separate on some pictures."""
    known = ~np.isnan(sums.objects[:, 0])
    if not known.any():
        return {}
    true, told, found = sums.objects.T
    columns = np.stack([true + told, 2 * found, np.abs(told - true)], axis=1)
    again, (objects, right, off) = sums.drawn(columns, known), columns[known].T
    f1, worth = float(share(right.sum(), objects.sum())), intervals.worth(known, sums.clusters)
    size = intervals.worth(np.where(known, true, 0), sums.clusters)
    return {
        "object_f1": bootstrapped(f1, share(again[:, 1], again[:, 0]), size),
        "count_error": scored(off.mean(), *intervals.widened(off.mean(), again[:, 2], worth, 0)),
    }


def _floor(matrix: np.ndarray, number: int) -> float | None:
    """The mean IoU of always answering one class: its share of the pixels, and 0 for every other that occurs."""
    true = matrix.sum(axis=1)
    others = np.count_nonzero(np.delete(true, number))
    return float(true[number] / true.sum() / (others + 1)) if true.any() else None
