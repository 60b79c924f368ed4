"""What pictures are divided by, so that every part gets its share: a class, the rarest label, the size of a number."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from striate.data.sample import Target, are_numbers, names_of

_BINS, _IN_BIN = 10, 10  # steps of a number at most, and samples in each at least
_FEW = 5  # units, of fewer of which a stratum can hardly give each part its share


def strata(targets: Sequence[Target]) -> list[str]:
    """The stratum of every sample: its class; of several labels (or kinds of objects) the rarest one of the set; of
    numbers the tenth of the set that the first one lies in (wider steps for fewer than 100 samples).

    A label's samples are then those of its own stratum and shares of rarer ones, so that a label of three samples or
    more is in all three parts.
    """
    if are_numbers(targets):
        return _steps(np.array([target[0] for target in targets]))
    names = [names_of(target) for target in targets]
    counts = Counter(name for named in names for name in named)
    return [min(named, key=lambda name: (counts[name], name), default="") for named in names]


def strata_of_units(targets: Sequence[Target], units: Sequence[Sequence[int]]) -> list[str | None]:
    """The stratum of every unit, rows that stay together: of numbers the tenth of the units that its mean lies in, else
    the most frequent stratum of its rows. Of a stratum with few units those that hold others too go into a common one,
    None: a few of each could not be divided as asked for, and any of them brings several strata to its part.
    """
    if are_numbers(targets):
        return list(_steps(np.array([fmean(targets[row][0] for row in rows) for rows in units])))
    kinds = strata(targets)
    held = [Counter(kinds[row] for row in rows) for rows in units]
    most = [min(counts, key=lambda name: (-counts[name], name)) for counts in held]
    sizes = Counter(most)
    mixed = [len(counts) > 1 and sizes[name] < _FEW for counts, name in zip(held, most, strict=True)]
    return [None if is_mixed else name for is_mixed, name in zip(mixed, most, strict=True)]


def _steps(values: np.ndarray) -> list[str]:
    """In which of up to ten equally filled steps each value lies; equal values lie in one."""
    steps = int(np.clip(len(values) // _IN_BIN, 1, _BINS))
    edges = np.quantile(values, np.arange(1, steps) / steps)
    return [str(step) for step in np.searchsorted(edges, values, side="left")]
