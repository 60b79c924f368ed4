"""The second look: pictures whose statistics agree, laid over each other by any turn, mirroring, shift and stretch.

Light, colour, and how much fine and coarse structure a picture has stay as they are when it is turned or moved, so
their quantiles find what a copy was made of even where much was cut off. All turns and shifts are tried at once by
correlation (with the fast Fourier transform), and the best are refined (register.py). What "too alike" means is read
off pairs of the set that are alike, but not the same: the tail of how well such pictures can be laid over each other
(Hill, Annals of Statistics 3, 1975), carried on to where fewer than CHANCE such pairs are expected among all tried.
"""

import functools

import numpy as np

from striate.check import register
from striate.check.nearest import nearest, over_blocks
from striate.check.signature import blur, contrast, filled, unit

NEIGHBOURS = 8  # candidates of every picture
MOST_PAIRS = 20_000  # that are laid over each other: those whose statistics agree best
CHANCE = 1e-6  # pairs that chance may make in a whole set; the tail is carried on far, so this is strict
_AXES = 24  # principal components of the statistics
_RANDOM, _LOCAL, _TAIL = 1200, 150, 0.2  # unrelated pairs; how many tell of one; the share of these that is their tail
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
    agreement, poses = _laid(looks, pairs)
    others = _distance(_laid(looks, unrelated)[0])
    ends = (_chance(_distance(agreement), described[rows], described[unrelated[:, 0]], others) for rows in pairs.T)
    made = np.maximum(*ends)
    kept = made < np.log10(CHANCE)
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
    """(N, axes) unit vectors of the strongest principal components, each of equal weight."""
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6)
    strengths, axes = np.linalg.eigh(values.T @ values / len(values))
    strengths, axes = strengths[::-1][:_AXES], axes[:, ::-1][:, :_AXES]
    return unit(values @ (axes / np.sqrt(np.maximum(strengths, 0) + 1e-3 * strengths[0] + 1e-9)))


def _candidates(described: np.ndarray) -> np.ndarray:
    """(P, 2), the lesser first: the nearest neighbours of every row, at most MOST_PAIRS."""
    count, (near, close) = len(described), nearest(described, NEIGHBOURS)
    pairs = np.sort(np.stack([np.repeat(np.arange(count), near.shape[1]), near.ravel()], axis=1), axis=1)
    _, once = np.unique(pairs[:, 0] * count + pairs[:, 1], return_index=True)
    strongest = once[np.argsort(-close.ravel()[once], kind="stable")[:MOST_PAIRS]]
    return pairs[strongest]


def _unrelated(described: np.ndarray) -> np.ndarray:
    """(_RANDOM, 2): pictures with ones of like statistics, but not so like that many are the same: stripes are held
    against stripes, which can always be laid over each other somehow."""
    random, count = np.random.default_rng(0), len(described)
    rows = random.integers(0, count, _RANDOM)
    first = max(min(30, count // 4), count // 16)
    ranks = random.integers(first, first + max(10, count // 16), _RANDOM)
    alike = described[rows] @ described.T
    alike[np.arange(_RANDOM), rows] = 2  # itself comes first
    return np.stack([rows, np.argsort(-alike, axis=1, kind="stable")[np.arange(_RANDOM), ranks]], axis=1)


def _laid(looks: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (P,) and poses (P, 2, 3) of pairs (P, 2) laid over each other at their best."""
    order = np.argsort(pairs[:, 1], kind="stable")  # so that turns of one picture serve all its pairs

    def of(block: slice) -> tuple[np.ndarray, np.ndarray]:
        rows, places = np.unique(pairs[order[block]], return_inverse=True)
        seen = contrast(looks[rows])
        halved = np.nan_to_num(seen).reshape(len(seen), seen.shape[1] // 2, 2, seen.shape[2] // 2, 2).mean(axis=(2, 4))
        first, second = places.reshape(-1, 2).T
        agreement, poses = np.full(len(first), -1, np.float32), np.zeros((len(first), 2, 3), np.float32)
        for tried in _turned_and_shifted(halved, first, second):
            coarse = register.align(halved[first], halved[second], tried, 6)
            fine = register.align(seen[first], seen[second], coarse, 4)
            fits = register.agreement(seen[first], seen[second], fine)
            better = fits > agreement
            agreement[better], poses[better] = fits[better], fine[better]
        return agreement, poses

    found = [np.concatenate(each) for each in zip(*over_blocks(len(pairs), _PAIRS, of), strict=True)]
    back = np.argsort(order, kind="stable")
    return found[0][back], found[1][back]


@functools.cache
def _turns() -> np.ndarray:
    """(2 * angles, 2, 3) poses, mirrored ones last."""
    angles = np.tile(2 * np.pi * np.arange(_ANGLES) / _ANGLES, 2)
    return register.first_poses(angles, np.arange(2 * _ANGLES) >= _ANGLES)


def _turned_and_shifted(halved: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(2, P, 2, 3): the two best poses of the second pictures under the first, not beside each other."""
    side, turns, known = halved.shape[1], _turns(), -1
    shifts, size = np.r_[0 : _REACH + 1, -_REACH:0], (2 * side, 2 * side)
    poses = np.repeat(turns[None, :1], 2, axis=0).repeat(len(first), axis=1)
    for number, (row, spectrum) in enumerate(zip(second, np.fft.rfft2(halved[first], s=size), strict=True)):
        if row != known:
            turned, inside = register.laid(np.broadcast_to(halved[row], (len(turns), side, side)), turns)
            turned = (turned * inside).reshape(-1, side, side)
            norms = np.sqrt((turned**2).sum(axis=(1, 2), keepdims=True)) + 1e-6
            conjugate, known = np.conj(np.fft.rfft2(turned, s=size)) / norms, row
        match = np.fft.irfft2(spectrum * conjugate, s=size)[:, shifts[:, None], shifts]
        strongest = match.max(axis=(1, 2))
        for rank in range(2):
            mirrored, angle = divmod(int(strongest.argmax()), _ANGLES)
            pose = turns[mirrored * _ANGLES + angle].copy()
            down, across = divmod(int(match[mirrored * _ANGLES + angle].argmax()), len(shifts))
            pose[:, 2] = -pose[:, :2] @ (shifts[[across, down]] * 2 / side)
            poses[rank, number] = pose
            strongest[[mirrored * _ANGLES + (angle + beside) % _ANGLES for beside in (-1, 0, 1)]] = -np.inf
    return poses
