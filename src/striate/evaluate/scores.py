"""Every score of a classifier on one part, each with its 95 % interval, as scores.json holds it."""

from collections.abc import Sequence

import numpy as np

from striate.errors import StriateError
from striate.evaluate import intervals
from striate.tasks import metrics

# Pictures x classes up to which the AUROC is computed anew for every resample.
MOST_AUROC_CELLS = 10_000


def classification_scores(truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], majority: int) -> dict:
    """The record of one part for scores.json: plain numbers, None for what is not defined.

    truth: (N,) class numbers; probabilities: (N, K) in the order of `classes`; majority: number of the
    most common class of the training part. Every score is {"value", "low", "high"}; "per_class" holds
    precision, recall, F1 and one-against-the-rest AUROC; "confusion" has a row per true class.
    Raises StriateError where a probability is not a number or a class number is unknown.
    """
    truth = np.asarray(truth, dtype=np.int64).reshape(-1)
    probabilities = np.asarray(probabilities, dtype=np.float64).reshape(len(truth), len(classes))
    _check(truth, probabilities, len(classes))
    matrix = metrics.confusion(truth, probabilities.argmax(axis=1), len(classes))
    correct, actual, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    margins = intervals.resampled_margins(matrix)
    areas, area_draws = _auroc(truth, probabilities)
    return {
        "n": len(truth),
        "baseline": _plain(metrics.baseline(truth, majority)),
        "majority": classes[majority],
        "accuracy": _proportion(correct.sum(), len(truth)),
        **_means_over_classes(correct, actual, predicted, margins, areas, area_draws),
        **_of_probabilities(truth, probabilities),
        "per_class": _per_class(classes, correct, actual, predicted, margins, areas, area_draws),
        "confusion": matrix.tolist(),
    }


def headline(scores: dict) -> str:
    """One line that says how good it is: "91.2 % [86.1, 94.6], n = 180; always 'cat' would score 55.0 %"."""
    if not scores["n"]:
        return "not scored: no pictures in this part"
    value, low, high = (100 * scores["accuracy"][key] for key in ("value", "low", "high"))
    floor = f"always {scores['majority']!r} would score {100 * scores['baseline']:.1f} %"
    return f"{value:.1f} % [{low:.1f}, {high:.1f}], n = {scores['n']:,}; {floor}"


def _check(truth: np.ndarray, probabilities: np.ndarray, classes: int) -> None:
    broken = int(np.count_nonzero(~np.isfinite(probabilities).all(axis=1)))
    if broken:
        raise StriateError(
            "every predicted probability must be a finite number",
            received=f"{broken:,} of {len(truth):,} pictures with NaN or infinity",
            remedy="train again with a lower learning rate (--lr)",
        )
    unknown = truth[(truth < 0) | (truth >= classes)]
    if unknown.size:
        raise StriateError(
            f"a class number must lie between 0 and {classes - 1}",
            received=int(unknown[0]),
            remedy="score with the class names that the model was trained on",
        )


def _means_over_classes(
    correct: np.ndarray,
    actual: np.ndarray,
    predicted: np.ndarray,
    margins: tuple[np.ndarray, np.ndarray, np.ndarray],
    areas: np.ndarray,
    area_draws: np.ndarray,
) -> dict:
    size = intervals.effective_size(actual)
    balanced = metrics.balanced_accuracy(correct, actual), metrics.balanced_accuracy(*margins[:2])
    f1 = metrics.macro_f1(correct, actual, predicted), metrics.macro_f1(*margins)
    area = metrics.macro_auroc(areas), metrics.macro_auroc(area_draws)
    return {
        "balanced_accuracy": _bootstrapped(*balanced, size),
        "macro_f1": _bootstrapped(*f1, size),
        "auroc": _bootstrapped(*area, size),
    }


def _of_probabilities(truth: np.ndarray, probabilities: np.ndarray) -> dict:
    """Calibration error and log loss, from the same draws of pictures; one picture gives no interval."""
    if len(truth) < 2:
        loss, nothing = metrics.log_loss(truth, probabilities), _record(np.nan, np.nan, np.nan)
        return {"calibration_error": nothing, "log_loss": _record(loss, np.nan, np.nan)}
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = metrics.bin_numbers(confidence)
    columns = np.zeros((len(truth), metrics.CALIBRATION_BINS + 1))
    columns[np.arange(len(truth)), bins] = confidence - correct
    columns[:, -1] = metrics.sample_log_loss(truth, probabilities)
    drawn = intervals.resampled_means(columns)
    error = metrics.calibration_error(confidence, correct)
    errors = np.abs(drawn[:, :-1]).sum(axis=1)
    # Noise adds to a sum of absolute gaps, so redrawn errors lie too high; they are centred on the value.
    low, high = intervals.percentile(np.clip(errors - errors.mean() + error, 0, 1))
    loss = metrics.log_loss(truth, probabilities)
    return {
        "calibration_error": _record(error, min(low, error), max(high, error)),
        "log_loss": _record(loss, *intervals.percentile(drawn[:, -1])),
    }


def _auroc(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC per class (K,) and redrawn (R, K): exact for small sets, DeLong's linear form for large ones."""
    n, classes = probabilities.shape
    areas = metrics.auroc_per_class(truth, probabilities)
    if not n:
        return areas, np.full((1, classes), np.nan)
    positive = truth == np.arange(classes)[:, None]
    if n * classes <= MOST_AUROC_CELLS and n <= intervals.MOST_SAMPLES:
        levels = np.stack([metrics.tie_levels(column) for column in probabilities.T])
        return areas, intervals.resampled_auroc(levels, positive)
    influence = np.zeros((n, classes))
    for k in np.flatnonzero(~np.isnan(areas)):
        side = np.where(positive[k], positive[k].sum(), n - positive[k].sum())
        influence[:, k] = (metrics.placements(probabilities[:, k], positive[k]) - areas[k]) * n / side
    return areas, areas + intervals.resampled_means(influence)


def _per_class(
    classes: Sequence[str],
    correct: np.ndarray,
    actual: np.ndarray,
    predicted: np.ndarray,
    margins: tuple[np.ndarray, np.ndarray, np.ndarray],
    areas: np.ndarray,
    area_draws: np.ndarray,
) -> dict:
    f1, drawn = metrics.f1(correct, actual, predicted), metrics.f1(*margins)
    total = actual.sum()
    return {
        name: {
            "n": int(actual[k]),
            "precision": _proportion(correct[k], predicted[k]),
            "recall": _proportion(correct[k], actual[k]),
            "f1": _bootstrapped(f1[k], drawn[:, k], actual[k]),
            "auroc": _bootstrapped(areas[k], area_draws[:, k], min(actual[k], total - actual[k])),
        }
        for k, name in enumerate(classes)
    }


def _proportion(successes: int, n: int) -> dict:
    return _record(successes / n if n else np.nan, *intervals.wilson(float(successes), float(n)))


def _bootstrapped(value: float, replicates: np.ndarray, effective: float) -> dict:
    if np.isnan(value):
        return _record(np.nan, np.nan, np.nan)
    return _record(value, *intervals.proportion_like(float(value), replicates, float(effective)))


def _record(value: float, low: float, high: float) -> dict:
    return {"value": _plain(value), "low": _plain(low), "high": _plain(high)}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
