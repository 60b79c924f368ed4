"""`striate.trace`: everything that happens to one picture in a network, down to each number."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.errors import StriateError, nearest
from striate.inside.arithmetic import ledger
from striate.inside.capture import PICTURE, Layer, Picture, Recording, capture
from striate.inside.elementwise import ACTIVATIONS, NORMS, Ledger
from striate.inside.field import Fields, Seen, box
from striate.inside.operations import unknown
from striate.inside.reach import reach

TOLERANCE = 1e-5  # of the sum of the sizes of all products: float32 rounding of that very sum
# What `Trace.chain` follows a number through, up to and with the next pool.
_ALONG = ACTIVATIONS | NORMS | {"identity"}
_POOLS = frozenset({"maxpool", "avgpool", "adaptive-maxpool", "adaptive-avgpool", "mean", "amax"})
OTHERS = re.compile(r"ensemble\d+\.(?!1\.)\d+\.")  # members of an ensemble beside the first
_SAME = {"pad", "dropout", "identity"}  # they show what the layer before them shows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation(Ledger):
    """How one number of a layer came about.

    at: (channel, *position). available: whether the arithmetic is known; if not, `reason` says why.
    stored: the number as the network computed it, in float32. value: the same computed again, in float64.
    agrees: whether they differ by no more than float32 rounding, 1e-5 of `scale`, the sizes of all products, summed.
    rule: "sum" (value = terms + addends), "mean" (terms / divisor), "maximum" (the cell `chosen` of the one term;
    `ties` other cells hold the same), "softmax" (the term `chosen` / divisor, or its logarithm; terms: exp(x − largest)
    of every number), "affine" (norms), "function" (activations, products), "copy" or "none".
    formula: in words and numbers, which are rounded to 4 digits. field: what it can see of the picture.
    """

    layer: int
    name: str
    kind: str
    at: tuple[int, ...]
    available: bool
    reason: str | None = None
    stored: float
    agrees: bool = False
    field: tuple[int, ...]

    @property
    def difference(self) -> float:
        return 0.0 if self.value == self.stored else self.value - self.stored

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and text for JSON; what is not finite becomes "NaN", "Infinity" or "-Infinity"."""
        told = {name: getattr(self, name) for name in (*self.__dataclass_fields__, "difference")}
        told["addends"] = [{"label": label, "value": value} for label, value in self.addends]
        told["terms"] = [term._asdict() for term in self.terms]
        del told["scale"]  # which `agrees` has taken into account
        return plain(told)


@dataclass(frozen=True, eq=False)
class Trace:
    """One picture's way through a network. A `layer` is an index or a name; see `striate.inside.capture.Layer`.

    Weights are not copied: after a change of the network the numbers no longer agree.
    """

    recording: Recording
    network: nn.Module
    names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        sides = " × ".join(map(str, self.recording.picture.shape))
        return f"Trace({len(self.layers)} layers of {type(self.network).__name__}, picture {sides})"

    @cached_property
    def _fields(self) -> Fields:
        return Fields(self.recording)

    @cached_property
    def _graph(self) -> Recording:
        """The same pass once more, with gradients."""
        again = capture(self.network, self.recording.picture, gradients=True)
        if [layer.name for layer in again.layers] != [layer.name for layer in self.layers]:
            raise StriateError("a network runs the same operations every time", where=type(self.network).__name__)
        return again

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every operation, in the order of execution."""
        return self.recording.layers

    @property
    def output(self) -> np.ndarray:
        """What the network returned, float32, without the batch axis."""
        return _array(self.recording.output)

    @property
    def picture(self) -> np.ndarray:
        """The picture as it went in, (C, *spatial) float32."""
        return _array(self.recording.picture)

    def maps(self, layer: int | str) -> np.ndarray:
        """The numbers of a layer, float32 (channels, *spatial), or (n,) for a vector. A copy."""
        return _array(self.recording.values[self.index(layer)])

    def kernels(self, layer: int | str) -> np.ndarray | None:
        """The weights of a layer, e.g. (filters, channels, height, width) float32; None where it is no filter."""
        index = self.index(layer)
        weight = (self.recording.arguments[index].settings or {}).get("weight")
        is_filter = self.layers[index].kind in {"conv", "transposed-conv", "linear"}
        return _array(weight) if is_filter and isinstance(weight, Tensor) else None

    def templates(self, layer: int | str) -> np.ndarray | None:
        """The weights of a dense layer on the flattened picture, laid out as it was: (units, C, *spatial) float32; None
        for any other layer."""
        index, weights, shape = self.index(layer), self.kernels(layer), self.recording.picture.shape
        if weights is None or weights.ndim != 2 or weights.shape[1] != math.prod(shape):
            return None
        source, order = self._fields.unmoved(self.layers[index].inputs[0])
        laid = np.empty_like(weights)
        laid[:, slice(None) if order is None else order] = weights
        return laid.reshape(-1, *shape) if source == PICTURE else None

    def index(self, layer: int | str) -> int:
        """The index of a layer given by index or name."""
        known = [each.name for each in self.layers]
        if isinstance(layer, str):
            if layer not in known:
                raise StriateError("a layer is one of this network's", received=layer, remedy=nearest(layer, known))
            return known.index(layer)
        if not 0 <= layer < len(known):
            raise StriateError(f"layers have the numbers 0 to {len(known) - 1}", received=layer)
        return int(layer)

    def place(self, layer: int | str, at: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`at` as (channel, *position) in a layer, checked; None stands for any."""
        facts = self.layers[self.index(layer)]
        shape = facts.output_shape or (1,)
        fits = (n is None or 0 <= n < size for n, size in zip(at, shape, strict=False))
        if len(at) != len(shape) or not all(fits):
            ranges = ", ".join(f"0 to {size - 1}" for size in shape)
            rule = f"a number of this layer has a channel and places in the ranges {ranges}"
            received = ", ".join("any" if n is None else str(n) for n in at)
            raise StriateError(rule, received=received, where=facts.name)
        return tuple(n if n is None else int(n) for n in at)

    def explain(self, layer: int | str, channel: int = 0, *position: int, full: bool = False) -> Explanation:
        """The arithmetic of one number. With more than 64 terms only the largest carry patch and kernel, or `full`."""
        index = self.index(layer)
        at, facts, call = self.place(index, (channel, *position)), self.layers[index], self.recording.arguments[index]
        where = at if facts.output_shape else ()
        stored = float(_array(self.recording.values[index][where]))
        found = {"layer": index, "name": facts.name, "kind": facts.kind, "at": at, "stored": stored}
        found["field"] = self._on_picture(self._fields.seen(index, where[1:] or where))
        if reason := unknown(facts.kind, call):
            why = f"arithmetic not available for {reason}"
            return Explanation("none", stored, "", (), (), 0.0, **found, available=False, reason=why)
        made = ledger(self._fields, index, where, full)
        same = made.value == stored or (math.isnan(made.value) and math.isnan(stored))
        agrees = same or abs(made.value - stored) <= TOLERANCE * made.scale
        told = {name: getattr(made, name) for name in made.__dataclass_fields__}
        told["formula"] += " (shown rounded)"
        return Explanation(**found, **told, available=True, agrees=agrees)

    def chain(self, layer: int | str, channel: int = 0, *position: int) -> list[Explanation]:
        """The explanation of a number, then of what norms, activations and the next pooling make of it."""
        steps = [self.explain(layer, channel, *position)]
        while (following := self._next(steps[-1])) is not None:
            steps.append(self.explain(following[0], *following[1]))
        return steps

    def field(self, layer: int | str, *position: int) -> tuple[int, ...]:
        """What a place of a layer can see of the picture: half-open (y0, y1, x0, x1), with as many axes as it has.

        Of a vector all of its numbers together, or the one that is named. Zeros if it sees nothing. The layer's fact
        "field" says whether it is "exact" or an "upper bound".
        """
        return self._on_picture(self._seen(layer, position))

    def lineage(self, layer: int | str, *position: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The same for every layer on the way: (index, half-open box), from the picture (-1) to the layer."""
        seen = self._seen(layer, position)
        return tuple((each, box(seen[each][1:])) for each in sorted(seen))

    def actual_field(self, layer: int | str, channel: int = 0, *position: int) -> np.ndarray:
        """How strongly each place of the picture acts on a number: |gradient| summed over the picture's channels.

        (*spatial) float32, for this picture only; 0 outside `field`. The first call runs the network once more.
        """
        index = self.index(layer)
        at = self.place(index, (channel, *position))
        with torch.inference_mode(False), torch.enable_grad():
            picture = self._graph.picture
            value = self._graph.values[index][at if self.layers[index].output_shape else ()]
            if not value.requires_grad:  # e.g. a comparison
                return np.zeros(picture.shape[1:], np.float32)
            value = value.abs() if value.is_complex() else value
            (gradient,) = torch.autograd.grad(value, picture, retain_graph=True, materialize_grads=True)
        return _array(gradient.abs().sum(0))

    def _seen(self, layer: int | str, position: tuple[int, ...]) -> dict[int, Seen]:
        index = self.index(layer)
        is_number = len(position) == len(self.layers[index].output_shape) == 1
        return self._fields.seen(index, self.place(index, position if is_number else (0, *position))[not is_number :])

    def _on_picture(self, seen: dict[int, Seen]) -> tuple[int, ...]:
        axes = self.recording.picture.ndim - 1
        return box(seen[PICTURE][1:]) if PICTURE in seen else (0, 0) * axes

    def _next(self, step: Explanation) -> tuple[int, tuple[int, ...]] | None:
        """The one norm, activation or pool that reads this number, and where; None after a pool."""
        readers = [each for each in self.layers if step.layer in each.inputs and each.kind in _ALONG | _POOLS]
        if step.kind in _POOLS or len(readers) != 1:
            return None
        (reader,) = readers
        if reader.output_shape == self.layers[step.layer].output_shape and reader.kind in _ALONG:
            return reader.index, step.at
        call = self.recording.arguments[reader.index]
        source = call.settings.get("input")
        if reader.kind not in _POOLS or source.shape != (1, *self.layers[step.layer].output_shape):
            return None
        at = [0] * len(call.shape)
        for place, along in zip((0, *step.at), reach(reader.kind, call, source), strict=True):
            if along is not None:
                reading = (along[1](np.arange(call.shape[along[0]])) == place).any(1)
                if not reading.any():  # a stride larger than the window leaves it out
                    return None
                at[along[0]] = int(reading.argmax())
        return reader.index, tuple(at[1:])


def trace(network: nn.Module, picture: Picture, names: Any = None) -> Trace:
    """Run one picture through any torch network, and keep every number on the way.

    picture: (C, H, W), (C, L) or (C, D, H, W), or the same with a batch axis of 1, prepared as the network wants it.
    names: the names of the classes, if there are any. The network is left as it was found.

    >>> seen = striate.trace(network, picture)          # doctest: +SKIP
    >>> print(seen.explain("conv1", 5, 10, 12).formula)   # doctest: +SKIP
    """
    return Trace(capture(network, picture), network, None if names is None else tuple(names))


def stage_ends(layers: Sequence[Layer], most: int) -> list[int]:
    """Indices of at most `most` layers with maps (C, *grid) of more than one place, in order.

    Of all layers whose maps have one shape the last is taken; of too many, evenly spaced ones with first and last.
    Of an ensemble's members the first stands for all.
    """
    last: dict[tuple[int, ...], int] = {}
    for layer in layers:
        shape = layer.output_shape
        if len(shape) > 1 and max(shape[1:]) > 1 and layer.kind not in _SAME and not OTHERS.match(layer.name):
            last[shape] = layer.index
    ends = sorted(last.values())
    steps = min(most, len(ends))
    return [ends[round(place * (len(ends) - 1) / max(steps - 1, 1))] for place in range(steps)]


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().abs() if tensor.is_complex() else tensor.detach()  # complex numbers show their size
    return np.array(tensor.float().cpu().numpy())


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: arrays as lists, and "NaN", "Infinity", "-Infinity" for what is no number."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
