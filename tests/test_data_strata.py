"""Every part gets its share of rare labels and of large numbers."""

import numpy as np
import pytest
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


def divided(targets: list, each: int, seed: int) -> dict[str, np.ndarray]:
    """Which samples each part holds, where each patient has the next `each` of them."""
    pixels = np.zeros((1, 1), np.uint8)
    known = [Sample(path=str(n), source=pixels, target=t, group=f"{seed} {n // each}") for n, t in enumerate(targets)]
    parts = np.array(split(known, [f"{seed} {n}" for n in range(len(known))], seed=seed))
    return {part: parts == part for part in ("train", "validation", "test")}


@pytest.mark.parametrize("patients", [3, 5, 8, 10, 20, 30])
def test_patients_of_one_level_each_are_divided_as_asked(patients: int) -> None:
    """Each patient has an age of its own: a step of numbers holds ten patients, not ten pictures of one of them."""
    for seed in range(20):
        ages = np.random.default_rng(seed).uniform(20, 80, patients)
        parts = divided([(float(age),) for age in ages for _ in range(12)], 12, seed)
        assert abs(12 * patients / 5 - parts["test"].sum()) <= 12
        assert abs(12 * patients / 10 - parts["validation"].sum()) <= 12
        assert parts["validation"].any()
        assert parts["test"].any()


@pytest.mark.parametrize("patients", [5, 10, 20])
@pytest.mark.parametrize("many", [False, True])
def test_patients_of_many_classes_are_divided_as_asked(patients: int, many: bool) -> None:
    """Ten classes, or sets of ten labels, of which each patient has several: few patients to a class leave no part out
    and take no half of the set."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        names = np.array([f"c{kind}" for kind in range(10)])
        drawn = [tuple(names[random.random(10) < 0.3].tolist()) for _ in range(20 * patients)]
        parts = divided(drawn if many else random.choice(names, 20 * patients).tolist(), 20, seed)
        assert 0.1 <= parts["test"].mean() <= 0.3
        assert 0 < parts["validation"].mean() <= 0.2


def test_patients_of_one_class_each_keep_their_class_in_every_part() -> None:
    """Three patients to each of two classes: one of each class in every part, as three separate pictures would be."""
    for seed in range(20):
        parts = divided([kind for kind in "ab" for _ in range(3 * 7)], 7, seed)
        assert all((mask[:21].sum(), mask[21:].sum()) == (7, 7) for mask in parts.values())
