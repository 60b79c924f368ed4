"""Scores of numbers are those of scikit-learn and SciPy, and prediction intervals cover what they promise."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import StriateError
from striate.evaluate.intervals import percentile
from striate.evaluate.named import headline
from striate.evaluate.number_scores import MEAN, PREVIOUS, half_widths, number_scores
from striate.evaluate.redraws import resampled_means


def pair(seed: int, n: int = 60, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.normal(3, 50, (n, columns)).round(1)
    return truth, truth * 0.7 + random.normal(0, 30, (n, columns))


@given(st.integers(0, 10_000), st.integers(3, 80), st.sampled_from([1.0, 1e-6, 1e6]), st.sampled_from([0.0, 1e4]))
@settings(max_examples=8, deadline=None)
def test_the_scores_of_scikit_learn(seed: int, n: int, scale: float, shift: float) -> None:
    """MAE, RMSE, R² and the correlations equal those of scikit-learn and SciPy, whatever the unit."""
    reference, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    truth, predicted = (values * scale + shift * scale for values in pair(seed, n))
    record = number_scores(truth, predicted, ("x",), [0.0])
    wanted = {
        "mae": reference.mean_absolute_error(truth, predicted),
        "rmse": reference.root_mean_squared_error(truth, predicted),
        "r2": reference.r2_score(truth, predicted),
        "pearson": stats.pearsonr(truth[:, 0], predicted[:, 0]).statistic,
        "spearman": stats.spearmanr(truth[:, 0], predicted[:, 0]).statistic,
    }
    for name, value in wanted.items():
        assert record[name]["value"] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert record[name]["low"] <= record[name]["value"] <= record[name]["high"]


def test_baselines() -> None:
    """Saying the training mean, and the value before, are scored with the same pictures."""
    truth, predicted = pair(1)
    record = number_scores(truth, predicted, ("x",), [10.0], ordered=True)
    floors = record["baselines"]
    assert record["baseline"] == pytest.approx(float(np.sqrt(np.mean((truth - 10) ** 2))))
    assert floors[MEAN]["mae"] == pytest.approx(float(np.mean(np.abs(truth - 10))))
    assert floors[PREVIOUS]["rmse"] == pytest.approx(float(np.sqrt(np.mean((truth[1:] - truth[:-1]) ** 2))))
    assert PREVIOUS not in number_scores(truth, predicted, ("x",), [10.0])["baselines"]
    assert "always the mean of the training part would score" in headline(record)


def test_several_columns() -> None:
    """Columns of different units are scored each by itself; their mean R² is what counts."""
    reference = pytest.importorskip("sklearn.metrics")
    truth, predicted = pair(2, columns=3)
    record = number_scores(truth, predicted, ("a", "b", "c"), [0.0, 1.0, 2.0])
    assert (record["main"], "rmse" in record) == ("r2", False)
    assert record["r2"]["value"] == pytest.approx(reference.r2_score(truth, predicted))
    one = number_scores(truth[:, 1:2], predicted[:, 1:2], ("b",), [1.0])
    assert record["per_class"]["b"]["rmse"] == one["rmse"]


def test_scores_that_do_not_exist() -> None:
    """No picture, one picture, and numbers that are all alike give None, no warning and no error."""
    for n, truth in ((0, 0.0), (1, 2.0), (5, 2.0)):
        record = number_scores(
            np.full((n, 1), truth), np.zeros((n, 1)), ("x",), [1.0], reach=np.full((n, 1), 3.0), ordered=True
        )
        assert record["r2"]["value"] is None
        assert record["rmse"]["value"] == (truth if n else None)
    assert headline(number_scores(np.zeros((0, 1)), np.zeros((0, 1)), ("x",), [1.0])).startswith("not scored")
    with pytest.raises(StriateError, match="1 of 2 pictures with NaN"):
        number_scores(np.zeros((2, 1)), np.array([[0.0], [np.nan]]), ("x",), [1.0])


def test_intervals_of_scores_cover() -> None:
    """Of repeated samples, about 95 % of the intervals of RMSE and correlation hold the true value."""
    held = {"rmse": 0, "pearson": 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        truth = random.normal(0, 1, (150, 1))
        record = number_scores(truth, truth + random.normal(0, 0.5, (150, 1)), ("x",), [0.0])
        for name, value in (("rmse", 0.5), ("pearson", 1 / math.sqrt(1.25))):
            held[name] += record[name]["low"] <= value <= record[name]["high"]
    assert all(0.85 <= count / 60 <= 1 for count in held.values()), held


def test_clusters_widen() -> None:
    """Ten copies of a picture say no more than one: the interval is that of the pictures drawn by cluster."""
    truth, predicted = pair(3, 20)
    alone = number_scores(truth, predicted, ("x",), [0.0])
    copies = np.repeat(truth, 10, axis=0), np.repeat(predicted, 10, axis=0)
    same = number_scores(*copies, ("x",), [0.0], clusters=np.repeat(np.arange(20), 10))
    naive = number_scores(*copies, ("x",), [0.0])

    def width(record: dict) -> float:
        return record["rmse"]["high"] - record["rmse"]["low"]

    assert same["clusters"] == 20
    assert width(same) == pytest.approx(width(alone), rel=0.15)
    assert width(naive) < 0.5 * width(alone)


@pytest.mark.parametrize("n", [9, 19, 99])
def test_prediction_intervals_cover(n: int) -> None:
    """Over many trials intervals from n pictures hold the next number in 90 % of the cases, as the theorem says."""
    random, held = np.random.default_rng(n), 0
    for _ in range(2000):
        errors = random.standard_t(3, n + 1)
        held += abs(errors[-1]) <= half_widths(errors[:-1, None], np.zeros((n, 1)))[0]
    assert held / 2000 == pytest.approx(math.ceil((n + 1) * 0.9) / (n + 1), abs=0.02)


@pytest.mark.parametrize("clusters", [12, 30])
def test_prediction_intervals_cover_where_pictures_are_alike(clusters: int) -> None:
    """Eight pictures of each cluster share most of their error: 90 % of new clusters' pictures are held, and fewer by
    intervals that count pictures."""
    random, held, naive = np.random.default_rng(clusters), [], []
    for _ in range(3000):
        errors = np.repeat(random.normal(size=clusters + 1), 8) + 0.2 * random.normal(size=8 * clusters + 8)
        known, new = errors[:-8, None], np.abs(errors[-8:])
        numbers = np.repeat(np.arange(clusters), 8)
        held.append(np.mean(new <= half_widths(known, np.zeros_like(known), numbers)[0]))
        naive.append(np.mean(new <= half_widths(known, np.zeros_like(known))[0]))
    assert 0.895 < np.mean(held) < 0.94
    assert np.mean(naive) < np.mean(held) - 0.02


def test_too_few_for_an_interval() -> None:
    """Eight pictures cannot promise 90 %: the interval is infinite, and nothing is said of its coverage."""
    truth, predicted = pair(4, 8)
    assert np.isinf(half_widths(truth, predicted)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = number_scores(truth, predicted, ("x",), [0.0], reach=np.full((8, 1), half_widths(truth, predicted)))
    assert "coverage" not in record
    inside = number_scores(truth, predicted, ("x",), [0.0], reach=np.full((8, 1), 1e9))
    assert inside["coverage"]["value"] == 1.0
    assert inside["coverage"]["low"] < 1.0


def test_one_patient_has_no_interval() -> None:
    """40 pictures of one patient, and one picture, say nothing of others: no interval, and none of zero width."""
    for n in (40, 1):
        record = number_scores(*pair(8, n), ("x",), [0.0], clusters=np.zeros(n))
        assert record["rmse"]["value"] > 0
        assert record["rmse"]["low"] is None


def test_intervals_of_few_groups() -> None:
    """Errors that pictures of a group share: of three groups of ten the interval of RMSE holds the truth in more than
    80 % of 150 draws, and the middle of what is drawn again in fewer than 75 %."""
    random, clusters, held, naive = np.random.default_rng(0), np.repeat(np.arange(3), 10), 0, 0
    for _ in range(150):
        truth = random.normal(size=(30, 1))
        errors = (np.repeat(random.normal(size=3), 10) + random.normal(size=30)) / 2**0.5
        found = number_scores(truth, truth + errors[:, None], ("x",), [0.0], clusters=clusters)["rmse"]
        again = np.sqrt(resampled_means(errors[:, None] ** 2, 300, clusters=clusters))
        held += found["low"] <= 1 <= found["high"]
        naive += percentile(again)[0] <= 1 <= percentile(again)[1]
    assert held / 150 > 0.8
    assert naive / 150 < 0.75


def test_r2_of_columns_in_very_different_units() -> None:
    """A price and a ratio: each has scikit-learn's R2, and their mean; a constant one has none and spoils none."""
    reference = pytest.importorskip("sklearn.metrics")
    truth, predicted = (values * [2e5, 1e-3, 1e-9] for values in pair(9, columns=3))
    truth[:, 2] = 0.1
    record = number_scores(truth, predicted, ("price", "ratio", "still"), [0.0, 0.0, 0.2])
    for k, name in enumerate(("price", "ratio")):
        assert record["per_class"][name]["r2"]["value"] == pytest.approx(
            reference.r2_score(truth[:, k], predicted[:, k])
        )
        assert record["per_class"][name]["r2"]["low"] < record["per_class"][name]["r2"]["value"]
    assert record["per_class"]["still"]["r2"]["value"] is None
    assert record["r2"]["value"] == pytest.approx(reference.r2_score(truth[:, :2], predicted[:, :2]))
    floor = [1 - np.mean(truth[:, k] ** 2) / np.var(truth[:, k]) for k in (0, 1)]
    assert record["baseline"] == pytest.approx(np.mean(floor))


@pytest.mark.parametrize("n", [3, 6, 7, 13])
def test_a_constant_has_no_r2_whatever_rounding_does(n: int) -> None:
    """The variance of a few times 0.1 is not 0 in floating point, but R2 does not exist, nor that of the baseline."""
    record = number_scores(np.full((n, 1), 0.1), np.zeros((n, 1)), ("x",), [0.2])
    assert record["r2"]["value"] is None
    assert record["baselines"][MEAN]["r2"] is None


def test_too_few_clusters_for_a_prediction_interval() -> None:
    """Nine patients are the least for nine of ten, as nine pictures are, however many pictures each has."""
    truth, predicted = pair(10, 108)
    for many, is_known in ((1, False), (8, False), (9, True)):
        clusters = np.arange(12 * many) // 12
        reach = half_widths(truth[: 12 * many], predicted[: 12 * many], clusters)
        assert np.isfinite(reach).all() == is_known, many
