"""Nearest neighbours tile by tile: against NumPy's whole table of products."""

import numpy as np
import pytest

from striate.check.nearest import nearest, over_blocks


def drawn(count: int, size: int) -> np.ndarray:
    """Unit vectors in a few clouds."""
    random = np.random.default_rng(count + size)
    values = random.standard_normal((count, size)) + 2 * random.standard_normal((5, size))[random.integers(0, 5, count)]
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("count", "size", "wanted"), [(41, 5, 24), (1500, 24, 8), (9001, 12, 24), (10, 3, 24)])
def test_the_nearest_are_those_of_the_whole_table(count: int, size: int, wanted: int) -> None:
    """Every row gets the greatest products with others, in falling order, each once and never itself."""
    vectors = drawn(count, size)
    found, products = nearest(vectors, wanted)
    wanted = min(wanted, count - 1)
    assert found.shape == products.shape == (count, wanted)
    assert (found != np.arange(count)[:, None]).all()
    assert all(len(set(row)) == wanted for row in found.tolist())
    rows = np.arange(0, count, max(1, count // 200))
    table = vectors[rows].astype(np.float64) @ vectors.T.astype(np.float64)
    table[np.arange(len(rows)), rows] = -2
    np.testing.assert_allclose(products[rows], -np.sort(-table, axis=1)[:, :wanted], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(table, found[rows], axis=1), products[rows], atol=1e-5)


def test_equal_vectors_are_no_trouble() -> None:
    """Where all products are equal, a full number of other rows comes back."""
    found, products = nearest(np.tile(np.float32([0.6, 0.8]), (300, 1)), 24)
    assert all(len(set(row)) == 24 and number not in row for number, row in enumerate(found.tolist()))
    np.testing.assert_allclose(products, 1, atol=1e-6)


def test_blocks_come_in_order() -> None:
    """Whatever core is first, the parts are those of the rows from the first to the last."""
    parts = list(over_blocks(1000, 64, lambda block: np.arange(block.start, block.stop)))
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(1000))
    assert list(over_blocks(0, 64, lambda block: block)) == []
