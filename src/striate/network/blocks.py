"""The few layers that torch.nn lacks; everything else in a network is plain torch.nn.

Legend: B batch, C channels, spatial = (W), (H, W) or (D, H, W).
"""

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MAXPOOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class AvgPool3d(nn.AvgPool3d):
    """torch's, in bf16 too, for which that has no kernel on a processor."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).bfloat16() if x.dtype == torch.bfloat16 else super().forward(x)


AVGPOOLS = (nn.AvgPool1d, nn.AvgPool2d, AvgPool3d)


class SamePad(nn.Module):
    """Pads so that the following window of `kernel`, `stride`, `dilation` gives ceil(size / stride).

    When the total is odd the extra row and column go after (bottom, right), as in TensorFlow's "same".
    """

    def __init__(
        self, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], value: float = 0.0
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation, self.value = kernel, stride, dilation, value

    def amounts(self, spatial: tuple[int, ...]) -> list[tuple[int, int]]:
        """Rows (columns, planes) added before and after, per axis."""
        pairs = []
        for size, kernel, stride, dilation in zip(spatial, self.kernel, self.stride, self.dilation, strict=True):
            total = max((math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
            pairs.append((total // 2, total - total // 2))
        return pairs

    def forward(self, x: Tensor) -> Tensor:
        pairs = self.amounts(tuple(x.shape[2:]))
        return F.pad(x, [n for pair in reversed(pairs) for n in pair], value=self.value)

    def extra_repr(self) -> str:
        return f"kernel={self.kernel}, stride={self.stride}"


class Residual(nn.Module):
    """body(x) + shortcut(x); the shortcut is what the line writes, else x, or a 1x1 convolution for a new shape.

    He et al. 2016, "Deep residual learning for image recognition". Where the line writes none, a stride averages before
    the 1x1 convolution (ResNet-D, He et al. 2019), which loses no pixels.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class Skip(nn.Module):
    """x and body(x) side by side as channels, the latter first brought to the size of x (linear interpolation).

    With a pool inside, nested ones are a U-Net (Ronneberger et al. 2015); without, a chain of them is a dense
    block (Huang et al. 2017).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        inner = self.body(x)
        if inner.shape[2:] != x.shape[2:]:
            mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim]
            inner = F.interpolate(inner, size=x.shape[2:], mode=mode, align_corners=False)
        return torch.cat([x, inner], dim=1)


class Ensemble(nn.Module):
    """Networks side by side that start from other random values: the mean of what they say (Hansen & Salamon 1990)."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        for number, member in enumerate(members, 1):
            self.add_module(str(number), member)

    def forward(self, x: Tensor) -> Tensor:
        answers = [member(x) for member in self.children()]
        return functools.reduce(torch.add, answers) / len(answers)


class GlobalMaxPool(nn.Module):
    """The largest value of each feature map: (B, C, *spatial) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=tuple(range(2, x.ndim)))


class GlobalAvgPool(nn.Module):
    """The mean of each feature map: (B, C, *spatial) to (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=tuple(range(2, x.ndim)))


class Flatten(nn.Module):
    """Maps as one row of numbers, pixel by pixel and in each pixel channel by channel: (B, C, *spatial) to
    (B, spatial x C), the order of Keras. Channels-last maps lie in memory like this, so nothing is copied.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1).flatten(1)


class Scale(nn.Module):
    """Multiplies by a fixed factor, which tempers the logits of a network without a norm before them."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor:g}"


class Whiten2d(nn.Conv2d):
    """A first convolution whose filters are fixed once they are set from the pictures' own patches.

    Its 2 x (channels x kernel area) or fewer filters are the principal axes of the patches, scaled to
    unit variance, each with its negative (see weights.whiten). Only its bias is trained. It computes in fp32 in a
    network in bf16 too: what it blows up is the small difference of large numbers.
    """

    full_precision = True  # see device.in_bf16

    def __init__(self, channels: int, filters: int, kernel: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__(channels, filters, kernel, stride)
        self.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.weight.dtype)).to(x.dtype)


class Dropout(nn.Module):
    """Sets each value to 0 with probability `rate` while training and scales the rest by 1 / (1 - rate).

    Srivastava et al. 2014. Draws one random byte per value, which costs a fraction of a float draw; the
    rate is therefore rounded to the nearest 256th.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    @property
    def scale(self) -> float:
        """What the kept values are multiplied by."""
        return 256 / (256 - self._dropped)

    @property
    def _dropped(self) -> int:
        """Of 256, so that some are always kept."""
        return min(round(self.rate * 256), 255)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.scale == 1:
            return x
        return x * self.kept(x).to(x.dtype).mul_(self.scale)

    def kept(self, x: Tensor) -> Tensor:
        """Newly drawn int8 of the shape of x: 1 where a value is kept, else 0."""
        threshold = self._dropped
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)
        # In the memory order of x (channels-last or not), so that the product needs no second layout.
        # Clamping signed bytes to two neighbours tells the two cases apart faster than a comparison does.
        keep = words.view(torch.int8).as_strided(x.shape, x.stride())
        return keep.clamp_(threshold - 129, threshold - 128).sub_(threshold - 129)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"
