"""The operations of torch that the glass box knows: one table, from which ledger, field and facts follow.

An operation reaches us under several names (F.relu, Tensor.relu_, torch.relu; x + y, torch.add). `kind_of` gives
each one word. `TABLE` lists for every known kind the names of its arguments in order, with their defaults.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Size, Tensor, channels_last, channels_last_3d, nn

from striate.device import evaluated

Kind = TypeVar("Kind")
_WORDS = {
    **{f"conv{n}d": "conv" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": "transposed-conv" for n in (1, 2, 3)},
    **{f"{how}_pool{n}d": f"{how}pool" for n in (1, 2, 3) for how in ("max", "avg")},
    **{f"adaptive_{how}_pool{n}d": f"adaptive-{how}pool" for n in (1, 2, 3) for how in ("max", "avg")},
    **{f"{kind}_norm": f"{kind}norm" for kind in ("batch", "layer", "group", "instance")},
    **{"concat": "cat", "concatenate": "cat", "subtract": "sub", "multiply": "mul", "divide": "div", "negative": "neg"},
    **{"true_divide": "div", "clip": "clamp", "upsample": "interpolate"},
}

_CONV = {"input": None, "weight": None, "bias": None, "stride": 1, "padding": 0}
_POOL = {"input": None, "kernel_size": None, "stride": None, "padding": 0}
_SCALED = {"weight": None, "bias": None}
_REDUCED = {"input": None, "dim": None, "keepdim": False, "dtype": None}
_PAIR = {"input": None, "other": None}
_SWITCH = {"input": None, "inplace": False}

TABLE: dict[str, dict[str, Any]] = {
    "conv": {**_CONV, "dilation": 1, "groups": 1},
    "transposed-conv": {**_CONV, "output_padding": 0, "groups": 1, "dilation": 1},
    "linear": {"input": None, "weight": None, "bias": None},
    "maxpool": {**_POOL, "dilation": 1, "ceil_mode": False, "return_indices": False},
    "avgpool": {**_POOL, "ceil_mode": False, "count_include_pad": True, "divisor_override": None},
    "adaptive-maxpool": {"input": None, "output_size": None, "return_indices": False},
    "adaptive-avgpool": {"input": None, "output_size": None},
    **dict.fromkeys(("mean", "sum", "amax"), _REDUCED),
    "pad": {"input": None, "pad": None, "mode": "constant", "value": None},
    "interpolate": {
        **{"input": None, "size": None, "scale_factor": None, "mode": "nearest", "align_corners": None},
        **{"recompute_scale_factor": None, "antialias": False},
    },
    "batchnorm": {
        **{"input": None, "running_mean": None, "running_var": None, **_SCALED},
        **{"training": False, "momentum": 0.1, "eps": 1e-5},
    },
    "instancenorm": {
        **{"input": None, "running_mean": None, "running_var": None, **_SCALED},
        **{"use_input_stats": True, "momentum": 0.1, "eps": 1e-5},
    },
    "layernorm": {"input": None, "normalized_shape": None, **_SCALED, "eps": 1e-5},
    "groupnorm": {"input": None, "num_groups": None, **_SCALED, "eps": 1e-5},
    **{kind: {**_PAIR, "alpha": 1} for kind in ("add", "sub", "rsub")},
    **dict.fromkeys(("mul", "rdiv"), _PAIR),
    "div": {**_PAIR, "rounding_mode": None},
    **{kind: {"input": None, "dim": None, "_stacklevel": 3, "dtype": None} for kind in ("softmax", "log-softmax")},
    **dict.fromkeys(("relu", "relu6", "selu", "silu", "mish", "hardsigmoid", "hardswish"), _SWITCH),
    **{kind: {"input": None, "alpha": 1.0, "inplace": False} for kind in ("elu", "celu")},
    **{kind: {"input": None} for kind in ("sigmoid", "log-sigmoid", "tanh", "softsign")},
    **{kind: {"input": None} for kind in ("neg", "abs", "exp", "log", "sqrt", "square")},
    "leaky-relu": {"input": None, "negative_slope": 0.01, "inplace": False},
    "prelu": {"input": None, "weight": None},
    "gelu": {"input": None, "approximate": "none"},
    "hardtanh": {"input": None, "min_val": -1.0, "max_val": 1.0, "inplace": False},
    "softplus": {"input": None, "beta": 1, "threshold": 20},
    "threshold": {"input": None, "threshold": None, "value": None, "inplace": False},
    "clamp": {"input": None, "min": None, "max": None},
    "pow": {"input": None, "exponent": None},
    **{kind: {"input": None} for kind in ("identity", "reshape")},  # modules that change no number
}

# The result holds values of the input, moved: which ones is found by moving their numbers in the same way.
MOVES = frozenset({
    "cat", "stack", "hstack", "vstack", "permute", "transpose", "t", "T", "mT", "swapaxes", "swapdims", "movedim",
    "getitem", "chunk", "split", "tensor-split", "narrow", "select", "unbind", "index-select", "flip", "roll", "expand",
    "expand-as", "broadcast-to", "repeat", "repeat-interleave", "tile", "pixel-shuffle", "pixel-unshuffle",
    "channel-shuffle", "rearrange",  # rearrange: a module that takes only such steps
})  # fmt: skip

# Nothing happens to the numbers or their order. Dropout is here because networks are looked at in eval mode.
SILENT = frozenset({
    "view", "view-as", "reshape", "reshape-as", "flatten", "unflatten", "ravel", "contiguous", "squeeze", "unsqueeze",
    "to", "float", "type", "type-as", "cpu", "cuda", "clone", "detach", "data", "requires-grad", "dropout", "dropout1d",
    "dropout2d", "dropout3d", "alpha-dropout", "feature-alpha-dropout", "feature-dropout",
})  # fmt: skip


# Made in the likeness of a tensor, but not from its numbers.
FRESH = frozenset({f"new-{word}" for word in ("zeros", "ones", "empty", "full", "tensor")}) | frozenset(
    {f"{word}-like" for word in ("zeros", "ones", "empty", "full", "rand", "randn")}
)

# A number leaves torch for Python here, and what it does there is not seen.
LEAVING = frozenset({"item", "tolist", "numpy", "array", "float", "int", "bool", "index"})

LAST = {4: channels_last, 5: channels_last_3d}  # by axes, the layout in memory with the channels last


def kind_of(function: Callable) -> str:
    """The word for a function of torch, e.g. "conv" for F.conv2d and "add" for Tensor.add_ and `x + y`."""
    name = function.__name__
    if name == "__get__":  # a property such as x.T
        name = function.__self__.__name__
    name = name.strip("_").removesuffix("_with_indices")
    return _WORDS.get(name, name.replace("_", "-"))


def gives_tensors(function: Callable) -> bool:
    """False for properties such as x.shape, which are no operations."""
    return function.__name__ != "__get__" or function.__self__.__name__ in {"T", "mT", "H", "mH", "data", "real"}


def in_place(function: Callable, args: tuple, settings: dict[str, Any], kwargs: dict[str, Any]) -> bool:
    """Whether a call changes its first argument."""
    name = function.__name__
    written = name.endswith("_") and not name.endswith("__")
    asked = written or name == "__setitem__" or settings.get("inplace") or kwargs.get("inplace")
    return bool(asked and args and isinstance(args[0], Tensor))


def draws(kind: str, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether a call is a dropout that works in eval mode too."""
    return "dropout" in kind and bool(kwargs.get("training", args[2] if len(args) > 2 else True))


def bind(kind: str, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Every argument of a call by its name, defaults included; {} for a kind that the table does not know."""
    names = TABLE.get(kind, {})
    if len(args) > len(names):  # e.g. mean(x, 2, 3), which torch itself refuses, or an unknown kind
        return {}
    named = {("dim" if name == "axis" else name): value for name, value in kwargs.items()}
    return {**names, **dict(zip(names, args, strict=False)), **named} if names else {}


@dataclass(frozen=True, slots=True)
class Source:
    """A recorded tensor where an operation read it: the layer (-1: the picture), the shape that was read, and whether
    it lies in memory with the channels last."""

    layer: int
    shape: tuple[int, ...]  # with the batch axis
    channels_last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What an operation was called with: recorded tensors as `Source`, weights and constants as they are.

    settings: every argument by name, where `TABLE` knows the kind. result: which tensor of the results this is.
    shape: of that tensor, with the batch axis.
    """

    function: Callable | None = None
    args: tuple = ()
    kwargs: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    result: int = 0
    shape: tuple[int, ...] = ()


def every(kind: type[Kind], value: Any) -> Iterator[Kind]:
    """Every `Source`, or every tensor, in nested lists, tuples and dicts, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from every(kind, part)


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """`value` with every tensor and `Source` in nested lists, tuples and dicts replaced by `change` of it."""
    if isinstance(value, Tensor | Source):
        return change(value)
    if isinstance(value, dict):
        return {key: changed(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, Size):
        parts = [changed(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_make") else type(value)(parts)
    return value


def facts(settings: dict[str, Any]) -> dict[str, Any]:
    """What a reader wants to know of an operation: those of its settings that are numbers or words."""
    known = {"kernel": tuple(settings["weight"].shape[2:])} if isinstance(settings.get("weight"), Tensor) else {}
    for name, value in settings.items():
        plain = value if isinstance(value, list | tuple) else (value,)
        is_plain = all(type(part) in {int, float, bool, str} for part in plain)
        if is_plain and name not in {"inplace", "momentum", "_stacklevel", "return_indices", "keepdim"}:
            known["kernel" if name == "kernel_size" else name] = tuple(value) if isinstance(value, list) else value
    words = {math.inf: "infinity", -math.inf: "-infinity"}  # facts go into JSON
    return {name: words.get(value, value) for name, value in known.items() if value != ()}


def in_eval(module: nn.Module, x: Tensor) -> Tensor:
    """What a module without children does, apart from dropout."""
    with evaluated(module):
        return module.forward(x)


def unknown(kind: str, call: Call) -> str:
    """Why the arithmetic of a call is not known, in words; "" where it is."""
    settings = call.settings or {}
    if kind in MOVES:
        if kind in {"cat", "stack", "hstack", "vstack"} or len(list(every(Source, (call.args, call.kwargs)))) == 1:
            return ""
        return f"{kind} at places that depend on the picture"
    if kind not in TABLE or not settings:
        return kind
    for name, value in settings.items():
        if name not in {"input", "other"} and any(every(Source, value)):
            return f"{kind} with a {name} that depends on the picture"
    if call.result:
        return f"the indices of {kind}"
    if settings.get("mode") in {"bicubic", "area"} or settings.get("antialias"):
        return f"{kind} with mode {settings['mode']}"
    if settings.get("rounding_mode") or settings.get("dtype") or (kind.endswith("softmax") and settings["dim"] is None):
        return f"{kind} with these settings"
    return ""
