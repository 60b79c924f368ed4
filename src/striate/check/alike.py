"""Which pictures are the same picture: byte for byte, or saved anew, resized, recoloured, cropped, mirrored, turned.

Candidates come from a description that turning and mirroring leave as it is (signature.py). Two looks decide
(search.py). The first holds whitened likenesses against each other in the eight positions that a square can take: it
tells apart even drawings that are much alike. The second lays candidates over each other by any turn, shift and change
of size (register.py). In either, a pair must be closer than chance makes unrelated pictures of this very set
(chance.py), and what is seen when one is laid over the other must agree.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from striate.check.search import search

FEWEST = 40  # different pictures; among fewer, nothing can be said of chance, so that only copies are found
LARGEST, SURE = 0.05, 1e-9  # a group of more than this share of the set (and of 30) is joined by surer links alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """copies: groups of rows whose files have the same bytes. near: groups of rows that are the same picture, copies
    included; no row is in two groups. pairs: (i, j, correlation when laid over each other, how they differ as in
    search.HOW) of those that are near, the surest first; of copies only the first is compared."""

    copies: list[list[int]]
    near: list[list[int]]
    pairs: list[tuple[int, int, float, str]]


def alike(facts: np.ndarray, contents: Sequence[str]) -> Alike:
    """The groups of K pictures; facts: (K,) of FACTS, contents: K hashes of the files' bytes.

    Pictures of a single value are alike, and another finding. The order of the rows does not matter: where only some
    of many pictures are measured, it is those whose contents come first by a hash.
    """
    first, same = _same(contents)
    rows = sorted(first.values(), key=lambda row: hashlib.blake2b(str(contents[row]).encode()).digest())
    blocks = np.array_split(np.array(rows, np.int64), len(rows) // 4096 + 1)
    rows = np.concatenate([block[_varied(facts["look"][block])] for block in blocks])
    pairs, sure = [], []
    if len(rows) >= FEWEST:
        shapes = np.stack([facts["height"][rows], facts["width"][rows]], axis=1)
        links = search(facts["look"][rows], facts["tint"][rows], shapes)
        ends = np.sort(rows[links.pairs], axis=1).tolist()
        pairs = [(*end, float(score), how) for end, score, how in zip(ends, links.agreement, links.how(), strict=True)]
        sure = (links.chance < np.log10(SURE)).tolist()
    near = [*same, *((i, j, certain) for (i, j, _, _), certain in zip(pairs, sure, strict=True))]
    return Alike(copies=_joined(len(facts), same), near=_joined(len(facts), near), pairs=pairs)


def copied(contents: Sequence[str]) -> Alike:
    """The groups of copies alone, where looks cannot be compared."""
    groups = _joined(len(contents), _same(contents)[1])
    return Alike(copies=groups, near=groups, pairs=[])


def _same(contents: Sequence[str]) -> tuple[dict[Hashable, int], list[tuple[int, int, bool]]]:
    """The first row of each content, and links from it to all rows that have it."""
    first: dict[Hashable, int] = {}
    return first, [(first.setdefault(content, row), row, True) for row, content in enumerate(contents)]


def _varied(looks: np.ndarray) -> np.ndarray:
    """Which of them (K, S, S) are of more than a single value."""
    return looks.std(axis=(1, 2)) > 1


def _joined(count: int, links: Iterable[tuple[int, int, bool]]) -> list[list[int]]:
    """Groups of two rows or more that the links connect (union-find), each sorted, in the order of their first.

    Links come with whether they are sure. One that is not may not make a group greater than LARGEST: chains of
    look-alikes do not swallow the set.
    """
    parent, size = list(range(count)), [1] * count

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other, sure in links:
        one, other = sorted((root(one), root(other)))
        if one != other and (sure or size[one] + size[other] <= max(30, LARGEST * count)):
            parent[other] = one
            size[one] += size[other]
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(count):
        groups[root(row)].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]
