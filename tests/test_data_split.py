"""The split: stratified, stable, leak-free, and the same whatever the order of the files."""

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from striate.data.sample import Sample
from striate.data.split import folds, split, twins, validation_share
from striate.errors import StriateError


def make(count: int, target: str = "a", start: int = 0, **known: str) -> list[tuple[Sample, str]]:
    return [
        (Sample(path=f"{target}/{n}", source=Path(f"/{target}/{n}"), target=target, **known), f"{target}{n}")
        for n in range(start, start + count)
    ]


def parts_of(rows: list[tuple[Sample, str]], **options: float) -> dict[str, str]:
    parts = split([sample for sample, _ in rows], [content for _, content in rows], **options)
    return {sample.path: part for (sample, _), part in zip(rows, parts, strict=True)}


def test_fractions_per_class() -> None:
    """100 and 10 pictures give 20 and 2 for the test, 10 and 1 for validation."""
    rows = make(100, "a") + make(10, "b")
    parts = parts_of(rows)
    counts = Counter((path[0], part) for path, part in parts.items())
    assert counts == {("a", "train"): 70, ("a", "validation"): 10, ("a", "test"): 20,
                      ("b", "train"): 7, ("b", "validation"): 1, ("b", "test"): 2}  # fmt: skip
    assert parts_of(rows, seed=1) != parts
    assert "test" not in parts_of(rows, test=0).values()
    assert set(parts_of(rows, test=0, validation=0).values()) == {"train"}


@pytest.mark.parametrize(("count", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1))])
def test_small_classes(count: int, expected: tuple) -> None:
    """Three pictures reach all parts, two train and test, one train; even with large fractions."""
    counts = Counter(parts_of(make(count)).values())
    assert (counts["train"], counts["validation"], counts["test"]) == expected
    large = Counter(parts_of(make(max(count, 3)), test=0.8, validation=0.1).values())
    assert all(large[part] for part in ("train", "validation", "test"))


def test_neither_order_nor_names_matter() -> None:
    """Shuffled and renamed pictures stay in their parts: the bytes decide."""
    rows = make(60, "a") + make(45, "b")
    by_content = dict(zip([c for _, c in rows], parts_of(rows).values(), strict=True))
    random.Random(3).shuffle(rows)
    renamed = [(Sample(path=f"x/{n}", source=Path("/x"), target=s.target), c) for n, (s, c) in enumerate(rows)]
    assert dict(zip([c for _, c in renamed], parts_of(renamed).values(), strict=True)) == by_content


def test_adding_pictures_moves_few() -> None:
    """Ten per cent more pictures, or a new class, leave at least 95 % of the old ones in place."""
    for size in (30, 200, 1000):
        rows = make(size, "a") + make(size, "b")
        old = parts_of(rows)
        new = parts_of(rows + make(size // 10, "a", start=size) + make(50, "c"))
        assert sum(new[path] == part for path, part in old.items()) >= 0.95 * len(old)


def test_given_parts_are_respected() -> None:
    """What the user has decided stays; only the missing parts are taken, from train."""
    train, test = make(50, part="train"), make(20, start=50, part="test")
    parts = parts_of(train + test)
    assert all(parts[sample.path] == "test" for sample, _ in test)
    assert Counter(parts[sample.path] for sample, _ in train) == {"train": 45, "validation": 5}
    validation = make(20, start=50, part="validation")
    parts = parts_of(train + validation)
    assert all(parts[sample.path] == "validation" for sample, _ in validation)
    assert Counter(parts[sample.path] for sample, _ in train) == {"train": 40, "test": 10}
    assert Counter(parts_of(train).values()) == {"train": 35, "validation": 5, "test": 10}
    assert set(parts_of(make(5, part="train") + make(5, start=5, part="test") + make(5, start=10, part="validation") +
                        make(5, start=15)).values()) == {"train", "validation", "test"}  # fmt: skip


def test_a_group_follows_its_given_part() -> None:
    """A picture without a part joins the test part that the rest of its group is in."""
    rows = make(20, part="train") + make(1, start=20, part="test", group="g") + make(1, start=21, group="g")
    assert parts_of(rows)["a/21"] == "test"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, *"pqrstuv"]), st.integers(0, 30)), max_size=80),
    st.integers(0, 5),
)
def test_nothing_that_belongs_together_is_parted(rows: list, seed: int) -> None:
    """Neither a group nor identical bytes are ever in two parts, whatever the data."""
    samples = [
        Sample(path=str(n), source=Path("/x"), target=target, group=group) for n, (target, group, _) in enumerate(rows)
    ]
    contents = [str(content) for *_, content in rows]
    parts = split(samples, contents, seed=seed)
    for keys in (contents, [sample.group for sample in samples]):
        homes: dict = {}
        for key, part in zip(keys, parts, strict=True):
            if key is not None:
                assert homes.setdefault(key, part) == part


def test_groups_of_unequal_size_reach_the_fraction() -> None:
    """Twenty groups of 1 to 20 pictures give a test part of 15 to 25 per cent of the pictures."""
    rows = [row for n in range(1, 21) for row in make(n, start=100 * n, group=f"g{n}")]
    for seed in range(5):
        counts = Counter(parts_of(rows, seed=seed).values())
        assert 0.15 <= counts["test"] / len(rows) <= 0.25


@pytest.mark.parametrize(
    "options", [{"test": -0.1}, {"test": 1}, {"validation": 1.5}, {"test": 0.6, "validation": 0.4}]
)
def test_fractions_are_checked(options: dict) -> None:
    """Fractions outside 0 to 1, or that leave nothing to train on, are refused."""
    with pytest.raises(StriateError):
        parts_of(make(10), **options)


PICTURES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, *"pqrstuv"]), st.integers(0, 30)), min_size=1, max_size=60
)


def described(rows: list) -> tuple[list[Sample], list[str]]:
    """Samples and contents of drawn (class, group, content)."""
    samples = [Sample(path=str(n), source=Path("/x"), target=t, group=g) for n, (t, g, _) in enumerate(rows)]
    return samples, [f"{content:02}" for *_, content in rows]


def drawn_alike(rows: list, numbers: list[int]) -> list[list[int]]:
    """Groups of two rows that are said to look alike."""
    return [[number % len(rows), (7 * number + 1) % len(rows)] for number in numbers]


@settings(max_examples=60, deadline=None)
@given(PICTURES, st.lists(st.integers(0, 200), max_size=8), st.integers(0, 3), st.integers(2, 6))
def test_look_alikes_stay_in_one_part_and_one_fold(rows: list, numbers: list[int], seed: int, k: int) -> None:
    """Neither look-alikes, nor groups, nor identical bytes are parted by the split or by folds."""
    samples, contents = described(rows)
    together = drawn_alike(rows, numbers)
    for homes in (
        split(samples, contents, seed=seed, together=together),
        folds(samples, contents, k, seed, together).tolist(),
    ):
        for one, other in together:
            assert homes[one] == homes[other]
        for keys in (contents, [sample.group for sample in samples]):
            for key in set(keys) - {None}:
                assert len({home for home, mine in zip(homes, keys, strict=True) if mine == key}) == 1


def test_look_alikes_across_given_parts_are_left_there() -> None:
    """What the user has put into train and test stays, although it looks alike: that is told and not mended."""
    rows = make(10, part="train") + make(10, start=10, part="test")
    samples, contents = zip(*rows, strict=True)
    parts = split(samples, contents, together=[[0, 10], [1, 2, 11]])
    assert [part == "test" for part in parts] == [False] * 10 + [True] * 10


@settings(max_examples=40, deadline=None)
@given(st.integers(150, 400), st.integers(1, 5), st.integers(0, 1000), st.integers(0, 40), st.booleans())
def test_what_is_added_elsewhere_moves_few(size: int, largest: int, seed: int, more: int, classes: bool) -> None:
    """New pictures, a new class, and copies of old ones leave at least 95 % of the old ones in their parts."""
    random_ = random.Random(seed)
    sizes = itertools.takewhile(
        lambda total: total < size, itertools.accumulate(random_.choices(range(1, largest + 1), k=size))
    )
    starts = [0, *sizes, size]
    rows = [row for label in "ab" for row in make(size, label)]
    together = [
        list(range(first + shift, last + shift)) for shift in (0, size) for first, last in itertools.pairwise(starts)
    ]
    samples, contents = map(list, zip(*rows, strict=True))
    old = split(samples, contents, seed=seed, together=together)
    added = make(more, "c" if classes else "a", start=10_000) + [
        rows[index] for index in random_.sample(range(len(rows)), 3)
    ]
    new = split(
        samples + [sample for sample, _ in added], contents + [content for _, content in added],
        seed=seed, together=together,
    )  # fmt: skip
    assert np.mean([one == other for one, other in zip(old, new, strict=False)]) >= 0.95


def spread(classes: np.ndarray, fold: np.ndarray, k: int) -> float:
    """Mean difference of the classes' counts in the folds from an even share, relative to it."""
    counts = np.zeros((k, classes.max() + 1))
    np.add.at(counts, (fold, classes), 1)
    return float(np.abs(counts / (counts.sum(axis=0) / k) - 1).mean())


@pytest.mark.parametrize(("count", "sizes", "purity"), [(400, (1, 2), 1), (150, (1, 8), 0.9), (40, (5, 30), 0.5)])
def test_folds_are_as_even_as_scikit_learns(count: int, sizes: tuple[int, int], purity: float) -> None:
    """Over ten drawn sets of groups the classes are spread as evenly as by StratifiedGroupKFold, give or take 1.5 %."""
    ours, theirs = [], []
    for seed in range(10):
        rng = np.random.default_rng([seed, count])
        group = np.repeat(np.arange(count), rng.integers(*sizes, count))
        main = rng.integers(0, 3, count)[group]
        classes = np.where(rng.random(len(group)) < purity, main, rng.integers(0, 3, len(group)))
        samples = [
            Sample(path=str(n), source=Path("/x"), target="abc"[kind], group=f"g{seed}-{mine}")
            for n, (kind, mine) in enumerate(zip(classes, group, strict=True))
        ]
        ours.append(spread(classes, folds(samples, [str(n) for n in range(len(group))], 5, seed), 5))
        other = np.empty(len(group), int)
        cut = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(group, classes, group)
        for number, (_, tested) in enumerate(cut):
            other[tested] = number
        theirs.append(spread(classes, other, 5))
    assert np.mean(ours) <= np.mean(theirs) + 0.015


def test_folds_of_single_pictures_are_exact_and_stable() -> None:
    """103 pictures in 5 folds: 20 or 21 in each, whatever their order; ten more move few, another class hardly any."""
    rows = make(103, "a") + make(40, "b")
    samples, contents = map(list, zip(*rows, strict=True))
    fold = folds(samples, contents, 5)
    assert sorted(np.bincount(fold[:103])) == [20, 20, 21, 21, 21]
    assert np.bincount(fold[103:]).tolist() == [8] * 5
    order = np.random.default_rng(1).permutation(len(rows))
    again = folds([samples[i] for i in order], [contents[i] for i in order], 5)
    assert np.array_equal(again, fold[order])
    more = make(10, "a", start=500)
    moved = folds(samples + [s for s, _ in more], contents + [c for _, c in more], 5)[: len(rows)]
    assert np.mean(moved == fold) >= 0.9
    more = make(30, "c")
    moved = folds(samples + [s for s, _ in more], contents + [c for _, c in more], 5)[: len(rows)]
    assert np.mean(moved == fold) >= 0.97


def test_twins_leave_one_of_their_kind_in_training() -> None:
    """At most one of a group, of training pictures alone, never the last of its class there, at most 5 % of them."""
    rows = make(60, "a") + make(60, "b")
    samples, contents = map(list, zip(*rows, strict=True))
    together = [[n, n + 1, n + 2] for n in range(0, 57, 3)] + [[58, 60]]  # the last one holds one of each class
    parts = ["train"] * 50 + ["test"] * 10 + ["train"] * 60
    held = twins(samples, contents, parts, together)
    assert len(held) == int(0.05 * 110)
    assert all(parts[row] == "train" for row in held)
    for group in together:
        inside = {row for row in group if parts[row] == "train"}
        assert len(inside & set(held)) <= 1
        assert not inside or inside - set(held)
    assert not {58, 60} & set(held)
    assert twins(samples, contents, parts, together[:1]) == []  # three of 110 are too few to matter


def test_of_many_pictures_fewer_validate_and_nearly_all_stay_where_they_were() -> None:
    """A tenth up to 2,500 pictures of ten classes, then 250; with a tenth more of them 95 % keep their part."""
    assert [validation_share(count, 10) for count in (0, 100, 2500, 5000, 60_000)] == [
        0.1,
        0.1,
        0.1,
        0.05,
        250 / 60_000,
    ]
    assert validation_share(60_000, 100) == 2500 / 60_000
    many = [Sample(path=f"{n}", source=Path(), target="ab"[n % 2]) for n in range(4400)]
    parts = [
        split(some, [f"{n}" for n in range(len(some))], validation=validation_share(len(some), 2))
        for some in (many[:4000], many)
    ]
    assert parts[1].count("validation") == 250
    assert np.mean([before == after for before, after in zip(parts[0], parts[1], strict=False)]) > 0.95
