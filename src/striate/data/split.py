"""Train, validation and test parts, decided by what the pictures hold and by nothing else.

The place of a picture follows from a hash of its bytes (or of its group) and the seed: not from its
name, the order of listing or the machine. Within a class the units with the lowest hashes are tested
on and those with the highest validate, so adding pictures moves few of the old ones.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from striate.data.sample import PARTS, Sample
from striate.errors import StriateError

TRAIN, VALIDATION, TEST = PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """Samples that stay together: those of a group, or with the same bytes."""

    place: int  # its hash, as a number
    rows: tuple[int, ...]
    label: str


def split(
    samples: Sequence[Sample], contents: Sequence[str], *, test: float = 0.2, validation: float = 0.1, seed: int = 0
) -> list[str]:
    """The part of every sample: "train", "validation" or "test".

    contents: a hash of each sample's bytes, in the order of `samples`.
    test, validation: fractions of the pictures that are split here, per class (0 or more, sum below 1).
    Parts that samples bring along are kept; a part that none of them has is taken from the training
    pictures, so a set given as train and validation gets its test part from train. Samples without a
    part in a set that has all three are for training. Groups, and pictures with identical bytes, stay
    together. A class with three units or more is in all three parts, one with two in train and test.
    """
    _require_fractions(test, validation)
    given = {sample.part for sample in samples} - {None}
    parts = [sample.part or TRAIN for sample in samples]
    units = _units(samples, contents)
    pool: list[list[int]] = []
    for rows in units:
        fixed = sorted({samples[row].part for row in rows} & {VALIDATION, TEST})
        free = [row for row in rows if samples[row].part is None]
        if fixed:
            for row in free:  # it follows what the user decided for its group
                parts[row] = fixed[0]
        elif inside := [row for row in rows if parts[row] == TRAIN]:
            pool.append(inside)
    wanted = {TEST: 0.0 if TEST in given else test, VALIDATION: 0.0 if VALIDATION in given else validation}
    for label_units in _by_class(pool, samples, contents, seed).values():
        for part, unit in _assigned(label_units, wanted):
            for row in unit.rows:
                parts[row] = part
    return parts


def _require_fractions(test: float, validation: float) -> None:
    for name, value in (("--test", test), ("--val", validation)):
        if not 0 <= value < 1:
            rule = "a part is a fraction of the pictures, 0 or more and below 1"
            raise StriateError(rule, received=value, where=name)
    if test + validation >= 1:
        raise StriateError(
            "the test and validation parts must leave pictures to train on",
            received=f"{test} + {validation}",
            where="--test and --val",
            remedy="for example --test 0.2 --val 0.1",
        )


def _units(samples: Sequence[Sample], contents: Sequence[str]) -> list[list[int]]:
    """Rows joined wherever they share a group or their bytes (union-find)."""
    parent = list(range(len(samples)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for row, (sample, content) in enumerate(zip(samples, contents, strict=True)):
        keys = [("bytes", content)] if sample.group is None else [("bytes", content), ("group", sample.group)]
        for key in keys:
            parent[root(row)] = root(first.setdefault(key, row))
    joined: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(len(samples)):
        joined[root(row)].append(row)
    return list(joined.values())


def _by_class(
    pool: list[list[int]], samples: Sequence[Sample], contents: Sequence[str], seed: int
) -> dict[str, list[_Unit]]:
    """Units by their most frequent class, each class in the order of hashes."""
    classes: defaultdict[str, list[_Unit]] = defaultdict(list)
    for rows in pool:
        counts = Counter(samples[row].target for row in rows)
        label = min(counts, key=lambda name: (-counts[name], name))
        groups = [f"group {samples[row].group}" for row in rows if samples[row].group is not None]
        key = min(groups or [f"bytes {contents[row]}" for row in rows])
        digest = hashlib.blake2b(f"{seed} {key}".encode("utf-8", "surrogateescape"), digest_size=16).digest()
        classes[label].append(_Unit(place=int.from_bytes(digest, "big"), rows=tuple(rows), label=label))
    for units in classes.values():
        units.sort(key=lambda unit: unit.place)
    return classes


def _assigned(units: list[_Unit], wanted: dict[str, float]) -> list[tuple[str, _Unit]]:
    """The units of one class that leave the training part: tests from the front, validation from the back."""
    total = sum(len(unit.rows) for unit in units)
    both = wanted[VALIDATION] > 0 and len(units) > 2
    tested = _take(units, wanted[TEST], total, spare=2 if both else 1)
    gone = {unit.place for unit in tested}
    rest = [unit for unit in units if unit.place not in gone]
    validated = _take(rest[::-1], wanted[VALIDATION], total, spare=1)
    return [(TEST, unit) for unit in tested] + [(VALIDATION, unit) for unit in validated]


def _take(units: list[_Unit], fraction: float, total: int, *, spare: int) -> list[_Unit]:
    """Units whose samples come nearest to `fraction` of `total`, leaving at least `spare` units."""
    room = len(units) - spare
    if fraction == 0 or room < 1:
        return []
    target, taken, count = round(fraction * total), [], 0
    for unit in units:
        if len(taken) < room and abs(count + len(unit.rows) - target) < abs(count - target):
            taken.append(unit)
            count += len(unit.rows)
    return taken or [min(units, key=lambda unit: len(unit.rows))]
