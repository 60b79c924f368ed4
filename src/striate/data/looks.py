"""A small likeness of a picture, by which copies of it are found again (check/alike.py)."""

import functools

import numpy as np

SIDE = 32  # pixels
_SMALL = 64


def looks_of(pictures: np.ndarray) -> np.ndarray:
    """(N, SIDE, SIDE) uint8: what varies most in each picture (N, H, W, C), whatever stands beside it, stretched to its
    own range.

    The channels are weighted as in their first principal component, so that shapes which differ from their ground
    in colour alone are seen; its sign means nothing. Unlike the mean of squares, the weights (a triangle as wide as
    two pixels of the larger grid) keep a small picture and its enlargement alike.
    """
    means = _means(pictures)
    rows, columns = (_weights(side) for side in means.shape[2:])
    small = rows @ means @ columns.T
    flat = small.reshape(*small.shape[:2], -1)
    if flat.shape[1] > 1:
        flat = flat - flat.mean(axis=2, keepdims=True)
        axis = np.linalg.eigh(flat @ flat.transpose(0, 2, 1))[1][:, None, :, -1]
        flat = np.where(axis.sum(axis=2, keepdims=True) >= 0, axis, -axis) @ flat
    low, high = flat.min(axis=2, keepdims=True), flat.max(axis=2, keepdims=True)
    stretched = (flat - low) * (np.float32(255) / np.maximum(high - low, np.float32(1e-12))) + np.float32(0.5)
    return stretched.reshape(-1, SIDE, SIDE).astype(np.uint8)


def _means(pictures: np.ndarray) -> np.ndarray:
    """(N, C, h, w) float32, averaged over whole factors to sides of 64 to 127 pixels."""
    count, height, width, channels = pictures.shape
    tall, wide = max(1, height // _SMALL), max(1, width // _SMALL)
    rows = pictures[:, : height // tall * tall, : width // wide * wide]
    rows = rows.reshape(count, -1, tall, width // wide * wide * channels)
    means = np.add.reduce(rows, axis=2, dtype=np.float32) if tall > 1 else rows[:, :, 0].astype(np.float32)
    means = means.reshape(count, height // tall, width // wide, wide, channels)
    return np.ascontiguousarray((means.sum(axis=3) / np.float32(tall * wide)).transpose(0, 3, 1, 2))


@functools.lru_cache(maxsize=256)
def _weights(length: int) -> np.ndarray:
    """(SIDE, length): how much each of `length` pixels counts for each of SIDE; rows sum to 1."""
    centres = (np.arange(SIDE)[:, None] + 0.5) * length / SIDE - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(length) - centres) / max(1, length / SIDE))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
