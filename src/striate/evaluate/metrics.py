"""Scores of a classifier, as pure functions on arrays.

truth, predicted: integer arrays (N,) of class numbers 0 .. K-1.
probabilities: float array (N, K), rows sum to 1.
A score that does not exist (no picture of a class, nothing predicted as it) is NaN, never 0.
"""

import numpy as np

from striate.errors import StriateError
from striate.statistics import auroc, placements

CALIBRATION_BINS = 15
# Probabilities below this count as this: float32 softmax resolves no less beside 1.
SMALLEST_PROBABILITY = 1e-7


def require_finite(predicted: np.ndarray, what: str) -> None:
    """Raise StriateError where one of the predictions (N, K), each a `what`, is NaN or infinite."""
    broken = int(np.count_nonzero(~np.isfinite(predicted).all(axis=1)))
    if broken:
        received = f"{broken:,} of {len(predicted):,} pictures with NaN or infinity"
        rule = f"every predicted {what} must be a finite number"
        raise StriateError(rule, received=received, remedy="train again with a lower learning rate (--lr)")


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K) of int64: row = true class, column = predicted class."""
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def f1(correct: np.ndarray, actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Per class: harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), counts (..., K) in.

    NaN only for a class that is neither true nor predicted anywhere.
    """
    return share(2 * np.asarray(correct), np.asarray(actual) + np.asarray(predicted))


def balanced_accuracy(correct: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur; (..., K) counts in, (...) out."""
    return mean_of_known(share(correct, actual))


def macro_f1(correct: np.ndarray, actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that are true or predicted somewhere; (..., K) counts in, (...) out."""
    return mean_of_known(f1(correct, actual, predicted))


def roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of negatives and of positives that score at least as much as each distinct value, from none to all;
    NaN when one side is empty."""
    _, levels = np.unique(-np.asarray(scores), return_inverse=True)
    sides = (np.bincount(levels[side], minlength=levels.max() + 1) for side in (~positive, positive))
    downs, ups = (share(np.concatenate([[0], np.cumsum(side)]), side.sum()) for side in sides)
    return downs, ups


def auroc_slopes(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(N,) of mean 0: N times how the AUROC grows with the weight of a sample; 0 when one side is empty."""
    positive = np.asarray(positive, dtype=bool)
    side = np.where(positive, positive.sum(), len(positive) - positive.sum())
    if not positive.any() or positive.all():
        return np.zeros(len(positive))
    return (placements(scores, positive) - auroc(scores, positive)) * len(positive) / side


def macro_auroc(per_class: np.ndarray) -> np.ndarray:
    """One AUROC from those of the classes (..., K): the second of two, else the mean of the known."""
    per_class = np.asarray(per_class)
    return per_class[..., 1] if per_class.shape[-1] == 2 else mean_of_known(per_class)


def sample_log_loss(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Per sample (N,), minus the natural logarithm of the probability given to its true class."""
    given = np.asarray(probabilities)[np.arange(len(truth)), truth].astype(np.float64)
    return -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of `sample_log_loss`, in nats; NaN for no pictures."""
    return float(sample_log_loss(truth, probabilities).mean()) if len(truth) else float("nan")


def bin_numbers(confidence: np.ndarray) -> np.ndarray:
    """Per sample (N,), which of CALIBRATION_BINS equal bins ((m-1)/M, m/M] holds its confidence; 0 is in the first."""
    inner = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
    return np.searchsorted(inner, np.asarray(confidence, dtype=np.float64), side="left")


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays (CALIBRATION_BINS,): "low", "high", "count", and the mean "confidence" and "accuracy" (NaN where empty).

    confidence: top-1 probability (N,); correct: whether the top class is the true one (N,).
    """
    bins, numbers = CALIBRATION_BINS, bin_numbers(confidence)
    count = np.bincount(numbers, minlength=bins)
    trust = np.bincount(numbers, weights=np.asarray(confidence, dtype=np.float64), minlength=bins)
    right = np.bincount(numbers, weights=np.asarray(correct, dtype=np.float64), minlength=bins)
    edges = np.arange(bins + 1) / bins
    return {
        "low": edges[:-1],
        "high": edges[1:],
        "count": count,
        "confidence": share(trust, count),
        "accuracy": share(right, count),
    }


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error, 0 to 1: how far confidence and accuracy differ, averaged over bins.

    Top-1 confidence and equal-width bins as in Guo et al., ICML 2017; NaN for no pictures.
    """
    if not len(confidence):
        return float("nan")
    table = calibration_bins(confidence, correct)
    gap = np.abs(table["confidence"] - table["accuracy"])
    return float(np.nansum(gap * table["count"]) / len(confidence))


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is known."""
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    return share(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole as float64, NaN where the whole is not above 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
