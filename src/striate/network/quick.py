"""Layers for a copy that trains in bf16 on a processor: torch's numbers, in fewer and cheaper passes over memory.

bf16 numbers from 0 on have the order of their bits as whole numbers, and a product with 0 or 1 is the same in both
readings. torch computes with 16-bit whole numbers about four times as fast as with bf16, which it widens and narrows.
Pieces of a few pictures stay in the cache from one operation to the next.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from striate.device import memory_format
from striate.network.blocks import Dropout, SamePad

Pair = tuple[Tensor, Tensor]

Size = tuple[int, int]

MANY, MANY_FOR_WEIGHTS = 2, 10  # patches for each filter, up to which a product is faster than a convolution
PIECE = 1 << 19  # values that are worked on at a time


def quicken(network: nn.Module) -> None:
    """Exchange runs of layers, in place, for single ones that do the same; weights and their names stay."""
    for run in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        layers = [*run, None, None]
        for number, name in enumerate(list(run._modules)):
            if type(layers[number]) is not nn.ReLU:
                continue
            following, dropout = layers[number + 1 : number + 3]
            pads, pools = isinstance(following, SamePad) and following.value == 0, _takes_pairs(following)
            drops = pools and isinstance(dropout, Dropout)
            if pools:
                setattr(run, name, ReluPool(following.stride, dropout if drops else None))
            else:
                setattr(run, name, Relu(following if pads else None))
            for later in list(run._modules)[number + 1 : number + 1 + pads + pools + drops]:
                setattr(run, later, nn.Identity())


def multiply_filters(network: nn.Module) -> None:
    """Make convolutions, in place, compute with one matrix product where that is faster."""
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.groups == 1 and set(layer.dilation) == {1}:
            layer.__class__ = Conv2d  # the same weights, and whoever holds the layer holds the new one


def _takes_pairs(layer: nn.Module | None) -> bool:
    """Whether it is a pool of 2x2 at a step of 1 or 2, of whole windows alone."""
    if not isinstance(layer, nn.MaxPool2d) or layer.ceil_mode:
        return False
    sizes = [_two(size) for size in (layer.kernel_size, layer.padding, layer.dilation)]
    return sizes == [(2, 2), (0, 0), (1, 1)] and max(_two(layer.stride)) <= 2


def _two(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else size


class Conv2d(nn.Conv2d):
    """nn.Conv2d whose patches are laid out as rows of a matrix where there are few of them for each filter.

    oneDNN's bf16 weight gradient of 512 filters on maps of 4x4 takes six times as long as that product.
    """

    def forward(self, x: Tensor) -> Tensor:
        sides = zip(x.shape[2:], self.padding, self.kernel_size, self.stride, strict=True)
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size, padding, kernel, stride in sides)
        each = len(x) * height * width / self.out_channels
        if each > MANY_FOR_WEIGHTS:
            return super().forward(x)
        return _Conv.apply(x, self.weight, self.bias, self.stride, self.padding, height if each <= MANY else 0)


class _Conv(Function):
    """By products: the weight gradient, and all else too where the `height` of the output is given, not 0."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, height: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.biased = stride, padding, bias is not None
        ctx.turned = bool(height) and stride == (1, 1) and all(p < k for p, k in zip(padding, weight.shape[2:], strict=True))
        if not height:
            return F.conv2d(x, weight, bias, stride, padding)
        rows = F.linear(_patches(x, weight, stride, padding), weight.permute(0, 2, 3, 1).flatten(1), bias)
        return rows.view(len(x), height, -1, len(weight)).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        wanted = [ctx.needs_input_grad[0] and not ctx.turned, False, ctx.biased]
        to_x, _, to_bias = torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(weight)] if ctx.biased else None, ctx.stride, ctx.padding, (1, 1),
            False, (0, 0), 1, wanted,
        )  # fmt: skip
        if ctx.turned and ctx.needs_input_grad[0]:
            border = tuple(k - 1 - p for k, p in zip(weight.shape[2:], ctx.padding, strict=True))
            turned = weight.permute(2, 3, 0, 1).flip(0, 1).reshape(-1, x.shape[1])
            to_x = _patches(gradient, weight, (1, 1), border) @ turned
            to_x = to_x.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)
        to_weight = rows.t().contiguous() @ _patches(x, weight, ctx.stride, ctx.padding)
        to_weight = to_weight.view(len(weight), *weight.shape[2:], -1).permute(0, 3, 1, 2)
        return to_x, to_weight, to_bias, None, None, None


def _patches(x: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """(B x height x width of the output, height x width of the kernel x C)."""
    around = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    windows = around.unfold(1, weight.shape[2], stride[0]).unfold(2, weight.shape[3], stride[1])
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


class Relu(nn.Module):
    """ReLU for bf16 of any shape, then perhaps a border of zeros."""

    def __init__(self, pad: SamePad | None) -> None:
        super().__init__()
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        amounts = self.pad.amounts(tuple(x.shape[2:])) if self.pad else []
        return _Relu.apply(x, amounts)


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
        (out,) = ctx.saved_tensors
        result = torch.empty_like(out)
        for kept, given, into in _pieces(out, _within(_bits(gradient), ctx.amounts), result):
            torch.clamp_max(kept, 1, out=into).mul_(given)
        return result.view(torch.bfloat16), None


def _within(whole: Tensor, amounts: list[tuple[int, int]]) -> Tensor:
    """The view of `whole` without its border."""
    for axis, (before, after) in enumerate(amounts, start=2):
        whole = whole.narrow(axis, before, whole.shape[axis] - before - after)
    return whole


class ReluPool(nn.Module):
    """ReLU, then the largest of every 2x2 at a step of `stride`, then perhaps a dropout, for bf16 (B, C, H, W).

    The gradient of each maximum goes to one of its four places, of equal ones to the first, as in torch.
    """

    def __init__(self, stride: int | Size, dropout: Dropout | None) -> None:
        super().__init__()
        self.strides = _two(stride)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return _ReluPool.apply(x, self.strides, self.dropout if self.training else None)


class _ReluPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strides: Size, dropout: Dropout | None) -> Tensor:
        bits = _bits(x).permute(0, 2, 3, 1)
        batch, height, width, channels = bits.shape
        out = bits.new_empty(batch, (height - 2) // strides[0] + 1, (width - 2) // strides[1] + 1, channels)
        scale = dropout.scale if dropout else 1
        pieces = _pieces(bits, out)
        risen, upright, sides, halves = _room(pieces[0][0], strides)
        for given, into in pieces:
            torch.clamp_min(given, 0, out=risen)
            torch.maximum(*sides, out=upright)
            torch.maximum(*halves, out=into)
            if scale != 1:
                into.mul_(dropout.kept(into)).view(torch.bfloat16).mul_(scale)
        ctx.strides, ctx.scale = strides, scale
        ctx.save_for_backward(bits, out)
        return out.view(torch.bfloat16).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        bits, out = ctx.saved_tensors
        result = torch.empty(bits.shape, dtype=torch.int16)
        pieces = _pieces(bits, out, _bits(gradient).permute(0, 2, 3, 1), result)
        risen, upright, sides, halves = _room(pieces[0][0], ctx.strides)
        arriving = torch.empty_like(pieces[0][1])
        to_rows, to_columns = _divider(upright, halves, 1, ctx.strides[0]), _divider(risen, sides, 2, ctx.strides[1])
        for x, kept, given, into in pieces:
            torch.clamp_max(kept, 1, out=arriving).mul_(given)
            if ctx.scale != 1:
                arriving.view(torch.bfloat16).mul_(ctx.scale)
            torch.clamp_min(x, 0, out=risen)
            torch.maximum(*sides, out=upright)
            into.copy_(to_columns(to_rows(arriving)))
        return result.view(torch.bfloat16).permute(0, 3, 1, 2), None, None


def _room(piece: Tensor, strides: Size) -> tuple[Tensor, Tensor, Pair, Pair]:
    """Memory for values and for the larger of every two side by side, and the views that are compared: of the first
    side by side, of the second one above the other. It stays in the cache while piece after piece passes through."""
    risen = torch.empty(piece.shape, dtype=piece.dtype)
    sides = _pair(risen, 2, strides[1])
    upright = torch.empty(sides[0].shape, dtype=piece.dtype)
    return risen, upright, sides, _pair(upright, 1, strides[0])


def _divider(values: Tensor, pair: Pair, axis: int, stride: int) -> Callable[[Tensor], Tensor]:
    """A function that takes the gradient of the larger of every `pair` and gives that of `values`, in one memory."""
    moved, result = torch.empty(pair[0].shape, dtype=values.dtype), torch.zeros_like(values)
    first, second = _pair(result, axis, stride)
    last = result.select(axis, -1)

    def divide(gradient: Tensor) -> Tensor:
        torch.sub(pair[1], pair[0], out=moved).clamp_(0, 1).mul_(gradient)
        torch.sub(gradient, moved, out=first)
        if stride == 1:  # each place is in two windows
            last.zero_()
            second.view(torch.bfloat16).add_(moved.view(torch.bfloat16))
        else:
            second.copy_(moved)
        return result

    return divide


def _pair(values: Tensor, axis: int, stride: int) -> Pair:
    """Views of the first and the second of every two neighbours along `axis`."""
    first, second = values.unfold(axis, 2, stride).unbind(-1)
    return first, second


def _bits(x: Tensor) -> Tensor:
    return x.detach().view(torch.int16)


def _pieces(*batches: Tensor) -> list[tuple[Tensor, ...]]:
    """The batches, equally many pictures of each at a time."""
    most = max(1, PIECE // max(batches[0][0].numel(), 1))
    count = next(count for count in range(min(most, len(batches[0])), 0, -1) if len(batches[0]) % count == 0)
    return list(zip(*(batch.split(count) for batch in batches), strict=True))
