"""What pictures are divided by, so that every part gets its share: a class, the rarest label, the size of a number."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from striate.data.sample import Target, names_of

_BINS, _IN_BIN = 10, 10  # steps of a number at most, and samples in each at least


def strata(targets: Sequence[Target]) -> list[str]:
    """The stratum of every sample: its class; of several labels (or kinds of objects) the rarest one of the set; of
    numbers the tenth of the set that the first one lies in (wider steps for fewer than 100 samples).

    A label's samples are then those of its own stratum and shares of rarer ones, so that a label of three samples or
    more is in all three parts.
    """
    names = [names_of(target) for target in targets]
    counts = Counter(name for named in names for name in named)
    if not counts and any(isinstance(target, tuple) and target for target in targets):
        return _steps(np.array([target[0] for target in targets]))
    return [min(named, key=lambda name: (counts[name], name), default="") for named in names]


def _steps(values: np.ndarray) -> list[str]:
    """In which of up to ten equally filled steps each value lies; equal values lie in one."""
    steps = int(np.clip(len(values) // _IN_BIN, 1, _BINS))
    edges = np.quantile(values, np.arange(1, steps) / steps)
    return [str(step) for step in np.searchsorted(edges, values, side="left")]
