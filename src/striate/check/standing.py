"""Where a class stands out from all others, pixel by pixel, and whether that looks like a mark near the border."""

import numpy as np

RINGS = np.minimum.outer(*[np.minimum(np.arange(8), np.arange(8)[::-1])] * 2)  # how far in a block lies
BESIDE = np.repeat(np.repeat(RINGS < 2, 4, axis=0), 4, axis=1)  # pixels of the thumb outside its middle quarter
_TOP = np.triu(BESIDE) & np.fliplr(np.triu(np.ones_like(BESIDE)))  # those of them nearest to the upper edge
TIMES, AROUND = 2.0, 2 / 3


def apart_of(values: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(classes, H, W) how far the mean of each lies from that of all others, in standard deviations: d'.

    values: (N, H, W) of pictures; labels: (N,) their classes; counts: (classes,) how many of each there are.
    """
    flat, member = values.reshape(len(values), -1), (labels == np.arange(len(counts))[:, None]).astype(float)
    own, count = np.stack([member @ flat, member @ flat**2]), counts[:, None]
    all_of = np.stack([flat.sum(axis=0), (flat**2).sum(axis=0)])[:, None]
    mean, square = own / np.maximum(count, 1)
    others, others_square = (all_of - own) / np.maximum(len(flat) - count, 1)
    variance = np.maximum((square - mean**2 + others_square - others**2) / 2, 0)
    return (np.abs(mean - others) / np.sqrt(variance + 1e-4)).reshape(len(counts), *values.shape[1:])


def standing_of(apart: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(P, C) whether a place outside the middle quarter stands out TIMES as much as any place in it.

    apart: (P, C, 32, 32); counts: (C,) pictures of every class. It must do so by 4 standard errors, for the many places
    looked at; whether it tells the class is the tree's to say. What stands out AROUND as much on all four sides, also
    within the outermost pixels, is the outline of what lies in the middle, or its ground.
    """
    least = 4 * np.sqrt(1 / np.maximum(counts, 1) + 1 / np.maximum(counts.sum() - counts, 1))
    beside, inside = (apart[..., where].max(axis=2) for where in (BESIDE, ~BESIDE))
    sides = [(np.rot90(apart, side, axes=(2, 3)) * _TOP)[..., 1:-1, 1:-1].max(axis=(2, 3)) for side in range(4)]
    return (beside >= least) & (beside >= TIMES * inside) & (np.min(sides, axis=0) < AROUND * beside)
