"""Scores of several labels per picture, with 95 % intervals, beside always saying all of them.

Legend: N pictures, K labels; truth is (N, K) of 1 and 0, NaN where it is not known whether the picture has the label,
which then counts in no score; probabilities (N, K) 0 to 1. Every score is
{"value", "low", "high"}; the ends come from pictures, or whole clusters, drawn again (see `intervals`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, bootstrapped, over_classes, plain, ranked, share_score
from striate.statistics import numbered

EVERY = "always saying every label"  # the best F1 without looking, 2p / (1 + p) of a label that a share p has
_SCORED = {"f1": bootstrapped, "auroc": ranked, "ap": bootstrapped}


def best_thresholds(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(K,) the threshold of each label with the greatest F1 on these N pictures; 0.5 where all or none have the label.

    Thresholds lie half way between two neighbouring probabilities; of equals the one nearest to 0.5.
    """
    found = np.full(truth.shape[1], 0.5)
    for k, (known, chances) in enumerate(zip(np.asarray(truth, float).T, np.asarray(probabilities).T, strict=True)):
        chances, known = chances[~np.isnan(known)], known[~np.isnan(known)] > 0
        if not known.any() or known.all():
            continue
        levels = np.unique(chances)
        tried = np.unique([levels[0] / 2, 0.5, *((levels[1:] + levels[:-1]) / 2)])
        # How many chances lie at each threshold or above, by sorting: a table of N x N would fill the memory.
        said, correct = (len(one) - np.searchsorted(np.sort(one), tried) for one in (chances, chances[known]))
        f1 = metrics.f1(correct, known.sum(), said)
        best = tried[f1 >= f1.max() - 1e-12]
        found[k] = best[np.argmin(np.abs(best - 0.5))]
    return found


def average_precision(chances: np.ndarray, known: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) area under precision over recall, sum of (R_i - R_i-1) P_i, of one label (N,); NaN where no picture has it.

    weights: (R, N) how often each picture was drawn.
    """
    if not len(known):
        return np.full(len(weights), np.nan)
    levels = numbered(-np.asarray(chances, np.float64))
    every, hits = redraws.sums_by_level(weights, levels, np.asarray(known, bool))
    said = np.cumsum(every, axis=1)
    precision = np.divide(np.cumsum(hits, axis=1), said, out=np.zeros_like(said), where=said > 0)
    return metrics.share((hits * precision).sum(axis=1), hits.sum(axis=1))


def precision_slopes(chances: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(N,) of mean 0: N times how the average precision of one label grows with a picture's weight; 0 without any."""
    levels = numbered(-np.asarray(chances, np.float64))
    every, hits = np.bincount(levels), np.bincount(levels, known)
    if not hits.any():
        return np.zeros(len(levels))
    said = np.cumsum(every)
    precision = np.cumsum(hits) / said
    # A picture counts in the precision at every hit that is no surer than itself.
    below, share_below = (np.cumsum(one[::-1])[::-1][levels] for one in (hits / said, hits * precision / said))
    own = precision[levels] - np.sum(hits * precision) / hits.sum()
    return (known * (own + below) - share_below) * len(levels) / hits.sum()


def label_scores(
    truth: np.ndarray, probabilities: np.ndarray, said: np.ndarray, names: Sequence[str], clusters: Clusters = None
) -> dict:
    """The record of one part for scores.json: plain numbers, None for what is not defined.

    said: (N, K) of bool, the labels that were told. clusters: (N,) the same number for pictures that belong together.
    "per_class" holds precision, recall, specificity, F1, AUROC and average precision of each label, and of how many
    pictures it is "known" where that is not all. Raises StriateError where a probability is not a number.
    """
    truth = np.asarray(truth, np.float64).reshape(-1, len(names))
    chances = np.asarray(probabilities, np.float64).reshape(truth.shape)
    metrics.require_finite(chances, "probability")
    known, truth = ~np.isnan(truth), truth > 0
    clusters, said = intervals.real_clusters(clusters), np.asarray(said, bool).reshape(truth.shape) & known
    counts, sizes = _counts(truth, said, clusters), _sizes(truth, known, said, clusters)
    orders = chances, truth, known, clusters
    each = {
        "f1": [metrics.f1(*one) for one in counts],
        "auroc": redraws.resampled_orders(redraws.weighted_auroc, metrics.auroc_slopes, *orders),
        "ap": redraws.resampled_orders(average_precision, precision_slopes, *orders),
    }
    micro = (metrics.f1(*(kind.sum(axis=-1) for kind in one)) for one in counts)
    per_label = _per_label(truth, known, said, clusters, each, sizes)
    means = {
        name: _SCORED[name](*map(metrics.mean_of_known, pair), intervals.effective_size(sizes[name]))
        for name, pair in each.items()
    }
    return {
        "n": len(truth),
        **intervals.told_clusters(clusters),
        "main": "macro_f1",
        "baseline": plain(metrics.macro_f1(*_sums(truth, known))),
        "baseline_is": EVERY,
        "macro_f1": over_classes(means["f1"], [one["f1"] for one in per_label]),
        "micro_f1": bootstrapped(*micro, intervals.worth(truth.sum(axis=1), clusters)),
        "map": over_classes(means["ap"], [one["ap"] for one in per_label]),
        "auroc": means["auroc"],
        "all_right": share_score((said == truth).all(axis=1), clusters, known.any(axis=1)),
        "per_class": dict(zip(names, per_label, strict=True)),
    }


def _sizes(truth: np.ndarray, known: np.ndarray, said: np.ndarray, clusters: Clusters) -> dict[str, np.ndarray]:
    """How many pictures (K,) each label's scores hang on, by name: of a rare one those that have it."""
    having, without, called = (intervals.worth(one, clusters) for one in (truth, known & ~truth, said))
    return {"f1": np.where(having > 0, having, called), "auroc": np.minimum(having, without), "ap": having}


def _per_label(
    truth: np.ndarray, known: np.ndarray, said: np.ndarray, clusters: Clusters, each: Mapping, sizes: Mapping
) -> list[dict]:
    """The scores of every label by itself; each: values (K,) and redrawn (R, K), by name; sizes: of `_sizes`."""
    return [
        {
            "n": int(has.sum()),
            **({} if sure.all() else {"known": int(sure.sum())}),
            "precision": share_score(has, clusters, called),
            "recall": share_score(called, clusters, has),
            "specificity": share_score(~called, clusters, sure & ~has),
            **{name: _SCORED[name](values[k], drawn[:, k], sizes[name][k]) for name, (values, drawn) in each.items()},
        }
        for k, (has, sure, called) in enumerate(zip(truth.T, known.T, said.T, strict=True))
    ]


def _sums(truth: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (K,) rightly said to have each label, those that have it, those said to."""
    return (truth & said).sum(axis=0), truth.sum(axis=0), said.sum(axis=0)


def _counts(truth: np.ndarray, said: np.ndarray, clusters: Clusters) -> tuple[tuple, tuple]:
    """The same, and redrawn (R, K), as shares of the pictures."""
    columns = np.concatenate([truth & said, truth, said], axis=1).astype(np.float64)
    both, known, told = np.split(np.clip(redraws.resampled_means(columns, clusters=clusters), 0, 1), 3, axis=1)
    return _sums(truth, said), (np.minimum(both, np.minimum(known, told)), known, told)
