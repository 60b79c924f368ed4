"""A small decision tree that tells one class from all others, and what it says of pictures that it has not seen.

CART (Breiman, Friedman, Olshen and Stone 1984): the split that lowers the weighted Gini impurity most, best leaf first,
both classes with the same weight in all. The columns are sorted once for all classes and folds; every node keeps its
part of that order. The folds are those of scikit-learn's StratifiedKFold, and so are the predictions of its
DecisionTreeClassifier, but where two columns part the pictures equally well.
"""

from dataclasses import dataclass

import numpy as np

FOLDS, LEAVES = 3, 8
_SAME = 1e-7  # values as near as this are not parted


class Table:
    """Columns (N, F) to part pictures by: the values (F', N) of those that vary, and the order of each."""

    def __init__(self, columns: np.ndarray) -> None:
        values = np.ascontiguousarray(columns.T, np.float32)
        self.values = values[(values != values[:, :1]).any(axis=1)]
        self.order = np.argsort(self.values, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Leaf:
    """Pictures learned from, in the order of every column, and held-out ones; the best split, if it has a gain."""

    order: np.ndarray
    held: np.ndarray
    says: bool
    gain: float = -1.0
    column: int = 0
    threshold: float = 0.0


def predicted(table: Table, mine: np.ndarray) -> np.ndarray:
    """(N,) bool: for every picture whether a tree grown on the other folds takes it for one of `mine` (N,) of bool.

    table: of at least one column; `mine` and the rest hold at least FOLDS pictures each.
    """
    said, folds = np.zeros(len(mine), bool), _folds(mine)
    for fold in range(FOLDS):
        learned = folds != fold
        for leaf in _grown(table, mine, learned):
            said[leaf.held] = leaf.says
    return said


def _folds(mine: np.ndarray) -> np.ndarray:
    """(N,) the fold of every picture, with equal shares of both classes."""
    random, folds = np.random.RandomState(0), np.empty(len(mine), np.int64)
    kinds = mine == mine[0], mine != mine[0]  # in the order in which they are met
    sides = np.sort(~kinds[0])
    shares = [[np.sum(sides[fold::FOLDS] == side) for fold in range(FOLDS)] for side in (False, True)]
    for rows, share in zip(kinds, shares, strict=True):
        places = np.repeat(np.arange(FOLDS), share)
        random.shuffle(places)
        folds[rows] = places
    return folds


def _grown(table: Table, mine: np.ndarray, learned: np.ndarray) -> list[_Leaf]:
    count, own = learned.sum(), (mine & learned).sum()
    weights = np.array([count / own, count / (count - own)]) / 2
    least = max(2, len(mine) // 200)
    order = table.order[learned[table.order]].reshape(len(table.order), -1)
    leaves = [_leaf(table, mine, order, np.flatnonzero(~learned), weights, least)]
    while len(leaves) < LEAVES:
        best = max(leaves, key=lambda leaf: leaf.gain)
        if best.gain < 0:
            break
        leaves.remove(best)
        if len(leaves) == LEAVES - 2:
            least = len(mine)  # the last two are not split again
        low = table.values[best.column] <= best.threshold
        learned_low, held_low = low[best.order], low[best.held]
        for order, held in ((learned_low, held_low), (~learned_low, ~held_low)):
            order = best.order[order].reshape(len(best.order), -1)
            leaves.append(_leaf(table, mine, order, best.held[held], weights, least))
    return leaves


def _leaf(
    table: Table, mine: np.ndarray, order: np.ndarray, held: np.ndarray, weights: np.ndarray, least: int
) -> _Leaf:
    """The leaf with its best split, which leaves at least `least` pictures on both sides; a gain below 0 for none."""
    count, own = order.shape[1], int(mine[order[0]].sum())
    here, other = weights * (own, count - own)
    says = bool(here > other)
    if count < 2 * least or own in (0, count):
        return _Leaf(order, held, says)
    left = np.arange(least, count - least + 1)
    ours = np.cumsum(mine[order], axis=1, dtype=np.int32)[:, least - 1 : count - least]
    first, second = ours * weights[0], (left - ours) * weights[1]
    mixed = _mixed(first, second)
    mixed += _mixed(here - first, other - second)
    values = np.take_along_axis(table.values, order[:, least - 1 : count - least + 1], axis=1)
    mixed[values[:, 1:] <= values[:, :-1] + np.float32(_SAME)] = np.inf
    column, place = np.unravel_index(mixed.argmin(), mixed.shape)
    if not np.isfinite(mixed[column, place]):
        return _Leaf(order, held, says)
    threshold = (float(values[column, place]) + float(values[column, place + 1])) / 2
    return _Leaf(order, held, says, _mixed(here, other) - mixed[column, place], int(column), threshold)


def _mixed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Half the Gini impurity times the weight of two classes."""
    product, both = first * second, first + second
    product /= both
    return product
