"""The arithmetic of operations that work place by place: norms, activations, sums and products of maps.

Every activation is one line of `_FUNCTIONS`: the formula as text, and as a function in float64.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from striate.errors import say
from striate.inside.field import Fields
from striate.inside.operations import Call, Source


class Term(NamedTuple):
    """One share of a number: what it reads from one channel of one layer.

    value: the share. patch: (*window) what is read, 0 where `padding` is true. kernel: the weights on it, or None.
    origin: place of the first cell of the patch in the source's map; may be negative. step: places between cells.
    Patch and kernel are None where they were left out.
    """

    label: str
    source: int
    channel: int
    value: float
    origin: tuple[int, ...]
    step: tuple[int, ...]
    patch: np.ndarray | None = None
    kernel: np.ndarray | None = None
    padding: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """How a number comes about; what is not said here stands with `striate.inside.trace.Explanation`.

    scale: the sum of the sizes of all products, of which float32 rounding is a part.
    numbers: by name those that the formula of a norm, an activation or a product shows rounded.
    """

    rule: str
    value: float
    formula: str
    terms: tuple[Term, ...]
    addends: tuple[tuple[str, float], ...]
    scale: float
    chosen: tuple[int, ...] | None = None
    ties: int = 0
    divisor: float | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One number of a layer: where it stands in the operation's result (`at`, with the batch axis)."""

    fields: Fields
    layer: int
    kind: str
    call: Call
    at: tuple[int, ...]
    full: bool


def single(place: Place, source: Source, number: int, weight: float | None = None) -> Term:
    """The term of one number of a layer, whose values are counted in a row. With a weight, their product."""
    values = place.fields.value(source.layer)
    index = tuple(map(int, np.unravel_index(number, values.shape))) if values.ndim else ()
    value = float(values[index])
    channel, *position = (*index, 0) if len(index) < 2 else index
    cell = (1,) * len(position)
    return Term(
        label=f"input channel {channel}",
        source=source.layer,
        channel=channel,
        value=value if weight is None else value * weight,
        patch=np.full(cell, value),
        kernel=None if weight is None else np.full(cell, weight),
        origin=tuple(position),
        step=cell,
    )


def _aligned(place: Place, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The place in an operand of this shape, whose axes of size 1 are stretched."""
    at = place.at[len(place.at) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(at, shape, strict=True))


def _term(place: Place, source: Source, weight: float | None = None) -> Term:
    number = np.ravel_multi_index(_aligned(place, source.shape), source.shape) if source.shape else 0
    return single(place, source, number, weight)


def _number(place: Place, value: Any) -> float:
    """A constant operand (a number, or a tensor that is stretched over the places) at this place."""
    if place.kind == "prelu" and value.numel() > 1:  # one for each channel
        return float(value[place.at[1]])
    return float(value[_aligned(place, tuple(value.shape))]) if isinstance(value, Tensor) else float(value)


def ledger(place: Place) -> Ledger:
    """How a number of a norm, an activation, a sum or a product comes about."""
    with np.errstate(all="ignore"):
        if place.kind in {"add", "sub", "rsub", "mul", "div", "rdiv"}:
            return _combined(place)
        if place.kind.endswith("softmax"):
            return _softmax(place)
        return _norm(place) if place.kind in NORMS else _function(place)


def _combined(place: Place) -> Ledger:
    """Sums and products of two operands, each a layer or a constant."""
    settings, kind = place.call.settings, place.kind
    first, second = settings["input"], settings["other"]
    if kind in {"rsub", "rdiv"}:
        first, second, kind = second, first, kind[1:]
    weights = [1.0, -1.0 if kind == "sub" else 1.0]
    if kind in {"add", "sub"}:
        weights[1] *= float(settings["alpha"])
        return _added(place, (first, second), weights)
    sign = "×" if kind == "mul" else "/"
    if isinstance(second, Source) and (kind == "div" or isinstance(first, Source)):
        terms = tuple(_term(place, each) for each in (first, second) if isinstance(each, Source))
        a, b = terms[0].value if len(terms) > 1 else _number(place, first), terms[-1].value
        value = a * b if kind == "mul" else float(np.divide(a, b))
        text, numbers = f"{say(a)} {sign} {say(b)} = {say(value)}", {"a": a, "b": b}
        return Ledger("function", value, text, terms, (), abs(value), numbers=numbers)
    source, constant = (first, second) if isinstance(first, Source) else (second, first)
    weight = _number(place, constant)
    term = _term(place, source, weight if kind == "mul" else float(np.divide(1.0, weight)))
    text = f"{say(float(term.patch.flat[0]))} {sign} {say(weight)} = {say(term.value)}"
    return Ledger("sum", term.value, text, (term,), (), abs(term.value))


def _added(place: Place, operands: tuple[Any, Any], weights: list[float]) -> Ledger:
    terms, addends = [], []
    for operand, weight in zip(operands, weights, strict=True):
        if isinstance(operand, Source):
            terms.append(_term(place, operand, None if weight == 1 else weight))
        else:
            addends.append(("constant", weight * _number(place, operand)))
    shares = [term.value for term in terms] + [value for _, value in addends]
    text = f"{' + '.join(say(share) for share in shares)} = {say(sum(shares))}"
    return Ledger("sum", sum(shares), text, tuple(terms), tuple(addends), sum(map(abs, shares)))


def _softmax(place: Place) -> Ledger:
    """exp(x − m) / Σ exp(x_j − m), where m, the largest, keeps the powers small; log of it for log-softmax."""
    source = place.call.settings["input"]
    axis = place.call.settings["dim"] % len(source.shape)
    tensor = place.fields.value(source.layer).reshape(source.shape)
    row = tensor[(*place.at[:axis], slice(None), *place.at[axis + 1 :])].detach().cpu().double().numpy()
    largest, own = row.max(), place.at[axis]
    powers = np.exp(row - largest)
    x, total, value = float(row[own]), float(powers.sum()), float(powers[own] / powers.sum())
    text = f"exp({say(x)} − {say(largest)}) / {say(total)}, the sum of exp(x − {say(largest)}) over {len(row)} numbers"
    if place.kind == "log-softmax":
        value, text = x - float(largest) - math.log(total), f"log of {text}"
    spots = ((*place.at[:axis], each, *place.at[axis + 1 :]) for each in range(len(row)))
    read = (single(place, source, np.ravel_multi_index(spot, source.shape)) for spot in spots)
    both = zip(read, powers.tolist(), strict=True)
    terms = tuple(one._replace(label=f"exp of {one.label}", value=power) for one, power in both)
    more = {"chosen": (own,), "divisor": total}
    return Ledger("softmax", value, f"{text} = {say(value)}", terms, (), 1.0 + abs(value), **more)


def _norm(place: Place) -> Ledger:
    """(x − mean) / √(variance + eps) · gamma + beta, the mean being stored or taken over this very input."""
    settings, source = place.call.settings, place.call.settings["input"]
    term, axes = _term(place, source), len(source.shape)
    tensor = place.fields.value(source.layer).reshape(source.shape)
    batch, channel = place.at[:2]
    if place.kind == "layernorm":
        inner = place.at[axes - len(settings["normalized_shape"]) :]
        over, own = tensor[place.at[: axes - len(inner)]], inner
    elif place.kind == "groupnorm":
        size = source.shape[1] // settings["num_groups"]
        over, own = tensor[batch, channel // size * size : (channel // size + 1) * size], (channel,)
    else:
        over, own = tensor[:, channel] if place.kind == "batchnorm" else tensor[batch, channel], (channel,)
    if settings.get("running_mean") is not None and not settings.get("training", settings.get("use_input_stats")):
        mean, variance = (float(settings[name][channel]) for name in ("running_mean", "running_var"))
        size = abs(mean)
    else:
        seen = over.detach().cpu().double()
        mean, variance, size = float(seen.mean()), float(seen.var(correction=0)), float(seen.abs().mean())
    gamma, beta = (
        float(t[own]) if (t := settings[name]) is not None else d for name, d in (("weight", 1), ("bias", 0))
    )
    factor = float(gamma / np.sqrt(variance + settings["eps"]))
    value = (term.value - mean) * factor + beta
    text = (
        f"({say(term.value)} − {say(mean)}) / √({say(variance)} + {settings['eps']:g}) · {say(gamma)} + {say(beta)}"
        f" = {say(value)} (mean {say(mean)}, variance {say(variance)}, gamma {say(gamma)}, beta {say(beta)})"
    )
    scale = (abs(term.value) + size) * abs(factor) + abs(beta)
    numbers = {"mean": mean, "variance": variance, "eps": settings["eps"], "gamma": gamma, "beta": beta}
    return Ledger("affine", value, text, (term,), (), scale, numbers=numbers)


def _function(place: Place) -> Ledger:
    """An activation: its formula with the numbers put in."""
    term = _term(place, place.call.settings["input"])
    settings = {
        name: _number(place, value)
        for name, value in place.call.settings.items()
        if name != "input" and isinstance(value, Tensor | int | float) and not isinstance(value, bool)
    }
    text, function = _FUNCTIONS[place.kind]
    if place.kind == "gelu" and place.call.settings["approximate"] == "tanh":
        text, function = _FUNCTIONS["gelu-tanh"]
    if place.kind == "clamp":
        settings = {"min": -math.inf, "max": math.inf} | settings
    value = float(function(np.float64(term.value), **settings))
    words = text.format(x=f"({say(term.value)})", **{name: say(number) for name, number in settings.items()})
    return Ledger("function", value, f"{words} = {say(value)}", (term,), (), max(1.0, abs(value)), numbers=settings)


_SELU = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017


def _sigmoid(x: np.float64) -> np.float64:
    return 1 / (1 + np.exp(-x))


_FUNCTIONS: dict[str, tuple[str, Callable[..., np.float64]]] = {
    "relu": ("max(0, {x})", lambda x: np.maximum(x, 0)),
    "relu6": ("min(max(0, {x}), 6)", lambda x: np.clip(x, 0, 6)),
    "leaky-relu": (
        "{x} if above 0, else {negative_slope} · {x}",
        lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
    ),
    "prelu": ("{x} if above 0, else {weight} · {x}", lambda x, weight: np.where(x > 0, x, weight * x)),
    "elu": ("{x} if above 0, else {alpha} · (exp({x}) − 1)", lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x))),
    "celu": (
        "{x} if above 0, else {alpha} · (exp({x} / {alpha}) − 1)",
        lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
    ),
    "selu": (
        "1.051 · {x} if above 0, else 1.051 · 1.673 · (exp({x}) − 1)",
        lambda x: _SELU[0] * np.where(x > 0, x, _SELU[1] * np.expm1(x)),
    ),
    "gelu": ("{x} · Φ({x}), Φ the normal distribution", lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "gelu-tanh": (
        "{x} / 2 · (1 + tanh(√(2/π) · ({x} + 0.044715 · {x}³)))",
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": ("{x} / (1 + exp(−{x}))", lambda x: x * _sigmoid(x)),
    "mish": ("{x} · tanh(log(1 + exp({x})))", lambda x: x * np.tanh(np.logaddexp(0, x))),
    "sigmoid": ("1 / (1 + exp(−{x}))", _sigmoid),
    "log-sigmoid": ("−log(1 + exp(−{x}))", lambda x: -np.logaddexp(0, -x)),
    "tanh": ("tanh{x}", np.tanh),
    "hardtanh": ("min(max({min_val}, {x}), {max_val})", lambda x, min_val, max_val: np.clip(x, min_val, max_val)),
    "hardsigmoid": ("min(max(0, {x} + 3), 6) / 6", lambda x: np.clip(x + 3, 0, 6) / 6),
    "hardswish": ("{x} · min(max(0, {x} + 3), 6) / 6", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "softplus": (
        "log(1 + exp({beta} · {x})) / {beta}, or {x} where {beta} · {x} is above {threshold}",
        lambda x, beta, threshold: np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta),
    ),
    "softsign": ("{x} / (1 + |{x}|)", lambda x: x / (1 + abs(x))),
    "threshold": (
        "{x} if above {threshold}, else {value}",
        lambda x, threshold, value: np.where(x > threshold, x, value),
    ),
    "clamp": ("min(max({min}, {x}), {max})", lambda x, min, max: np.clip(x, min, max)),
    "pow": ("{x} to the power {exponent}", lambda x, exponent: np.power(x, exponent)),
    "neg": ("−{x}", lambda x: -x),
    "abs": ("|{x}|", np.abs),
    "exp": ("exp{x}", np.exp),
    "log": ("log{x}", np.log),
    "sqrt": ("√{x}", np.sqrt),
    "square": ("{x}²", np.square),
}
ACTIVATIONS = frozenset(_FUNCTIONS)
NORMS = frozenset({"batchnorm", "instancenorm", "groupnorm", "layernorm"})
