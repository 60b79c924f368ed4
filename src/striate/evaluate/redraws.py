"""Pictures, or whole clusters of them, drawn again with replacement, which is what `intervals` are taken from.

Work is bounded for a million pictures: counts are redrawn as a table (exact, whatever the number of pictures), and for
large sets means are redrawn from their normal limit. The drawing is seeded: the same predictions always give the same.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from striate.evaluate import metrics
from striate.statistics import numbered

RESAMPLES = 1000
# Above this many samples a redrawn mean is normal to any precision that a report shows.
MOST_SAMPLES = 4000
MOST_ORDERED = 10_000  # pictures x classes up to which what hangs on their order is computed anew for every resample
_CHUNK_CELLS = 2_000_000

Clusters = np.ndarray | None  # (N,) the same number for pictures that belong together; None where each stands alone


def resampled_margins(matrix: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Redrawn confusion tables, summed: correct, actual and predicted pictures per class, each (R, K).

    Drawing the cells of the table (K, K) by a multinomial is drawing the pictures with replacement.
    """
    truth, predicted = np.nonzero(matrix)
    total = int(matrix.sum())
    if not total:
        return tuple(np.zeros((3, RESAMPLES, len(matrix))))
    rng, shares = np.random.default_rng(seed), matrix[truth, predicted] / total
    blocks = _chunks(RESAMPLES, len(shares))
    counts = (rng.multinomial(total, shares, size=block.stop - block.start) for block in blocks)
    return _margins(truth, predicted, np.arange(len(shares)), len(matrix), counts)


def clustered_margins(
    truth: np.ndarray, predicted: np.ndarray, classes: int, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from class numbers (N,), with whole clusters, of `real_clusters`, drawn again."""
    return _margins(truth, predicted, clusters, classes, resampled_weights(int(clusters.max()) + 1))


def _margins(
    truth: np.ndarray, predicted: np.ndarray, units: np.ndarray, classes: int, drawn: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of answers (N,) that belong to `units` (N,), which are drawn by blocks of weights (r, U)."""
    from scipy.sparse import csr_array

    right, shape = truth == predicted, (classes, int(units.max()) + 1)
    places = (truth[right], units[right]), (truth, units), (predicted, units)
    tables = [csr_array((np.ones(len(place[0])), place), shape=shape) for place in places]
    blocks = [[(table @ weights.T).T for table in tables] for weights in drawn]
    return tuple(np.concatenate(each) for each in zip(*blocks, strict=True))


def resampled_means(columns: np.ndarray, resamples: int = RESAMPLES, clusters: Clusters = None) -> np.ndarray:
    """Means (R, M) of the columns (N, M) over pictures, or clusters (any numbers or names (N,)), drawn again.

    Up to `MOST_SAMPLES` pictures are drawn one by one; more are drawn from the normal limit, with the
    covariance of the columns kept: what never varies, or only with others, does so to rounding. NaN without any.
    """
    if clusters is not None:
        numbers = numbered(clusters)
        every = np.column_stack([columns, np.ones(len(columns))]).T
        sums = resampled_means(np.stack([np.bincount(numbers, column) for column in every], axis=1), resamples)
        return metrics.share(sums[:, :-1], sums[:, -1:])
    n = len(columns)
    if n <= MOST_SAMPLES:
        return metrics.share(np.concatenate([weights @ columns for weights in resampled_weights(n, resamples)]), n)
    mean, size = columns.mean(axis=0), columns.std(axis=0) * (np.ptp(columns, axis=0) > 0)
    standard = (columns - mean) / np.where(size > 0, size, np.inf)
    values, vectors = np.linalg.eigh(standard.T @ standard / n)
    values = np.where(values > 1e-12 * values[-1], values, 0)  # else of columns that depend on others: rounding
    normal = np.random.default_rng(0).standard_normal((resamples, columns.shape[1]))
    return mean + (normal * np.sqrt(values / n)) @ vectors.T * size


def resampled_weights(n: int, resamples: int = RESAMPLES, clusters: Clusters = None) -> Iterator[np.ndarray]:
    """How often each of n pictures was drawn, in blocks (r, n) of float64 that add up to `resamples` rows.

    clusters: those of `real_clusters`, which are drawn whole.
    """
    several = n if clusters is None else int(clusters.max()) + 1
    rng = np.random.default_rng(0)
    for part in _chunks(resamples, n):
        count = part.stop - part.start
        drawn = rng.integers(0, several, size=(count, several)) + np.arange(count)[:, None] * several
        drawn = np.bincount(drawn.ravel(), minlength=count * several).reshape(count, several).astype(np.float64)
        yield drawn if clusters is None else drawn[:, clusters]


def resampled_orders(
    score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    slopes: Callable[[np.ndarray, np.ndarray], np.ndarray],
    scores: np.ndarray,
    positive: np.ndarray,
    known: np.ndarray | None = None,
    clusters: Clusters = None,
) -> tuple[np.ndarray, np.ndarray]:
    """How well the scores (N, K) order the pictures for every class (K,), and redrawn (R, K); `clusters` are real ones.

    positive, known: (N, K) of bool, whether a picture is of a class, and whether that is known, else it does not count.
    score: gives (R,) from the scores and positives of one class (N,), and weights (R, N). slopes: N times how it grows
    with the weight of each picture (N,), by which many pictures are redrawn without being sorted anew. All classes see
    the same draws, so that a mean over classes has the right spread.
    """
    known = np.ones(positive.shape, bool) if known is None else known
    each = [(column[sure], has[sure], sure) for column, has, sure in zip(scores.T, positive.T, known.T, strict=True)]
    values = np.array([score(column, has, np.ones((1, len(has))))[0] for column, has, _ in each])
    if scores.size > MOST_ORDERED:
        linear = np.zeros(scores.shape)
        for k, (column, has, sure) in enumerate(each):
            linear[sure, k] = slopes(column, has) * (len(scores) / max(len(has), 1))
        return values, values + resampled_means(linear, clusters=clusters)
    blocks = [
        np.stack([score(column, has, weights[:, sure]) for column, has, sure in each], axis=1)
        for weights in resampled_weights(len(scores), clusters=clusters)
    ]
    return values, np.concatenate(blocks)


def weighted_auroc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) AUROC of one class (N,) over pictures drawn by weights (R, N); NaN where one side is empty."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    every, ups = sums_by_level(weights, numbered(scores), positive)
    downs = every - ups
    won = np.sum(ups * (np.cumsum(downs, axis=1) - 0.5 * downs), axis=1)
    return metrics.share(won, ups.sum(axis=1) * downs.sum(axis=1))


def sums_by_level(weights: np.ndarray, levels: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often pictures of each of L levels (N,), and positive ones, were drawn by weights (R, N): (R, L) twice."""
    order = np.argsort(levels, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(levels[order]) > 0)))
    drawn = weights[:, order]
    return np.add.reduceat(drawn, starts, axis=1), np.add.reduceat(drawn * positive[order], starts, axis=1)


def _chunks(resamples: int, width: int) -> Iterator[slice]:
    step = max(1, min(resamples, _CHUNK_CELLS // max(width, 1)))
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))
