"""Which axes of the picture a layer's axes follow, be they renamed, merged or taken apart on the way.

Unlike what a number sees this outlasts whatever mixes all places and keeps their order: norms of a whole map, recurrent
layers, attention.
"""

import math
from collections.abc import Sequence

import numpy as np

from striate.inside.capture import PICTURE
from striate.inside.elementwise import NORMS
from striate.inside.field import Fields
from striate.inside.operations import MOVES, Source

# Per axis of a layer (size, axes of the picture): where its places lie on each of those, 0 to 1; channels have 0 only.
Homes = list[np.ndarray]

_KEPT = NORMS | {"softmax", "log-softmax"}  # read all of an axis, for each of its places


def on_picture(fields: Fields) -> list[bool]:
    """Of every layer whether it is (C, *grid) with each axis of the grid along its own axis of the picture."""
    sides = fields.value(PICTURE).shape
    known = {PICTURE: [np.outer(np.linspace(0, 1, n), np.arange(len(sides)) == axis) for axis, n in enumerate(sides)]}
    for layer in range(len(fields.recording.layers)):
        known[layer] = _homes(fields, layer, known)
    return [_fits(known[layer], len(sides)) for layer in range(len(fields.recording.layers))]


def _fits(homes: Homes, axes: int) -> bool:
    varies = [np.flatnonzero((home != home[:1]).any(0)).tolist() for home in homes]
    return len(homes) == axes and all(varies[axis] == [axis] or len(homes[axis]) == 1 for axis in range(1, axes))


def _homes(fields: Fields, layer: int, known: dict[int, Homes]) -> Homes:
    facts, shape = fields.recording.layers[layer], fields.value(layer).shape
    (is_known, inputs, reaches), kind = fields.inputs(layer), facts.kind
    nowhere = [np.zeros((size, fields.value(PICTURE).ndim)) for size in shape]
    if not is_known:  # each axis is the one that all inputs with as many axes agree on
        given = [known[index] for index in facts.inputs]
        found = [_through(homes, range(len(shape)), nowhere) for homes in given if len(homes) == len(shape)]
        agree = (all(np.array_equal(other[axis], found[0][axis]) for other in found) for axis in range(len(shape)))
        return [found[0][axis] if found and same else nowhere[axis] for axis, same in enumerate(agree)]
    if kind in {"identity", "reshape"}:
        return _read(known[inputs[0].layer], shape, nowhere)
    if kind in MOVES - {"cat"}:
        table, parts = fields.moved(layer)
        starts = np.cumsum([0, *(math.prod(part.shape) for part in parts)])
        first = int(np.searchsorted(starts, table.flat[0], "right")) - 1 if table.size else 0
        is_layer = table.size and isinstance(parts[first], Source)
        return _lines(table - starts[first], known[parts[first].layer], nowhere) if is_layer else nowhere
    found, batch = [nowhere], len(fields.recording.arguments[layer].shape) - len(shape)
    for source, along in zip(inputs, reaches, strict=True):
        homes = _read(known[source.layer], source.shape, [np.zeros((1, len(known[PICTURE])))] * len(source.shape))
        axes = (rule[0] if rule else axis if kind in _KEPT else -1 for axis, rule in enumerate(along))
        found.append(_through(homes, [axis - batch for axis in axes], nowhere))
    return [next((home for home in each if home.any()), each[0]) for each in zip(*found, strict=True)]


def _through(homes: Homes, axes: Sequence[int], nowhere: Homes) -> Homes:
    """Homes handed on to the axes with these numbers (below 0: to none), which may have more or fewer places."""
    found = list(nowhere)
    for home, axis in zip(homes, axes, strict=True):
        if axis >= 0 and len(nowhere[axis]):
            found[axis] = home[np.linspace(0, len(home) - 1, len(nowhere[axis])).round().astype(int)]
    return found


def _read(homes: Homes, shape: tuple[int, ...], nowhere: Homes) -> Homes:
    """Homes of the same numbers in another shape."""
    own = tuple(map(len, homes))
    if tuple(shape[len(shape) - len(own) :]) == own:
        return [*nowhere[: len(shape) - len(own)], *homes]
    return _lines(np.arange(math.prod(shape)).reshape(shape), homes, nowhere)


def _lines(table: np.ndarray, homes: Homes, nowhere: Homes) -> Homes:
    """Homes of numbers taken from these places of a layer: along the lines that begin at the first of them."""
    shape, found = tuple(map(len, homes)), []
    for axis in range(table.ndim if shape and table.size else 0):
        line = table[(0,) * axis + (slice(None),) + (0,) * (table.ndim - axis - 1)]
        inside = np.where((line >= 0) & (line < math.prod(shape)), line, line[0])  # not of another part
        found.append(sum(home[at] for home, at in zip(homes, np.unravel_index(inside, shape), strict=True)))
    return found or nowhere
