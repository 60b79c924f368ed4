"""Open a network that others built and trained, on your picture: python pretrained.py WEIGHTS PICTURE [--page]

ResNet-18 in plain torch, its parts named as torchvision names them, so that WEIGHTS can be its resnet18-f37072fd.pth.
`striate.trace`, `striate.heatmap` and `striate.open` (--page: in the browser) ask nothing of a torch network.
"""

import sys
from collections import OrderedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import striate

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])  # of the pictures it was trained on


class Block(nn.Module):  # two 3×3 convolutions and a shortcut around them
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        stride = after // before
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        shortcut = (nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)) if stride > 1 else ()
        self.relu, self.downsample = nn.ReLU(), nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + self.downsample(x))


def resnet18(classes: int) -> nn.Sequential:
    parts = {"conv1": nn.Conv2d(3, 64, 7, 2, 3, bias=False), "bn1": nn.BatchNorm2d(64), "relu": nn.ReLU()}
    parts["maxpool"] = nn.MaxPool2d(3, 2, 1)
    for number, (before, after) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], start=1):
        parts[f"layer{number}"] = nn.Sequential(Block(before, after), Block(after, after))
    last = {"avgpool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(512, classes)}
    return nn.Sequential(OrderedDict(parts | last))


def main(weights: str, picture: str, *, page: bool = False) -> None:
    known = torch.load(weights, weights_only=True)
    network = resnet18(len(known["fc.bias"])).eval()
    network.load_state_dict(known)
    pixels = np.asarray(Image.open(picture).convert("RGB").resize((224, 224)), np.float32) / 255
    seen = striate.trace(network, x := torch.from_numpy((pixels - MEAN) / STD).permute(2, 0, 1))
    best = int(seen.output.argmax())
    print(f"{len(seen.layers)} steps; the answer is class {best}, with a logit of {seen.output[best]:.3f}")
    (where := striate.heatmap(network, x, "gradcam", score=best)).save("heatmap.png")
    print(f"its evidence, seen from {where.layer}, is in heatmap.png. {where.warning}")
    if page:
        striate.open(network, [x], mean=MEAN, std=STD)


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], page="--page" in sys.argv[3:])
