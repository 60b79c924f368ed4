"""What several rooms count by: Wilson's interval of a share, ranks, and the AUROC. N numbers or pictures."""

import numpy as np

Z = 1.9599639845400536  # standard errors from a value to either end of a 95 % interval


def wilson(successes: float, n: float, z: float = Z) -> tuple[float, float]:
    """Low and high end for the proportion successes / n (JASA 1927), z standard errors away; (NaN, NaN) for n = 0."""
    if n <= 0:
        return float("nan"), float("nan")
    share = successes / n
    centre = share + z * z / (2 * n)
    reach = z * float(np.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    low = 0.0 if share <= 0 else (centre - reach) / scale
    high = 1.0 if share >= 1 else (centre + reach) / scale
    return low, high


def numbered(values: np.ndarray) -> np.ndarray:
    """Of each value (N,), its number among the distinct ones in rising order, from 0."""
    return np.unique(values, return_inverse=True)[1]


def ranks(values: np.ndarray) -> np.ndarray:
    """(N,) from 1 in rising order; equal values (N,) share the mean of theirs."""
    levels = numbered(values)
    counts = np.bincount(levels)
    return (np.cumsum(counts) - (counts - 1) / 2)[levels]


def placements(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Per sample (N,), the share of the other side that it is ordered rightly against; a tie counts half.

    Their mean over the positives, and over the negatives, is the AUROC; their spread gives its variance
    (DeLong, DeLong and Clarke-Pearson, Biometrics 1988). All NaN when one side is empty.
    """
    scores, positive = np.asarray(scores), np.asarray(positive, dtype=bool)
    if not positive.any() or positive.all():
        return np.full(len(positive), np.nan)
    own = np.empty(len(positive))
    for side in (positive, ~positive):
        own[side] = ranks(scores[side])
    below = (ranks(scores) - own) / np.where(positive, np.sum(~positive), np.sum(positive))
    return np.where(positive, below, 1 - below)


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive scores above a negative, ties counting half; NaN when one side is empty."""
    above = placements(scores, positive)[np.asarray(positive, dtype=bool)]
    return float(above.mean()) if len(above) else float("nan")
