"""Train, validation and test parts, decided by what the pictures hold and by nothing else.

The place of a picture follows from a hash of its bytes (or of its group) and the seed: not from its
name, the order of listing or the machine. Within a class the units with the lowest hashes are tested
on and those with the highest validate, so adding pictures moves few of the old ones.
"""

import hashlib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from striate.data.joined import joined
from striate.data.sample import PARTS, Sample, class_order, names_of
from striate.data.strata import strata, strata_of_units
from striate.errors import StriateError, first_few

TRAIN, VALIDATION, TEST = PARTS
LEAST_ALIKE, TWIN_SHARE, MOST_TWINS = 0.05, 0.05, 500
VALIDATED, MOST, MOST_OF_CLASS = 0.1, 250, 25  # usual share for validation, and most pictures of it
_BITS = 128  # of a hash


Unit = tuple[int, list[int]]  # samples that stay together: their hash, as a number, and their rows


def split(
    samples: Sequence[Sample],
    contents: Sequence[str],
    *,
    test: float = 0.2,
    validation: float = 0.1,
    seed: int = 0,
    together: Iterable[Sequence[int]] = (),
) -> list[str]:
    """The part of every sample: "train", "validation" or "test".

    contents: a hash of each sample's bytes, in the order of `samples`.
    test, validation: fractions of the pictures that are split here, per stratum (0 or more, sum below 1), which is the
    class, the rarest label or the size of a number (see `strata`).
    together: rows that look alike and so belong into one part.
    Parts that samples bring along are kept; a part that none of them has is taken from the training
    pictures, so a set given as train and validation gets its test part from train. Samples without a
    part in a set that has all three are for training. Groups, look-alikes and pictures with identical bytes
    stay together, unless given parts say otherwise. A stratum with three units or more is in all three parts,
    one with two in train and test.
    """
    _require_fractions(test, validation)
    given = {sample.part for sample in samples} - {None}
    parts = [sample.part or TRAIN for sample in samples]
    pool: list[list[int]] = []
    for rows in units(samples, contents, together):
        fixed = sorted({samples[row].part for row in rows} & {VALIDATION, TEST})
        free = [row for row in rows if samples[row].part is None]
        if fixed:
            for row in free:  # it follows what the user decided for its group
                parts[row] = fixed[0]
        elif inside := [row for row in rows if parts[row] == TRAIN]:
            pool.append(inside)
    wanted = {TEST: 0.0 if TEST in given else test, VALIDATION: 0.0 if VALIDATION in given else validation}
    for label_units in _by_class(pool, samples, contents, seed).values():
        for part, rows in _assigned(label_units, wanted):
            for row in rows:
                parts[row] = part
    return parts


def validation_share(pictures: int, classes: int) -> float:
    """The usual share of the pictures to divide that validate: a tenth, and of many no more than it takes to follow a
    training and to calibrate what it says, since pictures learned from are worth more."""
    return min(VALIDATED, max(MOST, MOST_OF_CLASS * classes) / max(pictures, 1))


def _require_fractions(test: float, validation: float) -> None:
    for name, value in (("--test", test), ("--val", validation)):
        if not 0 <= value < 1:
            rule = "a part is a fraction of the pictures, 0 or more and below 1"
            raise StriateError(rule, received=value, where=name)
    if test + validation >= 1:
        rule, received = "the test and validation parts must leave pictures to train on", f"{test} + {validation}"
        raise StriateError(rule, received=received, where="--test and --val", remedy="for example --test 0.2 --val 0.1")


def folds(
    samples: Sequence[Sample], contents: Sequence[str], k: int, seed: int = 0, together: Iterable[Sequence[int]] = ()
) -> np.ndarray:
    """The fold of every sample, 0 to k - 1: every class spread evenly, and what belongs together in one fold.

    Each unit goes to the first fold in an order of its own, drawn from its hash, that has room for its classes (hashing
    with bounded loads; Mirrokni, Thorup and Zadimoghaddam 2018), so more pictures move few of the old ones. Large
    units choose first; one that fits nowhere goes where it does least harm.
    """
    kinds = strata([sample.target for sample in samples])
    totals = Counter(kinds)
    load: list[Counter[str]] = [Counter() for _ in range(k)]
    fold = np.zeros(len(samples), np.int64)
    found = [(_place(rows, samples, contents, seed), rows) for rows in units(samples, contents, together)]
    for place, rows in sorted(found, key=lambda unit: (-len(unit[1]), unit[0])):
        counts = Counter(kinds[row] for row in rows)
        number = place % k
        if not _fits(load[number], counts, totals, k):
            others = random.Random(place).sample(range(k), k)
            number = next((other for other in others if _fits(load[other], counts, totals, k)), -1)
            if number < 0:
                number = min(others, key=lambda other: (_harm(load[other], counts, totals), load[other].total()))
        load[number].update(counts)
        fold[rows] = number
    return fold


def require_folds(samples: Sequence[Sample], fold: np.ndarray, k: int) -> None:
    """Raise where one of k folds is empty or a class is in one fold alone, before any of them is trained."""
    if (filled := len(set(fold.tolist()))) < k:
        received = f"pictures for {filled} of {k} folds, without parting what belongs together"
        raise StriateError("every fold has pictures to test on", received=received, where="--folds")
    where: defaultdict[str, set[int]] = defaultdict(set)
    for sample, number in zip(samples, fold.tolist(), strict=True):
        for name in names_of(sample.target):
            where[name].add(number)
    if lone := class_order(name for name, found in where.items() if len(found) < 2):
        rule = "with --folds every class is in two folds or more, since the fold that is tested is not learned from"
        what = "give more pictures of it that are no copies, look-alikes or of one group"
        remedy = f"{what}, take its label out, or leave --folds out"
        raise StriateError(rule, received=f"one fold with all of {first_few(lone)}", where="--folds", remedy=remedy)


def _fits(load: Counter[str], counts: Counter[str], totals: Counter[str], k: int) -> bool:
    """Whether a fold with that load has room for a unit's classes."""
    return all((load[name] + count) * k <= totals[name] for name, count in counts.items())


def _harm(load: Counter[str], counts: Counter[str], totals: Counter[str]) -> float:
    """By how much a unit would raise the sum of squared shares that a fold holds of each class."""
    return math.fsum(((load[name] + n) ** 2 - load[name] ** 2) / totals[name] ** 2 for name, n in counts.items())


def units(
    samples: Sequence[Sample], contents: Sequence[str], together: Iterable[Sequence[int]] = ()
) -> list[list[int]]:
    """Rows joined wherever they share a group or their bytes, or are named in `together`."""
    first: dict[Hashable, int] = {}
    links = [(first.setdefault(("bytes", content), row), row, True) for row, content in enumerate(contents)]
    for row, sample in enumerate(samples):
        if sample.group is not None:
            links.append((first.setdefault(("group", sample.group), row), row, True))
    links += [(rows[0], row, True) for rows in together for row in rows]
    return joined(len(samples), links)


def kin_of(samples: Sequence[Sample], contents: Sequence[str], together: Iterable[Sequence[int]] = ()) -> np.ndarray:
    """(N,) the same number for rows that belong together, as `units` joins them."""
    kin = np.zeros(len(samples), np.int64)
    for number, rows in enumerate(units(samples, contents, together)):
        kin[rows] = number
    return kin


def _by_class(
    pool: list[list[int]], samples: Sequence[Sample], contents: Sequence[str], seed: int
) -> dict[str | None, list[Unit]]:
    """Units by their stratum, each of these in the order of hashes."""
    classes: defaultdict[str | None, list[Unit]] = defaultdict(list)
    for rows, label in zip(pool, strata_of_units([sample.target for sample in samples], pool), strict=True):
        classes[label].append((_place(rows, samples, contents, seed), rows))
    return {label: sorted(inside) for label, inside in classes.items()}


def _place(rows: Sequence[int], samples: Sequence[Sample], contents: Sequence[str], seed: int) -> int:
    """The hash of a unit, as a number: of its least group name or content, which copies that come later leave alone."""
    groups = [f"group {samples[row].group}" for row in rows if samples[row].group is not None]
    key = min(groups or [f"bytes {contents[row]}" for row in rows])
    digest = hashlib.blake2b(f"{seed} {key}".encode("utf-8", "surrogateescape"), digest_size=_BITS // 8).digest()
    return int.from_bytes(digest, "big")


def _assigned(units: list[Unit], wanted: dict[str, float]) -> list[tuple[str, list[int]]]:
    """The rows of one class that leave the training part, by units: tests from the front, validation from the back."""
    total = sum(len(rows) for _, rows in units)
    both = wanted[VALIDATION] > 0 and len(units) > 2
    tested = _take(units, wanted[TEST], total, spare=2 if both else 1)
    gone = {place for place, _ in tested}
    rest = [unit for unit in units if unit[0] not in gone]
    validated = _take(rest[::-1], wanted[VALIDATION], total, spare=1, from_back=True)
    return [(TEST, rows) for _, rows in tested] + [(VALIDATION, rows) for _, rows in validated]


def _take(units: list[Unit], fraction: float, total: int, *, spare: int, from_back: bool = False) -> list[Unit]:
    """The first units, whose samples make about `fraction` of `total`, leaving at least `spare` units.

    Each unit has its own wish: to be taken if its hash lies in the first `fraction` of all hashes. That is granted as
    far as the share stays within half of the largest unit of what was asked, so that more pictures move few units.
    """
    room, target = len(units) - spare, round(fraction * total)
    if fraction == 0 or room < 1:
        return []
    fitting = [unit for unit in units if len(unit[1]) <= 2 * target]  # a larger one is further off than none
    slack = max((len(rows) for _, rows in fitting), default=0) / 2
    taken, count = [], 0
    for place, rows in fitting[:room]:
        share = place / 2**_BITS
        wishes = (1 - share if from_back else share) < fraction
        if count + len(rows) > target + slack or (not wishes and count >= target - slack):
            break
        taken.append((place, rows))
        count += len(rows)
    return taken or [min(units, key=lambda unit: len(unit[1]))]


def twins(
    samples: Sequence[Sample], contents: Sequence[str], parts: Sequence[str], together: Iterable[Sequence[int]]
) -> list[int]:
    """Training rows to hold out that have a look-alike of their class which stays in the training part.

    A split by picture would have put many of them into the test part. At most one of each group of look-alikes, up to
    5 % of the training part and 500; none where fewer than 5 % of the training pictures have a look-alike there.
    """
    alike: dict[int, tuple[int, str]] = {}
    for number, rows in enumerate(together):
        kinds = Counter(samples[row].label for row in rows if parts[row] == TRAIN)
        for row in rows:
            if parts[row] == TRAIN and kinds[samples[row].label] > 1:
                alike[row] = number, samples[row].label
    learned = sum(part == TRAIN for part in parts)
    if len(alike) < LEAST_ALIKE * learned:
        return []
    chosen: dict[int, int] = {}
    for row in sorted(alike, key=lambda row: contents[row]):
        chosen.setdefault(alike[row][0], row)
    return list(chosen.values())[: min(MOST_TWINS, int(TWIN_SHARE * learned))]
