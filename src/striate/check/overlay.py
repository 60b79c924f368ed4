"""The second look: pictures whose statistics agree, laid over each other by any turn, mirroring, shift and stretch.

Light, colour, and how much fine and coarse structure a picture has stay as they are when it is turned or moved, so
their quantiles find what a copy was made of even where much was cut off. All turns and shifts are tried at once by
correlation, and the best are refined (register.py). What "too alike" means is read
off pairs of the set that are alike, but not the same: the tail of how well such pictures can be laid over each other
(Hill, Annals of Statistics 3, 1975), carried on to where fewer than CHANCE such pairs are expected among all tried,
and far fewer where the fit is poor.
"""

import functools

import numpy as np

from striate.check import register
from striate.check.nearest import nearest, over_blocks
from striate.check.signature import blur, contrast, filled, unit, whitened

NEIGHBOURS = 8  # candidates of every picture
MOST_PAIRS = 20_000  # that are laid over each other: those whose statistics agree best
CHANCE = 1e-5  # pairs that chance may make in a whole set, if they fit perfectly
STRICTER = 15.0  # powers of ten for a correlation of 0 instead of 1: stripes fit other stripes by 0.9, copies by 0.99
SAME_HUES, GREY = 0.8, 20.0  # least correlation of hues laid over each other; strength below which they say nothing
PROMISING = 0.45  # correlation at half the size; of 3,079 pairs found in drawn and real sets 5 lay below it
_AXES = 24  # principal components of the statistics
_RANDOM, _LOCAL, _TAIL = 3600, 450, 0.2  # unrelated pairs; how many tell of one; the share of these that is their tail
_FALL = 20.0  # the steepest believed
_QUANTILES = np.array([0.04, 0.1, 0.25, 0.5, 0.75, 0.9, 0.96])
_ANGLES, _REACH = 24, 6  # turns, each with and without mirroring, and shifts in pixels of a halved picture
_ROWS, _PAIRS = 512, 256  # of one block


def overlaid(looks: np.ndarray, tints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (P, 2) that are the same picture; log10 of how many such pairs chance makes; correlations; poses (P, 2, 3).

    looks (N, S, S) and tints (N, T, T, 3) of the pictures' facts.
    """
    known = over_blocks(len(looks), _ROWS, lambda block: _statistics(looks[block], tints[block], filled(looks[block])))
    described = _whitened(np.concatenate(list(known)))
    pairs, unrelated = _candidates(described), _unrelated(described)
    agreement, poses = _laid(looks, pairs, PROMISING)
    different, which = np.unique(unrelated, axis=0, return_inverse=True)  # of few pictures most were drawn twice
    others = _distance(_laid(looks, different)[0])[which.ravel()]
    ends = (_chance(_distance(agreement), described[rows], described[unrelated[:, 0]], others) for rows in pairs.T)
    made = np.maximum(*ends)
    kept = np.flatnonzero(made < np.log10(CHANCE) - STRICTER * (1 - agreement))
    kept = kept[_of_like_hues(tints, pairs[kept], poses[kept])]
    return pairs[kept], made[kept], agreement[kept], poses[kept]


def _distance(agreement: np.ndarray) -> np.ndarray:
    return 1 - np.clip(agreement, 0, 1) ** 2


def _chance(distances: np.ndarray, mine: np.ndarray, described: np.ndarray, others: np.ndarray) -> np.ndarray:
    """log10 of how many unrelated pairs are as close, among as many as there are distances (P,).

    others: (M,) distances of unrelated pairs, whose first pictures are `described` (M, d). Every pair is held against
    those of the _LOCAL pictures that are most like its own, `mine` (P, d); the closest of a tail may be relatives.
    """
    made = np.empty(len(distances))
    for start in range(0, len(distances), _ROWS):
        some = slice(start, start + _ROWS)
        near = np.argpartition(-(mine[some] @ described.T), _LOCAL - 1, axis=1)[:, :_LOCAL]
        unrelated = np.maximum(np.sort(others[near], axis=1), 1e-6)
        last = int(_TAIL * _LOCAL)
        edge, tail = unrelated[:, last], unrelated[:, last // 5 : last]
        fall = np.minimum(1 / np.maximum(np.log(edge[:, None] / tail).mean(axis=1), 1e-6), _FALL)
        made[some] = fall * np.log10(np.maximum(distances[some], 1e-6) / edge)
    return np.log10(_TAIL * len(distances)) + made


def _statistics(looks: np.ndarray, tints: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(N, d): quantiles of light, edges, spots and colours, what is hidden left out."""
    side, values = looks.shape[1], looks.astype(np.float32)
    maps = [values]
    for sigma in (0.7, 1.5, 3.0):
        narrow, wide = blur(side, sigma), blur(side, 1.6 * sigma)
        smooth = narrow @ values @ narrow.T
        maps += [np.hypot(*np.gradient(smooth, axis=(1, 2))), smooth - wide @ smooth @ wide.T]
    red, green, blue = tints.reshape(len(tints), -1, 3).astype(np.float32).transpose(2, 0, 1)
    light = (red + green + blue) / 3
    extreme = (light < 25) | (light > 250)
    planes = [_quantiles(plane.reshape(len(plane), -1), hidden.reshape(len(hidden), -1)) for plane in maps]
    planes += [_quantiles(plane, extreme) for plane in (light, red - green, (red + green) / 2 - blue)]
    return np.concatenate(planes, axis=1)


def _quantiles(values: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """(N, 7) of the values (N, n) that are not hidden; of all, where hardly any is seen."""
    hidden = hidden & (hidden.mean(axis=1, keepdims=True) < 0.9)
    ordered = np.sort(np.where(hidden, np.inf, values), axis=1)
    places = np.rint(_QUANTILES * ((~hidden).sum(axis=1, keepdims=True) - 1)).astype(np.int64)
    return np.take_along_axis(ordered, places, axis=1)


def _whitened(values: np.ndarray) -> np.ndarray:
    """(N, _AXES) unit vectors of statistics (N, d), whatever their units."""
    return whitened((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6), _AXES)


def _candidates(described: np.ndarray) -> np.ndarray:
    """(P, 2), the lesser first: the nearest neighbours of every row, at most MOST_PAIRS."""
    count, (near, close) = len(described), nearest(described, NEIGHBOURS)
    pairs = np.sort(np.stack([np.repeat(np.arange(count), near.shape[1]), near.ravel()], axis=1), axis=1)
    _, once = np.unique(pairs[:, 0] * count + pairs[:, 1], return_index=True)
    strongest = once[np.argsort(-close.ravel()[once], kind="stable")[:MOST_PAIRS]]
    return pairs[strongest]


def _unrelated(described: np.ndarray) -> np.ndarray:
    """(_RANDOM, 2): pictures, each about as often, with ones of like statistics, not so like that many are the same:
    stripes are held against stripes, which can always be laid over each other somehow."""
    random, count = np.random.default_rng(0), len(described)
    rows = np.resize(random.permutation(count), _RANDOM)
    first = max(min(30, count // 4), count // 16)
    ranks = random.integers(first, first + max(10, count // 16), _RANDOM)

    def of(block: slice) -> list[int]:
        apart = -(described[rows[block]] @ described.T)
        apart[np.arange(len(apart)), rows[block]] = -2  # itself comes first
        return [np.argpartition(one, rank)[rank] for one, rank in zip(apart, ranks[block], strict=True)]

    return np.stack([rows, np.concatenate(list(over_blocks(_RANDOM, _PAIRS, of)))], axis=1)


def _laid(looks: np.ndarray, pairs: np.ndarray, promising: float = -1) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (P,) and poses (P, 2, 3) of pairs (P, 2) laid over each other at their best; -1 for those that agree
    less than `promising` at half their size."""
    rows, places = np.unique(pairs, return_inverse=True)
    seen = np.concatenate(list(over_blocks(len(rows), _ROWS, lambda block: contrast(looks[rows[block]]))))
    halved = np.nan_to_num(seen).reshape(len(seen), seen.shape[1] // 2, 2, seen.shape[2] // 2, 2).mean(axis=(2, 4))
    places = places.reshape(-1, 2)
    order = np.argsort(places[:, 1], kind="stable")  # so that turns of one picture serve all its pairs

    def of(block: slice) -> tuple[np.ndarray, np.ndarray]:
        first, second = places[order[block]].T
        tried = _turned_and_shifted(halved, first, second)
        coarse = [register.align(halved[first], halved[second], poses, 6) for poses in tried]
        fits = [register.agreement(halved[first], halved[second], poses) for poses in coarse]
        poses, agreement = np.where((fits[1] > fits[0])[:, None, None], *coarse[::-1]), np.maximum(*fits)
        some = np.flatnonzero(agreement > promising)
        first, second = first[some], second[some]
        poses[some] = register.align(seen[first], seen[second], poses[some], 4)
        agreement[:] = -1
        agreement[some] = register.agreement(seen[first], seen[second], poses[some])
        return agreement, poses

    found = [np.concatenate(each) for each in zip(*over_blocks(len(pairs), _PAIRS, of), strict=True)]
    back = np.argsort(order, kind="stable")
    return found[0][back], found[1][back]


def _of_like_hues(tints: np.ndarray, pairs: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """(P,) bool: whether hues are the same where a pair's pictures lie over each other, or all turned alike, which
    recolouring does; charts and tiles of one layout are not the same picture. True where one of them is about grey."""
    hues = tints.astype(np.float32) @ np.exp(2j * np.pi * np.arange(3) / 3).astype(np.complex64)
    (real, seen), (imaginary, _) = (register.laid(part[pairs[:, 1]], poses) for part in (hues.real, hues.imag))
    sides = hues[pairs[:, 0]].reshape(seen.shape) * seen, real + 1j * imaginary
    strengths = np.array([np.sqrt((np.abs(side) ** 2).sum(axis=1)) for side in sides])
    held = np.abs((sides[0] * sides[1].conj()).sum(axis=1))
    return (strengths.min(axis=0) < GREY * np.sqrt(seen.sum(axis=1))) | (held > SAME_HUES * strengths.prod(axis=0))


@functools.cache
def _turns(side: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2, 3) poses, mirrored ones last; and what turns a map into all its turns: (S * S, T * S * S)."""
    angles = np.tile(2 * np.pi * np.arange(_ANGLES) / _ANGLES, 2)
    poses = register.first_poses(angles, np.arange(2 * _ANGLES) >= _ANGLES)
    points = np.eye(side**2, dtype=np.float32).reshape(-1, side, side)
    return poses, np.concatenate([register.laid(points, np.broadcast_to(one, (side**2, 2, 3)))[0] for one in poses], 1)


def _turned_and_shifted(halved: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(2, P, 2, 3): the two best poses of the second pictures under the first, not beside each other."""
    side = halved.shape[1]
    turns, turning = _turns(side)
    poses = np.repeat(turns[None, :1], 2, axis=0).repeat(len(first), axis=1)
    padded = np.pad(halved, ((0, 0), (_REACH, _REACH), (_REACH, _REACH)))
    shifted = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    rows, places = np.unique(second, return_inverse=True)
    turned = (halved[rows].reshape(len(rows), -1) @ turning).reshape(len(rows), len(turns), -1)
    turned = unit(turned).transpose(0, 2, 1)
    for number, (one, place) in enumerate(zip(first, places, strict=True)):
        match = shifted[one].reshape(-1, side * side) @ turned[place]
        strongest = match.max(axis=0)
        for rank in range(2):
            best = int(strongest.argmax())
            mirrored, angle = divmod(best, _ANGLES)
            pose, shift = turns[best].copy(), np.divmod(match[:, best].argmax(), 2 * _REACH + 1)
            pose[:, 2] = -pose[:, :2] @ ((np.array(shift[::-1]) - _REACH) * 2 / side)
            poses[rank, number] = pose
            strongest[[mirrored * _ANGLES + (angle + beside) % _ANGLES for beside in (-1, 0, 1)]] = -np.inf
    return poses
