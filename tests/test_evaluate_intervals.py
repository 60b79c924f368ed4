"""Intervals: against SciPy, and by counting how often they hold the truth."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from striate.evaluate import intervals, metrics, redraws
from striate.evaluate.scores import classification_scores
from striate.statistics import auroc, wilson


def test_wilson_holds_the_true_accuracy_in_95_of_100_trials() -> None:
    """Over 20,000 drawn test parts of 180 pictures the interval covers 0.9 in 95 % ± 1.5."""
    hits = np.random.default_rng(1).binomial(180, 0.9, size=20_000)
    ends = {k: wilson(int(k), 180) for k in np.unique(hits)}
    covered = np.mean([ends[k][0] <= 0.9 <= ends[k][1] for k in hits])
    assert abs(covered - 0.95) < 0.015


@pytest.mark.parametrize("n", [12, 20, 40, 180])
def test_wilson_holds_the_true_accuracy_of_small_test_parts_too(n: int) -> None:
    """Exactly, by the binomial's own weights: over accuracies from 50 to 98 % it covers 95 % ± 1.5 on average."""
    hits = np.arange(n + 1)
    low, high = np.array([wilson(float(k), n) for k in hits]).T
    truth = np.linspace(0.5, 0.98, 97)[:, None]
    covered = np.sum(stats.binom.pmf(hits, n, truth) * ((low <= truth) & (truth <= high)), axis=1)
    assert abs(covered.mean() - 0.95) < 0.015


def drawn_clusters(rng: np.random.Generator, sizes: np.ndarray, share: float, alike: float) -> tuple:
    """Hits and cluster numbers: clusters have an accuracy of their own, with intraclass correlation `alike`."""
    own = np.full(len(sizes), share)
    if alike:
        own = rng.beta(share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike, len(sizes))
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    return rng.random(len(clusters)) < own[clusters], clusters


@pytest.mark.parametrize("share", [0.7, 0.9])
@pytest.mark.parametrize("alike", [0.1, 0.4])
def test_clustered_intervals_hold_the_truth_where_wilson_does_not(share: float, alike: float) -> None:
    """60 clusters of 10, 1,000 times: 95 % ± 1.5 are covered; Wilson's interval for the pictures covers < 90 %."""
    rng, sizes = np.random.default_rng([1, int(100 * share), int(10 * alike)]), np.full(60, 10)
    ours = naive = 0
    for _ in range(1000):
        hits, clusters = drawn_clusters(rng, sizes, share, alike)
        low, high = intervals.clustered(hits, clusters)
        ours += low <= share <= high
        low, high = wilson(hits.sum(), len(hits))
        naive += low <= share <= high
    assert abs(ours / 1000 - 0.95) <= 0.015 + 2 * (0.95 * 0.05 / 1000) ** 0.5
    assert naive / 1000 < 0.9


def test_clustered_intervals_with_clusters_of_all_sizes() -> None:
    """30 clusters of 1 to 40 pictures, with and without likeness: at least 93 % are covered."""
    rng = np.random.default_rng(5)
    sizes = np.maximum(1, rng.exponential(10, 30)).astype(int)
    for alike in (0.0, 0.4):
        covered = 0
        for _ in range(500):
            hits, clusters = drawn_clusters(rng, sizes, 0.85, alike)
            low, high = intervals.clustered(hits, clusters)
            covered += low <= 0.85 <= high
        assert covered / 500 >= 0.93


def test_a_cluster_counts_once_where_its_pictures_agree() -> None:
    """Clusters of five equal answers say as much as one picture each, up to Student's quantile for their number."""
    answers = np.random.default_rng(6).random(40) < 0.8
    clusters = np.repeat(np.arange(40), 5)
    low, high = intervals.clustered(answers.repeat(5), clusters)
    single = wilson(answers.sum(), 40)
    assert (low, high) == pytest.approx(single, abs=0.006)
    assert low < single[0] < single[1] < high
    assert intervals.clustered(np.ones(200, bool), clusters)[0] == pytest.approx(single_perfect(40), abs=0.006)
    assert intervals.clustered(answers, np.arange(40)) == pytest.approx(single)


def single_perfect(n: int) -> float:
    """SciPy's lower end for n of n."""
    return stats.binomtest(n, n).proportion_ci(0.95, method="wilson").low


def test_redrawn_clusters_keep_together() -> None:
    """Means over redrawn clusters spread like those over the clusters' own means; margins come in whole clusters."""
    rng = np.random.default_rng(7)
    values, clusters = rng.normal(size=50), np.repeat(np.arange(50), 4)
    drawn = redraws.resampled_means(values.repeat(4)[:, None], 4000, clusters=clusters)[:, 0]
    assert drawn.std() == pytest.approx(values.std() / 50**0.5, rel=0.05)
    truth = np.repeat([0, 1], 100)
    correct, actual, predicted = redraws.clustered_margins(truth, np.zeros(200, int), 2, clusters)
    assert not (actual % 4).any()
    assert (actual.sum(axis=1) == 200).all()
    assert (correct[:, 1] == 0).all()
    assert np.array_equal(predicted[:, 0], actual.sum(axis=1))


def test_a_mixture_of_scores_covers_its_truth() -> None:
    """A weighted sum of two accuracies: the interval covers 95 % ± 1.5 of 4,000 drawn pairs."""
    rng = np.random.default_rng(8)
    hits = rng.binomial([150, 80], [0.95, 0.6], size=(4000, 2))
    known = [{k: record(k, n) for k in np.unique(column)} for column, n in zip(hits.T, (150, 80), strict=True)]
    covered = 0
    for one, other in hits:
        value, low, high = intervals.mixture([(0.3, known[0][one]), (0.7, known[1][other])])
        assert value == pytest.approx(0.3 * one / 150 + 0.7 * other / 80)
        covered += low <= 0.3 * 0.95 + 0.7 * 0.6 <= high
    assert abs(covered / 4000 - 0.95) < 0.015


def record(hits: int, n: int) -> dict[str, float]:
    low, high = wilson(float(hits), n)
    return {"value": hits / n, "low": low, "high": high}


def test_the_bootstrap_of_balanced_accuracy_holds_its_truth() -> None:
    """Over 300 drawn tables the interval covers the true mean recall in 95 % ± 4."""
    rng = np.random.default_rng(2)
    recalls, counts = np.array([0.9, 0.7, 0.5]), np.array([60, 50, 40])
    covered = 0
    for trial in range(300):
        right = rng.binomial(counts, recalls)
        wrong = counts - right
        matrix = np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)
        correct, actual, _ = redraws.resampled_margins(matrix, seed=trial)
        low, high = intervals.percentile(metrics.balanced_accuracy(correct, actual))
        covered += low <= recalls.mean() <= high
    assert abs(covered / 300 - 0.95) < 0.04


@pytest.mark.parametrize("n", [400, redraws.MOST_SAMPLES + 1])
def test_redrawn_means_spread_as_theory_says(n: int) -> None:
    """Drawn one by one or from the normal limit, means have the covariance of the columns over n."""
    rng = np.random.default_rng(3)
    columns = rng.exponential(size=(n, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    drawn = redraws.resampled_means(columns, 4000)
    assert drawn.mean(axis=0) == pytest.approx(columns.mean(axis=0), rel=0.02)
    assert np.cov(drawn, rowvar=False) * n == pytest.approx(np.cov(columns, rowvar=False), rel=0.12)


def test_redrawn_auroc_is_that_of_the_redrawn_pictures() -> None:
    """Weighting a picture twice gives the AUROC of a set that holds it twice, ties included."""
    rng = np.random.default_rng(4)
    scores, positive = rng.integers(0, 8, 30), rng.random(30) < 0.4
    weights = np.concatenate(list(redraws.resampled_weights(30, 20))).astype(int)
    areas = redraws.weighted_auroc(scores, positive, weights)
    expected = [auroc(scores.repeat(row), positive.repeat(row)) for row in weights]
    assert areas == pytest.approx(expected)
    assert (weights.sum(axis=1) == 30).all()


def test_redrawn_margins_belong_to_tables_of_the_same_size() -> None:
    """Every redrawn table holds as many pictures, and a cell that was empty stays empty."""
    matrix = np.array([[5, 2, 0], [0, 4, 0], [0, 0, 0]])
    correct, actual, predicted = redraws.resampled_margins(matrix)
    assert (actual.sum(axis=1) == 11).all()
    assert (predicted.sum(axis=1) == 11).all()
    assert (actual[:, 2] == 0).all()
    assert (correct <= np.minimum(actual, predicted)).all()
    assert actual[:, 0].std() > 0


def test_a_perfect_score_is_not_certain() -> None:
    """20 of 20 leaves room below: the bootstrap has no width there, so Wilson's interval stands in."""
    score = intervals.bootstrapped(1.0, np.ones(100), 20)
    assert (score["low"], score["high"]) == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_effective_size_of_equal_classes_is_their_sum() -> None:
    """Three classes of ten are worth 30 pictures; one of them scarce is worth fewer than the sum."""
    assert intervals.effective_size(np.array([10, 10, 10])) == pytest.approx(30)
    assert intervals.effective_size(np.array([1, 100, 0])) == pytest.approx(4 / (1 + 0.01))
    assert intervals.effective_size(np.zeros(3)) == 0


def test_the_same_seed_draws_the_same() -> None:
    """Intervals never change from one evaluation to the next; another seed gives other tables."""
    columns, matrix = np.random.default_rng(0).normal(size=(50, 3)), np.array([[9, 3], [4, 8]])
    assert np.array_equal(redraws.resampled_means(columns), redraws.resampled_means(columns))
    first, again, other = (redraws.resampled_margins(matrix, seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_means_are_scores() -> None:
    """Means with the bootstrap's ends, shares with a width even where all are right; what is not defined is None."""
    rng = np.random.default_rng(0)
    values = {"mae": rng.exponential(2, 200), "right": np.ones(200, bool)}
    found = intervals.mean_scores(values)
    assert found["mae"]["value"] == pytest.approx(values["mae"].mean())
    error = values["mae"].std() / 200**0.5
    assert found["mae"]["high"] - found["mae"]["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert (found["right"]["low"], found["right"]["high"]) == pytest.approx(wilson(200, 200))
    clustered = intervals.mean_scores({"right": values["right"]}, np.arange(200) // 20)
    assert clustered["right"]["low"] == pytest.approx(wilson(10, 10)[0])
    assert intervals.mean_scores({"a": np.array([3.0])}) == {"a": {"value": 3.0, "low": None, "high": None}}
    assert intervals.mean_scores({"a": np.zeros(0)}) == {"a": {"value": None, "low": None, "high": None}}


def test_few_widen_as_students_interval() -> None:
    """The interval of a mean is Student's own, by SciPy, also of five numbers; of one alone there is none."""
    values = stats.norm.ppf((np.arange(5) + 0.5) / 5)
    again = redraws.resampled_means(values[:, None], 20_000)[:, 0]
    wanted = stats.t.interval(0.95, 4, values.mean(), values.std(ddof=1) / 5**0.5)
    found = intervals.widened(values.mean(), again, 5)
    assert found == pytest.approx(wanted, abs=0.1 * wanted[1])
    assert intervals.percentile(again)[1] < 0.7 * wanted[1]
    assert intervals.widened(values.mean(), again, 5, least=-0.5)[0] == -0.5
    assert np.isnan(intervals.widened(3.0, np.full(9, 3.0), 1)).all()


def test_what_weights_are_worth() -> None:
    """Equal weights count each, whatever they are; one that outweighs all others counts alone; clusters are summed."""
    weights = np.array([[2, 1, 0], [2, 1000, 0], [2, 1, 0], [2, 1, 0]])
    assert intervals.worth(weights, None) == pytest.approx([4, 1, 0], abs=0.01)
    assert intervals.worth(weights, np.array([0, 0, 1, 1]))[0] == pytest.approx(2)
    assert intervals.worth(np.zeros((0, 2)), None).tolist() == [0, 0]


def test_redrawn_means_of_many_pictures_keep_what_never_varies() -> None:
    """Beyond what is drawn one by one, absent columns stay 0, equal ones equal, small ones beside large ones right."""
    random = np.random.default_rng(0)
    rare, large = (random.random(5000) < 0.002).astype(float), random.normal(0, 1e9, 5000)
    drawn = redraws.resampled_means(np.stack([rare, np.zeros(5000), rare, large], axis=1))
    assert not drawn[:, 1].any()
    assert drawn[:, 0] == pytest.approx(drawn[:, 2], rel=1e-9)
    assert drawn[:, 0].std() == pytest.approx(rare.std() / 5000**0.5, rel=0.1)


def test_weights_of_few_clusters_come_in_blocks_of_bounded_size() -> None:
    """Blocks are cut by pictures and not by clusters, so that 20 clusters of 20,000 pictures take 16 MB at a time."""
    clusters = np.arange(20_000) % 20
    blocks = [block.shape for block in redraws.resampled_weights(20_000, 150, clusters=clusters)]
    assert sum(rows for rows, _ in blocks) == 150
    assert max(rows * width for rows, width in blocks) <= 2_000_000


def test_an_auroc_of_few_is_covered() -> None:
    """Ten pictures of a class among 60, true AUROC 0.94 of two normals: percentiles hold it in far fewer draws."""
    random, held = np.random.default_rng(0), np.zeros(2)
    y, true = np.arange(60) < 10, stats.norm.cdf(2.2 / 2**0.5)
    for _ in range(100):
        chances = random.normal(0, 1, 60) + 2.2 * y
        way = redraws.weighted_auroc, metrics.auroc_slopes
        drawn = redraws.resampled_orders(*way, chances[:, None], y[:, None])[1][:, 0]
        value = roc_auc_score(y, chances)
        ends = intervals.ranked(value, drawn, 10), dict(zip(("low", "high"), intervals.percentile(drawn), strict=True))
        held += [one["low"] <= true <= one["high"] for one in ends]
    assert held[0] >= 90
    assert held[0] > held[1]


@pytest.mark.parametrize("alike", [0.3, 0.6])
def test_clusters_of_which_few_hold_an_error_are_not_trusted(alike: float) -> None:
    """20 clusters of eight with 95 % hits: at least 93.5 % are covered, whose correlation few errors can tell."""
    rng, covered = np.random.default_rng(12), 0
    for _ in range(600):
        hits, clusters = drawn_clusters(rng, np.full(20, 8), 0.95, alike)
        low, high = intervals.clustered(hits, clusters)
        covered += low <= 0.95 <= high
    assert covered / 600 >= 0.935


def test_a_mean_over_classes_is_as_unsure_as_its_rarest_class() -> None:
    """100, 10 and 1 pictures, 99, 77 and 43 % of them right: the mean recall is covered in 94 % or more; redraws do so
    in 80 %, since the one picture never varies."""
    rng, covered = np.random.default_rng(13), Counter()
    sizes, right = np.array([100, 10, 1]), np.array([0.99, 0.77, 0.43])
    for _ in range(100):
        hits = rng.binomial(sizes, right)
        truth, answers = np.repeat(np.arange(3), sizes), np.repeat(np.arange(3), sizes)
        for k, start in enumerate([0, 100, 110]):
            answers[start : start + sizes[k] - hits[k]] = (k + 1) % 3
        scores = classification_scores(truth, np.eye(3)[answers], ["a", "b", "c"], 0)
        margins = redraws.resampled_margins(np.histogram2d(truth, answers, bins=np.arange(4) - 0.5)[0].astype(int))
        with np.errstate(invalid="ignore"):
            low, high = intervals.percentile(np.nanmean(margins[0] / margins[1], axis=1))
        ours = scores["balanced_accuracy"]
        covered["ours"] += ours["low"] <= right.mean() <= ours["high"]
        covered["redrawn"] += low <= right.mean() <= high
    assert covered["ours"] >= 94
    assert covered["redrawn"] < 90


def test_root_mean_squares_of_few_errors_are_covered() -> None:
    """Ten errors of Laplace's distribution: at least 88 % are covered, of percentiles of redraws less than 80 %."""
    rng, covered = np.random.default_rng(14), Counter()
    for _ in range(400):
        errors = rng.laplace(0, 1, 10)
        drawn = np.sqrt(redraws.resampled_means(errors[:, None] ** 2)[:, 0])
        value = float(np.sqrt(np.mean(errors**2)))
        for name, (low, high) in {
            "ours": intervals.of_sizes(value, drawn, 10), "percentiles": intervals.percentile(drawn)
        }.items():  # fmt: skip
            covered[name] += low <= 2**0.5 <= high
    assert covered["ours"] / 400 >= 0.88
    assert covered["percentiles"] / 400 < 0.8
    assert intervals.of_sizes(0.0, np.zeros(5), 5) == (0.0, 0.0)
