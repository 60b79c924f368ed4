"""Several labels per picture, any number of them at once: a sigmoid for each label, with a threshold of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.data.prepare import Shape
from striate.data.sample import UNKNOWN, Found, class_order, names_of
from striate.draw import charts
from striate.errors import StriateError
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.evaluate.label_scores import best_thresholds, label_scores
from striate.evaluate.operating import Points, at_points, operating_points, roc_figure
from striate.tasks.task import Floor, Paired

Targets = Sequence[tuple[str, ...]]  # the labels of every picture; after UNKNOWN, those of which it is not known


@dataclass(frozen=True)
class Multilabel(Paired):
    """Pictures with any of K labels. An answer is (K, 2): the probability of each, and whether it is said (1 or 0).

    thresholds: (K,) the probability from which a label is said, with the greatest F1 on the validation part. points:
    (label number, wanted share, threshold) for those who want this share of its pictures found instead.
    """

    thresholds: tuple[float, ...] = ()
    points: Points = ()
    name: ClassVar[str] = "multilabel"
    longest: ClassVar[int] = 96
    tunes: ClassVar[bool] = True
    calibrated: ClassVar[bool] = True
    tabular: ClassVar[bool] = True
    decides: ClassVar[bool] = True
    ending: ClassVar[str] = "sigmoid"
    error_is: ClassVar[str] = "how sure the wrong labels were, summed"

    @classmethod
    def of(cls, found: Found, targets: Targets, options: Mapping[str, object]) -> Self:
        """Labels in the order of their columns, or by name; those that no picture has are not learned."""
        present = {name for target in targets for name in names_of(target)}
        if not present:
            raise StriateError("some picture has a label", received="none", where=found.root)
        return cls(tuple(name for name in found.names if name in present) or tuple(class_order(present)))

    def tuned(self, targets: Targets, answers: Sequence[np.ndarray], clusters: Clusters = None) -> Self:
        marks, chances = self._marks(targets), self.stacked(answers)[..., 0]
        thresholds = tuple(best_thresholds(marks, chances).tolist())
        return replace(self, thresholds=thresholds, points=operating_points(marks, chances, clusters))

    def trial(self, targets: Targets) -> tuple[np.ndarray, tuple[str, ...]]:
        """Every label, as what is true of one may not be of another; one that is not known is none here."""
        return self._marks(targets) == 1, self.classes

    def encode(self, targets: Targets, sizes: np.ndarray, shape: Shape) -> Tensor:
        return torch.from_numpy(self._marks(targets)).float()

    def _marks(self, targets: Targets) -> np.ndarray:
        """(N, K): 1 for the labels that each target has, 0 for others, NaN where it is not known."""
        marks = np.array([[name in target for name in self.classes] for target in targets], float)
        doubts = [[UNKNOWN + name in target for name in self.classes] for target in targets]
        return np.where(np.array(doubts, bool) & (marks == 0), np.nan, marks).reshape(-1, len(self.classes))

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Binary cross-entropy, the mean over known labels; weights: a factor for each, so that rare ones count."""
        known = ~encoded.isnan()
        soft = encoded.nan_to_num() * (1 - smoothing) + smoothing / 2
        each = F.binary_cross_entropy_with_logits(logits, soft.to(logits.dtype), reduction="none") * known
        each = each if weights is None else each * (weights / weights.mean())
        return each.sum() / known.sum().clamp(min=1)

    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        known = ~encoded.isnan()
        right = ((logits > 0) == (encoded > 0.5)) & known
        return float((right.sum(dim=1) / known.sum(dim=1).clamp(min=1)).sum())

    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> np.ndarray:
        chances = logits.detach().double().cpu().sigmoid().numpy()
        return np.stack([chances, chances >= self._thresholds()], axis=-1)

    def margin(self, logits: Tensor) -> Tensor:
        return (logits - torch.from_numpy(self._thresholds()).logit(1e-12)).abs().amin(dim=1)

    def _thresholds(self) -> np.ndarray:
        return np.array(self.thresholds or [0.5] * len(self.classes))

    def target_of(self, answer: np.ndarray) -> tuple[str, ...]:
        return tuple(class_order(name for name, (_, said) in zip(self.classes, answer, strict=True) if said))

    def say(self, answer: np.ndarray) -> str:
        return "; ".join(self.target_of(answer)) or "nothing"

    def header(self) -> tuple[str, ...]:
        return ("predicted", *(f"p_{name}" for name in self.classes))

    def row(self, answer: np.ndarray) -> tuple[str, ...]:
        return ("; ".join(self.target_of(answer)), *(f"{chance:.6f}" for chance, _ in answer))

    def read(self, row: Mapping[str, str]) -> np.ndarray:
        said = row["predicted"].split("; ")
        return np.array([(float(row[f"p_{name}"]), name in said) for name in self.classes])

    def scores(self, targets: Targets, answers: Sequence, floor: Floor, clusters: Clusters = None) -> dict:
        marks, told = self._marks(targets), self.stacked(answers)
        record = label_scores(marks, told[..., 0], told[..., 1] > 0, self.classes, clusters)
        return {**record, **at_points(self.points, marks, told[..., 0], self.classes, clusters)}

    def errors(self, targets: Targets, answers: Sequence[np.ndarray]) -> np.ndarray:
        """The sum over wrong labels of how sure the wrong answer was."""
        truth, told = self._marks(targets), self.stacked(answers)
        chances, wrong = told[..., 0], (truth != (told[..., 1] > 0)) & ~np.isnan(truth)
        return (wrong * np.where(truth > 0, 1 - chances, chances)).sum(axis=1)

    def figures(self, targets: Targets, answers: Sequence, record: dict) -> dict[str, Figure]:
        return {
            "labels": Figure(
                charts.labels(record["per_class"]),
                "Precision, recall and F1 of every label",
                "Precision: of the pictures said to have the label, how many do. Recall: of those that do, how many "
                "were found. Lines are 95 % intervals.",
            ),
            **roc_figure(self._marks(targets), self.stacked(answers)[..., 0], record),
        }
