"""How sure a score is: 95 % intervals for proportions and for anything that is computed from samples.

A proportion (accuracy, recall, precision) gets Wilson's interval (JASA 1927). Everything else gets the
percentile bootstrap (Efron 1979): the pictures are drawn again with replacement, 1,000 times, and the
middle 95 % of the scores is the interval. Work is bounded for a million pictures: counts are redrawn as
a table (exact, whatever the number of pictures), and for large sets means are redrawn from their normal
limit. The drawing is seeded, so the same predictions always give the same interval.
"""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000
# Above this many samples a redrawn mean is normal to any precision that a report shows.
MOST_SAMPLES = 4000
_CHUNK_CELLS = 2_000_000


def wilson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Low and high end for the proportion successes / n; (NaN, NaN) for n = 0."""
    if n <= 0:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    reach = z * float(np.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    low = 0.0 if successes <= 0 else (centre - reach) / scale
    high = 1.0 if successes >= n else (centre + reach) / scale
    return low, high


def percentile(replicates: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Low and high end of the middle `level` of the replicates (R,) that are not NaN."""
    known = replicates[~np.isnan(replicates)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def proportion_like(value: float, replicates: np.ndarray, effective: float) -> tuple[float, float]:
    """The percentile interval of a score between 0 and 1, which always has a width.

    A perfect score stays perfect in every resample, so a plain bootstrap would claim certainty. Then
    Wilson's interval for a proportion over `effective` pictures is given instead.
    """
    low, high = percentile(np.clip(replicates, 0.0, 1.0))
    if low == high:
        return wilson(value * effective, effective)
    return min(low, value), max(high, value)


def effective_size(actual: np.ndarray) -> float:
    """How many pictures a mean over classes is worth, from the pictures per class (K,).

    A mean of K recalls varies like a proportion over K² / sum(1 / n_k) pictures, n when balanced.
    """
    present = actual[actual > 0].astype(np.float64)
    return float(len(present) ** 2 / np.sum(1 / present)) if present.size else 0.0


def resampled_margins(
    matrix: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Redrawn confusion tables, summed: correct, actual and predicted pictures per class, each (R, K).

    Drawing the cells of the table (K, K) by a multinomial is drawing the pictures with replacement.
    """
    classes, total = len(matrix), int(matrix.sum())
    rows, columns = np.nonzero(matrix)
    rng = np.random.default_rng(seed)
    out = np.zeros((3, resamples, classes))
    if not total:
        return out[0], out[1], out[2]
    shares = matrix[rows, columns] / total
    for part in _chunks(resamples, len(rows)):
        counts = rng.multinomial(total, shares, size=part.stop - part.start)
        out[0, part] = _sum_by(np.where(rows == columns, counts, 0), rows, classes)
        out[1, part] = _sum_by(counts, rows, classes)
        out[2, part] = _sum_by(counts, columns, classes)
    return out[0], out[1], out[2]


def resampled_means(columns: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Means (R, M) of the columns (N, M) over pictures drawn again with replacement.

    Up to `MOST_SAMPLES` pictures are drawn one by one; more are drawn from the normal limit, with the
    covariance of the columns kept.
    """
    n = len(columns)
    if n <= MOST_SAMPLES:
        return np.concatenate([weights @ columns for weights in resampled_weights(n, resamples, seed)]) / n
    mean = columns.mean(axis=0)
    spread = np.atleast_2d(np.cov(columns, rowvar=False, bias=True)) / n
    values, vectors = np.linalg.eigh(spread)
    normal = np.random.default_rng(seed).standard_normal((resamples, columns.shape[1]))
    return mean + (normal * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def resampled_weights(n: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each of n pictures was drawn, in blocks (r, n) of float64 that add up to `resamples` rows."""
    rng = np.random.default_rng(seed)
    for part in _chunks(resamples, n):
        count = part.stop - part.start
        drawn = rng.integers(0, n, size=(count, n)) + np.arange(count)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)


def resampled_auroc(levels: np.ndarray, positive: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """AUROC (R, K) of every class over pictures drawn again; NaN where a draw lacks one side.

    levels: (K, N), the ranks of each class's scores from `tie_levels`; positive: (K, N) of bool. All
    classes see the same draws, so that a mean over classes has the right spread.
    """
    blocks = []
    for weights in resampled_weights(levels.shape[1], resamples, seed):
        pairs = zip(levels, positive, strict=True)
        blocks.append(np.stack([_weighted_auroc(weights, rank, side) for rank, side in pairs], axis=1))
    return np.concatenate(blocks)


def _weighted_auroc(weights: np.ndarray, levels: np.ndarray, positive: np.ndarray) -> np.ndarray:
    order = np.argsort(levels, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(levels[order]) > 0)))
    drawn = weights[:, order]
    every = np.add.reduceat(drawn, starts, axis=1)
    ups = np.add.reduceat(drawn * positive[order], starts, axis=1)
    downs = every - ups
    won = np.sum(ups * (np.cumsum(downs, axis=1) - 0.5 * downs), axis=1)
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)


def _sum_by(counts: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    cells = np.arange(len(counts))[:, None] * classes + groups
    flat = np.bincount(cells.ravel(), weights=counts.ravel(), minlength=len(counts) * classes)
    return flat.reshape(len(counts), classes)


def _chunks(resamples: int, width: int) -> Iterator[slice]:
    step = max(1, min(resamples, _CHUNK_CELLS // max(width, 1)))
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))
