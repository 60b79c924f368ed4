"""One class per picture: cross-entropy over the classes, or one sigmoid output for two classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.data.prepare import Shape
from striate.draw import charts
from striate.errors import StriateError, counted
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.evaluate.metrics import calibration_bins
from striate.evaluate.operating import Points, at_points, operating_points, roc_figure
from striate.evaluate.scores import classification_scores
from striate.network.build import shape_text
from striate.tasks.task import END_FLAT, Floor, Task


@dataclass(frozen=True)
class Classification(Task):
    """Pictures of one class each. An answer is a row (K,) of probabilities.

    A network with one output for two classes is trained with binary cross-entropy: its output is the
    logit of the second class.

    points: (class number, wanted share, threshold): the probability from which on to say a class, so that this share
    of its pictures is found, by the validation part. The answer itself is the likeliest class.
    """

    points: Points = ()
    name: ClassVar[str] = "classification"
    one_label: ClassVar[bool] = True
    tunes: ClassVar[bool] = True
    calibrated: ClassVar[bool] = True
    tabular: ClassVar[bool] = True
    decides: ClassVar[bool] = True
    ending: ClassVar[str] = "softmax"

    def require_output(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 1:
            rule = "a classifier's network ends in one row of numbers"
            raise StriateError(rule, received=shape_text(shape), where="--network", remedy=END_FLAT)
        if shape[0] != len(self.classes) and (shape[0], len(self.classes)) != (1, 2):
            rule = "a classifier's network has one output per class (or one in all for two classes)"
            received = f"{counted(shape[0], 'output')} for {len(self.classes)} classes"
            raise StriateError(rule, received=received, where="--network", remedy="end it with `dense classes`")

    def encode(self, targets: Sequence[str], sizes: np.ndarray | None = None, shape: Shape | None = None) -> Tensor:
        index = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([index[target] for target in targets], dtype=torch.int64)

    def tuned(self, targets: Sequence[str], answers: Sequence, clusters: Clusters = None) -> Self:
        return replace(self, points=operating_points(self._marks(targets), np.asarray(answers, np.float64), clusters))

    def _marks(self, targets: Sequence[str]) -> np.ndarray:
        """(N, K): 1 for the class of each target, 0 for others."""
        return np.eye(len(self.classes))[self.encode(targets).numpy()]

    def trial(self, targets: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        return self.encode(targets).numpy(), self.classes

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        if logits.shape[1] > 1:
            return F.cross_entropy(logits, encoded, weights, label_smoothing=smoothing)
        soft = encoded.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits[:, 0], soft, reduction="none")
        factors = torch.ones_like(each) if weights is None else weights[encoded].to(each.dtype)
        return (each * factors).sum() / factors.sum()

    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        return int((torch.from_numpy(self.decode(logits).argmax(axis=1)) == encoded.cpu()).sum())

    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> np.ndarray:
        logits = logits.detach().double().cpu()
        if logits.shape[1] > 1:
            return logits.softmax(dim=1).numpy()
        second = logits[:, 0].sigmoid()
        return torch.stack([1 - second, second], dim=1).numpy()

    def margin(self, logits: Tensor) -> Tensor:
        if logits.shape[1] == 1:
            return logits[:, 0].abs()
        first, second = logits.topk(2).values.T
        return first - second

    def score(self, logits: Tensor, index: int, whole: Tensor | None = None) -> Tensor:
        if logits.shape[1] > 1:
            return logits[:, index]
        return logits[:, 0] if index == 1 else -logits[:, 0]

    def target_of(self, answer: np.ndarray) -> str:
        return self.classes[int(np.argmax(answer))]

    def confidence(self, answer: np.ndarray) -> float:
        return float(np.max(answer))

    def header(self) -> tuple[str, ...]:
        return ("predicted", "confidence", *(f"p_{name}" for name in self.classes))

    def row(self, answer: np.ndarray) -> tuple[str, ...]:
        return (self.target_of(answer), *(f"{p:.6f}" for p in (np.max(answer), *answer)))

    def read(self, row: Mapping[str, str]) -> np.ndarray:
        return np.array([float(row[f"p_{name}"]) for name in self.classes])

    def floor(self, targets: Sequence[str]) -> dict[str, object]:
        counts = self.counts(targets)
        return {"majority": max(counts, key=lambda name: (counts[name], name))}

    def scores(self, targets: Sequence[str], answers: Sequence, floor: Floor, clusters: Clusters = None) -> dict:
        majority = self.classes.index(floor.get("majority", self.classes[0]))
        truth, chances = self.encode(targets).numpy(), np.asarray(answers, np.float64)
        record = classification_scores(truth, chances, self.classes, majority, clusters)
        chances = chances.reshape(-1, len(self.classes))
        return {**record, **at_points(self.points, self._marks(targets), chances, self.classes, clusters)}

    def errors(self, targets: Sequence[str], answers: Sequence) -> np.ndarray:
        """The confidence of wrong answers."""
        said = zip(targets, answers, strict=True)
        return np.array([(self.target_of(answer) != target) * self.confidence(answer) for target, answer in said])

    def best(self, targets: Sequence[str], answers: Sequence, most: int) -> list[int]:
        """Right answers, the surest of every class, the surest class first."""
        sure, first = np.array([self.confidence(answer) for answer in answers]), {}
        for index in np.argsort(-sure, kind="stable").tolist():
            if self.target_of(answers[index]) == targets[index]:
                first.setdefault(targets[index], index)
        return list(first.values())[:most]

    def figures(self, targets: Sequence[str], answers: Sequence, record: dict) -> dict[str, Figure]:
        right = np.argmax(answers, axis=1) == self.encode(targets).numpy()
        return {
            "confusion_matrix": Figure(
                charts.confusion(np.array(record["confusion"]), self.classes),
                "Confusion matrix",
                "Confusion. Rows are true classes; blue is right, orange is wrong.",
                name="chart matrix",
            ),
            "calibration": Figure(
                charts.calibration(calibration_bins(np.max(answers, axis=1), right)),
                "Calibration plot",
                "On the dashed line the network is as often right as it says; below it, it is too sure.",
                title="Calibration",
            ),
            **roc_figure(self._marks(targets), np.asarray(answers, np.float64), record),
        }
