"""The whole idea in one file, with torch and NumPy alone: python one_file.py [EPOCHS] [SEED]

Load the digits, split them honestly, train a small convolutional network, score it once with an interval,
show the surest mistakes and the filters it learned. Striate does the same with care for everything that real
pictures bring along; here every step stands in plain sight, from top to bottom.

Legend: B batch, C channels, H height, W width.
"""

import hashlib
import math
import sys
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

BATCH, RATE, MOMENTUM, DECAY = 64, 0.05, 0.9, 5e-4
SHADES = " .:-=+*#%@"


def load() -> tuple[np.ndarray, np.ndarray]:
    """1,797 pictures (N, 8, 8) of values from 0 to 1, and their digits (N,)."""
    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target.astype(np.int64)


def split(pictures: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Row numbers per part: of every class a fifth for the test, a tenth for validation, the rest to learn from.

    Who goes where follows from a hash of the picture's own bytes, so the same pictures in another order, or on
    another machine, give the same parts.
    """
    places = np.array([_place(picture, seed) for picture in pictures])
    parts: dict[str, list[int]] = {"test": [], "validation": [], "train": []}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(places[rows], kind="stable")]
        first, second = round(0.2 * len(rows)), round(0.3 * len(rows))
        parts["test"] += rows[:first].tolist()
        parts["validation"] += rows[first:second].tolist()
        parts["train"] += rows[second:].tolist()
    return {name: np.array(rows) for name, rows in parts.items()}


def _place(picture: np.ndarray, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed} ".encode() + picture.tobytes(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


def make_network() -> nn.Sequential:
    """(B, 1, 8, 8) to (B, 10). A convolution slides its filters over the maps; a pool keeps the largest of four.

    Sides: 8, then 8/2 = 4 after the first pool, then 4/2 = 2 after the second: 64 maps of 2×2 are 256 inputs.
    """
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def shifted(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Each picture (B, 1, 8, 8) moved by up to one pixel either way: the digit stays the same digit."""
    padded = F.pad(pictures, (1, 1, 1, 1))
    out = torch.empty_like(pictures)
    for row, (y, x) in enumerate(torch.randint(0, 3, (len(pictures), 2), generator=random).tolist()):
        out[row] = padded[row, :, y : y + 8, x : x + 8]
    return out


def train(network: nn.Module, x: Tensor, y: Tensor, watch: tuple[Tensor, Tensor], epochs: int, seed: int) -> None:
    """Stochastic gradient descent with momentum; the learning rate rises, then falls in a line to zero."""
    optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=DECAY, nesterov=True)
    random = torch.Generator().manual_seed(seed)
    steps, done = epochs * (len(x) // BATCH), 0
    for epoch in range(epochs):
        network.train()
        losses = []
        for rows in torch.randperm(len(x), generator=random)[: len(x) // BATCH * BATCH].split(BATCH):
            progress = done / steps
            optimizer.param_groups[0]["lr"] = RATE * min((progress + 1e-3) / 0.15, (1 - progress) / 0.85)
            loss = F.cross_entropy(network(shifted(x[rows], random)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            done += 1
        if epoch % 5 == 4 or epoch + 1 == epochs:
            right = (chances(network, watch[0]).argmax(1) == watch[1].numpy()).mean()
            print(f"epoch {epoch + 1:3}  loss {np.mean(losses):.3f}  validation accuracy {100 * right:.1f} %")


@torch.inference_mode()
def chances(network: nn.Module, x: Tensor) -> np.ndarray:
    """(B, 10) probabilities that sum to 1 in every row."""
    return network.eval()(x).softmax(dim=1).numpy()


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): where the true accuracy may well lie, given n pictures."""
    share, scale = right / n, 1 + z * z / n
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def tell_score(probabilities: np.ndarray, labels: np.ndarray, commonest: int) -> None:
    """Accuracy with its interval, what always giving the commonest answer would score, and recall by class."""
    answers, n = probabilities.argmax(axis=1), len(labels)
    right = int((answers == labels).sum())
    low, high = wilson(right, n)
    floor = 100 * float((labels == commonest).mean())
    print(f"\ntest accuracy {100 * right / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}], n = {n}; ", end="")
    print(f"always '{commonest}' would score {floor:.1f} %")
    found = [f"{k}: {100 * float((answers[labels == k] == k).mean()):.0f} %" for k in range(10)]
    print("found of each digit   " + "  ".join(found))


def tell_mistakes(pictures: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, most: int = 3) -> None:
    """The wrong answers of which the network was surest: here a wrong label would hide, too."""
    answers, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    wrong = wrong[np.argsort(-surest[wrong])][:most]
    print(f"\nthe {len(wrong)} surest mistakes" if len(wrong) else "\nno mistake on the test part")
    for row in wrong:
        print(f"\nsays {answers[row]}, {100 * surest[row]:.0f} % sure; it is a {labels[row]}")
        for line in pictures[row]:
            print("  " + "".join(SHADES[int(value * 9)] * 2 for value in line))


def tell_filters(weights: np.ndarray, most: int = 8) -> None:
    """The first layer's 3×3 filters (F, 1, 3, 3), strongest first: + answers to light, - to dark."""
    strongest = np.argsort(-np.abs(weights).sum(axis=(1, 2, 3)))[:most]
    reach = np.abs(weights).max()
    print(f"\nthe {most} strongest of {len(weights)} filters")
    for line in range(3):
        print("  " + "   ".join(" ".join(_mark(v / reach) for v in weights[f, 0, line]) for f in strongest))


def tell_step(layer: nn.Conv2d, x: Tensor) -> None:
    """One value of a feature map by hand: nine products of weight and pixel, and the bias, summed."""
    weights, bias = layer.weight.detach().double(), layer.bias.detach().double()
    with torch.inference_mode():
        number, row, column = np.unravel_index(int(layer(x)[0, :, 1:-1, 1:-1].argmax()), (len(weights), 6, 6))
        by_torch = float(layer(x)[0, number, row + 1, column + 1])
    patch = x[0, 0, row : row + 3, column : column + 3].double()
    products = [f"({w:.2f}·{v:.2f})" for w, v in zip(weights[number, 0].flatten(), patch.flatten(), strict=True)]
    value = float((weights[number, 0] * patch).sum() + bias[number])
    print(f"\nthe strongest answer to the first test picture, of filter {number} at row {row + 1}, column {column + 1}")
    print(f"  {' + '.join(products)} + {float(bias[number]):.2f} = {value:.4f}; torch says {by_torch:.4f}")


def _mark(share: float) -> str:
    return (
        "." if abs(share) < 0.15 else ("+" if share > 0 else "-") if abs(share) < 0.5 else ("#" if share > 0 else "=")
    )


def main(epochs: int, seed: int) -> None:
    started = time.perf_counter()
    torch.manual_seed(seed)
    pictures, labels = load()
    parts = split(pictures, labels, seed)
    print(", ".join(f"{name} {len(rows):,}" for name, rows in parts.items()), "pictures")

    # Scaled by what the training part alone says: the test part must not be looked at, not even for a mean.
    mean, std = pictures[parts["train"]].mean(), pictures[parts["train"]].std()
    x = torch.from_numpy((pictures - mean) / std)[:, None]  # (N, 1, 8, 8)
    y = torch.from_numpy(labels)

    network = make_network()
    print(f"{sum(p.numel() for p in network.parameters()):,} weights to learn")
    learn, watch, test = (parts[name] for name in ("train", "validation", "test"))
    train(network, x[learn], y[learn], (x[watch], y[watch]), epochs, seed)

    # Nothing is chosen any more after this line, so the number below is an honest one.
    probabilities = chances(network, x[test])
    tell_score(probabilities, labels[test], int(np.bincount(labels[learn]).argmax()))
    tell_mistakes(pictures[test], probabilities, labels[test])
    tell_filters(network[0].weight.detach().numpy())
    tell_step(network[0], x[test[:1]])
    print(f"\n{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    numbers = [int(word) for word in sys.argv[1:]]
    main(numbers[0] if numbers else 30, numbers[1] if len(numbers) > 1 else 0)
