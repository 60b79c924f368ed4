"""What a network is made of, layer by layer: shapes, parameters, operations, receptive field."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from striate.device import evaluated
from striate.errors import aligned
from striate.network import blocks
from striate.network.build import shape_text


@dataclass(frozen=True, slots=True)
class Row:
    """One layer for one picture.

    output_shape: without the batch. parameters: weights and biases, `fixed` of them not trained.
    operations: multiplications and additions (2 per multiply-accumulate).
    field: side lengths in pixels of the part of the picture that one output value can see, cut at the
        picture's size; () where that is not known.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    fixed: int
    operations: int
    field: tuple[int, ...]


def summarise(network: nn.Module, input_shape: tuple[int, ...]) -> list[Row]:
    """One row per layer without children, in order of execution; the network is left as it was.

    One black picture goes through it, and convolutions answer it with zeros. (torch's meta device would spare all
    arithmetic, but a norm there imports torch's compiler, which takes longer.)
    """
    fields = _fields(network, input_shape)
    rows: list[Row] = []

    def record(name: str, module: nn.Module, output: Tensor) -> None:
        own = list(module.parameters(recurse=False))
        rows.append(
            Row(
                name=name,
                kind=type(module).__name__,
                output_shape=tuple(output.shape[1:]),
                parameters=sum(p.numel() for p in own),
                fixed=sum(p.numel() for p in own if not p.requires_grad),
                operations=_operations(module, output),
                field=fields.get(name, ()),
            )
        )

    hooks = [
        module.register_forward_hook(lambda m, _, out, name=name: record(name, m, out))
        for name, module in network.named_modules()
        if not list(module.children()) and not (isinstance(module, nn.Sequential) and len(module) == 0)
    ]
    first = next(network.parameters(), torch.zeros(()))
    try:
        with torch.no_grad(), evaluated(network), _Unmultiplied():
            network(torch.zeros(1, *input_shape, device=first.device, dtype=first.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def total_operations(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Operations of one picture's forward pass (convolutions and dense layers)."""
    return sum(row.operations for row in summarise(network, input_shape))


def summary_text(network: nn.Module, input_shape: tuple[int, ...], noun: str = "picture") -> str:
    """The table that `striate summary` prints, with one member of an ensemble. noun: what one sample is called."""
    rows = summarise(network, input_shape)
    name, first = next(network.named_children(), ("", network))
    members = dict(first.named_children()) if isinstance(first, blocks.Ensemble) else {}
    others = [f"{name}.{member}" for member in members][1:]
    cells = [("layer", "output", "parameters", "operations", "receptive field")]
    cells += [(noun, shape_text(input_shape), "", "", shape_text((1,) * len(input_shape[1:])))]
    cells += [
        (
            row.name,
            shape_text(row.output_shape),
            f"{row.parameters:,}" + (" (fixed)" if row.fixed and row.fixed == row.parameters else ""),
            count_text(row.operations),
            shape_text(row.field) or "?",
        )
        for row in rows
        if not row.name.startswith(tuple(f"{other}." for other in others))
    ]
    lines = aligned(cells, right=(2, 3))
    rule = "─" * max(len(line) for line in lines)
    parameters, fixed = sum(row.parameters for row in rows), sum(row.fixed for row in rows)
    total = f"{parameters:,} parameters" + (f" ({fixed:,} of them fixed)" if fixed else "")
    operations = count_text(sum(row.operations for row in rows))
    closing = f"{total}, {parameters * 4 / 1e6:,.2f} MB; {operations} operations per {noun}"
    if others:
        lines.append(f"{' to '.join(dict.fromkeys((others[0], others[-1])))}: the same layers, other weights")
    return "\n".join([lines[0], rule, *lines[1:], rule, closing])


def count_text(number: int) -> str:
    """A large count for people: 1,234 or 1.2 M or 3.4 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:,}"


class _Unmultiplied(TorchFunctionMode):
    """Inside, convolutions answer with zeros, of the shape that one filter on one channel gives."""

    def __torch_function__(
        self, called: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if called not in (F.conv1d, F.conv2d, F.conv3d) or kwargs:
            return called(*args, **(kwargs or {}))
        x, weight, _, *how = args
        one = called(x[:, :1], weight[:1, :1], None, *how[:3])
        return one.new_zeros(len(one), len(weight), *one.shape[2:])


def _operations(module: nn.Module, output: Tensor) -> int:
    """2 per multiply-accumulate of convolutions and dense layers, plus 1 per added bias; others count 0."""
    if not isinstance(module, (*blocks.CONVOLUTIONS, nn.Linear)):
        return 0
    per_output = 2 * math.prod(module.weight.shape[1:]) - (module.bias is None)
    return output[0].numel() * per_output


@dataclass(frozen=True, slots=True)
class _Reach:
    """Per axis: how many pixels one value sees, and how many pixels apart two neighbours lie."""

    sees: tuple[int, ...]
    step: tuple[int, ...]

    def slide(self, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> "_Reach":
        sees = tuple(s + d * (k - 1) * j for s, k, d, j in zip(self.sees, kernel, dilation, self.step, strict=True))
        return _Reach(sees, tuple(j * s for j, s in zip(self.step, stride, strict=True)))


def _fields(network: nn.Module, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Receptive field by layer name, for networks of plain sequences and our blocks."""
    spatial = tuple(input_shape[1:])
    fields: dict[str, tuple[int, ...]] = {}

    def walk(module: nn.Module, name: str, reach: _Reach | None) -> _Reach | None:
        if isinstance(module, nn.Sequential):
            for child, part in module.named_children():
                reach = walk(part, f"{name}.{child}" if name else child, reach)
            return reach
        if isinstance(module, blocks.Residual | blocks.Ensemble):
            ends = [walk(part, f"{name}.{key}", reach) for key, part in module.named_children()]
            known = [end for end in ends if end is not None]
            if len(known) < len(ends):
                return None
            return _Reach(tuple(map(max, zip(*(end.sees for end in known), strict=True))), known[0].step)
        if isinstance(module, blocks.Skip):
            inner = walk(module.body, f"{name}.body", reach)
            return None if reach is None or inner is None else _beside(reach, inner)
        reach = _after(module, reach, spatial)
        if reach is not None:
            fields[name] = tuple(min(s, size) for s, size in zip(reach.sees, spatial, strict=True))
        return reach

    walk(network, "", _Reach((1,) * len(spatial), (1,) * len(spatial)))
    return fields


def _beside(outer: _Reach, inner: _Reach) -> _Reach:
    """Of a skip: what comes back from a coarser grid is interpolated between two neighbours of it."""
    sees = (i + j * (j != o) for i, j, o in zip(inner.sees, inner.step, outer.step, strict=True))
    return _Reach(tuple(map(max, sees, outer.sees)), outer.step)


def _after(module: nn.Module, reach: _Reach | None, spatial: tuple[int, ...]) -> _Reach | None:
    if isinstance(module, nn.Linear | blocks.GlobalMaxPool | blocks.GlobalAvgPool):
        return _Reach(spatial, (1,) * len(spatial))
    if reach is None or list(module.children()):
        return None
    if isinstance(module, nn.GroupNorm):  # each value depends on all of its group's maps
        return _Reach(spatial, reach.step)
    if isinstance(module, blocks.CONVOLUTIONS + blocks.MAXPOOLS + blocks.AVGPOOLS):
        window = (module.kernel_size, module.stride, getattr(module, "dilation", 1))
        return reach.slide(*(_per_axis(value, len(spatial)) for value in window))
    return reach


def _per_axis(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
