"""The figures that scale pictures for the network, measured on the training part and on nothing else."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from striate.data.prepare import REACH, Preparation, Shape

STD_FLOOR = 1e-3  # of the scaled range, so that constant pictures divide by something
_CHUNK_BYTES = 64_000_000
_SAMPLED = 4_000_000  # float values per channel from which percentiles are read
_TAIL = 0.001
_RANKED = 20_000  # pixels, evenly spaced by their rank, that stand for all where heaps far off are sought
_NEAR = 0.1  # of the range: where what is to be seen is no wider, nearly all of the range is empty
_END = 0.25  # of the way from there to an end of the range: what lies so close to the end is its heap


def measure(pictures: np.ndarray, indices: Sequence[int] | np.ndarray, shape: Shape) -> Preparation:
    """Per channel low, high, mean and std of `pictures[indices]`, (N, H, W, C), in the Preparation.

    8-bit: low 0 and high 255. 16-bit and float: the 0.1 and 99.9 percentiles (the whole range where
    these coincide), so that hot pixels do not flatten everything; scaled values beyond them are kept as far as
    REACH. A heap of values at an end, far from all others (saturated pixels, a scale bar, a dark surround, what fills
    up a mosaic), is no bound, however frequent: cut off, it stays apart from the others, which differences among far
    values would not. A tail, which thins out towards its end, is one.
    Of series the whole range counts, since a peak of one value may be what they are about. mean and std are of the
    values so scaled and cut, std at least 0.001. Integer figures are exact; float percentiles are read from evenly
    spaced pixels, 4 million per channel. The frames of a volume share the figures of their channels.
    """
    indices = np.sort(np.asarray(indices, dtype=np.intp))
    if len(indices) == 0:
        raise ValueError("no pictures to measure")
    channels = shape.channels
    if shape.form == "text":  # a symbol that the training part lacks would be beyond all bounds
        low, high, mean, std = (np.full(channels, value) for value in (0.0, 255.0, 0.0, 1.0))
    elif pictures.dtype.kind == "u":
        low, high, mean, std = _from_counts(_counts(pictures, indices, channels))
    else:
        low, high, mean, std = _from_values(pictures, indices, channels, 0 if shape.form == "series" else _TAIL)
    return Preparation(
        shape=shape,
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        mean=tuple(mean.tolist()),
        std=tuple(np.maximum(std, STD_FLOOR).tolist()),
    )


def _chunks(pictures: np.ndarray, indices: np.ndarray, channels: int) -> Iterator[np.ndarray]:
    """Pixels (pixels, C) of some pictures at a time."""
    size = max(1, _CHUNK_BYTES // max(1, pictures[0].size * 8))
    for start in range(0, len(indices), size):
        yield np.asarray(pictures[indices[start : start + size]]).reshape(-1, channels)


def _counts(pictures: np.ndarray, indices: np.ndarray, channels: int) -> np.ndarray:
    """How often each value occurs: (C, 256) or (C, 65536)."""
    levels = np.iinfo(pictures.dtype).max + 1
    counts = np.zeros((channels, levels), np.int64)
    for pixels in _chunks(pictures, indices, channels):
        for channel, values in enumerate(pixels.T):
            counts[channel] += np.bincount(values, minlength=levels)
    return counts


def _from_counts(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    levels = np.arange(counts.shape[1], dtype=np.float64)
    if counts.shape[1] == 256:
        low, high = np.zeros(len(counts)), np.full(len(counts), 255.0)
    else:
        low, high = np.array([_bounds(levels, row, _TAIL) for row in counts]).T
    shares = counts / counts.sum(axis=1, keepdims=True)
    scaled = np.clip((levels - low[:, None]) / (high - low)[:, None], *REACH)
    mean = (shares * scaled).sum(axis=1)
    return low, high, mean, np.sqrt((shares * (scaled - mean[:, None]) ** 2).sum(axis=1))


def _bounds(values: np.ndarray, counts: np.ndarray, tail: float) -> tuple[float, float]:
    """The percentile values of one channel, from its values in order and how often each occurs."""
    values, counts = values[counts > 0], counts[counts > 0]
    below, total = np.cumsum(counts), counts.sum()
    if tail:
        ranks = (np.arange(_RANKED) + 0.5) / _RANKED * total
        least, most = _without_heaps(values[np.searchsorted(below, ranks)].astype(np.float64), round(tail * _RANKED))
        kept = (values >= least) & (values <= most)
        if not kept.all():
            return _bounds(values[kept], counts[kept], tail)
    low = float(values[min(np.searchsorted(below, tail * total, side="right"), len(values) - 1)])
    high = float(values[np.searchsorted(below, total - tail * total, side="left")])
    if high <= low:  # nearly all values are one: what differs would be lost outside such bounds
        low, high = float(values[0]), float(values[-1])
    return low, high if high > low else low + 1


def _without_heaps(ranked: np.ndarray, few: int) -> tuple[float, float]:
    """Between which values the others lie, where at one end of `ranked` or at both there is a heap far from them.

    They fill no more than a tenth of the range, and show more than a heap: more pixels times their range. What lies
    between are edges that resizing has blurred, which go on among the others: as many of these are cut off with them.
    """
    low, high = ranked[few], ranked[-1 - few]
    near = _NEAR * (high - low)
    middle = ranked[np.searchsorted(ranked, (low + near, high - near)).sum() // 2]
    for start, end in ((low, low + near), (high - near, high), (middle - near / 2, middle + near / 2)):
        first, last = np.searchsorted(ranked, start), np.searchsorted(ranked, end, side="right")
        others, (under, least) = ranked[first:last], _heap(ranked[:first], start, few)
        over, most = _heap(-ranked[last:][::-1], -end, few)
        if 4 * (under + over + few) > len(others):
            continue
        if len(others) * (others[-1 - over - few] - others[under + few]) > max(least, most):
            return others[under] if first > few else -np.inf, others[-1 - over] if len(ranked) - last > few else np.inf
    return -np.inf, np.inf


def _heap(far: np.ndarray, border: float, few: int) -> tuple[int, float]:
    """Of values in order, all below `border`: how many lie between it and the heap at their low end, and this heap's
    pixels times their range. A tail has far more between than at its end: as if so many were that no others remain."""
    if len(far) <= few:
        return 0, 0.0
    heap = np.searchsorted(far, far[few] + _END * (border - far[few]), side="right") - few
    between = len(far) - few - heap
    if 4 * between > 5 * heap:
        return _RANKED, 0.0
    return between, heap * (far[max(heap - 1 - between, few)] - far[few])


def _from_values(pictures: np.ndarray, indices: np.ndarray, channels: int, tail: float) -> tuple[np.ndarray, ...]:
    step = max(1, -(-len(indices) * pictures[0].size // channels // _SAMPLED))
    while math.gcd(step, pictures.shape[2]) > 1:  # or the same few columns would be taken from every row
        step += 1
    chosen, total = [], 0
    for pixels in _chunks(pictures, indices, channels):
        chosen.append(pixels[(-total) % step :: step])
        total += len(pixels)
    columns = (np.unique(column, return_counts=True) for column in np.concatenate(chosen).T)
    low, high = np.array([_bounds(*column, tail) for column in columns]).T
    first, squares = np.zeros(channels), np.zeros(channels)
    for pixels in _chunks(pictures, indices, channels):
        scaled = np.clip((pixels - low) / (high - low), *REACH)
        first += scaled.sum(axis=0)
        squares += (scaled**2).sum(axis=0)
    mean = first / total
    return low, high, mean, np.sqrt(np.maximum(squares / total - mean**2, 0))
