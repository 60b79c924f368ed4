"""Networks drawn small for the tests of the glass box: one of every family, in plain torch, with random weights.

`ZOO` maps a name to a function that makes the network and the shape of its pictures.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.network.build import network
from striate.network.catalog import CATALOG


class Lambda(nn.Module):
    """A module whose forward is any function."""

    def __init__(self, function: Callable[..., object], **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def conv_bn(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Module:
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


def vgg() -> nn.Module:
    features = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3, padding=1)]
    features += [nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Linear(8 * 9, 16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, 5)]
    return nn.Sequential(nn.Sequential(*features), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Sequential(*head))


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 and a shortcut; one ReLU module used three times, in place (He et al. 2016)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """With widths 64 and blocks (3, 4, 6, 3) this is ResNet-50."""

    def __init__(self, width: int = 4, blocks: tuple[int, ...] = (2, 1, 1), classes: int = 5) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        stages, inputs = [], width
        for number, count in enumerate(blocks):
            size = width * 2**number
            for block in range(count):
                stages.append(Bottleneck(inputs, size, 2 if number and not block else 1))
                inputs = 4 * size
        self.layers = nn.Sequential(*stages)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Inception(nn.Module):
    """Four branches joined: 1×1, 1×7 and 7×1, 3×3, and an average pool with padding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2)
        self.one, self.three = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 3, padding="same")
        self.seven = nn.Sequential(nn.Conv2d(6, 2, (1, 7), padding=(0, 3)), nn.Conv2d(2, 3, (7, 1), padding=(3, 0)))
        self.last = nn.Conv2d(6, 3, 1)
        self.head = nn.Conv2d(12, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        x = torch.cat([self.one(x), self.seven(x), self.three(x), self.last(pooled)], 1)
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        return F.log_softmax(self.head(x).mean((2, 3)), dim=1)


class DenseNet(nn.Module):
    """Every layer reads all before it; norm before activation before convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        sizes = [4, 7, 10]
        self.norms = nn.ModuleList([nn.BatchNorm2d(n) for n in sizes])
        self.convs = nn.ModuleList([nn.Conv2d(n, 3, 3, padding=1, bias=False) for n in sizes])
        self.pool, self.norm, self.head = nn.AvgPool2d(2, 2), nn.BatchNorm2d(13), nn.Linear(13, 5)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            seen.append(conv(F.relu(norm(torch.cat(seen, 1)))))
        x = self.pool(F.relu(self.norm(torch.cat(seen, 1)), inplace=True))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Squeeze(nn.Module):
    """Squeeze and excite (Hu et al. 2018): maps are weighted by what all of them hold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.up(F.relu(self.down(x.mean((2, 3), keepdim=True))))
        return x * F.hardsigmoid(scale)


class MobileNet(nn.Module):
    """Depthwise convolutions, groups, hardswish, ReLU6, squeeze and excite, a shuffle of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(inplace=True))
        self.deep = nn.Sequential(conv_bn(8, 8, 5, 2, groups=8), Squeeze(8), nn.Conv2d(8, 12, 1, groups=4), nn.ReLU6())
        self.shuffle, self.head = nn.ChannelShuffle(3), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shuffle(self.deep(self.stem(x)))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        left, right = x.chunk(2, dim=1)
        return self.head(torch.cat([right, left * 0.5], 1).mean([2, 3]))


class UNet(nn.Module):
    """Down and up again with a transposed convolution, an upsampling and shortcuts that are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = conv_bn(3, 4), conv_bn(4, 6)
        self.middle = nn.Conv2d(6, 6, 3, padding=2, dilation=2)
        self.up2 = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.last, self.head = conv_bn(4 + 4 + 4, 4), nn.Conv2d(4, 2, 1)
        self.grouped = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=2, bias=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        low = self.middle(F.max_pool2d(two, 2))
        up = torch.relu_(self.up2(low))
        x = self.last(torch.cat([one, self.up1(up), self.grouped(up)], 1))
        return {"out": torch.softmax(self.head(x), 1), "low": low}


class Shared(nn.Module):
    """One convolution and one ReLU used again and again, with changes in place and sums between."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.conv, self.act = nn.Conv2d(3, 5, 1), nn.Conv2d(5, 5, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter(x)
        first = x
        for _ in range(3):
            x = self.act(self.conv(x))
        x = (first - x) * 2
        x += 1
        x.div_(3.0)
        return 1 - x.tanh(), first


def padded() -> nn.Module:
    modes = ("circular", "reflect", "replicate", "zeros")
    convs = [nn.Conv2d(3, 3, 5, 2 if mode == "zeros" else 1, (2, 1), padding_mode=mode) for mode in modes]
    pads = [nn.ConstantPad2d((1, 2, 0, 3), 0.7), nn.ReflectionPad2d(2), nn.ZeroPad2d((-1, 0, 1, 0))]
    return nn.Sequential(*convs, *pads, nn.Conv2d(3, 2, (2, 4), padding="same", dilation=(2, 1)))


def pooled() -> nn.Module:
    pools = [nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(3, 2, 1, True, False)]
    pools += [nn.AvgPool2d((2, 3), 2, divisor_override=5), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, 3)]
    pools += [nn.MaxPool2d(3, 1, 1, dilation=2), nn.AdaptiveAvgPool2d((3, 5)), nn.AdaptiveMaxPool2d((4, 3))]

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = (self.conv(x) * 2).round() / 2  # few values, so that many tie
        maps = [pool(x).flatten(1) for pool in self.pools]
        return torch.cat([*maps, x.amax((2, 3)), x.sum((2, 3)), x.mean(1).flatten(1)], 1)

    return Lambda(forward, conv=nn.Conv2d(3, 4, 3), pools=nn.ModuleList(pools))


def activated() -> nn.Module:
    names = "ReLU ReLU6 PReLU ELU CELU SELU GELU SiLU Mish Sigmoid LogSigmoid Tanh Hardtanh Hardsigmoid Hardswish"
    modules = [getattr(nn, name)() for name in (*names.split(), "Softplus", "Softsign")]
    modules += [nn.LeakyReLU(0.2), nn.PReLU(4), nn.GELU("tanh"), nn.Threshold(0.1, -2.0), nn.Softmax(2)]

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = [module(x) for module in self.acts] + [x.clamp(min=-0.5), x.clamp(-0.1, 0.2), x.abs().sqrt(), x.exp()]
        y += [x**2, -x, 2 / (x + 5), x * x, x / (x.abs() + 1), (x.square() + 0.1).log(), torch.sub(x, y[0], alpha=0.5)]
        return torch.cat(y, 1)

    return Lambda(forward, conv=nn.Conv2d(3, 4, 3), acts=nn.ModuleList(modules))


def normed() -> nn.Module:
    norms = [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True, track_running_stats=True)]
    norms += [nn.BatchNorm2d(4, track_running_stats=False), nn.BatchNorm2d(4, affine=False), nn.LayerNorm([4, 8, 8])]

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.conv(x)
        last = self.last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return torch.cat([norm(x) for norm in self.norms] + [last], 1)

    return Lambda(forward, conv=nn.Conv2d(3, 4, 3), norms=nn.ModuleList(norms), last=nn.LayerNorm(4))


def moved() -> nn.Module:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.shuffle(self.conv(x))
        x = torch.cat([x.flip(3), x.roll(1, 2), F.interpolate(x, scale_factor=1.0)], 1)
        x = F.interpolate(x, size=(9, 11), mode="nearest") + F.interpolate(
            x, (9, 11), mode="bilinear", align_corners=True
        )
        x = torch.stack([x[:, 0, 1:], x[:, 1, :-1], x[:, 2, ::1][:, 1:]], 1)
        a, b, c = x.unbind(1)
        x = torch.stack([b, a.expand(1, 8, 11), c], 1) + torch.linspace(0, 1, 11)
        return self.head(x.permute(0, 2, 3, 1).flatten(1))

    return Lambda(forward, conv=nn.Conv2d(3, 4, 3), shuffle=nn.PixelShuffle(2), head=nn.Linear(3 * 8 * 11, 3))


def signal() -> nn.Module:
    layers = [nn.Conv1d(2, 6, 5, 2, 2), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(6, 4, 3, groups=2)]
    layers += [nn.AvgPool1d(3, 2, 1, ceil_mode=True), nn.ConvTranspose1d(4, 3, 4, 3), nn.AdaptiveAvgPool1d(4)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(12, 3), nn.BatchNorm1d(3))


def volume() -> nn.Module:
    layers = [nn.Conv3d(1, 3, 3, padding=1), nn.BatchNorm3d(3), nn.ELU(inplace=True), nn.MaxPool3d(2)]
    layers += [nn.Conv3d(3, 4, (1, 3, 3), dilation=(1, 2, 1), padding="same"), nn.AvgPool3d(2, padding=1)]
    layers += [nn.ConvTranspose3d(4, 2, 2, 2), nn.Upsample(scale_factor=2, mode="trilinear"), nn.AdaptiveMaxPool3d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 3))


LINES = {
    "residual": (
        "whiten 8 2, gelu, conv 6 3 stride=2, batchnorm, residual(conv 6 3, batchnorm, relu, conv 6 3), "
        "residual(conv 8 4 stride=2, leaky-relu, maxpool 2 stride=1 padding=same), globalavgpool, dense 5, scale 0.1"
    ),
    "skips": "conv 4 3, skip(maxpool 2, conv 6 3, relu, skip(maxpool 2, conv 8 3, relu), conv 6 3), conv 5 1",
    "globals": "conv 4 3 dilation=2, silu, maxpool 3 stride=2 padding=same, dropout, globalmaxpool, dense 4, softmax",
}


def settled(made: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random running statistics, as if it had been trained."""
    generator = torch.Generator().manual_seed(seed)
    for name, buffer in made.named_buffers():
        if buffer.is_floating_point():
            values = torch.rand(buffer.shape, generator=generator)
            buffer.copy_(values + 0.5 if name.endswith("var") else values - 0.5)
    for name, weights in made.named_parameters():
        if weights.ndim == 1 and not name.endswith("bias"):  # the gammas of norms
            weights.data.copy_(torch.rand(weights.shape, generator=generator) + 0.5)
    return made


def _entry(name: str) -> tuple[Callable[[], nn.Module], tuple[int, ...]]:
    entry = CATALOG[name]
    return lambda: network(name), (entry.channels, entry.height, entry.width)


ZOO: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vgg": (vgg, (3, 20, 20)),
    "resnet": (ResNet, (3, 48, 40)),
    "inception": (Inception, (3, 25, 21)),
    "densenet": (DenseNet, (3, 12, 12)),
    "mobilenet": (MobileNet, (3, 24, 24)),
    "unet": (UNet, (3, 16, 24)),
    "shared": (Shared, (3, 9, 9)),
    "padded": (padded, (3, 14, 15)),
    "pooled": (pooled, (3, 14, 15)),
    "activated": (activated, (3, 6, 7)),
    "normed": (normed, (3, 10, 10)),
    "moved": (moved, (3, 10, 12)),
    "signal": (signal, (2, 50)),
    "volume": (volume, (1, 8, 8, 8)),
    **{name: (lambda line=line: network(line, (3, 17, 17)), (3, 17, 17)) for name, line in LINES.items()},
    **{name: _entry(name) for name, entry in CATALOG.items() if entry.height <= 100},
}


def drawn(name: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """The network of that name and one picture for it, both from the seed; torch's random state is kept."""
    make, shape = ZOO[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return settled(make(), seed), torch.randn(shape)
