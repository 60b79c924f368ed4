"""Training steps in plain PyTorch, as its tutorials write them: python torch_step.py NETWORK BATCH PRECISION [DEVICE].

PRECISION "fp32" keeps torch's usual memory layout; "bf16" is torch.autocast with channels-last. Batches lie ready
in memory. "matmul" as NETWORK multiplies square matrices instead: the rate that the processor reaches at best.
"""

import sys
import time
from collections.abc import Callable

import torch
from drawn import pictures
from torch import Tensor, nn
from torch.nn import functional as F
from turns import serve

CLASSES, READY = 10, 8  # batches that lie ready
SHAPES = {"hela": (1, 50), "resnet18": (3, 128)}
SIDES = {"cpu": 2048, "cuda": 8192}  # of the matrices


class Block(nn.Module):
    """Two convolutions beside a shortcut, which has a convolution of 1x1 and a norm where the size is halved."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


def hela() -> nn.Module:
    """The tutorial's network."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, padding="same"), nn.ReLU(),
        nn.Conv2d(32, 64, 4, padding="same"), nn.ReLU(),
        nn.MaxPool2d(2, stride=1), nn.Dropout(0.2), nn.Flatten(),
        nn.Linear(64 * 49 * 49, 64), nn.ReLU(), nn.Linear(64, CLASSES),
    )  # fmt: skip


def resnet18() -> nn.Module:
    widths = (64, 64, 128, 128, 256, 256, 512, 512)
    blocks = [
        Block(before, after, 1 if before == after else 2) for before, after in zip((64, *widths), widths, strict=False)
    ]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES),
    )  # fmt: skip


def steps_of(network: nn.Module, x: Tensor, y: Tensor, batch: int, half: bool, device: str) -> Callable[[int], dict]:
    network, x, y = network.to(device), x.to(device), y.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    if half:
        network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    batches = list(zip(x.split(batch), y.split(batch), strict=True))

    def run(count: int) -> dict:
        begun = time.perf_counter()
        for step in range(count):
            pixels, targets = batches[step % READY]
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(network(pixels), targets)
            loss.backward()
            optimizer.step()
            value = loss.item()
        return {"seconds": time.perf_counter() - begun, "loss": value}

    return run


def matmul_of(precision: str, side: int, device: str) -> Callable[[int], dict]:
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    out = torch.empty_like(left)

    def run(count: int) -> dict:
        begun = time.perf_counter()
        for _ in range(count):
            torch.mm(left, right, out=out)
        out[0, 0].item()  # a GPU has only been told what to do
        return {"seconds": time.perf_counter() - begun}

    return run


def main(name: str, batch: int, precision: str, device: str = "cpu") -> None:
    torch.manual_seed(0)
    about = {"batch": batch, "precision": precision, "threads": torch.get_num_threads()}
    if name == "matmul":
        side = SIDES[device]
        return serve({**about, "operations": 2 * side**3}, run=matmul_of(precision, side, device))
    channels, side = SHAPES[name]
    stored, labels = pictures(READY * batch, side, channels, CLASSES)
    x = torch.from_numpy(stored).permute(0, 3, 1, 2).contiguous().float() / 255
    network = hela() if name == "hela" else resnet18()
    about["parameters"] = sum(p.numel() for p in network.parameters())
    return serve(about, run=steps_of(network, x, torch.from_numpy(labels), batch, precision == "bf16", device))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
