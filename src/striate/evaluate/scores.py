"""Every score of a classifier on one part, each with its 95 % interval, as scores.json holds it."""

from collections.abc import Collection, Sequence

import numpy as np

from striate.errors import StriateError
from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, bootstrapped, over_classes, ranked, scored, share_score


def classification_scores(
    truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], majority: int, clusters: Clusters = None
) -> dict:
    """The record of one part for scores.json: plain numbers, None for what is not defined.

    truth: (N,) class numbers; probabilities: (N, K) in the order of `classes`; majority: number of the
    most common class of the training part; clusters: (N,) the same number for pictures that belong together (of one
    patient, look-alikes), which widens the intervals; "clusters" then says how many there are. Every score is
    {"value", "low", "high"}; "per_class" holds precision, recall, F1 and one-against-the-rest AUROC; "confusion" has
    a row per true class.
    Raises StriateError where a probability is not a number or a class number is unknown.
    """
    truth = np.asarray(truth, dtype=np.int64).reshape(-1)
    probabilities = np.asarray(probabilities, dtype=np.float64).reshape(len(truth), len(classes))
    _check(truth, probabilities, len(classes))
    hits = _Hits(truth, probabilities.argmax(axis=1), len(classes), intervals.real_clusters(clusters))
    positive = truth[:, None] == np.arange(len(classes))
    auroc = redraws.weighted_auroc, metrics.auroc_slopes
    areas = redraws.resampled_orders(*auroc, probabilities, positive, clusters=hits.clusters)
    per_class = {name: _of_class(k, hits, areas) for k, name in enumerate(classes)}
    return {
        "n": len(truth),
        **intervals.told_clusters(hits.clusters),
        "main": "accuracy",
        "baseline": float(np.mean(truth == majority)) if len(truth) else None,
        "baseline_is": f"always {classes[majority]!r}",
        "majority": classes[majority],
        "accuracy": hits.share(),
        **_means_over_classes(hits, areas, per_class.values()),
        **_of_probabilities(truth, probabilities, hits.clusters),
        "per_class": per_class,
        "confusion": hits.matrix.tolist(),
    }


def _check(truth: np.ndarray, probabilities: np.ndarray, classes: int) -> None:
    metrics.require_finite(probabilities, "probability")
    unknown = truth[(truth < 0) | (truth >= classes)]
    if unknown.size:
        rule = f"a class number must lie between 0 and {classes - 1}"
        remedy = "score with the class names that the model was trained on"
        raise StriateError(rule, received=int(unknown[0]), remedy=remedy)


def _means_over_classes(hits: "_Hits", areas: tuple[np.ndarray, np.ndarray], each: Collection[dict]) -> dict:
    """areas: AUROC (K,) and redrawn (R, K); each: the scores of every class by itself."""
    size = hits.worth * intervals.effective_size(hits.counts[1])
    balanced = bootstrapped(*(metrics.balanced_accuracy(*counts[:2]) for counts in hits.both), size)
    f1 = bootstrapped(*map(metrics.mean_of_known, hits.f1), size)
    return {
        "balanced_accuracy": over_classes(balanced, [one["recall"] for one in each]),
        "macro_f1": over_classes(f1, [one["f1"] for one in each]),
        "auroc": ranked(*map(metrics.macro_auroc, areas), size),
    }


def _of_probabilities(truth: np.ndarray, probabilities: np.ndarray, clusters: Clusters) -> dict:
    """Calibration error and log loss, from the same draws of pictures; one picture gives no interval."""
    if len(truth) < 2:
        return {"calibration_error": scored(np.nan), "log_loss": scored(metrics.log_loss(truth, probabilities))}
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = metrics.bin_numbers(confidence)
    columns = np.zeros((len(truth), metrics.CALIBRATION_BINS + 1))
    columns[np.arange(len(truth)), bins] = confidence - correct
    columns[:, -1] = metrics.sample_log_loss(truth, probabilities)
    drawn = redraws.resampled_means(columns, clusters=clusters)
    error, worth = metrics.calibration_error(confidence, correct), intervals.clusters_worth(clusters, len(truth))
    errors = np.abs(drawn[:, :-1]).sum(axis=1)
    # Noise adds to a sum of absolute gaps, so redrawn errors lie too high; they are centred on the value.
    centred, loss = np.clip(errors - errors.mean() + error, 0, 1), metrics.log_loss(truth, probabilities)
    return {
        "calibration_error": scored(error, *intervals.widened(error, centred, worth, 0, 1)),
        "log_loss": scored(loss, *intervals.widened(loss, drawn[:, -1], worth, 0)),
    }


def _of_class(k: int, hits: "_Hits", areas: tuple[np.ndarray, np.ndarray]) -> dict:
    (f1, drawn), actual = hits.f1, hits.counts[1]
    return {
        "n": int(actual[k]),
        "precision": hits.share(hits.predicted == k),
        "recall": hits.share(hits.truth == k),
        "f1": bootstrapped(f1[k], drawn[:, k], hits.worth * actual[k]),
        "auroc": ranked(areas[0][k], areas[1][:, k], hits.worth * min(actual[k], actual.sum() - actual[k])),
    }


class _Hits:
    """True and predicted class numbers (N,) and, where some pictures belong together, their clusters' numbers (N,).

    worth: how many independent pictures each is worth at the least, up to 1. counts: (K,) correct, actual and predicted
    pictures of every class; both: these and the same redrawn (R, K). f1: (K,) of every class, and redrawn (R, K).
    """

    def __init__(self, truth: np.ndarray, predicted: np.ndarray, classes: int, clusters: Clusters) -> None:
        self.truth, self.predicted, self.clusters = truth, predicted, clusters
        self.worth = intervals.clusters_worth(clusters, len(truth)) / max(len(truth), 1)
        self.matrix = matrix = metrics.confusion(truth, predicted, classes)
        self.counts = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
        if clusters is None:
            self.both = self.counts, redraws.resampled_margins(matrix)
        else:
            self.both = self.counts, redraws.clustered_margins(truth, predicted, classes, clusters)
        self.f1 = tuple(metrics.f1(*each) for each in self.both)

    def share(self, among: np.ndarray | slice = slice(None)) -> dict:
        """The share of right ones among the pictures of a mask (N,), or all, with its interval."""
        return share_score(self.truth == self.predicted, self.clusters, among)
