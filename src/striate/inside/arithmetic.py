"""The arithmetic of one number: what was multiplied, added, compared or copied to give it.

One table, `_RULES`, says for every kind of operation how its numbers come about; which numbers it reads follows
from `striate.inside.reach`, the same that gives the receptive field. Only the patch under the number is
computed, in float64.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from striate.errors import say
from striate.inside import elementwise
from striate.inside.elementwise import Ledger, Place, Term
from striate.inside.field import Fields
from striate.inside.operations import MOVES, Source, every
from striate.inside.reach import NOTHING, blends, per_axis, reach

FULL = 64  # so many terms carry their patch and weights, unless all are asked for


def ledger(fields: Fields, layer: int, index: tuple[int, ...], full: bool = False) -> Ledger:
    """How the number `index` (channel, position) of a known layer came about.

    full: every term carries its patch and weights, not only the 64 that weigh most.
    """
    call, kind = fields.recording.arguments[layer], fields.recording.layers[layer].kind
    place = Place(fields, layer, kind, call, (0,) * (len(call.shape) - len(index)) + index, full)
    if kind in MOVES or kind in {"identity", "reshape"}:
        return _copied(place, index)
    return _RULES[kind](place) if kind in _RULES else elementwise.ledger(place)


@dataclass(frozen=True, slots=True)
class _Patch:
    """The numbers under a window. values, kernel: (channels, *window), 0 where `padding` (*window) is true."""

    source: Source
    channels: np.ndarray
    values: np.ndarray
    padding: np.ndarray | None
    windows: list[np.ndarray]  # the places along each spatial axis
    kernel: np.ndarray | None = None


def _under(place: Place, source: Source, first: int | None = None) -> _Patch:
    """What the place reads of `source`, whose channel axis is before `first`, by default the one after the batch."""
    if first is None:
        first = min(2 if source.shape[:1] == (1,) else 1, len(source.shape))
    windows = [
        np.arange(size) if along is None else along[1](np.array([place.at[along[0]]]))[0]
        for along, size in zip(reach(place.kind, place.call, source), source.shape, strict=True)
    ]
    windows = [window[window != NOTHING] for window in windows]
    if place.kind == "transposed-conv":  # no weight falls outside, so that is no padding here; in rising order
        windows = [np.sort(w[(w >= 0) & (w < n)]) for w, n in zip(windows, source.shape, strict=True)]
    values = take(place.fields.value(source.layer).reshape(source.shape), windows)
    inside = [(w >= 0) & (w < n) for w, n in zip(windows, source.shape, strict=True)]
    padding = None
    if not all(part.all() for part in inside):
        padding = ~reduce(np.logical_and.outer, inside[first:])
        values = np.where(padding, 0.0, values)
    values = values.reshape(math.prod(values.shape[:first]), *values.shape[first:])
    return _Patch(source, windows[first - 1] if first else np.zeros(1, np.int64), values, padding, windows[first:])


def take(tensor: Tensor, windows: list[np.ndarray]) -> np.ndarray:
    """The numbers at these places along each axis as float64, however large the tensor; outside, the nearest."""
    for axis, places in enumerate(windows):
        size = tensor.shape[axis]
        places = np.clip(places, 0, size - 1)
        if len(places) and (np.diff(places) == 1).all():
            tensor = tensor.narrow(axis, int(places[0]), len(places))
        else:
            tensor = tensor.index_select(axis, torch.from_numpy(places).to(tensor.device))
    return tensor.detach().cpu().double().numpy()


def _terms(place: Place, patch: _Patch, sums: np.ndarray) -> tuple[Term, ...]:
    """One term per input channel; `sums` are their shares."""
    shown = set(range(len(sums)))
    if not place.full and len(sums) > FULL:
        shown = set(np.argsort(-np.abs(sums), kind="stable")[:FULL].tolist())
    origin = tuple(int(w[0]) if len(w) else 0 for w in patch.windows) or (0,)
    step = tuple(int(w[1] - w[0]) if len(w) > 1 else 1 for w in patch.windows) or (1,)
    values, kernel = patch.values, patch.kernel
    if values.ndim == 1:  # a vector has no places: its patch is a row of one number
        values, kernel = values[:, None], None if kernel is None else kernel[:, None]
    layer, padding = patch.source.layer, patch.padding
    terms = []
    for number, (channel, share) in enumerate(zip(patch.channels.tolist(), sums.tolist(), strict=True)):
        read = (values[number], None if kernel is None else kernel[number], padding) if number in shown else ()
        terms.append(Term(f"input channel {channel}", layer, channel, share, origin, step, *read))
    return tuple(terms)


def _sum(place: Place, patch: _Patch, bias: float | None = None, divisor: float | None = None) -> Ledger:
    """Patch times kernel, summed channel by channel; plus the bias, or divided by the divisor."""
    products = patch.values if patch.kernel is None else patch.values * patch.kernel
    if patch.padding is not None:  # also where a weight is infinite
        products = np.where(patch.padding, 0.0, products)
    sums = products.reshape(len(products), -1).sum(1)
    total, addends = math.fsum(sums) if np.isfinite(sums).all() else float(sums.sum()), ()
    scale = float(np.abs(products).sum())
    count = f"{len(sums)} input channels" if len(sums) > 1 else "1 input channel"
    text = f"{say(total)} ({'patch' if patch.kernel is None else 'patch × kernel'}, summed over {count})"
    if bias is not None:
        addends = (("bias", bias),)
        text += f" + {say(bias)} (bias)"
        total, scale = total + bias, scale + abs(bias)
    if divisor is not None:
        text += f" / {divisor:g}"
        total, scale = total / divisor, scale / abs(divisor)
    rule = "sum" if divisor is None else "mean"
    terms = _terms(place, patch, sums)
    return Ledger(rule, total, f"{text} = {say(total)}", terms, addends, scale, divisor=divisor)


def _convolution(place: Place) -> Ledger:
    source, weight, bias = (place.call.settings[name] for name in ("input", "weight", "bias"))
    axes = weight.ndim - 2
    channel = place.at[-axes - 1]
    patch = _under(place, source, len(source.shape) - axes)
    if place.kind == "conv":
        kernel = weight[channel]
    else:
        kernel = weight[patch.channels[0] : patch.channels[-1] + 1, channel % weight.shape[1]]
        seen = zip(reach(place.kind, place.call, source)[-axes:], source.shape[-axes:], strict=True)
        for axis, (along, size) in enumerate(seen):  # the weights that fall on an input, in the order of the inputs
            places = along[1](np.array([place.at[along[0]]]))[0]
            falls = np.nonzero((places >= 0) & (places < size))[0][::-1].copy()
            kernel = kernel.index_select(axis + 1, torch.from_numpy(falls).to(kernel.device))
    kernel = kernel.detach().cpu().double().numpy()
    return _sum(place, replace(patch, kernel=kernel), None if bias is None else float(bias[channel]))


def _dense(place: Place) -> Ledger:
    """A dense layer, with its weights folded back to the map that was flattened before it."""
    source, weight, bias = (place.call.settings[name] for name in ("input", "weight", "bias"))
    unit = place.at[-1]
    row = weight[unit].detach().cpu().double().numpy()
    number = None if bias is None else float(bias[unit])
    if math.prod(source.shape) > len(row):  # one row of several, e.g. of tokens
        return _sum(place, replace(_under(place, source, len(source.shape) - 1), kernel=row[None]), number)
    layer, order = place.fields.unmoved(source.layer)
    values = place.fields.value(layer).detach().cpu().double().numpy()
    if order is not None:
        moved, row = row, np.empty_like(row)
        row[order] = moved
    channels = np.arange(len(values)) if values.ndim else np.zeros(1, np.int64)
    shape = values.shape or (1,)
    windows = [np.arange(size) for size in shape[1:]]
    patch = _Patch(Source(layer, shape), channels, values.reshape(shape), None, windows, row.reshape(shape))
    return _sum(place, patch, number)


def _maximum(place: Place) -> Ledger:
    patch = _under(place, place.call.settings["input"])
    values = patch.values if patch.padding is None else np.where(patch.padding, -np.inf, patch.values)
    best = np.unravel_index(values.argmax(), values.shape)  # the first of several, as in torch; NaN is the largest
    value, count = float(values[best]), values.size - _padding(patch)
    ties = max(int((values == value).sum()) - 1, 0)
    text = f"the largest of {count} numbers is {say(value)}" + (f"; {ties + 1} of them share it" if ties else "")
    winner = replace(patch, channels=patch.channels[best[0]][None], values=patch.values[best[0]][None])
    terms = _terms(place, winner, np.array([value]))
    chosen = tuple(int(axis) for axis in best[1:]) or (0,)
    return Ledger("maximum", value, text, terms, (), abs(value), chosen=chosen, ties=ties)


def _padding(patch: _Patch) -> int:
    return 0 if patch.padding is None else int(patch.padding.sum())


def _mean(place: Place) -> Ledger:
    source, settings = place.call.settings["input"], place.call.settings
    patch = _under(place, source)
    divisor = settings.get("divisor_override")
    if place.kind != "avgpool" or (divisor is None and not settings["count_include_pad"]):
        divisor = patch.values.size - _padding(patch)
    elif divisor is None:  # padding counts, what ceil_mode adds behind it does not
        divisor = 1
        padding = per_axis(settings["padding"], len(patch.windows))
        for window, size, pad in zip(patch.windows, source.shape[-len(patch.windows) :], padding, strict=True):
            divisor *= int((window < size + pad).sum())
    return _sum(place, patch, divisor=float(divisor))


def _blend(place: Place) -> Ledger:
    """Interpolation: the neighbours with their weights (bilinear), or the nearest with weight 1."""
    source = place.call.settings["input"]
    patch = _under(place, source, 2)
    rows = [table[at] for table, at in zip(blends(place.call, source), place.at[2:], strict=True)]
    weights = [row[window] for row, window in zip(rows, patch.windows, strict=True)]
    kernel = reduce(np.multiply.outer, weights)
    return _sum(place, replace(patch, kernel=kernel[None]))


def _padded(place: Place) -> Ledger:
    patch = _under(place, place.call.settings["input"])
    if patch.values.size:
        value = float(patch.values.flat[0])
        return Ledger("copy", value, f"a copy of {say(value)}", _terms(place, patch, np.array([value])), (), abs(value))
    value = float(place.call.settings["value"] or 0.0)
    return Ledger("copy", value, f"padding, {say(value)}", (), (("padding", value),), abs(value))


def _copied(place: Place, index: tuple[int, ...]) -> Ledger:
    """A number that was only moved: from where."""
    if place.kind in {"identity", "reshape"}:
        parts = list(every(Source, place.call.settings["input"]))
        number = int(np.ravel_multi_index(index, place.fields.value(place.layer).shape)) if index else 0
    else:
        table, parts = place.fields.moved(place.layer)
        number = int(table[index])
    for part in parts:
        size = math.prod(part.shape)
        if number < size:
            break
        number -= size
    if isinstance(part, Tensor):
        value = float(part.reshape(-1)[number])
        return Ledger("copy", value, f"the constant {say(value)}", (), (("constant", value),), abs(value))
    term = elementwise.single(place, part, number)
    return Ledger("copy", term.value, f"a copy of {say(term.value)}", (term,), (), abs(term.value))


_RULES: dict[str, Callable[[Place], Ledger]] = {
    **dict.fromkeys(("conv", "transposed-conv"), _convolution),
    **dict.fromkeys(("maxpool", "adaptive-maxpool", "amax"), _maximum),
    **dict.fromkeys(("avgpool", "adaptive-avgpool", "mean"), _mean),
    "linear": _dense,
    "sum": lambda place: _sum(place, _under(place, place.call.settings["input"])),
    "interpolate": _blend,
    "pad": _padded,
}
