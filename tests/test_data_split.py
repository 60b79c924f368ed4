"""The split: stratified, stable, leak-free, and the same whatever the order of the files."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.sample import Sample
from striate.data.split import split
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
