"""Objects in a label map: connected areas, cut where they are narrow, and how many of the true ones are found."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from striate.data.labelmap import UNKNOWN
from striate.evaluate.metrics import share

ENOUGH = 0.5  # an object is found where it shares more than this of its union with one that is told
NECKS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # what `best_neck` chooses from
SMOOTHED = 1.0  # standard deviation, in pixels, by which depths are smoothed: outlines are rough
_NEXT = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))  # pixels, and those to their right or below


def objects_in(labels: np.ndarray, background: int | None = 0, neck: float = 0.0) -> np.ndarray:
    """Object numbers (H, W) int32 from 1 on, 0 where there is none, of a label map (H, W) uint8.

    An object is a connected area (over edges) of any class but the background and UNKNOWN. neck: areas are cut where
    they are narrower than this share (0..1) of what lies on either side, as two discs that touch are; 0 cuts nothing.
    """
    if neck:
        hills = Hills.of(labels, background)
        return hills.merged(neck)[hills.places]
    from scipy.ndimage import label

    out, last = np.zeros(labels.shape, np.int32), 0
    for number in _numbers(labels, background):
        areas, found = label(labels == number)
        out = np.where(areas > 0, areas + last, out).astype(np.int32)
        last += found
    return out


def _numbers(labels: np.ndarray, background: int | None) -> np.ndarray:
    return np.setdiff1d(np.unique(labels), [UNKNOWN if background is None else background, UNKNOWN])


@dataclass(frozen=True, slots=True)
class Hills:
    """The areas of a label map as a landscape: the farther from its edge, the higher a pixel lies.

    places: (H, W) which hill a pixel belongs to, 0 for none: it leads to the top by the steepest way up. tops: (1 + N,)
    how high each is, the first 0. passes: (height, one hill, another), the highest way from one to its neighbour,
    highest first. So this is a watershed (Vincent & Soille 1991) of depths, whose hills are joined by their passes.
    """

    places: np.ndarray
    tops: np.ndarray
    passes: tuple[tuple[float, int, int], ...]

    @classmethod
    def of(cls, labels: np.ndarray, background: int | None = 0) -> "Hills":
        heights = _heights(labels, background)
        inside, ranks = np.flatnonzero(heights), np.zeros(labels.size, np.int32)
        order = np.argsort(heights.ravel()[inside], kind="stable")
        ranks[inside[order]] = np.arange(1, len(inside) + 1)  # no two pixels of areas are equally high
        places = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
        ranks = ranks.reshape(labels.shape)
        best, up = ranks.copy(), places.copy()
        for here, there in _NEXT:
            for mine, other in ((here, there), (there, here)):
                higher = (labels[mine] == labels[other]) & (ranks[other] > best[mine])
                best[mine][higher], up[mine][higher] = ranks[other][higher], places[other][higher]
        top = up.ravel()
        while not np.array_equal(further := top[top], top):
            top = further
        summits, found = np.unique(top[inside], return_inverse=True)
        hills = np.zeros(labels.size, np.int32)
        hills[inside] = found + 1
        hills = hills.reshape(labels.shape)
        return cls(hills, np.append(0, heights.ravel()[summits]), _passes(labels, hills, heights))

    def merged(self, neck: float) -> np.ndarray:
        """(1 + N,) the number of the object that each hill belongs to, from 1 on; 0 for the first.

        Two that meet are one object unless their pass is lower than `neck` times the lower of their tops.
        """
        into, tops = list(range(len(self.tops))), self.tops.tolist()

        def end(hill: int) -> int:
            while into[hill] != hill:
                into[hill] = hill = into[into[hill]]
            return hill

        for height, one, other in self.passes:
            low, high = sorted((end(one), end(other)), key=tops.__getitem__)
            if low != high and height >= neck * tops[low]:
                into[low] = high
        return np.unique([end(hill) for hill in range(len(into))], return_inverse=True)[1].astype(np.int32)


def _heights(labels: np.ndarray, background: int | None) -> np.ndarray:
    """(H, W) float32 how far from the edge of its area a pixel lies, smoothed; 0 outside of all."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    heights = np.zeros(labels.shape, np.float32)
    for number in _numbers(labels, background):
        area = labels == number
        depths = distance_transform_edt(np.pad(area, 1))[1:-1, 1:-1].astype(np.float32)
        heights += area * gaussian_filter(depths, SMOOTHED)
    return heights


def _passes(labels: np.ndarray, hills: np.ndarray, heights: np.ndarray) -> tuple[tuple[float, int, int], ...]:
    pairs, levels = [], []
    for mine, other in _NEXT:
        meet = (labels[mine] == labels[other]) & (hills[mine] != hills[other])
        pairs.append(np.sort(np.stack([hills[mine][meet], hills[other][meet]]), axis=0))
        levels.append(np.minimum(heights[mine], heights[other])[meet])
    pairs, places = np.unique(np.concatenate(pairs, axis=1), axis=1, return_inverse=True)
    highest = np.zeros(pairs.shape[1])
    np.maximum.at(highest, places.ravel(), np.concatenate(levels))
    order = np.argsort(-highest, kind="stable")
    return tuple(zip(highest[order].tolist(), *pairs[:, order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Overlaps:
    """True objects beside those that are told.

    true, told: their pixels, (T,) and (1 + N,), at the first place those of none. ones, others: (M,) places of pairs
    that share pixels; shared, agreed: (M,) how many, and those whose class is right.
    """

    true: np.ndarray
    told: np.ndarray
    ones: np.ndarray
    others: np.ndarray
    shared: np.ndarray
    agreed: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, told: np.ndarray, right: np.ndarray) -> "Overlaps":
        """truth, told: object numbers (H, W), 0 where there is none; right: (H, W) of bool, where the class that is
        told is the true one."""
        true, sizes = truth > 0, np.bincount(told.ravel())
        names, places = np.unique(truth[true], return_inverse=True)  # files may have large numbers
        both = true & (told > 0)
        codes = places[both[true]] * len(sizes) + told[both]
        pairs, found, shared = np.unique(codes, return_inverse=True, return_counts=True)
        agreed = np.bincount(found, weights=right[both], minlength=len(pairs))
        return cls(np.bincount(places, minlength=len(names)), sizes, *np.divmod(pairs, len(sizes)), shared, agreed)

    def joined(self, numbers: np.ndarray) -> "Overlaps":
        """The same where what is told has other numbers (1 + N,), several of them the same one."""
        width = int(numbers.max()) + 1
        told = np.bincount(numbers, weights=self.told, minlength=width)
        pairs, places = np.unique(self.ones * width + numbers[self.others], return_inverse=True)
        shared, agreed = (np.bincount(places, each, len(pairs)) for each in (self.shared, self.agreed))
        return Overlaps(self.true, told, *np.divmod(pairs, width), shared, agreed)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many objects are true, how many told, and how many of these are found: they share more than half of their
        union, and its class, so each is found at most once."""
        found = self.agreed > ENOUGH * (self.true[self.ones] + self.told[self.others] - self.shared)
        return len(self.true), int((self.told[1:] > 0).sum()), int(found.sum())


def measured(objects: np.ndarray, labels: np.ndarray) -> list[tuple[int, int, int, float, float, int, int, int, int]]:
    """Of every object of a picture: its number, class number and pixels, x and y of its middle, and the box around it
    (left, top, width, height), all in pixels; the middle of the first pixel is 0.5, 0.5."""
    from scipy.ndimage import find_objects

    found = []
    for number, (rows, columns) in enumerate(find_objects(objects), 1):
        ys, xs = np.nonzero(objects[rows, columns] == number)
        top, left = rows.start, columns.start
        middle = round(float(xs.mean()) + left + 0.5, 2), round(float(ys.mean()) + top + 0.5, 2)
        kind = int(labels[top + ys[0], left + xs[0]])
        found.append((number, kind, len(xs), *middle, left, top, columns.stop - left, rows.stop - top))
    return found


def object_counts(truth: np.ndarray, told: np.ndarray, right: np.ndarray) -> tuple[int, int, int]:
    """`Overlaps.counts` of object numbers (H, W), see there."""
    return Overlaps.of(truth, told, right).counts


def best_neck(triples: Iterable[tuple[np.ndarray, np.ndarray | None, np.ndarray]], background: int | None) -> float:
    """The least of NECKS with the greatest F1 of objects, over (true labels, true objects or None, told labels)."""
    sums = np.zeros((len(NECKS), 3))
    for truth, numbers, told in triples:
        if numbers is None:
            continue
        known = np.where(truth == UNKNOWN, UNKNOWN, told)
        hills = Hills.of(known, background)
        overlaps = Overlaps.of(numbers, hills.places, truth == known)
        sums += [overlaps.joined(hills.merged(neck)).counts for neck in NECKS]
    true, told, found = sums.T
    return NECKS[int(np.argmax(np.nan_to_num(share(2 * found, true + told))))]
