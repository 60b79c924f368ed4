"""Small maps for the strip that shows the whole network."""

import numpy as np
from PIL import Image

SIDE = 32  # pixels


def thumbnail(maps: np.ndarray) -> tuple[np.ndarray, int, bool]:
    """Of a layer's maps (C, *grid) or vector (n,): (32, 32) uint8, the channel shown, and whether values have a sign.

    The channel of the largest mean absolute value is shown; a vector as bars. Without a sign 0 stands for zero and
    255 for the maximum; with one 128 stands for zero, and 1 and 255 are as far from it as any value.
    """
    maps = maps[:, maps.shape[1] // 2] if maps.ndim == 4 else maps  # of a volume its middle frame
    values = np.nan_to_num(maps.astype(np.float32), posinf=0.0, neginf=0.0)
    strength = np.abs(values).reshape(len(values), -1).mean(axis=1)
    channel = int(strength.argmax())
    shown = values if values.ndim == 1 else values[channel].reshape(-1, values.shape[-1])
    signed = bool(shown.min() < 0)
    zero, step = (128, 127) if signed else (0, 255)
    share = shown / max(float(np.abs(shown).max()), 1e-30)
    if values.ndim == 1:
        share = _bars(share, signed)
    else:
        share = np.asarray(Image.fromarray(share).resize((SIDE, SIDE), Image.Resampling.BOX))
    return np.rint(zero + step * share).astype(np.uint8), channel, signed


def _bars(shares: np.ndarray, signed: bool) -> np.ndarray:
    """(32, 32) of -1, 0 and 1: a column per number, or per some neighbours the strongest one; upwards is positive."""
    groups = np.array_split(shares, min(SIDE, len(shares)))
    strongest = np.array([group[np.abs(group).argmax()] for group in groups])
    columns = strongest[np.arange(SIDE) * len(groups) // SIDE]
    ground = SIDE // 2 if signed else SIDE
    height = np.rint(columns * ground)
    rows = ground - 1 - np.arange(SIDE)[:, None]  # 0 is the first row above the ground
    return np.where((rows >= 0) & (rows < height), 1.0, np.where((rows < 0) & (rows >= height), -1.0, 0.0))
