"""The same drawn pictures for every contender; NumPy alone."""

import numpy as np


def pictures(count: int, side: int, channels: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(count, side, side, channels) uint8 and (count,) class numbers: stripes of one direction per class, in noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    angles = np.pi * labels / classes
    along = x[None] * np.cos(angles)[:, None, None] + y[None] * np.sin(angles)[:, None, None]
    waves = 0.5 + 0.25 * np.sin(25 * along + random.uniform(0, 6, count)[:, None, None])
    noise = random.normal(0, 0.15, (count, side, side, channels)).astype(np.float32)
    values = 255 * np.clip(waves[..., None].astype(np.float32) + noise, 0, 1)
    return values.astype(np.uint8), labels.astype(np.int64)
