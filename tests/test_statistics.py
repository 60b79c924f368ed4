"""What several rooms count by: against SciPy, scikit-learn and numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from striate.statistics import auroc, placements, ranks, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 7), (57, 60), (180, 180), (9123, 10000)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    """Both ends equal SciPy's Wilson interval for the binomial."""
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_unknown() -> None:
    """No pictures, no interval."""
    assert np.isnan(wilson(0, 0)).all()


def test_wilson_is_the_worked_example() -> None:
    """The lower end against 81 of 263 (Newcombe 1998, table I): 0.2553."""
    assert round(wilson(81, 263)[0], 4) == 0.2553
    assert wilson(0, 10)[0] == 0


def test_ranks_are_scipys() -> None:
    """Equal values share the mean of their ranks; nothing has none."""
    values = np.random.default_rng(0).integers(0, 9, 60).astype(float)
    assert np.array_equal(ranks(values), stats.rankdata(values))
    assert ranks(np.zeros(0)).shape == (0,)


def test_auroc_is_scikit_learns() -> None:
    """The area under the curve, with ties."""
    random = np.random.default_rng(0)
    values, mine = random.integers(0, 9, 60).astype(float), random.random(60) < 0.4
    assert auroc(values, mine) == pytest.approx(roc_auc_score(mine, values))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    """Comparing every positive with every negative, a tie counting half, gives the same AUROC."""
    scores = np.array([score for score, _ in rows])
    positive = np.array([side for _, side in rows])
    wins = [1.0 if up > down else 0.5 if up == down else 0.0 for up in scores[positive] for down in scores[~positive]]
    area = auroc(scores, positive)
    if not wins:
        assert np.isnan(area)
        return
    assert area == pytest.approx(np.mean(wins))
    assert placements(scores, positive)[~positive].mean() == pytest.approx(area)


def test_auroc_by_hand() -> None:
    """Positives 3 and 1 against negatives 2 and 1: won, won, lost, tied are 2.5 of 4."""
    assert auroc(np.array([3, 1, 2, 1]), np.array([True, True, False, False])) == 0.625
