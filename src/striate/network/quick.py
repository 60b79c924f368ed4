"""Layers for a copy that computes in bf16 on a processor: torch's numbers, in fewer and cheaper passes over memory.

bf16 numbers from 0 on have the order of their bits as whole numbers, and a product with 0 or 1 is the same in both
readings. torch computes with 16-bit whole numbers about four times as fast as with bf16, which it widens and narrows.
Pieces of a few pictures stay in the cache from one operation to the next.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from striate.device import memory_format
from striate.network.blocks import BATCHNORMS, CONVOLUTIONS, Dropout, Residual, SamePad

Pair = tuple[Tensor, Tensor]
Size = tuple[int, int]

# Layers whose output is a new tensor that they do not need again.
FRESH = (*CONVOLUTIONS, nn.Linear, *BATCHNORMS, Residual)
MANY, MANY_FOR_WEIGHTS = 2, 10  # patches for each filter, up to which a product is faster than a convolution
NARROW, ROWS = 8, 4  # pixels of a row, up to which pictures are laid beside each other, in so many long rows
PIECE = 1 << 19  # values that are worked on at a time


def quicken_all(network: nn.Module) -> None:
    """Make a bf16 copy, in place, compute in all the ways below."""
    multiply_filters(network)
    quicken(network)
    add_over(network)


def quicken(network: nn.Module) -> None:
    """Exchange runs of layers that begin with a ReLU, in place, for others that do the same."""
    for run in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        names = list(run._modules)
        for number, layer in enumerate([*run]):
            if type(layer) is nn.ReLU:
                fresh = number > 0 and isinstance(run[number - 1], FRESH)
                found = _quick([*run, nn.Identity(), nn.Identity()][number + 1 : number + 3], fresh)
                for name, quick in zip(names[number:], found, strict=False):
                    setattr(run, name, quick)


def add_over(network: nn.Module) -> None:
    """Let residual blocks, in place, add their input to the output of their last layer, where nothing else needs it."""
    for block in network.modules():
        if type(block) is Residual and isinstance([*block.body][-1], (*FRESH, nn.SiLU)):
            block.__class__ = ResidualOver


class ResidualOver(Residual):
    """Residual that writes over what its body gives."""

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).add_(self.shortcut(x))


def _quick(following: list[nn.Module], fresh: bool) -> list[nn.Module]:
    """What to put in place of a ReLU and of none, one or both of the two layers that follow it; fresh: whether the ReLU
    may write over what it is given."""
    after, then = following
    if isinstance(after, SamePad) and after.value == 0:
        return [Relu(after), nn.Identity()]
    if not isinstance(after, nn.MaxPool2d):
        return [Relu(None, fresh)]
    sizes = [(n, n) if isinstance(n, int) else tuple(n) for n in (after.stride, after.kernel_size, after.padding)]
    if max(sizes[0]) > 1:  # the largest of what has risen is the largest, risen, and there are fewer of those
        return [after, Relu(None)]
    if sizes[1:] != [(2, 2), (0, 0)] or after.dilation != 1:
        return [Relu(None, fresh)]
    drops = isinstance(then, Dropout)
    return [ReluPool(then if drops else None), nn.Identity(), *[nn.Identity()] * drops]


def multiply_filters(network: nn.Module) -> None:
    """Make convolutions, in place, compute with one matrix product where that is faster."""
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.groups == 1 and set(layer.dilation) == {1}:
            layer.__class__ = Conv2d  # the same weights, and whoever holds the layer holds the new one
        elif type(layer) is nn.Linear:
            layer.__class__ = Linear


class Conv2d(nn.Conv2d):
    """nn.Conv2d whose weight gradient is found in other ways where maps are small.

    oneDNN sums it row by row, in pieces of 32 pixels, so that of a row of seven most is empty: pictures beside each
    other make rows that are long. Where there are few patches for each filter, one product of them is faster still:
    for 512 filters on maps of 4x4 six times.
    """

    def forward(self, x: Tensor) -> Tensor:
        sides = zip(x.shape[2:], self.padding, self.kernel_size, self.stride, strict=True)
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size, padding, kernel, stride in sides)
        each = len(x) * height * width / self.out_channels
        if each > MANY_FOR_WEIGHTS and not _is_narrow(x.shape[2:], (height, width), self.stride):
            return super().forward(x)
        return _Conv.apply(x, self.weight, self.bias, self.stride, self.padding, height if each <= MANY else 0)


class _Conv(Function):
    """The weight gradient by another way; all by products where the `height` of the output is given, not 0."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, height: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.biased, ctx.multiplied = stride, padding, bias is not None, bool(height)
        fits = all(p < k for p, k in zip(padding, weight.shape[2:], strict=True))
        ctx.turned = ctx.multiplied and stride == (1, 1) and fits and ctx.needs_input_grad[0]
        if not height:
            return F.conv2d(x, weight, bias, stride, padding)
        patches, filters = _patches(x, weight, stride, padding), weight.permute(0, 2, 3, 1).flatten(1).t()
        shape = (len(x), len(weight), height, len(patches) // len(x) // height)
        out = x.new_empty(shape).contiguous(memory_format=torch.channels_last)
        rows = out.permute(0, 2, 3, 1).view(-1, len(weight))
        torch.mm(patches, filters, out=rows) if bias is None else torch.addmm(bias, patches, filters, out=rows)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0] and not ctx.turned, False, ctx.biased]
        to_x, _, to_bias = _gradients(gradient, x, weight, ctx.stride, ctx.padding, wanted)
        if ctx.turned:  # the same as a convolution of the gradient with the kernels turned round
            border = tuple(k - 1 - p for k, p in zip(weight.shape[2:], ctx.padding, strict=True))
            turned = weight.permute(2, 3, 0, 1).flip(0, 1).reshape(-1, x.shape[1])
            to_x = (_patches(gradient, weight, (1, 1), border) @ turned).view(len(x), *x.shape[2:], -1).movedim(-1, 1)
        if not ctx.multiplied and _is_narrow(x.shape[2:], gradient.shape[2:], ctx.stride):
            beside = (_side_by_side(batch, ctx.padding[1]) for batch in (gradient, x))
            to_weight = _gradients(*beside, weight, ctx.stride, ctx.padding, [False, True, False])[1]
        else:
            rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
            to_weight = rows.t().contiguous() @ _patches(x, weight, ctx.stride, ctx.padding)
            to_weight = to_weight.view(len(weight), *weight.shape[2:], -1).permute(0, 3, 1, 2)
        return to_x, to_weight, to_bias, None, None, None


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: Size, padding: Size, wanted: list[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Those of a convolution to its input, weights and bias, by torch, of which are `wanted`."""
    biases = [len(weight)] if wanted[2] else None
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, biases, stride, padding, (1, 1), False, (0, 0), 1, wanted
    )


def _is_narrow(before: Sequence[int], after: Sequence[int], stride: Size) -> bool:
    """Whether maps are of few pixels a row, and as many before a convolution as after it."""
    return stride == (1, 1) and tuple(before) == tuple(after) and after[1] <= NARROW


def _side_by_side(x: Tensor, gap: int) -> Tensor:
    """(B, C, H, W) as (rows, C, H, B / rows x (W + gap)): pictures beside each other, with zeros between them."""
    pictures = x.permute(0, 2, 3, 1).unflatten(0, (math.gcd(len(x), ROWS), -1)).transpose(1, 2)
    rows, height, count, width, channels = pictures.shape
    whole = x.new_zeros(rows, height, count, width + gap, channels)
    whole[:, :, :, :width] = pictures
    return whole.flatten(2, 3).permute(0, 3, 1, 2)


class Linear(nn.Linear):
    """nn.Linear for x (B, N), whose weight gradient is the product of matrices that both lie row by row."""

    def forward(self, x: Tensor) -> Tensor:
        return _Linear.apply(x, self.weight, self.bias)


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        to_x = gradient @ weight if ctx.needs_input_grad[0] else None
        return to_x, gradient.t().contiguous() @ x, gradient.sum(0) if ctx.biased else None


def _patches(x: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """(B x height x width of the output, height x width of the kernel x C)."""
    around = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    windows = around.unfold(1, weight.shape[2], stride[0]).unfold(2, weight.shape[3], stride[1])
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


class Relu(nn.Module):
    """ReLU for bf16 of any shape, then perhaps a border of zeros. What is no number and has a minus becomes 0.

    over: writes over its input, which then no other layer may need.
    """

    def __init__(self, pad: SamePad | None, over: bool = False) -> None:
        super().__init__()
        self.pad, self.over = pad, over

    def forward(self, x: Tensor) -> Tensor:
        if self.over and not x.is_leaf:
            return _ReluOver.apply(x)
        return _Relu.apply(x, self.pad.amounts(tuple(x.shape[2:])) if self.pad else [])


class _Relu(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, amounts: list[tuple[int, int]]) -> Tensor:
        bits = _bits(x)
        sizes = [size + sum(amount) for size, amount in zip(x.shape[2:], amounts, strict=True)] if amounts else []
        shape = (*x.shape[: x.ndim - len(sizes)], *sizes)
        whole = torch.empty(shape, dtype=bits.dtype, memory_format=memory_format(x.ndim))
        for axis, (before, after) in enumerate(amounts, start=2):
            whole.narrow(axis, 0, before).zero_()
            whole.narrow(axis, whole.shape[axis] - after, after).zero_()
        inner = _within(whole, amounts)
        torch.clamp_min(bits, 0, out=inner)
        ctx.amounts = amounts
        ctx.save_for_backward(inner)
        return whole.view(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _passed_on(ctx.saved_tensors[0], _within(_bits(gradient), ctx.amounts)), None


class _ReluOver(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        ctx.save_for_backward(_bits(x).clamp_min_(0))
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _passed_on(ctx.saved_tensors[0], _bits(gradient))


def _passed_on(out: Tensor, gradient: Tensor) -> Tensor:
    """The gradient, both as bits, where the output is not 0."""
    result = torch.empty_like(out)
    for kept, given, into in _pieces(out, gradient, result):
        torch.clamp_max(kept, 1, out=into).mul_(given)
    return result.view(torch.bfloat16)


def _within(whole: Tensor, amounts: list[tuple[int, int]]) -> Tensor:
    """The view of `whole` without its border."""
    for axis, (before, after) in enumerate(amounts, start=2):
        whole = whole.narrow(axis, before, whole.shape[axis] - before - after)
    return whole


class ReluPool(nn.Module):
    """ReLU, then the largest of every 2x2 at a step of 1, then perhaps a dropout, for bf16 (B, C, H, W).

    The gradient of each maximum goes to one of its four places, of equal ones to the first, as in torch.
    """

    def __init__(self, dropout: Dropout | None) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return _ReluPool.apply(x, self.dropout if self.training else None)


class _ReluPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropout: Dropout | None) -> Tensor:
        bits = _bits(x).permute(0, 2, 3, 1)
        batch, height, width, channels = bits.shape
        out = bits.new_empty(batch, height - 1, width - 1, channels)
        ctx.scale = dropout.scale if dropout else 1
        pieces = _pieces(bits, out)
        risen, sides, best, rows = _room(pieces[0][0])
        for given, into in pieces:
            torch.clamp_min(given, 0, out=risen)
            torch.maximum(*sides, out=best)
            torch.maximum(*rows, out=into)
            if ctx.scale != 1:
                into.mul_(dropout.kept(into)).view(torch.bfloat16).mul_(ctx.scale)
        ctx.save_for_backward(bits, out)
        return out.view(torch.bfloat16).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        bits, out = ctx.saved_tensors
        result = torch.empty(bits.shape, dtype=torch.int16)
        pieces = _pieces(bits, out, _bits(gradient).permute(0, 2, 3, 1), result)
        risen, sides, best, rows = _room(pieces[0][0])
        to_rows, to_sides = _divider(best, rows, 1), _divider(risen, sides, 2)
        arriving = torch.empty(rows[0].shape, dtype=torch.int16)
        for given, kept, arrived, into in pieces:
            torch.clamp_max(kept, 1, out=arriving).mul_(arrived)
            if ctx.scale != 1:
                arriving.view(torch.bfloat16).mul_(ctx.scale)
            torch.clamp_min(given, 0, out=risen)
            torch.maximum(*sides, out=best)
            into.copy_(to_sides(to_rows(arriving)))
        return result.view(torch.bfloat16).permute(0, 3, 1, 2), None


def _room(piece: Tensor) -> tuple[Tensor, Pair, Tensor, Pair]:
    """Memory for risen values (B, H, W, C), views of the left and the right of every two, memory for the larger of
    those, and views of its upper and lower of every two. It stays in the cache while pieces pass through."""
    risen = torch.empty(piece.shape, dtype=piece.dtype)
    sides = _pair(risen, 2)
    best = torch.empty(sides[0].shape, dtype=piece.dtype)
    return risen, sides, best, _pair(best, 1)


def _divider(values: Tensor, pair: Pair, axis: int) -> Callable[[Tensor], Tensor]:
    """A function that takes the gradient of the larger of every `pair` and gives that of `values`, in one memory."""
    moved, result = torch.empty(pair[0].shape, dtype=values.dtype), torch.empty_like(values)
    first, second = _pair(result, axis)
    last = result.select(axis, -1)

    def divide(gradient: Tensor) -> Tensor:
        torch.sub(pair[1], pair[0], out=moved).clamp_(0, 1).mul_(gradient)
        torch.sub(gradient, moved, out=first)
        last.zero_()
        second.view(torch.bfloat16).add_(moved.view(torch.bfloat16))  # a place is in two pairs
        return result

    return divide


def _pair(values: Tensor, axis: int) -> Pair:
    """Views of the first and the second of every two neighbours along `axis`."""
    count = values.shape[axis] - 1
    return values.narrow(axis, 0, count), values.narrow(axis, 1, count)


def _bits(x: Tensor) -> Tensor:
    return x.detach().view(torch.int16)


def _pieces(*batches: Tensor) -> list[tuple[Tensor, ...]]:
    """The batches, equally many pictures of each at a time."""
    most = max(1, PIECE // max(batches[0][0].numel(), 1))
    count = next(count for count in range(min(most, len(batches[0])), 0, -1) if len(batches[0]) % count == 0)
    return list(zip(*(batch.split(count) for batch in batches), strict=True))
