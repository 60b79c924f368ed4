"""Layers as the flat pictures that the page draws: a line is one row, frames lie one below the other."""

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image

from striate.inside.capture import PICTURE
from striate.inside.trace import Explanation, Trace

Shape = tuple[int, ...]  # (channels, *grid)
SIDE = 32  # pixels of a thumbnail


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


def filters_at(seen: Trace, layer: int | str) -> np.ndarray | None:
    """The same of a layer, also of a dense one on the flattened picture, whose filters are as large as that."""
    templates = seen.templates(layer)
    return as_filters(seen.kernels(layer) if templates is None else templates)


def filters_of(seen: Trace, form: str) -> list[dict]:
    """Which layers have filters, for JSON. fixed: the training leaves them as they are; colour: they weigh the red,
    green and blue of a picture. form: that of what the network is given."""
    outside = {PICTURE} | {layer.index for layer in seen.layers if layer.kind == "pad" and PICTURE in layer.inputs}
    kept = {name for name, weight in seen.network.named_parameters() if not weight.requires_grad}
    told = []
    for layer in seen.layers:
        if (values := filters_at(seen, layer.index)) is not None:
            is_fixed = f"{layer.name}.weight" in kept
            sees = not outside.isdisjoint(layer.inputs) or seen.templates(layer.index) is not None
            is_colour = form == "picture" and values.shape[1] == 3 and sees
            facts = {"groups": layer.facts.get("groups", 1), "fixed": is_fixed, "module": layer.module}
            told.append({"index": layer.index, "name": layer.name, "shape": values.shape, "colour": is_colour, **facts})
    return told


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


def _bars(shares: np.ndarray, signed: bool) -> np.ndarray:
    """(32, 32) of -1, 0 and 1: a column per number, or per some neighbours the strongest one; upwards is positive."""
    groups = np.array_split(shares, min(SIDE, len(shares)))
    strongest = np.array([group[np.abs(group).argmax()] for group in groups])
    columns = strongest[np.arange(SIDE) * len(groups) // SIDE]
    ground = SIDE // 2 if signed else SIDE
    height = np.rint(columns * ground)
    rows = ground - 1 - np.arange(SIDE)[:, None]  # 0 is the first row above the ground
    return np.where((rows >= 0) & (rows < height), 1.0, np.where((rows < 0) & (rows >= height), -1.0, 0.0))
