"""Lines and volumes as the flat pictures that the page draws: a line is one row, frames lie one below the other."""

import math
from collections.abc import Mapping

import numpy as np

from striate.inside.trace import Explanation, Trace

Shape = tuple[int, ...]  # (channels, *grid)


def as_maps(values: np.ndarray) -> np.ndarray:
    """(C, H, W) of a layer's values: (C, *grid), or (n,) as maps of one cell."""
    return values.reshape(len(values), *_sides(values.shape[1:]))


def as_plane(values: np.ndarray) -> np.ndarray:
    """(H, W) of values (*grid)."""
    return values.reshape(_sides(values.shape))


def as_filters(values: np.ndarray | None) -> np.ndarray | None:
    """(out, in, kh, kw) float32 of a convolution's filters; None for any other layer."""
    if values is None or np.ndim(values) < 3:
        return None
    return np.asarray(values, np.float32).reshape(*values.shape[:2], *_sides(values.shape[2:]))


def place_of(y: int, x: int, shape: Shape) -> tuple[int, ...]:
    """The place in a grid that is meant by row and column of its flat picture."""
    match len(shape):
        case 1:
            return ()
        case 2:
            return (x,)
        case 4:
            return (*divmod(y, shape[2]), x)
    return y, x


def box_of(box: tuple[int, ...], shape: Shape) -> list[int]:
    """(y0, y1, x0, x1) on the flat picture of a half-open box in a grid; of several frames from first to last."""
    match len(box):
        case 0:
            return [0, 1, 0, 1]
        case 2:
            return [0, 1, *box]
        case 6:
            d0, d1, y0, y1, *sides = box
            return [d0 * shape[2] + y0, (d1 - 1) * shape[2] + y1, *sides]
    return list(box)


def named(seen: Trace) -> dict[int, tuple[str, Shape]]:
    """Name and shape of every layer, and of the picture as -1."""
    known = {-1: ("picture", tuple(seen.recording.picture.shape))}
    return known | {layer.index: (layer.name, layer.output_shape) for layer in seen.layers}


def plain_step(step: Explanation, known: Mapping[int, tuple[str, Shape]]) -> dict:
    """How a number came about, for JSON. Of a volume a term's origin is that of its middle frame on the flat picture,
    `frames` says how many its patch has, `place` and `gaps` where its first cell and the next ones are in the volume.
    known: name and shape of every source."""
    plain = step.as_dict()
    for term, told in zip(step.terms, plain["terms"], strict=True):
        if len(term.origin) == 3:
            frames = 1 if term.patch is None else len(term.patch)
            frame = term.origin[0] + term.step[0] * (frames // 2)
            row = frame * known[term.source][1][2] + term.origin[1]
            flat = {"origin": [row, term.origin[2]], "step": list(term.step[1:]), "frames": frames}
            told |= flat | {"place": list(term.origin), "gaps": list(term.step)}
    return plain


def _sides(grid: tuple[int, ...]) -> tuple[int, int]:
    return (math.prod(grid[:-1]), grid[-1]) if grid else (1, 1)
