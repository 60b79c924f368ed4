"""Text to layers: a line of the notation becomes an ordinary torch.nn network."""

import math
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from striate.errors import StriateError
from striate.network import blocks
from striate.network.catalog import CATALOG, line_of
from striate.network.text import Layer, flat, parse, times, to_text
from striate.network.weights import initialise

Shape = tuple[int, ...]  # without the batch: (C, W), (C, H, W), (C, D, H, W), or (features,)

MOST_WEIGHTS = 1_000_000_000  # of one layer: 4 GB


class Network(nn.Sequential):
    """A network made from a line of text: its layers in order, each named by kind and number.

    text: the line, with `classes` replaced by the number of outputs.
    input_shape: (C, H, W) of the pictures it was sized for; other sizes run where the layers allow.
    output_shape: of one picture, e.g. (10,).
    """

    def __init__(self, text: str, input_shape: Shape) -> None:
        super().__init__()
        self.text, self.input_shape = text, input_shape
        self.output_shape = _fill(self, flat(parse(text)), input_shape)

    def logits(self, x: Tensor) -> Tensor:
        """The output before a closing softmax or sigmoid, which losses need for exact gradients."""
        for layer in self.up_to_logits():
            x = layer(x)
        return x

    def up_to_logits(self) -> list[nn.Module]:
        """The layers without a closing softmax or sigmoid."""
        layers = list(self)
        return layers[:-1] if isinstance(layers[-1], nn.Softmax | nn.Sigmoid) else layers

    def members(self) -> list[Callable[[Tensor], Tensor]]:
        """What gives logits, each to learn by itself: the members of an ensemble, or the network."""
        return [*self[0].children()] if isinstance(self[0], blocks.Ensemble) else [self.logits]


def logits_of(network: nn.Module, x: Tensor) -> Tensor:
    """A network's output before a closing softmax or sigmoid (a stranger's network: its output)."""
    return network.logits(x) if hasattr(network, "logits") else network(x)


def network(
    name_or_line: str, input_shape: tuple[int, ...] | None = None, classes: int | None = None, seed: int = 0
) -> Network:
    """The network of a catalogue name or of a line of layers, randomly initialised from `seed`.

    input_shape: (channels, height, width); a catalogue network knows its own. classes: the number that the
    word `classes` stands for. The result is a torch.nn.Sequential with `.text`, the line it was made from.

    >>> striate.network("hela")                                              # doctest: +SKIP
    >>> striate.network("conv 8 3, relu, globalavgpool, dense 2", (1, 28, 28))   # doctest: +SKIP
    """
    line, entry = line_of(name_or_line), CATALOG.get(name_or_line.strip())
    if input_shape is None:
        if entry is None:
            rule = "a network written as a line needs the shape of its pictures"
            remedy = "give (channels, height, width), e.g. (1, 50, 50)"
            raise StriateError(rule, received="none", where="input_shape", remedy=remedy)
        input_shape = (entry.channels, entry.height, entry.width)
    if classes is None:
        if entry is None and "classes" in line:
            raise StriateError("a line with the word classes needs their number", where="classes", remedy="e.g. 10")
        classes = entry.classes if entry else 1
    return build(line, tuple(input_shape), classes, seed)


def build(line: str, input_shape: Shape, classes: int, seed: int = 0) -> Network:
    """The network of a line, randomly initialised from `seed`; torch's global random state is kept.

    input_shape: (channels, height, width), without the batch.
    """
    layers = parse(line)
    _require_whitening_first(flat(layers))
    text = to_text(_resolve(layers, classes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(text, tuple(input_shape))
        initialise(network)
    return network


def _require_whitening_first(layers: tuple[Layer, ...], starts: bool = True) -> None:
    """A whitening layer has the pictures themselves before it; starts: whether these layers have."""
    for number, layer in enumerate(layers):
        is_first = starts and not number
        if layer.kind == "whiten" and not is_first:
            rule = "whiten is the first layer of a network, since its filters are made from the pictures"
            raise StriateError(rule, received=to_text((layer,)), where="the network's line", remedy="use conv there")
        _require_whitening_first(layer.body, is_first)


def _resolve(layers: tuple[Layer, ...], classes: int) -> tuple[Layer, ...]:
    def resolved(layer: Layer) -> Layer:
        values = tuple((name, classes if value == "classes" else value) for name, value in layer.values)
        return Layer(layer.kind, values, _resolve(layer.body, classes))

    return tuple(map(resolved, layers))


def _fill(into: nn.Sequential, layers: tuple[Layer, ...], shape: Shape) -> Shape:
    """Add the modules of layers, named by kind and number; the shape of one picture after them."""
    counts: Counter[str] = Counter()
    for layer in layers:
        counts[layer.kind] += 1
        name = f"{layer.kind.replace('-', '_')}{counts[layer.kind]}"
        (*before, module), shape = _make(layer, shape)
        for pad in before:
            into.add_module(f"{name}_pad", pad)
        into.add_module(name, module)
    return shape


def _make(layer: Layer, shape: Shape) -> tuple[list[nn.Module], Shape]:
    """The module of one layer, behind its padding where it has one, and the shape after it."""
    kind = layer.kind
    if kind in _ELEMENTWISE:
        return [_ELEMENTWISE[kind](layer)], shape
    if kind == "ensemble":
        members = [nn.Sequential() for _ in range(times(layer))]
        after = [_fill(member, layer.body, shape) for member in members]
        return [blocks.Ensemble(members)], after[0]
    if kind == "flatten":
        return [blocks.Flatten()], (math.prod(shape),)
    if kind == "dense":
        if len(shape) != 1:
            raise _misfit(layer, shape, "dense takes one row of numbers", "put flatten or globalavgpool before it")
        units = int(layer.get("units"))
        _require_room(layer, shape, shape[0] * units)
        return [nn.Linear(shape[0], units, bias=layer.get("bias") == "yes")], (units,)
    if kind == "batchnorm":
        return [blocks.BATCHNORMS[max(len(shape) - 2, 0)](shape[0])], shape
    if kind == "groupnorm":
        if shape[0] % (groups := int(layer.get("groups"))):
            raise _misfit(layer, shape, f"groups must divide the {shape[0]} maps", "change groups")
        return [nn.GroupNorm(groups, shape[0])], shape
    if len(shape) < 2:
        raise _misfit(layer, shape, f"{kind} takes feature maps", "put it before flatten and the global pools")
    if kind == "residual":
        return _residual(layer, shape)
    if kind == "skip":
        return _skip(layer, shape)
    if kind in {"globalmaxpool", "globalavgpool"}:
        return [blocks.GlobalMaxPool() if kind == "globalmaxpool" else blocks.GlobalAvgPool()], shape[:1]
    return _window(layer, shape)


def _residual(layer: Layer, shape: Shape) -> tuple[list[nn.Module], Shape]:
    body, shortcut = nn.Sequential(), nn.Sequential()
    written = layer.body[-1] if layer.body[-1].kind == "shortcut" else None
    after = _fill(body, layer.body[:-1] if written else layer.body, shape)
    if written:
        if (beside := _fill(shortcut, written.body, shape)) != after:
            rule = f"a shortcut must reach the size of its body, {shape_text(after)}"
            raise _misfit(written, shape, rule, f"it makes {shape_text(beside)}")
    elif after != shape:
        shortcut.extend(_averaging(layer, shape, after))
    return [blocks.Residual(body, shortcut)], after


def _skip(layer: Layer, shape: Shape) -> tuple[list[nn.Module], Shape]:
    body = nn.Sequential()
    after = _fill(body, layer.body, shape)
    if len(after) != len(shape):
        remedy = "leave flatten and global pools out of it"
        raise _misfit(layer, shape, "a skip puts feature maps beside feature maps", remedy)
    return [blocks.Skip(body)], (shape[0] + after[0], *shape[1:])


def _window(layer: Layer, shape: Shape) -> tuple[list[nn.Module], Shape]:
    """Convolutions and pools: everything that slides a window over the maps."""
    spatial, dimensions = shape[1:], len(shape) - 1
    is_pool = layer.kind.endswith("pool")
    kernel = _sizes(layer, "size" if is_pool else "kernel", dimensions, shape)
    stride = _sizes(layer, "stride", dimensions, shape) if layer.get("stride") else kernel
    dilation = (1,) * dimensions if layer.kind != "conv" else _sizes(layer, "dilation", dimensions, shape)
    padding, pad = _padding(layer, kernel, stride, dilation, shape)
    amounts = pad.amounts(spatial) if pad else [(n, n) for n in padding]
    after = tuple(
        (size + sum(amount) - d * (k - 1) - 1) // s + 1
        for size, amount, k, s, d in zip(spatial, amounts, kernel, stride, dilation, strict=True)
    )
    if min(after) < 1:
        remedy = "use larger pictures (--img-size) or fewer layers"
        raise _misfit(layer, shape, "a window must fit into its maps", remedy)
    maps = shape[0] if is_pool else int(layer.get("filters"))
    if layer.kind == "maxpool":
        made = blocks.MAXPOOLS[dimensions - 1](kernel, stride, padding)
    elif layer.kind == "avgpool":
        made = blocks.AVGPOOLS[dimensions - 1](kernel, stride, padding, count_include_pad=False)
    elif layer.kind == "conv":
        groups = _require_groups(layer, shape, kernel)
        kind, has_bias = blocks.CONVOLUTIONS[dimensions - 1], layer.get("bias") == "yes"
        made = kind(shape[0], maps, kernel, stride, padding, dilation, groups, bias=has_bias)
    elif dimensions == 2:  # whiten, the only one left
        made = blocks.Whiten2d(shape[0], maps, kernel, stride)
    else:
        raise _misfit(layer, shape, "whiten takes pictures", "use conv")
    return [*([pad] if pad else []), made], (maps, *after)


def _require_groups(layer: Layer, shape: Shape, kernel: tuple[int, ...]) -> int:
    """The groups of a convolution, once they fit its channels and filters, and its weights the memory."""
    channels, filters, groups = shape[0], int(layer.get("filters")), int(layer.get("groups"))
    if channels % groups or filters % groups:
        rule = f"groups must divide {channels} input channels and {filters} filters"
        raise _misfit(layer, shape, rule, "change groups")
    _require_room(layer, shape, channels * filters * math.prod(kernel) // groups)
    return groups


_ELEMENTWISE: dict[str, Callable[[Layer], nn.Module]] = {
    "relu": lambda layer: nn.ReLU(),
    "leaky-relu": lambda layer: nn.LeakyReLU(float(layer.get("slope"))),
    "elu": lambda layer: nn.ELU(float(layer.get("alpha"))),
    "silu": lambda layer: nn.SiLU(),
    "gelu": lambda layer: nn.GELU(),
    "tanh": lambda layer: nn.Tanh(),
    "sigmoid": lambda layer: nn.Sigmoid(),
    "softmax": lambda layer: nn.Softmax(dim=1),
    "dropout": lambda layer: blocks.Dropout(float(layer.get("rate"))),
    "scale": lambda layer: blocks.Scale(float(layer.get("factor"))),
}


def _averaging(layer: Layer, shape: Shape, after: Shape) -> list[nn.Module]:
    """The shortcut that a line does not write: a mean where the size changes, then a 1x1 convolution."""
    ratios = {math.ceil(before / now) for before, now in zip(shape[1:], after[1:], strict=False)}
    ratio = ratios.pop() if ratios else 1
    if len(after) != len(shape) or ratios or tuple(math.ceil(size / ratio) for size in shape[1:]) != after[1:]:
        rule = f"a shortcut must reach the size of its body, {shape_text(after)}"
        raise _misfit(layer, shape, rule, "use padding=same, or write shortcut(...) last in the brackets")
    mean = [blocks.AVGPOOLS[len(shape) - 2](ratio, ceil_mode=True, count_include_pad=False)] if ratio > 1 else []
    return [*mean, blocks.CONVOLUTIONS[len(shape) - 2](shape[0], after[0], 1, bias=False)]


def _sizes(layer: Layer, name: str, dimensions: int, shape: Shape) -> tuple[int, ...]:
    value = layer.get(name)
    sizes = (value,) * dimensions if isinstance(value, int) else tuple(value)
    if len(sizes) != dimensions:
        raise _misfit(layer, shape, f"{name} has one number, or one per axis ({dimensions})", "write e.g. 3 or 3x5")
    return sizes


def _padding(
    layer: Layer, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], shape: Shape
) -> tuple[tuple[int, ...], blocks.SamePad | None]:
    """(symmetric padding, None) where that is enough, else (zeros, a SamePad to put before the window)."""
    none = (0,) * len(kernel)
    if layer.kind == "whiten" or layer.get("padding") == "valid":
        return none, None
    if layer.get("padding") != "same":
        padding = _sizes(layer, "padding", len(kernel), shape)
        if layer.kind != "conv" and any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise _misfit(layer, shape, "padding of a pool is at most half its size", "use a smaller padding")
        return padding, None
    if all(s == 1 and d * (k - 1) % 2 == 0 for k, s, d in zip(kernel, stride, dilation, strict=True)):
        return tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)), None
    if layer.kind == "avgpool":
        remedy = "use an odd size with stride=1, or a number as padding"
        raise _misfit(layer, shape, "avgpool pads on both sides alike", remedy)
    return none, blocks.SamePad(kernel, stride, dilation, -math.inf if layer.kind == "maxpool" else 0.0)


def _require_room(layer: Layer, shape: Shape, weights: int) -> None:
    """A slip of the finger must not ask for more memory than there is."""
    if weights > MOST_WEIGHTS:
        remedy = "use fewer filters or units, or pools before flatten"
        raise _misfit(layer, shape, f"one layer has at most {MOST_WEIGHTS:,} weights, not {weights:,}", remedy)


def _misfit(layer: Layer, shape: Shape, rule: str, remedy: str) -> StriateError:
    received = f"{to_text((layer,))} on {shape_text(shape)}"
    return StriateError(rule, received=received, where="the network's line", remedy=remedy)


def shape_text(shape: Shape) -> str:
    return "×".join(map(str, shape))
