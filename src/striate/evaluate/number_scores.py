"""Scores of predicted numbers, in the user's units and with 95 % intervals, beside what costs nothing to say.

Legend: N pictures, K columns of numbers; truth and predicted are (N, K). Every score is {"value", "low", "high"}; the
ends come from pictures, or whole clusters, drawn again (see `intervals`), all scores from the same draws.
"""

from collections.abc import Sequence

import numpy as np

from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, plain, scored, share_score
from striate.evaluate.metrics import mean_of_known
from striate.statistics import ranks

LEVEL = 0.9  # share of new pictures whose number a prediction interval is to hold
NAMES = {"mae": None, "rmse": None, "r2": (-np.inf, 1), "pearson": (-1, 1), "spearman": (-1, 1)}  # ranges; None: sizes
MEAN, PREVIOUS = "always the mean of the training part", "the value before"


def half_widths(truth: np.ndarray, predicted: np.ndarray, clusters: Clusters = None) -> np.ndarray:
    """(K,) how far a prediction interval reaches to both sides, from N pictures that were not learned from.

    The `conformal_rank` of the absolute errors: of pictures like these N, an interval holds at least LEVEL. Infinite
    where N, or C, is too small to say. clusters: (N,) the same number for pictures that belong together.
    """
    errors = np.sort(np.abs(np.asarray(truth, np.float64) - predicted), axis=0)
    rank = intervals.conformal_rank(len(errors), intervals.clusters_worth(clusters, len(errors)), LEVEL)
    return errors[rank - 1] if rank else np.full(errors.shape[1], np.inf)


def number_scores(
    truth: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    mean: Sequence[float],
    *,
    reach: np.ndarray | None = None,
    ordered: bool = False,
    clusters: Clusters = None,
) -> dict:
    """The record of one part for scores.json: plain numbers, None for what is not defined.

    names: of the K columns. mean: (K,) of the training part. reach: (N, K) half widths of prediction intervals, whose
    coverage is measured; "reach" is their mean. ordered: pictures follow each other in time, so the value before is a
    baseline too. clusters: (N,) the same number for pictures that belong together.
    One column: its scores, the main one "rmse". Several: means over columns, without those in units, the main one "r2".
    "baselines" holds the errors of these; of several columns they and all scores stand in "per_class". Raises
    StriateError where a prediction is not a number.
    """
    truth = np.asarray(truth, np.float64).reshape(-1, len(names))
    predicted = np.asarray(predicted, np.float64).reshape(truth.shape)
    metrics.require_finite(predicted, "value")
    clusters = intervals.real_clusters(clusters)
    worth = intervals.clusters_worth(clusters, len(truth))
    values, drawn = _scores(truth, predicted, clusters)
    floors = _floors(truth, np.asarray(mean, np.float64), ordered)
    columns = [
        {name: _record(name, values[name][k], drawn[name][:, k], worth) for name in NAMES}
        | _covered(truth[:, k], predicted[:, k], None if reach is None else reach[:, k], clusters)
        | {"baselines": {word: {name: plain(floor[name][k]) for name in floor} for word, floor in floors.items()}}
        for k in range(len(names))
    ]
    if len(names) == 1:
        own, main, floor = columns[0], "rmse", columns[0]["baselines"][MEAN]["rmse"]
    else:
        main, floor = "r2", plain(mean_of_known(floors[MEAN]["r2"]))
        own = {of: _record(of, mean_of_known(values[of]), mean_of_known(drawn[of]), worth) for of in list(NAMES)[2:]}
        own["per_class"] = {name: {"n": len(truth), **one} for name, one in zip(names, columns, strict=True)}
    counts = {"n": len(truth), **intervals.told_clusters(clusters)}
    return {**counts, "main": main, "baseline": floor, "baseline_is": MEAN, **own}


def _scores(
    truth: np.ndarray, predicted: np.ndarray, clusters: Clusters
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Every score of every column (K,) and redrawn (R, K): all are functions of a few means.

    Ranks are those of all pictures and not drawn anew, which is right to first order.
    """
    if not len(truth):
        nothing = np.full(truth.shape[1], np.nan)
        return dict.fromkeys(NAMES, nothing), dict.fromkeys(NAMES, nothing[None])
    centre, size = truth.mean(axis=0), np.where(_varies(truth), truth.std(axis=0), 1.0)
    # Sums of squares are taken of numbers around 0, for precision.
    y, p, errors = (truth - centre) / size, (predicted - centre) / size, predicted - truth
    order, guessed = _ranks(truth), _ranks(predicted)
    moments = [np.abs(errors), errors**2, y, y**2, p, p**2, y * p]
    moments += [order, order**2, guessed, guessed**2, order * guessed]
    columns, scale = np.concatenate(moments, axis=1), size**2
    drawn = redraws.resampled_means(columns, clusters=clusters)
    values = _of_means(columns.mean(axis=0)[None], scale)
    return {name: row[0] for name, row in values.items()}, _of_means(drawn, scale)


def _of_means(means: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
    mae, mse, y, yy, p, pp, yp, r, rr, g, gg, rg = np.split(means, 12, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "mae": mae,
            "rmse": np.sqrt(np.clip(mse, 0, None)),
            "r2": 1 - mse / (_positive(yy - y**2) * scale),
            "pearson": (yp - y * p) / np.sqrt(_positive(yy - y**2) * _positive(pp - p**2)),
            "spearman": (rg - r * g) / np.sqrt(_positive(rr - r**2) * _positive(gg - g**2)),
        }


def _positive(variance: np.ndarray) -> np.ndarray:
    """The variances of numbers around 0 and of about 1; NaN for what is rounding."""
    return np.where(variance > 1e-12, variance, np.nan)


def _varies(truth: np.ndarray) -> np.ndarray:
    """(K,) whether a column is not one number throughout, whose variance rounding may put above 0."""
    return np.ptp(truth, axis=0) > 0


def _ranks(values: np.ndarray) -> np.ndarray:
    """(N, K) ranks of each column around 0, from -1 to 1; equal values share the mean of theirs."""
    count = max(len(values), 2)
    return (np.stack([ranks(column) for column in values.T], axis=1) - (count + 1) / 2) * 2 / (count - 1)


def _floors(truth: np.ndarray, mean: np.ndarray, ordered: bool) -> dict[str, dict[str, np.ndarray]]:
    """The errors of saying always the mean, and of saying the value before (which the first picture has none of)."""
    if not len(truth):
        return {MEAN: dict.fromkeys(("mae", "rmse", "r2"), np.full(len(mean), np.nan))}
    guesses = {MEAN: (truth, np.broadcast_to(mean, truth.shape))}
    if ordered and len(truth) > 1:
        guesses[PREVIOUS] = (truth[1:], truth[:-1])
    found = {}
    for word, (known, guess) in guesses.items():
        errors = known - guess
        mse = np.mean(errors**2, axis=0)
        r2 = 1 - metrics.share(mse, np.var(known, axis=0) * _varies(known))
        found[word] = {"mae": np.mean(np.abs(errors), axis=0), "rmse": np.sqrt(mse), "r2": r2}
    return found


def _covered(truth: np.ndarray, predicted: np.ndarray, reach: np.ndarray | None, clusters: Clusters) -> dict:
    """How many of the prediction intervals hold the true number, and how far these reach, where all have an end."""
    if reach is None or not np.isfinite(reach).all() or not len(truth):
        return {}
    inside = np.abs(truth - predicted) <= reach
    return {"coverage": share_score(inside, clusters), "reach": float(np.mean(reach))}


def _record(name: str, value: float, replicates: np.ndarray, worth: float) -> dict:
    if limits := NAMES[name]:
        return scored(value, *intervals.widened(value, replicates, worth, *limits))
    return scored(value, *intervals.of_sizes(value, replicates, worth))
