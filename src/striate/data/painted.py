"""Outlines become pixels: a pixel belongs to a polygon when its centre lies inside.

Exact where corners are: no line is drawn, no corner rounded. A centre on an edge belongs to the area to its right or
below, so that areas which share an edge share no pixel and leave none out.
"""

import numpy as np

from striate.data.sample import Runs


def painted(pieces: tuple[np.ndarray | Runs, ...], height: int, width: int) -> np.ndarray:
    """Which pixels (H, W) bool lie in at least one of the pieces: rings (N, 2) of corners x, y, or runs."""
    inside = np.zeros((height, width), bool)
    for piece in pieces:
        if isinstance(piece, Runs):
            values = np.arange(len(piece.counts)) % 2 == 1
            inside |= np.repeat(values, piece.counts).reshape(piece.width, piece.height).T
        else:
            inside |= _inside(piece, height, width)
    return inside


def _inside(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Even-odd: a centre is inside when an odd number of edges lie to its left, or on it, in its row."""
    x0, y0 = np.asarray(corners, np.float64).T - 0.5  # in these coordinates centres are whole numbers
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    down = y1 > y0
    top, bottom = np.where(down, y0, y1), np.where(down, y1, y0)
    left, right = np.where(down, x0, x1), np.where(down, x1, x0)  # at the top and at the bottom
    first = np.clip(np.ceil(top), 0, height).astype(np.int64)
    last = np.clip(np.ceil(bottom), 0, height).astype(np.int64)  # half-open: a corner is counted once
    counts = last - first
    edges = np.repeat(np.arange(len(first)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    slope = (right - left)[edges] / (bottom - top)[edges]
    columns = np.clip(np.ceil(left[edges] + (rows - top[edges]) * slope), 0, width).astype(np.int64)
    crossed = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1))
    return np.cumsum(crossed.reshape(height, width + 1)[:, :width], axis=1) % 2 == 1


def runs_of(inside: np.ndarray) -> Runs:
    """The runs of an area (H, W) bool."""
    column = np.concatenate([[False], inside.T.ravel(), [True]])
    ends = np.flatnonzero(np.diff(column.astype(np.int8)))
    height, width = inside.shape
    # A last area that reaches the end, or none: the mark at the end closes it.
    counts = np.diff(np.concatenate([[0], ends, [inside.size]]))
    return Runs(height=height, width=width, counts=counts[:-1] if counts[-1] == 0 else counts)


def unpacked(text: str, height: int, width: int) -> Runs:
    """The runs of COCO's letters; ValueError where they do not describe an area of this size."""
    counts: list[int] = []
    value = place = 0
    for letter in text.encode("ascii"):
        bits = letter - 48
        if not 0 <= bits < 64 or place > 35:
            raise ValueError("runs are written in 64 letters")
        value |= (bits & 31) << place
        place += 5
        if not bits & 32:
            value -= (1 << place) if bits & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = place = 0
    if place:
        raise ValueError("the last run is cut short")
    return checked_runs(counts, height, width)


def checked_runs(counts: list[int], height: int, width: int) -> Runs:
    """Runs whose counts are whole numbers of 0 or more that fill the picture; else ValueError."""
    whole = np.asarray(counts)
    if whole.ndim != 1 or whole.dtype.kind not in "iu" or whole.min(initial=0) < 0 or whole.sum() != height * width:
        raise ValueError(f"runs fill a picture of {width} × {height} pixels")
    return Runs(height=height, width=width, counts=whole.astype(np.int64))
