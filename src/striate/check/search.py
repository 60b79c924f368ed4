"""Links between pictures of a set that show the same: candidates, and the looks that decide (see alike.py)."""

from typing import NamedTuple

import numpy as np

from striate.check import chance, register
from striate.check.nearest import nearest, over_blocks
from striate.check.overlay import overlaid
from striate.check.signature import Plain, lengths, rings, unturned
from striate.check.waves import Own

NEIGHBOURS = 24  # candidates of every picture
CHANCE = 0.03  # pairs of pictures as they are that chance may make in a whole set
LEAST_AGREEMENT = 0.8  # correlation of two pictures laid over each other
HOW = ("the same", "resized or shifted", "turned", "mirrored")
_SAMPLE, _OF_SAMPLE = 1024, 4  # pictures that each is held against; how many of them become candidates
_ROWS = 128  # of one block


class Links(NamedTuple):
    """Pairs of rows (P, 2), the first the lesser; log10 of how many such pairs chance makes; correlation when laid
    over each other; the pose (P, 2, 3) of the second under the first."""

    pairs: np.ndarray
    chance: np.ndarray
    agreement: np.ndarray
    poses: np.ndarray

    def only(self, which: np.ndarray) -> "Links":
        return Links(*(each[which] for each in self))

    def how(self) -> list[str]:
        """What was done to one of them to get the other, as a member of HOW."""
        square, still = self.poses[:, :, :2], np.eye(2, 3, dtype=np.float32)
        turned = np.abs(np.arctan2(square[:, 1, 0] - square[:, 0, 1], square[:, 0, 0] + square[:, 1, 1])) > np.pi / 36
        moved = np.abs(self.poses - still).max(axis=(1, 2)) > 0.04
        mirrored = np.linalg.det(square) < 0
        return [HOW[number] for number in np.where(mirrored, 3, np.where(turned, 2, np.where(moved, 1, 0)))]


def search(facts: np.ndarray) -> Links:
    """All links among pictures, at least 40; facts: (N,) of FACTS."""
    looks, tints = facts["look"], facts["tint"]
    near = nearest(unturned(rings(looks, lengths(np.stack([facts["height"], facts["width"]], axis=1)))), NEIGHBOURS)[0]
    kinds = Plain(looks, tints), Own(facts["thumb"], tints)
    every = *(_as_they_are(kind, near) for kind in kinds), _settled(Links(*overlaid(looks, tints)))
    found = Links(*map(np.concatenate, zip(*every, strict=True)))
    found = found.only(np.argsort(found.chance, kind="stable"))
    _, once = np.unique(found.pairs[:, 0] * len(looks) + found.pairs[:, 1], return_index=True)
    return found.only(np.sort(once))


def _as_they_are(kind: Plain | Own, near: np.ndarray) -> Links:
    """Pictures held against each other in the eight positions of a square: those of every row with its neighbours
    `near` (N, n) and the most alike of a sample that chance makes fewer than CHANCE of in a whole set."""
    count, sample = len(near), min(len(near), _SAMPLE)
    upright = np.concatenate(list(over_blocks(count, _ROWS, lambda block: next(kind.features(block)))))

    def compared(block: slice) -> tuple[np.ndarray, ...]:
        seen = np.stack(list(kind.features(block)), axis=1)
        met, least = _nearest(kind, seen, upright[:sample], np.arange(count)[block])
        candidates = np.concatenate([near[block], met[:, :_OF_SAMPLE].astype(np.int32)], axis=1)
        alike = kind.likeness(seen, upright[candidates])
        return least, candidates, alike.max(axis=1), alike.argmax(axis=1).astype(np.uint8)

    made = zip(*over_blocks(count, _ROWS, compared), strict=True)
    least, near, best, view = (np.concatenate(each) for each in made)
    odds = chance.measured(least, sample - (sample == count), count, kind.most_power)
    pairs = np.stack([np.repeat(np.arange(count), near.shape[1]), near.ravel()], axis=1)
    distance = 1 - best.ravel() ** 2
    made = np.maximum(odds.of(pairs[:, 0], distance), odds.of(pairs[:, 1], distance))
    few = made < np.log10(CHANCE) + kind.limit(best.ravel())
    kept = np.flatnonzero(few & (pairs[:, 0] != pairs[:, 1]))
    mirrored, quarters = np.divmod(view.ravel()[kept].astype(int), 4)
    poses = register.first_poses(np.pi * mirrored - np.pi / 2 * quarters, mirrored > 0)
    return _settled(Links(pairs[kept], made[kept], best.ravel()[kept], poses))


def _nearest(kind: Plain | Own, seen: np.ndarray, sample: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """(K, COLUMNS): which of the sample (S, F) are most like the rows in any of their eight views (K, 8, F), the first
    the most; and their distances, 1 - likeness². No row, itself a member of the sample, is its own neighbour."""
    held = kind.likeness(seen[:, 0], sample)
    for number in range(1, 8):
        np.maximum(held, kind.likeness(seen[:, number], sample), out=held)
    inside = np.flatnonzero(rows < len(sample))
    held[inside, rows[inside]] = 0
    nearest = np.argpartition(-held, chance.COLUMNS - 1, axis=1)[:, : chance.COLUMNS]
    nearest = np.take_along_axis(nearest, np.argsort(-np.take_along_axis(held, nearest, 1), kind="stable"), 1)
    return nearest, 1 - np.take_along_axis(held, nearest, 1) ** 2


def _settled(links: Links) -> Links:
    """Those that agree, each pair with the lesser row first."""
    links = links.only(links.agreement > LEAST_AGREEMENT)
    turned = links.pairs[:, 0] > links.pairs[:, 1]
    square = np.concatenate([links.poses, np.tile(np.array([[[0, 0, 1]]], np.float32), (len(turned), 1, 1))], axis=1)
    back = np.linalg.inv(square)[:, :2] if len(square) else links.poses
    poses = np.where(turned[:, None, None], back, links.poses).astype(np.float32)
    return Links(np.sort(links.pairs, axis=1), links.chance, links.agreement, poses)
