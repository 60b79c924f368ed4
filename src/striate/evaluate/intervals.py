"""How sure a score is: 95 % intervals for proportions and for anything that is computed from samples.

A proportion (accuracy, recall, precision) gets Wilson's interval (JASA 1927). Everything else gets the
percentile bootstrap (Efron 1979): the pictures are drawn again with replacement, 1,000 times (see `redraws`), and
the middle 95 % of the scores is the interval.

Pictures of one patient, or copies of one picture, say less than as many others. Where pictures come in clusters,
proportions get Wilson's interval for as many pictures as theirs are worth, and whole clusters are drawn again. Of few
pictures or clusters what is drawn again spreads too little, so its interval is widened as Student's is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from striate.evaluate import metrics, redraws
from striate.evaluate.redraws import Clusters
from striate.statistics import Z, numbered, wilson

LEVEL = 0.95
_MIDDLE = 0.5 + LEVEL / 2  # the share that lies below the high end
_ALIKE = 1e-9  # rounding: what lies as near as this is the same


def clustered(hits: np.ndarray, clusters: Clusters) -> tuple[float, float]:
    """Low and high end for the share of `hits` (n,) of bool; those with the same number in `clusters` (n,) are alike.

    Wilson's interval for n / D pictures with Student's quantile; D = 1 + (a - 1) r is the design effect (Kish 1965) of
    the mean cluster size a that a picture finds itself in, and of the correlation r within clusters by analysis of
    variance (Fleiss, Levin and Paik 2003), which is drawn towards 1 where few clusters hold the rarer outcome.
    """
    n = len(hits)
    effective = clusters_worth(clusters, n)
    if effective == n:
        return wilson(float(np.sum(hits)), n)
    design = 1 + (n / effective - 1) * _correlation(hits, clusters)
    return wilson(float(np.sum(hits)) / design, n / design, _student(max(effective - 1, 1.0)))


def _student(freedom: float) -> float:
    """The quantile of Student's distribution that takes the place of the normal one."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, _MIDDLE))


def real_clusters(clusters: Clusters) -> Clusters:
    """The clusters, numbered from 0 on; None where each holds one picture alone, so that they say nothing."""
    numbers = None if clusters is None else numbered(clusters)
    return numbers if numbers is not None and numbers.max(initial=-1) + 1 < len(numbers) else None


def told_clusters(clusters: Clusters) -> dict[str, int]:
    """{"clusters": how many there are} for scores.json; {} where none are given."""
    return {} if clusters is None else {"clusters": len(np.unique(clusters))}


def clusters_worth(clusters: Clusters, n: int) -> float:
    """How many clusters of equal size would say as much as these of n pictures; n where each stands alone."""
    return float(worth(np.ones(n), clusters))


def worth(weights: np.ndarray, clusters: Clusters) -> np.ndarray:
    """How many pictures, or clusters (numbers (N,)), of one weight say as much as those of these weights (N, ...):
    (sum w)² / sum w² (Kish 1965), 0 where all weights are 0."""
    sums = np.asarray(weights, np.float64)
    if clusters is not None and len(clusters):
        numbers, each = numbered(clusters), sums
        sums = np.zeros((int(numbers.max()) + 1, *each.shape[1:]))
        np.add.at(sums, numbers, each)
    return np.nan_to_num(metrics.share(sums.sum(axis=0) ** 2, (sums**2).sum(axis=0)))


def conformal_rank(count: int, worth: float, level: float) -> int | None:
    """Which of `count` numbers, from 1 on in rising order, at least `level` of new ones do not exceed: the
    ceil((n + 1) level)-th (split conformal prediction; Papadopoulos et al. 2002; Lei et al. 2018); None where there are
    too few to say. In clusters worth C of one size it is the ceil(n level (C + 1) / C)-th, at most the last (pooled
    errors of Dunn, Wasserman and Ramdas 2023)."""
    if round((worth + 1) * level, 9) > worth:
        return None
    return min(math.ceil(round(count * level * (worth + 1) / worth, 9)), count)


def _correlation(hits: np.ndarray, clusters: np.ndarray) -> float:
    """How alike hits (n,) are within clusters, 0 to 1: intraclass correlation from a one-way analysis of variance.

    The clusters that hold the rarer outcome are all that tells it, so half a cluster more says 1.
    """
    numbers, sizes = np.unique(clusters, return_inverse=True, return_counts=True)[1:]
    n, m = len(hits), len(sizes)
    if m == 1:
        return 1.0
    shares = np.bincount(numbers, weights=hits) / sizes
    between = float(np.sum(sizes * (shares - np.mean(hits)) ** 2) / (m - 1))
    within = float(np.sum(sizes * shares * (1 - shares)) / (n - m))
    size = (n - np.sum(sizes**2) / n) / (m - 1)
    whole = between + (size - 1) * within
    found = min(max((between - within) / whole, 0.0), 1.0) if whole > 0 else 1.0
    telling = min(int(np.sum(shares < 1)), int(np.sum(shares > 0)))
    return (telling * found + 0.5) / (telling + 0.5)


def mixture(parts: Sequence[tuple[float, Mapping[str, float]]]) -> tuple[float, float, float]:
    """Value, low and high end of a weighted sum of independent scores, (weight of 0 or more, {"value", "low", "high"}).

    The ends follow from those of the scores (MOVER; Zou and Donner 2008).
    """
    value = sum(weight * score["value"] for weight, score in parts)
    below = sum((weight * (score["value"] - score["low"])) ** 2 for weight, score in parts) ** 0.5
    above = sum((weight * (score["high"] - score["value"])) ** 2 for weight, score in parts) ** 0.5
    return value, value - below, value + above


def over_classes(score: dict, each: Iterable[dict]) -> dict:
    """`score`, the mean of the scores of `each` class, with an interval at least as wide as what follows from theirs.

    A class with one picture is right or wrong in every redraw, which makes the mean look surer than it is.
    """
    known = [one for one in each if one["value"] is not None]
    if score["low"] is None or not known:
        return score
    ends = [one if one["low"] is not None else dict.fromkeys(("value", "low", "high"), one["value"]) for one in known]
    _, low, high = mixture([(1 / len(ends), one) for one in ends])
    return scored(score["value"], min(score["low"], low), max(score["high"], high))


def percentile(replicates: np.ndarray) -> tuple[float, float]:
    """Low and high end of the middle 95 % of the replicates (R,) that are not NaN."""
    known = replicates[~np.isnan(replicates)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def widened(
    value: float, replicates: np.ndarray, effective: float, least: float = -np.inf, most: float = np.inf
) -> tuple[float, float]:
    """The percentile interval of a score that is worth `effective` pictures or clusters, from `least` to `most`; NaN
    for one alone.

    What is drawn again spreads sqrt((C - 1) / C) as much as C pictures do, and like a normal number where a mean of few
    has Student's distribution: both ends lie further from the value by what the two leave out.
    """
    if np.isnan(value) or effective <= 1:
        return float("nan"), float("nan")
    wider, (low, high) = _wider(effective), percentile(replicates)
    ends = min(value + wider * (low - value), value), max(value + wider * (high - value), value)
    return float(np.clip(ends[0], least, most)), float(np.clip(ends[1], least, most))


def of_sizes(value: float, replicates: np.ndarray, effective: float) -> tuple[float, float]:
    """The interval of a mean or root mean square of sizes of `effective` pictures or clusters, both ends above 0.

    Normal in its logarithm with Student's quantile: sizes have a long tail, of which few pictures show too little.
    """
    known = replicates[~np.isnan(replicates)]
    if not value > 0 or effective <= 1 or not known.size or known.min() <= 0:
        return widened(value, replicates, effective, 0)
    factor = float(np.exp(_wider(effective) * Z * np.log(known).std()))
    return value / factor, value * factor


def _wider(effective: float) -> float:
    """By how much more than normal redraws of so many pictures, two at least, the ends lie from the value."""
    count = max(effective, 2.0)
    return _student(count - 1) / Z * (count / (count - 1)) ** 0.5


def effective_size(actual: np.ndarray) -> float:
    """How many pictures a mean over classes is worth, from the pictures per class (K,).

    A mean of K recalls varies like a proportion over K² / sum(1 / n_k) pictures, n when balanced.
    """
    present = actual[actual > 0].astype(np.float64)
    return float(len(present) ** 2 / np.sum(1 / present)) if present.size else 0.0


def mean_scores(values: Mapping[str, np.ndarray], clusters: Clusters = None) -> dict[str, dict]:
    """The mean of every row of values (N,) as a score {"value", "low", "high"}; None where there is none.

    Rows of bool are shares, whose interval always has a width. clusters: (N,) the same number for pictures that belong
    together.
    """
    columns = np.stack(list(values.values()), axis=1).astype(np.float64)
    n, scores = len(columns), {}
    drawn, size = redraws.resampled_means(columns, clusters=clusters).T, clusters_worth(clusters, n)
    for (name, row), replicates in zip(values.items(), drawn, strict=True):
        value = float(np.mean(row)) if n else np.nan
        is_share = n > 1 and np.asarray(row).dtype == bool
        scores[name] = (
            bootstrapped(value, replicates, size) if is_share else scored(value, *widened(value, replicates, size))
        )
    return scores


def scored(value: float, low: float = np.nan, high: float = np.nan) -> dict[str, float | None]:
    """A score as scores.json holds it, with None for what is not defined."""
    return {"value": plain(value), "low": plain(low), "high": plain(high)}


def share_score(hits: np.ndarray, clusters: Clusters, among: np.ndarray | slice = slice(None)) -> dict:
    """The share of hits (N,) of bool among the pictures of a mask (N,), or all, as a score with its interval."""
    right = hits[among]
    ends = clustered(right, None if clusters is None else clusters[among])
    return scored(right.mean() if len(right) else np.nan, *ends)


def bootstrapped(value: float, replicates: np.ndarray, effective: float) -> dict[str, float | None]:
    """A score from 0 to 1 with the percentile interval of its replicates, which always has a width; None where NaN.

    A perfect score stays perfect in every resample, so a plain bootstrap would claim certainty. Then
    Wilson's interval for a proportion over `effective` pictures is given instead.
    """
    if np.isnan(value):
        return scored(value)
    drawn = np.clip(np.asarray(replicates, np.float64).ravel(), 0.0, 1.0)
    low, high = percentile(drawn)
    if high - low < _ALIKE:
        return scored(value, *wilson(value * effective, effective))
    return scored(value, *widened(value, drawn, max(effective, 2.0), 0.0, 1.0))


def ranked(value: float, replicates: np.ndarray, effective: float) -> dict[str, float | None]:
    """An AUROC as a score, from its replicates: normal in its logit with Student's quantile of `effective` pictures
    (Pepe 2003), since percentiles of few pictures lie too high near 1; as a share where it is 0, 1 or the same in all.
    """
    known = np.asarray(replicates, np.float64).ravel()
    known = known[~np.isnan(known)]
    if not 0 < value < 1 or effective <= 1 or not known.size or np.ptp(known) < _ALIKE:
        return bootstrapped(value, replicates, effective)
    wide = _wider(effective) * Z * known.std() / (value * (1 - value))
    odds = value / (1 - value) * np.exp([-wide, wide])
    return scored(value, *(odds / (1 + odds)).tolist())


def plain(value: float) -> float | None:
    """A number for JSON: None where it is NaN."""
    return None if np.isnan(value) else float(value)
