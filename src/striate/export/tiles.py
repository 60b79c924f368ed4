"""Large pictures in parts: overlapping tiles, each of which is seen as large as a whole picture would be."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from striate.data.guard import load_readable
from striate.data.load import Source, Want
from striate.data.prepare import Shape, fit
from striate.export.passes import Passes

OVERLAP = 0.25  # of a tile's side, at least
MUCH = 1.5  # times smaller than all that was learned from
Size = tuple[int, int]  # height, width
Tile = tuple[int, int, int, int]  # half-open y0, y1, x0, x1


def tiles_of(size: Size, tile: Size) -> list[Tile]:
    """The tiles of a picture of this (height, width), evenly spaced; a side that is not longer than a tile is whole."""
    along = [_along(side, part) for side, part in zip(size, tile, strict=True)]
    return [(y, min(y + tile[0], size[0]), x, min(x + tile[1], size[1])) for y in along[0] for x in along[1]]


def _along(side: int, part: int) -> list[int]:
    if side <= part:
        return [0]
    count = int(np.ceil((side - part) / (part * (1 - OVERLAP)))) + 1
    return np.rint(np.linspace(0, side - part, count)).astype(int).tolist()


def tile_for(size: Size, asked: Size | None, shape: Shape, scales: Sequence[float] | None) -> Size | None:
    """The size of the tiles to cut a picture of this (height, width) into, None to leave it whole.

    It is the size asked for; else, where the picture is far larger than those learned from, about their size. scales:
    the least and the median share of their size that these were brought to, where the training noted them.
    """
    if asked is None and scales and MUCH * min(shape.height / size[0], shape.width / size[1]) < scales[0]:
        asked = math.ceil(shape.height / scales[1]), math.ceil(shape.width / scales[1])
    return asked if asked and (size[0] > asked[0] or size[1] > asked[1]) else None


def answer_in_tiles(passes: Passes, answers: Callable[..., list], source: Source, tile: Size) -> object:
    """A model's answer to a large picture, put together from those to the tiles; answers: as `Model.answers`."""
    shape = passes.preparation.shape
    picture = load_readable(source, Want(pick=shape.pick), source).picture
    size = picture.shape[:2]
    places = tiles_of(size, tile)
    said: list[object] = []
    for first in range(0, len(places), passes.batch):
        parts = [picture[y0:y1, x0:x1] for y0, y1, x0, x1 in places[first : first + passes.batch]]
        pictures = np.stack([fit(part, shape) for part in parts])
        said += answers(pictures, np.array([part.shape[:2] for part in parts]))
    return passes.task.joined(said, places, size)
