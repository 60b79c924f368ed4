"""Which places of its input an operation reads, along each axis: the one description that all else follows from.

The ledger of a number reads exactly these places, and its receptive field is where they come to lie.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from striate.inside.operations import LAST, Call, Source

# Per axis of an input: None (all places), or the axis of the output that decides and a function from its
# places (n,) to the places read (n, k), in the order of the weights; a place outside the input is padding.
Along = tuple[int, Callable[[np.ndarray], np.ndarray]] | None

NOTHING = -(1 << 40)  # a place that no input stands at: a weight of a transposed convolution that falls in a gap


def per_axis(value: Any, axes: int) -> tuple:
    """A setting of torch as one value per spatial axis."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * axes if len(values) == 1 else values


def reach(kind: str, call: Call, source: Source) -> list[Along]:
    """What an output place reads, along each axis of `source` as the operation saw it."""
    if kind in _REACH:
        return _REACH[kind](kind, call, source)
    extra = len(call.shape) - len(source.shape)  # place by place, with axes of one place stretched
    return [(axis + extra, same if size > 1 else _zero) for axis, size in enumerate(source.shape)]


def same(places: np.ndarray) -> np.ndarray:
    """Every place reads the place of its own number."""
    return places[:, None]


def _zero(places: np.ndarray) -> np.ndarray:
    return np.zeros((len(places), 1), np.int64)


def _slide(count: int, stride: int, before: int, dilation: int) -> Callable[[np.ndarray], np.ndarray]:
    if (count, stride, before) == (1, 1, 0):
        return same
    return lambda places: places[:, None] * stride - before + dilation * np.arange(count)


def _spread(count: int, stride: int, before: int, dilation: int) -> Callable[[np.ndarray], np.ndarray]:
    """The other way round: the places whose filter, laid out with this stride, covers an output place."""

    def read(places: np.ndarray) -> np.ndarray:
        distance = places[:, None] + before - dilation * np.arange(count)
        return np.where(distance % stride == 0, distance // stride, NOTHING)

    return read


def _share(size: int, parts: int) -> Callable[[np.ndarray], np.ndarray]:
    """Adaptive pools: part p of `parts` takes the places from floor(p·size/parts) to ceil((p+1)·size/parts)."""

    def read(places: np.ndarray) -> np.ndarray:
        start, end = places * size // parts, -(-(places + 1) * size // parts)
        read = start[:, None] + np.arange((end - start).max(initial=1))
        return np.where(read < end[:, None], read, NOTHING)

    return read


def _convolution(kind: str, call: Call, source: Source) -> list[Along]:
    settings, weight = call.settings, call.settings["weight"]
    sizes = weight.shape[2:]
    axes, groups = len(sizes), settings["groups"]
    stride, dilation = per_axis(settings["stride"], axes), per_axis(settings["dilation"], axes)
    if settings["padding"] == "same":  # the odd one goes after
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, sizes, strict=True))
    else:
        padding = per_axis(0 if settings["padding"] == "valid" else settings["padding"], axes)
    first = len(call.shape) - axes
    window = _slide if kind == "conv" else _spread
    along = [
        (first + axis, window(*each)) for axis, each in enumerate(zip(sizes, stride, padding, dilation, strict=True))
    ]
    inputs, outputs = source.shape[first - 1] // groups, call.shape[first - 1] // groups
    grouped = (first - 1, lambda places: (places // outputs * inputs)[:, None] + np.arange(inputs))
    return [*[(axis, same) for axis in range(first - 1)], grouped if groups > 1 else None, *along]


def _pool(kind: str, call: Call, source: Source) -> list[Along]:
    settings, axes = call.settings, int(re.search(r"([123])d", call.function.__name__)[1])
    first = len(source.shape) - axes
    if "output_size" in settings:
        along = [(axis, _share(source.shape[axis], call.shape[axis])) for axis in range(first, len(source.shape))]
    else:
        sizes = per_axis(settings["kernel_size"], axes)
        stride = per_axis(settings["stride"] or sizes, axes)
        padding, dilation = per_axis(settings["padding"], axes), per_axis(settings.get("dilation", 1), axes)
        each = zip(sizes, stride, padding, dilation, strict=True)
        along = [(first + axis, _slide(*values)) for axis, values in enumerate(each)]
    return [*[(axis, same) for axis in range(first)], *along]


def _reduction(kind: str, call: Call, source: Source) -> list[Along]:
    axes, dim = len(source.shape), call.settings["dim"]
    dims = range(axes) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    gone, after, along = {axis % axes for axis in dims}, 0, []
    for axis in range(axes):
        along.append(None if axis in gone else (after, same))
        after += axis not in gone or call.settings["keepdim"]
    return along


def _padded(kind: str, call: Call, source: Source) -> list[Along]:
    """Which place each padded place copies: torch itself pads the numbers of the places."""
    amounts, mode = call.settings["pad"], call.settings["mode"]
    along: list[Along] = [(axis, same) for axis in range(len(source.shape))]
    for number in range(len(amounts) // 2):
        axis, pair = len(source.shape) - 1 - number, tuple(amounts[2 * number : 2 * number + 2])
        places = torch.arange(source.shape[axis], dtype=torch.float64)[None]
        value = {"value": NOTHING} if mode == "constant" else {}
        table = F.pad(places, pair, mode, **value)[0].long().numpy()
        along[axis] = (axis, lambda places, table=table: table[places][:, None])
    return along


@lru_cache(maxsize=64)
def blend(size: int, after: int, scale: float | None, mode: str, align: bool | None) -> np.ndarray:
    """The weights (after, size) with which torch mixes `size` places into `after` ones, in its own float32."""
    target = {"size": after} if scale is None else {"scale_factor": scale}
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    with torch.no_grad():
        return F.interpolate(torch.eye(size)[None], **target, mode=mode, align_corners=align)[0].T.double().numpy()


@lru_cache(maxsize=64)
def _nearest(source: Source, after: tuple[int, ...], scales: tuple[float | None, ...]) -> list[np.ndarray]:
    """As `blend`, of all axes at once: some kernels of torch take a factor near 1 or 2 for just that, and which kernel
    runs hangs on the axes, on all sides and on how the input lies in memory."""
    target, axes = {"size": after} if None in scales else {"scale_factor": scales}, len(after)
    layout = LAST[axes + 2] if source.channels_last else torch.contiguous_format
    tables = []
    for axis, size in enumerate(source.shape[2:]):
        places = torch.arange(float(size)).reshape(-1, *[1] * (axes - 1 - axis))
        places = places.expand(1, min(source.shape[1], 4), *source.shape[2:]).contiguous(memory_format=layout)
        read = F.interpolate(places, **target, mode="nearest")[0, 0].movedim(axis, 0)
        tables.append(np.eye(size)[read.reshape(after[axis], -1)[:, 0].long().numpy()])
    return tables


def blends(call: Call, source: Source) -> list[np.ndarray]:
    """`blend` of each spatial axis."""
    settings, axes = call.settings, len(source.shape) - 2
    given = None if settings["recompute_scale_factor"] else settings["scale_factor"]
    scales = per_axis(given, axes)
    if settings["mode"] == "nearest":
        return _nearest(source, call.shape[2:], scales)
    sizes = zip(source.shape[2:], call.shape[2:], scales, strict=True)
    return [blend(*size, settings["mode"], settings["align_corners"]) for size in sizes]


def _interpolation(kind: str, call: Call, source: Source) -> list[Along]:
    def reading(weights: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        def read(places: np.ndarray) -> np.ndarray:
            used = weights[places] != 0
            count = used.sum(1).max()
            first = np.argsort(~used, axis=1, kind="stable")[:, :count]
            return np.where(np.take_along_axis(used, first, 1), first, NOTHING)

        return read

    return [(0, same), (1, same), *[(axis + 2, reading(w)) for axis, w in enumerate(blends(call, source))]]


def _normalised(kind: str, call: Call, source: Source) -> list[Along]:
    """Norms with fixed statistics work place by place; others see what they take the mean over."""
    settings, axes = call.settings, len(source.shape)
    if kind == "layernorm":
        whole = set(range(axes - len(settings["normalized_shape"]), axes))
    elif kind.endswith("softmax"):
        whole = {settings["dim"] % axes}
    elif kind == "groupnorm":
        whole = set(range(1, axes))
    elif settings["training"] if kind == "batchnorm" else settings["use_input_stats"]:
        whole = set(range(axes)) - {1}
    else:
        whole = set()
    return [None if axis in whole else (axis, same) for axis in range(axes)]


_REACH: dict[str, Callable[[str, Call, Source], list[Along]]] = {
    **dict.fromkeys(("conv", "transposed-conv"), _convolution),
    **dict.fromkeys(("maxpool", "avgpool", "adaptive-maxpool", "adaptive-avgpool"), _pool),
    **dict.fromkeys(("mean", "sum", "amax"), _reduction),
    **dict.fromkeys(("batchnorm", "instancenorm", "layernorm", "groupnorm", "softmax", "log-softmax"), _normalised),
    "linear": lambda kind, call, source: [*[(axis, same) for axis in range(len(source.shape) - 1)], None],
    "pad": _padded,
    "interpolate": _interpolation,
}
