"""Laying one picture over another: the affine change that makes two contrasts agree, and how well they then do.

Poses are (P, 2, 3): where the points (x, y, 1) of the first picture lie on the second, both running from -1 to 1.
The pose is improved by the inverse compositional Gauss-Newton method (Baker and Matthews, International Journal of
Computer Vision 56, 2004), for many pairs at once.
"""

import functools

import numpy as np

LEAST_OVERLAP, MOST_SCALE = 0.5, 2.0  # share of the first picture; of areas


def first_poses(angles: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Rows reversed where `mirrored`, then turned by `angles` (radians)."""
    poses, sign = np.zeros((len(angles), 2, 3), np.float32), np.where(mirrored, -1, 1)
    poses[:, 0, 0], poses[:, 0, 1] = np.cos(angles), -np.sin(angles) * sign
    poses[:, 1, 0], poses[:, 1, 1] = np.sin(angles), np.cos(angles) * sign
    return poses


@functools.cache
def _points(side: int) -> np.ndarray:
    """(3, S * S): x, y and 1 of every pixel."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    y, x = (plane.ravel() for plane in np.meshgrid(axis, axis, indexing="ij"))
    return np.stack([x, y, np.ones_like(x)])


def laid(maps: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, S * S): the values of maps (P, S, S) where the poses put each pixel, between pixels linearly, and which of
    them are known: lie inside, and on no NaN. Others are 0."""
    count, side, _ = maps.shape
    spots = (poses @ _points(side) + 1) * np.float32(side / 2) - np.float32(0.5)
    inside = ((spots >= -0.5) & (spots <= side - 0.5)).all(axis=1)
    np.clip(spots, 0, side - np.float32(1.001), out=spots)
    corners = np.floor(spots)
    spots -= corners
    right, down = spots.transpose(1, 0, 2)
    across, at = corners.astype(np.intp).transpose(1, 0, 2)
    at = at * side + across + (np.arange(count) * side**2)[:, None]
    above, beside, below, last = (maps.ravel()[start:].take(at, mode="clip") for start in (0, 1, side, side + 1))
    above += right * (beside - above)
    below += right * (last - below)
    values = above + down * (below - above)
    inside &= ~np.isnan(values)
    return np.where(inside, values, 0), inside


def align(still: np.ndarray, moving: np.ndarray, poses: np.ndarray, steps: int) -> np.ndarray:
    """Better poses of `moving` (P, S, S) under `still`."""
    count, side, _ = still.shape
    x, y, _ = _points(side)
    slopes = np.nan_to_num(np.gradient(still, axis=(1, 2)))
    down, right = (slope.reshape(count, side**2) * np.float32(side / 2) for slope in slopes)
    still = still.reshape(count, side**2)
    change = np.stack([right * x, right * y, right, down * x, down * y, down], axis=1)
    squares = change @ change.transpose(0, 2, 1)
    ridge = np.trace(squares, axis1=1, axis2=2) * np.float32(1e-3) + np.float32(1e-6)
    inverse = np.linalg.inv(squares + ridge[:, None, None] * np.eye(6, dtype=np.float32))
    square = np.zeros((count, 3, 3), np.float32)
    square[:, 2, 2] = 1
    for _ in range(steps):
        values, inside = laid(moving, poses)
        error = np.where(inside, np.nan_to_num(values - still), 0)
        step = square.copy()
        step[:, :2] = (inverse @ (change @ error[:, :, None])).reshape(count, 2, 3)
        step[:, :2, :2] += np.eye(2, dtype=np.float32)
        step[:, :2, :2] = np.where(np.abs(np.linalg.det(step))[:, None, None] < 0.1, np.eye(2), step[:, :2, :2])
        square[:, :2] = poses
        poses = np.clip((square @ np.linalg.inv(step))[:, :2], -2, 2)
    return poses


def agreement(still: np.ndarray, moving: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """(P,) correlation where both are seen; -1 where that is too little, or the pose enlarges too much."""
    values, inside = laid(moving, poses)
    still = still.reshape(values.shape)
    inside &= ~np.isnan(still)
    correlation = _correlation(np.nan_to_num(still), values, inside)
    scale = np.abs(np.linalg.det(poses[:, :, :2]))
    fair = (inside.mean(axis=1) > LEAST_OVERLAP) & (scale < MOST_SCALE) & (scale > 1 / MOST_SCALE)
    return np.where(fair, correlation, -1)


def _correlation(first: np.ndarray, second: np.ndarray, seen: np.ndarray) -> np.ndarray:
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    first, second = ((values - (values * seen).sum(axis=1, keepdims=True) / count) * seen for values in (first, second))
    return (first * second).sum(axis=1) / np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1) + 1e-9)
