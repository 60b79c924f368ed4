"""Links between pictures of a set that show the same: candidates, and the looks that decide (see alike.py)."""

import itertools
from dataclasses import dataclass

import numpy as np

from striate.check import chance, register
from striate.check.overlay import overlaid
from striate.check.signature import Plain, lengths, likeness, rings, unturned

NEIGHBOURS = 24  # candidates of every picture
CHANCE = 0.03  # pairs of pictures as they are that chance may make in a whole set
MOST_APART = 0.015  # 1 - likeness²: what saving anew, resizing and retouching change is less; stripes may be as near by
# accident, where most of their kind are far apart
LEAST_AGREEMENT = 0.8  # correlation of two pictures laid over each other
HOW = ("the same", "resized or shifted", "turned", "mirrored")
_SAMPLE, _OF_SAMPLE = 1024, 4  # pictures that each is held against; how many of them become candidates
_ROWS, _MEETING, _CELLS = 512, 64, 1 << 25  # of one block


@dataclass(frozen=True, slots=True)
class Links:
    """Pairs of rows (P, 2), the first the lesser; log10 of how many such pairs chance makes; correlation when laid
    over each other; the pose (P, 2, 3) of the second under the first."""

    pairs: np.ndarray
    chance: np.ndarray
    agreement: np.ndarray
    poses: np.ndarray

    def __getitem__(self, which: np.ndarray) -> "Links":
        return Links(self.pairs[which], self.chance[which], self.agreement[which], self.poses[which])

    def how(self) -> list[str]:
        """What was done to one of them to get the other, as a member of HOW."""
        square, still = self.poses[:, :, :2], np.eye(2, 3, dtype=np.float32)
        turned = np.abs(np.arctan2(square[:, 1, 0] - square[:, 0, 1], square[:, 0, 0] + square[:, 1, 1])) > np.pi / 36
        moved = np.abs(self.poses - still).max(axis=(1, 2)) > 0.04
        mirrored = np.linalg.det(square) < 0
        return [HOW[number] for number in np.where(mirrored, 3, np.where(turned, 2, np.where(moved, 1, 0)))]


def search(looks: np.ndarray, tints: np.ndarray, shapes: np.ndarray) -> Links:
    """All links among N pictures, at least 40: looks (N, 32, 32) and tints (N, 8, 8, 3) of their facts, shapes (N, 2)
    their height and width."""
    near = _neighbours(unturned(rings(looks, lengths(shapes))))
    both = _as_they_are(looks, tints, near), _settled(Links(*overlaid(looks, tints)))
    found = Links(*(np.concatenate(parts) for parts in zip(*map(_fields, both), strict=True)))
    found = found[np.argsort(found.chance, kind="stable")]
    _, once = np.unique(found.pairs[:, 0] * len(looks) + found.pairs[:, 1], return_index=True)
    return found[np.sort(once)]


def _fields(links: Links) -> tuple[np.ndarray, ...]:
    return links.pairs, links.chance, links.agreement, links.poses


def _neighbours(vectors: np.ndarray) -> np.ndarray:
    """(N, NEIGHBOURS): the rows of the nearest unit vectors, in no order.

    A limit that about three times as many pass is read off a sample of columns; only where fewer passed than are
    wanted, a whole row is searched.
    """
    count, found = len(vectors), np.empty((len(vectors), NEIGHBOURS), np.int32)
    sample = slice(None, None, max(1, count // 8192))
    rank = min(count - 1, max(1, round(3 * NEIGHBOURS * len(vectors[sample]) / count)))
    rows = max(1, _CELLS // count)
    for start in range(0, count, rows):
        held = vectors[start : start + rows] @ vectors.T
        held[np.arange(len(held)), start + np.arange(len(held))] = -2
        limit = -np.partition(-held[:, sample], rank - 1, axis=1)[:, rank - 1]
        row, column = np.divmod(np.flatnonzero(held >= limit[:, None]), count)
        order = np.lexsort((column, -held[row, column], row))
        row, column = row[order], column[order]
        firsts = np.searchsorted(row, np.arange(len(held) + 1))
        for at, (begin, end) in enumerate(itertools.pairwise(firsts)):
            best = column[begin:end] if end - begin >= NEIGHBOURS else np.argsort(-held[at], kind="stable")
            found[start + at] = best[:NEIGHBOURS]
    return found


def _as_they_are(looks: np.ndarray, tints: np.ndarray, near: np.ndarray) -> Links:
    """Pictures held against each other in the eight positions of a square: those of every row with its neighbours
    `near` (N, n) and the most alike of a sample that chance makes fewer than CHANCE of in a whole set."""
    count, sample, plain = len(looks), min(len(looks), _SAMPLE), Plain(looks)
    blocks = [slice(start, start + _ROWS) for start in range(0, count, _ROWS)]
    upright = np.concatenate([next(plain.features(looks[block], tints[block])) for block in blocks])
    least = np.empty((count, chance.COLUMNS), np.float32)
    near = np.concatenate([near, np.empty((count, _OF_SAMPLE), np.int32)], axis=1)
    best, view = np.empty(near.shape, np.float32), np.empty(near.shape, np.uint8)
    for block in blocks:
        seen = np.stack(list(plain.features(looks[block], tints[block])), axis=1)
        nearest, least[block] = _nearest(seen, upright[:sample], np.arange(count)[block], plain.light)
        near[block, NEIGHBOURS:] = nearest[:, :_OF_SAMPLE]
        best[block], view[block] = _best_view(seen, upright, near[block], plain.light)
    odds = chance.measured(least, sample - (sample == count), count)
    pairs = np.stack([np.repeat(np.arange(count), near.shape[1]), near.ravel()], axis=1)
    distance = 1 - best.ravel() ** 2
    made = np.maximum(odds.of(pairs[:, 0], distance), odds.of(pairs[:, 1], distance))
    kept = np.flatnonzero((made < np.log10(CHANCE)) & (distance < MOST_APART) & (pairs[:, 0] != pairs[:, 1]))
    mirrored, quarters = np.divmod(view.ravel()[kept].astype(int), 4)
    poses = register.first_poses(np.pi * mirrored - np.pi / 2 * quarters, mirrored > 0)
    return _settled(Links(pairs[kept], made[kept], best.ravel()[kept], poses))


def _nearest(seen: np.ndarray, sample: np.ndarray, rows: np.ndarray, light: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, COLUMNS): which of the sample (S, F) are most like the rows in any of their eight views (K, 8, F), the first
    the most; and their distances, 1 - likeness². No row, itself a member of the sample, is its own neighbour."""
    held = likeness(seen[:, 0], sample, light)
    for number in range(1, 8):
        np.maximum(held, likeness(seen[:, number], sample, light), out=held)
    inside = np.flatnonzero(rows < len(sample))
    held[inside, rows[inside]] = 0
    nearest = np.argpartition(-held, chance.COLUMNS - 1, axis=1)[:, : chance.COLUMNS]
    nearest = np.take_along_axis(nearest, np.argsort(-np.take_along_axis(held, nearest, 1), kind="stable"), 1)
    return nearest, 1 - np.take_along_axis(held, nearest, 1) ** 2


def _best_view(seen: np.ndarray, upright: np.ndarray, near: np.ndarray, light: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, n) the likeness of eight views (K, 8, F) to the rows `near` (K, n) of `upright` (N, F), and which view it
    is; few at a time, since every row meets others."""
    best, view = np.empty(near.shape, np.float32), np.empty(near.shape, np.uint8)
    for start in range(0, len(near), _MEETING):
        some = slice(start, start + _MEETING)
        compared = likeness(seen[some], upright[near[some]], light)
        best[some], view[some] = compared.max(axis=1), compared.argmax(axis=1)
    return best, view


def _settled(links: Links) -> Links:
    """Those that agree, each pair with the lesser row first."""
    links = links[links.agreement > LEAST_AGREEMENT]
    turned = links.pairs[:, 0] > links.pairs[:, 1]
    square = np.concatenate([links.poses, np.tile(np.array([[[0, 0, 1]]], np.float32), (len(turned), 1, 1))], axis=1)
    back = np.linalg.inv(square)[:, :2] if len(square) else links.poses
    poses = np.where(turned[:, None, None], back, links.poses).astype(np.float32)
    return Links(np.sort(links.pairs, axis=1), links.chance, links.agreement, poses)
