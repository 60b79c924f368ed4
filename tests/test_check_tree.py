"""The small decision tree of the checks, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from striate.check.tree import FOLDS, LEAVES, Table, predicted


def by_scikit_learn(columns: np.ndarray, mine: np.ndarray) -> np.ndarray:
    least = max(2, len(mine) // 200)
    tree = DecisionTreeClassifier(
        max_leaf_nodes=LEAVES, class_weight="balanced", min_samples_leaf=least, random_state=0
    )
    return cross_val_predict(tree, columns, mine, cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0))


@pytest.mark.parametrize("seed", range(4))
def test_held_out_pictures_are_taken_as_by_scikit_learn(seed: int) -> None:
    """Continuous columns, of which some tell a little: no two splits are equally good, and all answers are the same."""
    random = np.random.default_rng(seed)
    count, share = (400, 500, 1300, 2500)[seed], (0.5, 0.1, 0.3, 0.04)[seed]
    mine, columns = random.random(count) < share, random.standard_normal((count, 6))
    columns[:, 1] += 0.8 * mine
    columns[:, 4] *= 1 + mine
    np.testing.assert_array_equal(predicted(Table(columns), mine), by_scikit_learn(columns, mine))


def test_few_values_are_parted_between_them() -> None:
    """Whole numbers with many ties part only where the value changes; a constant column is left out."""
    random = np.random.default_rng(5)
    value = random.integers(0, 6, 400)
    mine = (value == 2) ^ (random.random(400) < 0.1)
    columns = np.stack([np.full(400, 7), value], axis=1).astype(float)
    assert Table(columns).values.shape == (1, 400)
    np.testing.assert_array_equal(predicted(Table(columns), mine), by_scikit_learn(columns, mine))
