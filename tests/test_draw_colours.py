"""The colour tables of page and sheets."""

import numpy as np

from striate.draw import colours


def test_the_sequential_table_is_viridis() -> None:
    """Within one level of matplotlib's own in each of red, green and blue."""
    import matplotlib

    table = colours.sequential().astype(int)
    exact = 255 * matplotlib.colormaps["viridis"](np.arange(256))[:, :3]
    assert np.abs(table - exact).max() <= 1


def test_zero_is_the_ground() -> None:
    """The tables with a sign are even around their middle, where they have the colour of the page."""
    for table, ground in ((colours.diverging(), (255, 255, 255)), (colours.diverging_dark(), (22, 29, 39))):
        assert table.shape == (256, 3)
        assert np.abs(table[127].astype(int) - ground).max() <= 1
        assert np.abs(table[128].astype(int) - ground).max() <= 1
        reach = np.abs(table.astype(int) - ground).sum(axis=1)
        assert reach.argmin() in (127, 128)
        assert (np.diff(reach[128:]) >= 0).all()
        assert (np.diff(reach[:128]) <= 0).all()
