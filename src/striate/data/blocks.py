"""Parts of pictures in time: a video's frames or a series of measurements, cut into blocks in their given order."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from striate.data.folder import number_key
from striate.data.sample import PARTS, Found, Sample
from striate.errors import StriateError

GAP = 0.01  # of the samples, left out at each border, where neighbours are nearly alike
_NEIGHBOUR, _COPY = "beside a border between two parts of the series", "the same bytes as a picture of a later part"


def in_time(found: Found) -> Found:
    """`found` with its samples in their order in time: files of a folder by the numbers in their names, whatever class
    folder they lie in; lines of a table, arrays and series as they are."""
    if found.kind not in ("classes", "names", "boxes", "masks"):
        return found
    above = found.kind == "classes"  # folders, of which the first is no time but a class
    return replace(found, samples=sorted(found.samples, key=lambda s: number_key(s.path.split("/", above)[-1])))


def blocks(
    samples: Sequence[Sample],
    contents: Sequence[str],
    *,
    test: float = 0.2,
    validation: float = 0.1,
    fold: tuple[int, int] = (0, 0),
) -> tuple[list[str], dict[int, str]]:
    """The part of every sample in its given order (first train, then validation, the last is the test part), and the
    samples that are in none ("") with the reason.

    contents: a hash of each sample's bytes. test, validation: shares of the samples. fold (k, K): the k-th of K blocks,
    from 1, is the test part instead, the block before it validates (from the end on before the first), and the rest is
    for training. A group is cut nowhere: it lies where its first sample does. Before each border (and behind a test
    block that others follow) 1 % of the samples, one at least, is used for nothing, and so is what has the same bytes
    as a sample of a later part. Raises StriateError where parts are given.
    """
    if any(sample.part for sample in samples):
        rule, received = "a series is cut into blocks where no parts are given", "parts as given"
        raise StriateError(rule, received=received, where="--split blocks", remedy="leave --split out, or the parts")
    (number, folds), order = fold, _order(samples)
    count = len(order)
    start, end = (round((number - back) * count / (folds or 1)) for back in (1, 0))
    size, end = (end - start, end) if folds else (round(test * count), count)
    order = order[end:] + order[:end]
    named = _named(order, samples, [count - size - round(validation * count), count - size])
    near, parts, aside, seen = _borders(named, is_turned=end < count), [""] * count, {}, set[str]()
    for place in reversed(range(count)):
        row = order[place]
        if place in near or contents[row] in seen:
            aside[row] = _NEIGHBOUR if place in near else _COPY
        else:
            parts[row] = named[place]
        if place == 0 or named[place - 1] != named[place]:
            seen |= {contents[other] for other in order[place:] if parts[other] == named[place]}
    return parts, aside


def kin_in_time(samples: Sequence[Sample]) -> np.ndarray:
    """(n,) the same number for samples of one group, and else for n^(1/3) that follow each other in the order given:
    neighbours in time say much the same, so scores draw such runs together, as the block bootstrap does (Künsch 1989).
    """
    place, first = np.arange(len(samples)), {}
    runs = place - place % max(round(len(samples) ** (1 / 3)), 1)
    each = zip(samples, runs.tolist(), strict=True)
    return np.array([run if one.group is None else first.setdefault(one.group, run) for one, run in each], np.int64)


def _borders(named: Sequence[str], *, is_turned: bool) -> set[int]:
    """The places in a row of parts that are too near to the next part; is_turned: its first follows its last."""
    count, gap = len(named), max(1, round(GAP * len(named)))
    near = {place - back for place in range(1, count) for back in range(1, gap + 1) if named[place] != named[place - 1]}
    return near | set(range(gap)) if is_turned else near


def _order(samples: Sequence[Sample]) -> list[int]:
    """Rows in the order given, where each group stands at its first sample."""
    first: dict[str, int] = {}
    place = [row if s.group is None else first.setdefault(s.group, row) for row, s in enumerate(samples)]
    return sorted(range(len(samples)), key=lambda row: (place[row], row))


def _named(order: list[int], samples: Sequence[Sample], borders: list[int]) -> list[str]:
    """The part at every place of the order: that of the place, or of the first place of its group."""
    parts, first = [], {}
    for place, row in enumerate(order):
        part = PARTS[sum(place >= border for border in borders)]
        group = samples[row].group
        parts.append(part if group is None else first.setdefault(group, part))
    return parts
