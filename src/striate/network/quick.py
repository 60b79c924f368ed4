"""Layers for a copy that trains in bf16 on a processor: torch's numbers, in fewer and cheaper passes over memory.

bf16 numbers from 0 on have the order of their bits as whole numbers, and a product with 0 or 1 is the same in both
readings. torch computes with 16-bit whole numbers about four times as fast as with bf16, which it widens and narrows.
Pieces of a few pictures stay in the cache from one operation to the next.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from striate.network.blocks import Dropout

PIECE = 1 << 18  # values that are worked on at a time


def quicken(network: nn.Module) -> None:
    """Exchange runs of layers, in place, for single ones that do the same; weights and their names stay."""
    for run in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        layers = [*run, None, None]
        for number, name in enumerate(list(run._modules)):
            if type(layers[number]) is not nn.ReLU:
                continue
            pool, dropout = layers[number + 1 : number + 3]
            if not _takes_pairs(pool):
                setattr(run, name, Relu())
                continue
            drops = isinstance(dropout, Dropout)
            setattr(run, name, ReluPool(pool.stride, dropout if drops else None))
            for later in list(run._modules)[number + 1 : number + 2 + drops]:
                setattr(run, later, nn.Identity())


def _takes_pairs(layer: nn.Module | None) -> bool:
    """Whether it is a pool of 2x2 at a step of 1 or 2, of whole windows alone."""
    if not isinstance(layer, nn.MaxPool2d) or layer.ceil_mode:
        return False
    sizes = [_two(size) for size in (layer.kernel_size, layer.padding, layer.dilation)]
    return sizes == [(2, 2), (0, 0), (1, 1)] and max(_two(layer.stride)) <= 2


def _two(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


class Relu(nn.Module):
    """nn.ReLU for bf16 of any shape."""

    def forward(self, x: Tensor) -> Tensor:
        return _Relu.apply(x)


class _Relu(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = _bits(x).clamp_min(0)
        ctx.save_for_backward(out)
        return out.view(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (out,) = ctx.saved_tensors
        result = torch.empty_like(out)
        for piece in _pieces(out):
            torch.clamp_max(out[piece], 1, out=result[piece]).mul_(_bits(gradient[piece]))
        return result.view(torch.bfloat16)


class ReluPool(nn.Module):
    """ReLU, then the largest of every 2x2 at a step of `stride`, then perhaps a dropout, for bf16 (B, C, H, W).

    The gradient of each maximum goes to one of its four places, of equal ones to the first, as in torch.
    """

    def __init__(self, stride: int | tuple[int, int], dropout: Dropout | None) -> None:
        super().__init__()
        self.strides = _two(stride)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return _ReluPool.apply(x, self.strides, self.dropout if self.training else None)


class _ReluPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strides: tuple[int, int], dropout: Dropout | None) -> Tensor:
        rows = _bits(x).permute(0, 2, 3, 1)
        risen = torch.empty(rows.shape, dtype=rows.dtype)
        out = torch.empty_like(_pair(_pair(risen, 2, strides)[0], 1, strides)[0])
        ctx.strides, ctx.scale = strides, dropout.scale if dropout else 1
        keep = dropout.kept(out) if ctx.scale != 1 else None
        for piece in _pieces(rows):
            torch.clamp_min(rows[piece], 0, out=risen[piece])
            best = torch.maximum(*_pair(risen[piece], 2, strides))
            torch.maximum(*_pair(best, 1, strides), out=out[piece])
            if keep is not None:
                out[piece].mul_(keep[piece]).view(torch.bfloat16).mul_(ctx.scale)
        ctx.save_for_backward(risen, out)
        return out.view(torch.bfloat16).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        risen, out = ctx.saved_tensors
        given, result = _bits(gradient).permute(0, 2, 3, 1), torch.empty_like(risen)
        for piece in _pieces(risen):
            arriving = torch.clamp_max(out[piece], 1).mul_(given[piece])
            if ctx.scale != 1:
                arriving.view(torch.bfloat16).mul_(ctx.scale)
            best = torch.maximum(*_pair(risen[piece], 2, ctx.strides))
            upright = _to_the_larger(best, arriving, 1, ctx.strides, torch.empty_like(best))
            _to_the_larger(risen[piece], upright, 2, ctx.strides, result[piece])
        return result.view(torch.bfloat16).permute(0, 3, 1, 2), None, None


def _to_the_larger(values: Tensor, gradient: Tensor, axis: int, strides: tuple[int, int], into: Tensor) -> Tensor:
    """`into`, with the gradient of the larger of every two neighbours along `axis` at that neighbour's place."""
    first, second = _pair(values, axis, strides)
    to_second = torch.sub(second, first).clamp_(0, 1).mul_(gradient)
    first, second = _pair(into, axis, strides)
    torch.sub(gradient, to_second, out=first)
    into.movedim(axis, 0)[first.shape[axis] * strides[axis - 1] :].zero_()  # what no window begins in
    if strides[axis - 1] == 1:  # each place is in two windows
        second.view(torch.bfloat16).add_(to_second.view(torch.bfloat16))
    else:
        second.copy_(to_second)
    return into


def _pair(values: Tensor, axis: int, strides: tuple[int, int]) -> tuple[Tensor, ...]:
    """Views of the first and the second of every two neighbours along `axis` (1 or 2) of (B, H, W, C)."""
    return values.unfold(axis, 2, strides[axis - 1]).unbind(-1)


def _bits(x: Tensor) -> Tensor:
    return x.detach().view(torch.int16)


def _pieces(values: Tensor) -> Iterator[slice]:
    """A few pictures at a time."""
    count = max(1, PIECE // max(values[0].numel(), 1))
    return (slice(first, first + count) for first in range(0, len(values), count))
