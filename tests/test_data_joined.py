"""Groups that links connect: those of a graph's components, with a bound on what unsure links make."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from striate.data.joined import joined


def test_groups_are_the_components_of_the_graph() -> None:
    """As SciPy finds them, whatever the order of the links; each group sorted, groups in the order of their first."""
    random = np.random.default_rng(0)
    ends = random.integers(0, 200, (120, 2))
    _, label = connected_components(coo_matrix((np.ones(120), ends.T), (200, 200)), directed=False)
    wanted = [np.flatnonzero(label == number).tolist() for number in dict.fromkeys(label.tolist())]
    assert joined(200, [(i, j, True) for i, j in ends.tolist()]) == wanted
    assert joined(200, [(j, i, True) for i, j in ends[::-1].tolist()]) == wanted


def test_unsure_links_stop_at_the_bound() -> None:
    """A chain of unsure links is cut where it would exceed four rows; a sure link may exceed it."""
    chain = [(row, row + 1, False) for row in range(7)]
    assert joined(8, chain, 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert joined(8, [*chain, (0, 7, True)], 4) == [list(range(8))]
    assert joined(3, []) == [[0], [1], [2]]
