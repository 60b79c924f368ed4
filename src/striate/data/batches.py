"""Batches of tensors from a store: the only module of `data` that knows torch.

Which samples stand in a batch is a function of (seed, epoch) alone; the number of workers that decoded
the store, or that the machine has, changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from striate.data.prepare import REACH, Preparation, Shape

PREDICT_BATCH = 64  # fixed and padded, so that a prediction never depends on its neighbours
PREDICT_PIXELS = 1 << 20  # of such a batch at most


def scale(pictures: np.ndarray | Tensor, preparation: Preparation, device: torch.device) -> Tensor:
    """Stored pictures (B, H, W, C) as float32 (B, C, H, W), 0 at `low`, 1 at `high`, within REACH, channels-last."""
    batch = torch.from_numpy(pictures) if isinstance(pictures, np.ndarray) else pictures
    batch = batch.to(device, torch.float32)
    low, high = (_per_channel(preparation, values, device) for values in (preparation.low, preparation.high))
    return _by_rows(batch, low, high - low).clamp_(*REACH).permute(0, 3, 1, 2)


def standardise(scaled: Tensor, preparation: Preparation) -> Tensor:
    """Scaled pictures (B, C, H, W) as the network sees them: minus the mean, divided by the standard deviation, on as
    many axes as their form has."""
    mean, std = (_per_channel(preparation, values, scaled.device) for values in (preparation.mean, preparation.std))
    if scaled.is_contiguous(memory_format=torch.channels_last):
        seen = _by_rows(scaled.permute(0, 2, 3, 1), mean, std).permute(0, 3, 1, 2)
    else:
        seen = (scaled - mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
    return _on_axes(seen, preparation.shape)


def _by_rows(pictures: Tensor, offset: Tensor, unit: Tensor) -> Tensor:
    """(pictures - offset) / unit for pictures (B, H, W, C), a row of pixels at a time: a loop over three channels alone
    takes four times as long."""
    width = pictures.shape[2]
    return (pictures.flatten(2) - offset.repeat(width)).div_(unit.repeat(width)).unflatten(2, (width, -1))


def _on_axes(x: Tensor, shape: Shape) -> Tensor:
    """(B, C, L) of a series or text (B, C, 1, L), and (B, C, D, H, W) of a volume (B, D x C, H, W), of any size."""
    match shape.axes:
        case 1:
            return x.squeeze(2)
        case 3:
            return x.unflatten(1, (shape.frames, shape.channels)).transpose(1, 2)
    return x


def _per_channel(preparation: Preparation, values: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(values * preparation.shape.frames, dtype=torch.float32, device=device)


@dataclass(frozen=True, slots=True)
class Batch:
    """rows: (B,) row numbers in the store. ids: (B,) what names the random changes: the rows, and others for a sample
    that the epoch had before. pictures: (B, C, H, W) float32 scaled pictures. targets: (B, ...) encoded targets."""

    rows: np.ndarray
    ids: np.ndarray
    pictures: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Batches:
    """The samples of one part, in batches.

    pictures: the store's (N, H, W, C) array of all parts. rows: which of them belong to this part.
    targets: (len(rows), ...) encoded targets. balance: class numbers (len(rows),) to draw evenly, or None.
    """

    pictures: np.ndarray
    rows: np.ndarray
    targets: Tensor
    preparation: Preparation
    device: torch.device
    balance: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def steps(self, batch_size: int) -> int:
        """Whole batches in one epoch; what is left over begins the next one."""
        return max(len(self) // batch_size, 1)

    def epoch(self, batch_size: int, *, seed: int, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch in its random order."""
        steps, size = self.steps(batch_size), min(batch_size, len(self))
        round_, first = divmod(epoch * steps * size, len(self))
        both = np.concatenate([self._order(seed, round_), self._order(seed, round_ + 1)])
        order = both[first : first + steps * size]
        again = _earlier(order) * len(self.pictures)
        yield from map(self._take, order.reshape(steps, size), again.reshape(steps, size))

    def in_order(self, batch_size: int = PREDICT_BATCH) -> Iterator[Batch]:
        """Every sample once, in the order of `rows`; of large pictures fewer at a time."""
        batch_size = max(1, min(batch_size, PREDICT_PIXELS // (self.pictures.shape[1] * self.pictures.shape[2])))
        for first in range(0, len(self), batch_size):
            yield self._take(np.arange(first, min(first + batch_size, len(self))), 0)

    def _order(self, seed: int, round_: int) -> np.ndarray:
        """All samples once, or as many drawn evenly, in a random order."""
        # The round is the counter's highest word: drawing counts the lowest up, so no two rounds share a number.
        random = np.random.Generator(np.random.Philox(key=seed & (2**63 - 1), counter=[0, 0, 0, round_]))
        if self.balance is None:
            return random.permutation(len(self))
        kinds, numbers, counts = np.unique(self.balance, return_inverse=True, return_counts=True)
        chances = 1.0 / counts[numbers] / len(kinds)
        return random.choice(len(self), size=len(self), p=chances / chances.sum())

    def _take(self, positions: np.ndarray, again: np.ndarray | int) -> Batch:
        rows = self.rows[positions]
        pictures = scale(self.pictures[rows], self.preparation, self.device)
        return Batch(rows, rows + again, pictures, self.targets[torch.from_numpy(positions)].to(self.device))


def _earlier(order: np.ndarray) -> np.ndarray:
    """How often each of the numbers (N,) is there before its place."""
    sorting = np.argsort(order, kind="stable")
    ranks = np.empty_like(order)
    ranks[sorting] = np.arange(len(order)) - np.searchsorted(order[sorting], order[sorting])
    return ranks
