"""Which pictures are the same picture: to the last bit, or saved anew, resized, recoloured, cropped, mirrored, turned.

Candidates come from a description that turning and mirroring leave as it is (signature.py). Three looks decide. Two
hold small likenesses against each other in the eight positions that a square can take (search.py): as they are, which
tells apart even drawings that are much alike, and without what the whole set shares (waves.py), as frames of one camera
need. The third lays candidates over each other by any turn, shift and change of size (overlay.py), for what was cropped
or turned a little. In each, a pair must be closer than chance makes unrelated pictures of this very set, and what is
seen when one is laid over the other must agree.
"""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from striate.check.search import search
from striate.data.joined import joined

FEWEST = 40  # different pictures; among fewer, nothing can be said of chance, so that only copies are found
LARGEST, SURE = 0.05, 1e-9  # a group of more than this share of the set (and of 30) is joined by surer links alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """copies: groups of rows of the same content. near: groups of rows that are the same picture, copies
    included; no row is in two groups. Rows are sorted within their groups, and these by their first. pairs: (i, j,
    correlation when laid over each other, how they differ as in search.HOW) of those that are near, the surest first;
    of copies only the first is compared."""

    copies: list[list[int]]
    near: list[list[int]]
    pairs: list[tuple[int, int, float, str]]


def alike(facts: np.ndarray, contents: Sequence[str]) -> Alike:
    """The groups of K pictures; facts: (K,) of FACTS, contents: K hashes, the same for copies.

    Pictures of a single value are alike, and another finding. The order of the rows does not matter: where only some
    of many pictures are measured, it is those whose contents come first by a hash.
    """
    first, same = _same(contents)
    rows = sorted(first.values(), key=lambda row: hashlib.blake2b(str(contents[row]).encode()).digest())
    blocks = np.array_split(np.array(rows, np.int64), len(rows) // 4096 + 1)
    rows = np.concatenate([block[facts["look"][block].std(axis=(1, 2)) > 1] for block in blocks])
    pairs, sure = [], []
    if len(rows) >= FEWEST:
        links = search(facts[rows])
        ends = np.sort(rows[links.pairs], axis=1).tolist()
        pairs = [(*end, float(score), how) for end, score, how in zip(ends, links.agreement, links.how(), strict=True)]
        sure = (links.chance < np.log10(SURE)).tolist()
    near = [*same, *((i, j, certain) for (i, j, _, _), certain in zip(pairs, sure, strict=True))]
    return Alike(copies=_several(len(facts), same), near=_several(len(facts), near), pairs=pairs)


def seconds_for(count: int) -> float:
    """About what `alike` takes of so many pictures on two processor cores."""
    return 0.5 + 1e-3 * min(count, 5000) + 6e-4 * count + 2e-9 * count**2


def copied(contents: Sequence[str]) -> Alike:
    """The groups of copies alone, where looks cannot be compared."""
    groups = _several(len(contents), _same(contents)[1])
    return Alike(copies=groups, near=groups, pairs=[])


def _same(contents: Sequence[str]) -> tuple[dict[Hashable, int], list[tuple[int, int, bool]]]:
    """The first row of each content, and links from it to all rows that have it."""
    first: dict[Hashable, int] = {}
    return first, [(first.setdefault(content, row), row, True) for row, content in enumerate(contents)]


def _several(count: int, links: Iterable[tuple[int, int, bool]]) -> list[list[int]]:
    """Groups of two rows or more. One larger than LARGEST is made by sure links alone: chains of look-alikes do not
    swallow the set."""
    return [rows for rows in joined(count, links, max(30, LARGEST * count)) if len(rows) > 1]
