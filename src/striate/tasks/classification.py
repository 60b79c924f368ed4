"""One class per picture: cross-entropy over the classes, or one sigmoid output for two classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.errors import StriateError
from striate.network.text import flat, parse


@dataclass(frozen=True)
class Classification:
    """Pictures of one class each; implements the Task protocol.

    A network with one output for two classes is trained with binary cross-entropy: its output is the
    logit of the second class.
    """

    classes: tuple[str, ...]
    name: ClassVar[str] = "classification"

    def make_head(self, line: str) -> int:
        last = [layer for layer in flat(parse(line)) if layer.kind == "dense"][-1:]
        units = last[0].get("units") if last else None
        if not isinstance(units, int) or units == len(self.classes) or (units == 1 and len(self.classes) == 2):
            return len(self.classes)
        raise StriateError(
            "the last dense layer has one output per class (or one in all for two classes)",
            received=f"dense {units} for {len(self.classes)} classes",
            where="--network",
            remedy="write `dense classes`",
        )

    def encode(self, targets: Sequence[str]) -> Tensor:
        index = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([index[target] for target in targets], dtype=torch.int64)

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        if logits.shape[1] > 1:
            return F.cross_entropy(logits, encoded, weights, label_smoothing=smoothing)
        soft = encoded.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits[:, 0], soft, reduction="none")
        factors = torch.ones_like(each) if weights is None else weights[encoded].to(each.dtype)
        return (each * factors).sum() / factors.sum()

    def decode(self, logits: Tensor) -> np.ndarray:
        logits = logits.detach().double().cpu()
        if logits.shape[1] > 1:
            return logits.softmax(dim=1).numpy()
        second = logits[:, 0].sigmoid()
        return torch.stack([1 - second, second], dim=1).numpy()

    def score(self, logits: Tensor, index: int) -> Tensor:
        if logits.shape[1] > 1:
            return logits[:, index]
        return logits[:, 0] if index == 1 else -logits[:, 0]
