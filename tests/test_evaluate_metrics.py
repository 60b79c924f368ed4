"""Scores of a classifier, against scikit-learn and numbers worked by hand."""

import numpy as np
import pytest
import sklearn.metrics as oracle

from striate.evaluate import metrics
from striate.statistics import auroc


def _drawn(seed: int, n: int, classes: int, sharpness: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) with every class present, and probabilities (n, classes) that lean to them."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), truth] += sharpness
    odds = np.exp(logits)
    return truth, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_scores_agree_with_scikit_learn(classes: int) -> None:
    """Confusion, balanced accuracy, precision, recall, F1, AUROC and log loss equal scikit-learn's."""
    truth, probabilities = _drawn(3, 200, classes)
    called = probabilities.argmax(axis=1)
    matrix = metrics.confusion(truth, called, classes)
    correct, actual, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    assert np.array_equal(matrix, oracle.confusion_matrix(truth, called, labels=range(classes)))
    balanced = oracle.balanced_accuracy_score(truth, called)
    assert metrics.balanced_accuracy(correct, actual) == pytest.approx(balanced)
    each = oracle.precision_recall_fscore_support(truth, called, labels=range(classes))
    assert metrics.share(correct, predicted) == pytest.approx(each[0])
    assert metrics.share(correct, actual) == pytest.approx(each[1])
    assert metrics.f1(correct, actual, predicted) == pytest.approx(each[2])
    assert metrics.macro_f1(correct, actual, predicted) == pytest.approx(each[2].mean())
    assert metrics.log_loss(truth, probabilities) == pytest.approx(oracle.log_loss(truth, probabilities))
    areas = [auroc(column, truth == k) for k, column in enumerate(probabilities.T)]
    if classes == 2:
        expected = oracle.roc_auc_score(truth, probabilities[:, 1])
    else:
        expected = oracle.roc_auc_score(truth, probabilities, multi_class="ovr")
    assert metrics.macro_auroc(areas) == pytest.approx(expected)


def test_calibration_error_by_hand() -> None:
    """Two bins of two: |0.95 - 0.5| and |0.55 - 1| weigh half each, so the error is 0.45."""
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, False, True, True])
    assert metrics.calibration_error(confidence, correct) == pytest.approx(0.45)
    table = metrics.calibration_bins(confidence, correct)
    assert table["count"].tolist() == [0] * 8 + [2] + [0] * 5 + [2]
    assert table["accuracy"][14] == 0.5
    assert np.isnan(table["accuracy"][0])


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    """Bins are open below and closed above, as in Guo et al.: 0.2 ends the third of fifteen."""
    assert metrics.bin_numbers(np.array([0.0, 0.2, 0.2001, 1.0])).tolist() == [0, 2, 3, 14]


def test_calibration_error_is_that_of_a_plain_loop() -> None:
    """The error of drawn confidences equals the textbook sum over bins."""
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    total = 0.0
    for m in range(1, 16):
        inside = ((m - 1) / 15 < confidence) & (confidence <= m / 15)
        if inside.any():
            total += inside.sum() / 500 * abs(confidence[inside].mean() - correct[inside].mean())
    assert metrics.calibration_error(confidence, correct) == pytest.approx(total)


def test_what_does_not_exist_is_not_a_number() -> None:
    """A class without pictures has no recall, one never called no precision, and no mean counts them."""
    matrix = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    correct, actual, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    assert np.isnan(metrics.share(correct, actual)[1])
    assert np.isnan(metrics.share(correct, predicted)[2])
    assert metrics.balanced_accuracy(correct, actual) == pytest.approx((3 / 4 + 0) / 2)
    assert metrics.macro_f1(correct, actual, predicted) == pytest.approx((6 / 9 + 0 + 0) / 3)
    assert np.isnan(metrics.mean_of_known(np.array([np.nan, np.nan])))
    nothing = np.zeros(0, dtype=int)
    assert np.isnan(metrics.log_loss(nothing, np.zeros((0, 3))))
    assert np.isnan(metrics.calibration_error(np.zeros(0), nothing))


def test_a_probability_of_zero_costs_much_but_not_everything() -> None:
    """Log loss stays finite when the true class was given nothing."""
    loss = metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]]))
    assert loss == pytest.approx(-np.log(1e-7))
