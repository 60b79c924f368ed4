"""Intervals: against SciPy, and by counting how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from striate.evaluate import intervals
from striate.tasks import metrics


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 7), (57, 60), (180, 180), (9123, 10000)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    """Both ends equal SciPy's Wilson interval for the binomial."""
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_unknown() -> None:
    """No pictures, no interval."""
    assert np.isnan(intervals.wilson(0, 0)).all()


def test_wilson_holds_the_true_accuracy_in_95_of_100_trials() -> None:
    """Over 20,000 drawn test parts of 180 pictures the interval covers 0.9 in 95 % ± 1.5."""
    hits = np.random.default_rng(1).binomial(180, 0.9, size=20_000)
    ends = {k: intervals.wilson(int(k), 180) for k in np.unique(hits)}
    covered = np.mean([ends[k][0] <= 0.9 <= ends[k][1] for k in hits])
    assert abs(covered - 0.95) < 0.015


def test_the_bootstrap_of_balanced_accuracy_holds_its_truth() -> None:
    """Over 300 drawn tables the interval covers the true mean recall in 95 % ± 4."""
    rng = np.random.default_rng(2)
    recalls, counts = np.array([0.9, 0.7, 0.5]), np.array([60, 50, 40])
    covered = 0
    for trial in range(300):
        right = rng.binomial(counts, recalls)
        wrong = counts - right
        matrix = np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)
        correct, actual, _ = intervals.resampled_margins(matrix, 300, seed=trial)
        low, high = intervals.percentile(metrics.balanced_accuracy(correct, actual))
        covered += low <= recalls.mean() <= high
    assert abs(covered / 300 - 0.95) < 0.04


@pytest.mark.parametrize("n", [400, intervals.MOST_SAMPLES + 1])
def test_redrawn_means_spread_as_theory_says(n: int) -> None:
    """Drawn one by one or from the normal limit, means have the covariance of the columns over n."""
    rng = np.random.default_rng(3)
    columns = rng.exponential(size=(n, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    drawn = intervals.resampled_means(columns, 4000)
    assert drawn.mean(axis=0) == pytest.approx(columns.mean(axis=0), rel=0.02)
    assert np.cov(drawn, rowvar=False) * n == pytest.approx(np.cov(columns, rowvar=False), rel=0.12)


def test_redrawn_auroc_is_that_of_the_redrawn_pictures() -> None:
    """Weighting a picture twice gives the AUROC of a set that holds it twice, ties included."""
    rng = np.random.default_rng(4)
    scores, positive = rng.integers(0, 8, 30), rng.random(30) < 0.4
    areas = intervals.resampled_auroc(metrics.tie_levels(scores)[None], positive[None], 20, seed=7)[:, 0]
    weights = np.concatenate(list(intervals.resampled_weights(30, 20, seed=7))).astype(int)
    expected = [metrics.auroc(scores.repeat(row), positive.repeat(row)) for row in weights]
    assert areas == pytest.approx(expected)
    assert (weights.sum(axis=1) == 30).all()


def test_redrawn_margins_belong_to_tables_of_the_same_size() -> None:
    """Every redrawn table holds as many pictures, and a cell that was empty stays empty."""
    matrix = np.array([[5, 2, 0], [0, 4, 0], [0, 0, 0]])
    correct, actual, predicted = intervals.resampled_margins(matrix, 50)
    assert (actual.sum(axis=1) == 11).all()
    assert (predicted.sum(axis=1) == 11).all()
    assert (actual[:, 2] == 0).all()
    assert (correct <= np.minimum(actual, predicted)).all()
    assert actual[:, 0].std() > 0


def test_a_perfect_score_is_not_certain() -> None:
    """20 of 20 leaves room below: the bootstrap has no width there, so Wilson's interval stands in."""
    low, high = intervals.proportion_like(1.0, np.ones(100), 20)
    assert (low, high) == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_effective_size_of_equal_classes_is_their_sum() -> None:
    """Three classes of ten are worth 30 pictures; one of them scarce is worth fewer than the sum."""
    assert intervals.effective_size(np.array([10, 10, 10])) == pytest.approx(30)
    assert intervals.effective_size(np.array([1, 100, 0])) == pytest.approx(4 / (1 + 0.01))
    assert intervals.effective_size(np.zeros(3)) == 0


def test_the_same_seed_draws_the_same() -> None:
    """Intervals never change from one evaluation to the next."""
    columns = np.random.default_rng(0).normal(size=(50, 3))
    assert np.array_equal(intervals.resampled_means(columns), intervals.resampled_means(columns))
    assert not np.array_equal(intervals.resampled_means(columns), intervals.resampled_means(columns, seed=1))
