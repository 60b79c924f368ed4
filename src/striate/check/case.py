"""What every detector looks at: the pictures of a set with all that is known about them, row by row."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from striate.check.alike import Alike
from striate.check.finding import Finding
from striate.data.apart import words_in
from striate.data.sample import LeftOut, Sample, are_numbers, class_order

MOST = 1000  # groups of paths that one finding lists


@dataclass(frozen=True, kw_only=True)
class Case:
    """One set of K pictures.

    samples, facts (K,) of FACTS and contents belong together row by row. left_out, hidden: what is not among them.
    mended: labels of theirs that were changed or dropped. names: of numbers, as of Found. page: as of Pick.
    alike: which of them are the same picture. perhaps: as of Found.
    """

    samples: Sequence[Sample]
    left_out: Sequence[LeftOut]
    facts: np.ndarray
    contents: Sequence[str]  # the same for copies
    hidden: int = 0
    alike: Alike = field(repr=False)
    mended: Sequence[LeftOut] = ()
    form: str = "picture"
    names: Sequence[str] = ()
    perhaps: tuple[str, int] | None = None
    page: int | str = 0

    @cached_property
    def one_label(self) -> bool:
        """Whether every picture is of one class, so that classes can be told apart by the wrong things."""
        return all(isinstance(sample.target, str) for sample in self.samples)

    @cached_property
    def classes(self) -> list[str]:
        return class_order(sample.label for sample in self.samples)

    @cached_property
    def labels(self) -> np.ndarray:
        """(K,) the number of each picture's class in `classes`."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        return np.array([numbers[sample.label] for sample in self.samples], np.int64)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(K, n) the numbers to be learned; (K, 0) for other targets."""
        targets = [sample.target for sample in self.samples]
        return np.array(targets if are_numbers(targets) else [()] * len(targets), np.float64)

    @cached_property
    def spread(self) -> np.ndarray:
        """(n,) the standard deviation of each number."""
        return self.numbers.std(axis=0)

    @cached_property
    def kinds(self) -> np.ndarray:
        """(K,) the number of each picture's class; 0 where it has not just one, as most sets of labels are rare."""
        return self.labels if self.one_label else np.zeros(len(self.samples), np.int64)

    @cached_property
    def parts(self) -> np.ndarray:
        """(K,) the given part of each picture; "train" where only others are given, "" where none is."""
        given = any(sample.part for sample in self.samples)
        return np.array([sample.part or ("train" if given else "") for sample in self.samples], object)

    @cached_property
    def apart(self) -> tuple[tuple[str, ...], list[list[int]]]:
        """As of `words_in`: pictures that seem to be one another's channels; of grey ones alone."""
        return words_in([sample.path for sample in self.samples]) if np.all(self.facts["channels"] == 1) else ((), [])

    @cached_property
    def scale(self) -> np.ndarray:
        """(K,) the greatest value that each picture's depth can hold; for fractions the greatest of the set."""
        deep = self.facts["depth"] == 2
        highest = float(np.abs(self.facts["high"][deep]).max(initial=0)) or 1.0
        return np.array([255.0, 65535.0, highest])[self.facts["depth"]]

    @cached_property
    def singles(self) -> np.ndarray:
        """Rows without second looks at one picture: the first of each group that is alike, and all others."""
        again = np.zeros(len(self.samples), bool)
        for rows in self.alike.near:
            again[rows[1:]] = True
        return np.flatnonzero(~again)

    def path(self, row: int) -> str:
        return self.samples[row].path

    def groups(self, several: Iterable[Iterable[int]]) -> tuple[tuple[str, ...], ...]:
        """Paths for groups of rows: the first MOST groups."""
        return tuple(tuple(map(self.path, rows)) for rows in islice(several, MOST))

    def some(self, rows: Iterable[int]) -> tuple[tuple[str, ...], ...]:
        """Paths of rows that do not belong together, each a group of its own."""
        return self.groups([row] for row in rows)

    def about(self, rows: Collection[int], **said: object) -> Iterator[Finding]:
        """The finding about rows that do not belong together, if there are any; said: all else that a Finding says."""
        if len(rows):
            yield Finding(count=len(rows), groups=self.some(rows), **said)


def spread_sample(labels: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
    """At most about `most` of the rows, as many of every class as there are, evenly spaced; sorted.

    labels: (K,) class numbers. The rows of rare classes are all kept.
    """
    kinds, counts = np.unique(labels[rows], return_counts=True)
    each, left = most, int(most)
    for place, count in enumerate(np.sort(counts)):  # water filling: what rare classes leave goes to the others
        each = max(left // (len(counts) - place), 2)
        left -= min(int(count), each)
    chosen = []
    for kind in kinds:
        mine = rows[labels[rows] == kind]
        chosen.append(mine[np.linspace(0, len(mine) - 1, min(each, len(mine))).round().astype(np.int64)])
    return np.sort(np.concatenate(chosen)) if chosen else rows[:0]


def half_of(tried: np.ndarray, labels: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
    """A `spread_sample` of which half is of the classes `tried`, where these are fewer than half of all: of many
    classes each would else have too few rows to tell anything by."""
    mine = np.isin(labels[rows], tried)
    if len(np.unique(labels[rows])) <= 2 * len(tried):
        return spread_sample(labels, rows, most)
    return np.sort(np.concatenate([spread_sample(labels, rows[side], most // 2) for side in (mine, ~mine)]))
