"""Small series drawn for the tests: slow and fast waves with noise, and a folder of them as the UCR archive has it."""

from pathlib import Path

import numpy as np

WAVES = {"fast": 6.0, "slow": 2.0}


def series(label: str, number: int, length: int = 40, channels: int = 1) -> np.ndarray:
    """(length, channels) float64: waves of a class with a phase and noise of their own."""
    random = np.random.default_rng([list(WAVES).index(label), number])
    time = np.arange(length)[:, None] / length + random.random((1, channels))
    return np.sin(2 * np.pi * WAVES[label] * time) + 0.1 * random.normal(size=(length, channels))


def drawn(counts: dict[str, int], length: int = 40, channels: int = 1) -> tuple[np.ndarray, list[str]]:
    """(N, length[, channels]) and N labels."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    made = [series(label, number, length, channels) for number, label in enumerate(labels)]
    values = np.stack(made)
    return values[:, :, 0] if channels == 1 else values, labels


def write_ucr(folder: Path, name: str = "Waves", train: int = 12, test: int = 6, separator: str = "\t") -> Path:
    """FOLDER/NAME_TRAIN.tsv and NAME_TEST.tsv with so many series of each class; `folder` again."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = {"\t": "tsv", ",": "csv", " ": "txt"}[separator]
    for part, first, count in (("TRAIN", 0, train), ("TEST", 1000, test)):
        rows = [(label, series(label, first + number)[:, 0]) for number in range(count) for label in WAVES]
        lines = [separator.join([label, *(f"{value:.6f}" for value in values)]) for label, values in rows]
        (folder / f"{name}_{part}.{suffix}").write_text("\n".join(lines) + "\n")
    return folder
