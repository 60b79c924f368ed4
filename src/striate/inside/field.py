"""What a number can see: the part of every earlier layer, and of the picture, that it depends on.

`striate.inside.reach` says which places an operation reads. Where numbers are only moved about, torch itself
tells which came from where: the operation is run once more, on the places' numbers.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from striate.inside.capture import PICTURE, Recording
from striate.inside.operations import MOVES, Call, Source, changed, every, unknown
from striate.inside.reach import Along, reach, same

Seen = tuple[np.ndarray, ...]  # per axis of a layer's values, which places are read (bool)


class Fields:
    """The possible receptive fields of a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._moved: dict[int, np.ndarray] = {}
        self._read: dict[int, tuple[bool, list[Source], list[list[Along]]]] = {}

    def value(self, layer: int) -> Tensor:
        """What a layer gave, or the picture (-1), without the batch axis."""
        return self.recording.picture if layer == PICTURE else self.recording.values[layer]

    def moved(self, layer: int) -> tuple[np.ndarray, list[Tensor | Source]]:
        """Where an operation that only moves numbers took each from: places in all of its inputs, end to end."""
        call = self.recording.arguments[layer]
        parts: list[Tensor | Source] = []
        kind = self.recording.layers[layer].kind
        total = 0

        def numbered(part: Tensor | Source) -> Tensor:
            nonlocal total
            if isinstance(part, Tensor) and kind not in {"cat", "stack", "hstack", "vstack"}:
                return part.cpu()  # an index
            parts.append(part)
            start, total = total, total + math.prod(part.shape)
            return torch.arange(start, total, dtype=torch.float64).reshape(part.shape)

        args, kwargs = changed((call.args, call.kwargs), numbered)
        if layer not in self._moved:
            with torch.no_grad():
                result = call.function(*args, **kwargs)
            result = result if isinstance(result, Tensor) else list(result)[call.result]
            self._moved[layer] = result.long().numpy().reshape(self.value(layer).shape)
        return self._moved[layer], parts

    def unmoved(self, layer: int) -> tuple[int, np.ndarray | None]:
        """The layer whose numbers these are before they were flattened or put in another order.

        With it, where each number of `layer` stands among that layer's numbers (None: in the same order).
        """
        order = None
        while layer != PICTURE and self.recording.layers[layer].kind in MOVES | {"identity", "reshape"}:
            call = self.recording.arguments[layer]
            (*others, source) = every(Source, (call.args, call.kwargs))
            if others or math.prod(source.shape) != self.value(layer).numel():
                break
            if self.recording.layers[layer].kind in MOVES:
                table, parts = self.moved(layer)
                if len(parts) > 1 or np.bincount(table.ravel()).max() > 1:
                    break
                order = table.ravel() if order is None else table.ravel()[order]
            layer = source.layer
        return layer, order

    def seen(self, layer: int, position: tuple[int, ...]) -> dict[int, Seen]:
        """What a place of a layer (`position` on its last axes, all of the others) sees of every layer before it.

        Keys are layers, -1 for the picture. All of the picture where an operation on the way is not known.
        """
        whole = list(self._whole(layer))
        for axis, at in enumerate(position, start=len(whole) - len(position)):
            whole[axis] = np.arange(len(whole[axis])) == at
        found = {layer: tuple(whole)}
        for index in range(layer, PICTURE, -1):
            if index in found:
                for source, places in self._before(index, found[index]):
                    mine = found.get(source)
                    found[source] = places if mine is None else tuple(map(np.logical_or, mine, places))
        if self.recording.layers[layer].facts["field"] != "exact":
            found[PICTURE] = self._whole(PICTURE)
        return found

    def _whole(self, layer: int) -> Seen:
        return tuple(np.ones(size, bool) for size in self.value(layer).shape)

    def inputs(self, layer: int) -> tuple[bool, list[Source], list[list[Along]]]:
        """Whether the operation is known, what it reads, and how: found once per layer."""
        if layer not in self._read:
            kind, call = self.recording.layers[layer].kind, self.recording.arguments[layer]
            known = not unknown(kind, call)
            inputs = list(dict.fromkeys(every(Source, (call.args, call.kwargs))))
            self._read[layer] = known, inputs, [reach(kind, call, each) for each in inputs] if known else []
        return self._read[layer]

    def keeps_places(self, layer: int) -> bool:
        """Whether each number of a layer is made from the number, or numbers, at its own channel and place alone."""
        known, _, reaches = self.inputs(layer)
        moves = self.recording.layers[layer].kind in MOVES | {"identity", "reshape"}
        return known and (moves or all(rule and rule[1] is same for along in reaches for rule in along[1:]))

    def _before(self, layer: int, places: Seen) -> Iterator[tuple[int, Seen]]:
        """What the inputs of a layer need for these places of it."""
        kind, call = self.recording.layers[layer].kind, self.recording.arguments[layer]
        known, inputs, reaches = self.inputs(layer)
        if not known:
            for index in self.recording.layers[layer].inputs:
                yield index, self._whole(index)
        elif kind in MOVES and not (kind == "cat" and _plain_cat(call, inputs)):
            yield from self._moved_from(layer, places)
        elif kind in {"identity", "reshape"}:
            yield inputs[0].layer, self._through(inputs[0], places, self.value(layer).shape)
        else:
            full = (np.ones(1, bool),) * (len(call.shape) - len(places)) + places
            for source, along in zip(inputs, reaches, strict=True):
                read = _joined(call, inputs, source, full) if kind == "cat" else _look(along, source, full)
                if all(axis.any() for axis in read):
                    yield source.layer, self._through(source, read, source.shape)

    def _moved_from(self, layer: int, places: Seen) -> Iterator[tuple[int, Seen]]:
        table, parts = self.moved(layer)
        numbers, start = table[np.ix_(*places)].ravel(), 0
        for part in parts:
            size = math.prod(part.shape)
            mine = numbers[(numbers >= start) & (numbers < start + size)] - start
            start += size
            if isinstance(part, Source) and len(mine):
                yield part.layer, _scattered(mine, self.value(part.layer).shape)

    def _through(self, source: Source, places: Seen, shape: tuple[int, ...]) -> Seen:
        """Places in the shape in which an operation read a layer, as places of that layer's values."""
        own = tuple(self.value(source.layer).shape)
        if shape[len(shape) - len(own) :] == own and math.prod(shape) == math.prod(own):
            return places[len(places) - len(own) :]
        if all(axis.all() for axis in places):
            return self._whole(source.layer)
        return _scattered(np.arange(math.prod(shape)).reshape(shape)[np.ix_(*places)].ravel(), own)


def box(places: Seen) -> tuple[int, ...]:
    """The smallest half-open box around places, as first and last edge of each axis in a row."""
    found = [axis.nonzero()[0] for axis in places]
    return tuple(edge for axis in found for edge in (int(axis[0]), int(axis[-1]) + 1))


def _look(reaches: list[Along], source: Source, places: Seen) -> Seen:
    seen = []
    for along, size in zip(reaches, source.shape, strict=True):
        if along is not None and along[1] is same:
            seen.append(places[along[0]])
            continue
        axis = np.full(size, along is None)
        if along is not None:
            read = along[1](places[along[0]].nonzero()[0])
            axis[read[(read >= 0) & (read < size)]] = True
        seen.append(axis)
    return tuple(seen)


def _plain_cat(call: Call, inputs: list[Source]) -> bool:
    """Whether the parts are layers only, each once: the case that needs no table of numbers."""
    given = call.args[0] if call.args else call.kwargs["tensors"]
    return len(inputs) == len(given) and all(isinstance(part, Source) for part in given)


def _joined(call: Call, inputs: list[Source], source: Source, places: Seen) -> Seen:
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else 0) % len(call.shape)
    start = sum(other.shape[dim] for other in inputs[: inputs.index(source)])
    return (*places[:dim], places[dim][start : start + source.shape[dim]], *places[dim + 1 :])


def _scattered(numbers: np.ndarray, shape: tuple[int, ...]) -> Seen:
    seen = tuple(np.zeros(size, bool) for size in shape)
    for axis, places in zip(seen, np.unravel_index(numbers, shape) if shape else (), strict=True):
        axis[places] = True
    return seen
