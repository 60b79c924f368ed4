"""What differs between tasks, and only that: the protocol, and the table of tasks.

The training loop, prediction and the glass box know this protocol and never a concrete task.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor, nn


class Task(Protocol):
    """Head, target encoding, loss, decoding and the scalar that a heatmap explains.

    name: the key in the table of tasks, stored in the model file.
    classes: the names of the outputs, in order.
    """

    name: str
    classes: tuple[str, ...]

    def make_head(self, line: str) -> int:
        """How many outputs a network of this line must have for this task (its `classes` word)."""

    def encode(self, targets: Sequence[str]) -> Tensor:
        """(N, ...) tensor of the targets of N samples."""

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Mean loss of a batch of logits (B, outputs); `weights` holds one factor per class."""

    def decode(self, logits: Tensor) -> np.ndarray:
        """(B, classes) float64 probabilities of a batch of logits."""

    def score(self, logits: Tensor, index: int) -> Tensor:
        """(B,) the scalar that a heatmap for output `index` explains."""


def logits_of(network: nn.Module, x: Tensor) -> Tensor:
    """A network's output before a closing softmax or sigmoid (a stranger's network: its output)."""
    return network.logits(x) if hasattr(network, "logits") else network(x)


def make_task(name: str, classes: Sequence[str]) -> Task:
    """The task of that name in the table."""
    from striate.tasks.classification import Classification

    table = {Classification.name: Classification}
    return table[name](tuple(classes))
