"""Every score of a classifier on one part, each with its 95 % interval, as scores.json holds it."""

from collections.abc import Collection, Sequence

import numpy as np

from striate.errors import StriateError, first_few
from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.intervals import Clusters, bootstrapped, over_classes, ranked, scored, share_score
from striate.evaluate.named import interval, label, main_of, number, to_beat

MANY = 0.9  # clusters per picture, from which on the clusters are not told
TWINS = 20  # look-alikes held out; of fewer the score says too little for more than a line of the report


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


def headline(scores: dict) -> str:
    """One line that says how good it is: "91.2 % [86.1, 94.6], n = 180; always 'cat' would score 55.0 %"."""
    if not scores["n"]:
        return "not scored: no pictures in this part"
    main, (floor, without) = main_of(scores), to_beat(scores)
    said = "" if main == "accuracy" else f"{label(main, scores)} "
    beside = "" if floor is None else f"; {without} would score {number(floor, main)}"
    return f"{said}{interval(scores[main], main)}, n = {scores['n']:,}{in_groups(scores)}{beside}"


def in_groups(scores: dict) -> str:
    """ " in 41 groups", where so many pictures belong together that it matters; else nothing."""
    clusters = scores.get("clusters", scores["n"])
    return f" in {clusters:,} groups" if clusters < MANY * scores["n"] else ""


def warnings(scores: dict, opened_by: Sequence[str] = ()) -> list[str]:
    """What must be said beside the test score of scores.json, in sentences.

    opened_by: earlier runs that opened the same test pictures.
    """
    test, said = scores["test"], []
    if test.get("leaked"):
        honest, many = test["without_leaks"], f"{test['leaked']:,} of the {test['n']:,} test pictures"
        said.append(f"{many} have a copy, a look-alike or one of their group in training. Without: {headline(honest)}.")
    if (split := scores.get("random_split")) and split["n"] >= TWINS:
        honest, naive = (interval(part["accuracy"], "accuracy") for part in (test.get("without_leaks", test), split))
        said.append(
            f"A split by picture would have reported about {naive}, since {100 * split['share']:.0f} % of the pictures "
            f"would have had a look-alike in training; the honest test says {honest}."
        )
    if share := test.get("learned"):
        many = f"{100 * share:.0f} %" if share >= 0.01 else "Some"
        said.append(f"{many} of these pictures were learned from, and a score on those says nothing of new ones.")
    said += filter(None, [test.get("note")])
    if test.get("openings", 1) > 1:
        by = f" (earlier by {first_few(list(opened_by))})" if opened_by else ""
        said.append(
            f"These test pictures have been opened {test['openings']:,} times{by}; a score chosen by looking at it is "
            "no longer honest."
        )
    return said


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
