"""Scores of several labels are those of scikit-learn; thresholds are the best ones."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from striate.errors import StriateError
from striate.evaluate import metrics
from striate.evaluate.label_scores import average_precision, best_thresholds, label_scores, precision_slopes
from striate.evaluate.named import headline
from striate.evaluate.redraws import resampled_means, resampled_weights, weighted_auroc

NAMES = ("a", "b", "c")


def drawn(seed: int, n: int = 60, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random((n, 3)) < [0.1, 0.5, 0.9]
    chances = np.clip(truth * 0.3 + random.random((n, 3)) * 0.7, 0, 1)
    return truth, chances.round(1) if ties else chances


@given(st.integers(0, 10_000), st.integers(5, 80), st.booleans())
@settings(max_examples=8, deadline=None)
def test_the_scores_of_scikit_learn(seed: int, n: int, ties: bool) -> None:
    """F1 micro and macro, mAP, AUROC, precision and recall equal those of scikit-learn, also with equal chances."""
    reference = pytest.importorskip("sklearn.metrics")
    truth, chances = drawn(seed, n, ties)
    said = chances >= np.array([0.4, 0.5, 0.6])
    record = label_scores(truth, chances, said, NAMES)
    known = truth.any(axis=0)
    areas = [reference.average_precision_score(truth[:, k], chances[:, k]) for k in range(3) if known[k]]
    assert record["map"]["value"] == pytest.approx(np.mean(areas)) if areas else record["map"]["value"] is None
    assert record["micro_f1"]["value"] == pytest.approx(reference.f1_score(truth, said, average="micro"))
    named = known | said.any(axis=0)
    each = reference.f1_score(truth, said, average=None, zero_division=0.0)
    assert record["macro_f1"]["value"] == pytest.approx(each[named].mean())
    assert record["all_right"]["value"] == pytest.approx(reference.accuracy_score(truth, said))
    for k, row in enumerate(record["per_class"].values()):
        if known[k] and not truth[:, k].all():
            assert row["auroc"]["value"] == pytest.approx(reference.roc_auc_score(truth[:, k], chances[:, k]))
        if known[k]:
            assert row["recall"]["value"] == pytest.approx(reference.recall_score(truth[:, k], said[:, k]))
        if said[:, k].any():
            assert row["precision"]["value"] == pytest.approx(reference.precision_score(truth[:, k], said[:, k]))
        for score in (row["f1"], row["ap"], row["precision"], row["recall"]):
            assert score["value"] is None or score["low"] <= score["value"] <= score["high"]


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=8, deadline=None)
def test_no_threshold_is_better(seed: int, ties: bool) -> None:
    """The chosen threshold has the greatest F1 that any could have."""
    reference = pytest.importorskip("sklearn.metrics")
    truth, chances = drawn(seed, 40, ties)
    for k, threshold in enumerate(best_thresholds(truth, chances)):
        if not truth[:, k].any() or truth[:, k].all():
            assert threshold == 0.5
            continue
        precision, recall, _ = reference.precision_recall_curve(truth[:, k], chances[:, k])
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
        assert reference.f1_score(truth[:, k], chances[:, k] >= threshold) >= best - 1e-9


def test_thresholds_of_many_pictures_take_little_memory() -> None:
    """Of 5,000 pictures far less than the 25 MB of a table of N x N marks."""
    truth, chances = drawn(0, 5000)
    tracemalloc.start()
    best_thresholds(truth, chances)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_drawn_again_by_weight() -> None:
    """Average precision with weights is that of the pictures written down as often."""
    truth, chances = drawn(5, 30, ties=True)
    weights = np.random.default_rng(0).integers(0, 3, (4, 30)).astype(float)
    weighted = average_precision(chances[:, 1], truth[:, 1], weights)
    for row, value in zip(weights.astype(int), weighted, strict=True):
        repeated = np.repeat(chances[:, 1], row), np.repeat(truth[:, 1], row), np.ones((1, row.sum()))
        assert value == pytest.approx(average_precision(*repeated)[0])


@pytest.mark.parametrize("n", [60, 3600])
def test_labels_are_scored_where_they_are_known(n: int) -> None:
    """Of every label scikit-learn's scores of the pictures where it is known, with intervals as of these alone."""
    reference = pytest.importorskip("sklearn.metrics")
    truth, chances = drawn(2, n)
    known = np.random.default_rng(0).random(truth.shape) < 0.7
    known[:, 0] &= np.arange(n) % 2 > 0
    said = chances > 0.5
    record = label_scores(np.where(known, truth, np.nan), chances, said, NAMES)
    for k, row in enumerate(record["per_class"].values()):
        mine, called, sure = truth[known[:, k], k], said[known[:, k], k], chances[known[:, k], k]
        alone = label_scores(mine[:, None], sure[:, None], called[:, None], NAMES[:1])["per_class"]["a"]
        assert (row["n"], row["known"]) == (mine.sum(), len(mine))
        assert row["f1"]["value"] == pytest.approx(reference.f1_score(mine, called))
        assert row["auroc"]["value"] == pytest.approx(reference.roc_auc_score(mine, sure))
        assert row["ap"]["value"] == pytest.approx(reference.average_precision_score(mine, sure))
        assert row["specificity"]["value"] == pytest.approx(reference.recall_score(mine, called, pos_label=False))
        for name in ("f1", "auroc", "ap"):
            width, usual = (one[name]["high"] - one[name]["low"] for one in (row, alone))
            assert width == pytest.approx(usual, rel=0.15), (name, k)
    assert record["micro_f1"]["value"] == pytest.approx(reference.f1_score(truth[known], said[known]))
    right = ((said == truth) | ~known).all(axis=1)[known.any(axis=1)]
    assert record["all_right"]["value"] == pytest.approx(right.mean())


def test_nothing_known_of_a_label() -> None:
    """It has no score, and the others have theirs."""
    truth, chances = drawn(0)
    record = label_scores(np.where([True, True, False], truth, np.nan), chances, chances > 0.5, NAMES)
    none = record["per_class"]["c"]
    assert (none["n"], none["known"]) == (0, 0)
    assert all(none[name]["value"] is None for name in ("recall", "specificity", "f1", "auroc", "ap"))
    two = label_scores(truth[:, :2], chances[:, :2], chances[:, :2] > 0.5, NAMES[:2])
    assert record["macro_f1"] == two["macro_f1"]


def test_the_baseline() -> None:
    """Always saying every label is scored like any other answer; 2p / (1 + p) of a label that a share p has."""
    truth = np.array([[1, 0], [1, 1], [1, 0], [0, 0]], bool)
    record = label_scores(truth, np.zeros((4, 2)), np.zeros((4, 2)), ("a", "b"))
    assert record["baseline"] == pytest.approx((2 * 0.75 / 1.75 + 2 * 0.25 / 1.25) / 2)
    assert "; always saying every label would score 62.9 %" in headline(record)


def test_noise_does_not_beat_the_baseline() -> None:
    """Probabilities at random, with the thresholds of other pictures, are not shown to be better than saying all."""
    random = np.random.default_rng(0)
    truth, chances = random.random((2, 300, 8)) < 0.2, random.random((2, 300, 8))
    said = chances[1] >= best_thresholds(truth[0], chances[0])
    record = label_scores(truth[1], chances[1], said, "abcdefgh")
    assert record["macro_f1"]["value"] > 0.2  # far above what never saying anything would score
    assert record["macro_f1"]["low"] < record["baseline"]


def test_labels_that_are_not_there() -> None:
    """No pictures, and labels that no picture has, give None and neither an error nor a warning."""
    for truth in (np.zeros((0, 2), bool), np.zeros((4, 2), bool)):
        record = label_scores(truth, np.full(truth.shape, 0.1), np.zeros(truth.shape), ("a", "b"))
        assert record["map"]["value"] is None
        assert record["per_class"]["a"]["auroc"]["value"] is None
    with pytest.raises(StriateError, match="finite"):
        label_scores(np.zeros((1, 1), bool), np.array([[np.nan]]), np.zeros((1, 1)), ("a",))


def test_clusters_widen() -> None:
    """Copies of pictures do not make a score surer, where it is known that they belong together."""
    truth, chances = drawn(7, 25)
    numbers = np.repeat(np.arange(25), 8)
    given = truth[numbers], chances[numbers], chances[numbers] > 0.5, NAMES
    many, kin = label_scores(*given), label_scores(*given, numbers)
    for name in ("macro_f1", "micro_f1", "map", "auroc", "all_right"):
        assert kin[name]["high"] - kin[name]["low"] > 1.7 * (many[name]["high"] - many[name]["low"]), name


def test_a_rare_label_is_not_sure() -> None:
    """One positive among 200, found: SciPy's Wilson interval for 1 of 1 of every score, as of its recall."""
    truth = np.zeros((200, 1), bool)
    truth[3] = True
    record = label_scores(truth, truth * 0.8 + 0.1, truth, ("a",))
    low = stats.binomtest(1, 1).proportion_ci(0.95, method="wilson").low
    for name in ("recall", "f1", "auroc", "ap"):
        assert record["per_class"]["a"][name] == {"value": 1.0, "low": pytest.approx(low), "high": 1.0}, name
    for name in ("macro_f1", "micro_f1", "map", "auroc"):
        assert record[name]["low"] == pytest.approx(low), name


def test_an_absent_label_and_a_perfect_one_among_many_pictures() -> None:
    """Of 5,000 pictures a label that nobody has and nobody says leaves macro F1's interval as it is without it, and a
    rare one that is always right is as sure as Wilson's interval."""
    random = np.random.default_rng(0)
    truth = random.random((5000, 4)) < [0.3, 0.5, 0.002, 0]
    said = truth ^ (random.random(truth.shape) < [0.02, 0.03, 0, 0])
    four, three = (label_scores(truth[:, :k], said[:, :k] * 0.8 + 0.1, said[:, :k], "abcd"[:k]) for k in (4, 3))
    for end in ("low", "high"):
        assert four["macro_f1"][end] == pytest.approx(three["macro_f1"][end], abs=0.002)
    count = int(truth[:, 2].sum())
    low = stats.binomtest(count, count).proportion_ci(0.95, method="wilson").low
    assert four["per_class"]["c"]["f1"]["low"] == pytest.approx(low)


def test_slopes_are_derivatives() -> None:
    """How AUROC and average precision change with a little more weight for each picture, ties included; and redrawn by
    them they spread as drawn anew."""
    truth, chances = (column[:, 0] for column in drawn(3, 300, ties=True))
    weights = np.ones((300, 300)) + 1e-5 * np.eye(300)
    whole = average_precision(chances, truth, np.ones((1, 300)))
    change = (average_precision(chances, truth, weights) - whole) / 1e-5 * 300
    slopes = precision_slopes(chances, truth)
    assert slopes == pytest.approx(change, abs=1e-4)
    assert not precision_slopes(chances, np.zeros(300, bool)).any()
    anew = np.concatenate([average_precision(chances, truth, block) for block in resampled_weights(300)])
    assert resampled_means(slopes[:, None]).std() == pytest.approx(anew.std(), rel=0.1)
    areas = np.concatenate([weighted_auroc(chances, truth, block) for block in resampled_weights(300)])
    assert resampled_means(metrics.auroc_slopes(chances, truth)[:, None]).std() == pytest.approx(areas.std(), rel=0.1)


def test_many_pictures_in_groups_are_scored_in_little_memory() -> None:
    """20,000 pictures of 50 groups, which took 1 GB when whole draws of all pictures were held at once."""
    truth, chances = drawn(0, 20_000)
    tracemalloc.start()
    label_scores(truth, chances, chances > 0.5, NAMES, np.arange(20_000) % 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8
