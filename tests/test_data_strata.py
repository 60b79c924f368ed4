"""Every part gets its share of rare labels and of large numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.sample import Boxes, Sample
from striate.data.split import split
from striate.data.strata import strata


def samples(targets: list) -> list[Sample]:
    pixels = np.zeros((1, 1), np.uint8)
    return [Sample(path=str(n), source=pixels, target=target) for n, target in enumerate(targets)]


def test_the_stratum_of_every_target() -> None:
    """A class is its own; several labels and kinds of objects count as the rarest; numbers as tenths of the set."""
    assert strata(["b", "a"]) == ["b", "a"]
    assert strata([("a", "b"), ("b",), (), ("b", "c"), ("c",)]) == ["a", "b", "", "c", "c"]
    boxes = Boxes(names=("x", "y", "x"), corners=np.zeros((3, 4)))
    assert strata([boxes, Boxes(names=("x",), corners=np.zeros((1, 4)))]) == ["y", "x"]
    assert strata([(float(n),) for n in range(100)]) == [str(n // 10) for n in range(100)]
    assert strata([(1.0, 5.0)] * 5) == ["0"] * 5


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(3, 9))
def test_rare_labels_reach_every_part(seed: int, rare: int) -> None:
    """A label that three pictures have is in all three parts."""
    random = np.random.default_rng(seed)
    targets = [("rare", "often") if n < rare else ("often",) if random.random() < 0.7 else () for n in range(120)]
    parts = split(samples(targets), [f"{seed} {n}" for n in range(120)], seed=seed)
    reached = {part for part, target in zip(parts, targets, strict=True) if "rare" in target}
    assert reached == {"train", "validation", "test"}


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_large_numbers_reach_every_part(seed: int) -> None:
    """Of the largest tenth about a fifth is tested on, whatever the seed."""
    values = np.random.default_rng(seed).lognormal(0, 1, 300)
    parts = np.array(split(samples([(float(v),) for v in values]), [f"{seed} {n}" for n in range(300)], seed=seed))
    top = parts[values > np.quantile(values, 0.9)]
    assert 3 <= np.sum(top == "test") <= 9
    assert 1 <= np.sum(top == "validation") <= 6
