"""How deep the known networks are, and training one: python deep_networks.py [FOLDER [NETWORK [SIDE [EPOCHS]]]]

Prints VGG-16 and the residual networks with 18 to 152 layers of weights. With FOLDER, which holds a folder of pictures
per class, NETWORK (resnet18) learns them at SIDE×SIDE pixels (224). The larger ones want a GPU or patience.
"""

import sys

import torch

import striate

NETWORKS = ("vgg16", "vgg19", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def describe(name: str) -> str:
    """How many layers have weights, those in shortcuts not counted, and how many weights there are."""
    with torch.device("meta"):  # shapes alone: 138 million weights of VGG-16 would be half a gigabyte
        network = striate.network(name)
    layers = {path for path, layer in network.named_modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)}
    deep = sum("shortcut" not in path for path in layers)
    return f"{name:10} {deep:4} layers, {sum(weights.numel() for weights in network.parameters()):12,} parameters"


def main(folder: str | None, name: str, side: str, epochs: int) -> None:
    for each in NETWORKS:
        print(describe(each))
    if folder is None:
        return
    run = striate.train(folder, network=name, img_size=side, epochs=epochs, name=name)
    score = run.test["accuracy"]
    print(f"{name}: test accuracy {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]")
    print(f"look into every layer: striate open {run.folder}")


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    words = sys.argv[1:] + [None, "resnet18", "224", "30"][len(sys.argv) - 1 :]
    main(words[0], words[1], words[2], int(words[3]))
