"""What an answer of areas is, and what masks and answers are put through: sizes, shares, tiles, which side is up."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from striate.data.labelmap import UNKNOWN

SIDED = 3.0  # standard errors between two halves of the masks, from which one side is up


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """An answer: packed class numbers (height, width) of uint8, the share of every class (K,), the mean probability of
    what is told."""

    packed: bytes
    height: int
    width: int
    shares: np.ndarray
    confidence: float

    @classmethod
    def of(cls, labels: np.ndarray, confidence: float, classes: int) -> "Areas":
        """From class numbers (height, width) uint8 below `classes`."""
        return cls(zlib.compress(labels.tobytes(), 1), *labels.shape, shares_of(labels, classes), confidence)

    @property
    def labels(self) -> np.ndarray:
        """(height, width) uint8 class numbers."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.height, self.width)


def halved(spans: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """What is left of each span along a side when two in a row share what both cover."""
    spans = sorted(set(spans))
    cuts = [spans[0][0], *((a[1] + b[0]) // 2 for a, b in pairwise(spans)), spans[-1][1]]
    return dict(zip(spans, pairwise(cuts), strict=True))


def fitting(encoded: Tensor, logits: Tensor) -> Tensor:
    """Label maps (B, H, W) at the size of maps that are smaller than their pictures."""
    if encoded.shape[1:] == logits.shape[2:]:
        return encoded
    rows, columns = (
        (torch.arange(new, device=encoded.device) * 2 + 1) * old // (2 * new)
        for new, old in zip(logits.shape[2:], encoded.shape[1:], strict=True)
    )
    return encoded[:, rows][:, :, columns]


def lies_alike(labels: Sequence[np.ndarray], classes: int) -> bool:
    """Whether no class keeps to the upper or to the lower half more than chance explains."""
    differences = []
    for each in labels:
        half = max(len(each) // 2, 1)
        top, bottom = (shares_of(part, classes) for part in (each[:half], each[-half:]))
        differences.append(top - bottom)
    values = np.array(differences)
    if len(values) < 2:
        return True
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5
    return bool((np.abs(values.mean(axis=0)) <= SIDED * error + 1e-3).all())


def shares_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """(K,) the share of all pixels that each class has."""
    return np.bincount(labels[labels != UNKNOWN], minlength=classes) / labels.size
