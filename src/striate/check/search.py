"""Links between pictures of a set that show the same: candidates, and the two looks that decide (see alike.py)."""

from dataclasses import dataclass

import numpy as np

from striate.check import chance, register
from striate.check.nearest import nearest, over_blocks
from striate.check.overlay import overlaid
from striate.check.signature import Whitening, contrast, lengths, likeness, rings, unturned

NEIGHBOURS = 24  # candidates of every picture
CHANCE = 1e-4  # pairs that the first look may find by chance in a whole set
LEAST_AGREEMENT = 0.8  # correlation of two pictures laid over each other
HOW = ("the same", "resized or shifted", "turned", "mirrored")
_SAMPLE, _OF_SAMPLE = 4096, 4  # pictures that the first look is held against; how many of them become candidates
_ROWS, _PAIRS = 128, 256  # of one block


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
    near = nearest(unturned(rings(looks, lengths(shapes))), NEIGHBOURS)[0]
    first = _first_look(looks, tints, near, Whitening(looks, tints))
    second = _settled(Links(*overlaid(looks, tints)))
    both = Links(*(np.concatenate(parts) for parts in zip(*map(_fields, (first, second)), strict=True)))
    both = both[np.argsort(both.chance, kind="stable")]
    _, once = np.unique(both.pairs[:, 0] * len(looks) + both.pairs[:, 1], return_index=True)
    return both[np.sort(once)]


def _fields(links: Links) -> tuple[np.ndarray, ...]:
    return links.pairs, links.chance, links.agreement, links.poses


def _first_look(looks: np.ndarray, tints: np.ndarray, near: np.ndarray, whitening: Whitening) -> Links:
    """Whitened pictures in the eight positions of a square."""
    count, sample = len(looks), min(len(looks), _SAMPLE)
    upright = over_blocks(count, _ROWS, lambda block: next(whitening.features(looks[block], tints[block])))
    upright = np.concatenate(list(upright))

    def compared(block: slice) -> tuple[np.ndarray, ...]:
        seen = np.stack(list(whitening.features(looks[block], tints[block])), axis=1)
        held = likeness(seen[:, 0], upright[:sample], whitening.light)
        for number in range(1, 8):
            np.maximum(held, likeness(seen[:, number], upright[:sample], whitening.light), out=held)
        own = np.arange(count)[block]
        held[own < sample, own[own < sample]] = 0
        nearest = np.argpartition(-held, chance.COLUMNS - 1, axis=1)[:, : chance.COLUMNS]
        nearest = np.take_along_axis(nearest, np.argsort(-np.take_along_axis(held, nearest, 1), kind="stable"), 1)
        least = 1 - np.take_along_axis(held, nearest, 1) ** 2
        candidates = np.concatenate([near[block], nearest[:, :_OF_SAMPLE].astype(np.int32)], axis=1)
        alike = likeness(seen, upright[candidates], whitening.light)
        return least, candidates, alike.max(axis=1), alike.argmax(axis=1).astype(np.uint8)

    made = zip(*over_blocks(count, _ROWS, compared), strict=True)
    least, near, best, view = (np.concatenate(each) for each in made)
    odds = chance.measured(least, sample - (sample == count), count)
    pairs = np.stack([np.repeat(np.arange(count), near.shape[1]), near.ravel()], axis=1)
    distance = 1 - best.ravel() ** 2
    made = np.maximum(odds.of(pairs[:, 0], distance), odds.of(pairs[:, 1], distance))
    kept = np.flatnonzero((made < np.log10(CHANCE)) & (pairs[:, 0] != pairs[:, 1]))
    mirrored, quarters = np.divmod(view.ravel()[kept].astype(int), 4)
    poses = register.first_poses(np.pi * mirrored - np.pi / 2 * quarters, mirrored > 0)
    links = _laid_over(looks, pairs[kept], poses[None])
    return _settled(Links(links.pairs, made[kept], links.agreement, links.poses))


def _settled(links: Links) -> Links:
    """Those that agree, each pair with the lesser row first."""
    links = links[links.agreement > LEAST_AGREEMENT]
    turned = links.pairs[:, 0] > links.pairs[:, 1]
    square = np.concatenate([links.poses, np.tile(np.array([[[0, 0, 1]]], np.float32), (len(turned), 1, 1))], axis=1)
    back = np.linalg.inv(square)[:, :2] if len(square) else links.poses
    poses = np.where(turned[:, None, None], back, links.poses).astype(np.float32)
    return Links(np.sort(links.pairs, axis=1), links.chance, links.agreement, poses)


def _laid_over(looks: np.ndarray, pairs: np.ndarray, tried: np.ndarray) -> Links:
    """Pairs (P, 2) registered from the best of the poses `tried` (n, P, 2, 3)."""

    def of(block: slice) -> tuple[np.ndarray, np.ndarray]:
        some, poses = looks[pairs[block]], [pose[block] for pose in tried]
        halved = some.reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4), dtype=np.float32)
        still, moving = _both(contrast(halved, 1.3, 5.0))
        signs = [np.where(register.agreement(still, moving, pose) < 0, -1, 1) for pose in poses]  # negatives
        signs = np.array(signs, np.float32)[:, :, None, None]
        coarse = [register.align(still, moving * sign, pose, 6) for sign, pose in zip(signs, poses, strict=True)]
        fits = [register.agreement(still, moving * sign, pose) for sign, pose in zip(signs, coarse, strict=True)]
        best = np.argmax(fits, axis=0), np.arange(len(still))
        still, moving = _both(contrast(some.reshape(-1, *looks.shape[1:])))
        laid = register.align(still, moving * signs[best], np.stack(coarse)[best], 4)
        return register.agreement(still, moving * signs[best], laid), laid

    if not len(pairs):
        return Links(pairs, np.zeros(0), np.zeros(0, np.float32), np.zeros((0, 2, 3), np.float32))
    found = zip(*over_blocks(len(pairs), _PAIRS, of), strict=True)
    return Links(pairs, np.zeros(len(pairs)), *(np.concatenate(each) for each in found))


def _both(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Firsts and seconds of the pairs."""
    first, second = maps.reshape(-1, 2, *maps.shape[1:]).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(first), np.ascontiguousarray(second)
